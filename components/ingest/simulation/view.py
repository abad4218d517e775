"""How a film is positioned relative to the chest, and layers of lines and patches drawn on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from components.ingest.simulation.anatomy import MAP_CELLS, MAP_LEFT, MAP_TOP, MAP_UNITS

MIN_BLUR = 0.5
"""Pixels; a layer is already blurred this much, because it is drawn at twice its size."""
MIN_JOINT = 5
"""Pixels; joints of thinner lines are not rounded, which would be invisible but slow."""


@dataclass(frozen=True)
class View:
    """Position of a film relative to the chest.

    Attributes:
        width: of the film, px.
        height: of the film, px.
        scale: pixels per unit.
        angle: tilt of the patient, radians.
        centre: chest coordinates (x, y) of the centre of the film.
    """

    width: int
    height: int
    scale: float
    angle: float
    centre: tuple[float, float]

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Chest coordinates x and y of every pixel, each float32 (height, width)."""
        across = (np.arange(self.width, dtype=np.float32) - self.width / 2 + 0.5) / self.scale
        down = (np.arange(self.height, dtype=np.float32) - self.height / 2 + 0.5)[:, None] / self.scale
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        x = cos * across + sin * down + np.float32(self.centre[0])
        y = cos * down - sin * across + np.float32(self.centre[1])
        return x, y

    def pixels(self, points: np.ndarray, factor: int = 1) -> np.ndarray:
        """Pixel positions (..., 2) of chest coordinates (..., 2), on a film drawn `factor` times as large."""
        turn, shift = self._affine
        return (points @ turn + shift) * factor

    @cached_property
    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        turn = np.array([[cos, sin], [-sin, cos]])
        return turn, np.array([self.width, self.height]) / 2 - np.array(self.centre) @ turn

    def sample(self, chest_map: np.ndarray) -> np.ndarray:
        """Values of a chest map (`MAP_CELLS`, `MAP_CELLS`) at every pixel, float32 (height, width)."""
        cells = MAP_CELLS / MAP_UNITS
        cos, sin = np.cos(self.angle) * cells / self.scale, np.sin(self.angle) * cells / self.scale
        left = (self.centre[0] - MAP_LEFT) * cells - (cos * self.width + sin * self.height) / 2
        top = (self.centre[1] - MAP_TOP) * cells - (cos * self.height - sin * self.width) / 2
        picture = Image.fromarray(chest_map)
        matrix = (cos, sin, left, -sin, cos, top)
        size = (self.width, self.height)
        return np.asarray(picture.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


class Layer:
    """A layer of lines and polygons, drawn at twice its size for smooth edges."""

    FACTOR = 2
    FULL = 200
    """Grey level that represents 1."""

    def __init__(self, view: View):
        self._view = view
        self._picture = Image.new("L", (view.width * self.FACTOR, view.height * self.FACTOR))
        self._draw = ImageDraw.Draw(self._picture)

    def strokes(
        self, paths: np.ndarray, widths: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray
    ) -> None:
        """Draws polylines (N, points, 2)."""
        joint = "curve" if max(widths) * self._view.scale > MIN_JOINT else None
        points = self._view.pixels(paths, self.FACTOR).reshape(len(paths), -1).tolist()
        thick = np.rint(np.maximum(1, np.multiply(widths, self._view.scale * self.FACTOR))).astype(int).tolist()
        greys = np.rint(np.multiply(values, self.FULL)).astype(int).tolist()
        for path, width, grey in zip(points, thick, greys, strict=True):
            self._draw.line(path, fill=grey, width=width, joint=joint)

    def tubes(self, paths: np.ndarray, width: float, edge: float, middle: float) -> None:
        """Draws polylines (N, points, 2) of `width` units that are hollow like bones."""
        self.strokes(paths, [width] * len(paths), [edge] * len(paths))
        self.strokes(paths, [0.5 * width] * len(paths), [middle] * len(paths))

    def patch(self, points: np.ndarray, value: float) -> None:
        """Fills a polygon."""
        path = self._view.pixels(np.asarray(points), self.FACTOR).ravel().tolist()
        self._draw.polygon(path, fill=round(value * self.FULL))

    def finish(self, blur: float) -> np.ndarray:
        """The layer as float32 (height, width), blurred by `blur` units."""
        small = self._picture.reduce(self.FACTOR)
        radius = blur * self._view.scale
        if radius > MIN_BLUR:
            small = small.filter(ImageFilter.GaussianBlur(radius))
        return np.asarray(small, dtype=np.float32) / self.FULL
