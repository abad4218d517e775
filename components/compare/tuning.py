"""The searches for learning rate and trainable layers: what each seed kept, and how much the regimes depend on it."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np

from components.artifacts import evaluation
from components.artifacts import tuning as artifact
from components.artifacts.tuning import Tuning, TuningCandidate
from components.artifacts.tuning_result import KeptCandidate, Penalty, RegimeTuning, Sensitivity, TuningResult
from components.compare.inputs import Inputs, Model
from components.compare.regime_results import metric_of
from components.compare.scored_models import validation_images
from components.compare.stats import tuning as stats
from components.compare.stats.uncertainty import Estimate
from components.console import UserError


def build(inputs: Inputs) -> TuningResult | None:
    """The searches of all regimes; None without any.

    Args:
        inputs: checked evaluations.
    """
    searches = [search for model in inputs.models if (search := _Searched.of(model))]
    validation = validation_images(inputs)
    if not searches or validation is None:
        return None
    scores: list[np.ndarray] = []
    for search in searches:
        search.place(scores)
    estimate = stats.estimate(validation.labels, validation.patients, np.stack(scores))
    by_regime: dict[str, list[_Searched]] = {}
    for search in searches:
        by_regime.setdefault(search.model.regime, []).append(search)
    rows = _rows(by_regime)
    return {
        "images": len(validation.labels),
        "patients": len(set(validation.patients)),
        "regimes": {name: _regime(own, estimate) for name, own in by_regime.items()},
        "orders": {f"{multiple:g}": names for multiple, names in stats.orders(estimate, rows).items()},
        "reversals": stats.reversals(estimate, rows),
    }


class _Searched:
    """The search of one seed, and the positions of its candidates in the estimate.

    Args:
        model: that was kept.
        tuning: of its training record.

    Attributes:
        rows: {number of a candidate: its position}.
        kept_row: position of the kept one.
    """

    def __init__(self, model: Model, tuning: Tuning):
        self.model, self.tuning = model, tuning
        self.rows: dict[int, int] = {}
        self.kept_row = 0

    @classmethod
    def of(cls, model: Model) -> "_Searched | None":
        tuning = model.record["training"].get("tuning")
        return cls(model, tuning) if tuning else None

    def place(self, scores: list[np.ndarray]) -> None:
        """Appends the scores of all candidates on the validation images, in the order of `Inputs`."""
        if self.tuning["varied"] == ["strength"]:
            self.kept_row = len(scores)
            scores.append(self.model.validation_scores)
            return
        folder = self.model.evaluation.folder
        table = artifact.load(folder, evaluation.KIND).sort_values("image", kind="stable")
        known = [number for number, own in self.candidates.items() if own["validation_auc"] is not None]
        images = self.model.evaluation.split("validation").sort_values("image", kind="stable")["image"]
        if table["image"].tolist() != images.tolist() or any(str(number) not in table for number in known):
            raise UserError(f"{folder / artifact.SCORES} does not fit evaluation.json beside it: run evaluate again")
        for number in known:
            self.rows[number] = len(scores)
            scores.append(table[str(number)].to_numpy(np.float64))
        self.kept_row = self.rows[self.tuning["chosen"]]

    @property
    def candidates(self) -> dict[int, TuningCandidate]:
        """All of them by number."""
        return dict(enumerate(self.tuning["candidates"], 1))

    @property
    def kept(self) -> TuningCandidate:
        """The one that was kept."""
        return self.tuning["candidates"][self.tuning["chosen"] - 1]

    def by_multiple(self) -> dict[float, int]:
        """{multiple: number of the candidate with it}, all with the number of layers that was kept."""
        return {
            own["multiple"]: number
            for number, own in self.candidates.items()
            if own.get("trainable_layers") == self.kept.get("trainable_layers")
        }

    def by_layers(self) -> dict[float, int]:
        """{number of layers: number of the candidate with it}, all with the learning rate that was kept."""
        return {
            own["trainable_layers"]: number
            for number, own in self.candidates.items()
            if own["multiple"] == self.kept["multiple"]
        }


def _rows(by_regime: Mapping[str, Sequence[_Searched]]) -> dict[str, dict[float, list[int]]]:
    """{regime: {multiple of the learning rate: positions}}; a head that is solved is the same with each multiple."""
    rates = {name: rows for name, own in by_regime.items() if (rows := _rows_by_multiple(own))}
    every = sorted({multiple for rows in rates.values() for multiple in rows})
    for name, own in by_regime.items():
        if every and own[0].tuning["varied"] == ["strength"]:
            rates[name] = {multiple: [search.kept_row for search in own] for multiple in every}
    return {name: rates[name] for name in by_regime if name in rates}


def _rows_by_multiple(searches: Sequence[_Searched]) -> dict[float, list[int]]:
    """{multiple of the learning rate: positions}, without multiples that a seed has not tried or diverged with."""
    found: dict[float, list[int]] = {}
    for search in searches:
        if "learning_rate" in search.tuning["varied"]:
            for multiple, number in search.by_multiple().items():
                if not search.candidates[number].get("diverged"):
                    found.setdefault(multiple, []).append(search.rows[number])
    return {multiple: rows for multiple, rows in found.items() if len(rows) == len(searches)}


def _regime(searches: Sequence[_Searched], estimate: Estimate) -> RegimeTuning:
    found: RegimeTuning = {
        "kept": {str(search.model.seed): _kept(search) for search in searches},
        "roc_auc": metric_of(estimate, [search.kept_row for search in searches]),
    }
    varied = {name for search in searches for name in search.tuning["varied"]}
    if "learning_rate" in varied:
        found["learning_rate"] = _sensitivity(searches, estimate, _Searched.by_multiple)
    if "trainable_layers" in varied:
        found["trainable_layers"] = _sensitivity(searches, estimate, _Searched.by_layers)
    if "strength" in varied:
        found["strength"] = _penalties(searches)
    return found


def _kept(search: _Searched) -> KeptCandidate:
    kept: KeptCandidate = {
        "candidates": len(search.tuning["candidates"]),
        "validation_auc": search.kept["validation_auc"],
    }
    if "strength" in search.kept:
        return {**kept, "strength": search.kept["strength"], "depths": search.kept["depths"]}
    kept = {**kept, "multiple": search.kept["multiple"], "learning_rate": search.kept["learning_rate"]}
    if "trainable_layers" in search.kept:
        kept["trainable_layers"] = search.kept["trainable_layers"]
    return kept


def _sensitivity(
    searches: Sequence[_Searched], estimate: Estimate, slice_of: Callable[[_Searched], dict[float, int]]
) -> list[Sensitivity]:
    """The ROC AUC by the value of a setting.

    Args:
        searches: of one regime.
        estimate: of all candidates.
        slice_of: gives the candidates of a search that differ in this setting alone, by its value.
    """
    slices = [slice_of(search) for search in searches]
    found: list[Sensitivity] = []
    for value in sorted({value for own in slices for value in own}):
        tried = [(search, own[value]) for search, own in zip(searches, slices, strict=True) if value in own]
        rows = [search.rows[number] for search, number in tried if not search.candidates[number].get("diverged")]
        found.append(
            {
                "value": value,
                "roc_auc": metric_of(estimate, rows) if rows else None,
                "seeds": len(tried),
                "diverged": len(tried) - len(rows),
                "kept": sum(search.tuning["chosen"] == number for search, number in tried),
            }
        )
    return found


def _penalties(searches: Sequence[_Searched]) -> list[Penalty]:
    """The ROC AUC by strength of the penalty, each seed with the depths that it kept."""
    found: dict[float, list[tuple[float, bool]]] = {}
    for search in searches:
        for number, own in search.candidates.items():
            if own["depths"] == search.kept["depths"]:
                tried = own["validation_auc"] or 0.0, number == search.tuning["chosen"]
                found.setdefault(own["strength"], []).append(tried)
    return [
        {
            "value": strength,
            "roc_auc": fmean(auc for auc, _ in tried),
            "seeds": len(tried),
            "kept": sum(kept for _, kept in tried),
        }
        for strength, tried in sorted(found.items())
    ]
