"""Counts the groups of patients and images in each split, without numbers that are so small that they are personal."""

import pandas as pd

from components.artifacts.dataset_summary import Characteristics
from components.artifacts.names import AGE_BANDS, CHARACTERISTICS, SPLITS

SMALL = 5
"""Smaller counts, except 0, are not published."""

TOO_SMALL = f"<{SMALL}"
NOT_SHOWN = "not shown"
"""Replaces the next larger count beside small ones, which could be computed from the total otherwise."""

UNKNOWN = "unknown"
OF_PATIENTS = ("sex", "age")
"""Characteristics that are counted by patient; the others are counted by image."""


def describe(manifest: pd.DataFrame, splits: pd.Series) -> Characteristics:
    """Counts the groups of each characteristic in each split.

    A patient counts once, in the group of the first image. Counts of less than `SMALL` are suppressed, and with them
    the next larger one, since the total of the split is known.

    Args:
        manifest: with the columns "patient" and those of `names.CHARACTERISTICS` that the files name.
        splits: str (N,), the split of each row, "" for none.

    Returns:
        Nothing for characteristics that no file names.
    """
    used = manifest.assign(split=splits)[splits.isin(SPLITS)]
    found: Characteristics = {}
    for name in CHARACTERISTICS:
        if name not in used or not (used[name] != "").any():
            continue
        counted = used.drop_duplicates(["split", "patient"]) if name in OF_PATIENTS else used
        values = counted[name].replace("", UNKNOWN)
        groups = sorted(values.unique(), key=_order)
        by_split = {
            split: suppressed({group: int(((counted["split"] == split) & (values == group)).sum()) for group in groups})
            for split in SPLITS
        }
        found[name] = {group: {split: by_split[split][group] for split in SPLITS} for group in groups}
    return found


def suppressed(counts: dict[str, int]) -> dict[str, int | str]:
    """The counts without those that could point to a person.

    Args:
        counts: {group: number}; their sum is known to the reader.
    """
    small = [group for group, number in counts.items() if 0 < number < SMALL]
    found: dict[str, int | str] = {group: TOO_SMALL if group in small else number for group, number in counts.items()}
    larger = [group for group, number in counts.items() if number >= SMALL]
    if small and larger:
        found[min(larger, key=lambda group: counts[group])] = NOT_SHOWN
    return found


def _order(group: str) -> tuple[bool, int, str]:
    """Bands of age by age, other groups by name, unknown ones last."""
    return group == UNKNOWN, AGE_BANDS.index(group) if group in AGE_BANDS else 0, group
