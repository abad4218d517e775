"""Where a model looks: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) for many images in one pass.

Grad-CAM weighs the last feature maps by the mean gradient of the logit in each and keeps what speaks for the class. All
our networks end in a global average of these maps and a head that is linear in the averages (dropout and batch
normalisation do not change that once training is over). The gradient is then the same in every image, one number a
channel, and the map is one weighted sum: no gradient has to be computed, and any backend of Keras will do.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from PIL import Image

from components.artifacts.evaluation import Explanations

BATCH_SIZE = 64

THUMBNAIL, SMALLEST_THUMBNAIL = 64, 16
"""Height and width of thumbnails (px); less where there are very many images."""

THUMBNAILS_BYTES = 20_000_000
"""All thumbnails together: from 4,900 test images on they become smaller."""


@dataclass(frozen=True)
class Explainer:
    """A model taken apart for its maps.

    Attributes:
        maps: takes uint8 (N, H, W, 1), gives the last feature maps, float32 (N, G, G, C).
        weights: float32 (C,), the gradient of the logit in a channel's average.
    """

    maps: keras.Model
    weights: np.ndarray

    def heat(self, images: np.ndarray) -> np.ndarray:
        """What each place adds to the logit, where it speaks for pneumonia.

        Args:
            images: uint8 (N, H, W).

        Returns:
            float32 (N, G, G), nowhere below 0.
        """
        parts = []
        for start in range(0, len(images), BATCH_SIZE):
            batch = images[start : start + BATCH_SIZE]
            # The last batch is filled up, so that the backend compiles for one shape only.
            padded = batch[np.arange(BATCH_SIZE).clip(max=len(batch) - 1)]
            features = np.asarray(self.maps.predict_on_batch(padded[..., None]), np.float32)[: len(batch)]
            parts.append(np.maximum(features @ self.weights / math.prod(features.shape[1:3]), 0))
        return np.concatenate(parts)


def take_apart(model: keras.Model) -> Explainer | None:
    """Finds the last feature maps of a model, and how its head weighs them; needs no names of layers.

    Args:
        model: uint8 (N, H, W, 1) to the probability of pneumonia (N, 1); one layer after another, of which one is the
            network that ends in the logit.

    Returns:
        None where the model is built otherwise, or its head is not linear in the averages of the last feature maps.
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
    """The weights (C,) of a head that takes (N, C) and gives (N, 1); None where it is not linear."""
    units = np.eye(head.input_shape[-1], dtype=np.float32)
    zero, one, minus = (np.asarray(head(points, training=False))[:, 0] for points in (0 * units, units, -units))
    weights = one - zero
    return weights if np.allclose(minus - zero, -weights, rtol=1e-3, atol=1e-4) else None


def explain(model: keras.Model, images: np.ndarray) -> Explanations | None:
    """Maps and thumbnails of images, for who has neither the model nor the images.

    Args:
        model: as for `take_apart`.
        images: uint8 (N, H, W).

    Returns:
        None where the model cannot be taken apart.
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
