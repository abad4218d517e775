"""The results at a given prevalence."""

import math

import numpy as np
import pytest

from components.artifacts.evaluation import calibrated
from components.compare import clinical_use, inputs, results
from components.compare.clinical_use import Population
from components.compare.stats import calibration_curve
from components.console import UserError


def net_benefit(labels, called, prevalence, threshold_probability):
    """As Vickers and Elkin define it, of weighted images."""
    weights = np.where(labels == 1, prevalence / (labels == 1).sum(), (1 - prevalence) / (labels == 0).sum())
    odds = threshold_probability / (1 - threshold_probability)
    return (weights * called * labels).sum() - odds * (weights * called * (1 - labels)).sum()


def reweighted(scores, fit, fitted_at, prevalence):
    """The risk at a prevalence, by Bayes' theorem from likelihoods."""
    probability = calibrated(scores, fit["temperature"], fit["offset"])
    ill, well = probability / fitted_at, (1 - probability) / (1 - fitted_at)
    return prevalence * ill / (prevalence * ill + (1 - prevalence) * well)


@pytest.fixture
def use(in_use):
    return in_use.record["clinical_use"]


def test_the_threshold_probability_follows_from_the_harm_ratio(use):
    assert (use["prevalence"], use["harm_ratio"]) == (0.1, 4)
    assert use["threshold_probability"] == pytest.approx(0.2)
    assert use["treat_all"] == pytest.approx(-0.125)
    assert use["calibration_prevalence"] == pytest.approx(773 / 1047)
    assert list(use["regimes"]) == ["custom_cnn", "full_fine_tuning"]


def test_values_at_the_chosen_threshold_follow_from_the_regimes_sensitivity_and_specificity(in_use, use):
    for name, regime in {**use["regimes"], "baseline": use["baseline"]}.items():
        metrics = (in_use.record["regimes"].get(name) or in_use.record["baseline"])["metrics"]
        recall, specificity = metrics["recall"]["value"], metrics["specificity"]["value"]
        true, false = 0.1 * recall, 0.9 * (1 - specificity)
        assert regime["ppv"]["value"] == pytest.approx(true / (true + false))
        assert regime["npv"]["value"] == pytest.approx(0.9 * specificity / (0.9 * specificity + 0.1 * (1 - recall)))
        assert regime["at_threshold"]["net_benefit"]["value"] == pytest.approx(true - false / 4)
        assert regime["at_threshold"]["recall"] == {key: metrics["recall"][key] for key in ("value", "ci95")}
        people = regime["per_thousand"]
        assert sum(people.values()) == pytest.approx(1000)
        assert people["false_positives"] == pytest.approx(1000 * false)
        assert people["true_positives"] + people["false_negatives"] == pytest.approx(100)
        for value in (regime["ppv"], regime["npv"], regime["at_threshold"]["net_benefit"], *regime["decision_curve"]):
            low, high = value["ci95"]
            assert low <= value["value"] <= high
            assert low < high


def test_the_decision_curve_is_the_mean_net_benefit_of_deciding_by_risk(in_use, use):
    labels = in_use.inputs.labels
    for name, models in in_use.inputs.groups.items():
        regime = use["regimes"].get(name) or use["baseline"]
        risks = [reweighted(model.scores, model.record["calibration"], 773 / 1047, 0.1) for model in models]
        for cut, point in zip(use["threshold_probabilities"], regime["decision_curve"], strict=True):
            expected = [net_benefit(labels, risk >= cut, 0.1, cut) for risk in risks]
            assert point["value"] == pytest.approx(np.mean(expected), abs=1e-12)
        at_wanted = regime["decision_curve"][use["threshold_probabilities"].index(use["threshold_probability"])]
        assert regime["by_risk"]["net_benefit"] == at_wanted


@pytest.mark.slow
def test_the_gain_is_over_the_better_of_treating_everybody_and_nobody(in_use):
    for prevalence, alternative in ((0.1, 0.0), (0.5, 0.5 - 0.5 / 4)):
        found = results.build(in_use.inputs, "", population=Population(prevalence, 4))["clinical_use"]
        made = found["regimes"]["custom_cnn"]["at_threshold"]
        assert made["gain"]["value"] == pytest.approx(made["net_benefit"]["value"] - alternative)
        assert np.diff(made["gain"]["ci95"]) == pytest.approx(np.diff(made["net_benefit"]["ci95"]))


