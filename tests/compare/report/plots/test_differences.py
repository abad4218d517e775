"""Plots of differences."""

from matplotlib.colors import to_hex

from components.compare.report.plots.differences import between_runs, differences
from components.look import INK


def pair(a, b, metric, difference, shown):
    p_value = 0.01 if shown else 0.5
    ends = [difference - 0.01, difference + 0.01]
    values = {"difference": difference, "ci95": ends, "p_value": p_value, "p_value_holm": p_value}
    return {"a": a, "b": b, "metric": metric} | values


def faces(axes):
    return [to_hex(bar.lines[0].get_markerfacecolor()) for bar in axes.containers]


def test_only_differences_that_were_shown_are_filled():
    found = [
        pair("custom_cnn", "transfer_learning", metric, -0.1, shown)
        for metric, shown in (("roc_auc", True), ("accuracy", False))
    ]
    drawing = differences({"comparisons": found})
    assert [faces(axes) for axes in drawing.figure.axes] == [[INK], ["#ffffff"]]
    assert drawing.alt == (
        "Custom CNN − Transfer learning: −0.100 in ROC AUC (−0.110 to −0.090), Transfer learning higher."
    )


def test_nothing_is_drawn_of_a_single_regime():
    assert differences({"comparisons": []}) is None


def test_runs_are_named_where_they_differ():
    found = [pair("custom_cnn", "custom_cnn", metric, 0.1, shown=True) for metric in ("roc_auc", "accuracy")]
    drawing = between_runs({"runs": [{"name": "first"}, {"name": "second"}], "comparisons": found})
    assert drawing.alt == "Custom CNN: +0.100 in ROC AUC (+0.090 to +0.110), first higher."
    assert drawing.caption.startswith("Right of the line first is higher, left of it second.")
