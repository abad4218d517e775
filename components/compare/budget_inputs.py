"""Reads the trainings with fewer labelled patients, and checks that they belong to the evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.artifacts.failed_training import FailedTraining
from components.artifacts.label_budgets import BudgetTraining, LabelBudgets, LabelBudgetsRecord
from components.artifacts.names import REGIMES
from components.compare import failures
from components.compare.inputs import Inputs
from components.console import UserError

KEYS = ["image", "label", "patient"]


@dataclass(frozen=True)
class Budgeted:
    """The trainings of one regime with budgets.

    Attributes:
        record: content of `label_budgets.json`.
        budgets: {number of patients: rows of its trainings, by draw}, ascending, of those that gave results.
        left_out: {budget: why there is no result with it}.
        scores: float64 (T, N), probability of pneumonia of each test image, in the order of `Inputs.labels`.
        external: float64 (T, E), likewise of the external test set; (T, 0) without one.
    """

    record: LabelBudgetsRecord
    budgets: dict[int, list[int]]
    left_out: dict[str, str]
    scores: np.ndarray
    external: np.ndarray


@dataclass(frozen=True)
class BudgetInputs:
    """The trainings of all regimes with budgets.

    Attributes:
        regimes: in the order of `REGIMES`.
        failures: of trainings with budgets that failed as a whole.
    """

    regimes: dict[str, Budgeted]
    failures: list[FailedTraining]

    @property
    def draws(self) -> int:
        """Trainings with each budget; 0 if there is none."""
        return max((len(rows) for own in self.regimes.values() for rows in own.budgets.values()), default=0)


def load(folders: Sequence[str | Path], inputs: Inputs) -> BudgetInputs | None:
    """Reads the trainings with budgets of any regimes.

    Args:
        folders: written by train, one for each regime; a folder may have the failure of its trainings instead.
        inputs: the evaluations, of whose test images and dataset the trainings must be.

    Returns:
        None without folders.

    Raises:
        UserError: a folder cannot be read, two are of one regime, or the trainings are not of the evaluations' images
            or of the same patients.
    """
    if not folders:
        return None
    failed = failures.load(folders)
    given = [LabelBudgets.load(folder) for folder in folders if Path(folder) not in failed]
    by_regime: dict[str, LabelBudgets] = {}
    for own in given:
        _check_regime(own, by_regime, failed)
        _check_dataset(own, inputs)
        by_regime[own.record["regime"]] = own
    _check_same_patients(given)
    ordered = {name: _budgeted(by_regime[name], inputs) for name in REGIMES if name in by_regime}
    return BudgetInputs(ordered, list(failed.values()))


def _check_regime(own: LabelBudgets, known: dict[str, LabelBudgets], failed: failures.Failures) -> None:
    regime = own.record["regime"]
    if regime not in REGIMES:
        raise UserError(f"{own.folder} is of the unknown regime {regime!r}: use one of {', '.join(REGIMES)}")
    others = [other.folder for name, other in known.items() if name == regime]
    others += [folder for folder, failure in failed.items() if failure["regime"] == regime]
    if others:
        raise UserError(f"{others[0]} and {own.folder} are both label budgets of {regime}: pass one of them")


def _check_dataset(own: LabelBudgets, inputs: Inputs) -> None:
    """Checks the dataset and the external test set."""
    fingerprint, expected = own.record["dataset"]["fingerprint"], inputs.dataset.info["fingerprint"]
    if fingerprint != expected:
        raise UserError(
            f"{own.folder} was trained on another dataset (fingerprint {fingerprint[:12]}) than "
            f"{inputs.dataset.folder} ({expected[:12]}): train with label budgets on this dataset"
        )
    external = own.record["external"]
    fingerprints = [found["fingerprint"] if found else None for found in (external, _external(inputs))]
    if fingerprints[0] != fingerprints[1]:
        raise UserError(
            f"{own.folder} and {inputs.models[0].evaluation.folder} were scored on different external test sets, or "
            "only one of them on one: train with label budgets and evaluate with the same external test set"
        )


def _external(inputs: Inputs) -> dict[str, str] | None:
    return {"fingerprint": inputs.external.info["fingerprint"]} if inputs.external else None


def _check_same_patients(given: Sequence[LabelBudgets]) -> None:
    """Checks that draws are those of one dataset and seed, so that regimes can be paired."""
    first: dict[tuple[int, int], tuple[BudgetTraining, Path]] = {}
    numbers: dict[frozenset[int], Path] = {}
    for own in given:
        if own.record["patients"] != given[0].record["patients"]:
            raise _unlike(given[0].folder, own.folder)
        draws: dict[int, set[int]] = {}
        for training in own.record["trainings"]:
            key = (training["budget"], training["draw"])
            other, folder = first.setdefault(key, (training, own.folder))
            if any(other[name] != training[name] for name in ("seed", "patients", "images")):
                raise _unlike(folder, own.folder)
            draws.setdefault(training["budget"], set()).add(training["draw"])
        for found in draws.values():
            numbers.setdefault(frozenset(found), own.folder)
    if len(numbers) > 1:
        raise _unlike(*list(numbers.values())[:2])


def _unlike(first: Path, second: Path) -> UserError:
    where = f"{first} and {second} have" if first != second else f"{first} has"
    return UserError(
        f"{where} draws of different labelled patients, or of different numbers of them, so they cannot be compared: "
        "train all regimes with the same label budgets, draws and seed"
    )


def _budgeted(own: LabelBudgets, inputs: Inputs) -> Budgeted:
    """The trainings of one regime, once their images are known to be those of the evaluations."""
    tables = {name: _rows(own, inputs, name) for name in ("test", "external")}
    scores = own.scores.astype(np.float64)
    known = np.concatenate(list(tables.values()))
    budgets: dict[int, list[int]] = {}
    left_out = dict(own.record["left_out"])
    order = sorted(range(len(scores)), key=lambda row: own.record["trainings"][row]["draw"])
    for row in sorted(order, key=lambda row: own.record["trainings"][row]["budget"]):
        budgets.setdefault(own.record["trainings"][row]["budget"], []).append(row)
    for budget, rows in list(budgets.items()):
        lost = [own.record["trainings"][row]["draw"] for row in rows if not np.isfinite(scores[row, known]).all()]
        if lost:
            left_out[str(budget)] = (
                f"draw {', '.join(map(str, lost))} diverged and gave scores that are not numbers: train with a lower "
                "learning rate"
            )
            del budgets[budget]
    return Budgeted(own.record, budgets, left_out, scores[:, tables["test"]], scores[:, tables["external"]])


def _rows(own: LabelBudgets, inputs: Inputs, split: str) -> np.ndarray:
    """Where the images of a split are, in the order of `Inputs`."""
    first = inputs.models[0].evaluation
    reference = _by_name(first.split(split))
    found = own.images[own.images["split"] == split]
    if not _by_name(found).equals(reference):
        raise UserError(
            f"{first.folder} and {own.folder} were scored on different test images or labels: train with label budgets "
            "and evaluate on the same prepared dataset"
        )
    return found.sort_values("image", kind="stable").index.to_numpy()


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    return table[KEYS].sort_values("image", kind="stable", ignore_index=True)