def test_threshold_probabilities_reach_to_equal_harms_or_further_where_that_is_asked_for(use):
    assert use["threshold_probabilities"] == pytest.approx(np.arange(0.01, 0.505, 0.01))
    assert len(use["treat_all_curve"]) == 50
    assert use["treat_all_curve"][9] == pytest.approx(0)  # where the threshold probability is the prevalence
    beyond = clinical_use._threshold_probabilities(0.6)
    assert (beyond[0], beyond[-1]) == (0.01, 0.99)
    between = clinical_use._threshold_probabilities(1 / 7)
    assert between[13:16] == [0.14, 1 / 7, 0.15]
    assert clinical_use._threshold_probabilities(0.1 + 0.2)[28:31] == [0.29, 0.1 + 0.2, 0.31]


def test_risks_are_distributed_over_all_seeds_and_calibrated_where_they_differ(in_use, use):
    for regime in use["regimes"].values():
        assert sum(regime["risks"]["normal"]) == pytest.approx(1)
        assert sum(regime["risks"]["pneumonia"]) == pytest.approx(1)
        assert np.average(range(20), weights=regime["risks"]["normal"]) < np.average(
            range(20), weights=regime["risks"]["pneumonia"]
        )
        curve = regime["calibration_curve"]
        assert np.all(np.diff(curve["predicted"]) > 0)
        assert len(curve["observed"]) == len(curve["predicted"])
    models = in_use.inputs.regimes["custom_cnn"]
    risks = [reweighted(model.scores, model.record["calibration"], 773 / 1047, 0.1) for model in models]
    labels, patients = np.tile(in_use.inputs.labels, 2), np.tile(in_use.inputs.patients, 2)
    expected = calibration_curve.smoothed(labels, patients, np.concatenate(risks), 0.1)
    observed = use["regimes"]["custom_cnn"]["calibration_curve"]["observed"]
    assert [point["value"] for point in observed] == pytest.approx(expected.observed)
    assert np.array([point["ci95"] for point in observed]) == pytest.approx(expected.ends)
    fit = in_use.inputs.models[0].record["calibration"]
    expected = reweighted(np.array([0.5]), fit, 773 / 1047, 0.1)[0]
    assert use["regimes"]["custom_cnn"]["risk_at_threshold"] == pytest.approx(expected)


def test_without_a_harm_ratio_there_is_a_decision_curve_but_no_single_net_benefit(in_use):
    found = results.build(in_use.inputs, "", population=Population(0.1))["clinical_use"]
    assert (found["harm_ratio"], found["threshold_probability"], found["treat_all"]) == (None, None, None)
    for regime in found["regimes"].values():
        assert "at_threshold" not in regime
        assert "by_risk" not in regime
        assert len(regime["decision_curve"]) == len(found["threshold_probabilities"]) == 50


def test_without_a_prevalence_there_is_no_clinical_use(compared):
    assert "clinical_use" not in compared.results


def test_a_flawless_model_has_finite_intervals_and_no_calibration_curve(write):
    index = write.index(images=60, patients=60)
    given = inputs.load([write.evaluation("custom_cnn", index=index, scores=index["label"])], write.summary())
    regime = results.build(given, "", population=Population(0.1, 4))["clinical_use"]["regimes"]["custom_cnn"]
    assert (regime["ppv"]["value"], regime["npv"]["value"]) == (1, 1)
    assert 0.1 < regime["ppv"]["ci95"][0] < 0.7
    assert regime["at_threshold"]["net_benefit"]["value"] == pytest.approx(0.1)
    assert all(math.isfinite(end) for point in regime["decision_curve"] for end in point["ci95"])
    assert "calibration_curve" not in regime


def test_a_validation_split_with_one_class_cannot_be_reweighted(in_use, monkeypatch):
    counts = in_use.inputs.dataset.info["splits"]["validation"]
    monkeypatch.setitem(counts, "pneumonia", counts["images"])
    with pytest.raises(UserError, match=r"1047 images of pneumonia among 1047.*leave the prevalence out"):
        results.build(in_use.inputs, "", population=Population(0.1))
