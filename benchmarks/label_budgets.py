"""Known answers for label budgets: python -m benchmarks.label_budgets.

Trainings are simulated whose expected ROC AUC lies on known learning curves a - b n^-c, with scores of test images, and
evaluated by the functions that compute what the report says of label budgets.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from benchmarks import measure
from benchmarks.coverage import table
from benchmarks.simulated import HARD, NOISE, OWN, PATIENT, PNEUMONIA, REGIME_PATIENT
from components import console
from components.artifacts.label_budget_results import RegimeOnBudgets
from components.compare.stats import label_budgets
from components.compare.stats.budgets import Condition, Trainings
from components.console import UserError

BUDGETS = (50, 100, 200, 400)

SHARED = 0.5
"""Share of the variance between draws that two regimes have in common, since they are trained on the same patients."""

SEED_SPREAD = 0.04
"""Standard deviation of the distance between the classes between seeds."""

SAMPLES, CURVE_SAMPLES = 10_000, 1000
"""Of the means, fewer than in the report, so that intervals are slightly less precise."""

THRESHOLD_SPREAD = 0.3
"""Standard deviation of the threshold's logit with the smallest budget; it falls with the root of the patients."""

STEEP, FLAT = (0.985, 1.6, 0.65), (0.935, 0.2, 0.5)
"""a, b and c. With 50 patients the flat curve is ahead (0.907 against 0.859), from about 130 on the steep one."""


@dataclass(frozen=True)
class Scenario:
    """A kind of run with label budgets.

    Attributes:
        name: for tables.
        curves: a, b and c of each regime.
        draws: of each budget.
        images: of the test set, on average.
        seeds: trainings with all patients.
        patients: of training and validation together.
        spread: standard deviation between draws, with the smallest budget, of the distance between the classes.
        more_images: mean number of images of a test patient beyond the first.
        new_pool: whether all patients together are a sample too, which may be better or worse than others.
    """

    name: str
    curves: tuple[tuple[float, float, float], ...] = (STEEP, FLAT)
    draws: int = 5
    images: int = 600
    seeds: int = 3
    patients: int = 2000
    spread: float = 0.15
    more_images: float = 0.5
    new_pool: bool = False

    @property
    def budgets(self) -> tuple[int, ...]:
        """Numbers of patients, the last one all."""
        return (*BUDGETS, self.patients)


SCENARIOS = (
    Scenario("5 draws, 600 test images"),
    Scenario("5 draws, 200 test images", images=200),
    Scenario("3 draws, 600 test images", draws=3),
    Scenario("10 draws, 600 test images", draws=10),
    Scenario("5 draws that differ twice as much, 600 test images", spread=0.3),
    Scenario("5 draws, 600 test images, ROC AUC up to 0.997", ((0.998, 0.6, 0.6), (0.99, 0.2, 0.6))),
    Scenario("5 draws, 600 test images, all patients a sample too", new_pool=True),
    Scenario("5 draws, 600 test images, four equal regimes", (FLAT,) * 4),
)


def true_value(curve: tuple[float, float, float], patients: float) -> float:
    """ROC AUC on a curve."""
    a, b, c = curve
    return float(a - b * patients**-c)


def simulate(scenario: Scenario, random: np.random.Generator) -> Trainings:
    """Simulates test patients, draws of labelled patients, and the scores of all trainings.

    On the logit scale a score is the distance between the classes, which depends on the regime, on the number of
    patients and on the draw, plus noise of the test patient, of the image, of this regime on the patient, and of this
    training on the image.
    """
    owners = np.repeat(*_images(scenario, random))
    ill = random.random(owners.max() + 1) < PNEUMONIA
    ill[:4] = (0, 0, 1, 1)
    labels = ill[owners].astype(np.int64)
    common = PATIENT * random.normal(size=len(ill))[owners] + HARD * random.normal(size=len(owners))
    shared = _draws(scenario, random)
    scores: list[np.ndarray] = []
    thresholds: list[float] = []
    conditions: list[Condition] = []
    for regime, curve in enumerate(scenario.curves):
        of_regime = REGIME_PATIENT * random.normal(size=len(ill))[owners]
        draws = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * _draws(scenario, random)
        for column, patients in enumerate(scenario.budgets):
            whole = patients == scenario.patients
            count = scenario.seeds if whole else scenario.draws
            effects = draws[:count, column] if not whole else np.repeat(draws[0, column], count)
            distances = _distance(scenario, curve, patients) + effects + SEED_SPREAD * random.normal(size=count)
            first = len(scores)
            for distance in distances:
                noise = common + of_regime + OWN * random.normal(size=len(owners))
                scores.append(expit((2 * labels - 1) * (distance / 2 + noise)))
            thresholds += expit(_threshold_spread(scenario, patients) * random.normal(size=count)).tolist()
            conditions.append(Condition(f"regime {regime}", patients, tuple(range(first, len(scores))), whole))
    return Trainings(labels, owners, np.stack(scores), np.array(thresholds), tuple(conditions))


