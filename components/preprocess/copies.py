"""Finds images that are copies of each other, including re-encoded and resized copies, by their prepared pixels.

Pairs with similar perceptual hashes are candidates, which are then verified by their pixels: lungs look so similar that
almost all candidates are different patients (see benchmarks/README.md for counts). Of libraries, imagehash has the hash
alone, and no search that scales to 100,000 images.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from components import machine
from components.artifacts.dataset_summary import Copies

DISTANCE, FINE_DISTANCE = 4, 32
"""Largest number of differing bits, of 64 and of 256, in the hashes of candidates. Copies of real radiographs, saved at
JPEG quality 30 to 95 or 0.43 to 1.5 times the size, differ in at most 4 and 28, other pairs in 38 and more of 256."""
CORRELATION = 0.88
"""Candidates are copies if the correlation of their details is at least this: it is 0.94 and more for copies, and at
most 0.80 for different images whose hashes differ in up to 12 of 64 bits."""

EXAMPLES = 10
"""Number of groups that are named, those across splits first."""

_PREFERENCE = {"test": 0, "validation": 1, "train": 2, "": 2}
_DETAIL_SIZE, _WINDOW = 32, 3
_ROWS, _COLUMNS = 256, 4096
"""Size of a tile of comparisons, which has 8 MB of differences."""
_PAIRS = 256


def hashes(images: np.ndarray) -> np.ndarray:
    """Perceptual hashes: whether each of the lowest frequencies is above their median (pHash; Zauner 2010, phash.org).

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
    """uint64 (N, K * K / 64): which of (N, K, K) are above the median; the mean brightness counts as below it."""
    flat = frequencies.reshape(len(frequencies), -1)
    middle = flat.shape[1] // 2 - 1  # an odd number without the mean; np.median gives the same, but more slowly
    bits = flat > np.partition(flat[:, 1:], middle, axis=1)[:, middle : middle + 1]
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(np.uint64)


def find(hashed: np.ndarray, read: Callable[[Sequence[int]], np.ndarray]) -> list[np.ndarray]:
    """Finds groups of images that are copies of each other, directly or via other copies.

    Pairs that already belong to one group are not compared, so that many copies of one picture cost little.

    Args:
        hashed: uint64 (N, 5), the hashes of each image.
        read: returns the images at given positions, uint8 (K, S, S).

    Returns:
        Ascending positions of the images of each group, sorted by the first image.
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
    """Finds pairs of hashes that differ in few bits, by comparing all pairs tile by tile on all cores.

    100,000 hashes are five billion comparisons, which take seconds in NumPy. Locality-sensitive hashing would not help,
    since most radiographs share most bands of their hashes.

    Args:
        hashed: uint64 (N, 5).

    Yields:
        int64 (M, 2): positions, the lower one first, for successive ranges of first positions.
    """
    coarse, fine = np.ascontiguousarray(hashed[:, 0]), hashed[:, 1:]

    def compare(row: int, column: int) -> np.ndarray:
        differing = np.bitwise_count(coarse[row : row + _ROWS, None] ^ coarse[None, column : column + _COLUMNS])
        one, other = np.divmod(np.flatnonzero(differing <= DISTANCE), differing.shape[1])
        one, other = one + row, other + column
        kept = (one < other) & (np.bitwise_count(fine[one] ^ fine[other]).sum(axis=1) <= FINE_DISTANCE)
        return np.stack([one[kept], other[kept]], axis=1)

    with ThreadPoolExecutor(machine.cores()) as pool:
        for row in range(0, len(hashed), _ROWS):
            yield np.concatenate(list(pool.map(partial(compare, row), range(row, len(hashed), _COLUMNS))))


def similarity(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Correlation of the details of images, which are their deviations from the local mean.

    The coarse appearance of two chests has a correlation of up to 0.97, the texture of ribs and vessels a low one.

    Args:
        images: uint8 (N, S, S).
        others: uint8 (N, S, S), compared one by one with `images`.

    Returns:
        float (N,), from -1 to 1. It is 1 for equal images, even constant ones.
    """
    one, other = _details(images), _details(others)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    correlations = (one * other).sum(axis=1) / np.maximum(norms, 1e-6)
    return np.where((images == others).all(axis=(1, 2)), 1.0, correlations)


def _details(images: np.ndarray) -> np.ndarray:
    """float32 (N, P): deviations from the local mean at a size of 32 to 63 px, without the border."""
    count, size, _ = images.shape
    factor = max(1, size // _DETAIL_SIZE)
    whole = size // factor * factor
    small = images[:, :whole, :whole].reshape(count, whole // factor, factor, whole // factor, factor)
    small = small.sum(axis=(2, 4), dtype=np.int32)
    # The sum over a window is a difference of cumulative sums at its corners.
    sums = np.pad(small.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    rows = sums[:, _WINDOW:] - sums[:, :-_WINDOW]
    means = (rows[:, :, _WINDOW:] - rows[:, :, :-_WINDOW]) / np.float32(_WINDOW**2)
    inside = slice(_WINDOW // 2, -(_WINDOW // 2))
    details = (small[:, inside, inside] - means).astype(np.float32).reshape(count, -1)
    return details - details.mean(axis=1, keepdims=True)


def _gathered(group_of: np.ndarray) -> list[np.ndarray]:
    """Positions of each group with several members, given the group number of each position."""
    _, number, sizes = np.unique(group_of, return_inverse=True, return_counts=True)
    inside = np.flatnonzero(sizes[number] > 1)
    order = inside[np.argsort(number[inside], kind="stable")]
    found = np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(order) else []
    return sorted(found, key=lambda group: group[0])


def to_drop(copies: list[np.ndarray], manifest: pd.DataFrame) -> np.ndarray:
    """Selects the images to remove so that no picture occurs twice.

    One image of each group is kept, preferably of the test split, so that a published test split stays complete, then
    of the validation split; of several, the first. If the copies have different labels, all are removed, since the
    correct label is unknown.

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
            drop[min(group, key=lambda image: _PREFERENCE[str(splits[image])])] = False
    return drop


def linked_patients(copies: list[np.ndarray], manifest: pd.DataFrame) -> pd.Series:
    """Merges patients who share a picture, so that a split by patient keeps them together.

    Args:
        copies: groups of positions in the manifest.
        manifest: with the column `patient`.

    Returns:
        The patient of each image, one name for all images of linked patients.
    """
    number, names = pd.factorize(manifest["patient"])
    person = np.arange(len(names))
    for group in copies:
        same = np.unique(person[number[group]])
        person[np.isin(person, same)] = same[0]
    return pd.Series(names[person[number]], index=manifest.index)


def describe(copies: list[np.ndarray], manifest: pd.DataFrame, splits: np.ndarray, dropped: np.ndarray) -> Copies:
    """Counts groups of copies, in total and across splits, classes and patients.

    Args:
        copies: groups of positions in the manifest.
        manifest: with the columns `image`, `label`, `patient` and `sha256`.
        splits: the final split of each image; "" for removed images.
        dropped: bool (N,), whether each image was removed.
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
        "dropped": int(dropped.sum()),
    }
