"""Builds the comparison's numbers, the content of `results.json`, out of evaluations."""

from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR
from components.compare import recommendation
from components.compare.inputs import Inputs, Model
from components.compare.stats import calibration, comparisons, cost, evidence, resampling, uncertainty
from components.compare.stats.evidence import BOUNDS, CALIBRATION_METRICS, POINT_METRICS, SUBGROUP_METRICS, Scored
from components.compare.stats.uncertainty import Figure

READ_OFF_SPECIFICITIES = (0.9, 0.95)
"""At these the test images' own ROC curve is read off."""

FIRST_METRICS = ("roc_auc", "accuracy")
"""In these the regimes are also compared with the floor, and with each other on a second data set."""


def build(inputs: Inputs, run_id: str, gpu_hour_price: float = 0.0, cpu_hour_price: float = 0.0) -> dict[str, Any]:
    """Computes everything that `results.json` holds but its header.

    With several seeds a regime's value is the mean over its seeds, and its interval knows both how patients and how
    trainings vary (`uncertainty`).

    Args:
        inputs: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
        gpu_hour_price: of an hour of training with a GPU; 0 for unknown.
        cpu_hour_price: of an hour of training without one; 0 for unknown.
    """
    groups = inputs.regimes | ({FLOOR: [inputs.floor]} if inputs.floor else {})
    seeds = positions(groups)
    models = [_scored(model) for own in groups.values() for model in own]
    figures = evidence.gather(inputs.labels, inputs.patients, models, inputs.subgroups)
    prices = gpu_hour_price, cpu_hour_price
    described = {name: _regime(inputs, own, figures, seeds[name], prices) for name, own in groups.items()}
    info = inputs.dataset.info
    results = {
        "run": _run(inputs, run_id),
        "dataset": {key: info[key] for key in ("source", "fingerprint", "image_size", "splits")},
        "backbone": _backbone(inputs),
        "regimes": {name: described[name] for name in inputs.regimes},
    }
    judged = figures, seeds, models, inputs.labels, inputs.patients
    results["comparisons"] = comparisons.compare_all(list(combinations(inputs.regimes, 2)), *judged)
    if inputs.floor:
        pairs = [(name, FLOOR) for name in inputs.regimes]
        against = comparisons.compare_all(pairs, *judged, metrics=FIRST_METRICS)
        results["floor"] = described[FLOOR] | {"comparisons": against}
    if inputs.external:
        results["external"] = _external(inputs, groups, seeds)
    results["pareto"] = cost.pareto(results["regimes"])
    results["recommendation"] = recommendation.recommend(results)
    return results


def _external(inputs: Inputs, groups: dict[str, list[Model]], seeds: dict[str, list[int]]) -> dict[str, Any]:
    """The same models on the second data set, with the thresholds of the first one's validation split."""
    labels, patients = inputs.external.labels, inputs.external.patients
    models = [Scored(model.external_scores, model.threshold) for own in groups.values() for model in own]
    figures = evidence.gather(labels, patients, models)
    described = {
        name: {
            "metrics": {
                metric: _entry(figures[metric], seeds[name], BOUNDS.get(metric, (0.0, 1.0))) for metric in METRICS
            }
        }
        for name in groups
    }
    pairs = list(combinations(inputs.regimes, 2))
    found = {
        "dataset": inputs.external.info,
        "regimes": {name: described[name] for name in inputs.regimes},
        "comparisons": comparisons.compare_all(pairs, figures, seeds, models, labels, patients, metrics=FIRST_METRICS),
    }
    return found | ({"floor": described[FLOOR]} if inputs.floor else {})


def positions(groups: dict[str, list[Model]]) -> dict[str, list[int]]:
    """Where the models of each regime stand among all models."""
    found, start = {}, 0
    for regime, models in groups.items():
        found[regime] = list(range(start, start + len(models)))
        start += len(models)
    return found


def _scored(model: Model) -> Scored:
    found = model.evaluation.results
    points = {point["name"]: point["threshold"] for point in found["operating_points"]}
    return Scored(model.scores, model.threshold, points, model.calibrated_scores)


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


def _regime(
    inputs: Inputs, models: list[Model], figures: dict[str, Figure], seeds: list[int], prices: tuple[float, float]
) -> dict[str, Any]:
    labels = inputs.labels
    per_seed = {str(model.seed): resampling.point_metrics(labels, model.scores, model.threshold) for model in models}
    evaluations = [model.evaluation.results for model in models]
    return {
        "metrics": {metric: _entry(figures[metric], seeds, BOUNDS.get(metric, (0.0, 1.0))) for metric in METRICS},
        "threshold": {
            "value": _mean([evaluation["threshold"]["value"] for evaluation in evaluations]),
            "chosen_on": evaluations[0]["threshold"]["chosen_on"],
            "rule": evaluations[0]["threshold"]["rule"],
        },
        "operating_points": _operating_points(evaluations, figures, seeds),
        "test_curve": _means([_read_off(labels, model.scores) for model in models]),
        "calibration": _calibration(labels, models, figures, seeds),
        "subgroups": {name: _subgroup(name, rows, inputs, figures, seeds) for name, rows in inputs.subgroups.items()},
        "confusion": _confusion(labels, models),
        "robustness": _means([evaluation["robustness"] or {} for evaluation in evaluations]),
        "cost": _means([_cost(evaluation, prices) for evaluation in evaluations]),
        "time_to_auc": _where_all([cost.time_to_auc(evaluation["training"]["history"]) for evaluation in evaluations]),
    } | ({"per_seed": per_seed} if len(models) > 1 else {})


