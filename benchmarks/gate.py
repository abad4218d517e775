"""False alarms and power of the gate of recurring runs: python -m benchmarks.gate.

Years of weekly runs are simulated, without a change and with one that is planted in run 30, and judged by the functions
of the gate.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gate_series, gate_years, measure
from benchmarks.gate_series import Change, Noise
from benchmarks.gate_years import Plan
from components import console
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.gate --quick                                 a trial in seconds
  python -m benchmarks.gate --only quality --years 200              more years, for smaller errors"""

ONE: dict[str, Any] = {"seeds": 1}

UNCHANGED = (
    Plan("3 seeds, 600 images"),
    Plan("1 seed, 600 images", **ONE),
    Plan("3 seeds, 100 images", images=100),
    Plan("1 seed, 100 images", images=100, **ONE),
    Plan("3 seeds, 600 images, ROC AUC 0.995", 0.995),
    Plan("1 seed, 600 images, ROC AUC 0.995", 0.995, **ONE),
    Plan("3 seeds, 100 images, ROC AUC 0.995", 0.995, images=100),
    Plan("1 seed, 100 images, ROC AUC 0.995", 0.995, images=100, **ONE),
    Plan("3 seeds, 600 images, trainings vary more", spread=0.25),
    Plan("1 seed, 600 images, trainings vary more", spread=0.25, **ONE),
    Plan("3 seeds, 600 images, trainings vary very much", spread=0.4),
    Plan("3 seeds, 600 images, an upgrade in run 10", upgrade=True),
    Plan("1 seed, 600 images, an upgrade in run 10", upgrade=True, **ONE),
    Plan("3 seeds, 600 images, 1 of 50 trainings fails", bad=0.02),
)

LOSSES = (
    *(Plan(f"3 seeds, 600 images, 0.97 to {0.97 - loss:.3g}", loss=loss) for loss in (0.01, 0.02, 0.05)),
    *(Plan(f"1 seed, 600 images, 0.97 to {0.97 - loss:.3g}", loss=loss, **ONE) for loss in (0.02, 0.05)),
    *(Plan(f"3 seeds, 100 images, 0.97 to {0.97 - loss:.3g}", images=100, loss=loss) for loss in (0.05, 0.1)),
    Plan("3 seeds, 600 images, 0.995 to 0.985", 0.995, loss=0.01),
    Plan("3 seeds, 600 images, trainings vary more, 0.97 to 0.92", spread=0.25, loss=0.05),
)

NOISES = (
    Noise("2% noise", 0.02),
    Noise("5% noise", 0.05),
    Noise("10% noise", 0.10),
    Noise("memory, 0.1% noise", 0.001),
    Noise("5% noise, 1 of 50 runs takes twice as long", 0.05, busy=0.02),
    Noise("5% noise with heavy tails", 0.05, heavy=True),
    Noise("5% noise, correlated by 0.3 from run to run", 0.05, memory=0.3),
)

SLOWDOWNS = (
    *((noise, 1.2, 30) for noise in NOISES[:3]),
    (NOISES[4], 1.2, 30),
    *((noise, 1.2, 6) for noise in NOISES[:2]),
    *((NOISES[1], 1.2, run) for run in (10, 15)),
    (NOISES[1], 1.1, 30),
    (NOISES[3], 1.05, 30),
)
"""Noise, factor, and the run with which it begins."""

CHANGES = (
    Change("10 new patients a week, brightness by 1 standard deviation", brightness=1.0),
    Change("40 new patients a week, brightness by 1 standard deviation", weekly=40, brightness=1.0),
    Change("40 new patients a week, brightness by 0.5", weekly=40, brightness=0.5),
    Change("40 new patients a week, pneumonia 90% and not 62.5%", weekly=40, pneumonia=0.9),
)

Rows = dict[str, dict[str, tuple[float, float]]]
"""For each scenario the outcomes: a value and its standard error."""


