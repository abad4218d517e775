"""All metrics of all models, with their covariance."""

import numpy as np
import pytest

from components import roc_auc
from components.artifacts.evaluation import METRICS
from components.compare.stats import evidence, resampling
from components.compare.stats.evidence import Scored

RANDOM = np.random.default_rng(8)
LABELS = np.repeat([0, 1], [80, 120])
IMAGES = np.arange(200)
PATIENTS = IMAGES // 2
MODELS = [
    Scored(1 / (1 + np.exp(-(distance * (LABELS - 0.5) + RANDOM.normal(size=200)))), 0.5)
    for distance in (1, 1.2, 2.2, 2.4)
]


def test_bootstrap_and_delong_agree_on_how_roc_auc_varies():
    measure = [lambda weights, m=model: resampling.weighted_metrics(LABELS, m.scores, 0.5, weights) for model in MODELS]
    samples = resampling.bootstrap(LABELS, PATIENTS, measure)[:, :, METRICS.index("roc_auc")]
    areas, covariance = roc_auc.covariance_of_areas(LABELS, PATIENTS, np.stack([model.scores for model in MODELS]))
    assert np.sqrt(np.diag(np.cov(samples))) == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.06)
    assert np.corrcoef(samples) == pytest.approx(covariance / np.sqrt(np.outer(*[np.diag(covariance)] * 2)), abs=0.08)
    assert areas == pytest.approx(samples.mean(axis=1), abs=0.005)


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
        assert found[f"calibrated/{metric}"].values == pytest.approx([calibrated[metric]])
    for metric in ("roc_auc", "recall", "specificity", "accuracy"):
        assert found[f"some/{metric}"].values == pytest.approx([part[metric]])
    assert found["some/recall"].degrees_of_freedom == found["some/roc_auc"].degrees_of_freedom == 19
    assert found["strict/recall"].degrees_of_freedom == 39
