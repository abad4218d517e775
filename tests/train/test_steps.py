"""Several training steps in one call do what single steps do, and nothing waits for their losses."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from components.artifacts.names import BACKBONES, BUNDLED_BACKBONE, REGIMES
from components.train import batches, device, networks, steps
from components.train.augmentation import RadiographAugmentation
from components.train.batches import Batches
from components.train.fitting import Phase, balanced_weights
from components.train.recipe import Recipe
from components.train.steps import StepLosses
from components.train.validation import Validation
from tests.train.conftest import state_when_stopped

SIZE = 4
EXAMPLES = 41 * SIZE
"""An epoch has 41 steps: two calls of 21, the last of which changes nothing."""


def phase(together, dropout=0.0, examples=EXAMPLES):
    """A phase of a network with batch normalisation on two stored views; and its model and validation inputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "steps_together", lambda: together)
        keras.utils.set_random_seed(1)
        random = np.random.default_rng(1)
        inputs, labels = random.normal(size=(2, examples, 3)).astype(np.float32), np.arange(examples) % 2
        layers = [
            keras.layers.Dense(4, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(1),
        ]
        model = keras.Sequential([keras.Input((3,)), *layers])
        weights = balanced_weights(labels)
        monitor = Validation(model, [inputs[1:]], labels, np.arange(examples), weights, 0)
        recipe = Recipe(epochs=3, batch_size=SIZE, learning_rate=0.1, patience=0)
        fed = Batches([inputs], labels, weights, SIZE, seed=1)
        return Phase(model, fed, monitor, recipe.epochs, 0.1, recipe), model, inputs[1:]


def finished(training, model, inputs):
    """Losses of the epochs and predictions of the best one."""
    records = []
    training.run(records.append)
    losses = [record["train_loss"] for record in training.state["records"]]
    return np.concatenate([losses, batches.predict(model, [inputs])])


@functools.cache
def whole():
    """What a phase gives whose steps are several a call."""
    return finished(*phase(True))


@pytest.mark.medium
def test_several_steps_in_a_call_train_what_single_steps_train():
    np.testing.assert_allclose(whole(), finished(*phase(False)), rtol=1e-4, atol=1e-5)


@pytest.mark.medium
def test_an_epoch_of_a_single_call():
    single, together = (finished(*phase(choice, examples=4 * SIZE)) for choice in (False, True))
    np.testing.assert_allclose(together, single, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_random_layers_draw_anew_in_every_step_of_a_call(monkeypatch):
    several = finished(*phase(True, dropout=0.5))
    monkeypatch.setattr(steps, "number", lambda _: 1)
    np.testing.assert_allclose(several, finished(*phase(True, dropout=0.5)), rtol=1e-4, atol=1e-5)
    assert np.abs(several - whole()).max() > 0.01


@pytest.mark.medium
def test_examples_that_are_too_large_for_the_gpu_are_sent_with_each_call(monkeypatch):
    resident = whole()
    monkeypatch.setattr(device, "RESIDENT_LIMIT", 0)
    training, _, _ = phase(True)
    assert isinstance(next(training._batches.chunks(0, 4)).arrays[0], np.ndarray)
    np.testing.assert_array_equal(finished(*phase(True)), resident)


SLOW = [pytest.param(*values, marks=pytest.mark.slow) for values in ((True, 3), (True, 5), (False, 2))]


@pytest.mark.medium
@pytest.mark.parametrize(("before", "pauses"), [(True, 1), *SLOW])
def test_a_training_goes_on_to_the_same_result_after_any_call_or_step(tmp_path, before, pauses):
    training, _, _ = phase(before)
    other = phase(True)
    other[0].state = state_when_stopped(training, pauses, tmp_path)
    assert other[0].done == training.done
    np.testing.assert_allclose(finished(*other), whole(), rtol=1e-4, atol=1e-5)


@pytest.mark.medium
def test_a_training_can_stop_after_every_call():
    training, _, _ = phase(True)
    said = []
    training.run(lambda _: None, lambda complete: said.append((complete, training.done)))
    assert said[:3] == [(False, "epoch 0 and 21 steps"), (False, "epoch 0 and 41 steps"), (True, "epoch 1")]


@pytest.mark.parametrize(
    ("all_steps", "expected"), [(1, 1), (5, 5), (40, 20), (32, 32), (163, 15), (41, 21), (1000, 25)]
)
def test_calls_have_about_the_same_number_of_steps(all_steps, expected):
    assert steps.number(all_steps) == expected


class Computing:
    """Losses on a device: notes when they are read."""

    def __init__(self, *values):
        self.values, self.was_read = values, False

    def __array__(self, *_args, **_kwargs):
        self.was_read = True
        return np.array(self.values, np.float32)


def test_losses_are_read_two_calls_later(monkeypatch):
    monkeypatch.setattr(keras.ops, "convert_to_numpy", np.asarray)
    losses, calls = StepLosses([0.5]), [Computing(1, 2), Computing(3, 4), Computing(5, 9)]
    read = []
    for call, count in zip(calls, (2, 2, 1), strict=True):
        losses.add_later(call, count)
        read.append([own.was_read for own in calls])
    assert read == [[False] * 3, [False] * 3, [True, False, False]]
    assert len(losses) == 6
    assert losses.values == [0.5, 1, 2, 3, 4, 5]


def test_chunks_are_the_batches_of_a_pass():
    array = 100.0 * np.arange(30)[None, :, None] + np.arange(3)[:, None, None]
    labels, weights = np.arange(30) % 2, np.arange(30) + 1.0
    plain, chunked = (Batches([array], labels, weights, 4, seed=1) for _ in range(2))
    expected, found, counts = list(plain.following(2)), [], []
    for chunk in chunked.chunks(2, 3):
        assert chunk.rows.shape == (3, 4)
        counts.append(chunk.count)
        found += [
            (chunk.arrays[0][rows], own_labels, own_weights)
            for rows, own_labels, own_weights, _ in zip(
                chunk.rows, chunk.labels, chunk.weights, range(chunk.count), strict=False
            )
        ]
    assert counts == [3, 2]
    for one, other in zip(found, expected, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)


@pytest.mark.slow
def test_the_training_step_of_the_custom_cnn_compiles(monkeypatch):
    monkeypatch.setattr(device, "jit_compile", lambda: True)
    monkeypatch.setattr(device, "steps_together", lambda: True)
    recipe = Recipe(epochs=2, batch_size=8, learning_rate=0.01, patience=0)
    network = networks.custom_cnn(32, recipe)
    image = keras.Input((32, 32, 1))
    model = keras.Sequential([image, RadiographAugmentation(recipe, 1), network.front, network.network])
    images = np.random.default_rng(1).integers(0, 256, (1, 40, 32, 32, 1), dtype=np.uint8)
    labels, weights = np.arange(40) % 2, np.ones(40)
    fed = Batches([images], labels, weights, 8, seed=1)
    assert "uint8" in str(next(fed.chunks(0, 5)).arrays[0].dtype)
    monitor = Validation(network.logits(), [images], labels, np.arange(40), weights, 0)
    before = [weight.copy() for weight in network.network.get_weights()]
    assert Phase(model, fed, monitor, 2, 0.01, recipe).run(lambda _: None) is False
    assert not any(np.array_equal(*pair) for pair in zip(before, network.network.get_weights(), strict=True))


def on_backend(backend, *words):
    command = [sys.executable, *map(str, words)]
    environment = os.environ | {"KERAS_BACKEND": backend}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_every_computation_of_every_regime_compiles(backend, prepared, tmp_path):
    pytest.importorskip(backend)
    told = on_backend(backend, "-m", "tests.train.compiled", prepared, tmp_path, BUNDLED_BACKBONE, *REGIMES)
    assert told.splitlines()[-1] == f"imported: {backend}"
    assert {path.name for path in tmp_path.iterdir()} == set(REGIMES)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_steps_of_every_backbone_have_operations_that_xla_has(backend):
    pytest.importorskip(backend)
    told = on_backend(backend, "-m", "tests.train.lowered", *BACKBONES)
    assert [line.split(":")[0] for line in told.splitlines() if line.endswith(" lines")] == list(BACKBONES)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_an_operation_that_xla_does_not_have_is_found(backend):
    pytest.importorskip(backend)
    code = """
import keras, numpy, tests.train.lowered as lowered
from components.train.augmentation import RadiographAugmentation as Augmentation
identity = numpy.float32([[1, 0, 0, 0, 1, 0, 0, 0]])
def call(self, images, training=None):
    return keras.ops.image.affine_transform(keras.ops.cast(images, "float32"), identity)
Augmentation.call = call
lowered.main("MobileNetV2-0.5")
"""
    if backend == "jax":
        assert "MobileNetV2-0.5: " in on_backend(backend, "-c", code)
        return
    with pytest.raises(AssertionError, match="ImageProjectiveTransformV3"):
        on_backend(backend, "-c", code)


@pytest.mark.slow
def test_the_same_with_jax():
    pytest.importorskip("jax", reason="JAX is no requirement of this project")
    if keras.backend.backend() == "jax":
        pytest.skip("these tests run with JAX already")
    on_backend("jax", "-m", "pytest", "-q", "-m", "not slow", __file__)
