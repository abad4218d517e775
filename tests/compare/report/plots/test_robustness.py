"""ROC AUC on changed test images."""

import pytest

from components.compare.report.plots import style
from components.compare.report.plots.robustness import robustness


def test_unknown_values_are_left_out_and_said_to_be_unknown():
    values = {"unchanged": 0.95, "noise": None, "gamma 0.7": 0.9}
    with style.applied():
        drawing = robustness({"regimes": {"custom_cnn": {"robustness": values}}})
    marks, unchanged = drawing.figure.axes[0].lines
    assert list(marks.get_xdata()) == [0.95, 0.9]
    assert list(marks.get_ydata()) == [0, 2]
    assert list(unchanged.get_xdata()) == [0.95, 0.95]
    assert drawing.alt == "Custom CNN: unchanged 0.950, noise –, gamma 0.7 0.900."


def test_an_interval_is_drawn_where_its_standard_error_is_known():
    regime = {
        "robustness": {"unchanged": 0.95, "noise": 0.99, "gamma 0.7": 0.9},
        "robustness_errors": {"unchanged": 0.0, "noise": 0.01, "gamma 0.7": 0.02},
        "robustness_images": 300,
    }
    with style.applied():
        drawing = robustness({"regimes": {"custom_cnn": regime}})
    segments = [line.get_segments()[0] for line in drawing.figure.axes[0].collections]
    assert [(row[0][1], row[0][0], row[1][0]) for row in segments] == [
        (1, pytest.approx(0.9704), 1.0),
        (2, pytest.approx(0.8608), pytest.approx(0.9392)),
    ]
    assert drawing.caption.startswith("300 of the test images brightened")


def test_nothing_is_drawn_without_values():
    assert robustness({"regimes": {"custom_cnn": {"robustness": {}}}}) is None