def _entry(figure: Figure, seeds: list[int], bounds: tuple[float, float] = (0.0, 1.0)) -> dict[str, Any]:
    """A figure's mean over seeds and its interval; with several seeds also their standard deviation."""
    estimate = figure.mean(seeds)
    entry = {"value": estimate.value, "ci95": uncertainty.interval(estimate, *bounds)}
    return entry | ({"sd_seeds": float(figure.values[seeds].std(ddof=1))} if len(seeds) > 1 else {})


def _operating_points(
    evaluations: list[dict[str, Any]], figures: dict[str, Figure], seeds: list[int]
) -> list[dict[str, Any]]:
    """What further thresholds achieve on test, wherever they were chosen."""
    return [
        {
            "name": point["name"],
            "threshold": fmean(evaluation["operating_points"][place]["threshold"] for evaluation in evaluations),
            "chosen_on": point["chosen_on"],
            "metrics": {metric: _entry(figures[f"{point['name']}/{metric}"], seeds) for metric in POINT_METRICS},
        }
        for place, point in enumerate(evaluations[0]["operating_points"])
    ]


def _read_off(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The sensitivity that the test images' own ROC curve has at two specificities: a description, not a choice."""
    normal, ill = np.sort(scores[labels == 0]), scores[labels == 1]
    found = {}
    for specificity in READ_OFF_SPECIFICITIES:
        # So many normal images must lie below the threshold, which is as low as that allows.
        below = int(np.ceil(specificity * len(normal) - 1e-9))
        found[f"sensitivity at {specificity:.0%} specificity"] = float(np.mean(ill > normal[below - 1]))
    return found


def _calibration(
    labels: np.ndarray, models: list[Model], figures: dict[str, Figure], seeds: list[int]
) -> dict[str, Any]:
    fits = [model.evaluation.results["calibration"] for model in models]
    before, after = [model.scores for model in models], [model.calibrated_scores for model in models]
    return {
        "temperature": fmean(fit["temperature"] for fit in fits),
        "offset": fmean(fit["offset"] for fit in fits),
        "fitted_on": fits[0]["fitted_on"],
        "before": {metric: _entry(figures[metric], seeds) for metric in CALIBRATION_METRICS}
        | {"reliability": calibration.reliability(labels, before)},
        "after": {metric: _entry(figures[f"calibrated/{metric}"], seeds) for metric in CALIBRATION_METRICS}
        | {"reliability": calibration.reliability(labels, after)},
    }


def _subgroup(
    name: str, rows: np.ndarray, inputs: Inputs, figures: dict[str, Figure], seeds: list[int]
) -> dict[str, Any]:
    """What a subgroup's images and patients are, and the metrics that they have both classes or the class for."""
    labels = inputs.labels[rows]
    needs = {"recall": {1}, "specificity": {0}, "accuracy": set(), "roc_auc": {0, 1}}
    known = [metric for metric in ("roc_auc", *SUBGROUP_METRICS) if needs[metric] <= set(labels)]
    return {
        "images": int(rows.sum()),
        "pneumonia": int(labels.sum()),
        "patients": len(set(inputs.patients[rows])),
        "metrics": {metric: _entry(figures[f"{name}/{metric}"], seeds) for metric in known},
    }


def _confusion(labels: np.ndarray, models: list[Model]) -> dict[str, int]:
    """The four counts, summed over the seeds."""
    ones = np.ones((1, len(labels)))
    counts = sum(resampling.confusion(labels, model.scores, model.threshold, ones)[0] for model in models)
    return dict(zip(("tn", "fp", "fn", "tp"), counts.astype(int).tolist(), strict=True))


def _cost(evaluation: dict[str, Any], prices: tuple[float, float]) -> dict[str, float | None]:
    names = (
        *("train_seconds", "epochs", "images_per_second", "peak_memory_mb", "peak_gpu_memory_mb"),
        *("parameters", "trainable_parameters", "model_mb"),
    )
    known, inference = evaluation["training"]["cost"], evaluation["inference"]
    return {name: known[name] for name in names} | {
        "inference_ms_per_image": inference["ms_per_image"],
        "inference_images_per_second": inference["images_per_second"],
        "training_price": cost.training_price(evaluation["training"], *prices),
    }


def _means(dictionaries: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each entry, over the dictionaries that have it."""
    names = dict.fromkeys(name for dictionary in dictionaries for name in dictionary)
    return {name: _mean([dictionary.get(name) for dictionary in dictionaries]) for name in names}


def _where_all(dictionaries: list[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean of each entry that all dictionaries know, else None."""
    return {
        name: None if any(own[name] is None for own in dictionaries) else fmean(own[name] for own in dictionaries)
        for name in dictionaries[0]
    }


def _mean(values: list[float | None]) -> float | None:
    """The mean of the known values; a single or a common value stays as it is, so that counts stay integers."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return known[0] if all(value == known[0] for value in known) else fmean(known)
