"""Finds images that are copies of each other, also re-encoded or resized ones, by their prepared pixels.

A perceptual hash proposes pairs, the pixels confirm them: lungs look so much alike that nearly all pairs with similar
hashes are different patients (benchmarks/README.md has the counts).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DISTANCE = 4
"""Pairs whose 64-bit hashes differ in at most so many bits are looked at. Copies re-encoded at JPEG quality 30 to 95 or
scaled to 0.43 to 1.5 times the size stay below it."""
CORRELATION = 0.85
"""Pairs whose details correlate at least so much are copies. Measured: copies 0.91 and more, pairs of different images
at most 0.66 (0.78 among the smallest prepared images, of 32 px)."""

EXAMPLES = 10
"""So many groups are named, those across splits first."""

_PREFERENCE = {"test": 0, "validation": 1, "train": 2, "": 2}
_DETAIL_SIZE = 64
_TILE = 4096
_PAIRS = 256


def hashes(images: np.ndarray) -> np.ndarray:
    """The perceptual hash of images: the signs of their lowest frequencies (pHash; Zauner 2010, phash.org).

    Args:
        images: uint8 (N, S, S).

    Returns:
        uint64 (N,).
    """
    size = images.shape[1]
    cosines = np.cos(np.pi * (np.arange(size) + 0.5) * np.arange(8)[:, None] / size).astype(np.float32)
    frequencies = (cosines @ images.astype(np.float32) @ cosines.T).reshape(len(images), 64)
    bits = frequencies > np.median(frequencies[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False  # the mean brightness
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def near_pairs(found: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Pairs of hashes that differ in few bits: all against all, tile by tile, on all cores.

    100,000 hashes are five billion comparisons, a matter of seconds in numpy; an index over hashes would have to cope
    with most radiographs sharing most of its bands.

    Args:
        found: uint64 (N,).
        distance: at most so many bits may differ.

    Returns:
        int64 (M, 2): positions, the lower first, in ascending order.
    """

    def compare(start: tuple[int, int]) -> np.ndarray:
        row, column = start
        differing = np.bitwise_count(found[row : row + _TILE // 16, None] ^ found[None, column : column + _TILE])
        pairs = np.argwhere(differing <= distance) + start
        return pairs[pairs[:, 0] < pairs[:, 1]]

    tiles = [
        (row, column)
        for row in range(0, len(found), _TILE // 16)
        for column in range(row // _TILE * _TILE, len(found), _TILE)
    ]
    with ThreadPoolExecutor() as pool:
        pairs = np.concatenate([np.empty((0, 2), np.int64), *pool.map(compare, tiles)])
    return pairs[np.lexsort(pairs.T[::-1])]


def confirmed(pairs: np.ndarray, read: Callable[[Sequence[int]], np.ndarray]) -> np.ndarray:
    """Keeps the pairs that are copies of each other by their pixels.

    Args:
        pairs: int64 (M, 2), as `near_pairs` gives them.
        read: gives the images at some positions: uint8 (K, S, S).

    Returns:
        Some of the pairs.
    """
    kept = [np.empty((0, 2), np.int64)]
    for start in range(0, len(pairs), _PAIRS):
        some = pairs[start : start + _PAIRS]
        kept.append(some[similarity(read(some[:, 0]), read(some[:, 1])) >= CORRELATION])
    return np.concatenate(kept)


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
    """float32 (N, P): deviations from the local mean, at about 64 px, the border left out."""
    count, size, _ = images.shape
    factor = max(1, size // _DETAIL_SIZE)
    whole = size // factor * factor
    small = images[:, :whole, :whole].reshape(count, whole // factor, factor, whole // factor, factor)
    small = small.mean(axis=(2, 4), dtype=np.float32)
    reach = max(3, small.shape[1] // 12 | 1)
    border = slice(reach // 2, -(reach // 2))
    details = (small - uniform_filter(small, (0, reach, reach)))[:, border, border].reshape(count, -1)
    return details - details.mean(axis=1, keepdims=True)


def groups(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Gathers images that are copies of each other, directly or by way of others.

    Args:
        pairs: int64 (M, 2), confirmed.
        count: how many images there are.

    Returns:
        Positions of the images of each group, ascending, groups by their first image.
    """
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, member = connected_components(links, directed=False)
    sizes = np.bincount(member, minlength=number)
    inside = np.flatnonzero(sizes[member] > 1)
    order = inside[np.argsort(member[inside], kind="stable")]
    found = np.split(order, np.flatnonzero(np.diff(member[order])) + 1) if len(order) else []
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
    pairs = [(number[group[0]], number[other]) for group in copies for other in group[1:]]
    linked = pd.Series(names[number], index=manifest.index)
    for members in groups(np.array(pairs, np.int64).reshape(-1, 2), len(names)):
        linked[np.isin(number, members)] = names[members[0]]
    return linked


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
