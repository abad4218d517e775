"""Which test compares which metric, and that its numbers are that test's."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from components.artifacts.evaluation import METRICS
from components.compare.stats import comparisons, delong, evidence, resampling
from components.compare.stats.evidence import Scored

RANDOM = np.random.default_rng(8)
LABELS = np.repeat([0, 1], [80, 120])
IMAGES = np.arange(200)
PATIENTS = IMAGES // 2
MODELS = [
    Scored(1 / (1 + np.exp(-(distance * (LABELS - 0.5) + RANDOM.normal(size=200)))), 0.5)
    for distance in (1, 1.2, 2.2, 2.4)
]


def compare(patients, seeds):
    figures = evidence.gather(LABELS, patients, MODELS, replicates=300)
    pairs = comparisons.compare_all([("a", "b")], figures, seeds, MODELS, LABELS, patients)
    return figures, {pair["metric"]: pair for pair in pairs}


def test_one_seed_a_regime_is_compared_by_delong_mcnemar_and_bootstrap():
    figures, pairs = compare(IMAGES, {"a": [0], "b": [2]})
    areas, covariance = delong.roc_auc_covariance(LABELS, IMAGES, np.stack([MODELS[0].scores, MODELS[2].scores]))
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert pairs["roc_auc"]["difference"] == pytest.approx(
        roc_auc_score(LABELS, MODELS[0].scores) - roc_auc_score(LABELS, MODELS[2].scores)
    )
    assert pairs["roc_auc"]["p_value"] == pytest.approx(2 * stats.t.sf(abs(areas[0] - areas[1]) / error, 79))
    right = [(model.scores >= 0.5) == LABELS for model in (MODELS[0], MODELS[2])]
    only_a, only_b = (right[0] & ~right[1]).sum(), (~right[0] & right[1]).sum()
    assert pairs["accuracy"]["p_value"] == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert set(pairs) == set(METRICS)
    tests = {metric: pair["test"] for metric, pair in pairs.items()}
    assert tests.pop("roc_auc") == "DeLong over patients"
    assert tests.pop("accuracy") == "McNemar, exact"
    assert set(tests.values()) == {"bootstrap over patients"}
    assert figures["f1"].degrees_of_freedom == 79


def test_several_images_a_patient_are_named_in_mcnemars_test():
    assert compare(PATIENTS, {"a": [0], "b": [2]})[1]["accuracy"]["test"] == "McNemar, exact, over patients"


def test_several_seeds_are_compared_by_the_t_test_that_knows_both_variations():
    figures, pairs = compare(PATIENTS, {"a": [0, 1], "b": [2, 3]})
    assert {pair["test"] for pair in pairs.values()} == {"t over seeds and patients"}
    estimate = figures["accuracy"].difference([0, 1], [2, 3])
    expected = 2 * stats.t.sf(abs(estimate.value) / np.sqrt(estimate.variance), estimate.degrees_of_freedom)
    assert pairs["accuracy"]["p_value"] == pytest.approx(expected)


def test_p_values_are_corrected_for_the_pairs_of_a_metric_alone():
    figures = evidence.gather(LABELS, PATIENTS, MODELS, replicates=300)
    seeds = {name: [position] for position, name in enumerate("abcd")}
    names = [("a", "b"), ("a", "c"), ("a", "d")]
    pairs = comparisons.compare_all(names, figures, seeds, MODELS, LABELS, PATIENTS)
    for metric in METRICS:
        of_metric = [pair for pair in pairs if pair["metric"] == metric]
        assert [pair["p_value_holm"] for pair in of_metric] == resampling.holm([pair["p_value"] for pair in of_metric])
