"""Which test compares which metric, and that its numbers are that test's."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from components import roc_auc
from components.artifacts.evaluation import METRICS
from components.compare.stats import comparisons, evidence, resampling, uncertainty
from components.compare.stats.evidence import Scored
from components.compare.stats.uncertainty import UncertainDifference, UncertainValue

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
    pairs = comparisons.compare_all([("a", "b")], figures, seeds)
    return figures, {pair["metric"]: pair for pair in pairs}


def test_regimes_with_one_seed_are_compared_by_delong_and_bootstrap():
    figures, pairs = compare(IMAGES, {"a": [0], "b": [2]})
    areas, covariance = roc_auc.covariance_of_areas(LABELS, IMAGES, np.stack([MODELS[0].scores, MODELS[2].scores]))
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert pairs["roc_auc"]["difference"] == pytest.approx(
        roc_auc_score(LABELS, MODELS[0].scores) - roc_auc_score(LABELS, MODELS[2].scores)
    )
    assert pairs["roc_auc"]["p_value"] == pytest.approx(2 * stats.t.sf(abs(areas[0] - areas[1]) / error, 79))
    right = [(model.scores >= 0.5) == LABELS for model in (MODELS[0], MODELS[2])]
    # The standard error of a paired difference of shares, which the bootstrap estimates.
    error = np.std(right[0].astype(float) - right[1]) / np.sqrt(200)
    gap = np.mean(right[0]) - np.mean(right[1])
    assert pairs["accuracy"]["p_value"] == pytest.approx(2 * stats.t.sf(abs(gap) / error, 79), rel=0.5)
    assert set(pairs) == set(METRICS)
    tests = {metric: pair["test"] for metric, pair in pairs.items()}
    assert tests.pop("roc_auc") == "DeLong over patients"
    assert set(tests.values()) == {"bootstrap over patients"}
    assert figures["f1"].degrees_of_freedom == 79


def test_several_seeds_are_compared_by_the_t_test_that_includes_both_variations():
    figures, pairs = compare(PATIENTS, {"a": [0, 1], "b": [2, 3]})
    assert {pair["test"] for pair in pairs.values()} == {"t over seeds and patients"}
    estimate = figures["accuracy"].difference([0, 1], [2, 3])
    expected = 2 * stats.t.sf(abs(estimate.value) / np.sqrt(estimate.variance), estimate.degrees_of_freedom)
    assert pairs["accuracy"]["p_value"] == pytest.approx(expected)


def test_p_values_are_corrected_for_the_pairs_of_a_metric_alone():
    figures = evidence.gather(LABELS, PATIENTS, MODELS, replicates=300)
    seeds = {name: [position] for position, name in enumerate("abcd")}
    names = [("a", "b"), ("a", "c"), ("a", "d")]
    pairs = comparisons.compare_all(names, figures, seeds)
    for metric in METRICS:
        of_metric = [pair for pair in pairs if pair["metric"] == metric]
        assert [pair["p_value_holm"] for pair in of_metric] == resampling.holm([pair["p_value"] for pair in of_metric])


def test_the_interval_of_a_metric_between_minus_one_and_one_may_reach_two():
    assert comparisons.span("mcc") == 2.0
    assert comparisons.span("accuracy") == 1.0
    wide, narrow = UncertainValue(0.0, 0.02, 3), UncertainValue(0.0, 0.00005, 30)
    gaps = [UncertainDifference(1.5, 0.04, 3, a=wide, b=wide), UncertainDifference(0.2, 0.0001, 30, a=narrow, b=narrow)]
    first, second = comparisons.described("mcc", [("a", "b"), ("a", "c")], gaps, [0.03, 0.01], ["t", "t"])
    assert first["ci95"][1] == 2.0
    assert (first["p_value_holm"], second["p_value_holm"]) == (0.03, 0.02)
    assert (second["a"], second["b"], second["metric"], second["difference"]) == ("a", "c", "mcc", 0.2)


def test_independent_runs_are_compared_by_welchs_test():
    values = [(UncertainValue(0.9, 0.0004, 10), UncertainValue(0.8, 0.0009, 20))]
    (found,) = comparisons.compare_independent("mcc", ["custom_cnn"], values)
    gap = uncertainty.independent_difference(*values[0])
    assert (found["a"], found["b"], found["test"]) == ("custom_cnn", "custom_cnn", "t, unpaired (Welch)")
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(0.1 / np.sqrt(0.0013), gap.degrees_of_freedom))
    assert found["ci95"] == uncertainty.difference_interval(gap, -1.0, 1.0)


def test_two_seeds_of_one_regime_are_enough_for_the_t_test():
    assert {pair["test"] for pair in compare(IMAGES, {"a": [0], "b": [2, 3]})[1].values()} == {comparisons.SEEDS}
    assert {pair["test"] for pair in compare(IMAGES, {"a": [0, 1], "b": [2]})[1].values()} == {comparisons.SEEDS}
