"""All metrics of all models, with their covariance between samples of patients: the basis of all intervals.

Both the test and the validation patients are drawn anew. In every draw of the validation patients the thresholds are
chosen again, so the variation of every metric that needs a threshold includes that of the threshold.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from components import roc_auc, thresholds
from components.artifacts.evaluation import METRICS, logits
from components.artifacts.regime_result import CALIBRATION_METRICS, POINT_METRICS, SUBGROUP_METRICS
from components.compare.stats import resampling
from components.compare.stats.uncertainty import Estimate
from components.thresholds import YOUDEN, Rule

LARGEST_LOG_LOSS = float(np.logaddexp(0, logits(np.ones(1)))[0])
"""Of an image whose score is as wrong as possible; finite, since logits are clipped."""

BOUNDS = {"mcc": (-1.0, 1.0), "youden": (-1.0, 1.0), "log_loss": (0.0, LARGEST_LOG_LOSS)}
"""Lowest and highest value of each metric; 0 and 1 unless named."""

Measure = Callable[[np.ndarray, np.ndarray | None], dict[str, np.ndarray]]
"""Takes weights of test images (B, N) and of validation images (B, V) or None; returns metrics (B,) by name."""


@dataclass(frozen=True)
class Images:
    """The images of a split.

    Attributes:
        labels: int (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
    """

    labels: np.ndarray
    patients: np.ndarray


@dataclass(frozen=True)
class Scored:
    """The scores of one model, and its thresholds.

    Attributes:
        scores: float64 (N,), probability of pneumonia of the test images.
        threshold: scores at or above it mean pneumonia; chosen on validation.
        points: further thresholds by name.
        calibrated: float64 (N,), the scores as calibrated probabilities; None leaves them out.
        validation: float64 (V,), scores of the validation images; None where they are unknown, and the thresholds then
            count as fixed.
        rule: by which the threshold was chosen.
        point_rules: by which the further thresholds were chosen; those without a rule are fixed.
    """

    scores: np.ndarray
    threshold: float
    points: dict[str, float] = field(default_factory=dict)
    calibrated: np.ndarray | None = None
    validation: np.ndarray | None = None
    rule: Rule = YOUDEN
    point_rules: dict[str, Rule] = field(default_factory=dict)


def gather(
    labels: np.ndarray,
    patients: np.ndarray,
    models: Sequence[Scored],
    subgroups: dict[str, np.ndarray] | None = None,
    replicates: int | None = None,
    validation: Images | None = None,
) -> dict[str, Estimate]:
    """Every metric of every model, and some of them at other thresholds, after calibration, and in parts of the images.

    The covariance of ROC AUC is DeLong's, in the form for several images per patient; that of the other metrics comes
    from a bootstrap over patients.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        models: in any order; all scored on the same images, all with further thresholds of the same names.
        subgroups: {name: (N,) bool}, some of the images.
        replicates: of the bootstrap; `resampling.REPLICATES` unless given.
        validation: on which the thresholds of all models were chosen; None holds the thresholds fixed.

    Returns:
        {name: estimate}, models in the order given. A name is "METRIC", "THRESHOLD/METRIC", "calibrated/METRIC",
        "SUBGROUP/METRIC", and with the validation images "validation/METRIC", "shift/youden", "shift/roc_auc" (test
        minus validation) and "optimism/youden" (see `_validated`).
    """
    parts = subgroups or {}
    test = Images(labels, patients)
    measures = [_measure(test, model, parts, validation) for model in models]
    whole = measures[0](np.ones((1, len(labels))), None)
    names = list(whole)
    values = np.array([[own[0] for own in measure(np.ones((1, len(labels))), None).values()] for measure in measures])
    samples = _bootstrap(test, validation, measures, replicates or resampling.REPLICATES)
    freedom = {"": degrees_of_freedom(labels, patients)}
    freedom |= {name: degrees_of_freedom(labels[rows], patients[rows]) for name, rows in parts.items()}
    if validation:
        freedom["validation"] = degrees_of_freedom(validation.labels, validation.patients)
        freedom["shift"] = min(freedom[""], freedom["validation"])
    estimates = {
        name: Estimate(
            values[:, column], covariance(samples[:, :, column]), freedom.get(name.rpartition("/")[0], freedom[""])
        )
        for column, name in enumerate(names)
    }
    if validation:
        column = names.index("optimism/youden")
        optimism = samples[:, :, column].mean(axis=1)
        estimates["optimism/youden"] = Estimate(optimism, estimates["optimism/youden"].covariance, freedom[""])
        apparent = estimates["shift/youden"]
        estimates["shift/youden"] = Estimate(apparent.values + optimism, apparent.covariance, freedom["shift"])
    return estimates | _areas(test, models, parts, validation, freedom)


def _areas(
    test: Images,
    models: Sequence[Scored],
    parts: Mapping[str, np.ndarray],
    validation: Images | None,
    freedom: Mapping[str, int],
) -> dict[str, Estimate]:
    """ROC AUC with DeLong's covariance: on all test images, in subgroups, on validation, and test minus validation."""
    found: dict[str, Estimate] = {}
    scores = np.stack([model.scores for model in models])
    for part, rows in {"": np.ones(len(test.labels), bool), **parts}.items():
        if set(test.labels[rows]) == {0, 1}:
            areas, spread = roc_auc.covariance_of_areas(test.labels[rows], test.patients[rows], scores[:, rows])
            found[f"{part}/roc_auc" if part else "roc_auc"] = Estimate(areas, spread, freedom[part])
    if validation and "roc_auc" in found:
        before = np.stack([model.validation for model in models if model.validation is not None])
        areas, spread = roc_auc.covariance_of_areas(validation.labels, validation.patients, before)
        found["validation/roc_auc"] = Estimate(areas, spread, freedom["validation"])
        on_test = found["roc_auc"]
        found["shift/roc_auc"] = Estimate(on_test.values - areas, on_test.covariance + spread, freedom["shift"])
    return found


def _bootstrap(test: Images, validation: Images | None, measures: Sequence[Measure], replicates: int) -> np.ndarray:
    """Measures every model on the same draws of patients, which makes their differences paired.

    Returns:
        float64 (models, replicates, metrics).
    """
    images = max(len(test.labels), len(validation.labels) if validation else 0)
    rows, seed = resampling.rows_at_a_time(images), resampling.BOOTSTRAP_SEED
    drawn = resampling.patient_weights(test.labels, test.patients, replicates, seed, rows)
    also: Iterable[np.ndarray | None] = repeat(None)
    if validation:
        also = resampling.patient_weights(validation.labels, validation.patients, replicates, seed + 1, rows)
    columns = [
        lambda *weights, measure=measure: np.stack(list(measure(*weights).values()), axis=1) for measure in measures
    ]
    return resampling.bootstrap(zip(drawn, also, strict=False), columns)


def bounds(metric: str) -> tuple[float, float]:
    """The lowest and the highest value that a metric can have."""
    return BOUNDS.get(metric, (0.0, 1.0))


def model_rows(groups: Mapping[str, Sequence[object]]) -> dict[str, list[int]]:
    """The positions of the models of each group, once the groups are joined in order."""
    found: dict[str, list[int]] = {}
    start = 0
    for name, own in groups.items():
        found[name] = list(range(start, start + len(own)))
        start += len(own)
    return found


def _measure(test: Images, model: Scored, subgroups: dict[str, np.ndarray], validation: Images | None) -> Measure:
    """A function that measures one model."""
    labels, own = test.labels, model.validation

    def measure(weights: np.ndarray, validation_weights: np.ndarray | None) -> dict[str, np.ndarray]:
        def threshold(fixed: float, rule: Rule | None) -> float | np.ndarray:
            if validation is None or validation_weights is None or own is None or rule is None:
                return fixed
            return thresholds.choose(validation.labels, own, rule, validation_weights)

        main = threshold(model.threshold, model.rule)
        decisions = resampling.decision_metrics(labels, model.scores, main, weights)
        found = dict(zip(METRICS, resampling.weighted_metrics(labels, model.scores, main, weights).T, strict=True))
        found |= {"youden": decisions["youden"]}
        fit = resampling.calibration_metrics(labels, model.scores, weights)
        found |= {"log_loss": fit["log_loss"]}
        for name, fixed in model.points.items():
            point = threshold(fixed, model.point_rules.get(name))
            decisions = resampling.decision_metrics(labels, model.scores, point, weights)
            found |= {f"{name}/{metric}": decisions[metric] for metric in POINT_METRICS}
        if model.calibrated is not None:
            after = resampling.calibration_metrics(labels, model.calibrated, weights)
            found |= {f"calibrated/{metric}": after[metric] for metric in CALIBRATION_METRICS}
            found |= {f"calibration change/{metric}": after[metric] - fit[metric] for metric in CALIBRATION_METRICS}
        for name, rows in subgroups.items():
            decisions = resampling.decision_metrics(labels[rows], model.scores[rows], main, weights[:, rows])
            found |= {f"{name}/{metric}": decisions[metric] for metric in SUBGROUP_METRICS}
        if validation is not None and own is not None:
            found |= _validated(validation, own, main, validation_weights, found["youden"])
        return found

    return measure


def _validated(
    validation: Images,
    scores: np.ndarray,
    threshold: float | np.ndarray,
    weights: np.ndarray | None,
    youden_on_test: np.ndarray,
) -> dict[str, np.ndarray]:
    """The metrics on the validation images, and how Youden's J changes from there to the test images.

    J on the images on which the threshold was chosen is too high. By how much, the bootstrap tells: in each draw J of
    the draw, minus J of the images as they are at the threshold that was chosen on the draw (the optimism of Harrell,
    Lee and Mark 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4).
    """
    once = np.ones((1, len(scores)))
    drawn = once if weights is None else weights
    metrics = resampling.weighted_metrics(validation.labels, scores, threshold, drawn)
    apparent = resampling.decision_metrics(validation.labels, scores, threshold, drawn)["youden"]
    as_they_are = np.broadcast_to(once, drawn.shape)
    honest = resampling.decision_metrics(validation.labels, scores, threshold, as_they_are)["youden"]
    found = {f"validation/{name}": values for name, values in zip(METRICS, metrics.T, strict=True)}
    return found | {
        "validation/youden": apparent,
        "shift/youden": youden_on_test - apparent,
        "optimism/youden": apparent - honest,
    }


def degrees_of_freedom(labels: np.ndarray, patients: np.ndarray) -> int:
    """The number of patients of the rarer class minus one: it limits how well variation can be estimated."""
    fewest = min(len(np.unique(patients[labels == label])) for label in np.unique(labels))
    return max(1, fewest - 1)


def covariance(samples: np.ndarray) -> np.ndarray:
    """Covariances (K, K) of K models over replicates (K, R)."""
    return np.atleast_2d(np.cov(samples))
