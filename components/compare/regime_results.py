"""The numbers of one regime: metrics with intervals, thresholds, calibration, subgroups, cost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import cast

import numpy as np

from components.artifacts.evaluation import METRICS, Confusion, EvaluationRecord, logits
from components.artifacts.regime_result import (
    POINT_METRICS,
    SUBGROUP_METRICS,
    CalibrationResult,
    CalibrationStage,
    Change,
    Metric,
    PointResult,
    RegimeCost,
    RegimeResult,
    ShiftResult,
    SubgroupResult,
    ValidationResult,
)
from components.compare.inputs import Inputs, Model
from components.compare.stats import calibration, cost, resampling, shift, uncertainty
from components.compare.stats.evidence import bounds
from components.compare.stats.uncertainty import Estimate, UncertainDifference

READ_OFF_SPECIFICITIES = (0.9, 0.95)
"""Specificities at which the sensitivity is read off the test ROC curve."""


@dataclass(frozen=True)
class Prices:
    """Of an hour of training on a machine with and without a GPU, in any currency; 0 for unknown."""

    gpu_hour: float = 0.0
    cpu_hour: float = 0.0


class Regime:
    """The models of one regime, which differ in their seeds, and what is estimated of them.

    Args:
        inputs: everything that is compared.
        models: of this regime.
        estimates: of all models, from `evidence.gather`.
        rows: positions of this regime's models in the estimates.
    """

    def __init__(
        self, inputs: Inputs, models: Sequence[Model], estimates: Mapping[str, Estimate], rows: Sequence[int]
    ) -> None:
        self._inputs, self._models, self._estimates, self._rows = inputs, models, estimates, rows
        self._records: list[EvaluationRecord] = [model.record for model in models]

    def result(self, prices: Prices) -> RegimeResult:
        """The regime's part of `results.json`."""
        first = self._records[0]
        found: RegimeResult = {
            "metrics": metrics_of(self._estimates, self._rows),
            "threshold": {
                "value": fmean_or_common([record["threshold"]["value"] for record in self._records]),
                "chosen_on": first["threshold"]["chosen_on"],
                "rule": first["threshold"]["rule"],
            },
            "operating_points": self._operating_points(),
            "test_curve": self._test_curve(),
            "calibration": self._calibration(),
            "subgroups": {name: self._subgroup(name, rows) for name, rows in self._inputs.subgroups.items()},
            "confusion": self._confusion(),
            "robustness": means([record["robustness"] or {} for record in self._records]),
            "cost": cast(RegimeCost, means([_cost(record, prices) for record in self._records])),
            "time_to_auc": _means_where_all(
                [cost.time_to_auc(record["training"]["history"]) for record in self._records]
            ),
        }
        if "robustness_images" in first:
            found["robustness_errors"] = means([record.get("robustness_errors", {}) for record in self._records])
            found["robustness_images"] = first["robustness_images"]
        if "validation/roc_auc" in self._estimates:
            found["validation"], found["shift"] = self._validation(), self._shift()
        if len(self._models) > 1:
            found["train_seconds_by_seed"] = {
                str(model.seed): model.record["training"]["cost"]["train_seconds"] for model in self._models
            }
            found["per_seed"] = {
                str(model.seed): resampling.point_metrics(self._inputs.labels, model.scores, model.threshold)
                for model in self._models
            }
        return found

    def _metric(self, name: str) -> Metric:
        return metric_of(self._estimates[name], self._rows)

    def _operating_points(self) -> list[PointResult]:
        """The performance of further thresholds on test, wherever they were chosen."""
        return [
            {
                "name": point["name"],
                "threshold": fmean(record["operating_points"][place]["threshold"] for record in self._records),
                "chosen_on": point["chosen_on"],
                "metrics": {metric: self._metric(f"{point['name']}/{metric}") for metric in POINT_METRICS},
            }
            for place, point in enumerate(self._records[0]["operating_points"])
        ]

    def _test_curve(self) -> dict[str, float]:
        curves = [sensitivities(self._inputs.labels, model.scores) for model in self._models]
        return {name: fmean_or_common([curve[name] for curve in curves]) for name in curves[0]}

    def _validation(self) -> ValidationResult:
        return {
            "images": len(self._inputs.validation_labels),
            "patients": len(set(self._inputs.validation_patients)),
            "metrics": {
                name: metric_of(self._estimates[f"validation/{name}"], self._rows, *bounds(name))
                for name in (*METRICS, "youden")
            },
        }

    def _shift(self) -> ShiftResult:
        labels, before = self._inputs.labels, self._inputs.validation_labels
        change: Change = {
            "value": self._estimates["shift/youden"].mean(self._rows).value,
            "ci95": shift_interval(self._estimates, self._rows, uncertainty.CONFIDENCE),
        }
        # Any of the regimes makes the report warn, so the level is shared by them.
        confidence = 1 - (1 - uncertainty.CONFIDENCE) / len(self._inputs.regimes)
        low, high = shift_interval(self._estimates, self._rows, confidence)
        youden = metric_of(self._estimates["youden"], self._rows, *bounds("youden"))
        return {
            "youden": youden,
            "youden_validation": youden["value"] - change["value"],
            "optimism": self._estimates["optimism/youden"].mean(self._rows).value,
            "youden_change": change,
            "roc_auc_change": change_of(self._estimates["shift/roc_auc"], self._rows),
            "best_youden": fmean(shift.best_youden(labels, model.scores) for model in self._models),
            "kolmogorov_smirnov": {
                name: fmean(
                    shift.distance(model.validation_scores[before == label], model.scores[labels == label])
                    for model in self._models
                )
                for label, name in ((0, "normal"), (1, "pneumonia"))
            },
            "shown": not low <= 0 <= high,
        }

    def _calibration(self) -> CalibrationResult:
        fits = [record["calibration"] for record in self._records]
        return {
            "temperature": fmean(fit["temperature"] for fit in fits),
            "offset": fmean(fit["offset"] for fit in fits),
            "fitted_on": fits[0]["fitted_on"],
            "before": self._calibration_stage("", [model.scores for model in self._models]),
            "after": self._calibration_stage("calibrated/", [model.calibrated_scores for model in self._models]),
            "brier_change": self._calibration_change("brier"),
            "log_loss_change": self._calibration_change("log_loss"),
        }

    def _calibration_change(self, metric: str) -> Change:
        """A metric after calibration minus before, on the same images."""
        return change_of(self._estimates[f"calibration change/{metric}"], self._rows)

    def _calibration_stage(self, prefix: str, scores: list[np.ndarray]) -> CalibrationStage:
        labels, patients = self._inputs.labels, self._inputs.patients
        slopes, intercepts = calibration.slopes_and_intercepts(labels, patients, np.stack(list(map(logits, scores))))
        everyone = range(len(scores))
        return {
            "brier": self._metric(f"{prefix}brier"),
            "log_loss": metric_of(self._estimates[f"{prefix}log_loss"], self._rows, *bounds("log_loss")),
            "ece": self._metric(f"{prefix}ece"),
            "ece_if_calibrated": fmean(map(calibration.expected_error, scores)),
            "slope": change_of(slopes, everyone) if np.isfinite(slopes.values).all() else None,
            "intercept": change_of(intercepts, everyone),
            "reliability": calibration.reliability(labels, scores),
        }

    def _subgroup(self, name: str, rows: np.ndarray) -> SubgroupResult:
        """Counts of a subgroup, and the metrics for which it has the classes."""
        labels = self._inputs.labels[rows]
        needs: dict[str, set[int]] = {"recall": {1}, "specificity": {0}, "accuracy": set(), "roc_auc": {0, 1}}
        known = [metric for metric in ("roc_auc", *SUBGROUP_METRICS) if needs[metric] <= set(labels)]
        return {
            "images": int(rows.sum()),
            "pneumonia": int(labels.sum()),
            "patients": len(set(self._inputs.patients[rows])),
            "metrics": {metric: self._metric(f"{name}/{metric}") for metric in known},
        }

    def _confusion(self) -> Confusion:
        """The four counts, summed over the seeds."""
        labels = self._inputs.labels
        once = np.ones((1, len(labels)))
        counts = np.stack([resampling.confusion(labels, own.scores, own.threshold, once)[0] for own in self._models])
        tn, fp, fn, tp = counts.sum(axis=0).astype(int).tolist()
        return {"tn": tn, "fp": fp, "fn": fn, "tp": tp}


