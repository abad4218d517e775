"""Assembles the numbers of a comparison, most of `results.json`, from evaluations."""

from itertools import combinations

from components.artifacts.comparison import (
    FIRST_METRICS,
    BaselineResult,
    ComparedDataset,
    Difference,
    ExternalRegime,
    ExternalResult,
    Findings,
    RunInfo,
)
from components.artifacts.names import FLOOR
from components.artifacts.trained_model import Backbone
from components.compare.inputs import ExternalImages, Inputs, Model, from_cache
from components.compare.regime_results import Prices, Regime, metrics_of
from components.compare.stats import comparisons, cost, described_data, evidence
from components.compare.stats.comparisons import COMPARED_METRICS
from components.compare.stats.evidence import Scored


def build(inputs: Inputs, run_id: str, prices: Prices | None = None, run_started: str = "") -> Findings:
    """Computes the numbers of a comparison.

    With several seeds a regime's value is the mean over its seeds, and its interval includes both the variation between
    patients and the variation between trainings (`stats.uncertainty`).

    Args:
        inputs: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
        prices: of an hour of training; None for unknown.
        run_started: when the run began (ISO 8601), see `inputs.from_cache`.
    """
    rows = evidence.model_rows(inputs.groups)
    models = [_scored(model) for own in inputs.groups.values() for model in own]
    estimates = evidence.gather(inputs.labels, inputs.patients, models, inputs.subgroups)
    described = {
        name: Regime(inputs, own, estimates, rows[name]).result(prices or Prices())
        for name, own in inputs.groups.items()
    }
    regimes = {name: described[name] for name in inputs.regimes}

    def compared(pairs: list[tuple[str, str]], metrics: tuple[str, ...] = COMPARED_METRICS) -> list[Difference]:
        return comparisons.compare_all(pairs, estimates, rows, models, inputs.labels, inputs.patients, metrics)

    found: Findings = {
        "run": _run(inputs, run_id, run_started),
        "dataset": _dataset(inputs),
        "backbone": _backbone(inputs),
        "regimes": regimes,
        "comparisons": compared(list(combinations(inputs.regimes, 2))),
        "pareto": cost.pareto(regimes),
    }
    if inputs.baseline:
        against = compared([(name, FLOOR) for name in inputs.regimes], FIRST_METRICS)
        baseline: BaselineResult = {**described[FLOOR], "comparisons": against}
        found["floor"] = found["baseline"] = baseline
    if inputs.external:
        found["external"] = found["external_test"] = _external(inputs, inputs.external, rows)
    return found


def _scored(model: Model) -> Scored:
    points = {point["name"]: point["threshold"] for point in model.record["operating_points"]}
    return Scored(model.scores, model.threshold, points, model.calibrated_scores)


def _external(inputs: Inputs, external: ExternalImages, rows: dict[str, list[int]]) -> ExternalResult:
    """The same models on the external test set, with the thresholds of the validation images."""
    models = [
        Scored(external.scores[model.regime, model.seed], model.threshold)
        for own in inputs.groups.values()
        for model in own
    ]
    labels, patients = external.labels, external.patients
    estimates = evidence.gather(labels, patients, models)
    described: dict[str, ExternalRegime] = {name: {"metrics": metrics_of(estimates, rows[name])} for name in rows}
    pairs = list(combinations(inputs.regimes, 2))
    found: ExternalResult = {
        "dataset": external.info,
        "regimes": {name: described[name] for name in inputs.regimes},
        "comparisons": comparisons.compare_all(pairs, estimates, rows, models, labels, patients, FIRST_METRICS),
    }
    if inputs.baseline:
        found["floor"] = found["baseline"] = described[FLOOR]
    return found


def _run(inputs: Inputs, run_id: str, run_started: str) -> RunInfo:
    makers = [inputs.dataset.info["made_by"], *(model.record["made_by"] for model in inputs.models)]
    training = inputs.models[0].record["training"]
    seeds = sorted({model.seed for model in inputs.models})
    return {
        "id": run_id,
        "started": min(made_by["started"] for made_by in makers),
        "finished": max(made_by["finished"] for made_by in makers),
        "seed": seeds[0],
        "seeds": seeds,
        "versions": training["made_by"]["versions"],
        "hardware": training["hardware"],
        "from_cache": from_cache(inputs, run_started),
    }


def _dataset(inputs: Inputs) -> ComparedDataset:
    info = inputs.dataset.info
    return {
        "source": info["source"],
        "fingerprint": info["fingerprint"],
        "image_size": info["image_size"],
        "splits": info["splits"],
        **described_data.describe(inputs),
    }


def _backbone(inputs: Inputs) -> Backbone:
    found = [backbone for model in inputs.models if (backbone := model.record["backbone"])]
    return found[0] if found else {"name": None, "weights": None}
