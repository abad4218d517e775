"""Whether the images that were added to the data, or are gone, differ from the others, and those kept from before.

Patients are exchanged at random between the two groups, whole. The largest difference of all features in each exchange
tells how large it becomes by chance, however the features depend on each other (Westfall and Young 1993). Of images
that were kept but have changed, the signs of the differences are exchanged, by patient.

`docs/gate.md` has the method, `benchmarks/gate.py` what it achieves.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from components.artifacts.image_table import STATISTICS

ALARMS_PER_YEAR = 0.05
"""Largest share of years with random changes of the data in which any rings."""

PERMUTATIONS = 10_000
"""More where the level is so low that these could not show it."""

CHUNK = 500
"""Permutations at a time, so that memory stays small."""

CLEAR, CLEAR_FACTOR = 20, 10
"""After so many permutations in which the largest difference reaches each of those observed, and if their share is so
many times the level, no feature can become significant any more, and no further ones are drawn."""

RELABELLED = 0.1
"""Share of the kept images from which on other labels ring, even if as many have become normal as pneumonia."""

ADDED, GONE, KEPT = "added", "gone", "kept"

EQUAL = 0.001
"""Difference of a statistic up to which an image is as before: a quarter of one of 256 grey levels, by which decoders
differ without a consequence."""

FEATURES = ("label", *STATISTICS, "score")
_TITLES = {"label": "share of pneumonia", "score": "mean score of the models"}


class Compared(NamedTuple):
    """One feature of the images that were added or are gone.

    Attributes:
        feature: a column.
        of: `ADDED`, `GONE` or `KEPT`.
        mean: over the patients of these images.
        others: over those of the other images; of `KEPT` that of the same images before.
        p: corrected for all features and groups.
    """

    feature: str
    of: str
    mean: float
    others: float
    p: float


@dataclass(frozen=True)
class Drift:
    """How the data changed.

    Attributes:
        added, gone, kept: numbers of images.
        changed: how many of those kept have another label or other statistics.
        relabelled: how many of them have another label.
        tests: of every feature.
        level: of the run.
        alarm: whether any feature differs, or more labels than `RELABELLED`.
    """

    added: int
    gone: int
    kept: int
    changed: int
    relabelled: int
    tests: tuple[Compared, ...]
    level: float
    alarm: bool


def judge(earlier: pd.DataFrame, new: pd.DataFrame, runs_per_year: float = 52, seed: int = 0) -> Drift:
    """Compares the images that were added with the others, those gone with those kept, and these with what they were.

    If nothing was kept, all new images are compared with all earlier ones, without scores: those are of other models.

    Args:
        earlier: images of the earlier run: image, patient, label, brightness, contrast, sharpness, and score, NaN for
            images that are not in the test split.
        new: likewise of the new run.
        runs_per_year: over which the false alarms of a year are spread.
        seed: of the permutations.
    """
    level = ALARMS_PER_YEAR / runs_per_year
    added, gone = ~new["image"].isin(earlier["image"]), ~earlier["image"].isin(new["image"])
    kept = int((~added).sum())
    if kept:
        comparisons = [(ADDED, new, added), (GONE, earlier, gone)]
    else:
        both = pd.concat([earlier, new], ignore_index=True).assign(score=np.nan)
        comparisons = [(ADDED, both, pd.Series(np.arange(len(both)) >= len(earlier)))]
    comparisons = [own for own in comparisons if 0 < own[2].sum() < len(own[2])]
    random = np.random.default_rng(seed)
    tests = [test for of, table, chosen in comparisons for test in _tests(table, chosen.to_numpy(), of, level, random)]
    changes = _changes(earlier, new)
    relabelled = int((changes["label"] != changes["label before"]).sum())
    if len(changes):
        tests += _kept(changes, level, random)
    groups = len(comparisons) + bool(len(changes))
    tests = [test._replace(p=min(1.0, test.p * groups)) for test in tests]
    return Drift(
        added=int(added.sum()),
        gone=int(gone.sum()),
        kept=kept,
        changed=len(changes),
        relabelled=relabelled,
        tests=tuple(tests),
        level=level,
        alarm=relabelled > RELABELLED * kept or any(test.p <= level for test in tests),
    )


def _tests(
    table: pd.DataFrame, chosen: np.ndarray, of: str, level: float, random: np.random.Generator
) -> list[Compared]:
    """The tests of the `chosen` images against the others."""
    # A patient with images in both groups counts in both: being alike, they only make the groups more alike.
    units = table.assign(chosen=chosen).groupby(["patient", "chosen"], sort=True)[list(FEATURES)].mean()
    group = units.index.get_level_values("chosen").to_numpy(dtype=bool)
    values = units.to_numpy(dtype=np.float64)
    usable = [column for column in range(values.shape[1]) if _varies(values[:, column], group)]
    if not usable:
        return []
    values = values[:, usable]
    known = np.isfinite(values)
    values = np.where(known, values - np.nanmean(values, axis=0), 0.0)
    observed = _differences(group[None].astype(np.float32), values, known)[0]
    largest = (_differences(part, values, known).max(axis=1) for part in _permuted(group, _count(level), random))
    p = _shares(observed, largest, level)
    there, others = units[group].mean(), units[~group].mean()
    names = [FEATURES[column] for column in usable]
    return [
        Compared(name, of, float(there[name]), float(others[name]), float(own))
        for name, own in zip(names, p, strict=True)
    ]


def _changes(earlier: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The kept images that are not as before: patient, and of each feature but the score the value and that before."""
    features = list(FEATURES[:-1])
    both = new[["image", "patient", *features]].merge(
        earlier[["image", *features]].drop_duplicates("image"), on="image", suffixes=("", " before")
    )
    apart = both[features].to_numpy(float) - both[[f"{name} before" for name in features]].to_numpy(float)
    return both[(np.abs(np.nan_to_num(apart)) > EQUAL).any(axis=1)]


