"""The head on frozen features: logistic regression with an L2 penalty, solved to the end.

The head of a frozen backbone is linear, so that its training is a convex problem with one solution. It is found in a
fraction of the time that epochs of gradient descent take, and leaves nothing to a learning rate. Two things are chosen
on validation: the strength of the penalty, and the depths of the backbone whose features the head sees. Features of a
middle depth often suit radiographs better than those of the last layers, which are specific to the photographs that the
backbone was trained on (Raghu et al. 2019, arXiv:1902.07208; Yosinski et al. 2014, arXiv:1411.1792).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize, special
from sklearn.metrics import log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from components.console import UserError
from components.train.selection import Candidate, EpochChoice

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths of the penalty, as `C` of scikit-learn: the variance of the prior of each weight."""

_ROWS = 4096
"""Rows of a block when products of all features are summed; the sum is in float64."""

_ITERATIONS, _TOLERANCE = 300, 1e-5
"""Of a solution: most iterations, and largest gradient in its coordinates, per square root of the number of rows."""


@dataclass(frozen=True)
class Problem:
    """Logistic regression on scaled features: the weighted training examples.

    Attributes:
        features: float32 (R, D), every view of an example is a row.
        labels: float64 (R,), 0 or 1.
        weights: float64 (R,), weights of the rows in the loss; their sum is the number of examples.
        gram: float64 (D + 1, D + 1), weighted products of features, the constant feature 1 last.
    """

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    gram: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> "Problem":
        """Computes the products.

        Args:
            features: float32 (R, D).
            labels: (R,), 0 or 1.
            weights: (R,).
        """
        width, roots = features.shape[1], np.sqrt(weights, dtype=np.float32)[:, None]
        gram = np.zeros((width + 1, width + 1))
        for start in range(0, len(features), _ROWS):
            weighted = features[start : start + _ROWS] * roots[start : start + _ROWS]
            gram[:width, :width] += weighted.T @ weighted
        gram[width, :width] = gram[:width, width] = weights.astype(np.float32) @ features
        gram[width, width] = weights.sum()
        return cls(features, labels.astype(np.float64), weights.astype(np.float64), gram)

    def solve(self, columns: slice, strength: float, start: np.ndarray) -> np.ndarray:
        """The weights of some features that minimise loss and penalty.

        L-BFGS in coordinates in which the upper bound of the Hessian (Böhning 1992, doi:10.1007/BF00048682) is the
        identity, so that a few dozen iterations suffice however correlated the features are.

        Args:
            columns: of the features.
            strength: inverse strength of the penalty; the bias has none.
            start: float64 (columns + 1,), where to start, the bias last.

        Returns:
            float64 (columns + 1,), the bias last.
        """
        features = self.features[:, columns]
        penalty = np.append(np.full(features.shape[1], 1 / strength), 0.0)
        chosen = np.append(np.arange(self.features.shape[1])[columns], -1)
        bound = self.gram[np.ix_(chosen, chosen)] / 4
        # The factor only changes coordinates. The last term keeps rounding errors from making the matrix indefinite.
        factor = linalg.cholesky(bound + np.diag(penalty + 1e-6 * (1 + bound.diagonal().max())), lower=True)

        def unscaled(point: np.ndarray) -> np.ndarray:
            return linalg.solve_triangular(factor, point, trans=1, lower=True, check_finite=False)

        def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
            head = unscaled(point)
            logits = features @ head[:-1].astype(np.float32) + head[-1]
            loss = self.weights @ (np.logaddexp(0, logits) - self.labels * logits)
            errors = self.weights * (special.expit(logits) - self.labels)
            gradient = np.append(errors.astype(np.float32) @ features, errors.sum()) + penalty * head
            scaled = linalg.solve_triangular(factor, gradient, lower=True, check_finite=False)
            return loss + head @ (penalty * head) / 2, scaled

        limit = _TOLERANCE * len(self.labels) ** 0.5
        options = {"maxiter": _ITERATIONS, "gtol": limit, "ftol": 1e-10}
        found = optimize.minimize(objective, factor.T @ start, jac=True, method="L-BFGS-B", options=options)
        return unscaled(found.x)


@dataclass(frozen=True)
class Fit:
    """One solution and its scores.

    Attributes:
        depths: names of the depths whose features the head sees.
        strength: inverse strength of the penalty.
        train_loss: weighted binary cross-entropy of the training examples (nats).
        validation_loss: the same for validation.
        validation_auc: ROC AUC.
    """

    depths: tuple[str, ...]
    strength: float
    train_loss: float
    validation_loss: float
    validation_auc: float


