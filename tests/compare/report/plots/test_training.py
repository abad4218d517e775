"""Learning curves."""

import numpy as np
import pytest

from components.compare import inputs, results
from components.compare.report.plots import style
from components.compare.report.plots.training import best_epoch, learning_curves


def history(*phases):
    return [{"phase": phase, "epoch": epoch, "seconds": float(place)} for place, (phase, epoch) in enumerate(phases)]


@pytest.mark.parametrize(
    ("best", "seconds"),
    [(1, 2.0), (2, 3.0), (None, 3.0)],
)
def test_epochs_are_counted_in_the_training_phase(best, seconds):
    phases = [("head warm-up", 1), ("head warm-up", 2), ("training", 1), ("training", 2)]
    assert best_epoch({"history": history(*phases), "best_epoch": best})["seconds"] == seconds


def test_a_training_that_ended_in_the_warm_up_has_its_best_epoch_there():
    phases = [("head warm-up", 1), ("head warm-up", 2)]
    assert best_epoch({"history": history(*phases), "best_epoch": 1})["seconds"] == 0.0


def test_epochs_whose_scores_are_not_numbers_are_a_gap_in_the_curve(write):
    given = inputs.load([write.evaluation("custom_cnn", diverged=True)], write.summary())
    training = given.models[0].record["training"]
    for key in ("validation_auc", "train_loss", "validation_loss"):
        training["history"][-1][key] = None
    with style.applied():
        figure = learning_curves(results.build(given, ""), given).figure
    curve = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(curve).tolist() == [False] * 7 + [True]
