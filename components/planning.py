"""Statistical power: what a test set of a given size can show about differences in ROC AUC.

Everything here follows from standard errors and the normal approximation, before or after a training; no image and no
score is read.
"""

import math

import numpy as np
from scipy.stats import norm

from components.artifacts.dataset_summary import AssumedAuc, Planning
from components.artifacts.names import REGIMES

ASSUMED_AUCS = (0.9, 0.95, 0.98)
"""ROC AUCs for which the power is stated, since the true one is unknown before training; messages use the middle."""

INTRA_PATIENT_CORRELATION = 0.5
"""Assumed correlation between the scores of two images of the same class and patient; 0.5 is in the middle."""

MODEL_CORRELATION = (0.3, 0.7)
"""Assumed range of the correlation between the ROC AUCs of two regimes on the same images.

It depends on the regimes and is unknown before training. Between nine custom CNNs and two fully fine-tuned
MobileNetV2-0.5 it was 0.50 to 0.74 on 160 validation images; between seeds of one regime, which are not compared, about
0.9. Where it is higher than assumed, smaller differences can be shown.
"""

LEVEL, POWER = 0.05, 0.8

PAIRS = math.comb(len(REGIMES), 2)
"""Pairs of regimes, for whose number the p-values are corrected (Holm)."""

FEW_PATIENTS = 50
"""With fewer validation patients in a class the threshold is uncertain: with 50 the standard error of a sensitivity or
specificity of 0.9 is 0.04."""


def plan(labels: np.ndarray, patients: np.ndarray) -> Planning:
    """What a test set can show about two models, before anything is trained.

    Only the variation between test patients counts. The variation between trainings comes on top of it.

    Args:
        labels: int (N,), 0 normal, 1 pneumonia; both present. Of the test images.
        patients: (N,), patient of each test image.
    """
    effective = [effective_images(patients[labels == label], INTRA_PATIENT_CORRELATION) for label in (0, 1)]
    return {
        "level": LEVEL,
        "power": POWER,
        "pairs": PAIRS,
        "intra_patient_correlation": INTRA_PATIENT_CORRELATION,
        "model_correlation": list(MODEL_CORRELATION),
        "assumed": [_assumed(auc, *effective) for auc in ASSUMED_AUCS],
    }


def sentences(planning: Planning, images: int, patients: int) -> list[str]:
    """What the test set can show, and what the validation split is too small for.

    Args:
        planning: result of `plan`.
        images: number of test images.
        patients: number of test patients.
    """
    assumed = planning["assumed"][len(planning["assumed"]) // 2]
    low, high = assumed["detectable"]
    least, most = planning["model_correlation"]
    found = [
        f"With {images:,} test images of {patients:,} patients, a difference in ROC AUC of about {low:.3f} to "
        f"{high:.3f} can be shown with {planning['power']:.0%} power, assuming two models with a ROC AUC near "
        f"{assumed['roc_auc']:g} and a correlation of {most:g} to {least:g} between the two values."
    ]
    few = {name: count for name, count in planning.get("validation_patients", {}).items() if count < FEW_PATIENTS}
    if few:
        counts = " and ".join(f"{count} {name}" for name, count in few.items())
        rates = {"normal": "specificity", "pneumonia": "sensitivity"}
        errors = " and ".join(
            f"a {rates[name]} of 0.9 has a standard error of {math.sqrt(0.9 * 0.1 / count):.2f}"
            for name, count in few.items()
        )
        found.append(
            f"Few validation patients ({counts}): the threshold chosen on them is uncertain, since there {errors}."
        )
    return found


def patients_by_class(labels: np.ndarray, patients: np.ndarray) -> dict[str, int]:
    """Number of patients with images of each class.

    Args:
        labels: int (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
    """
    return {name: len(np.unique(patients[labels == label])) for label, name in enumerate(("normal", "pneumonia"))}


def _assumed(auc: float, negatives: float, positives: float) -> AssumedAuc:
    error = standard_error(auc, positives, negatives)
    # The higher the correlation, the smaller the difference that can be shown.
    errors = [error_of_difference(error, correlation) for correlation in reversed(MODEL_CORRELATION)]
    return {
        "roc_auc": auc,
        "standard_error": error,
        "detectable": [detectable_difference(each, LEVEL) for each in errors],
        "detectable_holm": [detectable_difference(each, LEVEL / PAIRS) for each in errors],
    }


def standard_error(auc: float, positives: float, negatives: float) -> float:
    """Standard error of a ROC AUC by Hanley and McNeil 1982 (doi:10.1148/radiology.143.1.7063747).

    It follows from the ROC AUC alone, for scores with exponential distributions; for other distributions it is an
    approximation.

    Args:
        auc: assumed ROC AUC.
        positives: number of independent images with pneumonia, see `effective_images`.
        negatives: number of independent normal images.
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(variance / (positives * negatives)))


def effective_images(patients: np.ndarray, correlation: float) -> float:
    """How many independent images the images of one class are worth.

    N images of equally correlated groups are worth N / (1 + (m - 1) `correlation`), where m is the mean size of an
    image's group (Kish 1965, Survey Sampling; the denominator is the design effect).

    Args:
        patients: (N,), patient of each image.
        correlation: between images of the same patient.
    """
    _, sizes = np.unique(patients, return_counts=True)
    size = float((sizes**2).sum() / sizes.sum())
    return float(len(patients) / (1 + (size - 1) * correlation))


def error_of_difference(standard_error: float, correlation: float) -> float:
    """Standard error of the difference between two ROC AUCs on the same images.

    Hanley and McNeil 1983 (doi:10.1148/radiology.148.3.6878708).

    Args:
        standard_error: of each of the two ROC AUCs.
        correlation: between them, over samples of patients.
    """
    return float(standard_error * np.sqrt(2 * (1 - correlation)))


def detectable_difference(standard_error: float, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test finds significant with the given power.

    Args:
        standard_error: of the observed difference.
        level: two-sided error rate of the test; with several pairs, that divided by their number is the level that
            the smallest of the p-values has to reach in Holm's procedure.
        power: the probability of a significant difference.
    """
    _check_rates(level=level, power=power)
    return float((norm.isf(level / 2) + norm.ppf(power)) * standard_error)


def _check_rates(**rates: float) -> None:
    for name, value in rates.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}, but must lie between 0 and 1")
