"""Coverage of the intervals of predictive values and net benefit: python -m benchmarks.clinical_coverage.

Test sets with known true sensitivity and specificity are simulated, one image per patient, and evaluated by the
functions that compute the intervals of the report.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from benchmarks import measure
from benchmarks.coverage import table
from components import console
from components.compare.stats import clinical
from components.compare.stats.clinical import RATES
from components.compare.stats.uncertainty import Estimate
from components.console import UserError

THRESHOLD_PROBABILITY = 0.2

SHARED = 0.8
"""Correlation of the difficulty of an image for two seeds, on the scale of the normal distribution."""

SEED = 1
POPULATION = 200_000
"""Trainings from which the true mean sensitivity and specificity are computed."""


@dataclass(frozen=True)
class Scenario:
    """A kind of test set.

    Attributes:
        name: for tables.
        ill, normal: numbers of patients.
        sensitivity, specificity: at the middle of all trainings.
        prevalence: for which predictive values and net benefit are wanted.
        seeds: trainings of the regime.
        threshold_spread: standard deviation between seeds of a shift that raises the logit of sensitivity and lowers
            that of specificity, as another threshold does.
    """

    name: str
    ill: int
    normal: int
    sensitivity: float
    specificity: float
    prevalence: float
    seeds: int = 1
    threshold_spread: float = 0.0


SCENARIOS = (
    Scenario("390 and 234 patients, 0.987 and 0.402, P = 0.1", 390, 234, 0.9867, 0.4017, 0.1),
    Scenario("100 and 100 patients, 0.90 and 0.90, P = 0.1", 100, 100, 0.9, 0.9, 0.1),
    Scenario("160 and 107 patients, 0.95 and 0.90, P = 0.02", 160, 107, 0.95, 0.9, 0.02),
    Scenario("60 and 40 patients, 0.95 and 0.95, P = 0.1", 60, 40, 0.95, 0.95, 0.1),
    Scenario("390 and 234 patients, 0.95 and 0.99, P = 0.1", 390, 234, 0.95, 0.99, 0.1),
    Scenario("three seeds, alike, 160 and 107 patients", 160, 107, 0.95, 0.9, 0.1, 3),
    Scenario("three seeds, thresholds vary, 160 and 107 patients", 160, 107, 0.95, 0.9, 0.1, 3, 0.4),
)


def coverage(scenario: Scenario, repetitions: int) -> dict[str, float]:
    """The share of test sets whose interval contains the true value, for each quantity."""
    random = np.random.default_rng(SEED)
    truth = _true_values(scenario)
    covered = dict.fromkeys(truth, 0)
    for _ in range(repetitions):
        recall, specificity = _shifted(scenario, scenario.threshold_spread * random.normal(size=scenario.seeds))
        right = [_right(random, scenario.ill, recall), _right(random, scenario.normal, specificity)]
        rates = clinical.rates(_estimates(right), range(scenario.seeds))
        found = {
            "PPV": clinical.positive_predictive_value(rates, scenario.prevalence),
            "NPV": clinical.negative_predictive_value(rates, scenario.prevalence),
            "net benefit": clinical.net_benefit(rates, scenario.prevalence, THRESHOLD_PROBABILITY),
        }
        for name, metric in found.items():
            # A value that does not exist counts as not covered.
            covered[name] += bool(metric and metric["ci95"][0] <= truth[name] <= metric["ci95"][1])
    return {name: count / repetitions for name, count in covered.items()}


def _shifted(scenario: Scenario, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity and specificity of trainings whose thresholds differ."""
    return expit(logit(scenario.sensitivity) + shifts), expit(logit(scenario.specificity) - shifts)


def _true_values(scenario: Scenario) -> dict[str, float]:
    shifts = scenario.threshold_spread * np.random.default_rng(SEED).normal(size=POPULATION)
    recall, specificity = (rate.mean() for rate in _shifted(scenario, shifts))
    ill, normal = scenario.prevalence, 1 - scenario.prevalence
    odds = THRESHOLD_PROBABILITY / (1 - THRESHOLD_PROBABILITY)
    return {
        "PPV": float(ill * recall / (ill * recall + normal * (1 - specificity))),
        "NPV": float(normal * specificity / (normal * specificity + ill * (1 - recall))),
        "net benefit": float(ill * recall - normal * (1 - specificity) * odds),
    }


def _right(random: np.random.Generator, patients: int, rates: np.ndarray) -> np.ndarray:
    """Whether each seed is right about each patient (seeds, patients); hard images are hard for all seeds."""
    own = random.normal(size=(len(rates), patients))
    difficulty = np.sqrt(SHARED) * random.normal(size=patients) + np.sqrt(1 - SHARED) * own
    return difficulty < norm.ppf(rates)[:, None]


def _estimates(right: Sequence[np.ndarray]) -> dict[str, Estimate]:
    """The rates of the seeds, with the covariance that a bootstrap with very many replicates would give."""
    values = [own.mean(axis=1) for own in right]
    covariances = [np.atleast_2d(np.cov(own, ddof=0)) / own.shape[1] for own in right]
    freedom = min(own.shape[1] for own in right) - 1
    values.append((values[0] + values[1]) / 2)
    covariances.append((covariances[0] + covariances[1]) / 4)
    return {
        name: Estimate(value, covariance, freedom)
        for name, value, covariance in zip(RATES, values, covariances, strict=True)
    }


def main(words: list[str] | None = None) -> None:
    """Simulates every scenario, prints a table and stores the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clinical_coverage",
        description="Simulates test sets with known true values and counts how often the 95% intervals of predictive "
        "values and net benefit contain them.",
    )
    parser.add_argument("--repetitions", type=int, default=4000, help="test sets per scenario; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.repetitions < 1:
            raise UserError("--repetitions must be 1 or more")
        found = {scenario.name: coverage(scenario, arguments.repetitions) for scenario in SCENARIOS}
        if arguments.json:
            settings = {"repetitions": arguments.repetitions}
            measure.write_json(
                arguments.json, {"benchmark": "clinical_coverage", "arguments": settings, "coverage": found}
            )
    print("Share of 95% intervals that contain the true value")
    print(table(found))


if __name__ == "__main__":
    main()
