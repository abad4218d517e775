"""Recorded runs as text for a terminal, and as JSON."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from components.artifacts.names import BASELINE, REGIME_TITLES, REGIMES
from components.console import one_line
from components.gate.earlier import Pair, Rung
from components.gate.verdict import Verdict
from components.tracking import names
from components.tracking.history import Estimate, RecordedModel, RecordedRun
from pipelines.overview import columns

_SHORT = {
    "custom_cnn": "custom CNN",
    "transfer_learning": "transfer",
    "partial_fine_tuning": "partial",
    "full_fine_tuning": "full",
}
_SHOWN = 12
"""Digits of a fingerprint."""


def table(runs: Sequence[RecordedRun], champions: Collection[str]) -> str:
    """All runs, a line each: ROC AUC of the regimes, training time of all of them, dataset.

    Args:
        runs: in the order of the lines.
        champions: MLflow's ids of those that are one.
    """
    if not runs:
        return "no run is recorded"
    header = ["", "started", "run", *(f"{_SHORT[regime]}" for regime in REGIMES), "training", "dataset", "alarms"]
    lines = [_line(run, run.id in champions) for run in runs]
    note = "ROC AUC on test; * champion of its data and recipe, F a training failed, ! alarm, ? not confirmed yet"
    return f"{columns([header, *lines])}\n\n{note}"


def _line(run: RecordedRun, champion: bool) -> list[str]:
    rung = Rung.of(run)
    certain = rung.all - rung.suspected
    mark = ("*" if champion else "") + ("F" if run.failed else "") + ("!" if certain else "?" if rung.suspected else "")
    areas = [run.metrics.get(regime, {}).get("roc_auc") for regime in REGIMES]
    return [
        mark,
        run.started[:16].replace("T", " "),
        run.name,
        *(f"{area.value:.4f}" if area else "-" for area in areas),
        f"{_training_seconds(run):.0f} s",
        run.fingerprint[:_SHOWN],
        ", ".join([*sorted(map(_alarm, certain)), *sorted(f"{_alarm(pair)}?" for pair in rung.suspected)]),
    ]


def _alarm(pair: Pair) -> str:
    chart, regime = pair
    return f"{chart} {_SHORT.get(regime, regime)}".strip()


def _training_seconds(run: RecordedRun) -> float:
    """Of one seed of every regime together."""
    times = [run.metrics.get(regime, {}).get("train_seconds") for regime in REGIMES]
    return sum(time.value for time in times if time)


def described(run: RecordedRun, models: Sequence[RecordedModel], champion: bool, verdict: Verdict | None = None) -> str:
    """One run with its regimes and models, and what the gate found."""
    facts = [
        ("run", run.name),
        ("MLflow id", run.id),
        ("started", run.started),
        ("data", one_line(run.tags.get(names.SOURCE, ""))),
        ("dataset", run.fingerprint),
        ("code", run.tags.get(names.CODE, "")),
        ("recipe", run.tags.get(names.RECIPE, "")[:_SHOWN]),
        (
            "champion",
            "yes" if champion else f"until another was promoted (since {run.promoted})" if run.promoted else "no",
        ),
        ("registered", f"{run.registered['name']}, version {run.registered['version']}" if run.registered else "no"),
        *((f"failed: {REGIME_TITLES[regime]}", one_line(reason)) for regime, reason in run.failed.items()),
    ]
    regimes = [["regime", "ROC AUC (95% interval)", "accuracy (95% interval)", "training", "peak memory"]]
    for regime in (*REGIMES, BASELINE):
        if own := run.metrics.get(regime):
            regimes.append(
                [
                    REGIME_TITLES[regime],
                    _interval(own.get("roc_auc")),
                    _interval(own.get("accuracy")),
                    _amount(own.get("train_seconds"), "s"),
                    _amount(own.get("peak_memory_mb"), "MB"),
                ]
            )
    single = [["model", "ROC AUC", "training", "peak memory", "machine"]]
    single += [
        [
            f"{REGIME_TITLES[model.regime]}, seed {model.seed}",
            *(_number(model, name, form) for name, form in _OF_MODELS.items()),
            model.hardware or "-",
        ]
        for model in models
    ]
    return "\n\n".join(columns(rows) for rows in (facts, regimes, single, _found(verdict)) if rows)


def _found(verdict: Verdict | None) -> list[tuple[str, str]]:
    """What the gate found, a line each."""
    if verdict is None:
        return []
    what = "suspected" if verdict.suspected else "alarm"
    lines = [("compared with", verdict.champion_name or "no run: the first one on its data")]
    lines += [(what, one_line(alarm.reason)) for alarm in verdict.alarms] or [("alarm", "none")]
    lines += [("warning", one_line(warning)) for warning in verdict.warnings]
    return lines + [("note", one_line(note)) for note in verdict.notes]


_OF_MODELS = {"roc_auc": "{:.4f}", "train_seconds": "{:.0f} s", "peak_memory_mb": "{:.0f} MB"}


def _number(model: RecordedModel, name: str, form: str) -> str:
    return form.format(model.metrics[name]) if name in model.metrics else "-"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ({estimate.low:.4f}–{estimate.high:.4f})"


def _amount(estimate: Estimate | None, unit: str) -> str:
    return f"{estimate.value:.0f} {unit}" if estimate else "-"


def as_json(run: RecordedRun, champion: bool) -> dict[str, Any]:
    """A run for other programs."""
    rung = Rung.of(run)
    return {
        "id": run.id,
        "name": run.name,
        "started": run.started,
        "dataset": run.fingerprint,
        "champion": champion,
        "promoted": run.promoted or None,
        "registered": dict(run.registered) or None,
        "failed": dict(run.failed),
        "alarms": sorted(map(list, rung.all - rung.suspected)),
        "suspected": sorted(map(list, rung.suspected)),
        "metrics": {
            regime: {name: _value(estimate) for name, estimate in own.items()} for regime, own in run.metrics.items()
        },
    }


def _value(estimate: Estimate) -> dict[str, Any]:
    ci95 = None if estimate.low is None else [estimate.low, estimate.high]
    return {"value": estimate.value} | ({"ci95": ci95} if ci95 else {})


def model_as_json(model: RecordedModel) -> dict[str, Any]:
    """A model for other programs."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in asdict(model).items()}
