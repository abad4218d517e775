"""What a comparison found about numbers of labelled patients: `label_budgets` of `results.json`. Written by compare."""

from typing import Any, NotRequired, TypedDict

from components.artifacts.failed_training import FailedRegime
from components.artifacts.label_budgets import Labelled
from components.artifacts.regime_result import Metric


class BudgetPoint(TypedDict):
    """A regime with one number of labelled patients.

    Attributes:
        patients: of training and validation together.
        all: whether these are all patients of the dataset; the trainings are then those of the run itself.
        trainings: how many; each with other patients, or with all of them each with another seed.
        roc_auc, accuracy: means over the trainings; accuracy at the threshold that each training chose for itself.
    """

    patients: int
    all: bool
    trainings: int
    roc_auc: Metric
    accuracy: Metric


class CurvePoint(Metric):
    """A point of a learning curve: ROC AUC at a number of labelled patients, with its pointwise 95% interval."""

    patients: float


class LearningCurve(TypedDict):
    """The curve a - b n^-c.

    Attributes:
        a, b, c: its parameters.
        p_value: of the test that the means deviate from the curve by chance.
        points: at numbers of patients from the smallest budget to all.
    """

    a: float
    b: float
    c: float
    p_value: float
    points: list[CurvePoint]


class Doubling(TypedDict):
    """What twice as many labelled patients would bring, if the curve goes on.

    Attributes:
        patients: twice as many.
        roc_auc: with them.
        gain: over the curve at the present number.
    """

    patients: int
    roc_auc: Metric
    gain: Metric


class RegimeOnBudgets(TypedDict):
    """One regime on one test set.

    Attributes:
        points: by ascending number of patients.
        curve: None where no curve fits.
        why_no_curve: the reason, None where there is one.
        doubling: None without a curve, or without a training on all patients.
    """

    points: list[BudgetPoint]
    curve: LearningCurve | None
    why_no_curve: str | None
    doubling: Doubling | None


class BudgetDifference(TypedDict):
    """The difference of two regimes with one number of labelled patients.

    Attributes:
        patients: of training and validation together.
        difference: ROC AUC of the first minus that of the second.
        ci95: with a budget so wide that those of all pairs and budgets together contain the true differences with 95%
            confidence; with all patients the interval of the comparison.
        ahead: the regime that is shown to be ahead, with all patients after correction for the number of pairs; None
            where none is.
    """

    patients: int
    difference: float
    ci95: list[float]
    ahead: str | None


class Crossing(TypedDict):
    """Two regimes that are shown to change places once.

    Attributes:
        first, second: the regime that is ahead with few patients, and the one with many.
        up_to: the largest number of patients with which the first one is shown to be ahead.
        starting_at: the smallest with which the second one is.
        patients: where they are equal.
        ci95: of it; None for an end that lies outside the numbers of patients that were tried.
        from_curves: whether it is where the fitted curves cross, not the lines between the means.
    """

    first: str
    second: str
    up_to: int
    starting_at: int
    patients: float
    ci95: list[float | None]
    from_curves: bool


class BudgetPair(TypedDict):
    """Two regimes at all numbers of patients that both were trained with.

    Attributes:
        a, b: the regimes.
        differences: by ascending number of patients.
        crossing: None where they are not shown to cross.
    """

    a: str
    b: str
    differences: list[BudgetDifference]
    crossing: Crossing | None


class OnTestSet(TypedDict):
    """The results on one test set: regimes by name, and every two of them."""

    regimes: dict[str, RegimeOnBudgets]
    pairs: list[BudgetPair]


class LabelCost(TypedDict):
    """What a number of labelled patients is.

    Attributes:
        patients: of training and validation together.
        split: how many of each; None for more patients than there are.
        price: of labelling them; None if a price was not given.
    """

    patients: int
    split: Labelled | None
    price: float | None


class BudgetTrainings(TypedDict):
    """What the trainings of a regime with budgets took, which is no part of the cost of the regime.

    Attributes:
        trainings: how many.
        diverged: how many of them diverged.
        seconds: of everything.
        shared_seconds: of what all of them share.
        peak_memory_mb: of the process (1e6 bytes).
        left_out: {budget: why there is no result with it}.
    """

    trainings: int
    diverged: int
    seconds: float
    shared_seconds: float
    peak_memory_mb: float
    left_out: dict[str, str]


class LabelBudgetResults(OnTestSet):
    """Everything about numbers of labelled patients.

    Attributes:
        patients: of training and validation together, in the whole dataset; None if there is no training with a budget.
        draws: trainings with each budget, each on other patients; 0 without any.
        samples: of the means, from which bands and intervals of differences come.
        label_price: of one patient; None if unknown.
        costs: of every number of patients, and of twice all patients at the end.
        cost_of_trainings: by regime.
        failed: {regime: why it has no trainings with budgets}; empty if none failed.
        external: on the external test set; missing without one.
    """

    patients: int | None
    draws: int
    samples: int
    label_price: float | None
    costs: list[LabelCost]
    cost_of_trainings: dict[str, BudgetTrainings]
    failed: dict[str, FailedRegime]
    external: NotRequired[OnTestSet]


def asked_for(results: LabelBudgetResults | None) -> dict[str, Any]:
    """The pipeline's parameters `label_budgets` and `draws` that gave these results; empty without such trainings.

    Budgets of more patients than the dataset has are not among them, since nothing was trained with those.
    """
    if not results:
        return {}
    numbers = [str(cost["patients"]) for cost in results["costs"] if cost["patients"] < (results["patients"] or 0)]
    return {"label_budgets": " ".join(numbers)} | ({"draws": results["draws"]} if numbers else {})
