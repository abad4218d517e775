"""Reliability diagrams."""

import numpy as np
import pytest

from components.compare.report.plots import style
from components.compare.report.plots.calibration import calibration


@pytest.mark.medium
def test_bars_are_the_intervals_of_the_results(compared):
    with style.applied():
        drawing = calibration(compared.results)
    points = compared.results["regimes"]["custom_cnn"]["calibration"]["before"]["reliability"]
    bars = np.array(drawing.figure.axes[0].collections[0].get_segments())
    assert bars[:, :, 1] == pytest.approx(np.array([point["pneumonia_ci95"] for point in points]))
    assert bars[:, 0, 0] == pytest.approx([point["score"] for point in points])


def test_errors_before_and_after_calibration_are_in_words(compared):
    fit = compared.results["regimes"]["custom_cnn"]["calibration"]
    before, after = (f"{fit[stage]['ece']['value']:.3f}" for stage in ("before", "after"))
    with style.applied():
        drawing = calibration(compared.results)
    assert f"Custom CNN: calibration error {before} before and {after} after Platt scaling" in drawing.alt
    assert before != after
