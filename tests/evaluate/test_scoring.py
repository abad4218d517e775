import numpy as np
import pytest

from components.artifacts.evaluation import METRICS
from components.evaluate.scoring import (
    all_metrics,
    choose_threshold,
    confusion,
    curves,
    expected_calibration_error,
    operating_points,
)

LABELS = np.array([0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.6, 0.4, 0.7, 0.9])


def random_scores(images: int, seed: int = 0, digits: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(2, size=images - 2)]
    return labels, (1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1.5)))).round(digits)


def test_metrics_are_those_computed_by_hand():
    found = all_metrics(LABELS, SCORES, 0.5)
    assert tuple(found) == METRICS
    assert found == pytest.approx(
        {
            **{"accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "specificity": 1 / 2, "f1": 2 / 3},
            **{"balanced_accuracy": 7 / 12, "mcc": 1 / 6, "roc_auc": 5 / 6, "pr_auc": 11 / 12},
            **{"brier": (0.01 + 0.36 + 0.36 + 0.09 + 0.01) / 5, "ece": (0.1 + 0.6 + 0.6 + 0.3 + 0.1) / 5},
        }
    )
    assert all(type(value) is float for value in found.values())


def test_a_score_at_the_threshold_counts_as_pneumonia():
    assert confusion(LABELS, SCORES, 0.6) == {"tn": 1, "fp": 1, "fn": 1, "tp": 2}
    assert confusion(LABELS, SCORES, 0.61) == {"tn": 2, "fp": 0, "fn": 1, "tp": 2}
    assert all_metrics(LABELS, SCORES, 0.6)["specificity"] == 0.5


def test_without_any_positive_prediction_every_metric_is_finite():
    found = all_metrics(LABELS, SCORES, 0.95)
    assert (found["precision"], found["recall"], found["f1"], found["specificity"], found["mcc"]) == (0, 0, 0, 1, 0)
    assert confusion(LABELS, SCORES, 0.95) == {"tn": 2, "fp": 0, "fn": 3, "tp": 0}


@pytest.mark.parametrize(
    ("labels", "scores", "threshold"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.8], 0.4),  # halfway between the classes
        ([0, 1, 0, 1], [0.1, 0.3, 0.5, 0.9], 0.7),  # 0.2 is as good, but further from 0.5
        ([0, 1, 0, 1], [0.1, 0.45, 0.6, 0.99], 0.275),  # 0.795 is as good, but further from 0.5
        ([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0], 0.5),
        ([0, 0, 0, 1], [0.2, 0.3, 0.4, 0.4], 0.35),
        ([1, 0], [0.4, 0.7], 0.2),  # worse than chance: everything counts as pneumonia
    ],
)
def test_the_threshold_lies_halfway_where_sensitivity_and_specificity_are_best(labels, scores, threshold):
    found, rule = choose_threshold(np.array(labels), np.array(scores))
    assert found == pytest.approx(threshold)
    assert rule == "Youden's J"


@pytest.mark.parametrize("digits", [1, 2, 9])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_is_better(seed, digits):
    labels, scores = random_scores(60, seed, digits)

    def gain(threshold):
        positive = scores >= threshold
        return positive[labels == 1].mean() - positive[labels == 0].mean()

    threshold, _ = choose_threshold(labels, scores)
    assert type(threshold) is float
    assert 0 <= threshold <= 1
    assert gain(threshold) == pytest.approx(max(gain(other) for other in np.linspace(0, 1, 2001)))


@pytest.mark.parametrize("target", [0.05, 0.5, 0.9, 0.95, 1.0])
def test_a_target_sensitivity_is_reached_by_the_highest_threshold_that_can(target):
    labels, scores = random_scores(200, digits=2)
    threshold, rule = choose_threshold(labels, scores, target)
    assert (scores >= threshold)[labels == 1].mean() >= target
    higher = scores[scores >= threshold].min() + 1e-9
    assert (scores >= higher)[labels == 1].mean() < target
    assert rule == f"sensitivity of at least {target:g}"


