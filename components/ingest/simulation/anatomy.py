"""Simulated patients: positions of the organs of a chest, and pneumonia in the lungs.

This module samples patients, `projection` computes their X-ray attenuation, `film` the exposed film.

Lengths are in half-widths of the rib cage ("units"): x increases to the patient's left (the right side of the picture),
y increases downwards from the apex of the lungs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

TABLE_TOP, TABLE_BOTTOM, TABLE_ROWS = -1.5, 3.5, 4096
"""Outlines are tables over y; a row is about 0.001 units, less than a pixel of a film of 700 px."""
MAP_LEFT, MAP_TOP, MAP_UNITS, MAP_CELLS = -1.15, -0.15, 2.3, 128
"""Disease is defined on a square map in chest coordinates, so that it is the same in all films of a patient."""


@dataclass(frozen=True)
class Anatomy:
    """Properties of a patient that are equal in all of their films (lengths in units).

    Attributes:
        height: of the lungs from the apex to the right dome of the diaphragm.
        wall: thickness of the chest wall.
        narrowing: relative width of the upper chest, about 1.
        mediastinum: half-width of the upper mediastinum.
        thymus: widening of the mediastinum by the thymus, 0 in older children.
        heart: half-width of the heart.
        heart_shift: shift of the heart to the patient's left.
        rib_spacing: distance between two ribs.
        rib_radius: half the thickness of a rib.
        rib_slope: descent of a rib from the spine to the side.
        rib_front: further descent from the side to the front.
        bone: density of the bones, about 1.
        left_dome: by how much the left dome of the diaphragm is lower than the right one.
        vertebra: height of a vertebra with its disc.
        stomach: gas below the left dome: strength, x, distance below the dome, half-axes.
        scapula: overlap of shoulder blades and lungs.
        vessels: strength of the vessels, about 1.
        branches: the vessels, thin ones first: paths (N, points, 2) and widths (N,).
        texture: fine variation of the lungs on the chest map, about 0.
    """

    height: float
    wall: float
    narrowing: float
    mediastinum: float
    thymus: float
    heart: float
    heart_shift: float
    rib_spacing: float
    rib_radius: float
    rib_slope: float
    rib_front: float
    bone: float
    left_dome: float
    vertebra: float
    stomach: tuple[float, float, float, float, float]
    scapula: float
    vessels: float
    branches: Sequence[tuple[np.ndarray, np.ndarray]]
    texture: np.ndarray

    @property
    def hilum(self) -> tuple[float, float]:
        """Distance from the midline, and y, of the point where vessels and airways enter the lungs."""
        return 0.2, 0.47 * self.height

    @cached_property
    def tables(self) -> dict[str, np.ndarray]:
        """Distances from the midline over y, float32 (`TABLE_ROWS`,); "right" and "left" bound heart and vessels."""
        return {
            "body": _body_outline(self),
            "cage": _cage_outline(self),
            "middle": _middle_outline(),
            "right": _right_outline(self),
            "left": _left_outline(self),
        }


def draw_anatomy(rng: np.random.Generator, difficulty: float) -> Anatomy:
    """Samples a patient.

    Args:
        rng: must not depend on the class.
        difficulty: 0 to 1; increases the variation between healthy patients.
    """
    height = rng.uniform(1.2, 1.6)
    return Anatomy(
        height=height,
        wall=rng.uniform(0.07, 0.2),
        narrowing=rng.uniform(0.9, 1.08),
        mediastinum=rng.uniform(0.16, 0.22),
        thymus=max(0.0, rng.normal(0.0, 0.05 + 0.09 * difficulty)),
        heart=rng.uniform(0.41, 0.48 + 0.08 * difficulty),
        heart_shift=rng.uniform(0.09, 0.2),
        rib_spacing=height / rng.uniform(8.2, 9.6),
        rib_radius=rng.uniform(0.028, 0.04),
        rib_slope=rng.uniform(0.22, 0.38),
        rib_front=rng.uniform(0.28, 0.5),
        bone=rng.uniform(0.75, 1.2),
        left_dome=rng.uniform(0.0, 0.14),
        vertebra=height / rng.uniform(8.2, 9.2),
        stomach=_draw_stomach(rng),
        scapula=rng.uniform(0.0, 0.1 + 0.12 * difficulty),
        vessels=rng.uniform(0.8, 1.15 + 0.5 * difficulty),
        branches=[branch for side in (-1, 1) for branch in _draw_vessels(rng, side, height)],
        texture=0.05 * _noise(rng, 0.012) + (0.02 + 0.05 * difficulty) * _noise(rng, 0.2),
    )


def _draw_stomach(rng: np.random.Generator) -> tuple[float, float, float, float, float]:
    strength = rng.uniform(0.2, 0.5) * (rng.random() < 0.6)
    return strength, rng.uniform(0.35, 0.6), rng.uniform(0.14, 0.24), rng.uniform(0.12, 0.26), rng.uniform(0.06, 0.12)


def _draw_vessels(rng: np.random.Generator, side: int, height: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """A fan of trunks from the hilum, and thinner branches from the trunks."""
    trunks, steps = 13, 9
    angles = np.linspace(-1.35, 1.45, trunks) + rng.normal(0, 0.12, trunks)
    starts = np.tile([0.17, 0.47 * height], (trunks, 1)) + rng.normal(0, 0.05, (trunks, 2))
    lengths = rng.uniform(0.5, 0.8, trunks) * (1 + 0.25 * np.abs(np.sin(angles)))
    trunk = _walks(rng, starts, angles, lengths, steps)
    twice = np.repeat(np.arange(trunks), 2)
    joints = rng.integers(2, 6, 2 * trunks)
    turns = rng.uniform(0.3, 0.7, 2 * trunks) * np.tile([-1, 1], trunks)
    twig = _walks(rng, trunk[twice, joints], angles[twice] + turns, rng.uniform(0.2, 0.45, 2 * trunks), 6)
    widths = rng.uniform(0.022, 0.036, trunks)
    pieces = [(twig, np.full(2 * trunks, 0.011)), (trunk[:, 5:], np.full(trunks, 0.013))]
    pieces += [(trunk[:, :6], 0.75 * widths)]
    return [(points * (side, 1), width) for points, width in pieces]


def _walks(
    rng: np.random.Generator, starts: np.ndarray, angles: np.ndarray, lengths: np.ndarray, steps: int
) -> np.ndarray:
    """Smooth random paths, (N, steps + 1, 2)."""
    heading = angles[:, None] + np.cumsum(rng.normal(0, 0.13, (len(starts), steps)), axis=1)
    strides = (lengths / steps)[:, None, None] * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    return np.concatenate([starts[:, None], starts[:, None] + np.cumsum(strides, axis=1)], axis=1)


def _outline(points: Sequence[tuple[float, float]], smooth: float) -> np.ndarray:
    """A table of half-widths through (y, half-width) points, smoothed over `smooth` units."""
    coarse = np.linspace(TABLE_TOP, TABLE_BOTTOM, 500)
    table = gaussian_filter1d(np.interp(coarse, *np.transpose(points)), smooth * 500 / (TABLE_BOTTOM - TABLE_TOP))
    return np.interp(np.linspace(TABLE_TOP, TABLE_BOTTOM, TABLE_ROWS), coarse, table).astype(np.float32)


def _body_outline(a: Anatomy) -> np.ndarray:
    side = 1.0 + a.wall
    jaw = [(-1.5, 0.7), (-0.62, 0.6), (-0.5, 0.4), (-0.32, 0.4)]
    trunk = [(-0.17, 0.75), (-0.05, 1.02), (0.15, 1.12), (0.45, side), (a.height, side + 0.03), (3.5, side)]
    return _outline(jaw + trunk, 0.05)


def _cage_outline(a: Anatomy) -> np.ndarray:
    upper = [(0.0, 0.42), (0.04, 0.53), (0.12, 0.64), (0.25, 0.73), (0.45, 0.83)]
    lower = [(0.62 * a.height, 0.93), (a.height, 0.985), (1.4 * a.height, 0.97), (3.5, 0.9)]
    return _outline([(-1.5, 0.42)] + [(y, w * a.narrowing) for y, w in upper] + lower, 0.045)


def _middle_outline() -> np.ndarray:
    return _outline([(-1.5, 0.42), (0.0, 0.42), (0.04, 0.27), (0.14, 0.17), (0.3, 0.13), (3.5, 0.12)], 0.02)


def _right_outline(a: Anatomy) -> np.ndarray:
    """Outline of superior vena cava and right atrium; `_left_outline`: aortic arch, pulmonary trunk, left ventricle."""
    m, t, w = a.mediastinum, a.thymus, a.heart - a.heart_shift
    points = [(0.0, m), (0.2, m + 0.5 * t), (0.36, m + t), (0.46, m + 0.1 * t), (0.56, m + 0.4 * (w - m))]
    points += [(0.68, w - 0.02), (0.82, w), (0.95, 0.9 * w), (1.1, 0.1)]
    return _outline([(y * a.height, x) for y, x in points], 0.05)


def _left_outline(a: Anatomy) -> np.ndarray:
    m, t, w = a.mediastinum, a.thymus, a.heart + a.heart_shift
    points = [(0.0, m), (0.17, m + 0.02), (0.26, m + 0.05 + 0.6 * t), (0.34, m + 0.03 + t), (0.44, m + 0.06 + 0.3 * t)]
    points += [(0.53, m + 0.38 * (w - m)), (0.66, m + 0.74 * (w - m)), (0.82, w - 0.03), (0.91, w), (1.0, 0.88 * w)]
    points += [(1.12, 0.1)]
    return _outline([(y * a.height, x) for y, x in points], 0.05)


def draw_disease(rng: np.random.Generator, kind: str, anatomy: Anatomy, difficulty: float) -> np.ndarray:
    """Samples the distribution of pneumonia in the lungs.

    Args:
        rng: generator of the disease; the samples are the same at every difficulty.
        kind: "bacteria" (one or two consolidations, some with the sharp edge of a fissure) or "virus" (streaks and
            small patches about both hila).
        anatomy: the patient.
        difficulty: 0 (dense, large) to 1 (faint, small).

    Returns:
        float32 (`MAP_CELLS`, `MAP_CELLS`), fraction of air replaced by fluid, 0 to 1.
    """
    cells = (np.arange(MAP_CELLS, dtype=np.float32) + 0.5) * (MAP_UNITS / MAP_CELLS)
    x, y = np.meshgrid(cells + MAP_LEFT, cells + MAP_TOP)
    density = (1.05 - 0.6 * difficulty) * rng.uniform(0.9, 1.15)
    painter = _consolidation if kind == "bacteria" else _interstitial
    share = painter(rng, anatomy, x, y, 1.25 - 0.4 * difficulty)
    return np.clip(density * share, 0, 1).astype(np.float32)


def _noise(rng: np.random.Generator, units: float) -> np.ndarray:
    """Smooth noise of unit variance on the map, with a correlation length of about `units`."""
    knots = round(MAP_UNITS / (2 * units))
    coarse = Image.fromarray(rng.standard_normal((knots, knots), dtype=np.float32))
    field = np.asarray(coarse.resize((MAP_CELLS, MAP_CELLS), Image.Resampling.BICUBIC))
    return field / field.std()


def _consolidation(rng: np.random.Generator, a: Anatomy, x: np.ndarray, y: np.ndarray, extent: float) -> np.ndarray:
    share = np.zeros_like(x)
    ragged, grain = _noise(rng, 0.05), _noise(rng, 0.014)
    for _ in range(1 + (rng.random() < 0.4)):
        side = rng.choice([-1, 1])
        cx, cy = side * rng.uniform(0.38, 0.75), a.height * rng.uniform(0.16, 0.76)
        wide, high = rng.uniform(0.25, 0.4, 2) * extent
        fill = 1 - np.hypot((x - cx) / wide, (y - cy) / high) + 0.17 * ragged
        fill = np.clip(2.2 * fill, 0, 1)
        fissure, lean, above = rng.random() < 0.5, rng.uniform(-0.3, 0.3), rng.choice([-1, 1])
        if fissure:
            fill *= np.clip(0.5 + above * (cy + 0.08 - y + lean * (np.abs(x) - 0.5)) / 0.04, 0, 1)
        share = np.maximum(share, fill)
    return share * np.clip(0.85 + 0.16 * grain, 0, 1.3)


def _interstitial(rng: np.random.Generator, a: Anatomy, x: np.ndarray, y: np.ndarray, extent: float) -> np.ndarray:
    hx, hy = a.hilum
    radius = np.hypot(np.abs(x) - hx, y - hy)
    reach = np.exp(-((radius / (rng.uniform(0.5, 0.75) * extent)) ** 2))
    # Streaks follow the airways outwards: noise with a long correlation in radius and a short one in angle.
    angle = np.arctan2(y - hy, np.abs(x) - hx) + np.pi * (x > 0)
    table = gaussian_filter(rng.standard_normal((MAP_CELLS, MAP_CELLS)), (4, 0.9), mode="wrap")
    rows, columns = (radius * 50).astype(int) % MAP_CELLS, (angle * 20).astype(int) % MAP_CELLS
    streaks = gaussian_filter((table / table.std())[rows, columns].astype(np.float32), 0.8)
    patches = _noise(rng, 0.017)
    sides = np.where(x < 0, *rng.uniform(0.75, 1.0, 2))
    return sides * reach * np.clip(0.3 + 0.21 * streaks + 0.21 * patches, 0, 1)
