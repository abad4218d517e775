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


def draws(labels, patients, count, seed=0):
    return np.concatenate(list(resampling.patient_weights(labels, patients, count, seed)))


def test_draws_resample_whole_patients_from_both_classes_together():
    labels, patients = np.array([0, 0, 1, 1, 1, 0]), np.array(["a", "a", "b", "b", "c", "d"])
    weights = draws(labels, patients, 400)
    assert weights.shape == (400, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 3]).all()
    assert (weights[:, [0, 2, 4, 5]].sum(axis=1) == 4).all()
    assert set(weights[:, 0] + weights[:, 5]) == {1, 2, 3}


def test_every_draw_has_both_classes():
    labels, patients = np.array([0, 0, 0, 0, 1]), np.arange(5)
    weights = draws(labels, patients, 300)
    assert (weights[:, 4] >= 1).all()
    assert (weights[:, :4].sum(axis=1) >= 1).all()
    # A draw that had to be made again is still a draw of as many patients.
    assert (weights.sum(axis=1) == 5).all()


def test_images_of_one_class_alone_can_be_drawn():
    assert (draws(np.ones(4, int), np.arange(4), 5).sum(axis=1) == 4).all()


def test_the_class_mix_varies_as_in_samples_of_a_population():
    labels = np.repeat([0, 1], [120, 280])
    share = draws(labels, np.arange(400), 2000) @ labels / 400
    assert share.std() == pytest.approx(np.sqrt(0.7 * 0.3 / 400), rel=0.06)


def test_draws_do_not_depend_on_the_size_of_the_chunks():
    patients = np.arange(400) // 2
    few, many = (
        np.concatenate(list(resampling.patient_weights(LABELS, patients, 37, seed=5, rows=rows))) for rows in (1, 11)
    )
    assert (few == many).all()
    assert (few != np.concatenate(list(resampling.patient_weights(LABELS, patients, 37, seed=6)))).any()


def test_precision_varies_with_the_class_mix_too():
    labels, scores = np.repeat([0, 1], [100, 100]), np.r_[np.repeat([0.9, 0.1], [30, 70]), np.full(100, 0.9)]
    precision = resampling.decision_metrics(labels, scores, 0.5, draws(labels, np.arange(200), 4000))["precision"]
    # 100 of 130 alarms are right: a share of as many independent alarms. With the classes drawn apart it would be
    # 0.028.
    assert precision.std() == pytest.approx(np.sqrt(100 / 130 * 30 / 130 / 130), rel=0.06)


def test_a_threshold_for_every_replicate_gives_what_each_gives_alone():
    weights = RANDOM.integers(0, 4, size=(5, 400)).astype(float)
    cuts = np.array([0.0, 0.3, 0.5, SMOOTH[7], 1.1])
    together = resampling.weighted_metrics(LABELS, np.round(SMOOTH, 2), cuts, weights)
    for row, cut, own in zip(together, cuts, weights, strict=True):
        alone = resampling.weighted_metrics(LABELS, np.round(SMOOTH, 2), float(cut), own[None])[0]
        assert row == pytest.approx(alone, abs=1e-12)


def test_the_log_loss_is_scikit_learns():
    found = resampling.calibration_metrics(LABELS, SMOOTH, np.ones((1, 400)))["log_loss"][0]
    assert found == pytest.approx(sklearn_metrics.log_loss(LABELS, np.clip(SMOOTH, 1e-7, 1 - 1e-7)))


def test_youdens_j_is_sensitivity_plus_specificity_minus_one():
    found = resampling.decision_metrics(LABELS, SMOOTH, 0.5, np.ones((1, 400)))
    assert found["youden"] == pytest.approx(found["recall"] + found["specificity"] - 1)


def test_holm_multiplies_the_smallest_p_value_most_and_keeps_their_order():
    assert resampling.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert resampling.holm([0.9, 0.5]) == [1, 1]
    assert resampling.holm([]) == []


def test_a_chunk_of_draws_takes_little_memory():
    chunk = next(resampling.patient_weights(np.tile(LABELS, 50), np.arange(20_000), 2000, seed=0))
    assert chunk.shape == (resampling.CHUNK_ROWS, 20_000)
    assert next(resampling.patient_weights(LABELS, np.arange(400), 2000, seed=0)).nbytes <= 8 * resampling.CHUNK_NUMBERS
