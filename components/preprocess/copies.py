"""Finds images that are copies of each other, also re-encoded or resized ones, by their prepared pixels.

A perceptual hash proposes pairs, the pixels confirm them: lungs look so much alike that nearly all pairs with similar
hashes are different patients (benchmarks/README.md has the counts).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

DISTANCE, FINE_DISTANCE = 4, 32
"""Pairs are looked at whose hashes differ in at most so many of 64 and of 256 bits. Copies of real radiographs saved at
JPEG quality 30 to 95 or at 0.43 to 1.5 times the size differ in at most 4 and 28, other pairs in 38 and more of 256."""
CORRELATION = 0.88
"""Pairs whose details correlate at least so much are copies: copies do by 0.94 and more, different images whose hashes
differ in up to 12 of 64 bits by 0.80 at most."""

EXAMPLES = 10
"""So many groups are named, those across splits first."""

_PREFERENCE = {"test": 0, "validation": 1, "train": 2, "": 2}
_DETAIL_SIZE, _WINDOW = 32, 3
_ROWS, _COLUMNS = 256, 4096
"""Of a tile of comparisons: 8 MB of differences at a time."""
_PAIRS = 256


def hashes(images: np.ndarray) -> np.ndarray:
    """Perceptual hashes: the signs of the lowest frequencies against their median (pHash; Zauner 2010, phash.org).

    Args:
        images: uint8 (N, S, S).

    Returns:
        uint64 (N, 5): the 64 bits of the lowest 8 x 8 frequencies, and the 256 bits of the lowest 16 x 16.
    """
    size = images.shape[1]
    cosines = np.cos(np.pi * (np.arange(size) + 0.5) * np.arange(16)[:, None] / size).astype(np.float32)
    frequencies = cosines @ images.astype(np.float32) @ cosines.T
    return np.concatenate([_signs(frequencies[:, :8, :8]), _signs(frequencies)], axis=1)


def _signs(frequencies: np.ndarray) -> np.ndarray:
    """uint64 (N, K * K / 64): which of (N, K, K) are above the median; the mean brightness counts as below."""
    flat = frequencies.reshape(len(frequencies), -1)
    middle = flat.shape[1] // 2 - 1  # of the odd number without the mean: np.median gives the same more slowly
    bits = flat > np.partition(flat[:, 1:], middle, axis=1)[:, middle : middle + 1]
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(np.uint64)


def find(hashed: np.ndarray, read: Callable[[Sequence[int]], np.ndarray]) -> list[np.ndarray]:
    """Gathers images that are copies of each other, directly or by way of others.

    Pairs that are known to belong together already are not compared, so many copies of one picture cost little.

    Args:
        hashed: uint64 (N, 5), the hashes of each image.
        read: gives the images at some positions: uint8 (K, S, S).

    Returns:
        Positions of the images of each group, ascending, groups by their first image.
    """
    group_of = np.arange(len(hashed))
    for near in near_pairs(hashed):
        left = near
        while len(left := left[group_of[left[:, 0]] != group_of[left[:, 1]]]):
            some, left = left[:_PAIRS], left[_PAIRS:]
            for one, other in some[similarity(read(some[:, 0]), read(some[:, 1])) >= CORRELATION]:
                group_of[group_of == group_of[other]] = group_of[one]
    return _gathered(group_of)


def near_pairs(hashed: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of hashes that differ in few bits: all against all, tile by tile, on all cores.

    100,000 hashes are five billion comparisons, a matter of seconds in numpy; an index over hashes would have to cope
    with most radiographs sharing most of its bands.

    Args:
        hashed: uint64 (N, 5).

    Yields:
        int64 (M, 2): positions, the lower first, for one stretch of first positions after another.
    """
    coarse, fine = np.ascontiguousarray(hashed[:, 0]), hashed[:, 1:]

    def compare(row: int, column: int) -> np.ndarray:
        differing = np.bitwise_count(coarse[row : row + _ROWS, None] ^ coarse[None, column : column + _COLUMNS])
        one, other = np.divmod(np.flatnonzero(differing <= DISTANCE), differing.shape[1])
        one, other = one + row, other + column
        kept = (one < other) & (np.bitwise_count(fine[one] ^ fine[other]).sum(axis=1) <= FINE_DISTANCE)
        return np.stack([one[kept], other[kept]], axis=1)

    with ThreadPoolExecutor() as pool:
        for row in range(0, len(hashed), _ROWS):
            yield np.concatenate(list(pool.map(partial(compare, row), range(row, len(hashed), _COLUMNS))))


