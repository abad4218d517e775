"""Augmentation of training images by changes that leave the diagnosis of a radiograph unchanged.

Geometry: small rotations, shifts, zooms (positioning). Exposure: gamma, contrast, brightness (beam and detector). Where
features are stored, also tone curve, uneven exposure and sharpness (how a detector's images are processed). No
reflections, since a heart on the right side would be another finding.
"""

import math

import keras
from keras import ops

from components.train import device
from components.train.recipe import Recipe


class RadiographAugmentation(keras.layers.Layer):
    """Changes geometry and exposure at random in training mode; returns images unchanged in inference mode.

    Each image gets one affine map and one tone curve, so that it is interpolated only once.

    Input and output: (N, H, W, 1) in [0, 255]; the output is float32.

    Args:
        recipe: largest changes.
        seed: of the random changes.
        strength: factor of every change (of the logarithm for factors and exponents); 0 changes nothing.
        processing: whether to change tone curve, evenness of exposure and sharpness, too.
    """

    def __init__(self, recipe: Recipe, seed: int, strength: float = 1.0, processing: bool = False, **kwargs: object):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.recipe = recipe
        self.strength = strength
        self.processing = processing
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Returns augmented images if `training`, otherwise the images as float32."""
        images = ops.cast(images, "float32")
        if not training:
            return images
        return self._change_exposure(self._change_geometry(images))

    def _uniform(self, count: int, limit: float) -> keras.KerasTensor:
        return self.strength * keras.random.uniform((count,), -limit, limit, seed=self.random)

    def _change_geometry(self, images: keras.KerasTensor) -> keras.KerasTensor:
        count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        recipe = self.recipe
        angle = self._uniform(count, math.radians(recipe.rotation_degrees))
        scale = ops.exp(self._uniform(count, math.log1p(recipe.zoom)))
        aspect = ops.exp(self._uniform(count, math.log1p(recipe.aspect) / 2))
        shift_x, shift_y = self._uniform(count, recipe.shift * width), self._uniform(count, recipe.shift * height)
        # The map takes output pixels to input pixels, about the centre of the image.
        cos, sin = ops.cos(angle), ops.sin(angle)
        a, b = scale * aspect * cos, -scale * aspect * sin
        d, e = scale / aspect * sin, scale / aspect * cos
        center_x, center_y = (width - 1) / 2, (height - 1) / 2
        c = center_x + shift_x - a * center_x - b * center_y
        f = center_y + shift_y - d * center_x - e * center_y
        return warp(images, ops.stack([a, b, c, d, e, f], axis=1))

    def _change_exposure(self, images: keras.KerasTensor) -> keras.KerasTensor:
        count = ops.shape(images)[0]
        recipe = self.recipe
        gamma = ops.exp(self._each(count, math.log1p(recipe.gamma)))
        contrast = ops.exp(self._each(count, math.log1p(recipe.contrast)))
        brightness = self._each(count, recipe.brightness)
        tones = ops.power(ops.clip(images / 255, 1e-4, 1), gamma)
        if self.processing:
            # An S-shaped curve, or its inverse: the middle tones gain contrast and the others lose it.
            tones -= self._each(count, recipe.tone_curve) / (2 * math.pi) * ops.sin(2 * math.pi * tones)
            tones *= self._field(count, images.shape[1], images.shape[2])
            tones += self._each(count, recipe.sharpness) * (tones - _blurred(tones))
        mean = ops.mean(tones, axis=(1, 2, 3), keepdims=True)
        return 255 * ops.clip((tones - mean) * contrast + mean + brightness, 0, 1)

    def _each(self, count: int, limit: float) -> keras.KerasTensor:
        """A random number for each image, (N, 1, 1, 1)."""
        return ops.reshape(self._uniform(count, limit), (-1, 1, 1, 1))

    def _field(self, count: int, height: int, width: int) -> keras.KerasTensor:
        """Uneven exposure, (N, H, W, 1): a factor that grows or falls from each edge to the opposite one."""
        down = ops.reshape(ops.linspace(-1.0, 1.0, height), (1, height, 1, 1))
        right = ops.reshape(ops.linspace(-1.0, 1.0, width), (1, 1, width, 1))
        limit = math.log1p(self.recipe.bias_field)
        return ops.exp(self._each(count, limit) * down + self._each(count, limit) * right)


def _blurred(images: keras.KerasTensor) -> keras.KerasTensor:
    """Means over the 3 x 3 px around each pixel."""
    return ops.average_pool(images, 3, 1, padding="same", data_format="channels_last")


def warp(images: keras.KerasTensor, transforms: keras.KerasTensor) -> keras.KerasTensor:
    """Moves pixels by affine maps, with bilinear interpolation; outside of an image all is black.

    TensorFlow's own operation is the fastest on a CPU, but XLA cannot compile it.

    Args:
        images: float32 (N, H, W, 1).
        transforms: (N, 6), a, b, c, d, e and f: the output pixel (x, y) is the input pixel (a x + b y + c,
            d x + e y + f).

    Returns:
        float32 (N, H, W, 1).
    """
    if device.jit_compile():
        return _gathered(images, transforms)
    transforms = ops.pad(transforms, [[0, 0], [0, 2]])
    return ops.image.affine_transform(
        images, transforms, interpolation="bilinear", fill_mode="constant", data_format="channels_last"
    )


def _gathered(images: keras.KerasTensor, transforms: keras.KerasTensor) -> keras.KerasTensor:
    """`warp` by operations that XLA compiles."""
    height, width = images.shape[1], images.shape[2]
    y, x = (ops.reshape(axis, (1, -1)) for axis in ops.meshgrid(ops.arange(height), ops.arange(width), indexing="ij"))
    x, y = ops.cast(x, "float32"), ops.cast(y, "float32")
    a, b, c, d, e, f = ops.split(transforms, 6, axis=1)
    from_x, from_y = a * x + b * y + c, d * x + e * y + f
    left, above = ops.floor(from_x), ops.floor(from_y)
    right_share, below_share = from_x - left, from_y - above
    pixels = ops.reshape(images, (-1, height * width))

    def pixel(column: keras.KerasTensor, row: keras.KerasTensor) -> keras.KerasTensor:
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = ops.clip(row, 0, height - 1) * width + ops.clip(column, 0, width - 1)
        return ops.where(inside, ops.take_along_axis(pixels, ops.cast(index, "int32"), axis=1), 0.0)

    upper = (1 - right_share) * pixel(left, above) + right_share * pixel(left + 1, above)
    lower = (1 - right_share) * pixel(left, above + 1) + right_share * pixel(left + 1, above + 1)
    return ops.reshape((1 - below_share) * upper + below_share * lower, ops.shape(images))
