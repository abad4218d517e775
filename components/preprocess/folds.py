"""Divides patients into folds with the classes in proportion."""

import numpy as np


def divide(labels: np.ndarray, patients: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Divides images into folds by patient, with the classes in proportion.

    Patients are assigned one after another, those with the most uneven class counts first and otherwise in random
    order, each to the fold that leaves the classes spread most evenly over the folds. The folds equal those of
    scikit-learn's StratifiedGroupKFold (shuffled), which takes ten times as long, and nearly a second to import.

    Args:
        labels: (N,), the class of each image.
        patients: (N,), the patient of each image.
        count: number of folds.
        seed: of the random order of patients.

    Returns:
        Ascending positions of the images of each fold.
    """
    _, label_of, images_of_label = np.unique(labels, return_inverse=True, return_counts=True)
    names, patient_of = np.unique(patients, return_inverse=True)
    counts = np.zeros((len(names), len(images_of_label)))
    np.add.at(counts, (patient_of, label_of), 1)
    order = np.arange(len(names))
    np.random.RandomState(seed).shuffle(order)
    order = order[np.argsort(-counts[order].std(axis=1), kind="stable")]
    folds = np.zeros((count, len(images_of_label)))
    fold_of = np.empty(len(names), int)
    each = np.eye(count)[:, :, None]
    for patient in order:
        # (choice, fold, class): the folds as they would be with the patient in each of them.
        shares = (folds + each * counts[patient]) / images_of_label
        unevenness = shares.std(axis=1).mean(axis=1)
        chosen = _least(unevenness.tolist(), folds.sum(axis=1).tolist())
        folds[chosen] += counts[patient]
        fold_of[patient] = chosen
    return [np.flatnonzero(fold_of[patient_of] == fold) for fold in range(count)]


def _least(unevenness: list[float], images: list[float]) -> int:
    """The fold with the least unevenness; of nearly equal ones the fold with the fewest images."""
    best = 0
    for fold in range(1, len(images)):
        gain = unevenness[best] - unevenness[fold]
        nearly = abs(gain) <= 1e-8 + 1e-5 * unevenness[best]
        if gain > 0 or (nearly and images[fold] < images[best]):
            best = fold
    return best
