import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from components.preprocess.folds import divide


def draw(rng: np.random.Generator, mixed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Classes and patients of some images; `mixed` patients have images of both classes."""
    images = int(rng.integers(30, 300))
    number = rng.integers(int(rng.integers(12, images)), size=images)
    sick = rng.random(images) < rng.uniform(0.2, 0.8) if mixed else number % 3 > 0
    return np.where(sick, "PNEUMONIA", "NORMAL"), np.array([f"p{i}" for i in number], object)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("count", [2, 5, 7])
def test_the_folds_are_those_of_scikit_learn(mixed, count):
    rng = np.random.default_rng(count)
    for seed in (0, 1, 77, 2**32 - 1):
        labels, patients = draw(rng, mixed)
        other = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(labels, labels, patients)
        folds = divide(labels, patients, count, seed)
        assert [fold.tolist() for fold in folds] == [fold.tolist() for _, fold in other]


def test_folds_share_no_patient_and_miss_no_image():
    labels, patients = draw(np.random.default_rng(0), mixed=True)
    folds = divide(labels, patients, 4, seed=1)
    assert sorted(np.concatenate(folds)) == list(range(len(labels)))
    assert sum(len(set(patients[fold])) for fold in folds) == len(set(patients))
