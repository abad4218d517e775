"""Training that goes on where it stopped, and what it is fed with."""

import keras
import numpy as np
import pytest

from components.train import backbones, device
from components.train.backbones import Backbone, InputScaling
from pretraining import training

device.set_up()

RECIPE = {"backbone": "tiny", "crop": 32, "epochs": 4, "batch_size": 8, "learning_rate": 0.05, "seed": 1}


@pytest.fixture
def pictures():
    """Three classes: noise of different coarseness, uint8 (3, 20, 40, 40)."""
    random = np.random.default_rng(1)
    grains = [(random.integers(0, 256, (20, 40 // grain, 40 // grain)), grain) for grain in (1, 4, 10)]
    return np.stack([np.kron(noise, np.ones((1, grain, grain))) for noise, grain in grains]).astype(np.uint8)


@pytest.fixture
def tiny(monkeypatch):
    """A backbone of two layers in the place of MobileNetV2."""

    def build(name, weights, size):
        inputs = keras.Input((size, size, 3))
        x = keras.layers.Conv2D(4, 3, strides=2, name="convolution")(inputs)
        x = keras.layers.BatchNormalization(name="normalisation")(x)
        model = keras.Model(inputs, keras.layers.ReLU(name="relu")(x))
        return Backbone(model, InputScaling((1 / 127.5,) * 3, (-1.0,) * 3), name, weights)

    monkeypatch.setattr(backbones, "build_backbone", build)


def weights(folder):
    with np.load(folder / "weights.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.usefixtures("tiny")
@pytest.mark.slow
def test_a_training_that_was_interrupted_gives_the_weights_of_one_that_was_not(pictures, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = training.train(whole, pictures, 2, RECIPE)
    keep = training._save_checkpoint

    def stop_after(folder, model, history):
        keep(folder, model, history)
        if len(history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "_save_checkpoint", stop_after)
        training.train(parts, pictures, 2, RECIPE)
    assert not (parts / "weights.npz").exists()
    report = training.train(parts, pictures, 2, RECIPE)
    one, other = weights(whole), weights(parts)
    assert (
        one.keys()
        == other.keys()
        == {
            "convolution/kernel",
            "convolution/bias",
            *(f"normalisation/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")),
        }
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert [epoch["train_loss"] for epoch in report["history"]] == [
        epoch["train_loss"] for epoch in expected["history"]
    ]
    assert not list(parts.glob("*.new*"))


@pytest.mark.medium
@pytest.mark.usefixtures("tiny")
def test_training_learns_and_reports_what_it_did(pictures, tmp_path):
    report = training.train(tmp_path, pictures, 2, RECIPE | {"epochs": 12})
    losses = [epoch["train_loss"] for epoch in report["history"]]
    assert losses[-1] < 0.7 * losses[0]
    assert report["held_out_accuracy"] == report["history"][-1]["held_out_accuracy"] > 0.6
    assert (report["classes"], report["training_pictures"], report["held_out_pictures"]) == (3, 48, 6)
    assert report["made_by"]["arguments"]["epochs"] == len(losses) == 12
    assert report["weights_bytes"] == (tmp_path / "weights.npz").stat().st_size


@pytest.mark.medium
@pytest.mark.usefixtures("tiny")
def test_weights_are_stored_in_half_precision(pictures, tmp_path):
    training.train(tmp_path, pictures, 2, RECIPE | {"epochs": 1})
    stored = weights(tmp_path)
    assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
    assert np.abs(stored["normalisation/moving_mean"]).max() > 0  # the statistics are among them


def test_a_batch_is_of_parts_of_pictures_turned_and_mirrored():
    ramp = np.arange(40)[:, None] * 5 + np.zeros((3, 20, 40, 40))  # dark above, bright below
    seen = [batch for batch, _ in training.batches(ramp.astype(np.uint8), 8, 32, np.random.default_rng(1))]
    images = np.concatenate(seen)[..., 0]
    down, across = (np.abs(np.diff(images, axis=axis)).max(axis=(1, 2)) for axis in (1, 2))
    assert set(zip(down, across, strict=True)) == {(5.0, 0.0), (0.0, 5.0)}
    assert {image[0, 0] < image[-1, -1] for image in images} == {True, False}
    assert set(images.min(axis=(1, 2))) == {5.0 * top for top in range(9)}  # every place of the crop


def test_every_picture_is_seen_once_an_epoch_with_its_class():
    pictures = np.zeros((3, 20, 40, 40), np.uint8) + np.arange(60).reshape(3, 20, 1, 1)
    fed = list(training.batches(pictures.astype(np.uint8), 8, 32, np.random.default_rng(1)))
    assert [images.shape for images, _ in fed] == [(8, 32, 32, 1)] * 7  # 60 = 7 x 8 + 4, which are left out
    numbers = np.concatenate([images[:, 0, 0, 0] for images, _ in fed])
    assert len(set(numbers)) == 56
    assert np.array_equal(np.concatenate([labels for _, labels in fed]), numbers // 20)
    again, other = (next(training.batches(pictures, 8, 32, np.random.default_rng(seed)))[0] for seed in (1, 2))
    assert np.array_equal(fed[0][0], again)
    assert not np.array_equal(again, other)


@pytest.mark.parametrize("count", [3, 50, 70])
def test_accuracy_counts_every_picture_once(count):
    """A model whose logits say whether the middle of a picture is bright."""
    random = np.random.default_rng(1)
    pictures = np.zeros((2, count, 40, 40), np.uint8)
    bright = random.random((2, count)) < 0.5
    pictures[:, :, 4:36, 4:36] = 200 * bright[..., None, None]
    pictures[:, :, :4] = 255  # the edge does not count
    inputs = keras.Input((32, 32, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    logits = keras.layers.Concatenate()([mean * 0 + 100.0, mean])
    found = training.accuracy(keras.Model(inputs, logits), pictures, 32)
    assert found == pytest.approx((bright == [[False], [True]]).mean())