def _images(scenario: Scenario, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The test patients, and how many images each has."""
    patients = round(scenario.images / (1 + scenario.more_images))
    return np.arange(patients), 1 + random.poisson(scenario.more_images, patients)


def _draws(scenario: Scenario, random: np.random.Generator) -> np.ndarray:
    """Effects (D, J) of the draws on the distance between the classes.

    Every labelled patient has an effect, and a training that of the mean of its patients; the first patients of a
    random order are the draw, so that greater budgets have the patients of smaller ones.
    """
    effects = random.normal(size=scenario.patients)
    if not scenario.new_pool:
        effects = (effects - effects.mean()) / effects.std()
    orders = np.stack([random.permutation(effects) for _ in range(max(scenario.draws, 1))])
    sizes = np.array(scenario.budgets)
    return scenario.spread * np.sqrt(sizes[0]) * (orders.cumsum(axis=1)[:, sizes - 1] / sizes)


def _spread(scenario: Scenario, patients: int) -> float:
    """Standard deviation of the distance between the classes between trainings, over pools if they vary."""
    left = 1.0 if scenario.new_pool else (scenario.patients - patients) / (scenario.patients - 1)
    return float(np.hypot(scenario.spread * np.sqrt(scenario.budgets[0] / patients * left), SEED_SPREAD))


def _threshold_spread(scenario: Scenario, patients: int) -> float:
    return float(THRESHOLD_SPREAD * np.sqrt(scenario.budgets[0] / patients))


def _distance(scenario: Scenario, curve: tuple[float, float, float], patients: int) -> float:
    """The mean distance between the classes with which the expected ROC AUC lies on the curve."""
    spread = np.hypot(np.sqrt(2 * NOISE), _spread(scenario, patients))
    return float(norm.ppf(true_value(curve, patients)) * spread)


def true_accuracy(scenario: Scenario, curve: tuple[float, float, float], patients: int) -> float:
    """Expected accuracy, over trainings and their thresholds; alike in both classes, so the class mix plays no role."""
    spread = np.sqrt(NOISE + _threshold_spread(scenario, patients) ** 2 + _spread(scenario, patients) ** 2 / 4)
    return float(norm.cdf(_distance(scenario, curve, patients) / 2 / spread))


def outcomes(scenario: Scenario, seed: int) -> dict[str, list[float]]:
    """What is right (1) or wrong (0) for one simulated run, and how far forecasts are off; empty where not given."""
    found = label_budgets.on_test_set(simulate(scenario, np.random.default_rng(seed)), SAMPLES, CURVE_SAMPLES)
    made: dict[str, list[float]] = {}
    for number, curve in enumerate(scenario.curves):
        for name, values in _of_regime(scenario, curve, found["regimes"][f"regime {number}"]).items():
            made.setdefault(name, []).extend(values)
    differences = [gap for pair in found["pairs"] for gap in pair["differences"]]
    true = [
        true_value(scenario.curves[int(pair["a"][-1])], gap["patients"])
        - true_value(scenario.curves[int(pair["b"][-1])], gap["patients"])
        for pair in found["pairs"]
        for gap in pair["differences"]
    ]
    right = [_inside(gap["ci95"], value) for gap, value in zip(differences, true, strict=True)]
    # Of equal regimes none may be called ahead; of others the one that is.
    wrong = [
        bool(gap["ahead"]) and gap["difference"] * value <= 0 for gap, value in zip(differences, true, strict=True)
    ]
    crossings = [pair["crossing"] for pair in found["pairs"] if pair["crossing"]]
    place = true_crossing(scenario)
    drawn = [ok for ok, gap in zip(right, differences, strict=True) if gap["patients"] != scenario.patients]
    return made | {
        "differences": [float(all(drawn))],
        "wrongly ahead": [float(any(wrong))],
        "crossing shown": [float(bool(crossings))],
        "crossing": [float(place is not None and _inside(own["ci95"], place)) for own in crossings],
    }


def _of_regime(scenario: Scenario, curve: tuple[float, float, float], found: RegimeOnBudgets) -> dict[str, list[float]]:
    names = {BUDGETS[0]: "AUC, smallest", BUDGETS[-1]: "AUC, largest", scenario.patients: "AUC, all"}
    made = {
        names[point["patients"]]: [float(_inside(point["roc_auc"]["ci95"], true_value(curve, point["patients"])))]
        for point in found["points"]
        if point["patients"] in names
    }
    made["accuracy"] = [
        float(_inside(point["accuracy"]["ci95"], true_accuracy(scenario, curve, point["patients"])))
        for point in found["points"]
    ]
    made["curve"] = [float(found["curve"] is not None)]
    made |= {name: [] for name in ("band", "forecast", "gain", "forecast error")}
    if found["curve"] and found["doubling"]:
        points, twice = found["curve"]["points"], found["doubling"]
        true = true_value(curve, twice["patients"])
        gain = true - true_value(curve, scenario.patients)
        made["band"] = [float(_inside(own["ci95"], true_value(curve, own["patients"]))) for own in points]
        made["forecast"] = [float(_inside(twice["roc_auc"]["ci95"], true))]
        made["gain"] = [float(_inside(twice["gain"]["ci95"], gain))]
        made["forecast error"] = [twice["roc_auc"]["value"] - true]
    return made


def _inside(ends: Sequence[float | None], value: float) -> bool:
    low, high = ends
    return (low is None or low <= value) and (high is None or value <= high)


def true_crossing(scenario: Scenario) -> float | None:
    """Where the first two curves cross; None where they do not."""

    def gap(patients: float) -> float:
        return true_value(scenario.curves[0], patients) - true_value(scenario.curves[1], patients)

    ends = scenario.budgets[0], scenario.budgets[-1]
    return float(brentq(gap, *ends)) if gap(ends[0]) * gap(ends[1]) < 0 else None


def shares(scenario: Scenario, repetitions: int) -> dict[str, float]:
    """The mean of each outcome over `repetitions` runs; NaN for what was never given. Seeds are fixed."""
    rows = [outcomes(scenario, seed) for seed in range(repetitions)]
    return {
        name: float(np.mean(values)) if (values := [one for row in rows for one in row[name]]) else float("nan")
        for name in rows[0]
    }


def main(words: Sequence[str] | None = None) -> None:
    """Simulates every scenario, prints a table and stores the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_budgets",
        description="Simulates runs with label budgets on known learning curves and counts how often the 95% intervals "
        "of the report contain the true values.",
    )
    parser.add_argument("--repetitions", type=int, default=400, help="runs per scenario; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.repetitions < 1:
            raise UserError("--repetitions must be 1 or more")
        found: dict[str, dict[str, float]] = {}
        progress = console.Progress("label_budgets", "scenarios", len(SCENARIOS))
        for done, scenario in enumerate(SCENARIOS, start=1):
            found[scenario.name] = shares(scenario, arguments.repetitions)
            progress.reach(done)
        if arguments.json:
            settings = {"repetitions": arguments.repetitions, "samples": SAMPLES}
            measure.write_json(arguments.json, {"benchmark": "label_budgets", "arguments": settings, "coverage": found})
    errors = {name: own.pop("forecast error") for name, own in found.items()}
    print("Share of 95% intervals that contain the true value, of curves and crossings shown, and of wrong claims")
    print(table(found))
    print("\nForecast of the ROC AUC with twice the patients minus the true value, mean")
    print("\n".join(f"{name}: {error:+.4f}" for name, error in errors.items()))


if __name__ == "__main__":
    main()
