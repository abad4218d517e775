"""McNemar's exact test: is one of two models right more often than the other?"""

import numpy as np


def exact_p_value(right_a: np.ndarray, right_b: np.ndarray, patients: np.ndarray) -> float:
    """Two-sided p-value of "both models are right equally often on the same images".

    Under the null hypothesis the answers of the two models are exchangeable on each patient. So each patient's
    difference in correct answers is equally likely positive or negative, and the distribution of the sum over patients
    is computed exactly, by convolution. With one image per patient this is McNemar's exact test (McNemar 1947,
    doi:10.1007/BF02295996); with several, the signs of all images of a patient are flipped together, so images that
    resemble each other are not counted as independent (a randomisation test, Fisher 1935).

    Args:
        right_a: (N,) bool, whether model a is right on each image.
        right_b: (N,) bool, likewise of b.
        patients: (N,), patient of each image.
    """
    patient = np.unique(patients, return_inverse=True)[1]
    by_patient = np.bincount(patient, weights=right_a.astype(float) - right_b.astype(float)).round().astype(int)
    steps = np.abs(by_patient[by_patient != 0])
    reach = int(steps.sum())
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for step in steps:
        # No sum exceeds `reach`, so only zeros are rolled around the ends.
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chances[sums >= abs(by_patient.sum())].sum()))
