"""All metrics of all models, with their covariance."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from components import roc_auc, thresholds
from components.artifacts.evaluation import METRICS
from components.compare.stats import evidence, resampling, uncertainty
from components.compare.stats.evidence import Images, Scored
from components.thresholds import Rule

RANDOM = np.random.default_rng(8)
LABELS = np.repeat([0, 1], [80, 120])
IMAGES = np.arange(200)
PATIENTS = IMAGES // 2
MODELS = [
    Scored(1 / (1 + np.exp(-(distance * (LABELS - 0.5) + RANDOM.normal(size=200)))), 0.5)
    for distance in (1, 1.2, 2.2, 2.4)
]


def test_bootstrap_and_delong_agree_on_how_roc_auc_varies():
    samples = np.array(
        [
            np.concatenate(
                [
                    resampling.weighted_metrics(LABELS, model.scores, 0.5, weights)[:, METRICS.index("roc_auc")]
                    for weights in resampling.patient_weights(LABELS, PATIENTS, 2000, seed=1)
                ]
            )
            for model in MODELS
        ]
    )
    areas, covariance = roc_auc.covariance_of_areas(LABELS, PATIENTS, np.stack([model.scores for model in MODELS]))
    assert np.sqrt(np.diag(np.cov(samples))) == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.06)
    assert np.corrcoef(samples) == pytest.approx(covariance / np.sqrt(np.outer(*[np.diag(covariance)] * 2)), abs=0.08)
    assert areas == pytest.approx(samples.mean(axis=1), abs=0.005)


def test_metrics_vary_twice_as_much_when_each_patient_has_four_equal_images():
    labels, scores = np.repeat(LABELS[::2], 4), np.repeat(MODELS[0].scores[::2], 4)
    by_patient, by_image = (
        evidence.gather(labels, clusters, [Scored(scores, 0.5)])
        for clusters in (np.repeat(np.arange(100), 4), np.arange(400))
    )
    # Four copies of an image carry the information of one: the spread is twice as large.
    for metric in METRICS:
        ratio = by_patient[metric].covariance[0, 0] / by_image[metric].covariance[0, 0]
        assert np.sqrt(ratio) == pytest.approx(2, rel=0.2), metric


def test_recall_varies_as_a_share_of_independent_images_does():
    labels, scores = np.r_[np.ones(400, int), np.zeros(400, int)], np.r_[np.ones(360), np.zeros(440)]
    recall = evidence.gather(labels, np.arange(800), [Scored(scores, 0.5)])["recall"]
    assert np.sqrt(recall.covariance[0, 0]) == pytest.approx(np.sqrt(0.9 * 0.1 / 400), rel=0.05)


def test_models_are_compared_on_the_same_draws():
    accuracy = evidence.gather(LABELS, PATIENTS, [MODELS[0]] * 2, replicates=50)["accuracy"]
    assert accuracy.covariance == pytest.approx(np.full((2, 2), accuracy.covariance[0, 0]))
    assert accuracy.difference([0], [1]).variance == 0


VALIDATION = Images(LABELS[::3], PATIENTS[::3])


def with_validation(place, threshold=0.5):
    """A model that scores the validation images as it scores the test images."""
    return Scored(MODELS[place].scores, threshold, validation=MODELS[place].scores[::3])


def test_a_threshold_that_is_chosen_anew_makes_decisions_vary_more_but_not_the_ranking():
    fixed = evidence.gather(LABELS, PATIENTS, [MODELS[0]])
    chosen = evidence.gather(LABELS, PATIENTS, [with_validation(0)], validation=VALIDATION)
    for metric in ("recall", "specificity", "accuracy"):
        assert chosen[metric].values == fixed[metric].values
        assert chosen[metric].covariance[0, 0] > 1.2 * fixed[metric].covariance[0, 0], metric
    assert chosen["roc_auc"].covariance == pytest.approx(fixed["roc_auc"].covariance)
    assert chosen["brier"].covariance == pytest.approx(fixed["brier"].covariance, rel=0.1)


def test_further_thresholds_are_chosen_anew_by_their_rules_and_fixed_ones_are_not():
    rules = {"90% specificity": Rule("specificity", 0.9)}
    points = {"threshold 0.5": 0.5, "90% specificity": 0.7}
    model = Scored(MODELS[0].scores, 0.5, points, validation=MODELS[0].scores[::3], point_rules=rules)
    chosen = evidence.gather(LABELS, PATIENTS, [model], validation=VALIDATION)
    fixed = evidence.gather(LABELS, PATIENTS, [Scored(MODELS[0].scores, 0.5, points)])
    grown = {name: chosen[f"{name}/recall"].covariance / fixed[f"{name}/recall"].covariance for name in points}
    assert grown["threshold 0.5"] == pytest.approx(1, rel=0.1)
    assert grown["90% specificity"] > 1.5


def test_a_model_that_scores_validation_and_test_alike_has_not_shifted():
    found = evidence.gather(LABELS, PATIENTS, [with_validation(0)], validation=VALIDATION)
    area = found["shift/roc_auc"]
    on_validation = roc_auc_score(VALIDATION.labels, MODELS[0].scores[::3])
    assert found["validation/roc_auc"].values == pytest.approx([on_validation])
    assert area.values == pytest.approx(found["roc_auc"].values - on_validation)
    assert area.covariance == pytest.approx(found["roc_auc"].covariance + found["validation/roc_auc"].covariance)
    low, high = uncertainty.change_interval(found["shift/youden"].mean([0]))
    assert low < 0 < high
    assert found["shift/youden"].degrees_of_freedom == evidence.degrees_of_freedom(
        VALIDATION.labels, VALIDATION.patients
    )


def test_youdens_j_on_validation_is_reduced_by_its_optimism():
    threshold = float(thresholds.choose(VALIDATION.labels, MODELS[0].scores[::3], thresholds.YOUDEN)[0])
    found = evidence.gather(LABELS, PATIENTS, [with_validation(0, threshold)], validation=VALIDATION)
    optimism = found["optimism/youden"].values[0]
    assert 0.01 < optimism < 0.2
    expected = found["youden"].values - (found["validation/youden"].values - optimism)
    assert found["shift/youden"].values == pytest.approx(expected)


def test_scores_that_moved_between_validation_and_test_are_a_shift():
    moved = expit(logit(MODELS[3].scores) + 1.5 * (LABELS == 0))
    model = Scored(moved, 0.5, validation=MODELS[3].scores[::3])
    found = evidence.gather(LABELS, PATIENTS, [model], replicates=2000, validation=VALIDATION)["shift/youden"].mean([0])
    assert uncertainty.change_interval(found)[1] < 0


def test_the_rarer_class_determines_the_degrees_of_freedom():
    assert evidence.degrees_of_freedom(LABELS, PATIENTS) == 39
    assert evidence.degrees_of_freedom(np.ones(4), np.zeros(4)) == 1


def test_rows_of_models_follow_each_other_group_by_group():
    assert evidence.model_rows({"a": "xx", "b": "x", "c": "xxx"}) == {"a": [0, 1], "b": [2], "c": [3, 4, 5]}


def test_matthews_correlation_may_be_negative():
    assert evidence.bounds("mcc") == (-1.0, 1.0)
    assert evidence.bounds("roc_auc") == (0.0, 1.0)


def test_estimates_are_named_by_threshold_calibration_and_subgroup():
    some = IMAGES < 120
    model = Scored(MODELS[0].scores, 0.5, {"strict": 0.9}, MODELS[1].scores)
    found = evidence.gather(LABELS, PATIENTS, [model], {"some": some}, replicates=20)
    strict = resampling.point_metrics(LABELS, model.scores, 0.9)
    calibrated = resampling.point_metrics(LABELS, MODELS[1].scores, 0.5)
    part = resampling.point_metrics(LABELS[some], model.scores[some], 0.5)
    for metric in ("recall", "specificity", "precision", "accuracy"):
        assert found[f"strict/{metric}"].values == pytest.approx([strict[metric]])
    for metric in ("brier", "ece"):
        before = resampling.point_metrics(LABELS, model.scores, 0.5)
        assert found[f"calibrated/{metric}"].values == pytest.approx([calibrated[metric]])
        assert found[f"calibration change/{metric}"].values == pytest.approx([calibrated[metric] - before[metric]])
    for metric in ("roc_auc", "recall", "specificity", "accuracy"):
        assert found[f"some/{metric}"].values == pytest.approx([part[metric]])
    assert found["some/recall"].degrees_of_freedom == found["some/roc_auc"].degrees_of_freedom == 19
    assert found["strict/recall"].degrees_of_freedom == 39
