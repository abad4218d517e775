"""Coverage of 95% intervals and rate of false differences: python -m benchmarks.coverage.

Test sets with known true values are simulated and evaluated by the functions that compute the intervals and tests of
the report.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from benchmarks import measure
from components import console
from components.compare.stats import comparisons, evidence, uncertainty
from components.compare.stats.evidence import Scored
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.coverage                                    every scenario, 2,000 test sets each
  python -m benchmarks.coverage --repetitions 200 --json coverage.json"""

REPLICATES = 500
"""Bootstrap replicates per test set, fewer than in the report, so that intervals are slightly less precise."""

SIGNIFICANCE = 0.05
CHUNK = 25

PATIENT, HARD, REGIME_PATIENT, OWN = 0.6, 0.5, 0.3, 0.4
"""Standard deviations of the components of a score: patient and image (shared by all models), interaction of regime and
patient, and interaction of training and image."""
NOISE = PATIENT**2 + HARD**2 + REGIME_PATIENT**2 + OWN**2


@dataclass(frozen=True)
class Scenario:
    """A kind of test set and of trainings to simulate.

    Attributes:
        name: of the scenario.
        normal: number of patients without pneumonia.
        pneumonia: number of patients with pneumonia.
        more_images: mean number of images of a patient beyond the first.
        seeds: number of trainings of each regime.
        separations: of each regime: mean distance between the classes' scores.
        seed_spread: standard deviation of that distance between trainings.
    """

    name: str
    normal: int
    pneumonia: int
    more_images: float
    seeds: int
    separations: tuple[float, ...] = (2.2, 2.6)
    seed_spread: float = 0.0


SCENARIOS = (
    Scenario("one seed, one image a patient", 120, 200, 0.0, 1),
    Scenario("one seed, several images a patient", 120, 200, 1.0, 1),
    Scenario("one seed, few patients", 40, 60, 1.0, 1),
    Scenario("one seed, ROC AUC 0.993", 120, 200, 1.0, 1, (3.2, 3.5)),
    Scenario("three seeds, alike", 120, 200, 1.0, 3),
    Scenario("three seeds, spread as patients are", 120, 200, 1.0, 3, seed_spread=0.25),
    Scenario("five seeds, spread as patients are", 120, 200, 1.0, 5, seed_spread=0.25),
)

BEYOND = (
    Scenario("three seeds, spread three times as wide", 120, 200, 1.0, 3, seed_spread=0.6),
    Scenario("one seed, ROC AUC 0.999", 120, 200, 1.0, 1, (4.0, 4.3)),
)
"""Scenarios in which intervals are too narrow: three trainings are too few to estimate a skewed distribution, and a
nearly perfect model has too few wrongly ranked pairs of images to estimate their variance."""

NULL_SCENARIOS = (
    Scenario("permuted labels, one seed", 120, 200, 1.0, 1, (2.2,) * 4),
    Scenario("permuted labels, three seeds", 120, 200, 1.0, 3, (2.2,) * 4, seed_spread=0.25),
)


@dataclass(frozen=True)
class TestSet:
    """A simulated test set with scores of models and true values.

    Attributes:
        labels: (N,).
        patients: (N,).
        models: scores of all seeds of the first regime, then of the next.
        true_auc: of each regime.
        true_accuracy: of each regime, at the threshold 0.5.
    """

    __test__ = False

    labels: np.ndarray
    patients: np.ndarray
    models: list[Scored]
    true_auc: list[float]
    true_accuracy: list[float]


def simulate(scenario: Scenario, random: np.random.Generator) -> TestSet:
    """Simulates patients and trainings.

    Scores are normally distributed on the logit scale, so ROC AUC is `Phi(d / sqrt(2 v))` for a training that sets the
    classes d apart with variance v, and its mean over trainings `Phi(D / sqrt(2 v + t^2))` where d varies around D with
    standard deviation t. The true value for one seed is that of this training, for several seeds the mean over all
    trainings.
    """
    ill = np.repeat([0, 1], [scenario.normal, scenario.pneumonia])
    patients = np.repeat(np.arange(len(ill)), 1 + random.poisson(scenario.more_images, len(ill)))
    labels = ill[patients]
    common = PATIENT * random.normal(size=len(ill))[patients] + HARD * random.normal(size=len(labels))
    models, aucs, accuracies = [], [], []
    for separation in scenario.separations:
        own_patients = REGIME_PATIENT * random.normal(size=len(ill))[patients]
        distances = separation + scenario.seed_spread * random.normal(size=scenario.seeds)
        for distance in distances:
            logits = distance * (labels - 0.5) + common + own_patients + OWN * random.normal(size=len(labels))
            models.append(Scored(expit(logits), 0.5))
        mean, spread = (separation, scenario.seed_spread) if scenario.seeds > 1 else (distances[0], 0.0)
        aucs.append(float(norm.cdf(mean / np.sqrt(2 * NOISE + spread**2))))
        accuracies.append(float(norm.cdf(mean / 2 / np.sqrt(NOISE + spread**2 / 4))))
    return TestSet(labels, patients, models, aucs, accuracies)