def metrics_of(estimates: Mapping[str, Estimate], rows: Sequence[int]) -> dict[str, Metric]:
    """Every metric of the models in `rows`."""
    return {name: metric_of(estimates[name], rows, *bounds(name)) for name in METRICS}


def metric_of(estimate: Estimate, rows: Sequence[int], lowest: float = 0.0, highest: float = 1.0) -> Metric:
    """The mean of a metric over seeds with its interval; with several seeds also their standard deviation.

    Args:
        estimate: of all models.
        rows: positions of the models of one regime.
        lowest: value that the metric can have.
        highest: value that the metric can have.
    """
    mean = estimate.mean(rows)
    found: Metric = {"value": mean.value, "ci95": uncertainty.interval(mean, lowest, highest)}
    if len(rows) > 1:
        found["sd_seeds"] = float(estimate.values[list(rows)].std(ddof=1))
    return found


def shift_interval(estimates: Mapping[str, Estimate], rows: Sequence[int], confidence: float) -> list[float]:
    """The interval of Youden's J on test minus that on validation less its optimism.

    Args:
        estimates: of all models.
        rows: positions of the models of one regime.
        confidence: of the interval.
    """
    change = estimates["shift/youden"].mean(rows)
    after, before = (estimates[name].mean(rows) for name in ("youden", "validation/youden"))
    moved = UncertainDifference(**asdict(change), a=after, b=replace(before, value=after.value - change.value))
    return uncertainty.difference_interval(moved, *bounds("youden"), confidence)


