"""Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) for batches of images.

Grad-CAM weights the last feature maps by the mean gradient of the logit with respect to each, and keeps the positive
part of the sum. All networks of this project end in global average pooling and a head that is linear in the averages
(at inference, dropout and batch normalisation do not change that). The gradient is then the same for every image, one
number per channel, and the heat map is one weighted sum: no gradient has to be computed, and every backend of Keras
works. A head may see feature maps of several depths. The logit is then the sum of what each contributes, and so is the
heat map, at the highest of their resolutions.
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

UNITS = 256
"""Number of unit vectors that are given to a head at a time."""

THUMBNAILS_BYTES = 20_000_000
"""Maximum size of all thumbnails together: they become smaller above 4,900 test images."""


@dataclass(frozen=True)
class Explainer:
    """A model split into its feature maps and its head.

    Attributes:
        maps: model from uint8 (N, H, W, 1) to the feature maps of one depth or more, all (N, G, G, C) joined into one
            float32 (N, sum of G * G * C).
        shapes: (G, G, C) of each depth.
        weights: for each depth float32 (C,), the gradient of the logit with respect to the average of each channel.
    """

    maps: keras.Model
    shapes: list[tuple[int, int, int]]
    weights: list[np.ndarray]

    def heat(self, images: np.ndarray) -> np.ndarray:
        """Heat maps: the positive contributions of each position to the logit of pneumonia.

        Args:
            images: uint8 (N, H, W).

        Returns:
            float32 (N, G, G), non-negative; G is that of the depth with the highest resolution.
        """
        return np.concatenate([self._heat(maps.astype(np.float32)) for maps in predict_batches(self.maps, images)])

    def _heat(self, joined: np.ndarray) -> np.ndarray:
        side = max(shape[0] for shape in self.shapes)
        parts = np.split(joined, np.cumsum([math.prod(shape) for shape in self.shapes])[:-1], axis=1)
        heat = np.zeros((len(joined), side, side), np.float32)
        for part, shape, weights in zip(parts, self.shapes, self.weights, strict=True):
            own = part.reshape(-1, *shape) @ weights / math.prod(shape[:2])
            nearest = np.arange(side) * shape[0] // side
            heat += own[:, nearest][:, :, nearest]
        return np.maximum(heat, 0)


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
    pools = _pools(layer)
    weights = _linear_weights(keras.Model([pool.output for pool in pools], layer.output)) if pools else None
    if weights is None:
        return None
    shapes = [tuple(pool.input.shape[1:]) for pool in pools]
    flat = [keras.layers.Flatten()(pool.input) for pool in pools]
    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return Explainer(keras.Model(inputs, keras.Model(layer.input, joined)(x)), shapes, weights)


def _pools(network: keras.Model) -> list[keras.layers.Layer]:
    """The poolings below the head, in the order of the layers; none if something else than poolings is there."""
    makers = {id(tensor): layer for layer in network.layers for tensor in keras.tree.flatten(layer.output)}
    found: dict[str, keras.layers.Layer] = {}
    above = [network.output]
    while above:
        layer = makers[id(above.pop())]
        inputs = keras.tree.flatten(layer.input)
        if all(len(tensor.shape) == 2 for tensor in inputs) and not isinstance(layer, keras.layers.InputLayer):
            above += inputs
        elif isinstance(layer, keras.layers.GlobalAveragePooling2D):
            found[layer.name] = layer
        else:
            return []
    return [found[layer.name] for layer in network.layers if layer.name in found]


def _linear_weights(head: keras.Model) -> list[np.ndarray] | None:
    """The weights (C,) of each input (N, C) of a head to (N, 1); None if it is not linear."""
    ends = np.cumsum([tensor.shape[-1] for tensor in head.inputs]).tolist()

    def logits(points: np.ndarray) -> np.ndarray:
        parts = np.split(points, ends[:-1], axis=1)
        return np.asarray(head(parts if len(parts) > 1 else parts[0], training=False))[:, 0]

    def of_units(factor: float) -> np.ndarray:
        # A block of them at a time, since all together they may take 50 MB, and each layer of the head as much.
        blocks = (range(start, min(start + UNITS, ends[-1])) for start in range(0, ends[-1], UNITS))
        return np.concatenate(
            [logits(factor * np.eye(len(block), ends[-1], block.start, np.float32)) for block in blocks]
        )

    zero, one, minus = logits(np.zeros((1, ends[-1]), np.float32)), of_units(1.0), of_units(-1.0)
    weights = one - zero
    linear = np.allclose(minus - zero, -weights, rtol=1e-3, atol=1e-4)
    return np.split(weights, ends[:-1]) if linear else None


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
