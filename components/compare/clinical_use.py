"""What the test results would mean at a given prevalence: the part `clinical_use` of `results.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.artifacts.clinical_use import (
    CalibrationCurve,
    ClinicalUse,
    NetBenefit,
    Outcomes,
    RegimeInUse,
    RiskHistogram,
)
from components.artifacts.evaluation import calibrated
from components.artifacts.names import FLOOR
from components.artifacts.regime_result import Metric
from components.compare.inputs import Inputs, Model
from components.compare.stats import calibration_curve, clinical, evidence, resampling
from components.compare.stats.clinical import RATES, Rates
from components.compare.stats.uncertainty import Estimate
from components.console import UserError

HIGHEST_THRESHOLD = 0.5
"""Of the decision curves: a missed pneumonia is at least as bad as a false alarm, unless the harm ratio is below 1."""

RISK_BINS = 20


@dataclass(frozen=True)
class Population:
    """Where a model would be used.

    Attributes:
        prevalence: share of pneumonia, between 0 and 1.
        harm_ratio: how many times as bad as a false alarm a missed pneumonia is; 0 for unknown.
    """

    prevalence: float
    harm_ratio: float = 0.0

    @property
    def threshold_probability(self) -> float | None:
        """The risk from which on the harms justify treatment; None for unknown."""
        return 1 / (1 + self.harm_ratio) if self.harm_ratio else None


def build(
    inputs: Inputs, population: Population, estimates: Mapping[str, Estimate], rows: Mapping[str, Sequence[int]]
) -> ClinicalUse:
    """Computes predictive values, net benefit and decision curves of every regime and of the baseline.

    Args:
        inputs: checked evaluations and dataset summary.
        population: where the models would be used.
        estimates: of all models on test, from `evidence.gather`.
        rows: positions of the models of each regime in the estimates.

    Raises:
        UserError: the validation split does not have both classes.
    """
    prevalence, wanted = population.prevalence, population.threshold_probability
    fitted_at = _calibration_prevalence(inputs)
    cuts = _threshold_probabilities(wanted)
    risks = {
        name: [clinical.reweighted(model.calibrated_scores, fitted_at, prevalence) for model in own]
        for name, own in inputs.groups.items()
    }
    curves = _estimates_at(inputs, [risk for own in risks.values() for risk in own], cuts)
    described = {}
    for name, own in inputs.groups.items():
        at_threshold = clinical.rates(estimates, rows[name])
        by_risk = [clinical.rates(found, rows[name]) for found in curves]
        found = described[name] = _at_prevalence(inputs, own, risks[name], at_threshold, population, fitted_at)
        found["decision_curve"] = [
            clinical.net_benefit(rates, prevalence, cut) for rates, cut in zip(by_risk, cuts, strict=True)
        ]
        if wanted:
            found["at_threshold"] = _net_benefit(at_threshold, prevalence, wanted)
            found["by_risk"] = _net_benefit(by_risk[cuts.index(wanted)], prevalence, wanted)
    result: ClinicalUse = {
        "prevalence": prevalence,
        "harm_ratio": population.harm_ratio or None,
        "threshold_probability": wanted,
        "treat_all": clinical.treat_all(prevalence, wanted) if wanted else None,
        "calibration_prevalence": fitted_at,
        "threshold_probabilities": cuts,
        "treat_all_curve": [clinical.treat_all(prevalence, cut) for cut in cuts],
        "regimes": {name: described[name] for name in inputs.regimes},
    }
    if inputs.baseline:
        result["baseline"] = described[FLOOR]
    return result


def _calibration_prevalence(inputs: Inputs) -> float:
    """The share of pneumonia in the validation split, on which the calibration was fitted."""
    counts = inputs.dataset.info["splits"]["validation"]
    if not 0 < counts["pneumonia"] < counts["images"]:
        raise UserError(
            f"the validation split has {counts['pneumonia']} images of pneumonia among {counts['images']}, so its "
            "probabilities cannot be reweighted: leave the prevalence out, or prepare a dataset with both classes in it"
        )
    return counts["pneumonia"] / counts["images"]


def _threshold_probabilities(wanted: float | None) -> list[float]:
    """Those of the decision curves: every hundredth, and the one that is asked for."""
    highest = HIGHEST_THRESHOLD if not wanted or wanted <= HIGHEST_THRESHOLD else 0.99
    grid = {round(0.01 * step, 2) for step in range(1, round(100 * highest) + 1)}
    if wanted:
        # A hundredth and the same number with a rounding error would be two points.
        grid = {cut for cut in grid if abs(cut - wanted) > 1e-9} | {wanted}
    return sorted(grid)


def _estimates_at(inputs: Inputs, risks: Sequence[np.ndarray], cuts: Sequence[float]) -> list[dict[str, Estimate]]:
    """The rates of every model that decides by its risk, for each cut, with a bootstrap over patients."""
    labels, patients = inputs.labels, inputs.patients
    measures = [clinical.rates_at(labels, risk, cuts) for risk in risks]
    values = np.concatenate([measure(np.ones((1, len(labels)))) for measure in measures])
    draws = resampling.patient_weights(labels, patients, resampling.REPLICATES, resampling.BOOTSTRAP_SEED)
    samples = resampling.bootstrap(((weights,) for weights in draws), measures)
    freedom = evidence.degrees_of_freedom(labels, patients)
    columns = [
        Estimate(values[:, column], evidence.covariance(samples[:, :, column]), freedom)
        for column in range(values.shape[1])
    ]
    return [
        dict(zip(RATES, columns[start : start + len(RATES)], strict=True))
        for start in range(0, len(columns), len(RATES))
    ]


def _at_prevalence(
    inputs: Inputs,
    models: Sequence[Model],
    risks: Sequence[np.ndarray],
    rates: Rates,
    population: Population,
    fitted_at: float,
) -> RegimeInUse:
    """What needs no harm ratio, but for the decision curve."""
    prevalence = population.prevalence
    thresholds = [
        calibrated(np.array([model.threshold]), fit["temperature"], fit["offset"])
        for model in models
        for fit in [model.record["calibration"]]
    ]
    found: RegimeInUse = {
        "ppv": clinical.positive_predictive_value(rates, prevalence),
        "npv": clinical.negative_predictive_value(rates, prevalence),
        "per_thousand": _outcomes(rates, prevalence),
        "risk_at_threshold": float(clinical.reweighted(np.concatenate(thresholds), fitted_at, prevalence).mean()),
        "decision_curve": [],
        "risks": _histogram(inputs.labels, risks),
    }
    curve = calibration_curve.smoothed(
        np.tile(inputs.labels, len(models)), np.tile(inputs.patients, len(models)), np.concatenate(risks), prevalence
    )
    if curve:
        observed: list[Metric] = [
            {"value": value, "ci95": ends}
            for value, ends in zip(curve.observed.tolist(), curve.ends.tolist(), strict=True)
        ]
        calibration: CalibrationCurve = {"predicted": curve.predicted.tolist(), "observed": observed}
        found["calibration_curve"] = calibration
    return found


def _outcomes(rates: Rates, prevalence: float) -> Outcomes:
    ill, well = 1000 * prevalence, 1000 * (1 - prevalence)
    recall, specificity = rates.recall["value"], rates.specificity["value"]
    return {
        "true_positives": ill * recall,
        "false_positives": well * (1 - specificity),
        "false_negatives": ill * (1 - recall),
        "true_negatives": well * specificity,
    }


def _net_benefit(rates: Rates, prevalence: float, threshold_probability: float) -> NetBenefit:
    found = clinical.net_benefit(rates, prevalence, threshold_probability)
    alternative = max(0.0, clinical.treat_all(prevalence, threshold_probability))
    return {
        "recall": rates.recall,
        "specificity": rates.specificity,
        "net_benefit": found,
        "gain": clinical.moved(found, -alternative),
    }


def _histogram(labels: np.ndarray, risks: Sequence[np.ndarray]) -> RiskHistogram:
    pooled, truth = np.concatenate(risks), np.tile(labels, len(risks))
    edges = np.linspace(0, 1, RISK_BINS + 1)
    normal, ill = (np.histogram(pooled[truth == label], edges)[0] / (truth == label).sum() for label in (0, 1))
    return {"edges": edges.tolist(), "normal": normal.tolist(), "pneumonia": ill.tolist()}
