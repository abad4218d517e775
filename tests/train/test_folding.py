"""A folded network computes what the network of keras.applications computes."""

import keras
import numpy as np
import pytest

from components.train import backbones, folding, networks
from tests.train.conftest import SIZE, close, pictures


@pytest.mark.slow
@pytest.mark.parametrize("last", [0, 10, None])
def test_folding_changes_no_output(backbone, last):
    layers = backbone.model.layers
    trainable = {layer.name for layer in layers[len(layers) - (len(layers) if last is None else last) :]}
    folded = folding.fold(backbone.model, trainable)
    inputs = networks.backbone_front(backbone)(pictures())
    assert close(folded(inputs), backbone.model(inputs, training=False))


@pytest.mark.medium
def test_normalisation_keeps_its_statistics_while_training(backbone):
    layers = [layer for layer in backbone.model.layers if not isinstance(layer, keras.layers.Dropout)]
    folded = folding.fold(backbone.model, {layer.name for layer in layers[-20:]})
    inputs = networks.backbone_front(backbone)(pictures())
    assert close(folded(inputs, training=True), backbone.model(inputs, training=False))


def test_folding_leaves_only_normalisation_that_no_convolution_precedes(backbone):
    folded = folding.fold(backbone.model, set())
    left = sum(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    assert left == {"DenseNet121": 62}.get(backbone.name, 0)


def test_no_batch_normalisation_is_left_where_everything_is_trained(backbone):
    everything = {layer.name for layer in backbone.model.layers}
    folded = folding.fold(backbone.model, everything)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)


@pytest.mark.parametrize(
    ("size", "padding", "folds"),
    [
        (8, ((0, 1), (0, 1)), True),
        (9, ((1, 1), (1, 1)), True),
        (8, ((1, 1), (1, 1)), False),  # "same" would put one pixel after, none before
        (8, ((1, 0), (1, 0)), False),
        (8, ((0, 1), (0, 0)), False),
    ],
)
def test_padding_is_folded_where_the_convolution_pads_in_the_same_way(size, padding, folds):
    inputs = keras.Input((size, size, 2))
    padded = keras.layers.ZeroPadding2D(padding, name="pad")(inputs)
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, strides=2, name="convolution")(padded))
    folded = folding.fold(model, set())
    assert ("pad" not in [layer.name for layer in folded.layers]) == folds
    images = np.random.default_rng(1).normal(size=(2, size, size, 2)).astype(np.float32)
    assert close(folded(images), model(images), 1e-6)


def test_padding_that_something_else_needs_too_is_kept():
    inputs = keras.Input((8, 8, 2))
    padded = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(inputs)
    convolved = keras.layers.Conv2D(2, 3, strides=2)(padded)
    pooled = keras.layers.MaxPooling2D(3, strides=2)(padded)
    folded = folding.fold(keras.Model(inputs, keras.layers.Add()([convolved, pooled])), set())
    assert folded.get_layer("pad") is not None


def test_padding_is_left_only_where_no_convolution_can_pad_in_the_same_way(backbone):
    folded = folding.fold(backbone.model, set())
    left = sum(isinstance(layer, keras.layers.ZeroPadding2D) for layer in folded.layers)
    assert left == {"ResNet50": 2, "DenseNet121": 2}.get(backbone.name, 0)


def test_folding_keeps_a_normalisation_that_is_trained_behind_a_frozen_convolution(backbone):
    if not backbone.name.startswith("MobileNetV2"):
        pytest.skip("names of MobileNetV2's layers")
    names = networks.trainable_layers(backbone, "partial_fine_tuning", 10)
    assert "block_16_expand_BN" in names
    assert "block_16_expand" not in names
    folded = folding.fold(backbone.model, names)
    assert isinstance(folded.get_layer("block_16_expand_BN"), keras.layers.DepthwiseConv2D)
    assert {layer.name for layer in folded.layers if layer.trainable_weights} == {
        "block_16_expand_BN",
        "block_16_depthwise",
        "block_16_project",
        "Conv_1",
    }


@pytest.mark.slow
def test_calibration_gives_a_random_network_activations_of_order_one():
    base = backbones.build_backbone("ResNet50", "none", SIZE)
    inputs = networks.backbone_front(base)(pictures(16))
    folding.calibrate(base.model, inputs)
    after = base.model(inputs, training=False)
    assert 0.01 < float(np.std(after)) < 10
    momenta = {layer.momentum for layer in base.model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert 0.0 not in momenta
