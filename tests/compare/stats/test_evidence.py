"""All metrics of all models, with their covariance."""

import numpy as np
import pytest

from components.artifacts.evaluation import METRICS
from components.compare.stats import delong, evidence, resampling
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
    areas, covariance = delong.roc_auc_covariance(LABELS, PATIENTS, np.stack([model.scores for model in MODELS]))
    assert np.sqrt(np.diag(np.cov(samples))) == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.06)
    assert np.corrcoef(samples) == pytest.approx(covariance / np.sqrt(np.outer(*[np.diag(covariance)] * 2)), abs=0.08)
    assert areas == pytest.approx(samples.mean(axis=1), abs=0.005)


def test_the_rarer_class_counts_how_well_variation_is_known():
    assert evidence.degrees_of_freedom(LABELS, PATIENTS) == 39
    assert evidence.degrees_of_freedom(np.ones(4), np.zeros(4)) == 1
