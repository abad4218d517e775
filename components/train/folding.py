"""Folds frozen batch normalisation and padding into convolutions: the same function, fewer operations.

In inference mode batch normalisation is y = gamma (x - mean) / sqrt(variance + epsilon) + beta, one affine map a
channel. After a convolution without activation it disappears into kernel and bias. A layer of zero padding disappears
where the convolution after it can pad by itself.
"""

import math

import keras
import numpy as np

from components.train.batches import computation

CALIBRATION_IMAGES = 32
"""Images from which batch normalisation's statistics are taken where no weights were loaded."""

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def calibrate(model: keras.Model, images: np.ndarray) -> None:
    """Sets the statistics of every batch normalisation to those of `images`.

    A random network needs this before its batch normalisation can stay in inference mode: with untouched statistics
    its activations vanish or explode. Data-dependent initialisation, as in Krähenbühl et al. 2016 (arXiv:1511.06856).

    Args:
        model: any network with batch normalisation.
        images: float32, what the network takes.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    computation(model, training=True)([images])
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def fold(model: keras.Model, trainable: set[str]) -> keras.Model:
    """A copy of `model` whose batch normalisation keeps its statistics, with all folded away that can be.

    Where no convolution feeds a normalisation alone, or only one of the two is trained, it stays: unchanged if it is
    frozen (Keras then keeps it in inference mode), as a depthwise 1x1 convolution, which is an affine map a channel,
    if it is trained. Frozen dropout (EfficientNet's) is left out, as it does nothing in inference mode.

    Args:
        model: a functional model in which every layer is used once.
        trainable: names of its layers that will be trained.

    Returns:
        The copy; its weights are those of `model`, its layers have the same names, and exactly those named in
        `trainable` are trainable.
    """
    consumers = _consumers(model)
    partner = _foldable(model, consumers, trainable)
    padding = _needless_padding(model, consumers)
    normalizations = _named(model, keras.layers.BatchNormalization)
    affine = (normalizations & trainable) - set(partner.values())
    left_out = set(partner.values()) | set(padding.values()) | (_named(model, keras.layers.Dropout) - trainable)

    def copy_layer(layer):
        if layer.name in affine:
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        config = layer.get_config()
        if layer.name in partner:
            config["use_bias"] = True
        if layer.name in padding:
            config["padding"] = "same"
        return layer.__class__.from_config(config)

    def call_layer(layer, *args, **kwargs):
        if layer.name in left_out:
            return args[0]
        # A normalisation takes a mask, the convolution in its place does not.
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


def _named(model: keras.Model, kind: type) -> set[str]:
    return {layer.name for layer in model.layers if isinstance(layer, kind)}


def _consumers(model: keras.Model) -> dict[int, list[keras.layers.Layer]]:
    """The layers that take a tensor, by the tensor's id."""
    consumers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in keras.tree.flatten(layer.input):
            consumers.setdefault(id(tensor), []).append(layer)
    return consumers


def _needless_padding(model: keras.Model, consumers: dict[int, list[keras.layers.Layer]]) -> dict[str, str]:
    """Names of convolutions, each with the zero padding before it that its own padding can replace."""
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
    """What a convolution's "same" padding puts before and after `size` pixels."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _foldable(
    model: keras.Model, consumers: dict[int, list[keras.layers.Layer]], trainable: set[str]
) -> dict[str, str]:
    """Names of convolutions, each with the batch normalisation that folds into it."""
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
    """Kernel and bias of the convolution with the normalisation after it multiplied in (in float64)."""
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
