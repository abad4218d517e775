"""Simulated years of weekly runs for `benchmarks.gate`: the models' scores on one test set, judged by the gate."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.simulated import HARD, OWN, PATIENT, PNEUMONIA, REGIME_PATIENT, separation
from components.artifacts.names import REGIMES
from components.gate import quality
from components.gate.quality import Quality

WEEKS, PLANTED = 52, 30
"""Runs a year, and the run with which a planted change begins."""

UPGRADED = 10
"""The run with which an upgrade comes."""

BAD = 1.0
"""How much smaller the distance between the classes is in a training that turned out bad."""


@dataclass(frozen=True)
class Plan:
    """A recipe and a test set that stay the same all year.

    Attributes:
        name: for tables.
        auc: expected ROC AUC of every regime for a training without spread.
        images: of the test set on average, about two a patient.
        seeds: trainings of a regime in a run.
        spread: standard deviation between trainings of the distance between the classes, as in `simulated.Scenario`.
        bad: share of the trainings that turn out bad.
        upgrade: from run `UPGRADED` on every regime finds other patients hard than before, but no more of them.
        loss: of expected ROC AUC, of the first regime from run `PLANTED` on.
    """

    name: str
    auc: float = 0.97
    images: int = 600
    seeds: int = 3
    spread: float = 0.1
    bad: float = 0.0
    upgrade: bool = False
    loss: float = 0.0


class Line:
    """The test set of a year, and its runs.

    On the logit scale a score is the distance between the classes, which varies between trainings, plus noise of the
    patient and of the image, which all models of all runs share, of the regime on the patient, which its trainings
    share, and of this training on the image.
    """

    def __init__(self, plan: Plan, random: np.random.Generator) -> None:
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
        """The scores (seeds, N) of each regime."""
        plan, random = self._plan, self._random
        if plan.upgrade and week == UPGRADED:
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
        """The ROC AUCs by seed of each regime, by Mann and Whitney; no two scores are equal."""
        stacked = np.concatenate(list(scores.values()))
        ranks = np.empty(stacked.shape)
        np.put_along_axis(ranks, stacked.argsort(axis=1), np.arange(1.0, stacked.shape[1] + 1)[None], axis=1)
        positive = self.labels == 1
        m, n = positive.sum(), (~positive).sum()
        found = (ranks[:, positive].sum(axis=1) - m * (m + 1) / 2) / (m * n)
        return dict(zip(scores, found.reshape(len(scores), -1).tolist(), strict=True))


def year(plan: Plan, seed: int, first: int = 1, weeks: int = WEEKS) -> Iterator[dict[str, Quality]]:
    """What the gate finds in each of the runs `first` to `weeks` - 1.

    The first run is the champion, until a judged one is shown better in its best regime and worse in none.
    """
    line = Line(plan, np.random.default_rng(seed))
    champion = line.run(0)
    earlier = {name: [areas] for name, areas in line.areas(champion).items()}
    for week in range(1, weeks):
        scores, worse, promoted = line.run(week), set[str](), False
        if week >= first:
            found = quality.judge(line.labels, line.patients, champion, scores, earlier, WEEKS)
            yield found
            best = max(found.values(), key=lambda own: own.challenger)
            worse = {name for name, own in found.items() if own.worse}
            promoted = best.better and not worse
            champion = scores if promoted else champion
        for name, areas in line.areas(scores).items():
            if name not in worse:
                earlier[name].insert(0 if promoted else len(earlier[name]), areas)


def without_change(plan: Plan, years: int, seed: int) -> dict[str, list[float]]:
    """Of each year: whether any regime was called worse, the champion replaced; and the deviation between trainings."""
    outcomes: dict[str, list[float]] = {"alarm": [], "another champion": [], "deviation": []}
    for number in range(years):
        found = [own for week in year(plan, seed + number) for own in week.values()]
        outcomes["alarm"].append(float(any(own.worse for own in found)))
        outcomes["another champion"].append(float(any(own.better for own in found)))
        outcomes["deviation"].append(found[-1].seed_deviation)
    return outcomes


def with_loss(plan: Plan, years: int, seed: int) -> dict[str, list[float]]:
    """Of each year: whether the planted loss rang within one and five runs, and non-inferiority was denied."""
    outcomes: dict[str, list[float]] = {"within 1": [], "within 5": [], "not non-inferior": []}
    for number in range(years):
        found = [week[REGIMES[0]] for week in year(plan, seed + number, PLANTED, PLANTED + 5)]
        outcomes["within 1"].append(float(found[0].worse))
        outcomes["within 5"].append(float(any(own.worse for own in found)))
        outcomes["not non-inferior"].append(float(not found[0].noninferior))
    return outcomes
