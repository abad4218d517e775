"""The folded, cut network is the network that keras.applications builds."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving import legacy_h5_format

from components.artifacts.names import BACKBONES
from components.console import UserError
from components.train import backbones, folding, networks
from components.train.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=8, learning_rate=1e-3, patience=0)
SIZE = 32


FIRST, *OTHERS = BACKBONES


@pytest.fixture(scope="module", params=[FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def backbone(request):
    keras.utils.set_random_seed(1)
    built = backbones.build_backbone(request.param, "none", SIZE)
    images = np.random.default_rng(1).uniform(0, 255, (32, SIZE, SIZE, 1)).astype(np.float32)
    folding.calibrate(built.model, networks.backbone_front(built)(images))
    return built


def pictures(count=4):
    return np.random.default_rng(2).uniform(0, 255, (count, SIZE, SIZE, 1)).astype(np.float32)


def close(a, b, tolerance=5e-4):
    """Rounding in 50 layers of a random ResNet50 reaches 1e-4, and differs from processor to processor."""
    a, b = np.asarray(a), np.asarray(b)
    return np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("last", [0, 10, None])
def test_folding_changes_no_output(backbone, last):
    layers = backbone.model.layers
    trainable = {layer.name for layer in layers[len(layers) - (len(layers) if last is None else last) :]}
    folded = folding.fold(backbone.model, trainable)
    inputs = networks.backbone_front(backbone)(pictures())
    assert close(folded(inputs), backbone.model(inputs, training=False))


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


def test_no_padding_is_left_in_mobilenet():
    folded = folding.fold(backbones.build_backbone("MobileNetV2", "none", SIZE).model, set())
    assert not any(isinstance(layer, keras.layers.ZeroPadding2D) for layer in folded.layers)


def test_folding_keeps_a_normalisation_that_is_trained_behind_a_frozen_convolution():
    mobilenet = backbones.build_backbone("MobileNetV2", "none", SIZE)
    names = networks.trainable_layers(mobilenet, "partial_fine_tuning", 10)
    assert "block_16_expand_BN" in names
    assert "block_16_expand" not in names
    folded = folding.fold(mobilenet.model, names)
    assert isinstance(folded.get_layer("block_16_expand_BN"), keras.layers.DepthwiseConv2D)
    assert {layer.name for layer in folded.layers if layer.trainable_weights} == {
        "block_16_expand_BN",
        "block_16_depthwise",
        "block_16_project",
        "Conv_1",
    }


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
    base = backbones.build_backbone("MobileNetV2", "none", SIZE)
    folding.calibrate(base.model, networks.backbone_front(base)(pictures(32)))
    trained = networks.trainable_layers(base, "partial_fine_tuning", 40)
    network = networks.on_backbone(base, trained, RECIPE)
    whole = network.network
    whole.get_layer(networks.HEAD).kernel.assign(np.full((1280, 1), 0.01))
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
    assert len(expected) > 10
    for a, b in zip(found, expected, strict=True):
        assert close(a, b)


def test_parameters_are_counted_as_before_folding(backbone):
    everything = networks.trainable_layers(backbone, "full_fine_tuning", 10)
    network = networks.on_backbone(backbone, everything, RECIPE)
    head = backbone.model.output_shape[-1] + 1
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


def test_input_scaling_is_that_of_keras_applications():
    modules = {
        "MobileNetV2": keras.applications.mobilenet_v2,
        "ResNet50": keras.applications.resnet50,
        "DenseNet121": keras.applications.densenet,
    }
    grey = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 1)).astype(np.float32).repeat(3, axis=-1)
    for name, module in modules.items():
        scaling = backbones._SCALING[name]
        expected = module.preprocess_input(grey.copy())
        assert np.allclose(grey * scaling.scale + np.array(scaling.offset), expected, atol=1e-4), name


@pytest.mark.slow
def test_weights_by_name_and_from_a_file_give_the_same_outputs(tmp_path, monkeypatch):
    """EfficientNetB0 as Keras builds it for "imagenet", with its extra layer, is the reference."""
    shape = (SIZE, SIZE, 3)
    donor = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=shape)
    values = [np.random.default_rng(4).normal(0.0, 0.05, w.shape) for w in donor.get_weights()]
    values = [np.abs(v) + 0.5 if "variance" in w.path else v for v, w in zip(values, donor.weights, strict=True)]
    values[:2] = [np.array(backbones._TORCH_MEAN), np.array(backbones._TORCH_STD)]
    donor.set_weights(values)
    file = tmp_path / "efficientnet.weights.h5"
    donor.save_weights(file)
    monkeypatch.setattr("keras.src.applications.efficientnet.file_utils.get_file", lambda *_, **__: str(file))
    reference = keras.applications.EfficientNetB0(weights="imagenet", include_top=False, input_shape=shape)
    grey = np.random.default_rng(5).uniform(0, 255, (2, SIZE, SIZE, 1)).astype(np.float32)
    for weights in ("imagenet", str(file)):
        built = backbones.build_backbone("EfficientNetB0", weights, SIZE)
        scaled = grey * np.array(built.scaling.scale) + np.array(built.scaling.offset)
        assert close(built.model(scaled), reference(grey.repeat(3, axis=-1)), 1e-4), weights


def test_weights_that_cannot_be_used_are_named_with_a_remedy(tmp_path):
    wrong = tmp_path / "wrong.weights.h5"
    wrong.write_bytes(b"no weights")
    for weights, message in (
        (str(wrong), "wrong.weights.h5 cannot be loaded"),
        ("missing.h5", "no weights file missing.h5: give a path, 'imagenet', 'bundled' or 'none'"),
    ):
        with pytest.raises(UserError, match=message):
            backbones.build_backbone("MobileNetV2", weights, SIZE)
    with pytest.raises(UserError, match="choose one of"):
        backbones.build_backbone("VGG16", "none", SIZE)
    with pytest.raises(UserError, match="32 or more"):
        backbones.build_backbone("MobileNetV2", "none", 16)


def test_imagenet_weights_out_of_reach_are_an_error_and_not_a_fallback(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", refuse)
    with pytest.raises(UserError, match=r"give --weights a file's path, 'bundled' .* or 'none'"):
        backbones.build_backbone("MobileNetV2", "imagenet", 96)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV2-0.5"])
def test_the_bundled_weights_are_those_of_a_mobilenet_of_half_the_width(name):
    built = backbones.build_backbone(name, "bundled", SIZE)
    assert (built.name, built.weights) == ("MobileNetV2-0.5", "bundled")
    reference = keras.applications.MobileNetV2(alpha=0.5, weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    assert [weight.shape for weight in built.model.weights] == [weight.shape for weight in reference.weights]
    with np.load(backbones.BUNDLED) as stored:
        for weight in built.model.weights:
            np.testing.assert_array_equal(weight, stored[weight.path].astype(np.float32))
    assert backbones.BUNDLED.stat().st_size <= 4_000_000


def test_bundled_features_of_an_image_are_finite_and_differ_between_images():
    built = backbones.build_backbone("MobileNetV2-0.5", "bundled", 96)
    images = np.random.default_rng(2).uniform(0, 255, (2, 96, 96, 1)).astype(np.float32)
    images[1, ::4] = 0
    features = np.asarray(built.model(networks.backbone_front(built)(images), training=False)).mean(axis=(1, 2))
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0.1


def test_the_bundled_weights_are_of_no_other_backbone():
    with pytest.raises(UserError, match=r"those of MobileNetV2-0\.5, not of ResNet50: leave --backbone out"):
        backbones.build_backbone("ResNet50", "bundled", SIZE)


def test_weights_that_the_image_carries_are_used_without_a_download(tmp_path, monkeypatch):
    carried, home = tmp_path / "carried", tmp_path / "home"
    carried.mkdir()
    donor = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3))
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
    with h5py.File(carried / name, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, donor)
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_WEIGHTS", str(carried))
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(home))
    for _ in range(2):  # the second time, the links are there already
        built = backbones.build_backbone("MobileNetV2", "imagenet", 96)
        assert all(np.array_equal(a, b) for a, b in zip(built.model.get_weights(), donor.get_weights(), strict=True))
    assert [path.name for path in (home / "models").iterdir()] == [name]


@pytest.mark.slow
def test_calibration_gives_a_random_network_activations_of_order_one():
    base = backbones.build_backbone("ResNet50", "none", SIZE)
    inputs = networks.backbone_front(base)(pictures(16))
    folding.calibrate(base.model, inputs)
    after = base.model(inputs, training=False)
    assert 0.01 < float(np.std(after)) < 10
    momenta = {layer.momentum for layer in base.model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert 0.0 not in momenta


def test_the_networks_do_not_see_brightness_and_contrast():
    network = networks.custom_cnn(SIZE, RECIPE)
    images = pictures() / 2
    assert close(network.front(images), network.front(images * 1.5 + 20), 2e-3)


def test_the_saved_classifier_needs_nothing_but_keras(tmp_path, backbone):
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
