"""The pre-trained backbones: their architecture, input scaling and weights."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np

from components.artifacts import trained_model
from components.artifacts.names import BACKBONES, BUNDLED_BACKBONE
from components.console import UserError

BUNDLED = Path(__file__).with_name("bundled.npz")
"""Weights of `BUNDLED_BACKBONE`, float16, by path of the variable; written by `python -m pretraining.run`."""

_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class InputScaling:
    """The affine map of grey values in [0, 255] to the input range of a backbone, x * scale + offset per channel.

    Attributes:
        scale: three numbers.
        offset: three numbers.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]


_TORCH = InputScaling(
    tuple(1 / (255 * std) for std in _TORCH_STD),
    tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
)
_PLAIN = InputScaling((1.0,) * 3, (0.0,) * 3)
# Keras's EfficientNetB0 normalises by the square root of the standard deviation, and its pre-trained weights need a
# second division, which Keras adds as a layer only for weights="imagenet". Here it is part of the input scaling for
# weights of any origin: (x'/255 - m)/sqrt(s) with x' = 255 ((x/255 - m)/sqrt(s) + m) equals (x/255 - m)/s.
_EFFICIENTNET = InputScaling(
    tuple(std**-0.5 for std in _TORCH_STD),
    tuple(255 * mean * (1 - std**-0.5) for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
)

_SCALING = {
    "MobileNetV2": InputScaling((1 / 127.5,) * 3, (-1.0,) * 3),
    "MobileNetV2-0.5": InputScaling((1 / 127.5,) * 3, (-1.0,) * 3),
    "EfficientNetB0": _EFFICIENTNET,
    "ResNet50": InputScaling((1.0,) * 3, tuple(-mean for mean in _CAFFE_MEAN)),
    "DenseNet121": _TORCH,
}


@dataclass(frozen=True)
class Backbone:
    """A network without its classification layers.

    Attributes:
        model: maps float32 (N, size, size, 3), scaled by `scaling`, to the last feature maps.
        scaling: scaling of the input.
        name: one of `names.BACKBONES`.
        weights: origin of the weights, for the report.
    """

    model: keras.Model
    scaling: InputScaling
    name: str
    weights: str

    @property
    def described(self) -> trained_model.Backbone:
        """Name and weights, for records."""
        return {"name": self.name, "weights": self.weights}


def build_backbone(name: str, weights: str, image_size: int) -> Backbone:
    """Builds a backbone of keras.applications and loads its weights.

    Args:
        name: one of `names.BACKBONES`.
        weights: "imagenet" (downloaded by Keras), "bundled" (part of this project; of `BUNDLED_BACKBONE`, which also
            replaces MobileNetV2), "none" (random), or the path of a Keras weights file of the same backbone without its
            top.
        image_size: height and width of the images in px, at least 32.

    Raises:
        UserError: unknown name, image size too small, or weights that are not available or do not fit.
    """
    if name not in BACKBONES:
        raise UserError(f"there is no backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    if image_size < 32:
        raise UserError(f"image size {image_size} is too small for {name}: use 32 or more")
    if weights == "bundled":
        if not BUNDLED_BACKBONE.startswith(name):
            raise UserError(
                f"the bundled weights are those of {BUNDLED_BACKBONE}, not of {name}: leave --backbone out, or give "
                "other --weights"
            )
        name = BUNDLED_BACKBONE
    build = _application(name)
    shape = (image_size, image_size, 3)
    model = build(weights=None, include_top=False, input_shape=shape)
    if weights == "none":
        return Backbone(model, _PLAIN if name == "EfficientNetB0" else _SCALING[name], name, "none")
    if weights == "bundled":
        with np.load(BUNDLED) as stored:
            model.set_weights([stored[weight.path].astype(np.float32) for weight in model.weights])
        return Backbone(model, _SCALING[name], name, "bundled")
    if weights == "imagenet":
        model.set_weights(_imagenet(build, name, shape).get_weights())
        return Backbone(model, _SCALING[name], name, "imagenet")
    return Backbone(model, _SCALING[name], name, _load_file(model, name, Path(weights)))


def _application(name: str) -> Callable[..., keras.Model]:
    """The function that builds a backbone; a number at the end of its name is alpha, MobileNet's width multiplier."""
    family, _, alpha = name.partition("-")
    build = getattr(keras.applications, family)
    return partial(build, alpha=float(alpha)) if alpha else build


def _imagenet(build: Callable[..., keras.Model], name: str, shape: tuple[int, int, int]) -> keras.Model:
    _link_weights_of_image()
    try:
        return build(weights="imagenet", include_top=False, input_shape=shape)
    except Exception as error:
        raise UserError(
            f"the ImageNet weights of {name} cannot be downloaded ({type(error).__name__}: {error}): allow access to "
            "storage.googleapis.com, or give --weights a file's path, 'bundled' (of the small network that is "
            "part of this project) or 'none' (random)"
        ) from error


def _link_weights_of_image() -> None:
    """Links weights files of the container image into Keras's download folder, so that Keras does not download them.

    The environment variable `PNEUMONIA_BENCHMARK_WEIGHTS` of the image names their folder, and `KERAS_HOME` a writable
    folder. Keras checks and loads these files, and downloads only others.
    """
    carried, home = os.environ.get("PNEUMONIA_BENCHMARK_WEIGHTS"), os.environ.get("KERAS_HOME")
    if not carried or not home:
        return
    downloads = Path(home, "models")
    downloads.mkdir(parents=True, exist_ok=True)
    for file in Path(carried).glob("*.h5"):
        with contextlib.suppress(FileExistsError):
            (downloads / file.name).symlink_to(file)


def _load_file(model: keras.Model, name: str, path: Path) -> str:
    if not path.is_file():
        raise UserError(f"there is no weights file {path}: give a path, 'imagenet', 'bundled' or 'none'")
    try:
        model.load_weights(path)
    except Exception as error:
        raise UserError(
            f"{path} cannot be loaded into {name} without its top ({type(error).__name__}: {str(error)[:200]}): "
            "give a Keras weights file (.weights.h5) of that backbone"
        ) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{path.name} (SHA-256 {digest[:12]})"
