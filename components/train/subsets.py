"""Label budgets: the patients of the training and validation split of whom a training has the labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from components.artifacts.label_budgets import Labelled
from components.artifacts.names import CLASSES
from components.artifacts.prepared_dataset import PreparedDataset, Split

FEWEST = {"train": 2, "validation": 1}
"""Patients of each class that a split must have left: one for the ROC AUC, two for something to learn from."""


@dataclass(frozen=True)
class Subset:
    """Some patients of a dataset.

    Attributes:
        budget: their number, of training and validation together.
        draw: counted from 1.
        rows: indices of their images in the training and in the validation split, ascending.
    """

    budget: int
    draw: int
    rows: Mapping[str, np.ndarray]

    def of(self, data: PreparedDataset) -> PreparedDataset:
        """The dataset with these images alone in the two splits, in the same order."""
        own = {name: _taken(data.splits[name], rows) for name, rows in self.rows.items()}
        return replace(data, splits=data.splits | own)

    def is_everything(self, data: PreparedDataset) -> bool:
        """Whether no patient is left out."""
        return all(len(rows) == len(data.splits[name]) for name, rows in self.rows.items())


def _taken(split: Split, rows: np.ndarray) -> Split:
    if len(rows) == len(split):
        return split
    return Split(split.name, split.images[rows], split.index.iloc[rows].reset_index(drop=True))


def counted(data: PreparedDataset) -> tuple[Labelled, Labelled]:
    """Numbers of patients and of images in the training and in the validation split."""
    train, validation = data.splits["train"], data.splits["validation"]
    patients = [int(split.index["patient"].nunique()) for split in (train, validation)]
    return (
        {"train": patients[0], "validation": patients[1]},
        {"train": len(train), "validation": len(validation)},
    )


def total(data: PreparedDataset) -> int:
    """Number of patients in the training and the validation split together."""
    return len(_strata(data))


def planned(
    data: PreparedDataset, budgets: Sequence[int], draws: int, seed: int
) -> tuple[list[Subset], dict[str, str]]:
    """The subsets of all budgets and draws, and why budgets were left out.

    Args:
        data: the whole dataset.
        budgets: numbers of patients, ascending.
        draws: number of draws.
        seed: of the draws; other budgets and further draws leave those of a draw as they are.

    Returns:
        The subsets by budget and draw; and {budget: reason} for those that the dataset does not allow.
    """
    strata = _strata(data)
    orders = {draw: _ordered(strata, seed, draw) for draw in range(1, draws + 1)}
    found: list[Subset] = []
    left_out = {}
    for budget in budgets:
        if budget >= len(strata):
            left_out[str(budget)] = f"the dataset has {len(strata)} patients for training and validation"
            continue
        own = [Subset(budget, draw, _rows(data, order[:budget])) for draw, order in orders.items()]
        if lacking := next((reason for subset in own for reason in _lacking(data, subset)), ""):
            left_out[str(budget)] = lacking
        else:
            found += own
    return found, left_out


def everything(data: PreparedDataset, draw: int = 1) -> Subset:
    """The subset of all patients."""
    every = {name: np.arange(len(data.splits[name])) for name in FEWEST}
    return Subset(total(data), draw, every)


def _strata(data: PreparedDataset) -> pd.Series:
    """The stratum of each patient: its split (both if it has images in both) and its class, 1 if any image has it."""
    images = pd.concat([data.splits[name].index.assign(split=name) for name in FEWEST])
    patients = images.groupby("patient").agg(
        split=("split", lambda own: "+".join(sorted(set(own)))), label=("label", "max")
    )
    return patients["split"] + " " + patients["label"].astype(str)


def _ordered(strata: pd.Series, seed: int, draw: int) -> np.ndarray:
    """All patients in an order of which every beginning has about the same share of each stratum.

    Within a stratum of s patients the order is random, and the one of rank r (from 0) has the key (r + 0.5) / s; the
    keys give the order, of equal ones the stratum.
    """
    random = np.random.default_rng([seed, draw])
    keyed = [
        ((rank + 0.5) / len(own), stratum, patient)
        for stratum, own in strata.groupby(strata)
        for rank, patient in enumerate(random.permutation(own.index.to_numpy()))
    ]
    return np.array([patient for _, _, patient in sorted(keyed, key=lambda entry: entry[:2])], object)


def _rows(data: PreparedDataset, patients: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.flatnonzero(data.splits[name].index["patient"].isin(patients)) for name in FEWEST}


def _lacking(data: PreparedDataset, subset: Subset) -> Iterator[str]:
    """What a subset has too few of."""
    for name, fewest in FEWEST.items():
        index = data.splits[name].index.iloc[subset.rows[name]]
        for label, title in enumerate(CLASSES):
            count = index.loc[index["label"] == label, "patient"].nunique()
            if count < fewest:
                of_them = f"{count} of them with images of the class {title}"
                yield f"draw {subset.draw} would leave the {name} split {of_them}, and at least {fewest} are needed"
