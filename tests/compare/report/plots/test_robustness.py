"""ROC AUC on changed test images."""

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


def test_nothing_is_drawn_without_values():
    assert robustness({"regimes": {"custom_cnn": {"robustness": {}}}}) is None
