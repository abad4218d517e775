"""Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) for batches of images.

Grad-CAM weights the last feature maps by the mean gradient of the logit with respect to each, and keeps the positive
part of the sum. All networks of this project end in global average pooling of these maps and a head that is linear in
the averages (at inference, dropout and batch normalisation do not change that). The gradient is then the same for every
image, one number per channel, and the heat map is one weighted sum: no gradient has to be computed, and every backend
of Keras works.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from PIL import Image

from components.artifacts.evaluation import Explanations
from components.inference.scoring import predict_batches

THUMBNAIL, SMALLEST_THUMBNAIL = 64, 16
"""Largest and smallest height and width of thumbnails (px)."""

THUMBNAILS_BYTES = 20_000_000
"""Maximum size of all thumbnails together: they become smaller above 4,900 test images."""


@dataclass(frozen=True)
class Explainer:
    """A model split into its feature maps and its head.

    Attributes:
        maps: model from uint8 (N, H, W, 1) to the last feature maps, float32 (N, G, G, C).
        weights: float32 (C,), the gradient of the logit with respect to the average of each channel.
    """

    maps: keras.Model
    weights: np.ndarray

    def heat(self, images: np.ndarray) -> np.ndarray:
        """Heat maps: the positive contributions of each position to the logit of pneumonia.

        Args:
            images: uint8 (N, H, W).

        Returns:
            float32 (N, G, G), non-negative.
        """
        batches = map(np.float32, predict_batches(self.maps, images))
        parts = [np.maximum(maps @ self.weights / math.prod(maps.shape[1:3]), 0) for maps in batches]
        return np.concatenate(parts)


def take_apart(model: keras.Model) -> Explainer | None:
    """Finds the last feature maps of a model, and the weights of its head; does not depend on names of layers.

    Args:
        model: from uint8 (N, H, W, 1) to the probability of pneumonia (N, 1); a sequence of layers, one of which is the
            network that ends in the logit.

    Returns:
        None if the model has another structure, or its head is not linear in the averages of the last feature maps.
    """
    x = inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if isinstance(layer, keras.Model) and len(layer.output.shape) == 2:
            break
        x = layer(x)
    else:
        return None
    pool = next(part for part in layer.layers if len(part.output.shape) == 2)
    weights = _linear_weights(keras.Model(pool.output, layer.output))
    if weights is None or not isinstance(pool, keras.layers.GlobalAveragePooling2D):
        return None
    return Explainer(keras.Model(inputs, keras.Model(layer.input, pool.input)(x)), weights)


def _linear_weights(head: keras.Model) -> np.ndarray | None:
    """The weights (C,) of a head from (N, C) to (N, 1); None if it is not linear."""
    units = np.eye(head.input_shape[-1], dtype=np.float32)
    zero, one, minus = (np.asarray(head(points, training=False))[:, 0] for points in (0 * units, units, -units))
    weights = one - zero
    return weights if np.allclose(minus - zero, -weights, rtol=1e-3, atol=1e-4) else None


def explain(model: keras.Model, images: np.ndarray) -> Explanations | None:
    """Heat maps and thumbnails of images, for a report that has neither the model nor the images.

    Args:
        model: as for `take_apart`.
        images: uint8 (N, H, W).

    Returns:
        None if Grad-CAM cannot be applied to the model.
    """
    explainer = take_apart(model)
    if explainer is None:
        return None
    heat = explainer.heat(images)
    strongest = heat.max(axis=(1, 2), keepdims=True)
    scaled = np.divide(255 * heat, strongest, out=np.zeros_like(heat), where=strongest > 0)
    side = max(SMALLEST_THUMBNAIL, min(THUMBNAIL, images.shape[1], math.isqrt(THUMBNAILS_BYTES // len(images))))
    thumbnails = [Image.fromarray(image).resize((side, side), Image.Resampling.BOX) for image in images]
    return Explanations(np.stack([np.asarray(image) for image in thumbnails]), scaled.round().astype(np.uint8))