def similarity(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much the details of images agree: the correlation of what remains without the local mean.

    The coarse look of two chests correlates at up to 0.97, the texture of ribs and vessels does not.

    Args:
        images: uint8 (N, S, S).
        others: likewise.

    Returns:
        float (N,), from -1 to 1. Equal images have 1, whatever is on them.
    """
    one, other = _details(images), _details(others)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    correlations = (one * other).sum(axis=1) / np.maximum(norms, 1e-6)
    return np.where((images == others).all(axis=(1, 2)), 1.0, correlations)


def _details(images: np.ndarray) -> np.ndarray:
    """float32 (N, P): deviations from the local mean, at 32 to 63 px, the border left out."""
    count, size, _ = images.shape
    factor = max(1, size // _DETAIL_SIZE)
    whole = size // factor * factor
    small = images[:, :whole, :whole].reshape(count, whole // factor, factor, whole // factor, factor)
    small = small.sum(axis=(2, 4), dtype=np.int32)
    # The mean of a window is a difference of sums over all that is above and left of its corners.
    sums = np.pad(small.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    rows = sums[:, _WINDOW:] - sums[:, :-_WINDOW]
    means = (rows[:, :, _WINDOW:] - rows[:, :, :-_WINDOW]) / np.float32(_WINDOW**2)
    inside = slice(_WINDOW // 2, -(_WINDOW // 2))
    details = (small[:, inside, inside] - means).astype(np.float32).reshape(count, -1)
    return details - details.mean(axis=1, keepdims=True)


def _gathered(group_of: np.ndarray) -> list[np.ndarray]:
    """The positions of each group of more than one, from the number of the group at each position."""
    _, number, sizes = np.unique(group_of, return_inverse=True, return_counts=True)
    inside = np.flatnonzero(sizes[number] > 1)
    order = inside[np.argsort(number[inside], kind="stable")]
    found = np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(order) else []
    return sorted(found, key=lambda group: group[0])


def to_drop(copies: list[np.ndarray], manifest: pd.DataFrame) -> np.ndarray:
    """Which images to leave out so that no picture is there twice.

    One image of each group stays: the test split's if it has one, so that a published test split stays whole, else
    validation's, and among equals the first. Where the copies disagree on the class, all of them go, since nobody
    knows which label is right.

    Args:
        copies: groups of positions in the manifest.
        manifest: with the columns `label` and `split`.

    Returns:
        bool (N,).
    """
    labels, splits = manifest["label"].to_numpy(), manifest["split"].to_numpy()
    drop = np.zeros(len(manifest), bool)
    for group in copies:
        drop[group] = True
        if len(set(labels[group])) == 1:
            drop[min(group, key=lambda image: _PREFERENCE[splits[image]])] = False
    return drop


def linked_patients(copies: list[np.ndarray], manifest: pd.DataFrame) -> pd.Series:
    """Whom a split must keep together: patients who share a picture count as one.

    Args:
        copies: groups of positions in the manifest.
        manifest: with the column `patient`.

    Returns:
        A name for each image, the same for all images of linked patients.
    """
    number, names = pd.factorize(manifest["patient"])
    person = np.arange(len(names))
    for group in copies:
        same = np.unique(person[number[group]])
        person[np.isin(person, same)] = same[0]
    return pd.Series(names[person[number]], index=manifest.index)


def describe(copies: list[np.ndarray], manifest: pd.DataFrame, splits: np.ndarray) -> dict[str, Any]:
    """Counts groups of copies and what they mean for the splits.

    Args:
        copies: groups of positions in the manifest.
        manifest: with the columns `image`, `label`, `patient` and `sha256`.
        splits: of each image, those that training and test use; "" for images that are in none.

    Returns:
        `groups`, `images`, `re_encoded`, `across_splits`, `across_classes`, `across_patients`, `examples` as
        components/artifacts/README.md describes them.
    """
    columns = {name: manifest[name].to_numpy() for name in ("image", "label", "patient", "sha256")}

    def spans(values: np.ndarray) -> list[bool]:
        return [len(set(values[group]) - {""}) > 1 for group in copies]

    across = spans(splits)
    named = [group for _, group in sorted(zip(across, copies, strict=True), key=lambda item: not item[0])]
    return {
        "groups": len(copies),
        "images": sum(map(len, copies)),
        "re_encoded": sum(spans(columns["sha256"])),
        "across_splits": sum(across),
        "across_classes": sum(spans(columns["label"])),
        "across_patients": sum(spans(columns["patient"])),
        "examples": [columns["image"][group].tolist() for group in named[:EXAMPLES]],
    }
