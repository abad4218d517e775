"""Trainings that are killed with SIGKILL; `python -m tests.train.kills` does it more often."""

import pytest

from tests.train import kills

OPTIONS = [
    "--weights",
    "bundled",
    "--backbone",
    "MobileNetV2-0.5",
    "--seeds",
    "1",
    "--epochs",
    "12",
    "--batch-size",
    "8",
]


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["custom_cnn", "full_fine_tuning"])
def test_a_training_killed_at_a_random_moment_ends_with_the_same_predictions(prepared, tmp_path, regime):
    (row,) = kills.rows(prepared, [regime], 1, OPTIONS, seed=3, folder=tmp_path)
    assert row[-2:] == ("yes", "yes"), row
