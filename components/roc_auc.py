"""ROC AUC of several models on the same images, and the covariance of the areas between samples of patients."""

import numpy as np
from scipy.stats import rankdata


def covariance_of_areas(labels: np.ndarray, patients: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas under the ROC curve and their covariance matrix, for several images per patient.

    DeLong, DeLong and Clarke-Pearson 1988 (doi:10.2307/2531595) in the clustered form of Obuchowski 1997
    (doi:10.2307/2533958), which allows a patient to have images of both classes; with one image per patient it
    is DeLong's own. The placements come from ranks, as in Sun and Xu 2014 (doi:10.1109/LSP.2014.2337313), so that the
    work grows with N log N and not with the number of pairs.

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both present.
        patients: (N,), patient of each image.
        scores: float64 (K, N), of K models.

    Returns:
        Areas (K,) and covariances (K, K). The variation within a class cannot be estimated from a single patient; it
        then counts as zero.
    """
    positive = labels == 1
    of_positives, of_negatives = _placements(scores[:, positive], scores[:, ~positive])
    areas = of_positives.mean(axis=1)
    names, patient = np.unique(patients, return_inverse=True)
    count = len(names)
    sums_p = _sums_by_patient(of_positives - areas[:, None], patient[positive], count)
    sums_n = _sums_by_patient(of_negatives - areas[:, None], patient[~positive], count)
    m, n = positive.sum(), (~positive).sum()
    with_p, with_n = len(np.unique(patient[positive])), len(np.unique(patient[~positive]))
    cross = sums_p @ sums_n.T
    covariance = (
        _correction(with_p) * (sums_p @ sums_p.T) / m**2
        + _correction(with_n) * (sums_n @ sums_n.T) / n**2
        + _correction(count) * (cross + cross.T) / (m * n)
    )
    return areas, covariance


def _placements(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive (K, m) the share of negatives below it, for each negative (K, n) that of positives above it."""
    m, n = positives.shape[1], negatives.shape[1]
    together = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    of_positives = (together[:, :m] - rankdata(positives, axis=1)) / n
    of_negatives = 1 - (together[:, m:] - rankdata(negatives, axis=1)) / m
    return of_positives, of_negatives


def _sums_by_patient(values: np.ndarray, patient: np.ndarray, count: int) -> np.ndarray:
    """Sums (K, count) of values (K, n) over the images of each patient."""
    return np.stack([np.bincount(patient, weights=row, minlength=count) for row in values])


def _correction(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else 0.0
