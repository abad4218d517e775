"""The numbers of a comparison of two runs, regime by regime."""

from collections.abc import Iterable, Mapping, Sequence

from components.artifacts.comparison import RegimeOfRun, RunResult, RunsFindings
from components.artifacts.differences import Difference
from components.compare import failures
from components.compare.inputs import Model
from components.compare.regime_results import metrics_of
from components.compare.runs import Run
from components.compare.scored_models import scored_without_points, validation_images
from components.compare.stats import comparisons, evidence
from components.compare.stats.evidence import Images, Scored
from components.compare.stats.uncertainty import Estimate

Described = tuple[list[dict[str, RegimeOfRun]], list[Difference]]


def build(a: Run, b: Run, regimes: Sequence[str], paired: bool) -> RunsFindings:
    """Computes the numbers of a comparison of two runs.

    If both were evaluated on the same test images, predictions are paired and the statistics are those of a comparison
    of regimes. Otherwise nothing is paired, and the variances add.

    Args:
        a: the first run.
        b: the second run; differences are the first minus this one.
        regimes: that both have.
        paired: whether their test images are the same.
    """
    regimes_of_runs, found = (_paired if paired else _unpaired)(a, b, regimes)
    return {
        "runs": [_run(run, own) for run, own in zip((a, b), regimes_of_runs, strict=True)],
        "paired": paired,
        "comparisons": found,
    }


def _run(run: Run, regimes: dict[str, RegimeOfRun]) -> RunResult:
    found: RunResult = {"name": run.name, "regimes": regimes}
    if run.inputs.failures:
        found["failed"] = failures.described(run.inputs.failures)
    return found


def _paired(a: Run, b: Run, regimes: Sequence[str]) -> Described:
    """Both runs' models as models of the same test images."""
    groups = {f"{side}/{name}": run.inputs.regimes[name] for side, run in (("a", a), ("b", b)) for name in regimes}
    models = _scored(groups.values())
    estimates = evidence.gather(a.inputs.labels, a.inputs.patients, models, validation=_shared_validation(a, b))
    rows = evidence.model_rows(groups)
    pairs = [(f"a/{name}", f"b/{name}") for name in regimes]
    found = comparisons.compare_all(pairs, estimates, rows)
    described = [
        {name: _regime(estimates, rows[f"{side}/{name}"], groups[f"{side}/{name}"]) for name in regimes}
        for side in ("a", "b")
    ]
    names = list(regimes) * len(comparisons.COMPARED_METRICS)
    return described, [{**pair, "a": name, "b": name} for pair, name in zip(found, names, strict=True)]


def _unpaired(a: Run, b: Run, regimes: Sequence[str]) -> Described:
    """Each run on its own test images."""
    described, means = [], []
    for run in (a, b):
        groups = {name: run.inputs.regimes[name] for name in regimes}
        models, validation = _scored(groups.values()), validation_images(run.inputs)
        estimates = evidence.gather(run.inputs.labels, run.inputs.patients, models, validation=validation)
        rows = evidence.model_rows(groups)
        described.append({name: _regime(estimates, rows[name], groups[name]) for name in regimes})
        means.append(
            {
                metric: [estimates[metric].mean(rows[name]) for name in regimes]
                for metric in comparisons.COMPARED_METRICS
            }
        )
    found = []
    for metric in comparisons.COMPARED_METRICS:
        values = list(zip(means[0][metric], means[1][metric], strict=True))
        found += comparisons.compare_independent(metric, regimes, values)
    return described, found


def _scored(groups: Iterable[Sequence[Model]]) -> list[Scored]:
    return [scored_without_points(model) for own in groups for model in own]


def _shared_validation(a: Run, b: Run) -> Images | None:
    """The validation images if both runs chose their thresholds on the same ones; else thresholds count as fixed."""
    tables = [
        run.inputs.models[0].evaluation.split("validation").sort_values("image", ignore_index=True) for run in (a, b)
    ]
    columns = ["image", "label", "patient"]
    return validation_images(a.inputs) if tables[0][columns].equals(tables[1][columns]) else None


def _regime(estimates: Mapping[str, Estimate], rows: Sequence[int], models: Sequence[Model]) -> RegimeOfRun:
    """A regime of one run."""
    found = metrics_of(estimates, rows)
    seconds = [model.record["training"]["cost"]["train_seconds"] for model in models]
    return {
        "metrics": {name: {"value": entry["value"], "ci95": entry["ci95"]} for name, entry in found.items()},
        "seeds": [model.seed for model in models],
        "train_seconds": sum(seconds) / len(seconds),
    }
