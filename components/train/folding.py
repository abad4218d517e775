"""Folds frozen batch normalisation and zero padding into convolutions: the same function with fewer operations.

In inference mode, batch normalisation is y = gamma (x - mean) / sqrt(variance + epsilon) + beta, an affine map for each
channel. After a convolution without activation it is absorbed by kernel and bias. A zero padding layer is removed if
the padding of the next convolution can replace it.
"""

import math
from typing import Any

import keras
import numpy as np

from components.train.batches import computation

CALIBRATION_IMAGES = 32
"""Number of images from which the statistics of batch normalisation are computed."""

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def calibration_images(images: np.ndarray) -> np.ndarray:
    """Evenly spaced images of the training split, which is ordered by class."""
    return images[np.linspace(0, len(images) - 1, min(CALIBRATION_IMAGES, len(images))).round().astype(int)]


def calibrate(model: keras.Model, images: np.ndarray) -> None:
    """Sets the statistics of every batch normalisation layer to those of `images`.

    A random network needs this before its batch normalisation can stay in inference mode; with initial statistics its
    activations vanish or explode. Data-dependent initialisation as in Krähenbühl et al. 2016 (arXiv:1511.06856).

    Args:
        model: a network with batch normalisation.
        images: float32 (N, H, W, C), inputs of the network.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    computation(model, training=True)([images])
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def fold(model: keras.Model, trainable: set[str]) -> keras.Model:
    """Copies `model` with batch normalisation in inference mode, folded into convolutions where possible.

    Batch normalisation cannot be folded if the output of the convolution before it has other consumers, or if only
    one of the two layers is trained. Then it stays unchanged if it is frozen (Keras keeps it in inference mode), and
    becomes a depthwise 1x1 convolution, an affine map per channel, if it is trained. Frozen dropout layers (of
    EfficientNet) are removed, since they do nothing in inference mode.

    Args:
        model: a functional model in which every layer is used once.
        trainable: names of the layers that will be trained.

    Returns:
        A copy with the same layer names and equivalent weights, in which exactly the layers in `trainable` are
        trainable.
    """
    consumers = _consumers(model)
    partner = _foldable(model, consumers, trainable)
    padding = _needless_padding(model, consumers)
    normalizations = _named(model, keras.layers.BatchNormalization)
    affine = (normalizations & trainable) - set(partner.values())
    left_out = set(partner.values()) | set(padding.values()) | (_named(model, keras.layers.Dropout) - trainable)

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in affine:
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        config = layer.get_config()
        if layer.name in partner:
            config["use_bias"] = True
        if layer.name in padding:
            config["padding"] = "same"
        return layer.__class__.from_config(config)

    def call_layer(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        if layer.name in left_out:
            return args[0]
        # Batch normalisation takes a mask; the convolution that replaces it does not.
        return layer(args[0]) if layer.name in affine else layer(*args, **kwargs)

    copy = keras.models.clone_model(model, clone_function=copy_layer, call_function=call_layer)
    for layer in copy.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        original = model.get_layer(layer.name)
        if layer.name in partner:
            layer.set_weights(_merge(original, model.get_layer(partner[layer.name])))
        elif layer.name in affine:
            scale, offset = _affine(original)
            layer.set_weights([scale[None, None, :, None], offset])
        else:
            layer.set_weights(original.get_weights())
        layer.trainable = layer.name in trainable
    return copy


def _named(model: keras.Model, kind: type[keras.layers.Layer]) -> set[str]:
    return {layer.name for layer in model.layers if isinstance(layer, kind)}


def _consumers(model: keras.Model) -> dict[int, list[keras.layers.Layer]]:
    """The layers that consume a tensor, by the id of the tensor."""
    consumers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in keras.tree.flatten(layer.input):
            consumers.setdefault(id(tensor), []).append(layer)
    return consumers


def _needless_padding(model: keras.Model, consumers: dict[int, list[keras.layers.Layer]]) -> dict[str, str]:
    """Names of convolutions, mapped to the zero padding layer before them that their own padding can replace."""
    pairs = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.ZeroPadding2D):
            continue
        after = consumers.get(id(layer.output), [])
        if len(after) != 1 or not isinstance(after[0], _CONVOLUTIONS) or after[0].padding != "valid":
            continue
        geometry = zip(layer.input.shape[1:3], after[0].kernel_size, after[0].strides, strict=True)
        if layer.padding == tuple(_same_padding(*values) for values in geometry):
            pairs[after[0].name] = layer.name
    return pairs


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Number of zeros before and after `size` pixels with the padding "same"."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _foldable(
    model: keras.Model, consumers: dict[int, list[keras.layers.Layer]], trainable: set[str]
) -> dict[str, str]:
    """Names of convolutions, mapped to the batch normalisation layer that can be folded into them."""
    pairs = {}
    for layer in model.layers:
        if not isinstance(layer, _CONVOLUTIONS) or layer.activation is not keras.activations.linear:
            continue
        after = consumers.get(id(layer.output), [])
        if len(after) != 1 or not isinstance(after[0], keras.layers.BatchNormalization):
            continue
        if (layer.name in trainable) == (after[0].name in trainable):
            pairs[layer.name] = after[0].name
    return pairs


def _merge(convolution: keras.layers.Layer, normalization: keras.layers.Layer) -> list[np.ndarray]:
    """Kernel and bias (float64) of a convolution with the batch normalisation after it folded in."""
    kernel, *bias = (np.asarray(value, np.float64) for value in convolution.get_weights())
    scale, offset = _affine(normalization)
    # A depthwise kernel is (height, width, channels, multiplier), an ordinary one (height, width, in, out).
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
    return [kernel, (bias[0] * scale if bias else 0.0) + offset]


def _affine(normalization: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset (channels,) that a batch normalisation in inference mode applies, in float64."""
    mean, variance = (np.asarray(value, np.float64) for value in normalization.get_weights()[-2:])
    gamma = np.asarray(normalization.gamma, np.float64) if normalization.scale else 1.0
    beta = np.asarray(normalization.beta, np.float64) if normalization.center else 0.0
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    return scale, beta - mean * scale
