"""Plots of cost."""

from components.compare.report.plots import style
from components.compare.report.plots.cost import cost, pareto


def test_a_panel_per_known_cost(compared):
    with style.applied():
        drawing = cost(compared.results)
    assert [axes.get_xlabel() for axes in drawing.figure.axes] == [
        "Training time (s)",
        "Peak memory of the process (MB)",
    ]
    assert "Custom CNN: Training time (s) 9.4 s, Peak memory of the process (MB) 812 MB" in drawing.alt


def test_the_front_is_a_line_through_the_regimes_that_no_other_beats(compared):
    with style.applied():
        drawing = pareto(compared.results)
    titles = [axes.get_xlabel() for axes in drawing.figure.axes]
    assert titles == ["Training time", "Peak memory (MB)", "Model size (MB)", "Time per image (ms)"]
    front = compared.results["pareto"]["train_seconds"]
    costs = [compared.results["regimes"][name]["cost"]["train_seconds"] for name in front]
    assert drawing.figure.axes[0].lines[0].get_xdata().tolist() == costs


def test_a_single_regime_has_no_front(compared):
    one = {"custom_cnn": compared.results["regimes"]["custom_cnn"]}
    assert pareto(compared.results | {"regimes": one}) is None
