"""Records a finished benchmark: a run of MLflow for the benchmark, and one below it for each model.

A recording is repeatable. A run has one key (`tracking.names.KEY`); what was recorded under it before is kept if it is
complete and the same, and is otherwise replaced: the new recording is completed first, then the old one deleted. So
wherever a recording is stopped, the next one leaves exactly one that is complete, and no run ever vanishes from the
history.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from components.artifacts import compared_models, comparison, files, image_table
from components.console import UserError, say, say_error
from components.gate.judging import Judged
from components.record import content, notification, registry
from components.record import gate as gates
from components.record.content import Benchmark, Origin, Recording
from components.record.gate import Gate, RegressionError
from components.record.pages import Pages
from components.record.pages import write as write_pages
from components.tracking import names, places, server
from components.tracking.history import History, RecordedRun, search
from components.tracking.server import Server

ARTIFACTS = (
    *("report.html", "summary.md", "model_card.md"),
    *(comparison.RESULTS, "results.csv", *compared_models.FILES, image_table.FILE),
)
"""The files of a comparison that are recorded; the plots are in the report too."""

_SERVED = ("mlflow-artifacts:", "http:", "https:")
"""How the place of files begins that go through a server, which alone has the credentials of its storage."""

_LONGEST = timedelta(hours=1)
"""After which a recording on a server that is not complete was stopped."""

_METRICS, _PARAMETERS = 1000, 100
"""How many MLflow takes in one request."""

T = TypeVar("T")


def record(
    folder: str | Path,
    tracking_uri: str,
    origin: Origin,
    register: str = "",
    models: Sequence[str | Path] = (),
    attempts: int | None = None,
    gate: Gate = Gate(),  # noqa: B008 (frozen)
    pages: Pages = Pages(),  # noqa: B008 (frozen)
) -> str:
    """Records a benchmark in MLflow, and lets the gate judge it.

    Args:
        folder: the comparison.
        tracking_uri: where, see `tracking.places`.
        origin: what the artifacts do not say.
        register: name in the registry under which the best model is registered; "" for not.
        models: folders of trained models, one of which is the best regime's; only for the registry.
        attempts: how often something is tried while the network or the server is down; None for about three minutes.
        gate: how it is judged.
        pages: where the page of the runs over time, and what the gate found, are written besides the history.

    Returns:
        MLflow's id of the run.

    Raises:
        UserError: the comparison is not complete, the history cannot be written, or its registry refuses the model; the
            run is then recorded nevertheless.
        RegressionError: the gate has found an alarm that is to fail the run, which is recorded.
    """
    place = places.read(tracking_uri)
    given = Benchmark.load(folder)
    registered = registry.best(given, models) if register else None
    refused: UserError | None = None
    with server.writing(place, partial(say, "record"), attempts) as opened:
        history, key = History(opened), given.key(origin)
        before = history.of_key(key)
        known = any(_is_of(run, given) for run in before)
        if not known:
            _new(opened, given, origin)
        kept, judged = _settle(opened, history, given, key, before, gate)
        if registered:
            try:
                registry.register(opened, history, kept.id, registered, register)
            except UserError as error:
                refused = UserError(f"{names.NOT_REGISTERED}: {error}")
        write_pages(opened, history, kept, judged.verdict if judged else None, given.folder, pages)
        if judged:
            gates.report(judged, _fails(kept, judged, gate))
        if not refused:
            run = given.results["run"]["id"] or "the benchmark"
            say("record", f"{run} {'was recorded before' if known else 'is recorded'} in {place.uri}")
    _conclude(opened, kept, judged, gate, refused)
    return kept.id


def _fails(run: RecordedRun, judged: Judged, gate: Gate) -> bool:
    """Whether an alarm fails the run; what a person has accepted does not."""
    verdict = judged.verdict
    certain = bool(verdict.alarms) and not verdict.suspected
    return certain and gate.on_regression == "fail" and names.ACCEPTED not in run.tags


def _conclude(opened: Server, run: RecordedRun, judged: Judged | None, gate: Gate, refused: UserError | None) -> None:
    """Notifies of what is new, and raises what fails the run; others can write to the history meanwhile."""
    news, url = gates.news(run, judged) if judged else "", os.environ.get(names.NOTIFY_VARIABLE, "").strip()
    if judged and news and url and notification.notify(url, news, partial(say, "record")):
        gates.remember(opened, run, judged)
    if judged and _fails(run, judged, gate):
        if refused:
            say_error(str(refused))
        raise RegressionError(judged.verdict.alarms)
    if refused:
        raise refused


def _is_of(run: RecordedRun, given: Benchmark) -> bool:
    """Whether a run is the complete recording of a benchmark as it is now."""
    return run.tags.get(names.CONTENT) == given.content


def _settle(
    opened: Server, history: History, given: Benchmark, key: str, before: Sequence[RecordedRun], gate: Gate
) -> tuple[RecordedRun, Judged | None]:
    """Leaves one recording of a run, and has it judged; gives it with the verdict.

    Of two that were made at the same time, which only a server allows, both commands choose the same one. What another
    command may still be recording is left alone.
    """
    found = history.of_key(key)
    kept = min((run for run in found if _is_of(run, given)), key=lambda run: run.id)
    stopped = {run.id for run in before if opened.place.file or _has_begun_long_ago(run)}
    superseded = [run for run in found if run.id != kept.id and (run.complete or run.id in stopped)]
    kept = gates.inherited(opened, kept, superseded)
    judged = gates.judged(opened, history, kept, superseded, gate)
    for run in superseded:
        _delete(opened, run)
    return kept, judged


def _has_begun_long_ago(run: RecordedRun) -> bool:
    begun = run.tags.get(names.BEGUN)
    return begun is None or files.now() - datetime.fromisoformat(begun) > _LONGEST


def _new(opened: Server, given: Benchmark, origin: Origin) -> None:
    """Records a benchmark with all its models; the tag that says so comes last."""
    experiment, whole = _experiment(opened), content.benchmark(given, origin)
    mark = {names.RECORDING: secrets.token_hex(8)}
    parent = _run(opened, experiment, whole, mark | {names.BEGUN: files.timestamp(files.now())})
    made = {parent}
    for record_of_one in given.compared.record["models"]:
        one = content.model(given, origin, record_of_one)
        child = _run(opened, experiment, one, mark | {names.PARENT: parent})
        made.add(child)
        opened.ask("set_terminated", child, "FINISHED", one.finished)
    for name in ARTIFACTS:
        path = given.folder / name
        if path.is_file():
            opened.ask("log_artifact", parent, str(path), names.COMPARISON)
    for stray in _found(opened, mark) - made:
        opened.ask("delete_run", stray)
    status = "FAILED" if comparison.failures(given.results) else "FINISHED"
    opened.ask("set_terminated", parent, status, whole.finished)
    opened.ask("set_tag", parent, names.CONTENT, given.content)


def _experiment(opened: Server) -> str:
    """The id of the experiment, which is made where there is none.

    Raises:
        UserError: it was deleted, or its files are where only the server's own credentials reach.
    """
    found = opened.ask("get_experiment_by_name", names.EXPERIMENT) or _new_experiment(opened)
    if found.lifecycle_stage != "active":
        raise UserError(
            f"the experiment {names.EXPERIMENT} of {opened.place.uri} was deleted: restore it "
            f"(mlflow experiments restore --experiment-id {found.experiment_id}), or choose another place"
        )
    if opened.place.file is None and not found.artifact_location.startswith(_SERVED):
        raise UserError(
            f"{opened.place.uri} has files of runs in {found.artifact_location}, and does not take them itself: start "
            f"the server with --serve-artifacts and without --default-artifact-root, and rename the experiment "
            f"{names.EXPERIMENT}, which keeps its place"
        )
    return str(found.experiment_id)


def _new_experiment(opened: Server) -> Any:
    root = opened.place.artifacts
    where = {"artifact_location": f"file://{root}"} if root else {}
    try:
        opened.ask("create_experiment", names.EXPERIMENT, **where)
    except UserError:  # another recording was quicker, or there will be none
        if opened.ask("get_experiment_by_name", names.EXPERIMENT) is None:
            raise
    return opened.ask("get_experiment_by_name", names.EXPERIMENT)


def _run(opened: Server, experiment: str, given: Recording, tags: dict[str, str]) -> str:
    """Records a run without files, as one that is not finished; gives its id."""
    from mlflow.entities import Metric, Param  # noqa: PLC0415 (takes a second)

    created = opened.ask(
        "create_run", experiment, start_time=given.started, tags={**given.tags, **tags}, run_name=given.name
    )
    run: str = created.info.run_id
    parameters = [Param(name, value) for name, value in sorted(given.parameters.items())]
    for own in _parts(parameters, _PARAMETERS):
        opened.ask("log_batch", run, params=own)
    metrics = [Metric(name, value, given.finished, 0) for name, value in sorted(given.metrics.items())]
    metrics += [Metric(point.name, point.value, point.time, point.step) for point in given.curve]
    for some in _parts(metrics, _METRICS):
        opened.ask("log_batch", run, metrics=some)
    return run


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _delete(opened: Server, old: RecordedRun) -> None:
    """Deletes an earlier recording with its models; MLflow keeps deleted runs until `mlflow gc`."""
    for model in _found(opened, {names.PARENT: old.id}):
        opened.ask("delete_run", model)
    opened.ask("delete_run", old.id)


def _found(opened: Server, tags: dict[str, str]) -> set[str]:
    """MLflow's ids of the runs with these tags."""
    return {run.info.run_id for run in search(opened, tags)}
