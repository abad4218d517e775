"""The statistics against scikit-learn, against known answers, and where metrics are undefined."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from components.artifacts.evaluation import CALIBRATION_BINS, METRICS
from components.compare.stats import resampling

RANDOM = np.random.default_rng(3)
LABELS = (RANDOM.random(400) < 0.6).astype(int)
SMOOTH = np.clip(0.25 * LABELS + 0.75 * RANDOM.random(400), 0, 1)


def reference(labels, scores, threshold, weights=None):
    """Every metric as scikit-learn (and, for the calibration error, a plain loop) computes it."""
    called = (scores >= threshold).astype(int)
    weighted = {"sample_weight": weights}
    weights = np.ones(len(labels)) if weights is None else weights
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(np.sum((weights * (scores - labels))[bins == b])) for b in range(CALIBRATION_BINS)]
    return {
        "accuracy": sklearn_metrics.accuracy_score(labels, called, **weighted),
        "precision": sklearn_metrics.precision_score(labels, called, zero_division=0, **weighted),
        "recall": sklearn_metrics.recall_score(labels, called, zero_division=0, **weighted),
        "specificity": sklearn_metrics.recall_score(labels, called, pos_label=0, zero_division=0, **weighted),
        "f1": sklearn_metrics.f1_score(labels, called, zero_division=0, **weighted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, called, **weighted),
        "mcc": sklearn_metrics.matthews_corrcoef(labels, called, **weighted),
        "roc_auc": sklearn_metrics.roc_auc_score(labels, scores, **weighted),
        "pr_auc": sklearn_metrics.average_precision_score(labels, scores, **weighted),
        "brier": sklearn_metrics.brier_score_loss(labels, scores, **weighted),
        "ece": sum(gaps) / weights.sum(),
    }


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        (SMOOTH, 0.5),
        (np.round(SMOOTH, 1), 0.5),
        (np.full(400, 0.4), 0.5),
        (np.full(400, 0.4), 0.4),
        (LABELS.astype(float), 0.5),
        (1.0 - LABELS, 0.5),
    ],
    ids=["no ties", "many ties", "never alarms", "always alarms", "perfect", "always wrong"],
)
def test_metrics_agree_with_scikit_learn(scores, threshold):
    found = resampling.point_metrics(LABELS, scores, threshold)
    assert found == pytest.approx(reference(LABELS, scores, threshold), abs=1e-12)
    assert list(found) == list(METRICS)


@pytest.mark.parametrize("scores", [SMOOTH, np.round(SMOOTH, 1)], ids=["no ties", "many ties"])
def test_metrics_agree_with_scikit_learn_under_every_row_of_weights(scores):
    weights = RANDOM.integers(0, 4, size=(5, 400)).astype(float)
    found = resampling.weighted_metrics(LABELS, scores, 0.5, weights)
    for row, expected in zip(found, weights, strict=True):
        assert dict(zip(METRICS, row, strict=True)) == pytest.approx(
            reference(LABELS, scores, 0.5, expected), abs=1e-12
        )


def test_roc_auc_has_no_value_where_a_class_was_not_drawn():
    auc = resampling.weighted_metrics(LABELS, SMOOTH, 0.5, LABELS[None].astype(float))[0, METRICS.index("roc_auc")]
    assert np.isnan(auc)


def test_draws_resample_whole_patients_within_each_class():
    labels, patients = np.array([0, 0, 1, 1, 1, 0]), np.array(["a", "a", "b", "b", "c", "d"])
    weights = np.concatenate(list(resampling.patient_weights(labels, patients, 200, seed=0)))
    assert weights.shape == (200, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 3]).all()
    assert (weights[:, 0] + weights[:, 5] == 2).all()
    assert (weights[:, 2] + weights[:, 4] == 2).all()
    assert set(weights[:, 0]) == {0, 1, 2}


def test_a_patient_with_both_classes_is_drawn_with_pneumonia():
    labels, patients = np.array([0, 1, 1, 0]), np.array(["both", "both", "ill", "well"])
    weights = np.concatenate(list(resampling.patient_weights(labels, patients, 100, seed=0)))
    assert (weights[:, 3] == 1).all()
    assert (weights[:, 0] + weights[:, 2] == 2).all()


def test_draws_do_not_depend_on_the_size_of_the_chunks():
    patients = np.arange(400) // 2
    few, many = (
        np.concatenate(list(resampling.patient_weights(LABELS, patients, 37, seed=5, chunk_numbers=size)))
        for size in (1, 11 * 400)
    )
    assert (few == many).all()
    assert (few != np.concatenate(list(resampling.patient_weights(LABELS, patients, 37, seed=6)))).any()


def measure(scores, threshold=0.5, labels=LABELS):
    return lambda weights: resampling.weighted_metrics(labels, scores, threshold, weights)


def test_metrics_vary_twice_as_much_when_each_patient_has_four_equal_images():
    patients = np.repeat(np.arange(100), 4)
    labels, scores = np.repeat(LABELS[:100], 4), np.repeat(SMOOTH[:100], 4)
    by_patient, by_image = (
        resampling.bootstrap(labels, cluster, [measure(scores, labels=labels)])[0].std(axis=0)
        for cluster in (patients, np.arange(400))
    )
    # Four copies of an image carry the information of one: the spread is twice as large.
    assert by_patient / by_image == pytest.approx(2, rel=0.2)


def test_recall_varies_as_a_share_of_independent_images_does():
    labels, scores = np.r_[np.ones(400), np.zeros(400)], np.r_[np.ones(360), np.zeros(440)]
    samples = resampling.bootstrap(labels, np.arange(800), [measure(scores, labels=labels)])[0]
    assert samples[:, METRICS.index("recall")].std() == pytest.approx(np.sqrt(0.9 * 0.1 / 400), rel=0.05)


def test_models_are_compared_on_the_same_draws():
    first, second = resampling.bootstrap(LABELS, np.arange(400), [measure(SMOOTH), measure(SMOOTH)], replicates=50)
    assert (first == second).all()
    assert np.ptp(first[:, METRICS.index("roc_auc")]) > 0


def test_holm_multiplies_the_smallest_p_value_most_and_keeps_their_order():
    assert resampling.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert resampling.holm([0.9, 0.5]) == [1, 1]
    assert resampling.holm([]) == []


def test_two_thousand_replicates_of_four_models_take_little_memory():
    samples = resampling.bootstrap(LABELS, np.arange(400) // 2, [measure(SMOOTH)] * 4)
    assert samples.shape == (4, resampling.REPLICATES, len(METRICS))
    chunk = next(resampling.patient_weights(np.tile(LABELS, 50), np.arange(20_000), 2000, seed=0))
    assert chunk.shape == (resampling.CHUNK_ROWS, 20_000)
    assert next(resampling.patient_weights(LABELS, np.arange(400), 2000, seed=0)).nbytes <= 8 * resampling.CHUNK_NUMBERS
