"""Recorded runs as typed objects: their list, the champion of a dataset, and what a run left.

The gate, which compares a new run with the champion, needs `champions_of_lines`, `History.all_models` (costs,
hardware) and `History.compared` (predictions).
"""

import contextlib
import gc
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd

from components.artifacts import compared_models, comparison, files, image_table
from components.artifacts.compared_models import ComparedModels
from components.artifacts.comparison import ComparisonRecord
from components.artifacts.names import BASELINE, REGIMES
from components.console import UserError
from components.tracking import names
from components.tracking.server import Server

LOW, HIGH = "_ci_low", "_ci_high"
"""What follows the name of a metric in those of the ends of its 95% interval."""

_PAGE = 1000


@dataclass(frozen=True)
class Estimate:
    """A metric of a regime and the ends of its 95% interval; None where it has none."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RecordedRun:
    """A benchmark in a history.

    Attributes:
        id: MLflow's.
        name: of the run.
        key: see `names.KEY`.
        started: when its first step began (ISO 8601 in UTC).
        fingerprint: of its prepared dataset.
        complete: whether everything was recorded.
        failed: {regime: reason} of the trainings that failed.
        promoted: when it was made the champion of its dataset (ISO 8601 in UTC); "" if never.
        registered: {"name", "version"} of its model in the registry; empty without one.
        metrics: {regime, or the baseline: {metric or cost: estimate}}, on the test images.
        tags: all of its tags.
        parameters: of the pipeline, and numbers of images, as texts.
        files: URL of the folder of its files; of a SQLite file one on this machine.
    """

    id: str
    name: str
    key: str
    started: str
    fingerprint: str
    complete: bool
    failed: Mapping[str, str]
    promoted: str
    registered: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Estimate]]
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    files: str = ""


@dataclass(frozen=True)
class RecordedModel:
    """A trained model of a benchmark in a history.

    Attributes:
        id: MLflow's.
        regime, seed: of its training.
        metrics: by name, costs such as "train_seconds" and "peak_memory_mb" among them.
        hardware: key of the machine of its training, see `names.HARDWARE`; "" where it is not known.
        recipe: see `names.RECIPE`.
        parameters: of the training, as texts.
        started: when its training began (milliseconds since 1970).
    """

    id: str
    regime: str
    seed: int
    metrics: Mapping[str, float]
    hardware: str
    recipe: str
    parameters: Mapping[str, str]
    started: int = 0


class History:
    """The runs in an open history.

    Args:
        server: the history.
    """

    def __init__(self, server: Server):
        self._server = server

    def runs(self) -> list[RecordedRun]:
        """All benchmarks that are completely recorded, the newest first."""
        found = [_benchmark(run) for run in search(self._server, {names.KIND: names.BENCHMARK})]
        return sorted((run for run in found if run.complete), key=lambda run: (run.started, run.id), reverse=True)

    def of_key(self, key: str) -> list[RecordedRun]:
        """The recordings of one run, incomplete ones included, the oldest first."""
        found = search(self._server, {names.KIND: names.BENCHMARK, names.KEY: key})
        return [_benchmark(run) for run in sorted(found, key=lambda run: (run.info.start_time or 0, run.info.run_id))]

    def champion(self, fingerprint: str) -> RecordedRun | None:
        """The champion among the runs on a dataset; None where there is none."""
        return champions(self.runs()).get(fingerprint)

    def find(self, name: str) -> RecordedRun:
        """The run of this name, or with this MLflow id.

        Raises:
            UserError: there is none, or several.
        """
        found = [run for run in self.runs() if name in (run.name, run.id)]
        if not found:
            raise UserError(f"{self._server.place.uri} has no run {name}: python -m pipelines.history lists them")
        if len(found) > 1:
            raise UserError(f"{len(found)} runs are named {name}: give one of the ids {', '.join(r.id for r in found)}")
        return found[0]

    def models(self, run: RecordedRun) -> list[RecordedModel]:
        """The models of a benchmark, the baseline included, by regime and seed."""
        order = (*REGIMES, BASELINE)
        found = [_model(child) for child in search(self._server, {names.PARENT: run.id})]
        return sorted(found, key=lambda model: (order.index(model.regime), model.seed))

    def all_models(self) -> dict[str, list[RecordedModel]]:
        """The models of all benchmarks, by MLflow's id of the benchmark; one search, however many there are."""
        found: dict[str, list[RecordedModel]] = {}
        for child in search(self._server, {names.KIND: names.MODEL}):
            found.setdefault(child.data.tags.get(names.PARENT, ""), []).append(_model(child))
        return found

    def compared(self, run: RecordedRun) -> ComparedModels:
        """The evaluations and predictions of a benchmark's models."""
        with tempfile.TemporaryDirectory() as scratch:
            return compared_models.load(self._downloaded(run, scratch, compared_models.FILES))

    def results(self, run: RecordedRun) -> ComparisonRecord:
        """The content of a benchmark's `results.json`."""
        with tempfile.TemporaryDirectory() as scratch:
            return comparison.load(self._downloaded(run, scratch, [comparison.RESULTS]))

    def images(self, run: RecordedRun) -> pd.DataFrame | None:
        """The table of all images of a benchmark, see `image_table`; None for one that was recorded without it."""
        if not self._has(run, image_table.FILE):
            return None
        with tempfile.TemporaryDirectory() as scratch:
            return image_table.load(self._downloaded(run, scratch, [image_table.FILE]))

    def verdict(self, run: RecordedRun) -> str | None:
        """The text of a benchmark's verdict, see `gate.verdict`; None for one that has none."""
        if names.ALARMS not in run.tags:
            return None
        if (where := urlsplit(run.files)).scheme == "file":
            # Read directly, since MLflow reads the whole run for each file: with 500 runs that takes half a minute.
            file = Path(url2pathname(where.path), names.COMPARISON, names.VERDICT)
            return file.read_text(encoding="utf-8") if file.is_file() else None
        if not self._has(run, names.VERDICT):
            return None
        with tempfile.TemporaryDirectory() as scratch:
            return (self._downloaded(run, scratch, [names.VERDICT]) / names.VERDICT).read_text(encoding="utf-8")

    def promote(self, run: RecordedRun, by_hand: bool = False) -> None:
        """Makes a run the champion of its line, and its model, if it is registered, that of the registry.

        Args:
            run: the run.
            by_hand: whether a person says so, which also accepts its training times and memory.
        """
        now = files.now().isoformat(timespec="microseconds")
        if by_hand:
            self._server.ask("set_tag", run.id, names.ACCEPTED, now)
        self._server.ask("set_tag", run.id, names.PROMOTED, now)
        if run.registered:
            self._server.ask(
                "set_registered_model_alias", run.registered["name"], names.CHAMPION, run.registered["version"]
            )

    def _has(self, run: RecordedRun, name: str) -> bool:
        stored = self._server.ask("list_artifacts", run.id, names.COMPARISON)
        return f"{names.COMPARISON}/{name}" in {file.path for file in stored}

    def _downloaded(self, run: RecordedRun, scratch: str, wanted: Sequence[str]) -> Path:
        paths = [f"{names.COMPARISON}/{name}" for name in wanted]
        arrived = [self._server.ask("download_artifacts", run.id, path, scratch) for path in paths]
        return Path(arrived[0]).parent  # which folder that is depends on the kind of place