def covered(scenario: Scenario, seed: int) -> dict[str, bool]:
    """Whether the intervals for one simulated test set contain the true value, for one regime and for a difference."""
    drawn = simulate(scenario, np.random.default_rng(seed))
    figures = evidence.gather(drawn.labels, drawn.patients, drawn.models, replicates=REPLICATES)
    a, b = _positions(scenario)[:2]
    found = {}
    for name, metric, truth in (
        ("ROC AUC", "roc_auc", drawn.true_auc),
        ("accuracy", "accuracy", drawn.true_accuracy),
    ):
        low, high = uncertainty.interval(figures[metric].mean(a))
        found[name] = low <= truth[0] <= high
        low, high = uncertainty.difference_interval(figures[metric].difference(a, b))
        found[f"difference in {name}"] = low <= truth[0] - truth[1] <= high
    return found


def called_different(scenario: Scenario, seed: int) -> dict[str, bool]:
    """Whether any pair differs significantly in a metric, after Holm's correction, for permuted labels of patients."""
    random = np.random.default_rng(seed)
    drawn = simulate(scenario, random)
    ill = random.permutation(np.repeat([0, 1], [scenario.normal, scenario.pneumonia]))
    labels = ill[drawn.patients]
    figures = evidence.gather(labels, drawn.patients, drawn.models, replicates=REPLICATES)
    names = [f"regime {number}" for number in range(len(scenario.separations))]
    seeds = dict(zip(names, _positions(scenario), strict=True))
    pairs = comparisons.compare_all(list(combinations(names, 2)), figures, seeds, drawn.models, labels, drawn.patients)
    return {
        metric: any(pair["p_value_holm"] <= SIGNIFICANCE for pair in pairs if pair["metric"] == metric)
        for metric in ("roc_auc", "accuracy", "f1", "brier")
    }


def _positions(scenario: Scenario) -> list[list[int]]:
    """Positions of each regime's models."""
    count = scenario.seeds
    return [list(range(start, start + count)) for start in range(0, count * len(scenario.separations), count)]


def shares(outcome: Any, scenario: Scenario, repetitions: int, workers: int = 1) -> dict[str, float]:
    """The share of `repetitions` in which each outcome is true; reproducible, since seeds are fixed.

    Args:
        outcome: `covered` or `called_different`.
        scenario: the kind of test set.
        repetitions: number of test sets.
        workers: number of processes.
    """
    rows = list(_outcomes(partial(outcome, scenario), repetitions, workers, scenario.name))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _outcomes(outcome: Any, repetitions: int, workers: int, name: str) -> Iterator[dict[str, bool]]:
    if workers == 1:
        yield from map(outcome, range(repetitions))
        return
    progress = console.Progress("coverage", f"test sets: {name}", repetitions)
    with ProcessPoolExecutor(workers) as pool:
        for done, row in enumerate(pool.map(outcome, range(repetitions), chunksize=CHUNK), start=1):
            progress.reach(done)
            yield row


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, simulates, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage",
        description="Simulates test sets with known true values and counts how often the 95% intervals of the report "
        "contain them, and how often any pair of regimes differs significantly if labels are permuted.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repetitions", type=int, default=2000, help="test sets per scenario; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if min(arguments.repetitions, arguments.workers) < 1:
            raise UserError("--repetitions and --workers must be 1 or more")
        settings = {"repetitions": arguments.repetitions, "workers": arguments.workers}
        found = {
            "coverage": {scenario.name: shares(covered, scenario, **settings) for scenario in SCENARIOS + BEYOND},
            "called_different": {
                scenario.name: shares(called_different, scenario, **settings) for scenario in NULL_SCENARIOS
            },
        }
        if arguments.json:
            measure.write_json(arguments.json, {"benchmark": "coverage", "arguments": settings} | found)
    print("\nShare of 95% intervals that contain the true value")
    print(table(found["coverage"]))
    print("\nShare of test sets with permuted labels in which any of six pairs differs significantly (Holm, 5%)")
    print(table(found["called_different"]))


def table(rows: dict[str, dict[str, float]]) -> str:
    """Scenarios as rows, outcomes as columns, shares in percent."""
    columns = list(next(iter(rows.values())))
    width = max(map(len, rows))
    lines = [f"{'':{width}}  " + "  ".join(columns)]
    lines += [
        f"{name:{width}}  " + "  ".join(f"{100 * row[column]:{len(column) - 1}.1f}%" for column in columns)
        for name, row in rows.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