def test_operating_points_are_one_half_and_the_lowest_thresholds_that_are_specific_enough():
    labels, scores = random_scores(300, digits=2)
    half, *specific = operating_points(labels, scores)
    assert half == {"name": "threshold 0.5", "threshold": 0.5, "chosen_on": None}
    assert [point["name"] for point in specific] == ["90% specificity", "95% specificity"]
    for point, specificity in zip(specific, (0.9, 0.95), strict=True):
        assert point["chosen_on"] == "validation"
        threshold = point["threshold"]
        assert (scores < threshold)[labels == 0].mean() >= specificity
        lower = scores[scores < threshold].max()
        assert (scores < lower)[labels == 0].mean() < specificity


def test_a_specificity_that_only_calling_nothing_reaches_has_a_threshold_above_every_score():
    points = operating_points(np.array([0, 0, 1]), np.array([1.0, 0.2, 0.5]))
    assert all(point["threshold"] > 1 for point in points[1:])
    assert all(np.isfinite(point["threshold"]) for point in points)


@pytest.mark.parametrize(
    ("labels", "scores", "error"),
    [
        ([1] * 6 + [0] * 4, [0.8] * 10, 0.2),
        ([1] * 6 + [0] * 4, [0.5] * 10, 0.1),
        ([0, 1], [0.0, 1.0], 0),
        ([0, 1], [1.0, 0.0], 1),
        ([0, 1], [0.49, 0.51], 0),  # one bin: the gaps cancel
        ([0, 1], [0.46, 0.54], 0.46),  # two bins, parted at 7/15: they do not
        ([0, 1], [1.0, 0.95], 0.475),  # 1 lies in the last bin
        ([0, 1, 0, 0], [0.1, 0.9, 0.3, 0.9], 0.3),
    ],
)
def test_the_calibration_error_is_that_computed_by_hand(labels, scores, error):
    assert expected_calibration_error(np.array(labels), np.array(scores)) == pytest.approx(error)


@pytest.mark.parametrize("images", [5, 150, 5000])
def test_curves_are_short_finite_and_run_from_end_to_end(images):
    labels, scores = random_scores(images)
    scores[1] = 1.0
    found = curves(labels, scores)
    assert {name: list(curve) for name, curve in found.items()} == {
        "roc": ["fpr", "tpr", "thresholds"],
        "pr": ["precision", "recall"],
    }
    for curve in found.values():
        lengths = {len(values) for values in curve.values()}
        assert len(lengths) == 1
        assert 2 <= lengths.pop() <= 200
        assert np.isfinite(list(curve.values())).all()
    roc, pr = found["roc"], found["pr"]
    assert (roc["fpr"][0], roc["tpr"][0], roc["fpr"][-1], roc["tpr"][-1]) == (0, 0, 1, 1)
    assert (np.diff(roc["fpr"]) >= 0).all()
    assert (np.diff(roc["thresholds"]) < 0).all()
    assert 1 < roc["thresholds"][0] < 1 + 1e-9
    assert (pr["recall"][0], pr["recall"][-1], pr["precision"][-1]) == (1, 0, 1)
    assert np.trapezoid(roc["tpr"], roc["fpr"]) == pytest.approx(all_metrics(labels, scores, 0.5)["roc_auc"], abs=0.005)


def test_every_point_of_a_short_curve_is_kept():
    found = curves(LABELS, SCORES)
    third, half = 1 / 3, 1 / 2
    assert found["roc"]["fpr"] == pytest.approx([0, 0, 0, half, half, 1])
    assert found["roc"]["tpr"] == pytest.approx([0, third, 2 / 3, 2 / 3, 1, 1])
    assert found["roc"]["thresholds"][1:] == [0.9, 0.7, 0.6, 0.4, 0.1]
    assert found["pr"]["precision"] == pytest.approx([3 / 5, 3 / 4, 2 / 3, 1, 1, 1])
