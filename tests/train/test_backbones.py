"""Backbones are those of keras.applications, with weights from each of their origins."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from components.console import UserError
from components.train import backbones, networks
from tests.train.conftest import SIZE, close


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


@pytest.mark.medium
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


@pytest.mark.medium
@pytest.mark.parametrize("name", ["MobileNetV2-0.5", pytest.param("MobileNetV2", marks=pytest.mark.slow)])
def test_the_bundled_weights_are_those_of_a_mobilenet_of_half_the_width(name):
    built = backbones.build_backbone(name, "bundled", SIZE)
    assert (built.name, built.weights) == ("MobileNetV2-0.5", "bundled")
    reference = keras.applications.MobileNetV2(alpha=0.5, weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    assert [weight.shape for weight in built.model.weights] == [weight.shape for weight in reference.weights]
    with np.load(backbones.BUNDLED) as stored:
        for weight in built.model.weights:
            np.testing.assert_array_equal(weight, stored[weight.path].astype(np.float32))
    assert backbones.BUNDLED.stat().st_size <= 4_000_000


@pytest.mark.medium
def test_bundled_features_of_an_image_are_finite_and_differ_between_images():
    built = backbones.build_backbone("MobileNetV2-0.5", "bundled", 96)
    assert (built.name, built.weights) == ("MobileNetV2-0.5", "bundled")
    images = np.random.default_rng(2).uniform(0, 255, (2, 96, 96, 1)).astype(np.float32)
    images[1, ::4] = 0
    features = np.asarray(built.model(networks.backbone_front(built)(images), training=False)).mean(axis=(1, 2))
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0.1


def test_the_bundled_weights_are_of_no_other_backbone():
    with pytest.raises(UserError, match=r"those of MobileNetV2-0\.5, not of ResNet50: leave --backbone out"):
        backbones.build_backbone("ResNet50", "bundled", SIZE)


@pytest.mark.slow
def test_efficientnet_with_weights_of_any_origin_sees_standardised_channels(tmp_path):
    """ImageNet's mean and variance are among its weights; its authors' input is (x / 255 - mean) / deviation."""
    shape = (SIZE, SIZE, 3)
    donor = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=shape)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    donor.set_weights([mean, deviation, *donor.get_weights()[2:]])  # Keras has s as variance
    donor.save_weights(tmp_path / "own.weights.h5")
    built = backbones.build_backbone("EfficientNetB0", str(tmp_path / "own.weights.h5"), SIZE)
    assert all(np.array_equal(a, b) for a, b in zip(built.model.get_weights(), donor.get_weights(), strict=True))
    grey = np.random.default_rng(5).uniform(0, 255, (2, SIZE, SIZE, 1)).astype(np.float32)
    scaled = grey * np.array(built.scaling.scale) + np.array(built.scaling.offset)
    layer = next(layer for layer in built.model.layers if isinstance(layer, keras.layers.Normalization))
    normalized = keras.Model(built.model.input, layer.output)(scaled)
    assert close(normalized, (grey / 255 - mean) / deviation, 1e-4)


def test_imagenet_weights_out_of_reach_are_an_error_that_names_the_remedies(monkeypatch):
    build = keras.applications.MobileNetV2

    def without_network(weights=None, **settings):
        if weights == "imagenet":
            raise OSError("no route to host")
        return build(weights=weights, **settings)

    monkeypatch.setattr(keras.applications, "MobileNetV2", without_network)
    message = r"weights of MobileNetV2 cannot be downloaded \(OSError: no route to host\): .*, 'bundled' .* or 'none'"
    with pytest.raises(UserError, match=message):
        backbones.build_backbone("MobileNetV2", "imagenet", SIZE)


def test_weights_files_of_the_container_image_are_linked_into_keras_home(tmp_path, monkeypatch):
    backbones._link_weights_of_image()  # without the variables: nothing to do
    carried, home = tmp_path / "carried", tmp_path / "home"
    carried.mkdir()
    (carried / "a.h5").write_bytes(b"weights")
    (carried / "README").write_bytes(b"")
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_WEIGHTS", str(carried))
    monkeypatch.setenv("KERAS_HOME", str(home))
    for _ in range(2):  # the second time, the link is there already
        backbones._link_weights_of_image()
    assert [path.name for path in (home / "models").iterdir()] == ["a.h5"]
    assert (home / "models" / "a.h5").read_bytes() == b"weights"


IMAGENET = """
import numpy as np
from components.train import backbones
np.savez("{out}", *backbones.build_backbone("MobileNetV2", "imagenet", 96).model.get_weights())
"""


@pytest.mark.slow
def test_keras_uses_the_weights_of_the_container_image_and_downloads_nothing(tmp_path):
    donor = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3))
    (tmp_path / "carried").mkdir()
    donor.save(tmp_path / "carried" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5")
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    environment = os.environ | nowhere | {"KERAS_HOME": str(tmp_path / "home")}

    def build(**variables):
        code = IMAGENET.format(out=tmp_path / "found.npz")
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)

    assert "weights of MobileNetV2 cannot be downloaded" in build().stderr
    done = build(PNEUMONIA_BENCHMARK_WEIGHTS=str(tmp_path / "carried"))
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "found.npz") as found:
        assert all(np.array_equal(found[f"arr_{i}"], weight) for i, weight in enumerate(donor.get_weights()))
