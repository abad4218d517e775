"""Folds frozen batch normalisation into the convolution before it: the same function, fewer operations.

In inference mode batch normalisation is y = gamma (x - mean) / sqrt(variance + epsilon) + beta, one affine map a
channel. After a convolution without activation it disappears into kernel and bias.
"""

import keras
import numpy as np

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def fold(model: keras.Model, trainable: set[str]) -> keras.Model:
    """A copy of `model` in which batch normalisation is in inference mode, folded away wherever that is possible.

    A normalisation stays a layer of its own (in inference mode, gamma and beta trainable) where no convolution feeds
    it alone, or where only one of the two is trained.

    Args:
        model: a functional model of one input.
        trainable: names of its layers that will be trained.

    Returns:
        The copy; its weights are those of `model`, its layers have the same names, and exactly those named in
        `trainable` are trainable.
    """
    partner = _foldable(model, trainable)
    folded_away = set(partner.values())

    def copy_layer(layer):
        config = layer.get_config()
        if layer.name in partner:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call_layer(layer, *args, **kwargs):
        if layer.name in folded_away:
            return args[0]
        if isinstance(layer, keras.layers.BatchNormalization):
            kwargs["training"] = False
        return layer(*args, **kwargs)

    copy = keras.models.clone_model(model, clone_function=copy_layer, call_function=call_layer)
    for layer in copy.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        original = model.get_layer(layer.name)
        if layer.name in partner:
            layer.set_weights(_merge(original, model.get_layer(partner[layer.name])))
        else:
            layer.set_weights(original.get_weights())
        layer.trainable = layer.name in trainable
    return copy


def _foldable(model: keras.Model, trainable: set[str]) -> dict[str, str]:
    """Names of convolutions, each with the batch normalisation that folds into it."""
    consumers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in keras.tree.flatten(layer.input):
            consumers.setdefault(id(tensor), []).append(layer)
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
    mean, variance = (np.asarray(value, np.float64) for value in normalization.get_weights()[-2:])
    gamma = np.asarray(normalization.gamma, np.float64) if normalization.scale else 1.0
    beta = np.asarray(normalization.beta, np.float64) if normalization.center else 0.0
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    # A depthwise kernel is (height, width, channels, multiplier), an ordinary one (height, width, in, out).
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
    bias = (bias[0] if bias else 0.0) * scale + beta - mean * scale
    return [kernel, bias]
