"""Assembles the numbers of a comparison, most of `results.json`, from evaluations."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import combinations

from components import planning
from components.artifacts.comparison import (
    FIRST_METRICS,
    BaselineResult,
    ComparedDataset,
    EnsembleResult,
    ExternalRegime,
    ExternalResult,
    Findings,
    RunInfo,
)
from components.artifacts.files import MadeBy
from components.artifacts.names import FLOOR
from components.artifacts.regime_result import RegimeResult
from components.artifacts.trained_model import Backbone
from components.compare import clinical_use, label_budgets, tuning
from components.compare.budget_inputs import BudgetInputs
from components.compare.clinical_use import Population
from components.compare.failures import described
from components.compare.inputs import ExternalImages, Inputs
from components.compare.regime_results import Prices, Regime, metrics_of
from components.compare.scored_models import ensemble, scored, scored_without_points, validation_images
from components.compare.stats import comparisons, cost, described_data, evidence, noninferiority
from components.compare.stats.uncertainty import Estimate


def build(
    inputs: Inputs,
    run_id: str,
    prices: Prices | None = None,
    run_started: str = "",
    population: Population | None = None,
    budgets: BudgetInputs | None = None,
    label_price: float = 0.0,
) -> Findings:
    """Computes the numbers of a comparison.

    With several seeds a regime's value is the mean over its seeds, and its interval includes both the variation between
    patients and the variation between trainings (`stats.uncertainty`).

    Args:
        inputs: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
        prices: of an hour of training; None for unknown.
        run_started: when the run began (ISO 8601), see `from_cache`.
        population: where the models would be used; None for unknown.
        budgets: trainings with fewer labelled patients; None without any.
        label_price: of labelling a patient; 0 for unknown.
    """
    rows = evidence.model_rows(inputs.groups)
    estimates = _estimates(inputs)
    prices = prices or Prices()
    by_name = {name: Regime(inputs, own, estimates, rows[name]).result(prices) for name, own in inputs.groups.items()}
    regimes = {name: by_name[name] for name in inputs.regimes}
    found: Findings = {
        "run": _run(inputs, run_id, run_started),
        "dataset": _dataset(inputs),
        "backbone": _backbone(inputs),
        "regimes": regimes,
        "comparisons": comparisons.compare_all(list(combinations(inputs.regimes, 2)), estimates, rows),
        "noninferiority": noninferiority.against_all(estimates["roc_auc"], rows, len(set(inputs.patients))),
        "training_times": cost.time_ratios(_seconds(inputs)),
        "pareto": cost.pareto(regimes),
        # Summaries of earlier versions do not have it.
        "planning": inputs.dataset.info.get("planning") or planning.plan(inputs.labels, inputs.patients),
    }
    if inputs.baseline:
        found["floor"] = found["baseline"] = _baseline(inputs, by_name[FLOOR], estimates, rows)
    if population:
        found["clinical_use"] = clinical_use.build(inputs, population, estimates, rows)
    if inputs.external:
        found["external"] = found["external_test"] = _external(inputs, inputs.external, rows)
    if budgets:
        found["label_budgets"] = label_budgets.build(inputs, budgets, label_price, regimes, found.get("external"))
    _add_further(found, inputs)
    return found


def _add_further(found: Findings, inputs: Inputs) -> None:
    """Adds what only some comparisons have: the seeds as one classifier, failures, searches."""
    if ensembles := _ensembles(inputs):
        found["ensembles"] = ensembles
    if inputs.failures:
        found["failed"] = described(inputs.failures)
    if searches := tuning.build(inputs):
        found["tuning"] = searches


def _estimates(inputs: Inputs) -> dict[str, Estimate]:
    models, validation = [scored(model) for own in inputs.groups.values() for model in own], validation_images(inputs)
    return evidence.gather(inputs.labels, inputs.patients, models, inputs.subgroups, validation=validation)


def _baseline(
    inputs: Inputs, result: RegimeResult, estimates: Mapping[str, Estimate], rows: Mapping[str, list[int]]
) -> BaselineResult:
    pairs = [(name, FLOOR) for name in inputs.regimes]
    return {**result, "comparisons": comparisons.compare_all(pairs, estimates, rows, FIRST_METRICS)}


def _seconds(inputs: Inputs) -> dict[str, list[float]]:
    """Training times of the seeds of every regime, and of the baseline."""
    return {
        name: [model.record["training"]["cost"]["train_seconds"] for model in models]
        for name, models in inputs.groups.items()
    }


def _ensembles(inputs: Inputs) -> dict[str, EnsembleResult]:
    """The seeds of each regime that has several as one classifier."""
    validation = validation_images(inputs)
    several = {name: models for name, models in inputs.regimes.items() if len(models) > 1}
    if not several or validation is None:
        return {}
    joined = [ensemble(models) for models in several.values()]
    estimates = evidence.gather(inputs.labels, inputs.patients, joined, validation=validation)
    found: dict[str, EnsembleResult] = {}
    for row, (name, models) in enumerate(several.items()):
        records = [model.record for model in models]
        found[name] = {
            "seeds": len(models),
            "threshold": joined[row].threshold,
            "metrics": metrics_of(estimates, [row]),
            "train_seconds": sum(record["training"]["cost"]["train_seconds"] for record in records),
            "inference_ms_per_image": sum(record["inference"]["ms_per_image"] for record in records),
            "model_mb": sum(record["training"]["cost"]["model_mb"] for record in records),
        }
    return found


def _external(inputs: Inputs, external: ExternalImages, rows: dict[str, list[int]]) -> ExternalResult:
    """The same models on the external test set, with the thresholds of the validation images."""
    models = [
        scored_without_points(model, external.scores[model.regime, model.seed])
        for own in inputs.groups.values()
        for model in own
    ]
    estimates = evidence.gather(external.labels, external.patients, models, validation=validation_images(inputs))
    described: dict[str, ExternalRegime] = {name: {"metrics": metrics_of(estimates, rows[name])} for name in rows}
    pairs = list(combinations(inputs.regimes, 2))
    found: ExternalResult = {
        "dataset": external.info,
        "regimes": {name: described[name] for name in inputs.regimes},
        "comparisons": comparisons.compare_all(pairs, estimates, rows, FIRST_METRICS),
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


def from_cache(inputs: Inputs, run_started: str) -> list[str]:
    """What was made before the run began (Kubeflow's cache) or was continued (on this machine).

    Args:
        inputs: what is compared.
        run_started: when the run began or was continued (ISO 8601). If that is unknown (empty, or a placeholder that an
            older Kubeflow did not replace), nothing is taken to be cached.

    Returns:
        "dataset", and regimes with at least one training that was made before.
    """
    try:
        began = datetime.fromisoformat(run_started)
    except ValueError:
        return []
    began = began if began.tzinfo else began.replace(tzinfo=UTC)

    def earlier(made_by: MadeBy) -> bool:
        return datetime.fromisoformat(made_by["finished"]) < began

    trainings = {
        regime: any(earlier(model.record["training"]["made_by"]) for model in models)
        for regime, models in inputs.regimes.items()
    }
    return ["dataset"] * earlier(inputs.dataset.info["made_by"]) + [
        regime for regime, taken in trainings.items() if taken
    ]
