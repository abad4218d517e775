"""The head of the networks on a backbone: pooled features are scaled, and a linear layer gives the logit."""

import keras
import numpy as np

FEATURE_SCALE, DROPOUT, HEAD = "feature_scale", "dropout", "logit"
"""Names of the layers."""

SCALE_EPSILON = 1e-5
"""Added to the variance of each feature of several depths before it is scaled. Averages of early maps have small
variances, so that Keras's default of 0.001 would suppress many."""


def layers(pooled: keras.KerasTensor, dropout: float, epsilon: float) -> keras.KerasTensor:
    """Adds the layers; gives the logit (N, 1).

    Args:
        pooled: features, float32 (N, channels).
        dropout: rate of dropout.
        epsilon: added to the variance of each feature before it is scaled.
    """
    # Not trainable, so in inference mode; its mean and variance are set before the head is trained.
    x = keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=epsilon, dtype="float32", name=FEATURE_SCALE
    )(pooled)
    x = keras.layers.Dropout(dropout, dtype="float32", name=DROPOUT)(x)
    return keras.layers.Dense(1, kernel_initializer="zeros", dtype="float32", name=HEAD)(x)


def alone(width: int) -> keras.Model:
    """A head without its network: from pooled features, float32 (N, width), to the probability of pneumonia (N, 1)."""
    features = keras.Input((width,), dtype="float32")
    logit = layers(features, 0.0, SCALE_EPSILON)
    return keras.Model(features, keras.layers.Activation("sigmoid", dtype="float32")(logit))


def copy(network: keras.Model, kept: np.ndarray, target: keras.Model) -> None:
    """Gives a head the scaling and the weights that another one has for some features.

    Args:
        network: with a head.
        kept: of its pooled features, bool (channels,).
        target: a model with a head on those features.
    """
    kernel, bias = network.get_layer(HEAD).get_weights()
    target.get_layer(HEAD).set_weights([kernel[kept], bias])
    scale = network.get_layer(FEATURE_SCALE).get_weights()
    target.get_layer(FEATURE_SCALE).set_weights([values[kept] for values in scale])
