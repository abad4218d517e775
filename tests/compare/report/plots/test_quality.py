"""Plots of quality."""

from components.compare.report.plots import style
from components.compare.report.plots.quality import quality_against_time, subgroups


def test_quality_and_time_are_in_words(compared):
    with style.applied():
        drawing = quality_against_time(compared.results)
    assert drawing.alt.startswith(
        "Custom CNN: Accuracy 0.917 (0.873–0.946), ROC AUC 0.974 (0.955–0.985), trained in 9.4 s"
    )
    assert [axes.get_ylabel() for axes in drawing.figure.axes] == ["Accuracy on test", "ROC AUC on test"]


def test_subgroups_without_a_metric_are_left_out(compared):
    regime = compared.results["regimes"]["custom_cnn"]
    known = regime["subgroups"]["virus"]
    few = known | {"metrics": {"recall": known["metrics"]["recall"]}}
    found = {"regimes": {"custom_cnn": regime | {"subgroups": {"virus": known, "patient new": few}}}}
    with style.applied():
        drawing = subgroups(found)
    auc, recall = drawing.figure.axes
    assert (len(auc.containers), len(recall.containers)) == (2, 3)
    value = known["metrics"]["roc_auc"]["value"]
    assert drawing.alt == f"Custom CNN: ROC AUC viral pneumonia {value:.3f}."
    labels = [label.get_text() for label in auc.get_yticklabels()]
    assert labels == ["all test images", "viral pneumonia", "patient new"]
