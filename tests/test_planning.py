"""What a test set of a given size can show: power, and the number of patients for it."""

import numpy as np
import pytest
from scipy.stats import norm

from components import planning
from components.roc_auc import covariance_of_areas

LABELS = np.repeat([0, 1], [120, 180])
PATIENTS = np.arange(300)


def test_the_standard_error_is_that_of_the_example_of_hanley_and_mcneil():
    """58 normal and 51 abnormal CT images with a ROC AUC of 0.893."""
    assert planning.standard_error(0.893, positives=51, negatives=58) == pytest.approx(0.0325, abs=5e-5)


@pytest.mark.parametrize(("power", "published"), [(0.8, 652), (0.9, 897), (0.95, 1131)])
def test_the_standard_error_gives_the_sample_sizes_of_hanley_and_mcneils_table(power, published):
    """Images of each class for a one-sided test at 5% of 0.70 against 0.75."""
    low, high = (planning.standard_error(auc, 1e7, 1e7) ** 2 * 1e7 for auc in (0.7, 0.75))
    needed = (norm.isf(0.05) * (2 * low) ** 0.5 + norm.ppf(power) * (low + high) ** 0.5) ** 2 / 0.05**2
    assert needed == pytest.approx(published, rel=0.002)


def test_with_few_images_of_one_class_and_many_of_the_other_the_variance_is_that_of_the_placements_of_the_few():
    few_positives, few_negatives = planning.standard_error(0.9, 10, 1e9), planning.standard_error(0.9, 1e9, 10)
    assert few_positives**2 == pytest.approx((1.62 / 1.9 - 0.81) / 10), "two normal images below one with pneumonia"
    assert few_negatives**2 == pytest.approx((0.9 / 1.1 - 0.81) / 10), "two with pneumonia above one normal image"


def binormal(random, labels, groups, correlation, separation):
    """Scores, (N,), of correlated images of the same patient."""
    shared = random.normal(size=groups.max() + 1)[groups]
    own = random.normal(size=len(labels))
    return correlation**0.5 * shared + (1 - correlation) ** 0.5 * own + separation * labels


@pytest.mark.medium
@pytest.mark.parametrize("images", [1, 3])
def test_the_standard_error_is_close_to_the_spread_of_simulated_areas(images):
    random, labels = np.random.default_rng(2), np.repeat([0, 1], [90, 180])
    groups = np.arange(270) // images
    scores = np.stack([binormal(random, labels, groups, 0.5, 1.8) for _ in range(2000)])
    areas = np.array([covariance_of_areas(labels, groups, row[None])[0][0] for row in scores])
    negatives, positives = (planning.effective_images(groups[labels == label], 0.5) for label in (0, 1))
    assert planning.standard_error(areas.mean(), positives, negatives) == pytest.approx(areas.std(), rel=0.1)


def test_images_of_a_patient_count_as_fewer_independent_ones():
    assert planning.effective_images(np.array(["a", "b", "c"]), 0.5) == 3
    assert planning.effective_images(np.repeat(["a", "b", "c"], 3), 0.5) == pytest.approx(9 / 2)
    assert planning.effective_images(np.repeat(["a", "b", "c"], 3), 1.0) == pytest.approx(3)
    sizes = np.array(["a", "a", "a", "b"])  # three images with three of their patient, one with one
    assert planning.effective_images(sizes, 0.5) == pytest.approx(4 / (1 + 1.5 * 0.5))


def test_a_quarter_of_the_variance_halves_the_difference_that_can_be_shown():
    whole, quarter = (planning.detectable_difference(variance**0.5) for variance in (0.0004, 0.0001))
    assert quarter == pytest.approx(whole / 2)
    assert whole == pytest.approx((1.959964 + 0.841621) * 0.02, rel=1e-6)


def test_the_power_for_the_difference_is_the_share_of_significant_tests():
    difference = planning.detectable_difference(0.01, level=0.05 / 6)
    observed = np.random.default_rng(4).normal(difference, 0.01, 200_000)
    assert np.mean(np.abs(observed) / 0.01 > norm.isf(0.05 / 12)) == pytest.approx(0.8, abs=0.004)


def test_the_standard_error_of_the_difference_is_that_of_correlated_values():
    random, covariance = np.random.default_rng(3), 0.0004 * np.array([[1, 0.7], [0.7, 1]])
    values = random.multivariate_normal([0.9, 0.9], covariance, 100_000)
    assert planning.error_of_difference(0.02, 0.7) == pytest.approx((values[:, 0] - values[:, 1]).std(), rel=0.01)


def test_the_plan_has_the_range_for_each_assumed_area_and_its_assumptions():
    plan = planning.plan(LABELS, PATIENTS)
    assert [case["roc_auc"] for case in plan["assumed"]] == [0.9, 0.95, 0.98]
    assert (plan["level"], plan["power"], plan["pairs"]) == (0.05, 0.8, 6)
    assert (plan["model_correlation"], plan["intra_patient_correlation"]) == ([0.3, 0.7], 0.5)
    case = plan["assumed"][1]
    error = planning.standard_error(0.95, positives=180, negatives=120)
    assert case["standard_error"] == pytest.approx(error)
    assert case["detectable"] == pytest.approx([2.801585 * error * 0.6**0.5, 2.801585 * error * 1.4**0.5], rel=1e-5)
    holm = (norm.isf(0.05 / 12) + norm.ppf(0.8)) / 2.801585
    assert case["detectable_holm"] == pytest.approx([holm * value for value in case["detectable"]], rel=1e-5)


def test_with_four_times_the_patients_the_plan_has_half_the_difference():
    once = planning.plan(LABELS, PATIENTS)["assumed"][1]["detectable"]
    fourfold = planning.plan(np.tile(LABELS, 4), np.arange(1200))["assumed"][1]["detectable"]
    assert fourfold == pytest.approx([value / 2 for value in once], rel=0.01)


def test_several_images_of_a_patient_show_less_than_those_of_several():
    one, three = (planning.plan(LABELS, PATIENTS // size)["assumed"][1]["standard_error"] for size in (1, 3))
    assert three == pytest.approx(one * 2**0.5, rel=0.02)


def test_the_sentence_gives_the_range_and_what_is_assumed():
    plan = planning.plan(LABELS, PATIENTS)
    (sentence,) = planning.sentences(plan, 1300, 1200)
    low, high = plan["assumed"][1]["detectable"]
    assert sentence == (
        f"With 1,300 test images of 1,200 patients, a difference in ROC AUC of about {low:.3f} to {high:.3f} can be "
        "shown with 80% power, assuming two models with a ROC AUC near 0.95 and a correlation of 0.7 to 0.3 between "
        "the two values."
    )


@pytest.mark.parametrize(("normal", "warned"), [(49, True), (50, False)])
def test_few_validation_patients_of_a_class_are_named(normal, warned):
    labels = np.repeat([0, 1], [normal + 10, 60])
    patients = np.concatenate([np.arange(normal), np.zeros(10, int), np.arange(100, 160)])
    counts = planning.patients_by_class(labels, patients)
    assert counts == {"normal": normal, "pneumonia": 60}
    found = planning.sentences({**planning.plan(LABELS, PATIENTS), "validation_patients": counts}, 300, 300)
    assert len(found) == 1 + warned
    if warned:
        assert "(49 normal)" in found[1]
        assert found[1].endswith("since there a specificity of 0.9 has a standard error of 0.04.")
