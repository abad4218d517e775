"""The recorded runs that a run is judged by: its champion, the runs before it, and their series of costs."""

import json
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from components.artifacts.names import REGIMES
from components.gate.verdict import MEMORY, QUALITY, TIME
from components.tracking import names
from components.tracking.history import History, RecordedModel, RecordedRun, line

Pair = tuple[str, str]
"""A chart and a regime."""

SIMILAR = 1.05
"""Largest ratio of the numbers of training images with which the memory of two runs is compared."""


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
    """A cost of a regime over the runs that it may be compared with.

    Attributes:
        runs: in their order, the judged run last.
        values: of each: seconds per training image and epoch, or peak memory in MB.
    """

    runs: Sequence[RecordedRun]
    values: Sequence[float]

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

    def champions(self) -> list[RecordedRun]:
        """The champion of the run's line, and after it those that were champions before, the latest first.

        They are the runs that were promoted among those of the same data and recipe, or where there is none, of those
        with the same recipe in the regimes that both have: in a run with a failed training some are missing.
        """
        same = [own for own in self._promoted() if line(own) == line(self.run)]
        return same or [own for own in self._promoted() if self._has_recipe(own)]

    def champions_of_other_recipes(self) -> list[RecordedRun]:
        """The runs on the same data that were promoted, whatever their recipe, the latest first."""
        return self._promoted()

    def _promoted(self) -> list[RecordedRun]:
        found = [own for own in self._others if own.promoted and own.fingerprint == self.run.fingerprint]
        return sorted(found, key=lambda own: (own.promoted, own.id), reverse=True)

    def _has_recipe(self, other: RecordedRun) -> bool:
        theirs = {model.regime: model.recipe for model in self._models.get(other.id, [])}
        shared = [model for model in self.models if model.regime in theirs]
        return bool(shared) and all(theirs[model.regime] == model.recipe for model in shared)

    def has_data(self) -> bool:
        """Whether another run had the same data."""
        return any(own.fingerprint == self.run.fingerprint for own in self._others)

    def with_other_data(self) -> RecordedRun | None:
        """The run before, of the same source, whose data the new ones take the place of: the champion of its data."""
        other = [own for own in self.runs if own.fingerprint != self.run.fingerprint]
        other = [own for own in other if source(own) == source(self.run)]
        if not other:
            return None
        same = [own for own in other if own.fingerprint == other[-1].fingerprint]
        promoted = sorted((own for own in same if own.promoted), key=lambda own: (own.promoted, own.id))
        return (promoted or same)[-1]

    def areas(self, champion: RecordedRun) -> dict[str, list[list[float]]]:
        """The ROC AUCs by seed of each earlier run on the same data with the same recipe, by regime.

        That of the champion is the first. A run whose quality rang has changed and does not tell how much trainings
        vary, unless a person accepted it.
        """
        found: dict[str, list[list[float]]] = {}
        for regime, recipe in self._recipes().items():
            for run, models in self._trained(regime, recipe, self.run.fingerprint):
                values = list(_areas(models).values())
                if not values:
                    continue
                if run.id == champion.id:
                    found.setdefault(regime, []).insert(0, values)
                elif names.ACCEPTED in run.tags or (QUALITY, regime) not in Rung.of(run).all:
                    found.setdefault(regime, []).append(values)
        return found

    def series(self) -> dict[Pair, Series]:
        """The costs of each regime that this run has trained; what came from a cache was measured in another run."""
        found: dict[Pair, Series] = {}
        for regime, recipe in self._recipes().items():
            points = self._points(regime, recipe)
            if points and points[-1][0].id == self.run.id:
                points = points[_accepted([run for run, _ in points]) :]
                gpu = all("peak_gpu_memory_mb" in own.metrics for _, models in points for own in models)
                every = [(run, costs_of(models, gpu)) for run, models in points]
                alike = [(run, costs) for run, costs in every if similar_size(run, self.run)]
                for chart, kept in ((TIME, every), (MEMORY, alike)):
                    found[chart, regime] = Series([run for run, _ in kept], [costs[chart] for _, costs in kept])
        return found

    def rung_before(self, regime: str) -> Rung:
        """The alarms of the last run before on the same data that has trained a regime likewise."""
        before = self._before(regime)
        return Rung.going_on(before[0] if before else None)

    def repeats(self, regime: str) -> bool:
        """Whether the run's models of a regime are those of the run before, to the last digit."""
        before = self._before(regime)
        own = [model for model in self.models if model.regime == regime]
        return before is not None and _areas(before[1]) == _areas(own)

    def _before(self, regime: str) -> tuple[RecordedRun, list[RecordedModel]] | None:
        """The last run before on the same data that has trained a regime likewise, with its models."""
        before = list(self._trained(regime, self._recipes()[regime], self.run.fingerprint))
        return before[-1] if before else None

    def regimes(self) -> set[str]:
        """Those that the run has trained."""
        return {own.regime for own in self.models}

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

    def _points(self, regime: str, recipe: str) -> list[tuple[RecordedRun, list[RecordedModel]]]:
        """The runs of the same source and image size that have measured a regime on this run's machine."""
        hardware = self._hardware(self.models, regime)
        own = [(self.run, [model for model in self.models if model.regime == regime])]
        measured: set[tuple[int, int, float]] = set()
        points: list[tuple[RecordedRun, list[RecordedModel]]] = []
        for run, models in [*self._trained(regime, recipe), *own]:
            if (source(run), image_size(run)) != (source(self.run), image_size(self.run)):
                continue
            # A training from a cache is the same as in the run that it was made in, to the last digit.
            fresh = [(own.seed, own.started, own.metrics.get("train_seconds", 0.0)) for own in models]
            known = all(mark in measured for mark in fresh)
            measured.update(fresh)
            here = [model for model in models if model.hardware == hardware]
            if hardware and costs_of(here) and not known:
                points.append((run, here))
        return points


