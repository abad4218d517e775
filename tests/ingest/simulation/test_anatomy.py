"""Simulated disease: fainter with higher difficulty, local for bacteria and on both sides for viruses."""

import itertools

import numpy as np
import pytest

from components.ingest.simulation.anatomy import draw_anatomy, draw_disease


def anatomy_of(seed: int):
    return draw_anatomy(np.random.default_rng(seed), 0.5)


def disease_of(seed: int, kind: str, difficulty: float = 0.5) -> np.ndarray:
    return draw_disease(np.random.default_rng(1000 + seed), kind, anatomy_of(seed), difficulty)


@pytest.mark.parametrize("kind", ["bacteria", "virus"])
def test_a_higher_difficulty_makes_opacities_fainter(kind):
    for seed in range(8):
        burden = [disease_of(seed, kind, difficulty).mean() for difficulty in (0.0, 0.25, 0.5, 0.75, 1.0)]
        assert all(easier > harder for easier, harder in itertools.pairwise(burden))
        assert burden[-1] > 0


def test_bacteria_stay_local_and_viruses_reach_both_lungs():
    def share_of_smaller_side(kind):
        sides = [np.array_split(disease_of(seed, kind), 2, axis=1) for seed in range(30)]
        return np.median([min(a.sum(), b.sum()) / (a.sum() + b.sum()) for a, b in sides])

    assert share_of_smaller_side("bacteria") < 0.2
    assert share_of_smaller_side("virus") > 0.35