@dataclass(frozen=True)
class Head:
    """The chosen head.

    Attributes:
        best_epoch: number of its fit, counted from 1; fits take the place of epochs.
        highest_auc_epoch: number of the fit with the highest ROC AUC on validation.
        fit: how it was found.
        kernel: float32 (D,), one weight for each scaled feature, 0 for those of other depths.
        bias: of the logit.
    """

    best_epoch: int
    highest_auc_epoch: int
    fit: Fit
    kernel: np.ndarray
    bias: float


def fit_head(
    widths: Mapping[str, int],
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    report: Callable[[Fit], None],
) -> Head:
    """Solves for every strength and several depths, and chooses on validation as `selection.EpochChoice` does.

    The depths that are tried are the last one and the one before it. To the better of them, by ROC AUC, those before it
    are added as long as that makes it better still.

    Args:
        widths: number of features of each depth, from the input to the output.
        train: scaled features float32 (R, D), labels (R,), weights (R,), all views of the training examples.
        validation: scaled features float32 (M, D), labels (M,), weights (M,), patients (M,).
        report: called after each fit.

    Raises:
        UserError: features are not finite.
    """
    if not all(np.isfinite(part[0]).all() for part in (train, validation)):
        raise UserError("the features of the backbone are not finite: check --weights")
    # More threads hardly help, and waste much time where others use the processors too.
    with threadpool_limits(1, user_api="blas"):
        paths = _Paths(widths, train, validation, report)
        last = len(widths) - 1
        quality, best = max((paths.fit(start, start + 1), start) for start in range(max(0, last - 1), last + 1))
        for start in range(best - 1, -1, -1):
            wider = paths.fit(start, best + 1)
            if wider <= quality:
                break
            quality = wider
    return paths.head()


class _State(NamedTuple):
    fit: Fit
    columns: slice
    solution: np.ndarray


class _Paths:
    """Solutions for the strengths of the penalty, from the strongest to the weakest, of one choice of depths or more.

    Args: as for `fit_head`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        train: tuple[np.ndarray, np.ndarray, np.ndarray],
        validation: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
        report: Callable[[Fit], None],
    ):
        self._names, self._ends = list(widths), np.cumsum([0, *widths.values()]).tolist()
        self._problem, self._report = Problem.of(*train), report
        self._features, self._labels, self._weights, patients = validation
        self._choice: EpochChoice[_State] = EpochChoice(self._labels, patients)
        self._fits: list[Fit] = []

    def fit(self, start: int, end: int) -> tuple[float, float]:
        """Solves for the depths from `start` to `end` (exclusive).

        Returns:
            The highest ROC AUC on validation, and the negative loss of that solution.
        """
        problem, columns = self._problem, slice(self._ends[start], self._ends[end])
        solution, path = np.zeros(columns.stop - columns.start + 1), []
        for strength in STRENGTHS:
            solution = problem.solve(columns, strength, solution)  # each is a good start for the next
            logits = _logits(self._features[:, columns], solution)
            auc, loss = float(roc_auc_score(self._labels, logits)), _loss(self._labels, logits, self._weights)
            seen = _loss(problem.labels, _logits(problem.features[:, columns], solution), problem.weights)
            fit = Fit(tuple(self._names[start:end]), strength, seen, loss, auc)
            self._fits.append(fit)
            state = partial(_State, fit, columns, solution)
            self._choice.add(Candidate(len(self._fits), auc, loss, logits), state)
            self._report(fit)
            path.append((auc, -loss))
            if len(path) > 1 and auc < path[-2][0] and loss > -path[-2][1]:
                break  # a weaker penalty overfits more
        return max(path)

    def head(self) -> Head:
        """The chosen solution."""
        chosen = self._choice.state
        kernel = np.zeros(self._ends[-1], np.float32)
        kernel[chosen.columns] = chosen.solution[:-1]
        highest = max(
            range(len(self._fits)), key=lambda i: (self._fits[i].validation_auc, -self._fits[i].validation_loss)
        )
        return Head(self._choice.epoch, highest + 1, chosen.fit, kernel, float(chosen.solution[-1]))


def _logits(features: np.ndarray, solution: np.ndarray) -> np.ndarray:
    return (features @ solution[:-1].astype(np.float32) + np.float32(solution[-1])).astype(np.float64)


def _loss(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float:
    return float(log_loss(labels, special.expit(logits), sample_weight=weights))