def source(run: RecordedRun) -> tuple[str, str]:
    """Where a run's images are from: the name of the source, and the path without a version or a folder above it."""
    name, path = run.parameters.get("source") or run.tags.get(names.SOURCE, ""), run.parameters.get("path", "")
    return name, re.sub(r"/versions/\d+$", "", path) if name == "kaggle" else PurePath(path).name


def image_size(run: RecordedRun) -> str:
    """Of the prepared images, as text; "" where it is not known."""
    return run.parameters.get("image_size", "")


def similar_size(a: RecordedRun, b: RecordedRun) -> bool:
    """Whether two runs have the same data, or numbers of training images so similar that memory may be compared."""
    sizes = [run.parameters.get("train_images", "") for run in (a, b)]
    if a.fingerprint == b.fingerprint or not all(size.isdecimal() for size in sizes):
        return a.fingerprint == b.fingerprint
    few, many = sorted(map(int, sizes))
    return many <= SIMILAR * few


def _areas(models: Sequence[RecordedModel]) -> dict[int, float]:
    """The ROC AUC of each seed."""
    return {own.seed: own.metrics["roc_auc"] for own in models if "roc_auc" in own.metrics}


def when(run: RecordedRun) -> tuple[str, str]:
    """By what runs are ordered: their end, since with data from a cache all have the same beginning."""
    return run.tags.get(names.FINISHED) or run.started, run.id


def costs_of(models: Sequence[RecordedModel], gpu: bool = True) -> dict[str, float]:
    """The means over seeds; empty where a model lacks one, as may be in a history of an earlier version.

    Args:
        models: of one regime.
        gpu: whether memory is that of the GPU if all models have it; otherwise it is that of the process.
    """
    memory_of = "peak_gpu_memory_mb"
    if not gpu or any(memory_of not in model.metrics for model in models):
        memory_of = "peak_memory_mb"
    try:
        # Images of all epochs over the time of training, or of one pass where there are no epochs.
        seconds = [1 / model.metrics["images_per_second"] for model in models]
        memory = [model.metrics[memory_of] for model in models]
    except (KeyError, ZeroDivisionError):
        return {}
    found = {TIME: statistics.fmean(seconds), MEMORY: statistics.fmean(memory)} if models else {}
    return found if all(value > 0 for value in found.values()) else {}


def _accepted(runs: Sequence[RecordedRun]) -> int:
    """The place of the run that a person promoted last, at which a series begins; 0 without any."""
    accepted = [(run.tags[names.ACCEPTED], place) for place, run in enumerate(runs) if names.ACCEPTED in run.tags]
    return max(accepted)[1] if accepted else 0
