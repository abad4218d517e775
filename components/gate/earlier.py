"""The recorded runs that a run is judged by: its champion, the runs before it, their series of costs, their images."""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.artifacts.compared_models import ComparedModels, column
from components.artifacts.image_table import STATISTICS
from components.artifacts.names import REGIMES
from components.console import UserError
from components.gate.verdict import MEMORY, TIME
from components.tracking import names
from components.tracking.history import History, RecordedModel, RecordedRun, line

Pair = tuple[str, str]
"""A chart and a regime."""


@dataclass(frozen=True)
class Rung:
    """The alarms of an earlier run.

    Attributes:
        all: those that rang.
        suspected: those of them that wait for a confirming run.
        told: see `names.TOLD`.
    """

    all: frozenset[Pair] = frozenset()
    suspected: frozenset[Pair] = frozenset()
    told: frozenset[Pair] = frozenset()

    @classmethod
    def of(cls, run: RecordedRun) -> "Rung":
        """Those that are recorded with a run."""
        alarms, suspected, told = (
            frozenset((str(chart), str(regime)) for chart, regime in json.loads(run.tags.get(name, "[]")))
            for name in (names.ALARMS, names.SUSPECTED, names.TOLD)
        )
        return cls(alarms | suspected, suspected, told)

    @classmethod
    def going_on(cls, run: RecordedRun | None) -> "Rung":
        """Those that the next run may have too; none where there is no run, or a person has accepted it."""
        return cls() if run is None or names.ACCEPTED in run.tags else cls.of(run)


@dataclass(frozen=True)
class Series:
    """The cost of a regime over the runs on the same hardware and with the same recipe.

    Attributes:
        runs: in their order, the judged run last.
        values: of each, by chart: seconds per training image and epoch, peak memory in MB.
    """

    runs: Sequence[RecordedRun]
    values: Mapping[str, Sequence[float]]

    def rung_before(self) -> Rung:
        """The alarms of the run before the last."""
        return Rung.going_on(self.runs[-2] if len(self.runs) > 1 else None)


class Earlier:
    """The runs before one, and their models.

    Args:
        history: has all of them; their models take one search.
        run: the run that is judged.
        runs: of the history, if they are known.
    """

    def __init__(self, history: History, run: RecordedRun, runs: Sequence[RecordedRun] | None = None):
        self.run = run
        # A run from before may be recorded late: its champion is that of today, while series end with it.
        self._others = sorted((own for own in (runs or history.runs()) if own.key != run.key), key=when)
        self.runs = [own for own in self._others if when(own) < when(run)]
        self._models = history.all_models()
        self.models = [own for own in self._models.get(run.id, []) if own.regime in REGIMES]

    def champion(self) -> RecordedRun | None:
        """The champion of the run's line.

        It is the run that was promoted last among those of the same data and recipe, or where there is none, of those
        with the same recipe in the regimes that both have: in a run with a failed training some are missing.
        """
        same = [own for own in self._promoted() if line(own) == line(self.run)]
        same = same or [own for own in self._promoted() if self._has_recipe(own)]
        return same[-1] if same else None

    def champion_of_other_recipes(self) -> RecordedRun | None:
        """The run on the same data that was promoted last, whatever its recipe."""
        promoted = self._promoted()
        return promoted[-1] if promoted else None

    def _promoted(self) -> list[RecordedRun]:
        found = [own for own in self._others if own.promoted and own.fingerprint == self.run.fingerprint]
        return sorted(found, key=lambda own: (own.promoted, own.id))

    def _has_recipe(self, other: RecordedRun) -> bool:
        theirs = {model.regime: model.recipe for model in self._models.get(other.id, [])}
        shared = [model for model in self.models if model.regime in theirs]
        return bool(shared) and all(theirs[model.regime] == model.recipe for model in shared)

    def has_data(self) -> bool:
        """Whether another run had the same data."""
        return any(own.fingerprint == self.run.fingerprint for own in self._others)

    def with_other_data(self) -> RecordedRun | None:
        """The run before, of the same source, whose data the new ones take the place of: the champion of its data."""
        source = self.run.tags.get(names.SOURCE)
        other = [own for own in self.runs if own.fingerprint != self.run.fingerprint]
        other = [own for own in other if own.tags.get(names.SOURCE) == source]
        if not other:
            return None
        same = [own for own in other if own.fingerprint == other[-1].fingerprint]
        promoted = sorted((own for own in same if own.promoted), key=lambda own: (own.promoted, own.id))
        return (promoted or same)[-1]

    def areas(self) -> dict[str, list[list[float]]]:
        """The ROC AUCs by seed of each earlier run on the same data with the same recipe, by regime."""
        found: dict[str, list[list[float]]] = {}
        for regime, recipe in self._recipes().items():
            for _, models in self._trained(regime, recipe, self.run.fingerprint):
                values = [own.metrics["roc_auc"] for own in models if "roc_auc" in own.metrics]
                if values:
                    found.setdefault(regime, []).append(values)
        return found

    def series(self) -> dict[str, Series]:
        """The costs of each regime that this run has trained; what came from a cache was measured in another run."""
        found = {regime: self._series(regime, recipe) for regime, recipe in self._recipes().items()}
        return {regime: series for regime, series in found.items() if series is not None}

    def rung_before(self, regime: str) -> Rung:
        """The alarms of the last run before on the same data that has trained a regime likewise."""
        before = [run for run, _ in self._trained(regime, self._recipes()[regime], self.run.fingerprint)]
        return Rung.going_on(before[-1] if before else None)

    def _recipes(self) -> dict[str, str]:
        return {own.regime: own.recipe for own in self.models}

    def _trained(
        self, regime: str, recipe: str, fingerprint: str | None = None
    ) -> Iterator[tuple[RecordedRun, list[RecordedModel]]]:
        """The earlier runs that have trained a regime so, with its models."""
        for run in self.runs:
            if fingerprint in (None, run.fingerprint):
                models = [own for own in self._models.get(run.id, []) if (own.regime, own.recipe) == (regime, recipe)]
                if models:
                    yield run, models

    def _hardware(self, models: Sequence[RecordedModel], regime: str) -> str:
        return next((own.hardware for own in models if own.regime == regime), "")

    def _series(self, regime: str, recipe: str) -> Series | None:
        hardware = self._hardware(self.models, regime)
        own = [(self.run, [model for model in self.models if model.regime == regime])]
        measured: set[tuple[int, int, float]] = set()
        points: list[tuple[RecordedRun, dict[str, float]]] = []
        for run, models in [*self._trained(regime, recipe), *own]:
            # A training from a cache is the same as in the run that it was made in, to the last digit.
            fresh = [(own.seed, own.started, own.metrics.get("train_seconds", 0.0)) for own in models]
            known = all(mark in measured for mark in fresh)
            measured.update(fresh)
            costs = costs_of([model for model in models if model.hardware == hardware])
            if costs and not known:
                points.append((run, costs))
        if not hardware or not points or points[-1][0].id != self.run.id:
            return None
        points = points[_accepted([run for run, _ in points]) :]
        charts = {chart: [costs[chart] for _, costs in points] for chart in (TIME, MEMORY)}
        return Series([run for run, _ in points], charts)


