"""The X-ray projection of a simulated patient: the sum of the attenuation of all organs.

Attenuation is the dimensionless exponent of the Beer-Lambert law. Shapes are formulas in chest coordinates and thin
lines drawn by Pillow, so that films of all sizes are rendered by the same code, many per second.
"""

from dataclasses import dataclass

import numpy as np

from components.ingest.simulation.anatomy import TABLE_BOTTOM, TABLE_ROWS, TABLE_TOP, Anatomy
from components.ingest.simulation.view import Layer, View

BODY = 2.3
"""Attenuation of the whole depth of the trunk if it were soft tissue only."""
AIR = 0.8
"""Fraction of `BODY` by which well-aerated lung of maximal depth reduces the attenuation."""
RIB, SPINE = 0.42, 0.42
"""Attenuation of bones in addition to soft tissue."""


@dataclass(frozen=True)
class Pose:
    """Properties that differ between films of one patient.

    Attributes:
        turn: rotation about the long axis, -1 to 1; it shifts front and back of the chest in opposite directions.
        inspiration: depth of the breath, 0 (expiration) to 1 (deep).
        arms: 0 (beside the body) to 1 (raised beside the head).
        aeration: relative amount of air in the lungs, about 1.
    """

    turn: float
    inspiration: float
    arms: float
    aeration: float


@dataclass(frozen=True)
class Chest:
    """One rendered chest.

    Attributes:
        attenuation: float32 (height, width).
        air: float32 (height, width), air in the healthy lungs; 0 outside them.
    """

    attenuation: np.ndarray
    air: np.ndarray


def render_chest(anatomy: Anatomy, view: View, pose: Pose, disease: np.ndarray | None = None) -> Chest:
    """Computes the attenuation of the rays by the patient.

    Args:
        anatomy: the patient.
        view: position of the film.
        pose: position and breath of the patient.
        disease: float32 (`MAP_CELLS`, `MAP_CELLS`) from `draw_disease`, the fraction of air replaced by fluid;
            None for a healthy patient.

    Returns:
        Attenuation without scatter and noise, and air in the healthy lungs.
    """
    x, y = view.grid()
    row = _rows(y)
    body, cage, middle = (anatomy.tables[name][row] for name in ("body", "cage", "middle"))
    # A rotation shifts back and front in opposite directions, but not the sides.
    turned = pose.turn * np.clip(1 - (x / cage) ** 2, 0, 1)
    back, front = x + 0.07 * turned, x - 0.05 * turned
    air = _air(anatomy, pose, (cage, middle), x, y, front)
    filled = air * (1 + view.sample(anatomy.texture))
    if disease is not None:
        filled *= 1 - view.sample(disease)
    attenuation = BODY * (_soft_tissue(pose, body, x, y) - AIR * pose.aeration * filled)
    attenuation -= _stomach(anatomy, pose, x, y)
    attenuation += anatomy.vessels * _vessels(anatomy, view) * filled
    attenuation += anatomy.bone * (_ribs(anatomy, cage, back, front, y) + _spine(anatomy, back, y))
    attenuation += anatomy.bone * _shoulders(anatomy, view, pose)
    attenuation -= _airways(anatomy, view)
    return Chest(np.maximum(attenuation, 0), air)


