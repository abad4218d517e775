"""Builds the comparison's numbers, the content of `results.json`, out of evaluations."""

from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from components.artifacts.evaluation import METRICS
from components.compare import comparisons, evidence, recommendation, statistics, uncertainty
from components.compare.evidence import BOUNDS, Scored
from components.compare.inputs import Inputs, Model
from components.compare.uncertainty import Figure


def build(inputs: Inputs, run_id: str) -> dict[str, Any]:
    """Computes everything that `results.json` holds but its header.

    With several seeds a regime's value is the mean over its seeds, and its interval knows both how patients and how
    trainings vary (`uncertainty`).

    Args:
        inputs: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
    """
    models = [Scored(model.scores, model.threshold) for model in inputs.models]
    seeds = positions(inputs)
    figures = evidence.gather(inputs.labels, inputs.patients, models)
    info = inputs.dataset.info
    results = {
        "run": _run(inputs, run_id),
        "dataset": {key: info[key] for key in ("source", "fingerprint", "image_size", "splits")},
        "backbone": _backbone(inputs),
        "regimes": {
            regime: _regime(inputs.labels, own, figures, seeds[regime]) for regime, own in inputs.regimes.items()
        },
    }
    results["comparisons"] = comparisons.compare_all(
        figures, list(combinations(inputs.regimes, 2)), seeds, models, inputs.labels, inputs.patients
    )
    results["recommendation"] = recommendation.recommend(results)
    return results


def positions(inputs: Inputs) -> dict[str, list[int]]:
    """Where each regime's models stand among all models."""
    found, start = {}, 0
    for regime, models in inputs.regimes.items():
        found[regime] = list(range(start, start + len(models)))
        start += len(models)
    return found


def _run(inputs: Inputs, run_id: str) -> dict[str, Any]:
    makers = [inputs.dataset.info["made_by"], *(model.evaluation.results["made_by"] for model in inputs.models)]
    training = inputs.models[0].evaluation.results["training"]
    seeds = sorted({model.seed for model in inputs.models})
    return {
        "id": run_id,
        "started": min(made_by["started"] for made_by in makers),
        "finished": max(made_by["finished"] for made_by in makers),
        "seed": seeds[0],
        "seeds": seeds,
        "versions": training["made_by"]["versions"],
        "hardware": training["hardware"],
    }


def _backbone(inputs: Inputs) -> dict[str, str | None]:
    backbones = (model.evaluation.results["backbone"] for model in inputs.models)
    return next((backbone for backbone in backbones if backbone), {"name": None, "weights": None})


def _regime(labels: np.ndarray, models: list[Model], figures: dict[str, Figure], seeds: list[int]) -> dict[str, Any]:
    per_seed = {str(model.seed): statistics.point_metrics(labels, model.scores, model.threshold) for model in models}
    evaluations = [model.evaluation.results for model in models]
    return {
        "metrics": {metric: _entry(figures[metric], seeds, BOUNDS.get(metric, (0.0, 1.0))) for metric in METRICS},
        "threshold": {
            "value": _mean([evaluation["threshold"]["value"] for evaluation in evaluations]),
            "chosen_on": evaluations[0]["threshold"]["chosen_on"],
        },
        "confusion": _confusion(labels, models),
        "robustness": _means([evaluation["robustness"] or {} for evaluation in evaluations]),
        "cost": _means([_cost(evaluation) for evaluation in evaluations]),
    } | ({"per_seed": per_seed} if len(models) > 1 else {})


def _entry(figure: Figure, seeds: list[int], bounds: tuple[float, float] = (0.0, 1.0)) -> dict[str, Any]:
    """A figure's mean over seeds and its interval; with several seeds also their standard deviation."""
    estimate = figure.mean(seeds)
    entry = {"value": estimate.value, "ci95": uncertainty.interval(estimate, *bounds)}
    return entry | ({"sd_seeds": float(figure.values[seeds].std(ddof=1))} if len(seeds) > 1 else {})


def _confusion(labels: np.ndarray, models: list[Model]) -> dict[str, int]:
    """The four counts, summed over the seeds."""
    ones = np.ones((1, len(labels)))
    counts = sum(statistics.confusion(labels, model.scores, model.threshold, ones)[0] for model in models)
    return dict(zip(("tn", "fp", "fn", "tp"), counts.astype(int).tolist(), strict=True))


def _cost(evaluation: dict[str, Any]) -> dict[str, float | None]:
    names = (
        *("train_seconds", "epochs", "images_per_second", "peak_memory_mb", "peak_gpu_memory_mb"),
        *("parameters", "trainable_parameters", "model_mb"),
    )
    cost, inference = evaluation["training"]["cost"], evaluation["inference"]
    return {name: cost[name] for name in names} | {
        "inference_ms_per_image": inference["ms_per_image"],
        "inference_images_per_second": inference["images_per_second"],
    }


def _means(dictionaries: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each entry, over the dictionaries that have it."""
    names = dict.fromkeys(name for dictionary in dictionaries for name in dictionary)
    return {name: _mean([dictionary.get(name) for dictionary in dictionaries]) for name in names}


def _mean(values: list[float | None]) -> float | None:
    """The mean of the known values; a single or a common value stays as it is, so that counts stay integers."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return known[0] if all(value == known[0] for value in known) else fmean(known)