def when(run: RecordedRun) -> tuple[str, str]:
    """By what runs are ordered: their end, since with data from a cache all have the same beginning."""
    return run.tags.get(names.FINISHED) or run.started, run.id


def costs_of(models: Sequence[RecordedModel]) -> dict[str, float]:
    """The means over seeds; empty where a model lacks one, as may be in a history of an earlier version."""
    try:
        # Images of all epochs over the time of training, or of one pass where there are no epochs.
        seconds = [1 / model.metrics["images_per_second"] for model in models]
        memory = [model.metrics["peak_memory_mb"] for model in models]
    except (KeyError, ZeroDivisionError):
        return {}
    found = {TIME: statistics.fmean(seconds), MEMORY: statistics.fmean(memory)} if models else {}
    return found if all(value > 0 for value in found.values()) else {}


def _accepted(runs: Sequence[RecordedRun]) -> int:
    """The place of the run that a person promoted last, at which a series begins; 0 without any."""
    accepted = [(run.tags[names.ACCEPTED], place) for place, run in enumerate(runs) if names.ACCEPTED in run.tags]
    return max(accepted)[1] if accepted else 0


def test_images(compared: ComparedModels) -> pd.DataFrame:
    """The test images of a run with their scores, by image."""
    table = compared.predictions
    return table[table["split"] == "test"].sort_values("image", kind="stable", ignore_index=True)


def scores(compared: ComparedModels, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The scores (seeds, images) of each regime in a table of `test_images`."""
    found: dict[str, list[np.ndarray]] = {}
    for model in compared.record["models"]:
        if model["regime"] in REGIMES:
            own = table[column(model["regime"], model["seed"])].to_numpy(np.float32).astype(np.float64)
            found.setdefault(model["regime"], []).append(own)
    return {regime: np.stack(rows) for regime, rows in found.items()}


def same_images(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether two tables of test images have the same images, with the same labels and patients."""
    columns = ["image", "patient", "label"]
    return a[columns].astype(str).equals(b[columns].astype(str))


def described_images(history: History, run: RecordedRun, compared: ComparedModels) -> tuple[pd.DataFrame, bool]:
    """The images of a run as `drift.judge` takes them, and whether they are all and not only the test images."""
    tested = test_images(compared)
    areas = {regime: own["roc_auc"].value for regime, own in run.metrics.items() if "roc_auc" in own}
    by_regime = scores(compared, tested)
    if not by_regime:
        raise UserError(f"{run.name} has no models of a regime")
    best = max(by_regime, key=lambda regime: areas.get(regime, 0.0))
    mean = pd.Series(by_regime[best].mean(axis=0), index=tested["image"])
    table = history.images(run)
    whole = table is not None
    if table is None:
        table = tested[["image", "patient", "label"]].assign(split="test", **dict.fromkeys(STATISTICS, np.nan))
    table = table.assign(image=table["image"].astype(str), patient=table["patient"].astype(str))
    return table.assign(score=table["image"].map(mean).where(table["split"] == "test")), whole
