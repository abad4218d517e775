"""Simple statistics of prepared images, by which changes of the data are found."""

import numpy as np

from components.artifacts.image_table import STATISTICS

_SQUARES = np.arange(256, dtype=np.uint16) ** 2


def statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """The statistics of some images, see `image_table.STATISTICS`.

    All sums are of integers, so that the same pixels give the same numbers on every machine.

    Args:
        images: uint8 (N, H, W).

    Returns:
        {one of `STATISTICS`: float64 (N,)}.
    """
    flat = images.reshape(len(images), -1)
    mean = _mean(flat)
    deviation = np.sqrt(_mean(_SQUARES[flat]) - mean**2)
    vertical = _distances(images[:, 1:], images[:, :-1])
    horizontal = _distances(images[:, :, 1:], images[:, :, :-1])
    steps = _mean(np.concatenate([vertical, horizontal], axis=1))
    # An image of one grey value has no steps either.
    sharpness = np.divide(steps, deviation, out=np.zeros_like(steps), where=deviation > 0)
    return dict(zip(STATISTICS, (mean / 255, deviation / 255, sharpness), strict=True))


def _mean(values: np.ndarray) -> np.ndarray:
    return values.sum(axis=1, dtype=np.uint64) / values.shape[1]


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Absolute differences, uint8 (N, pixels)."""
    return (np.maximum(one, other) - np.minimum(one, other)).reshape(len(one), -1)
