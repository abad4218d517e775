"""The training loop: its schedule, its losses and scores, early stopping, and divergence."""

import functools

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from components.console import UserError
from components.train.batches import Batches
from components.train.fitting import Phase, balanced_weights
from components.train.recipe import Recipe
from components.train.validation import Validation
from tests.train.conftest import state_when_stopped

TINY_RATE = 1e-30
"""A learning rate that leaves float32 weights as they are."""


def linear(*kernel, bias=0.0):
    """A model whose logit is a linear function of its inputs."""
    model = keras.Sequential([keras.Input((len(kernel),)), keras.layers.Dense(1)])
    model.set_weights([np.array(kernel, np.float32)[:, None], np.array([bias], np.float32)])
    return model


def fit(epochs, learning_rate=0.1, images=6, size=6, patience=0, model=None, validate=None):
    """Trains one layer on inputs that tell the classes apart; gives the monitor, records, kernel, divergence."""
    labels = np.arange(images) % 2
    inputs = np.stack([labels, 1 - labels], axis=1)[None].astype(np.float32)
    model = model or linear(0, 0)
    records = []
    monitor = Validation(
        model, [inputs if validate is None else validate], labels, np.arange(images), balanced_weights(labels), patience
    )
    recipe = Recipe(epochs=epochs, batch_size=size, learning_rate=0.1, patience=patience)
    batches = Batches([inputs], labels, balanced_weights(labels), size, seed=1)
    diverged = Phase(model, batches, monitor, epochs, learning_rate, recipe).run(records.append)
    return monitor, records, model.get_weights()[0], diverged


def test_validation_loss_and_auc_are_those_of_scikit_learn_on_the_logits_with_class_weights():
    logits = np.array([-3.0, 2.0, 0.5, 4.0, -1.0, 0.3, 90.0, -90.0], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 0])
    weights = balanced_weights(labels)
    found = Validation(linear(1), [logits[None, :, None]], labels, np.arange(8), weights, 0).score(1)
    probabilities = 1 / (1 + np.exp(-logits.astype(float)))
    assert found["validation_loss"] == pytest.approx(log_loss(labels, probabilities, sample_weight=weights), rel=1e-6)
    assert found["validation_loss"] != pytest.approx(log_loss(labels, probabilities), rel=1e-2)
    assert found["validation_auc"] == roc_auc_score(labels, logits)


def test_the_training_loss_of_an_epoch_is_the_mean_weighted_cross_entropy_of_its_batches():
    random = np.random.default_rng(1)
    inputs, labels = random.normal(size=(1, 12, 1)).astype(np.float32), np.array([0, 1, 1] * 4)
    weights = balanced_weights(labels)
    model, records = linear(2.0, bias=0.5), []
    recipe = Recipe(epochs=1, batch_size=4, learning_rate=0.1, patience=0)
    monitor = Validation(model, [inputs], labels, np.arange(len(labels)), weights, patience=0)
    Phase(model, Batches([inputs], labels, weights, 4, seed=1), monitor, 1, TINY_RATE, recipe).run(records.append)
    probabilities = 1 / (1 + np.exp(-(2 * inputs[0, :, 0] + 0.5)))
    expected = log_loss(labels, probabilities, sample_weight=weights)
    assert records[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("epochs", "images"), [(1, 6), (2, 6), (1, 12), (3, 6)])
def test_trains_for_any_number_of_steps(epochs, images):
    monitor, records, kernel, _ = fit(epochs, images=images)
    assert records[monitor.best_epoch - 1]["validation_auc"] == 1
    assert kernel[0, 0] > 0 > kernel[1, 0]


def test_the_schedule_of_several_steps_rises_from_zero_and_falls_as_a_cosine():
    rates = [record["learning_rate"] for record in fit(20)[1]]
    falling = 0.05 * (1 + np.cos(np.pi * np.arange(1, 19) / 18))  # each record has the rate of the step to come
    assert rates == pytest.approx([0.05, 0.1, *falling], abs=1e-7)


def test_of_epochs_with_the_same_auc_the_best_has_the_lowest_loss():
    model, labels = linear(1), np.array([0, 0, 1, 1])
    inputs = np.array([-2, 1, 2, 0], np.float32)[None, :, None]
    monitor = Validation(model, [inputs], labels, np.arange(4), np.ones(4), patience=2)
    enough = []
    for epoch, factor in enumerate((-1, 1, 3, 0.5, 0.6, -2), 1):
        model.set_weights([np.array([[factor]], np.float32), np.zeros(1, np.float32)])
        monitor.score(epoch)
        enough.append(monitor.enough(epoch))
    assert monitor.best_epoch == 5, "0.6 ranks like 1, 3 and 0.5, and its loss is the lowest"
    assert enough == [False, False, False, True, False, False]
    assert monitor.enough(7)
    monitor.restore()
    assert model.get_weights()[0] == pytest.approx(0.6)


