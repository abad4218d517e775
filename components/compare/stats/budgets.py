"""ROC AUC by number of labelled patients: means over draws, what they share, and samples from their distribution.

The model is that of `uncertainty`, for several conditions (a regime and a number of labelled patients) at once.
Training d under condition j scores `m_j + P_j + A_jd + E_jd`: P is the effect of the choice of test patients on all
trainings under the condition, A that of the draw of labelled patients and of the seed, E their interaction. Draw d has
the same patients and the same seed under every condition with a budget, so A is shared too. The means over D draws have
the covariances

    Cov(P_j, P_k) + Cov(A_j + E_j, A_k + E_k) / D.

The first part is DeLong's covariance between trainings of different draws, which share test patients only. The second
part comes from the spread between draws, in which E counts once. Draws stay whole, so a difference of two conditions
has the variance of its paired differences. With all patients nothing is drawn: those trainings differ in the seed only,
and seeds of different regimes are not paired.

A few draws tell little about their spread. A bootstrap that draws them with replacement would take the spread that it
sees for the true one (and give (D - 1) / D of it). So this one is parametric: samples of the means come from a t
distribution for the patients, which is nearly normal, plus a multivariate t distribution with D - 1 degrees of freedom
for the draws, so that each difference of two means gets the t distribution of a paired t test. The samples are made on
the logit scale, on which intervals of ROC AUC are computed too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from components import roc_auc
from components.compare.stats import evidence, resampling
from components.compare.stats.uncertainty import Estimate

SAMPLES = 20_000
"""Of the means; so many for the outer quantiles of intervals that hold together."""

CURVE_SAMPLES = 4000
"""Of them, to which curves are fitted; the ends of a 95% interval vary by about 2% of its width between others."""

SEED = resampling.BOOTSTRAP_SEED
"""Fixed, so that the same predictions always give the same intervals."""


@dataclass(frozen=True)
class Condition:
    """The trainings of a regime with one number of labelled patients.

    Attributes:
        regime: its name.
        patients: number of labelled patients.
        rows: positions of its trainings among all; with a budget in the order of the draws.
        whole: whether these are all patients, so that trainings differ in the seed alone.
    """

    regime: str
    patients: int
    rows: tuple[int, ...]
    whole: bool = False


@dataclass(frozen=True)
class Trainings:
    """The test scores of all trainings.

    Attributes:
        labels: int (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        scores: float64 (K, N), probability of pneumonia.
        thresholds: float64 (K,), scores at or above it mean pneumonia; chosen on the validation images of the training.
        conditions: which trainings belong together. All with a budget have the same number of draws.
    """

    labels: np.ndarray
    patients: np.ndarray
    scores: np.ndarray
    thresholds: np.ndarray
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Means:
    """The mean ROC AUC under each of J conditions, and what is known of its variation.

    Attributes:
        conditions: J.
        values: float64 (J,).
        of_patients: float64 (J, J), covariance when the test patients are drawn anew.
        freedom: degrees of freedom of it.
        spreads: deviations of the trainings from the means, one array (D, J) for each group of draws that are
            independent of the others': the budgets', and of each regime the seeds with all patients. Empty where
            there is one draw only, so that nothing is known about the variation between them.
    """

    conditions: tuple[Condition, ...]
    values: np.ndarray
    of_patients: np.ndarray
    freedom: int
    spreads: tuple[np.ndarray, ...]

    @property
    def variances(self) -> np.ndarray:
        """Variance (J,) of each mean between other test patients and other draws."""
        found = np.diag(self.of_patients).copy()
        for spread in self.spreads:
            found += (spread**2).sum(axis=0) / (len(spread) * (len(spread) - 1))
        return found


def areas(trainings: Trainings) -> Estimate:
    """The ROC AUC of every training, with DeLong's covariance."""
    values, covariance = roc_auc.covariance_of_areas(trainings.labels, trainings.patients, trainings.scores)
    return Estimate(values, covariance, evidence.degrees_of_freedom(trainings.labels, trainings.patients))


def accuracies(trainings: Trainings) -> Estimate:
    """The accuracy of every training at its threshold, with the covariance between samples of patients.

    Accuracy is the ratio of two sums over patients, whose variance is that of the linearised ratio (Cochran 1977,
    section 6.3), to which the bootstrap over patients converges.
    """
    right = (trainings.scores >= trainings.thresholds[:, None]) == (trainings.labels == 1)
    values = right.mean(axis=1)
    names, patient = np.unique(trainings.patients, return_inverse=True)
    deviations = np.stack([np.bincount(patient, own, len(names)) for own in right - values[:, None]])
    correction = len(names) / max(1, len(names) - 1) / len(trainings.labels) ** 2
    freedom = evidence.degrees_of_freedom(trainings.labels, trainings.patients)
    return Estimate(values, correction * deviations @ deviations.T, freedom)


def means(trainings: Trainings, estimate: Estimate) -> Means:
    """The means over draws, with both parts of their covariance.

    Args:
        trainings: of all conditions.
        estimate: from `areas`.
    """
    conditions = trainings.conditions
    values = np.array([estimate.values[list(own.rows)].mean() for own in conditions])
    drawn = [place for place, own in enumerate(conditions) if not own.whole]
    groups = [drawn] * bool(drawn) + [[place] for place, own in enumerate(conditions) if own.whole]
    spreads = []
    for group in groups:
        count = len(conditions[group[0]].rows)
        if count > 1:
            spread = np.zeros((count, len(conditions)))
            for place in group:
                spread[:, place] = estimate.values[list(conditions[place].rows)] - values[place]
            spreads.append(spread)
    return Means(conditions, values, _shared(conditions, estimate), estimate.degrees_of_freedom, tuple(spreads))


def _shared(conditions: Sequence[Condition], estimate: Estimate) -> np.ndarray:
    """Covariance (J, J) of what trainings of different draws share: the test patients."""
    found = np.empty((len(conditions), len(conditions)))
    for j, a in enumerate(conditions):
        for k, b in enumerate(conditions):
            block = estimate.covariance[np.ix_(a.rows, b.rows)]
            same_draws = len(a.rows) > 1 and a.whole == b.whole and (not a.whole or j == k)
            if same_draws:
                block = block[~np.eye(len(block), dtype=bool)]
            found[j, k] = block.mean()
    # An estimate without the interaction need not be a covariance matrix; the nearest one is.
    sizes, directions = np.linalg.eigh((found + found.T) / 2)
    return (directions * np.maximum(sizes, 0)) @ directions.T


def deviations(found: Means, samples: int) -> np.ndarray:
    """Deviations (B, J) of the means from what they estimate, before the logit scale."""
    random = np.random.default_rng(SEED)
    sizes, directions = np.linalg.eigh(found.of_patients)
    root = directions * np.sqrt(np.maximum(sizes, 0))
    made = random.normal(size=(samples, len(sizes))) @ root.T * _doubt(random, found.freedom, samples)
    for spread in found.spreads:
        draws = len(spread)
        of_draws = random.normal(size=(samples, draws)) @ spread / np.sqrt(draws * (draws - 1))
        made += of_draws * _doubt(random, draws - 1, samples)
    return made


def _doubt(random: np.random.Generator, freedom: int, samples: int) -> np.ndarray:
    """Factors (B, 1) that turn normal deviations into those of a t distribution."""
    return np.sqrt(freedom / random.chisquare(freedom, size=(samples, 1)))


def shifted(values: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The values (J,) moved by deviations (B, J), on the logit scale, so that they stay between 0 and 1.

    A value of exactly 0 or 1 stays where it is.
    """
    inside = (values > 0) & (values < 1)
    centre = np.where(inside, values, 0.5)
    found = special.expit(special.logit(centre) + moved / (centre * (1 - centre)))
    return np.where(inside, found, values)
