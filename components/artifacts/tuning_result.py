"""The searches for learning rate and trainable layers in `results.json`: how much a regime depends on each."""

from typing import NotRequired, TypedDict

from components.artifacts.regime_result import Change, Metric


class Sensitivity(TypedDict):
    """A regime with one value of a setting, on the validation images.

    Attributes:
        value: multiple of the learning rate, or number of trainable layers.
        roc_auc: mean over the seeds that did not diverge; None if all did.
        seeds: how many tried it.
        diverged: how many of them diverged.
        kept: how many of them kept it.
    """

    value: float
    roc_auc: Metric | None
    seeds: int
    diverged: int
    kept: int


class Penalty(TypedDict):
    """Transfer learning with one strength of the penalty, on the validation images.

    Attributes:
        value: inverse strength (C).
        roc_auc: mean over seeds, each with the depths that it kept; without an interval.
        seeds: how many tried it with those depths.
        kept: how many of them kept it.
    """

    value: float
    roc_auc: float
    seeds: int
    kept: int


class KeptCandidate(TypedDict):
    """The candidate that a seed kept; settings that do not apply are missing.

    Attributes:
        multiple, learning_rate: of the learning rate, and the parameter with it.
        trainable_layers: of the backbone.
        strength, depths: of a head that is solved.
        candidates: how many were tried.
        validation_auc: ROC AUC of its best epoch.
    """

    multiple: NotRequired[float]
    learning_rate: NotRequired[float]
    trainable_layers: NotRequired[int]
    strength: NotRequired[float]
    depths: NotRequired[list[str]]
    candidates: int
    validation_auc: float | None


class RegimeTuning(TypedDict):
    """The searches of one regime, a search for each seed.

    Attributes:
        kept: {seed: the candidate that was kept}.
        roc_auc: of the kept models on validation.
        learning_rate: by multiple, each seed with the number of layers that it kept; missing if not searched.
        trainable_layers: by number, each seed with the learning rate that it kept; missing if not searched.
        strength: by strength of the penalty, of a head that is solved and has no learning rate.
    """

    kept: dict[str, KeptCandidate]
    roc_auc: Metric
    learning_rate: NotRequired[list[Sensitivity]]
    trainable_layers: NotRequired[list[Sensitivity]]
    strength: NotRequired[list[Penalty]]


class Reversal(TypedDict):
    """Two regimes whose order on validation is not the same with every multiple of the learning rate.

    Attributes:
        a, b: the regimes.
        multiples: with which a is furthest ahead of b, and furthest behind.
        differences: of ROC AUC, a minus b, with these two multiples.
        shown: whether both intervals exclude 0 once corrected for the number of pairs and multiples (Bonferroni).
    """

    a: str
    b: str
    multiples: list[float]
    differences: list[Change]
    shown: bool


class TuningResult(TypedDict):
    """The searches of all regimes, on the validation images, which chose the epoch of every candidate: too optimistic.

    Attributes:
        images, patients: counts of the validation images.
        regimes: by name; those without a search are missing.
        orders: {multiple of the learning rate: regimes, the highest mean ROC AUC first}, for the multiples that all of
            them tried and with which none diverged. A head without a learning rate is the same with each.
        reversals: pairs whose order changes between multiples.
    """

    images: int
    patients: int
    regimes: dict[str, RegimeTuning]
    orders: dict[str, list[str]]
    reversals: list[Reversal]
