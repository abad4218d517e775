"""The film of a simulated radiograph: its position, exposure and marks; drawn without knowledge of the class."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from components.ingest.simulation.projection import Pose
from components.ingest.simulation.view import View

RENDER_MIN, RENDER_MAX = 96, 1024
"""Range of the shorter side (px) at which chests are rendered: below it ribs alias, above it no detail is gained."""


def draw_view(rng: np.random.Generator, size: int, lung_height: float) -> View:
    """Samples the size of the film and its position relative to the chest.

    Args:
        rng: must not depend on the class.
        size: nominal shorter side, px.
        lung_height: height of the lungs, units.
    """
    side = round(min(max(size, RENDER_MIN), RENDER_MAX) * rng.uniform(0.9, 1.12))
    aspect = rng.uniform(1.0, 1.5)
    width, height = (round(side * aspect), side)
    scale = min(width / 2.3, height / (lung_height + 0.55)) * rng.uniform(0.93, 1.1)
    centre = rng.normal(0, 0.06), lung_height / 2 + rng.normal(0.0, 0.07)
    return View(width, height, scale, np.radians(rng.normal(0, 3.5)), centre)


def draw_pose(rng: np.random.Generator, difficulty: float) -> Pose:
    """Samples position and breath of the patient, which are worse at higher difficulty.

    Args:
        rng: must not depend on the class.
        difficulty: 0 to 1.
    """
    return Pose(
        turn=float(np.clip(rng.normal(0, 0.3 + 0.5 * difficulty), -1, 1)),
        inspiration=rng.uniform(0.6 - 0.6 * difficulty, 1),
        arms=rng.uniform(0, 1),
        aeration=1 - rng.uniform(0, 0.08 + 0.3 * difficulty),
    )


def expose(rng: np.random.Generator, attenuation: np.ndarray, difficulty: float) -> np.ndarray:
    """Converts attenuation to the brightness of a developed film.

    Applies scatter, then a logistic film curve, whose offset is set by an automatic exposure control so that the mean
    brightness depends on a random target instead of the patient, then quantum noise.

    Args:
        rng: must not depend on the class.
        attenuation: float32 (height, width).
        difficulty: 0 to 1; increases the noise.

    Returns:
        float32 (height, width), 0 (black) to 1.
    """
    photons = np.exp(-attenuation)
    scattered = photons + rng.uniform(0.1, 0.35) * _blurred(photons)
    dense = -np.log(scattered)
    contrast, target = rng.uniform(1.4, 2.5), rng.uniform(0.38, 0.58)
    offset = np.float32(-contrast * dense.mean())
    # A quarter of the pixels is enough to estimate the mean.
    sample = contrast * dense[::2, ::2]
    for _ in range(4):
        bright = _film_curve(sample + offset)
        offset += (target - bright.mean()) / np.mean(bright * (1 - bright))
    picture = _film_curve(contrast * dense + offset)
    noise = rng.uniform(0.008, 0.018 + 0.02 * difficulty)
    picture += noise * rng.standard_normal(picture.shape, dtype=np.float32)
    return picture


def _film_curve(log_exposure: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_exposure))


def _blurred(picture: np.ndarray) -> np.ndarray:
    """The picture blurred by scatter, over about a quarter of its width."""
    height, width = picture.shape
    coarse = Image.fromarray(picture).resize((12, 12), Image.Resampling.BOX)
    kernel = Image.Resampling.BICUBIC
    return np.asarray(coarse.resize((4, 4), Image.Resampling.BOX).resize((width, height), kernel))


def finish(rng: np.random.Generator, picture: np.ndarray, size: int) -> Image.Image:
    """Adds vignette, collimator and marker, and sets size and mode of the file."""
    height, width = picture.shape
    picture = picture * _vignette(rng, height, width)
    _collimate(rng, picture)
    film = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    _mark(rng, film)
    rendered = min(max(size, RENDER_MIN), RENDER_MAX)
    if rendered != size:
        film = film.resize((round(width * size / rendered), round(height * size / rendered)), Image.Resampling.BICUBIC)
    return film.convert("RGB") if rng.random() < 0.1 else film


def _vignette(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    across = np.linspace(-1, 1, width, dtype=np.float32) - np.float32(rng.uniform(-0.3, 0.3))
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(rng.uniform(-0.3, 0.3))
    return 1 - np.float32(rng.uniform(0, 0.1)) * (across * across + down * down)


def _collimate(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Blackens strips along some edges, which the collimator shielded."""
    height, width = picture.shape
    strips = (rng.uniform(0.005, 0.05, 4) * (rng.random(4) < 0.15) * min(height, width)).astype(int)
    top, bottom, left, right = strips.tolist()
    for edge in (np.s_[:top], np.s_[height - bottom :], np.s_[:, :left], np.s_[:, width - right :]):
        picture[edge] = 0.02


def _mark(rng: np.random.Generator, film: Image.Image) -> None:
    """Writes a side marker, and sometimes the projection, into a corner."""
    text = rng.choice(["", "R", "R", "A-P\nR", "R\nPED", "L"])
    x, y = rng.uniform(0.01, 0.08) * film.width, rng.uniform(0.02, 0.4) * film.height
    points = max(6, round(rng.uniform(0.04, 0.07) * film.height))
    grey = int(rng.integers(200, 256))
    if text:
        x = film.width - x - 0.7 * points if text == "L" else x
        ImageDraw.Draw(film).text((x, y), str(text), fill=grey, font=_font(points))


# Loading a font takes longer than rendering a small film.
@lru_cache(maxsize=64)
def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points)
