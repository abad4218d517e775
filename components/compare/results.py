"""Builds the comparison's numbers, the content of `results.json`, out of evaluations and bootstrap samples."""

from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from components.artifacts.evaluation import METRICS
from components.compare import recommendation, statistics
from components.compare.inputs import Inputs, Model

COMPARED_METRICS = ("roc_auc", "accuracy")
"""Metrics in which every pair of regimes is compared: one of ranking, one of decisions."""

TEST_NAME = "paired bootstrap over patients"


def build(inputs: Inputs, run_id: str) -> dict[str, Any]:
    """Computes everything that `results.json` holds but its header.

    With several seeds a regime's value is the mean over its seeds, and its interval is that of the mean under the
    same resampled patients in every seed. The interval thus speaks of other patients, not of another training; how
    far trainings differ stands in `per_seed`.

    Args:
        inputs: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
    """
    drawn = statistics.bootstrap(
        inputs.labels, inputs.patients, [(model.scores, model.threshold) for model in inputs.models]
    )
    owners = np.array([regime for regime, models in inputs.regimes.items() for _ in models])
    samples = {regime: drawn[owners == regime].mean(axis=0) for regime in inputs.regimes}
    info = inputs.dataset.info
    results = {
        "run": _run(inputs, run_id),
        "dataset": {key: info[key] for key in ("source", "fingerprint", "image_size", "splits")},
        "backbone": _backbone(inputs),
        "regimes": {
            regime: _regime(inputs.labels, models, samples[regime]) for regime, models in inputs.regimes.items()
        },
    }
    results["comparisons"] = _comparisons(results["regimes"], samples)
    results["recommendation"] = recommendation.recommend(results)
    return results


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


def _regime(labels: np.ndarray, models: list[Model], samples: np.ndarray) -> dict[str, Any]:
    per_seed = {str(model.seed): statistics.point_metrics(labels, model.scores, model.threshold) for model in models}
    evaluations = [model.evaluation.results for model in models]
    metrics = {
        name: {
            "value": fmean(values[name] for values in per_seed.values()),
            "ci95": statistics.interval(samples[:, column]),
        }
        for column, name in enumerate(METRICS)
    }
    return {
        "metrics": metrics,
        "threshold": {
            "value": _mean([evaluation["threshold"]["value"] for evaluation in evaluations]),
            "chosen_on": evaluations[0]["threshold"]["chosen_on"],
        },
        "confusion": _confusion(labels, models),
        "robustness": _means([evaluation["robustness"] or {} for evaluation in evaluations]),
        "cost": _means([_cost(evaluation) for evaluation in evaluations]),
    } | ({"per_seed": per_seed} if len(models) > 1 else {})


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


def _comparisons(regimes: dict[str, Any], samples: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Every pair of regimes, metric by metric, with p-values also adjusted for the number of pairs."""
    found = []
    for metric in COMPARED_METRICS:
        pairs = [_pair(a, b, metric, regimes, samples) for a, b in combinations(regimes, 2)]
        for pair, adjusted in zip(pairs, statistics.holm([pair["p_value"] for pair in pairs]), strict=True):
            pair["p_value_holm"] = adjusted
        found += pairs
    return found


def _pair(a: str, b: str, metric: str, regimes: dict[str, Any], samples: dict[str, np.ndarray]) -> dict[str, Any]:
    column = METRICS.index(metric)
    differences = samples[a][:, column] - samples[b][:, column]
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "difference": regimes[a]["metrics"][metric]["value"] - regimes[b]["metrics"][metric]["value"],
        "ci95": statistics.interval(differences),
        "p_value": statistics.p_value(differences),
        "test": TEST_NAME,
    }
