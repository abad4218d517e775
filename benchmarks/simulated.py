"""Simulated validation and test sets, with scores of models whose true values are known."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from components import thresholds
from components.compare.stats.evidence import Images, Scored

PATIENT, HARD, REGIME_PATIENT, OWN = 0.6, 0.5, 0.3, 0.4
"""Standard deviations of the components of a score: patient and image (shared by all models), interaction of regime and
patient, and interaction of training and image."""
NOISE = PATIENT**2 + HARD**2 + REGIME_PATIENT**2 + OWN**2

PNEUMONIA = 0.625
"""Share of the patients that have pneumonia, as in the test split of Kermany et al. 2018."""

POPULATION = 100_000
"""Images of a class that stand for all of them."""

TRAININGS = 2000
"""Trainings, each with another validation set, over which the true value is averaged."""


@dataclass(frozen=True)
class Scenario:
    """A kind of data set and of trainings to simulate.

    Attributes:
        name: of the scenario.
        aucs: the true ROC AUC of each regime at a separation without spread.
        patients: of the test set.
        validation_patients: on which the thresholds are chosen.
        more_images: mean number of images of a patient beyond the first.
        seeds: number of trainings of each regime.
        seed_spread: standard deviation of the separation of the classes between trainings.
        skewed: whether the scores of both classes have a long tail towards the other class.
        shift: is added to the scores (on the logit scale) of the normal test images, but not of the validation images.
    """

    name: str
    aucs: tuple[float, ...] = (0.95, 0.97)
    patients: int = 320
    validation_patients: int = 160
    more_images: float = 1.0
    seeds: int = 1
    seed_spread: float = 0.0
    skewed: bool = False
    shift: float = 0.0


@dataclass(frozen=True)
class DataSet:
    """A simulated validation and test set with the scores of the models.

    Attributes:
        test: labels and patients of the test images.
        validation: likewise of the validation images.
        models: all seeds of the first regime, then of the next; thresholds are chosen on validation by Youden's J.
    """

    test: Images
    validation: Images
    models: list[Scored]


def rows_of(scenario: Scenario) -> dict[str, list[int]]:
    """Positions of the models of each regime."""
    count = scenario.seeds
    return {f"regime {place}": list(range(place * count, (place + 1) * count)) for place in range(len(scenario.aucs))}


def simulate(scenario: Scenario, random: np.random.Generator) -> DataSet:
    """Simulates patients, trainings, and the choice of the thresholds.

    On the logit scale a score is the distance between the classes, which varies between trainings, plus noise of the
    patient, of the image, of this regime on the patient, and of this training on the image.
    """
    distances = [
        separation(auc, scenario.skewed) + scenario.seed_spread * random.normal(size=scenario.seeds)
        for auc in scenario.aucs
    ]
    splits, logits = [], []
    for patients, shift in ((scenario.validation_patients, 0.0), (scenario.patients, scenario.shift)):
        images = _images(patients, scenario.more_images, random)
        splits.append(images)
        logits.append(_logits(images, distances, scenario.skewed, random) + shift * (images.labels == 0))
    validation, test = splits
    models = []
    for before, after in zip(*logits, strict=True):
        scores = expit(before)
        threshold = float(thresholds.choose(validation.labels, scores, thresholds.YOUDEN)[0])
        models.append(Scored(expit(after), threshold, validation=scores))
    return DataSet(test, validation, models)


def _images(patients: int, more_images: float, random: np.random.Generator) -> Images:
    """The images of patients, of whom at least two have each class."""
    ill = random.random(patients) < PNEUMONIA
    ill[:4] = (0, 0, 1, 1)
    owners = np.repeat(np.arange(patients), 1 + random.poisson(more_images, patients))
    return Images(ill[owners].astype(np.int64), owners)


def _logits(images: Images, distances: list[np.ndarray], skewed: bool, random: np.random.Generator) -> list[np.ndarray]:
    """The logits (N,) of every training."""
    labels, owners = images.labels, images.patients
    patients = int(owners.max()) + 1
    common = PATIENT * _noise(patients, skewed, random)[owners] + HARD * _noise(len(labels), skewed, random)
    sign = 2 * labels - 1
    found = []
    for own in distances:
        of_regime = REGIME_PATIENT * _noise(patients, skewed, random)[owners]
        for distance in own:
            noise = common + of_regime + OWN * _noise(len(labels), skewed, random)
            found.append(sign * (distance / 2 + noise))
    return found


def _noise(count: int, skewed: bool, random: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and variance 1; skewed noise has its long tail below, that is towards the other class."""
    return (2 - random.gamma(2.0, size=count)) / np.sqrt(2) if skewed else random.normal(size=count)


@lru_cache
def _population(skewed: bool) -> np.ndarray:
    """The summed noise of very many images, sorted, float64 (`POPULATION`,)."""
    random = np.random.default_rng(1)
    parts = [size * _noise(POPULATION, skewed, random) for size in (PATIENT, HARD, REGIME_PATIENT, OWN)]
    return np.sort(np.sum(parts, axis=0))


def _share_above(values: np.ndarray, skewed: bool) -> np.ndarray:
    """The share of the noise above each value."""
    return 1 - np.searchsorted(_population(skewed), values) / POPULATION


def true_area(distance: float, skewed: bool, shift: float = 0.0) -> float:
    """The true ROC AUC of a training: the probability that `distance - shift + noise + noise'` is above 0."""
    if not skewed:
        return float(norm.cdf((distance - shift) / np.sqrt(2 * NOISE)))
    return float(_share_above(shift - distance - _population(skewed), skewed).mean())


@lru_cache
def separation(auc: float, skewed: bool) -> float:
    """The distance between the classes that gives this true ROC AUC."""
    if not skewed:
        return float(norm.ppf(auc) * np.sqrt(2 * NOISE))
    low, high = 0.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if true_area(middle, skewed) < auc else (low, middle)
    return low


@lru_cache
def true_values(scenario: Scenario) -> dict[str, list[float]]:
    """The values that the intervals are about, of each regime: expectations over trainings and validation sets.

    Returns:
        {"roc_auc", "accuracy", "precision": one value for each regime}.
    """
    found: dict[str, list[float]] = {"roc_auc": [], "accuracy": [], "precision": []}
    for auc in scenario.aucs:
        random = np.random.default_rng(2)
        values = []
        for _ in range(TRAININGS):
            distance = separation(auc, scenario.skewed) + scenario.seed_spread * random.normal()
            images = _images(scenario.validation_patients, scenario.more_images, random)
            (logits,) = _logits(images, [np.array([distance])], scenario.skewed, random)
            threshold = thresholds.choose(images.labels, expit(logits), thresholds.YOUDEN)
            cut = np.log(threshold / (1 - threshold))[0]
            recall = _share_above(np.array(cut - distance / 2), scenario.skewed)
            # A normal image has the logit -(distance / 2 + noise) + shift.
            false_alarms = 1 - _share_above(np.array(scenario.shift - cut - distance / 2), scenario.skewed)
            right = PNEUMONIA * recall + (1 - PNEUMONIA) * (1 - false_alarms)
            alarms = PNEUMONIA * recall + (1 - PNEUMONIA) * false_alarms
            area = true_area(distance, scenario.skewed, scenario.shift)
            values.append((area, float(right), float(PNEUMONIA * recall / alarms)))
        for name, value in zip(found, np.mean(values, axis=0), strict=True):
            found[name].append(float(value))
    return found