def _kept(changes: pd.DataFrame, level: float, random: np.random.Generator) -> list[Compared]:
    """The tests of images against what they were before: as likely as not a patient's have changed the other way."""
    features = list(FEATURES[:-1])
    sums = changes.groupby("patient", sort=True)[list(changes.columns[2:])].sum()
    apart = np.nan_to_num(
        sums[features].to_numpy(float) - sums[[f"{name} before" for name in features]].to_numpy(float)
    )
    size = np.sqrt((apart**2).sum(axis=0))
    scaled = (apart / np.where(size > 0, size, 1.0)).astype(np.float32)
    observed = np.abs(scaled.sum(axis=0))
    signs = (random.choice(np.array([-1, 1], np.float32), (CHUNK, len(scaled))) for _ in range(0, _count(level), CHUNK))
    p = _shares(observed, (np.abs(part @ scaled).max(axis=1) for part in signs), level)
    mean = changes[list(changes.columns[2:])].mean()
    return [
        Compared(name, KEPT, float(mean[name]), float(mean[f"{name} before"]), float(own))
        for name, own, usable in zip(features, p, size > 0, strict=True)
        if usable
    ]


def _count(level: float) -> int:
    """Number of exchanges."""
    return max(PERMUTATIONS, math.ceil(5 / level))


def _shares(observed: np.ndarray, exchanged: Iterable[np.ndarray], level: float) -> np.ndarray:
    """The share of exchanges in which the largest difference of all features reaches that observed of each."""
    reached, done = np.zeros(len(observed)), 0
    for largest in exchanged:
        # Rounding must not count an exchange that gives the same groups as smaller.
        reached += (largest[:, None] >= observed * (1 - 1e-6)).sum(axis=0)
        done += len(largest)
        if reached.min() >= CLEAR and reached.min() > CLEAR_FACTOR * level * done:
            break
    return (reached + 1) / (done + 1)


def _varies(values: np.ndarray, group: np.ndarray) -> bool:
    """Whether both groups have the feature, and it is not the same everywhere."""
    known = np.isfinite(values)
    return bool((known & group).any() and (known & ~group).any() and np.ptp(values[known]) > 0)


def _permuted(group: np.ndarray, count: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Random groups of the same size, float32 (`CHUNK`, units)."""
    size, units = int(group.sum()), len(group)
    for start in range(0, count, CHUNK):
        rows = min(CHUNK, count - start)
        # Two of these numbers are equal so rarely that it does not matter.
        keys = random.integers(2**32, size=(rows, units), dtype=np.uint32)
        largest = np.partition(keys, size - 1, axis=1)[:, size - 1 : size]
        yield (keys <= largest).astype(np.float32)


def _differences(groups: np.ndarray, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The absolute standardised differences of the means (rows, features) between groups (rows, units) and the rest."""
    deviation = np.sqrt((values**2).sum(axis=0) / known.sum(axis=0))
    sums, sizes = groups @ values.astype(np.float32), groups @ known.astype(np.float32)
    rest = known.sum(axis=0) - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(sums / sizes + sums / rest) / np.sqrt(1 / sizes + 1 / rest) / deviation
    return np.nan_to_num(apart, nan=0.0, posinf=0.0)


def sentence(drift: Drift) -> str:
    """The reason of an alarm: every feature that differs."""
    where = {
        ADDED: ("the images that were added", "the others") if drift.kept else ("the new images", "the earlier ones"),
        GONE: ("the images that are gone", "the others"),
        KEPT: ("the kept images that changed", "the same before"),
    }
    relabelled = f"{drift.relabelled} of {drift.kept} kept images have another label than before"
    reasons = [relabelled] if drift.relabelled > RELABELLED * drift.kept else []
    reasons += [
        f"{_TITLES.get(test.feature, test.feature)} of {where[test.of][0]} {test.mean:.3f}, of {where[test.of][1]} "
        f"{test.others:.3f} (p = {_digits(test.p)})"
        for test in drift.tests
        if test.p <= drift.level
    ]
    return "; ".join(reasons)


def _digits(p: float) -> str:
    """A p-value with one digit, never as a power of ten."""
    return np.format_float_positional(p, precision=1, fractional=False, trim="-")
