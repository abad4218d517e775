"""The training loop: its schedule, what it reports, and what it does where the numbers grow beyond all bounds."""

import keras
import numpy as np
import pytest

from components.console import UserError
from components.train import fitting
from components.train.batches import Batches
from components.train.recipe import Recipe


def test_the_reported_loss_is_the_mean_of_the_epoch(monkeypatch):
    inputs, labels = np.zeros((1, 6, 2), np.float32), np.array([0, 1] * 3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    losses = iter([1.0, 2.0, 6.0])
    monkeypatch.setattr(model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    records = []
    monitor = fitting.Validation(model, [inputs], labels, np.ones(6), patience=0)
    recipe = Recipe(epochs=1, batch_size=2, learning_rate=0.1, patience=0)
    fitting.fit(model, Batches([inputs], labels, np.ones(6), 2, seed=1), monitor, 1, 0.1, recipe, records.append)
    assert records[0]["train_loss"] == 3.0


def fit(epochs, learning_rate=0.1, images=6, size=6):
    """Trains one layer on inputs that tell the classes apart; gives the monitor, records, kernel, divergence."""
    labels = np.arange(images) % 2
    inputs = np.stack([labels, 1 - labels], axis=1)[None].astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    records = []
    monitor = fitting.Validation(model, [inputs], labels, np.ones(images), patience=0)
    recipe = Recipe(epochs=epochs, batch_size=size, learning_rate=0.1, patience=0)
    batches = Batches([inputs], labels, np.ones(images), size, seed=1)
    diverged = fitting.fit(model, batches, monitor, epochs, learning_rate, recipe, records.append)
    return monitor, records, model.get_weights()[0], diverged


@pytest.mark.parametrize(("epochs", "images"), [(1, 6), (2, 6), (1, 12), (3, 6)])
def test_trains_for_any_number_of_steps(epochs, images):
    monitor, records, kernel, _ = fit(epochs, images=images)
    assert records[monitor.best_epoch - 1]["validation_auc"] == 1
    assert kernel[0, 0] > 0 > kernel[1, 0]


def test_the_schedule_of_several_steps_rises_from_zero_and_falls_as_a_cosine():
    rates = [record["learning_rate"] for record in fit(20)[1]]
    falling = 0.05 * (1 + np.cos(np.pi * np.arange(1, 19) / 18))  # each record has the rate of the step to come
    assert rates == pytest.approx([0.05, 0.1, *falling], abs=1e-7)


def test_an_ordinary_training_has_not_diverged():
    assert fit(3)[3] is False


def test_a_training_whose_best_epoch_is_far_worse_than_knowing_nothing_has_diverged(monkeypatch):
    monkeypatch.setattr(fitting, "predict", lambda *_: np.array([9.0, -9.0] * 3))
    assert fit(2)[3] is True


def test_a_training_that_overflows_ends_with_the_best_weights_so_far(monkeypatch):
    logits = iter([np.array([-1.0, 1.0] * 3), np.full(6, np.nan)])
    monkeypatch.setattr(fitting, "predict", lambda *_: next(logits))
    monitor, records, _, diverged = fit(5)
    assert diverged is True
    assert [record["epoch"] for record in records] == [monitor.best_epoch] == [1]


def test_a_training_that_overflows_at_once_names_the_remedy(monkeypatch):
    monkeypatch.setattr(fitting, "predict", lambda *_: np.full(6, np.inf))
    with pytest.raises(UserError, match="diverged in its first epoch: choose a lower learning rate"):
        fit(5)
