"""The plot of ROC AUC by number of labelled patients."""

import copy
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from components.artifacts.names import REGIME_TITLES, REGIMES
from components.compare import budget_inputs, inputs
from components.compare.compare import build
from components.compare.report.plots import style
from components.compare.report.plots.label_budgets import _apart, label_budgets, label_budgets_external
from tests.compare.conftest import make_index, write_evaluation, write_label_budgets, write_summary


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    base = tmp_path_factory.mktemp("budgets")
    other = make_index(150, 100).assign(image=lambda table: "x/" + table["image"])
    evaluations = [write_evaluation(base / name, name, external=other) for name in REGIMES]
    folders = [write_label_budgets(base / f"{name}-budgets", name, external=other) for name in REGIMES]
    given = inputs.load(evaluations, write_summary(base / "summary"))
    return build(given, "", budgets=budget_inputs.load(folders, given))


def drawn(findings, plot=label_budgets):
    with style.applied():
        return plot(findings)


@pytest.mark.medium
def test_marks_lines_and_bands_are_those_of_the_results(findings):
    axes = drawn(findings).figure.axes[0]
    found = findings["label_budgets"]["regimes"]
    for container, regime in zip(axes.containers, found.values(), strict=True):
        marks = container.lines[0]
        assert marks.get_ydata() == pytest.approx([point["roc_auc"]["value"] for point in regime["points"]])
        assert marks.get_xdata() == pytest.approx([point["patients"] for point in regime["points"]], rel=0.1)
    curves = [regime["curve"]["points"] for regime in found.values() if regime["curve"]]
    assert curves
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == len(curves[0])]
    assert [line.get_ydata()[-1] for line in lines] == pytest.approx([points[-1]["value"] for points in curves])
    bands = [band for band in axes.collections if type(band).__name__ == "FillBetweenPolyCollection"]
    assert len(bands) == len(curves)
    ends = [end for point in curves[0] for end in point["ci95"]]
    corners = bands[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == pytest.approx((min(ends), max(ends)))


def test_regimes_have_their_own_markers_and_lines_and_are_named_at_the_ends(findings):
    axes = drawn(findings).figure.axes[0]
    assert {text.get_text() for text in axes.texts} == {REGIME_TITLES[name] for name in REGIMES}
    assert len({container.lines[0].get_marker() for container in axes.containers}) == 4
    assert axes.get_legend() is None
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["50", "100", "200", "400", "all: 3,000"]


def test_a_regime_without_a_curve_has_its_means_joined_and_is_named(findings):
    changed = copy.deepcopy(findings)
    for name in REGIMES:
        changed["label_budgets"]["regimes"][name]["curve"] = None
    drawing = drawn(changed)
    assert not [
        band for band in drawing.figure.axes[0].collections if type(band).__name__ == "FillBetweenPolyCollection"
    ]
    assert "where no curve fits: Custom CNN, Transfer learning" in drawing.caption
    assert "Lines are fitted" not in drawing.caption


def test_the_words_have_every_value(findings):
    words = drawn(findings).alt
    for regime in findings["label_budgets"]["regimes"].values():
        for point in regime["points"]:
            assert f"{point['roc_auc']['value']:.3f}" in words


def test_the_external_plot_is_that_of_the_external_test_set(findings):
    axes = drawn(findings, label_budgets_external).figure.axes[0]
    expected = findings["label_budgets"]["external"]["regimes"]["custom_cnn"]["points"][0]["roc_auc"]["value"]
    assert axes.containers[0].lines[0].get_ydata()[0] == pytest.approx(expected)


@pytest.mark.parametrize("plot", [label_budgets, label_budgets_external])
def test_nothing_is_drawn_without_label_budgets(compared, plot):
    assert drawn(compared.results, plot) is None


def test_one_number_of_patients_is_no_curve_to_draw(findings):
    changed = copy.deepcopy(findings)
    for regime in changed["label_budgets"]["regimes"].values():
        regime["points"] = regime["points"][-1:]
        regime["curve"] = None
    assert drawn(changed) is None


@pytest.mark.parametrize("plot", [label_budgets, label_budgets_external])
def test_all_text_is_within_the_picture_and_names_do_not_touch(findings, plot):
    with style.applied():
        figure = plot(findings).figure
        FigureCanvasAgg(figure).draw()
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= size[0] + 0.01
    assert box.y1 <= size[1] + 0.01
    # Without the arrows.
    boxes = sorted((Text.get_window_extent(text) for text in figure.axes[0].texts), key=lambda own: own.y0)
    assert all(below.y1 <= above.y0 + 4 for below, above in pairwise(boxes))


def test_names_are_moved_apart_within_the_axis():
    found = _apart([0.97, 0.98, 0.98, 0.99])
    assert np.diff(found) == pytest.approx([0.052] * 3, abs=0.003)
    assert found[-1] <= 1
    assert _apart([0.2, 0.5]) == [0.2, 0.5]