def shares(outcomes: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard error of each outcome; of a share of 0 or 1 that of half an event more or less."""
    found = {}
    for name, values in outcomes.items():
        count, mean = len(values), float(np.mean(values))
        if set(values) <= {0.0, 1.0}:
            smoothed = (sum(values) + 0.5) / (count + 1)
            found[name] = mean, float(np.sqrt(smoothed * (1 - smoothed) / count))
        else:
            found[name] = mean, float(np.std(values) / np.sqrt(count))
    return found


def _rows(
    outcome: Callable[[Any, int, int], dict[str, list[float]]], plans: Sequence[Any], years: int, seed: int
) -> Rows:
    found = {}
    for plan in plans:
        found[plan.name] = shares(outcome(plan, years, seed))
        console.say("gate", plan.name)
    return found


def qualities(years: int, seed: int) -> dict[str, Rows]:
    """The tables of quality."""
    return {
        "Quality: years without change with an alarm, or with another champion, of four regimes": _rows(
            gate_years.without_change, UNCHANGED, years, seed
        ),
        "Quality: a loss of one regime from run 30 on that rings within 1 and 5 runs": _rows(
            gate_years.with_loss, LOSSES, years, seed
        ),
    }


def costs(years: int, seed: int) -> dict[str, Rows]:
    """The tables of cost: false alarms in series of a year and of 500 runs, and how soon slowdowns ring."""
    alarms: Rows = {}
    for noise in NOISES:
        alarms[noise.name] = {
            "first year": gate_series.false_alarms(noise, gate_years.WEEKS, 30 * years, seed),
            "500 runs": gate_series.false_alarms(noise, 500, 3 * years, seed + 1),
        }
        console.say("gate", noise.name)
    found: Rows = {}
    for noise, factor, planted in SLOWDOWNS:
        name = f"{factor - 1:.0%} more from run {planted} on, {noise.name}"
        found[name] = shares(gate_series.slowdown(noise, factor, 4 * years, seed, planted))
    return {
        "Cost: false alarms in 500 runs, of eight charts": alarms,
        "Cost: a lasting change that rings within 1, 2 and 5 runs": found,
    }


def data(years: int, seed: int) -> dict[str, Rows]:
    """The tables of data."""
    unchanged = {"patients added and lost at random": shares(gate_series.data_without_change(years, seed))}
    return {
        "Data: years without change with an alarm": unchanged,
        "Data: a change of what is added from run 30 on that rings within 1 and 5 runs": _rows(
            gate_series.data_with_change, CHANGES, years, seed
        ),
    }


PARTS: dict[str, Callable[[int, int], dict[str, Rows]]] = {"quality": qualities, "cost": costs, "data": data}


def table(rows: Rows, unit: str) -> str:
    """Scenarios as rows, outcomes as columns, with their standard errors."""
    names = list(next(iter(rows.values())))

    def cell(name: str, value: float, error: float) -> str:
        if name == "deviation":
            return f"{value:.4f}"
        return f"{100 * value:.1f}% ± {100 * error:.1f}" if unit == "%" else f"{value:.2f} ± {error:.2f}"

    return measure.table(
        ["", *names], [[title, *(cell(name, *row[name]) for name in names)] for title, row in rows.items()]
    )


def main(words: Sequence[str] | None = None) -> None:
    """Simulates every scenario, prints tables and stores the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate",
        description="Simulates years of weekly runs and counts false alarms and planted changes that the gate finds.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--years", type=int, default=50, help="simulated for each scenario; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="1 year: whether it works, not what it achieves")
    parser.add_argument("--only", choices=PARTS, help="simulate only this; default: everything")
    parser.add_argument("--output", type=Path, help="file for the results, JSON")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.years < 1:
            raise UserError("--years must be 1 or more")
        years = 1 if arguments.quick else arguments.years
        parts = [arguments.only] if arguments.only else list(PARTS)
        found = {title: rows for part in parts for title, rows in PARTS[part](years, arguments.seed).items()}
        if arguments.output:
            settings = {"years": years, "seed": arguments.seed}
            measure.write_json(arguments.output, {"benchmark": "gate", "arguments": settings, "tables": found})
    for title, rows in found.items():
        print(f"\n{title} (± standard error)\n{table(rows, '' if 'in 500 runs' in title else '%')}")


if __name__ == "__main__":
    main()