def change_of(estimate: Estimate, rows: Sequence[int]) -> Change:
    """The mean over seeds of a change without bounds that matter, with its interval."""
    mean = estimate.mean(rows)
    return {"value": mean.value, "ci95": uncertainty.change_interval(mean)}


def sensitivities(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The sensitivity on the test ROC curve at `READ_OFF_SPECIFICITIES`: a description, no choice of a threshold."""
    normal, ill = np.sort(scores[labels == 0]), scores[labels == 1]
    found = {}
    for specificity in READ_OFF_SPECIFICITIES:
        # At least this many normal images must lie below the threshold, which is as low as that allows.
        below = int(np.ceil(specificity * len(normal) - 1e-9))
        found[f"sensitivity at {specificity:.0%} specificity"] = float(np.mean(ill > normal[below - 1]))
    return found


def _cost(record: EvaluationRecord, prices: Prices) -> dict[str, float | None]:
    known, inference = record["training"]["cost"], record["inference"]
    return {
        "train_seconds": known["train_seconds"],
        "epochs": known["epochs"],
        "images_per_second": known["images_per_second"],
        "peak_memory_mb": known["peak_memory_mb"],
        "peak_gpu_memory_mb": known["peak_gpu_memory_mb"],
        "parameters": known["parameters"],
        "trainable_parameters": known["trainable_parameters"],
        "model_mb": known["model_mb"],
        "inference_ms_per_image": inference["ms_per_image"],
        "inference_images_per_second": inference["images_per_second"],
        "training_price": cost.training_price(record["training"], prices.gpu_hour, prices.cpu_hour),
    }


def means(dictionaries: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each entry, over the dictionaries in which it is known; None where it is known in none."""
    names = dict.fromkeys(name for dictionary in dictionaries for name in dictionary)
    found: dict[str, float | None] = {}
    for name in names:
        known = [value for own in dictionaries if (value := own.get(name)) is not None]
        found[name] = fmean_or_common(known) if known else None
    return found


def _means_where_all(dictionaries: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each entry that is known in all dictionaries, else None."""
    found: dict[str, float | None] = {}
    for name in dictionaries[0]:
        known = [value for own in dictionaries if (value := own[name]) is not None]
        found[name] = fmean(known) if len(known) == len(dictionaries) else None
    return found


def fmean_or_common(values: Sequence[float]) -> float:
    """The mean; a value that all have in common is returned as it is, so that counts stay integers."""
    return values[0] if all(value == values[0] for value in values) else fmean(values)
