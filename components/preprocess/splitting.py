"""Assigns images to training, validation and test splits by patient."""

import pandas as pd

from components.artifacts.names import CLASSES
from components.console import UserError
from components.preprocess import folds

VALIDATION_FRACTION = 0.15
TEST_FRACTION = 0.2
SMALL_VALIDATION = 100
"""A source's validation split of at most this many images joins train: too few to select models and thresholds."""


def split(manifest: pd.DataFrame, seed: int, resplit: bool = False) -> tuple[pd.Series, str]:
    """Assigns every image to a split.

    The source's test split is kept, and so is its validation split if it is large enough. Missing splits are taken from
    the remaining images by patient, with the classes in proportion.

    Args:
        manifest: of a raw dataset, with the columns "label", "split" and "patient".
        seed: of the random selection of patients.
        resplit: ignore the source's splits.

    Returns:
        "train", "validation" or "test" for each row of the manifest, and a description of how the splits were made.

    Raises:
        UserError: a class has too few patients.
    """
    splits = manifest["split"].where((manifest["split"] != "") & (not resplit), "train").copy()
    rule = ["The source's splits are ignored."] if resplit else []
    own = splits == "validation"
    both = set(manifest.loc[own, "label"]) == set(CLASSES)
    kept = both and own.sum() > SMALL_VALIDATION
    if not kept:
        splits[own] = "train"
    if (splits == "test").any():
        rule.append("The source's test split is kept.")
    else:
        elsewhere = manifest["patient"].isin(manifest.loc[splits == "validation", "patient"])
        candidates = (splits == "train") & ~elsewhere
        splits[_take(manifest, candidates, TEST_FRACTION, seed, "test")] = "test"
        share = _share(manifest[candidates], splits == "test")
        why = "For the test split," if resplit else "The source has no test split:"
        rule.append(f"{why} {share} are set aside{'' if resplit else ' for it'}.")
    if kept:
        rule.append("The source's validation split is kept.")
    else:
        if own.any():
            why = "too few to choose anything on" if both else "of one class only"
            rule.append(f"The source's {own.sum()} validation images are {why} and join train.")
        candidates = splits == "train"
        splits[_take(manifest, candidates, VALIDATION_FRACTION, seed, "validation")] = "validation"
        share = _share(manifest[candidates], splits == "validation")
        rule.append(f"For validation, {share} are set aside from train.")
    return splits, " ".join(rule)


def _share(candidates: pd.DataFrame, taken: pd.Series) -> str:
    """Describes the share of candidates that was taken, which is rarely round because patients are not divided."""
    some = candidates[taken.loc[candidates.index]]
    patients, of = some["patient"].nunique(), candidates["patient"].nunique()
    return (
        f"{patients} of {of} patients ({patients / of:.1%}) with {len(some)} of {len(candidates)} images "
        f"({len(some) / len(candidates):.1%})"
    )


def _take(manifest: pd.DataFrame, candidates: pd.Series, fraction: float, seed: int, name: str) -> pd.Index:
    """Index of about `fraction` of the candidates, by patient, with the classes in proportion.

    Raises:
        UserError: too few patients are left.
    """
    rows = manifest[candidates]
    patients = rows.groupby("label")["patient"].nunique()
    fewest = min(int(patients.get(label, 0)) for label in CLASSES)
    if fewest < 2:
        label = min(CLASSES, key=lambda label: patients.get(label, 0))
        raise UserError(
            f"only {fewest} patients of the class {label} are left to make a {name} split from: add images of others"
        )
    count = min(round(1 / fraction), fewest)
    for taken in folds.divide(rows["label"].to_numpy(), rows["patient"].to_numpy(), count, seed):
        chosen = rows.iloc[taken]
        rest = rows.drop(chosen.index)
        if set(chosen["label"]) == set(rest["label"]) == set(CLASSES):
            return chosen.index
    raise UserError(f"no {name} split by patient has both classes: add images of other patients")
