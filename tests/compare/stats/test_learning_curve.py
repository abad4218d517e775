"""Learning curves a - b n^-c: known answers, and when there is none."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from components.compare.stats import learning_curve
from components.compare.stats.learning_curve import LACK_OF_FIT, NO_LIMIT, NOT_RISING, STEP, TOO_FEW, fit

PATIENTS = np.array([50.0, 100, 200, 400, 2000])
VARIANCES = np.full(5, 0.004**2)


def fitted(values, variances=VARIANCES, patients=PATIENTS, samples=400):
    moved = np.random.default_rng(0).normal(size=(samples, len(values))) * np.sqrt(variances)
    return fit(patients, np.asarray(values), variances, np.clip(values + moved, 0, 1), moved)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.98, 1.2, 0.6), (0.95, 0.5, 0.4), (0.9, 5.0, 1.2), (1.0, 0.6, 0.5), (0.97, 0.4, 0.2)]
)
def test_exact_means_give_back_the_curve(a, b, c):
    found = fitted(a - b * PATIENTS**-c)
    assert found.why_not == ""
    best = found.best
    assert (best.a[0], best.c[0]) == (pytest.approx(a, abs=0.003), pytest.approx(c, rel=0.03))
    assert best.b[0] * best.unit ** best.c[0] == pytest.approx(b, rel=0.15)
    assert best.at(np.array([75.0, 4000.0]))[0] == pytest.approx(a - b * np.array([75, 4000]) ** -c, abs=5e-4)


def test_the_fit_is_that_of_scipy_with_the_same_weights():
    random = np.random.default_rng(3)
    variances = np.array([9, 4, 2, 1, 1]) * 0.003**2
    values = 0.96 - 0.8 * PATIENTS**-0.5 + random.normal(size=5) * np.sqrt(variances)
    found = fitted(values, variances).best
    expected, _ = curve_fit(
        lambda n, a, b, c: a - b * n**-c, PATIENTS, values, (0.95, 1, 0.5), np.sqrt(variances), maxfev=20_000
    )
    # The exponent is searched on a grid of steps of about 1%.
    assert found.at(PATIENTS)[0] == pytest.approx(expected[0] - expected[1] * PATIENTS ** -expected[2], abs=2e-4)


def test_no_curve_exceeds_1_or_falls():
    random = np.random.default_rng(0)
    values = np.clip(random.uniform(0.9, 1, size=(300, 5)), 0, 1)
    found = learning_curve.curves(PATIENTS, values, np.ones(5))
    assert (found.a <= 1).all()
    assert (found.b >= 0).all()
    assert (np.diff(found.at(PATIENTS), axis=1) >= -1e-12).all()


def test_bounded_solutions_are_the_best_within_the_bounds():
    values = np.array([[0.8, 0.9, 0.97, 0.99, 1.0]])
    found = learning_curve.curves(PATIENTS, values, np.ones(5))
    assert found.a[0] == 1
    lowest = min(
        ((values[0] - a + b * PATIENTS**-c) ** 2).sum()
        for a in np.linspace(0.98, 1, 21)
        for c in np.geomspace(0.05, 3, 60)
        for b in [max(0, ((a - values[0]) * PATIENTS**-c).sum() / (PATIENTS ** (-2 * c)).sum())]
    )
    assert found.errors[0] <= lowest + 1e-9


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.95, 0.94, 0.93, 0.92, 0.91], NOT_RISING),
        ([0.8, 0.9, 0.9, 0.9, 0.9], STEP),
        ([0.80, 0.805, 0.81, 0.815, 0.8266], NO_LIMIT),
        ([0.85, 0.95, 0.85, 0.95, 0.97], LACK_OF_FIT),
    ],
)
def test_why_there_is_no_curve(values, reason):
    found = fitted(values)
    assert found.why_not == reason
    assert found.samples is None


def test_three_numbers_of_patients_are_too_few():
    assert fitted([0.8, 0.9, 0.95], VARIANCES[:3], PATIENTS[:3]).why_not == TOO_FEW
    assert fitted([0.8, 0.88, 0.92, 0.94], VARIANCES[:4], PATIENTS[:4]).why_not == ""


def test_the_same_means_fit_if_they_are_uncertain_enough():
    values = [0.89, 0.93, 0.915, 0.945, 0.95]
    assert fitted(values, np.full(5, 0.001**2)).why_not == LACK_OF_FIT
    found = fitted(values, np.full(5, 0.02**2))
    assert found.why_not == ""
    assert found.p_value > 0.05
