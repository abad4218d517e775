"""Coverage of the intervals, and rates of false differences and wrong recommendations: python -m benchmarks.coverage.

Data sets with known true values are simulated and evaluated by the functions that compute the intervals, tests and the
recommendation of the report.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.simulated import DataSet, Scenario, rows_of, simulate, true_values
from components import console, roc_auc
from components.compare import recommendation
from components.compare.regime_results import shift_interval
from components.compare.stats import comparisons, evidence, noninferiority, uncertainty
from components.compare.stats.uncertainty import Estimate
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.coverage                                    every scenario, 2,000 data sets each
  python -m benchmarks.coverage --repetitions 200 --json coverage.json"""

REPLICATES = 500
"""Bootstrap replicates per test set, fewer than in the report, so that intervals are slightly less precise."""

CHUNK = 10
"""Data sets that a process simulates at a time."""

THREE: dict[str, Any] = {"seeds": 3, "seed_spread": 0.25}
"""Trainings that differ about as much as samples of patients."""

COVERAGE = (
    Scenario("one seed, one image a patient", more_images=0.0),
    Scenario("one seed, several images a patient"),
    Scenario("one seed, 100 patients", patients=100, validation_patients=60),
    Scenario("one seed, ROC AUC 0.99", (0.99, 0.995)),
    Scenario("one seed, skewed scores", skewed=True),
    Scenario("one seed, shifted test images", shift=1.0),
    Scenario("three seeds", **THREE),
    Scenario("three seeds, ROC AUC 0.99", (0.99, 0.995), **THREE),
    Scenario("five seeds", seeds=5, seed_spread=0.25),
)

BEYOND = (
    Scenario("three seeds, spread more than twice as wide", seeds=3, seed_spread=0.6),
    Scenario("one seed, ROC AUC 0.999", (0.999, 0.9995)),
)
"""Scenarios in which intervals are known to be too narrow: three trainings are too few to estimate a skewed
distribution, and a nearly perfect model has too few wrongly ranked pairs of images to estimate their variance."""

EQUAL = tuple(
    Scenario(f"{name}, ROC AUC {auc:g}", (auc,) * 4, **seeds)
    for auc in (0.95, 0.99)
    for name, seeds in (("one seed", {}), ("three seeds", THREE))
)
"""Four regimes that are equal in truth, whose trainings differ if there are several."""

WORSE = tuple(
    Scenario(f"{name}, ROC AUC {auc:g}", (auc, *(auc - 0.0101,) * 3), **seeds)
    for auc in (0.95, 0.99)
    for name, seeds in (("one seed", {}), ("three seeds", THREE))
)
"""One regime, and three that are worse than it by just more than the margin."""


def covered(scenario: Scenario, seed: int) -> dict[str, bool]:
    """Whether the intervals for one simulated data set contain the true value, for one regime and for a difference."""
    drawn, truth = simulate(scenario, np.random.default_rng(seed)), true_values(scenario)
    estimates = _gathered(drawn)
    a, b = list(rows_of(scenario).values())[:2]
    found = {}
    for metric, name in (("roc_auc", "ROC AUC"), ("accuracy", "accuracy"), ("precision", "precision")):
        low, high = uncertainty.interval(estimates[metric].mean(a))
        found[name] = low <= truth[metric][0] <= high
        low, high = uncertainty.difference_interval(estimates[metric].difference(a, b))
        found[f"difference in {name}"] = low <= truth[metric][0] - truth[metric][1] <= high
    return found


def called_different(scenario: Scenario, seed: int) -> dict[str, bool]:
    """Whether any pair of equal regimes is called different, after Holm's correction, and a shift seen without any."""
    drawn, rows = simulate(scenario, np.random.default_rng(seed)), rows_of(scenario)
    estimates = _gathered(drawn)
    pairs = comparisons.compare_all(list(combinations(rows, 2)), estimates, rows)
    found = {
        name: any(recommendation.verdict(pair).certain for pair in pairs if pair["metric"] == metric)
        for metric, name in (("roc_auc", "ROC AUC"), ("accuracy", "accuracy"), ("f1", "F1"), ("brier", "Brier score"))
    }
    return found | {"shift of any regime": any(_is_shift(estimates, own, len(rows)) for own in rows.values())}


def _is_shift(estimates: dict[str, Estimate], rows: Sequence[int], regimes: int) -> bool:
    """Whether the report would warn that the threshold of a regime does not transfer."""
    low, high = shift_interval(estimates, rows, 1 - (1 - uncertainty.CONFIDENCE) / regimes)
    return not low <= 0 <= high


def wrongly_recommended(scenario: Scenario, seed: int) -> dict[str, bool]:
    """Whether a regime is recommended that is worse than the first one by more than the margin."""
    drawn, rows = simulate(scenario, np.random.default_rng(seed)), rows_of(scenario)
    scores = np.stack([model.scores for model in drawn.models])
    areas, covariance = roc_auc.covariance_of_areas(drawn.test.labels, drawn.test.patients, scores)
    freedom = evidence.degrees_of_freedom(drawn.test.labels, drawn.test.patients)
    tested = noninferiority.against_all(Estimate(areas, covariance, freedom), rows, scenario.patients)
    return {
        "a worse regime recommended": any(name != "regime 0" for name in tested["shown"]),
        "the best one recommended": "regime 0" in tested["shown"],
    }


def _gathered(drawn: DataSet) -> dict[str, Estimate]:
    return evidence.gather(
        drawn.test.labels, drawn.test.patients, drawn.models, replicates=REPLICATES, validation=drawn.validation
    )


def shares(outcome: Any, scenario: Scenario, repetitions: int, workers: int = 1) -> dict[str, float]:
    """The share of `repetitions` in which each outcome is true; reproducible, since seeds are fixed.

    Args:
        outcome: `covered`, `called_different` or `wrongly_recommended`.
        scenario: the kind of data set.
        repetitions: number of data sets.
        workers: number of processes.
    """
    rows = list(_outcomes(partial(outcome, scenario), repetitions, workers, scenario.name))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _outcomes(outcome: Any, repetitions: int, workers: int, name: str) -> Iterator[dict[str, bool]]:
    if workers == 1:
        yield from map(outcome, range(repetitions))
        return
    progress = console.Progress("coverage", f"data sets: {name}", repetitions)
    with ProcessPoolExecutor(workers) as pool:
        for done, row in enumerate(pool.map(outcome, range(repetitions), chunksize=CHUNK), start=1):
            progress.reach(done)
            yield row


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, simulates, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage",
        description="Simulates data sets with known true values and counts how often the 95% intervals of the report "
        "contain them, how often equal regimes are called different, and how often a worse regime is recommended.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repetitions", type=int, default=2000, help="data sets per scenario; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if min(arguments.repetitions, arguments.workers) < 1:
            raise UserError("--repetitions and --workers must be 1 or more")
        settings = {"repetitions": arguments.repetitions, "workers": arguments.workers}
        found = {
            title: {scenario.name: shares(outcome, scenario, **settings) for scenario in scenarios}
            for title, outcome, scenarios in (
                ("95% intervals that contain the true value", covered, COVERAGE + BEYOND),
                ("equal regimes called different (any of six pairs, Holm, 5%)", called_different, EQUAL),
                ("regimes recommended, three of four worse by more than the margin", wrongly_recommended, WORSE),
            )
        }
        if arguments.json:
            measure.write_json(arguments.json, {"benchmark": "coverage", "arguments": settings} | found)
    error = 50 / np.sqrt(arguments.repetitions)
    for title, rows in found.items():
        print(f"\n{title} (standard error: at most {error:.1f} percentage points)\n{table(rows)}")


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
