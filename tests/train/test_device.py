"""Several devices train as one, and precision ends with training. GPUs are played by parts of the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from components.console import UserError
from components.parameters import TrainParameters
from components.train import batches, device, fitting, networks
from components.train import train as train_module
from components.train.fitting import Phase
from components.train.recipe import Recipe
from components.train.validation import Validation

TWO_DEVICES = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from components.train import device
from components.parameters import TrainParameters
device.use_together(["CPU:0", "CPU:1"])
assert device.replicas() == 2
from tests.train.test_device import TRAIN
TRAIN[sys.argv[1]](*sys.argv[2:])
"""


def train_linear(output: str) -> None:
    """A linear model's weights and predictions after a few steps, as JSON; the same on any number of devices."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(1, 60, 5)).astype(np.float32)
    labels = (inputs[0, :, 0] > 0).astype(int)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.1, patience=0)
    weights = fitting.balanced_weights(labels)
    fed = batches.Batches([inputs], labels, weights, recipe.batch_size, seed=1)
    monitor = Validation(model, [inputs], labels, np.arange(len(labels)), weights, patience=0)
    records = []
    Phase(model, fed, monitor, recipe.epochs, recipe.learning_rate, recipe).run(records.append)
    result = {
        "weights": np.ravel(model.get_weights()[0]).tolist(),
        "loss": [record["train_loss"] for record in records],
        "predictions": batches.predict(model, [inputs]).tolist(),
    }
    Path(output).write_text(json.dumps(result))


def train_regime(regime: str, prepared: str, output: str) -> None:
    train_module.train(
        prepared, output, regime, TrainParameters(weights="none", epochs=2, batch_size=8, patience=0, seeds=2)
    )
    with pytest.raises(UserError, match="batch size 9 cannot be shared by 2"):
        train_module.train(
            prepared, output, regime, TrainParameters(weights="none", epochs=2, batch_size=9, patience=0)
        )


TRAIN = {"linear": train_linear, "regime": train_regime}


def on_two_devices(*words):
    command = [sys.executable, "-c", TWO_DEVICES, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_devices_train_what_one_trains(tmp_path):
    train_linear(str(tmp_path / "one.json"))
    on_two_devices("linear", tmp_path / "two.json")
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["custom_cnn", "partial_fine_tuning"])
def test_a_regime_on_two_devices_saves_an_ordinary_model(regime, prepared, tmp_path):
    on_two_devices("regime", regime, prepared, tmp_path / "model")
    model = keras.models.load_model(tmp_path / "model" / "seed-1" / "model.keras")
    images = np.load(prepared / "test.npy")[:3, ..., None]
    assert model.predict(images, verbose=0).shape == (3, 1)


@pytest.fixture
def _bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("_bfloat16")
def test_what_was_trained_in_bfloat16_is_saved_in_float32():
    recipe = Recipe(epochs=1, batch_size=4, learning_rate=1e-3, patience=0)
    network = networks.custom_cnn(32, recipe)
    assert network.network.get_layer("conv1").compute_dtype == "bfloat16"
    assert network.network.get_layer("logit").compute_dtype == "float32"
    saved = network.classifier()
    inside = [layer for part in saved.layers for layer in getattr(part, "layers", [part])]
    inside = [layer for layer in inside if not isinstance(layer, keras.layers.InputLayer)]
    assert {layer.compute_dtype for layer in inside} == {"float32"}
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 1), dtype=np.uint8)
    logits = batches.predict(network.logits(), [images[None]])
    np.testing.assert_allclose(saved.predict(images, verbose=0)[:, 0], 1 / (1 + np.exp(-logits)), atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["custom_cnn", "partial_fine_tuning"])
def test_every_phase_works_in_bfloat16(regime, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "_has_bfloat16", lambda: True)
    train_module.train(
        prepared, tmp_path / "model", regime, TrainParameters(weights="none", epochs=1, patience=0, seeds=1)
    )
    keras.config.set_dtype_policy("float32")
    model = keras.models.load_model(tmp_path / "model" / "seed-1" / "model.keras")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert all(weight.dtype == np.float32 for weight in model.get_weights())


@pytest.fixture
def tensorflow(monkeypatch):
    """Notes what `set_up` asks of TensorFlow; gives the list of GPUs, to be filled, and the requests."""
    tf = pytest.importorskip("tensorflow")
    graphics, requests = [], []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: graphics)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: requests.append("deterministic"))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: requests.append((gpu, grows)))
    return graphics, requests


@pytest.mark.parametrize(
    ("graphics", "wanted", "deterministic"),
    [([], False, True), ([], True, True), (["gpu"], False, False), (["gpu"], True, True)],
)
def test_operations_are_deterministic_on_cpus_and_where_it_is_wanted(
    tensorflow, graphics, wanted, deterministic, monkeypatch
):
    tensorflow[0].extend(graphics)
    device.set_up(wanted)
    assert tensorflow[1] == ["deterministic"] * deterministic + [(gpu, True) for gpu in graphics]
    monkeypatch.setattr(device, "gpus", lambda: graphics)
    assert device.deterministic(wanted) is deterministic


@pytest.mark.parametrize(("before", "after"), [("", "{}"), ("--xla_a=1", "--xla_a=1 {}"), ("{}", "{}")])
def test_jax_is_told_by_xla_flags(monkeypatch, before, after):
    flag = "--xla_gpu_deterministic_ops=true"
    monkeypatch.setenv("XLA_FLAGS", before.format(flag))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(device, "gpus", list)
    device.set_up(False)
    assert os.environ["XLA_FLAGS"] == before.format(flag)
    device.set_up(True)
    assert os.environ["XLA_FLAGS"] == after.format(flag)


@pytest.mark.parametrize(
    ("backend", "graphics", "compiles", "together"),
    [
        ("tensorflow", [], False, False),
        ("tensorflow", ["gpu:0"], True, True),
        ("tensorflow", ["gpu:0", "gpu:1"], False, False),
        ("jax", [], True, False),
        ("jax", ["cuda:0"], True, True),
        ("jax", ["cuda:0", "cuda:1"], True, False),
        ("torch", ["cuda:0"], True, False),
    ],
)
def test_one_gpu_makes_several_steps_in_a_call(monkeypatch, backend, graphics, compiles, together):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(device, "gpus", lambda: graphics)
    monkeypatch.setattr(device, "replicas", lambda: max(1, len(graphics)))
    assert device.jit_compile() is compiles
    assert device.steps_together() is together


def test_examples_in_gpu_memory_are_the_same(monkeypatch):
    array = np.arange(2 * 10 * 3, dtype=np.float32).reshape(2, 10, 3)
    labels = np.arange(10) % 2

    def all_batches():
        fed = batches.Batches([array], labels, np.ones(10), 4, seed=1)
        return [keras.ops.convert_to_numpy(inputs) for inputs, _, _ in fed]

    plain = all_batches()
    monkeypatch.setattr(device, "gpus", lambda: ["gpu:0"])
    assert not isinstance(device.resident([array])[0], np.ndarray)
    np.testing.assert_array_equal(all_batches(), plain)
    monkeypatch.setattr(device, "RESIDENT_LIMIT", array.nbytes - 1)
    assert isinstance(device.resident([array])[0], np.ndarray)
