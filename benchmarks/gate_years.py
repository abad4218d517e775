"""Simulated years of weekly runs for `benchmarks.gate`: models' scores, times, and changes of the data."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.simulated import HARD, OWN, PATIENT, PNEUMONIA, REGIME_PATIENT, separation
from components.artifacts.image_table import STATISTICS
from components.artifacts.names import REGIMES
from components.gate import quality

WEEKS, PLANTED = 52, 30
"""Runs a year, and the run from which on a planted change is there."""


@dataclass(frozen=True)
class Trainings:
    """A recipe and a test set that stay the same all year.

    Attributes:
        name: for tables.
        auc: expected ROC AUC of every regime.
        images: of the test set, about 1 + Poisson(1) a patient.
        seeds: trainings of a regime in a run.
        spread: standard deviation of the distance between the classes between trainings, on the logit scale of scores.
        bad: share of trainings that turn out bad, by `BAD`.
        upgrade: in week 10 the patients that a regime finds hard are others, but not how many.
        loss: of ROC AUC, of one regime from run `PLANTED` on.
    """

    name: str
    auc: float = 0.97
    images: int = 600
    seeds: int = 3
    spread: float = 0.1
    bad: float = 0.0
    upgrade: bool = False
    loss: float = 0.0


BAD = 1.0
"""How much smaller the distance between the classes is after a bad training."""


class Line:
    """The test set and the runs of a year."""

    def __init__(self, plan: Trainings, random: np.random.Generator) -> None:
        self._plan, self._random = plan, random
        patients = plan.images // 2
        ill = random.random(patients) < PNEUMONIA
        ill[:4] = (0, 0, 1, 1)
        self.patients = np.repeat(np.arange(patients), 1 + random.poisson(1.0, patients))
        self.labels = ill[self.patients].astype(np.int64)
        self._common = PATIENT * random.normal(size=patients)[self.patients]
        self._common += HARD * random.normal(size=len(self.patients))
        self._own = [self._hard() for _ in REGIMES]

    def _hard(self) -> np.ndarray:
        return REGIME_PATIENT * self._random.normal(size=self.patients[-1] + 1)[self.patients]

    def run(self, week: int) -> dict[str, np.ndarray]:
        """The scores (seeds, N) of each regime, as logits."""
        plan, random = self._plan, self._random
        if plan.upgrade and week == 10:
            self._own = [self._hard() for _ in REGIMES]
        scores = {}
        for place, name in enumerate(REGIMES):
            auc = plan.auc - plan.loss * (place == 0 and week >= PLANTED)
            distances = separation(auc, False) + plan.spread * random.normal(size=(plan.seeds, 1))
            distances -= BAD * (random.random((plan.seeds, 1)) < plan.bad)
            noise = self._common + self._own[place] + OWN * random.normal(size=(plan.seeds, len(self.labels)))
            scores[name] = (2 * self.labels - 1) * (distances / 2 + noise)
        return scores

    def areas(self, scores: dict[str, np.ndarray]) -> dict[str, list[float]]:
        """The ROC AUCs by seed of each regime."""
        found = _areas(self.labels, np.concatenate(list(scores.values())))
        return {
            name: found[place * self._plan.seeds : (place + 1) * self._plan.seeds].tolist()
            for place, name in enumerate(scores)
        }


def _areas(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    ranks = scores.argsort(axis=1).argsort(axis=1) + 1
    positive = labels == 1
    m, n = positive.sum(), (~positive).sum()
    return (ranks[:, positive].sum(axis=1) - m * (m + 1) / 2) / (m * n)


def year(plan: Trainings, seed: int, weeks: int = WEEKS, first: int = 1) -> Iterator[tuple[int, dict]]:
    """What the gate found in each week from `first` on; the first run is the champion until another is shown better."""
    line = Line(plan, np.random.default_rng(seed))
    champion = line.run(0)
    earlier = {name: [areas] for name, areas in line.areas(champion).items()}
    for week in range(1, weeks):
        scores = line.run(week)
        if week >= first:
            found = quality.judge(line.labels, line.patients, champion, scores, earlier, WEEKS)
            yield week, found
            best = max(found.values(), key=lambda own: own.challenger)
            if best.better and not any(own.worse for own in found.values()):
                champion = scores
        for name, areas in line.areas(scores).items():
            earlier[name].append(areas)
