"""The networks of the regimes: heads, cuts, parameter counts, the saved classifier."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.console import UserError
from components.train import folding, networks
from tests.train.conftest import RECIPE, SIZE, close, deeper_backbone, pictures, small_backbone


@pytest.mark.slow
@pytest.mark.parametrize("last", [0, 1, 10, 23])
def test_below_and_above_the_cut_together_are_the_whole_network(backbone, last):
    trained = networks.trainable_layers(backbone, "partial_fine_tuning", last)
    network = networks.on_backbone(backbone, trained, RECIPE)
    whole = network.network
    head = whole.get_layer(networks.HEAD)
    head.set_weights([np.random.default_rng(3).normal(size=w.shape) * 0.1 for w in head.get_weights()])
    tensors = networks.cut(whole, trained | networks.HEAD_LAYERS)
    below, above = keras.Model(whole.input, tensors), keras.Model(tensors, whole.output)
    assert not any(layer.trainable_weights for layer in below.layers)
    inputs = network.front(pictures())
    assert close(above(below(inputs)), whole(inputs))


def test_gradients_above_the_cut_are_those_of_the_whole_network():
    base = small_backbone()
    folding.calibrate(base.model, networks.backbone_front(base)(pictures(32)))
    trained = networks.trainable_layers(base, "partial_fine_tuning", 5)
    network = networks.on_backbone(base, trained, RECIPE)
    whole = network.network
    whole.get_layer(networks.HEAD).kernel.assign(np.full((8, 1), 0.01))
    tensors = networks.cut(whole, trained | networks.HEAD_LAYERS)
    assert len(tensors) > 1, "a skip connection crosses this cut"
    below, above = keras.Model(whole.input, tensors), keras.Model(tensors, whole.output)
    inputs = network.front(pictures())
    stored = below(inputs)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(whole(inputs) ** 2)
    expected = tape.gradient(loss, whole.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(above(stored) ** 2)
    found = tape.gradient(loss, whole.trainable_variables)
    assert len(expected) == 6, "of inner_norm, last and the head"
    for a, b in zip(found, expected, strict=True):
        assert close(a, b)


@pytest.mark.medium
def test_parameters_are_counted_as_before_folding(backbone):
    everything = networks.trainable_layers(backbone, "full_fine_tuning", 10)
    network = networks.on_backbone(backbone, everything, RECIPE)
    head = sum(network.widths.values()) + 1
    assert network.parameters == backbone.model.count_params() + head
    learned = sum(int(np.prod(w.shape)) for w in backbone.model.trainable_weights)
    assert network.trainable_parameters == learned + head
    frozen = networks.on_backbone(backbone, set(), RECIPE)
    assert frozen.trainable_parameters == head


def test_trainable_layers_are_the_last_ones_of_the_unfolded_backbone(backbone):
    names = [layer.name for layer in backbone.model.layers]
    assert networks.trainable_layers(backbone, "transfer_learning", 10) == set()
    assert networks.trainable_layers(backbone, "partial_fine_tuning", 10) == set(names[-10:])
    assert networks.trainable_layers(backbone, "full_fine_tuning", 10) == set(names)
    with pytest.raises(UserError, match=f"{len(names)}"):
        networks.trainable_layers(backbone, "partial_fine_tuning", len(names) + 1)


def test_the_networks_do_not_see_brightness_and_contrast():
    network = networks.custom_cnn(SIZE, RECIPE)
    images = pictures() / 2
    assert close(network.front(images), network.front(images * 1.5 + 20), 2e-3)


def test_the_saved_classifier_needs_nothing_but_keras(tmp_path):
    check_saved_classifier(tmp_path, small_backbone())


@pytest.mark.slow
def test_the_saved_classifier_of_each_backbone_needs_nothing_but_keras(tmp_path, backbone):
    check_saved_classifier(tmp_path, backbone)


def check_saved_classifier(tmp_path, backbone):
    network = networks.on_backbone(backbone, set(), RECIPE)
    head = network.network.get_layer(networks.HEAD)
    head.set_weights([np.random.default_rng(3).normal(size=w.shape) * 0.1 for w in head.get_weights()])
    network.classifier().save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = pictures().astype(np.uint8)
    probability = np.asarray(loaded(images))
    logits = np.asarray(network.logits()(images.astype(np.float32)))
    assert probability.shape == (4, 1)
    assert probability.dtype == np.float32
    assert np.allclose(probability, 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_head_sees_the_last_maps_of_the_three_lowest_resolutions(backbone):
    found = networks.on_backbone(backbone, set(), RECIPE).widths
    assert (
        list(found)
        == {
            "MobileNetV2": ["block_6_expand_relu", "block_13_expand_relu", "out_relu"],
            "EfficientNetB0": ["block4a_expand_activation", "block6a_expand_activation", "top_activation"],
            "ResNet50": ["conv3_block4_out", "conv4_block6_out", "conv5_block3_out"],
            "DenseNet121": ["pool3_conv", "pool4_conv", "relu"],
        }[backbone.name.removesuffix("-0.5")]
    )
    assert [backbone.model.get_layer(name).output.shape[-1] for name in found] == list(found.values())


def test_a_head_on_one_depth_sees_the_last_maps():
    base = deeper_backbone()
    network = networks.on_backbone(base, set(), RECIPE, several_depths=False)
    assert network.widths == {"deep": 8}
    assert network.parameters == base.model.count_params() + 9
    pooled = keras.Model(network.network.input, network.network.get_layer("pool_deep").output)
    inputs = network.front(pictures())
    assert close(pooled(inputs), np.asarray(base.model(inputs)).mean(axis=(1, 2)), 1e-4)


def with_random_head(network, used):
    """Gives the head random scaling and weights, 0 for the depths that it does not use."""
    random = np.random.default_rng(3)
    widths = network.widths
    scale = random.uniform(0.5, 2, (2, sum(widths.values()))).astype(np.float32)
    network.network.get_layer(networks.FEATURE_SCALE).set_weights(scale)
    uses = np.repeat([name in used for name in widths], list(widths.values()))
    networks.set_head(network.network, np.where(uses, random.normal(size=len(uses)), 0).astype(np.float32), 0.3)


@pytest.mark.medium
@pytest.mark.parametrize("last", [1, 2, 3])
def test_depths_that_the_head_does_not_use_are_left_out_with_the_layers_above_them(backbone, last):
    network = networks.on_backbone(backbone, set(), RECIPE)
    used = list(network.widths)[:last]
    with_random_head(network, used)
    fewer = networks.without_depths(network, backbone, used, RECIPE)
    assert list(fewer.widths) == used
    assert close(fewer.logits()(pictures()), network.logits()(pictures()), 1e-4)
    assert fewer.trainable_parameters == sum(fewer.widths.values()) + 1
    assert (fewer.parameters < network.parameters) == (last < 3)


def test_scaled_features_are_what_the_linear_layer_sees(backbone):
    network = networks.on_backbone(backbone, set(), RECIPE)
    with_random_head(network, list(network.widths))
    body = network.network
    inputs = network.front(pictures())
    pooled = keras.Model(body.input, body.get_layer(networks.POOL).output)(inputs)
    scaled = keras.Model(body.input, body.get_layer(networks.FEATURE_SCALE).output)(inputs)
    assert close(networks.scaled_features(body, np.asarray(pooled)), scaled, 1e-5)
