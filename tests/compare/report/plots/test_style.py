"""The common look of the plots."""

from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.compare.report.plots import style


@pytest.mark.parametrize("seconds", [[0.3, 9, 15, 245], [0.05, 90_000], [10, 100], [3, 4]])
def test_the_labels_of_the_time_axis_do_not_touch(seconds):
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    style.time_axis(axes, seconds)
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