def _soft_tissue(pose: Pose, body: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth of trunk, neck and arms; 1 in the middle of the trunk."""
    across = (x / body) ** 2
    depth = np.sqrt(np.clip(1 - across * across, 0, 1)) * (0.92 + 0.1 * np.clip(y - 0.6, 0, 1))
    for side in (-1, 1):
        start, end = _arm(pose, side)
        np.maximum(depth, 0.5 * _capsule(x, y, start, end, 0.2), out=depth)
    return depth


def _arm(pose: Pose, side: int) -> tuple[tuple[float, float], tuple[float, float]]:
    angle = 1.3 - 2.1 * pose.arms
    return (1.06 * side, 0.08), (side * (1.06 + 1.2 * np.cos(angle)), 0.08 + 1.2 * np.sin(angle))


def _capsule(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float], radius: float
) -> np.ndarray:
    """Depth of a cylinder with round ends, 1 along its axis."""
    dx, dy = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    px, py = x - np.float32(start[0]), y - np.float32(start[1])
    along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
    px -= along * dx
    py -= along * dy
    return np.sqrt(np.clip(1 - (px * px + py * py) / np.float32(radius**2), 0, 1))


def _rows(y: np.ndarray) -> np.ndarray:
    """Row of a table for each `y`."""
    row = ((y - TABLE_TOP) * ((TABLE_ROWS - 1) / (TABLE_BOTTOM - TABLE_TOP))).astype(np.int64)
    return np.clip(row, 0, TABLE_ROWS - 1, out=row)


def _air(
    a: Anatomy, pose: Pose, bounds: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray, front: np.ndarray
) -> np.ndarray:
    """Depth of air in the lungs, 0 to 1: the rib cage without mediastinum, heart and abdomen."""
    cage, middle = bounds
    distance = np.abs(x)
    outer = np.clip((cage - 0.03 - distance) * 5, 0, 1)
    inner = np.clip((distance - middle) * 8, 0, 1)
    floor = np.clip((_diaphragm(a, pose, x) - y) * 9, 0, 1)
    # Some lung lies behind the heart, so there is some air everywhere.
    return np.sqrt(outer * inner * floor) * (1 - 0.88 * _heart(a, pose, front, y))


def _dome(a: Anatomy, pose: Pose) -> float:
    """Height (y) of the right dome of the diaphragm."""
    return a.height - 0.24 * (1 - pose.inspiration)


def _diaphragm(a: Anatomy, pose: Pose, x: np.ndarray) -> np.ndarray:
    """Height (y) of the diaphragm: one dome per side, lowest at the chest wall."""
    offset = np.abs(x) - np.float32(0.45)
    bend = np.where(offset > 0, np.float32(0.75), np.float32(0.3))
    level = np.where(x > 0, np.float32(_dome(a, pose) + a.left_dome), np.float32(_dome(a, pose)))
    return level + bend * offset * offset


def _heart(a: Anatomy, pose: Pose, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth of heart and great vessels, 0 to 1; the heart lies on the diaphragm and widens when that rises."""
    row = _rows(y * (a.height / _dome(a, pose)))
    right, left = a.tables["right"][row], a.tables["left"][row]
    off = (2 * x - left + right) / ((1.1 - 0.1 * pose.inspiration) * (left + right))
    return np.sqrt(np.clip((1 - off * off) * 2.2, 0, 1))


def _stomach(a: Anatomy, pose: Pose, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    strength, centre, below, wide, high = a.stomach
    if not strength:
        return np.zeros((), np.float32)
    level = _dome(a, pose) + a.left_dome + below
    q = ((x - centre) / wide) ** 2 + ((y - level) / high) ** 2
    return BODY * strength * np.sqrt(np.clip(1 - q, 0, 1))


def _ribs(a: Anatomy, cage: np.ndarray, back: np.ndarray, front: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ribs as rings around an elliptic chest, descending from the spine to the side and further to the front."""
    cage = cage + np.float32(0.03)
    u = np.minimum(np.abs(back) / cage, 1)
    cos = np.sqrt(1 - u * u)
    behind = _rib_pattern(a, y - a.rib_slope * (1 - cos) + 0.05 * u, u, cos, a.rib_slope, 1.0)
    behind *= np.clip((cage - np.abs(back)) * 40, 0, 1) * (np.abs(back) > 0.1)  # a rib begins next to its vertebra
    u = np.minimum(np.abs(front) / cage, 1)
    cos = np.sqrt(1 - u * u)
    before = _rib_pattern(a, y - a.rib_slope - a.rib_front * cos, u, cos, a.rib_front, 1.25)
    # Towards the breastbone, ribs become cartilage, which is hardly visible.
    before *= np.clip((u - 0.45) * 6, 0, 1) * np.clip((cage - np.abs(front)) * 40, 0, 1)
    return RIB * (behind + 0.6 * before)


def _rib_pattern(
    a: Anatomy, level: np.ndarray, u: np.ndarray, cos: np.ndarray, slope: float, thick: float
) -> np.ndarray:
    """Hollow tubes, `a.rib_spacing` apart in `level`, brighter where the rays run along them."""
    phase = (level + np.float32(0.02)) / np.float32(a.rib_spacing)
    number = np.floor(phase)
    steep = cos / np.sqrt(cos * cos + slope * slope * u * u + np.float32(1e-4))
    q = ((phase - number - np.float32(0.5)) * (a.rib_spacing / (thick * a.rib_radius)) * (0.25 + 0.75 * steep)) ** 2
    tube = np.sqrt(np.clip(1 - q, 0, 1)) - 0.45 * np.sqrt(np.clip(0.6 - q, 0, 1))
    present = (number >= 0) & (number < 11)  # the twelfth rib is hardly visible
    side = u * u
    side *= side
    return tube * present * (1 + 1.2 * side * side)


def _spine(a: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Vertebral bodies with discs between them, pedicles, and the row of spinous processes."""
    phase = y / np.float32(a.vertebra) + np.float32(0.3)
    phase -= np.floor(phase) + np.float32(0.5)
    body = np.clip((0.135 - np.abs(x)) * 25, 0, 1) * (0.72 + 0.28 * np.clip((0.4 - np.abs(phase)) * 9, 0, 1))
    pedicle = np.clip(1 - ((np.abs(x) - 0.085) / 0.03) ** 2 - (phase / 0.28) ** 2, 0, 1)
    spinous = np.clip(1 - (x / 0.025) ** 2 - ((phase - 0.2) / 0.25) ** 2, 0, 1)
    return SPINE * body + 0.22 * (pedicle + spinous)


def _vessels(a: Anatomy, view: View) -> np.ndarray:
    layer = Layer(view)
    for paths, widths in a.branches:
        layer.strokes(paths, widths, np.minimum(1, 0.22 + 17 * widths))
    return 0.62 * layer.finish(0.007)


def _airways(a: Anatomy, view: View) -> np.ndarray:
    """Reduction of attenuation by air in the trachea and the main bronchi."""
    layer = Layer(view)
    fork = 0.36 * a.height
    bronchi = np.array([[[0.01, fork], [-0.2, fork + 0.17]], [[0.01, fork], [0.24, fork + 0.14]]])
    trachea = np.array([[[0.0, -0.75], [-0.01, 0.0], [0.01, fork]]])
    layer.strokes(bronchi, [0.06, 0.05], [0.5, 0.5])
    layer.strokes(trachea, [0.1], [1.0])
    return 0.42 * layer.finish(0.02)


def _shoulders(a: Anatomy, view: View, pose: Pose) -> np.ndarray:
    """Shoulder blades, upper arms, collar bones and jaw."""
    layer = Layer(view)
    lift = 0.16 * pose.arms
    blade = np.array([[0.98, -lift], [1.16, 0.1 - lift], [1.0, 0.72], [0.92, 0.7], [0.74, 0.12]])
    blades = _both_sides(blade - [a.scapula * (1 - pose.arms), 0])
    for side in blades:
        layer.patch(side, 0.18)
    layer.tubes(blades[:, 1:4], 0.03, 0.34, 0.34)
    layer.tubes(np.array([_arm(pose, side) for side in (-1, 1)]), 0.15, 0.75, 0.5)
    collar_bone = np.array([[0.09, 0.13], [0.28, 0.07], [0.5, 0.06 - lift], [0.72, -0.02 - lift], [1.0, -0.08 - lift]])
    layer.tubes(_both_sides(collar_bone) - [0.05 * pose.turn, 0], 0.085, 0.8, 0.55)
    jaw = np.array([[-0.55, -0.75], [-0.3, -0.56], [0.0, -0.5], [0.3, -0.56], [0.55, -0.75]])
    layer.tubes(jaw[None], 0.12, 0.8, 0.8)
    return 0.52 * layer.finish(0.008)


def _both_sides(points: np.ndarray) -> np.ndarray:
    """A shape (points, 2) and its mirror image, (2, points, 2)."""
    return np.stack([points * (-1, 1), points])