def test_the_best_epoch_has_the_lowest_loss_within_one_standard_error_and_patience_counts_from_the_highest_auc():
    random = np.random.default_rng(3)
    labels = np.arange(60) % 2
    inputs = np.stack([random.normal(size=60) + 2 * labels - 1, random.normal(size=60)], axis=1)
    inputs = inputs[None].astype(np.float32)
    model = linear(1, 0)
    monitor = Validation(model, [inputs], labels, np.arange(60), np.ones(60), patience=2)
    scores = []
    for epoch, kernel in enumerate([(2, 0), (30, 0.6), (-1, 0), (-1, 0)], 1):
        model.set_weights([np.array(kernel, np.float32)[:, None], np.zeros(1, np.float32)])
        scores.append(monitor.score(epoch))
    first, second = scores[:2]
    assert first["validation_auc"] < second["validation_auc"]
    assert first["validation_loss"] < second["validation_loss"]
    assert (monitor.best_epoch, monitor.highest_auc_epoch) == (1, 2)
    assert [monitor.enough(3), monitor.enough(4)] == [False, True]
    monitor.restore()
    assert model.get_weights()[0][:, 0] == pytest.approx([2, 0])


def test_without_patience_training_never_stops_early():
    monitor = Validation(
        linear(1), [np.array([[[0.0], [1.0]]], np.float32)], np.array([0, 1]), np.arange(2), np.ones(2), patience=0
    )
    monitor.score(1)
    assert not monitor.enough(1000)


def test_training_stops_when_patience_is_exhausted():
    reversed_inputs = np.array([[[1, 0], [0, 1]] * 3], np.float32)  # what helps in training harms in validation
    monitor, records, _, _ = fit(9, patience=2, validate=reversed_inputs)
    assert (monitor.best_epoch, len(records)) == (1, 3)


def test_an_ordinary_training_has_not_diverged():
    assert fit(3)[3] is False


def test_a_training_whose_losses_are_far_worse_than_chance_has_diverged():
    assert fit(2, TINY_RATE, model=linear(-9, 9))[3] is True
    assert fit(2, TINY_RATE, model=linear(-1.5, 1.5))[3] is False, "a loss of 1.7 is bad, but not yet divergence"


def test_a_training_that_overflows_ends_with_the_best_weights_so_far():
    monitor, records, kernel, diverged = fit(5, learning_rate=3e38, images=12)
    assert diverged is True
    assert [record["epoch"] for record in records] == list(range(1, len(records) + 1))
    assert 1 <= monitor.best_epoch <= len(records) < 5
    assert np.isfinite(kernel).all()


def test_a_training_that_overflows_at_once_names_the_remedy():
    with pytest.raises(UserError, match="diverged in its first epoch: choose a lower learning rate"):
        fit(5, model=linear(np.inf, 0))


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 1, 1], [0, 0, 0, 0, 1]])
def test_balanced_weights_have_the_same_sum_for_both_classes(labels):
    labels = np.array(labels)
    weights = balanced_weights(labels)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)


def phase(epochs=4, patience=0):
    """A phase of a network with dropout and batch normalisation, on inputs that it cannot learn; and its parts."""
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    inputs, labels = random.normal(size=(2, 30, 3)).astype(np.float32), np.arange(30) % 2
    layers = [
        keras.layers.Dense(4),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers])
    weights = balanced_weights(labels)
    monitor = Validation(model, [inputs[1:]], labels, np.arange(30), weights, patience)
    recipe = Recipe(epochs=epochs, batch_size=8, learning_rate=0.1, patience=patience)
    return Phase(model, Batches([inputs], labels, weights, 8, seed=1), monitor, epochs, 0.1, recipe), model, monitor


def finished(training, model, monitor):
    """All that a phase gives."""
    records = []
    diverged = training.run(records.append)
    return training.state["records"], diverged, monitor.best_epoch, [array.tobytes() for array in model.get_weights()]


@functools.cache
def whole(patience):
    """All that a phase gives that nothing stops."""
    return finished(*phase(patience=patience))


# An epoch has three steps, and a pause after each step and after the epoch.
@pytest.mark.medium
@pytest.mark.parametrize(("pauses", "patience"), [(2, 0), (3, 0), (4, 0), (6, 2), (15, 0)])
def test_a_phase_that_stops_after_any_step_or_epoch_goes_on_to_the_same_result(tmp_path, pauses, patience):
    training, _, _ = phase(patience=patience)
    other, model, monitor = phase(patience=patience)
    other.state = state_when_stopped(training, pauses, tmp_path)
    assert other.done == training.done
    assert finished(other, model, monitor) == whole(patience)


def test_a_phase_says_how_far_it_is():
    training, _, _ = phase()
    said = []
    training.run(lambda _: None, lambda complete: said.append((complete, training.done)))
    assert said[:5] == [
        (False, "epoch 0 and 1 steps"),
        (False, "epoch 0 and 2 steps"),
        (False, "epoch 0 and 3 steps"),
        (True, "epoch 1"),
        (False, "epoch 1 and 1 steps"),
    ]
