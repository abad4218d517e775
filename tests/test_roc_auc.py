"""ROC AUC and its variation against published figures and against the definitions, pair by pair."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from components.roc_auc import covariance_of_areas

# DeLong, DeLong and Clarke-Pearson 1988, ovarian cancer: albumin, total protein, K-G score, benefit from surgery. The
# 43 complete records and the results below are published with the example of SAS/STAT's LOGISTIC procedure.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def test_areas_errors_and_tests_are_those_published_for_delongs_own_data():
    albumin, protein, kg, benefit = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    areas, covariance = covariance_of_areas(benefit, np.arange(43), np.stack([albumin, protein, 10 - kg]))
    assert areas == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1000, 0.1028], abs=5e-5)
    published = {0: (0.0108, 0.0953, 0.9102), 1: (-0.0780, 0.1046, 0.4561)}
    for test, (difference, error, p_value) in published.items():
        contrast = np.array([0.0, 0.0, -1.0])
        contrast[test] = 1
        found = np.sqrt(contrast @ covariance @ contrast)
        assert contrast @ areas == pytest.approx(difference, abs=5e-5)
        assert found == pytest.approx(error, abs=5e-5)
        assert 2 * norm.sf(abs(contrast @ areas) / found) == pytest.approx(p_value, abs=1e-4)


def direct(labels, patients, scores):
    """Areas and covariances from every single pair of images, as Obuchowski 1997 writes them."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    m, n, names = len(positive), len(negative), sorted(set(patients))
    areas, sums = [], []
    for score in scores:
        wins = np.array([[(score[i] > score[j]) + 0.5 * (score[i] == score[j]) for j in negative] for i in positive])
        area = wins.mean()
        v10, v01 = (
            dict(zip(positive, wins.mean(axis=1), strict=True)),
            dict(zip(negative, wins.mean(axis=0), strict=True)),
        )
        by_patient = [
            [
                sum(v[i] - area for i in v if patients[i] == name)
                for name in names
                if any(patients[i] == name for i in v)
            ]
            for v in (v10, v01)
        ]
        both = [
            (
                sum(v10[i] - area for i in v10 if patients[i] == name),
                sum(v01[i] - area for i in v01 if patients[i] == name),
            )
            for name in names
        ]
        areas.append(area)
        sums.append((*by_patient, both))
    covariance = np.empty((len(scores), len(scores)))
    for r, (p_r, n_r, both_r) in enumerate(sums):
        for s, (p_s, n_s, both_s) in enumerate(sums):
            s10 = len(p_r) / ((len(p_r) - 1) * m) * sum(x * y for x, y in zip(p_r, p_s, strict=True))
            s01 = len(n_r) / ((len(n_r) - 1) * n) * sum(x * y for x, y in zip(n_r, n_s, strict=True))
            crossed = sum(x[0] * y[1] + x[1] * y[0] for x, y in zip(both_r, both_s, strict=True))
            s11 = len(names) / (len(names) - 1) * crossed
            covariance[r, s] = s10 / m + s01 / n + s11 / (m * n)
    return np.array(areas), covariance


@pytest.mark.parametrize("images_of_both_classes", [False, True])
def test_several_images_per_patient_agree_with_the_definition_pair_by_pair(images_of_both_classes):
    random = np.random.default_rng(5)
    patients = random.integers(20, size=70)
    labels = random.integers(2, size=70) if images_of_both_classes else patients % 2
    scores = np.round(random.normal(size=(3, 70)) + 0.8 * labels + 0.5 * patients / 20, 1)
    areas, covariance = covariance_of_areas(labels, patients, scores)
    expected_areas, expected = direct(labels, patients, scores)
    assert areas == pytest.approx(expected_areas)
    assert covariance == pytest.approx(expected)
    assert areas == pytest.approx([roc_auc_score(labels, score) for score in scores])


def test_copies_of_images_do_not_change_the_standard_error_if_they_are_of_one_patient():
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], 40)
    scores = (random.normal(size=80) + labels)[None]
    once = covariance_of_areas(labels, np.arange(80), scores)[1]
    thrice = covariance_of_areas(np.tile(labels, 3), np.tile(np.arange(80), 3), np.tile(scores, 3))[1]
    taken_as_new = covariance_of_areas(np.tile(labels, 3), np.arange(240), np.tile(scores, 3))[1]
    assert thrice == pytest.approx(once)
    assert taken_as_new == pytest.approx(once / 3, rel=0.05)


def test_a_single_patient_per_class_gives_no_variation_instead_of_an_error():
    areas, covariance = covariance_of_areas(np.array([0, 1]), np.array(["a", "b"]), np.array([[0.1, 0.9]]))
    assert (areas.tolist(), covariance.tolist()) == ([1.0], [[0.0]])


def test_fifty_thousand_images_take_no_matrix_of_pairs():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=50_000)
    areas, covariance = covariance_of_areas(labels, np.arange(50_000), random.normal(size=(2, 50_000)) + labels)
    assert areas == pytest.approx([norm.cdf(np.sqrt(0.5))] * 2, abs=0.01)
    assert np.sqrt(covariance[0, 0]) == pytest.approx(0.0021, abs=2e-4)


def test_two_patients_of_a_class_are_enough_to_see_them_vary():
    labels, patients = np.array([0, 0, 1, 1]), np.arange(4)
    areas, covariance = covariance_of_areas(labels, patients, np.array([[0.1, 0.6, 0.5, 0.9]]))
    expected_areas, expected = direct(labels, patients, np.array([[0.1, 0.6, 0.5, 0.9]]))
    assert areas == pytest.approx(expected_areas)
    assert covariance == pytest.approx(expected)
    assert covariance[0, 0] > 0
