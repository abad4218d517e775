"""Plots of clinical use."""

import copy

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from components.compare.report.plots import style
from components.compare.report.plots.clinical import decision_curves, risks


def drawn(plot, findings):
    with style.applied():
        return plot(findings)


def test_curves_and_bands_are_those_of_the_results(in_use):
    use = in_use.record["clinical_use"]
    drawing = drawn(decision_curves, in_use.record)
    panel = drawing.figure.axes[0]
    nobody, everybody, model, wanted = panel.get_lines()
    assert np.ptp(nobody.get_ydata()) == 0
    assert everybody.get_ydata() == pytest.approx(use["treat_all_curve"])
    assert model.get_ydata() == pytest.approx([p["value"] for p in use["regimes"]["custom_cnn"]["decision_curve"]])
    assert wanted.get_xdata()[0] == pytest.approx(0.2)
    corners = panel.collections[0].get_paths()[0].vertices[:, 1]
    ends = [end for point in use["regimes"]["custom_cnn"]["decision_curve"] for end in point["ci95"]]
    assert (corners.min(), corners.max()) == pytest.approx((min(ends), max(ends)))
    assert f"Custom CNN +{use['regimes']['custom_cnn']['by_risk']['net_benefit']['value']:.3f}" in drawing.alt
    assert "at a threshold probability of 20%" in drawing.alt
    assert "treating everybody −0.125" in drawing.alt


def test_without_a_harm_ratio_no_threshold_probability_is_marked(in_use):
    record = copy.deepcopy(in_use.record)
    record["clinical_use"]["threshold_probability"] = None
    drawing = drawn(decision_curves, record)
    assert len(drawing.figure.axes[0].get_lines()) == 3
    assert "Dotted" not in drawing.caption


def test_calibration_curves_and_distributions_are_those_of_the_results(in_use):
    found = in_use.record["clinical_use"]["regimes"]["custom_cnn"]
    drawing = drawn(risks, in_use.record)
    curve = drawing.figure.axes[0].get_lines()[1]
    assert curve.get_ydata() == pytest.approx([point["value"] for point in found["calibration_curve"]["observed"]])
    ill, normal = drawing.figure.axes[3].patches
    assert ill.get_data().values == pytest.approx(found["risks"]["pneumonia"])
    assert normal.get_data().values == pytest.approx(found["risks"]["normal"])


def test_a_regime_without_a_calibration_curve_is_named(in_use):
    record = copy.deepcopy(in_use.record)
    del record["clinical_use"]["regimes"]["custom_cnn"]["calibration_curve"]
    assert "Custom CNN: too few different risks for a curve" in drawn(risks, record).alt


@pytest.mark.parametrize("plot", [decision_curves, risks])
def test_without_a_prevalence_nothing_is_drawn(compared, plot):
    assert drawn(plot, compared.results) is None


@pytest.mark.parametrize("plot", [decision_curves, risks])
def test_all_text_is_within_the_picture(in_use, plot):
    with style.applied():
        figure = plot(in_use.record).figure
        FigureCanvasAgg(figure).draw()
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= size[0] + 0.01
    assert box.y1 <= size[1] + 0.01