def search(server: Server, tags: Mapping[str, str]) -> list[Any]:
    """MLflow's runs that have these tags and are not deleted."""
    experiment = server.ask("get_experiment_by_name", names.EXPERIMENT)
    if experiment is None:
        return []
    wanted = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found: list[Any] = []
    token = None
    with _uncollected():
        while True:
            page = server.ask("search_runs", [experiment.experiment_id], wanted, max_results=_PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which walks through all objects again and again while many are made.

    It takes two thirds of the time of reading 500 runs from a file.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def champions(runs: Sequence[RecordedRun]) -> dict[str, RecordedRun]:
    """The champion of each dataset, whatever the recipe: {fingerprint: the run that was promoted last}."""
    promoted = sorted((run for run in runs if run.promoted), key=lambda run: (run.promoted, run.id))
    return {run.fingerprint: run for run in promoted}


def line(run: RecordedRun) -> tuple[str, str]:
    """What the runs of a line have in common: fingerprint of the data, and recipe."""
    return run.fingerprint, run.tags.get(names.RECIPE, "")


def champions_of_lines(runs: Sequence[RecordedRun]) -> dict[tuple[str, str], RecordedRun]:
    """The champion of each line: {line: the run of it that was promoted last}."""
    promoted = sorted((run for run in runs if run.promoted), key=lambda run: (run.promoted, run.id))
    return {line(run): run for run in promoted}


def _benchmark(run: Any) -> RecordedRun:
    tags = run.data.tags
    registered = {"name": tags[names.REGISTERED], "version": tags[names.VERSION]} if names.VERSION in tags else {}
    return RecordedRun(
        id=run.info.run_id,
        name=tags.get(names.RUN, ""),
        key=tags.get(names.KEY, ""),
        started=tags.get(names.STARTED, ""),
        fingerprint=tags.get(names.DATASET, ""),
        complete=names.CONTENT in tags,
        failed=json.loads(tags.get(names.FAILED, "{}")),
        promoted=tags.get(names.PROMOTED, ""),
        registered=registered,
        metrics=_estimates(run.data.metrics),
        tags=tags,
        parameters=run.data.params,
        files=run.info.artifact_uri or "",
    )


def _estimates(metrics: Mapping[str, float]) -> dict[str, dict[str, Estimate]]:
    """Metrics such as "custom_cnn/roc_auc", with their intervals, by regime."""
    found: dict[str, dict[str, Estimate]] = {}
    for name, value in metrics.items():
        regime, _, metric = name.partition("/")
        if regime in (*REGIMES, BASELINE) and not metric.endswith((LOW, HIGH)):
            ends = metrics.get(name + LOW), metrics.get(name + HIGH)
            found.setdefault(regime, {})[metric] = Estimate(value, *ends)
    return found


def _model(run: Any) -> RecordedModel:
    tags = run.data.tags
    return RecordedModel(
        id=run.info.run_id,
        regime=tags[names.REGIME],
        seed=int(tags[names.SEED]),
        metrics=run.data.metrics,
        hardware=tags.get(names.HARDWARE, ""),
        recipe=tags.get(names.RECIPE, ""),
        parameters=run.data.params,
        started=run.info.start_time or 0,
    )
