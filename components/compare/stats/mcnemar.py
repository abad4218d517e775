"""Which of two models is right more often: an exact test on the patients whom they judge differently."""

import numpy as np


def exact_p_value(right_a: np.ndarray, right_b: np.ndarray, patients: np.ndarray) -> float:
    """Two-sided p-value of "both models are right equally often on the same images".

    Where no difference exists, the two models may swap their answers on any patient. So the sign of each patient's
    difference in right answers is equally likely plus or minus, and the sum over patients has a distribution that is
    computed exactly, by convolution. With one image a patient this is McNemar's exact test (McNemar 1947,
    doi:10.1007/BF02295996); with several, all images of a patient change sides together, so that images that
    resemble each other are not counted as independent (a randomisation test, Fisher 1935).

    Args:
        right_a: (N,) bool, whether model a is right on each image.
        right_b: (N,) bool, likewise of b.
        patients: (N,), whom each image shows.
    """
    patient = np.unique(patients, return_inverse=True)[1]
    by_patient = np.bincount(patient, weights=right_a.astype(float) - right_b.astype(float)).round().astype(int)
    steps = np.abs(by_patient[by_patient != 0])
    reach = int(steps.sum())
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for step in steps:
        # No sum can pass `reach`, so what is rolled around the ends is zero.
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chances[sums >= abs(by_patient.sum())].sum()))
