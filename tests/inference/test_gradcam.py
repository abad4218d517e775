"""Maps of where a model looks, against gradients computed the long way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.evaluate import evaluate
from components.inference import gradcam
from components.parameters import EvaluateParameters
from components.train import backbones, folding, networks
from components.train.recipe import Recipe
from tests.evaluate.test_evaluate import only, write_model
from tests.train.conftest import small_backbone, write_prepared

RECIPE = Recipe(epochs=1, batch_size=8, learning_rate=1e-3, patience=0)
SIZE = 64


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE), np.uint8)


def built(regime, build=backbones.build_backbone):
    """A network of a regime with a head that is not zero, and its classifier."""
    keras.utils.set_random_seed(3)
    if regime == "custom_cnn":
        network = networks.custom_cnn(SIZE, RECIPE)
    else:
        base = build("MobileNetV2", "none", SIZE)
        folding.calibrate(base.model, networks.backbone_front(base)(pictures(8)[..., None].astype(np.float32)))
        network = networks.on_backbone(base, networks.trainable_layers(base, regime, 10), RECIPE)
        random = np.random.default_rng(1)
        features = sum(network.widths.values())
        network.network.get_layer(networks.FEATURE_SCALE).set_weights(random.uniform(0.5, 2, (2, features)))
        network.network.get_layer(networks.HEAD).set_weights([random.normal(size=(features, 1)), np.ones(1)])
    return network


def by_gradients(network, images):
    """Grad-CAM as its authors write it, with the backend's gradients, an image at a time."""
    model = network.network
    names = list(network.widths) or ["relu4"]
    both = keras.Model(model.input, [*(model.get_layer(name).output for name in names), model.output])
    heats = []
    for image in images:
        scaled = network.front(image[None, ..., None].astype(np.float32))
        *maps, logit = both(scaled, training=False)
        # The head once more, on the watched maps.
        with tf.GradientTape() as tape:
            tape.watch(maps)
            x = tf.concat([tf.reduce_mean(one, axis=(1, 2)) for one in maps], axis=-1)
            for name in (networks.FEATURE_SCALE, networks.HEAD) if network.widths else (networks.HEAD,):
                x = model.get_layer(name)(x, training=False)
        gradients = tape.gradient(x, maps)
        np.testing.assert_allclose(x, logit, rtol=1e-4, atol=1e-4)
        side = maps[0].shape[1]
        heat = np.zeros((side, side))
        for one, gradient in zip(maps, gradients, strict=True):
            own = tf.reduce_sum(tf.reduce_mean(gradient, axis=(1, 2), keepdims=True) * one, axis=-1)[0].numpy()
            assert side % len(own) == 0
            heat += np.kron(own, np.ones((side // len(own),) * 2))
        heats.append(np.maximum(heat, 0))
    return np.stack(heats)


@pytest.mark.parametrize(
    ("regime", "build"),
    [
        ("custom_cnn", None),
        ("transfer_learning", small_backbone),
        *(
            pytest.param(regime, backbones.build_backbone, marks=pytest.mark.slow)
            for regime in ("transfer_learning", "partial_fine_tuning", "full_fine_tuning")
        ),
    ],
)
def test_maps_are_those_of_gradients(regime, build):
    network, images = built(regime, build), pictures(2)
    heat = gradcam.take_apart(network.classifier()).heat(images)
    expected = by_gradients(network, images)
    assert heat.shape == expected.shape
    assert expected.max() > 0
    np.testing.assert_allclose(heat, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_a_saved_model_has_the_same_maps(tmp_path):
    classifier, images = built("custom_cnn").classifier(), pictures(70)
    classifier.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(gradcam.take_apart(loaded).heat(images), gradcam.take_apart(classifier).heat(images))


def bright_square():
    """A network whose logit grows with brightness, wherever it is."""
    image = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.AveragePooling2D(16)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(x))
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(network(scaled)))


def test_the_map_is_hot_where_the_evidence_is():
    images = np.zeros((3, SIZE, SIZE), np.uint8)
    images[0, 0:16, 48:64] = 255
    images[1, 32:48, 16:32] = 128
    found = gradcam.explain(bright_square(), images)
    assert found.maps.shape == (3, 4, 4)
    assert [np.argwhere(heat).tolist() for heat in found.maps] == [[[0, 3]], [[2, 1]], []]
    assert found.maps.max(axis=(1, 2)).tolist() == [255, 255, 0]
    np.testing.assert_array_equal(found.thumbnails, images)


def test_evidence_against_pneumonia_is_no_heat():
    model = bright_square()
    head = model.layers[2].layers[-1]
    head.set_weights([-np.ones((1, 1)), np.zeros(1)])
    assert not gradcam.explain(model, pictures(2)).maps.any()


def test_thumbnails_of_many_images_are_smaller(monkeypatch):
    monkeypatch.setattr(gradcam, "THUMBNAILS_BYTES", 10 * 20 * 20)
    assert gradcam.explain(bright_square(), pictures(10)).thumbnails.shape == (10, 20, 20)
    monkeypatch.setattr(gradcam, "THUMBNAILS_BYTES", 100)
    assert gradcam.explain(bright_square(), pictures(10)).thumbnails.shape == (10, 16, 16)


def test_a_head_that_is_not_linear_has_no_maps():
    image = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    x = keras.layers.Dense(8, activation="relu")(x)
    network = keras.Model(image, keras.layers.Dense(1)(x))
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(network(inputs)))
    assert gradcam.explain(model, pictures(2)) is None


@pytest.mark.medium
def test_maps_go_into_the_evaluation_unless_there_are_to_be_no_images(tmp_path):
    data, model = write_prepared(tmp_path / "data", size=SIZE), write_model(tmp_path / "model", size=SIZE)
    built("custom_cnn").classifier().save(model / "seed-1" / "model.keras")
    evaluate(data, model, tmp_path / "with", EvaluateParameters())
    evaluate(data, model, tmp_path / "without", EvaluateParameters(report_images=False))
    images = np.load(data / "test.npy")
    expected = gradcam.explain(built("custom_cnn").classifier(), images)
    found = only(tmp_path / "with").explanations()
    np.testing.assert_array_equal(found.thumbnails, images)
    np.testing.assert_array_equal(found.maps, expected.maps)
    assert found.maps.any()
    assert only(tmp_path / "without").explanations() is None


def test_a_network_that_is_built_otherwise_is_evaluated_without_maps(tmp_path):
    data, model = write_prepared(tmp_path / "data"), write_model(tmp_path / "model")
    evaluate(data, model, tmp_path / "evaluation", EvaluateParameters())
    assert only(tmp_path / "evaluation").explanations() is None
