"""Clinical use in `results.json`: what the test results would mean at a given prevalence of pneumonia."""

from typing import NotRequired, TypedDict

from components.artifacts.regime_result import Metric


class RiskHistogram(TypedDict):
    """How the predicted risks of the test images are distributed.

    Attributes:
        edges: of the bins of the risk, from 0 to 1.
        normal, pneumonia: share of the images of each class in each bin; all seeds pooled, so that each sums to 1.
    """

    edges: list[float]
    normal: list[float]
    pneumonia: list[float]


class CalibrationCurve(TypedDict):
    """A smoothed calibration curve: observed against predicted risk, both at the given prevalence.

    Attributes:
        predicted: risks, ascending, over the range in which there are images.
        observed: share of pneumonia among images of about that risk, with pointwise intervals that include the
            variation between patients only.
    """

    predicted: list[float]
    observed: list[Metric]


class Outcomes(TypedDict):
    """Of 1,000 people, how many would be in each group; whole numbers only by chance."""

    true_positives: float
    false_positives: float
    false_negatives: float
    true_negatives: float


class NetBenefit(TypedDict):
    """A net benefit, and what it gains over the better of treating everybody and treating nobody.

    Attributes:
        recall, specificity: of the decision.
        net_benefit: per person, in units of one detected pneumonia.
        gain: over the better of the two; its interval is that of the net benefit, moved by a constant.
    """

    recall: Metric
    specificity: Metric
    net_benefit: Metric
    gain: Metric


class RegimeInUse(TypedDict):
    """One regime at the given prevalence; all values are means over its seeds.

    Attributes:
        ppv: positive predictive value at the chosen threshold; None if no image is called pneumonia.
        npv: negative predictive value; None if every image is called pneumonia.
        per_thousand: the decisions at the chosen threshold.
        risk_at_threshold: the predicted risk of an image whose score is the chosen threshold.
        at_threshold: net benefit of deciding by the chosen threshold; missing without a harm ratio.
        by_risk: net benefit of calling pneumonia where the predicted risk reaches the threshold probability; likewise.
        decision_curve: of deciding by the predicted risk, a net benefit for each of
            `ClinicalUse.threshold_probabilities`.
        risks: distribution of the predicted risks.
        calibration_curve: missing where the risks have too few different values.
    """

    ppv: Metric | None
    npv: Metric | None
    per_thousand: Outcomes
    risk_at_threshold: float
    at_threshold: NotRequired[NetBenefit]
    by_risk: NotRequired[NetBenefit]
    decision_curve: list[Metric]
    risks: RiskHistogram
    calibration_curve: NotRequired[CalibrationCurve]


class ClinicalUse(TypedDict):
    """What the test results would mean in a population with another share of pneumonia.

    Attributes:
        prevalence: share of pneumonia in the population, as given.
        harm_ratio: how many times as bad as a false alarm a missed pneumonia is; None for unknown.
        threshold_probability: 1 / (1 + harm ratio); None for unknown.
        treat_all: net benefit of calling everybody ill at that threshold probability; that of calling nobody ill is 0.
        calibration_prevalence: share of pneumonia in the validation split, from which the calibrated probabilities are
            reweighted to the prevalence.
        threshold_probabilities: of the decision curves, ascending.
        treat_all_curve: net benefit of calling everybody ill, at each of them.
        regimes: by name.
        baseline: missing without one.
    """

    prevalence: float
    harm_ratio: float | None
    threshold_probability: float | None
    treat_all: float | None
    calibration_prevalence: float
    threshold_probabilities: list[float]
    treat_all_curve: list[float]
    regimes: dict[str, RegimeInUse]
    baseline: NotRequired[RegimeInUse]
