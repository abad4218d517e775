"""Assigns images to train, validation and test so that no patient is on both sides of a split made here."""

import pandas as pd

from components.artifacts.names import CLASSES
from components.console import UserError
from components.preprocess import folds

VALIDATION_FRACTION = 0.15
TEST_FRACTION = 0.2
SMALL_VALIDATION = 100
"""A source's own validation split of at most so many images joins train: too few to choose anything on."""


def split(manifest: pd.DataFrame, seed: int) -> tuple[pd.Series, str]:
    """Gives every image its split.

    The source's own test split is kept, and so is its validation split where it is large enough. What is missing is
    taken out of the rest by patient, with the classes in proportion.

    Args:
        manifest: a raw dataset's, with the columns "label", "split" and "patient".
        seed: of the choice of patients.

    Returns:
        "train", "validation" or "test" for each row of the manifest, and a sentence that says how.

    Raises:
        UserError: too few patients of a class.
    """
    splits = manifest["split"].where(manifest["split"] != "", "train").copy()
    rule = []
    own = splits == "validation"
    both = set(manifest.loc[own, "label"]) == set(CLASSES)
    kept = both and own.sum() > SMALL_VALIDATION
    if not kept:
        splits[own] = "train"
    if (splits == "test").any():
        rule.append("The source's test split is kept.")
    else:
        elsewhere = manifest["patient"].isin(manifest.loc[splits == "validation", "patient"])
        splits[_take(manifest, (splits == "train") & ~elsewhere, TEST_FRACTION, seed, "test")] = "test"
        rule.append(f"The source has no test split: {TEST_FRACTION:.0%} of the patients are set aside for it.")
    if kept:
        rule.append("The source's validation split is kept.")
    else:
        if own.any():
            why = "too few to choose anything on" if both else "of one class only"
            rule.append(f"The source's {own.sum()} validation images are {why} and join train.")
        splits[_take(manifest, splits == "train", VALIDATION_FRACTION, seed, "validation")] = "validation"
        rule.append(f"{VALIDATION_FRACTION:.0%} of the training patients are set aside for validation.")
    return splits, " ".join(rule)


def _take(manifest: pd.DataFrame, candidates: pd.Series, fraction: float, seed: int, name: str) -> pd.Index:
    """Index of about `fraction` of the candidates: whole patients, classes in proportion."""
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
