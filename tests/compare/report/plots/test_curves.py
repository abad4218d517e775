"""ROC curves and confusion matrices."""

import pytest

from components.compare import inputs, results
from components.compare.report.plots.curves import confusion, roc_and_pr


@pytest.mark.parametrize(("regime", "zoomed"), [("custom_cnn", True), ("full_fine_tuning", False)])
def test_curves_of_good_models_are_shown_enlarged(write, regime, zoomed):
    scores = None if zoomed else write.index()["label"] * 0.5 + 0.3 * (write.index()["patient"].astype(int) % 3)
    given = inputs.load([write.evaluation(regime, scores=scores)], write.summary())
    findings = results.build(given, "")
    assert (findings["regimes"][regime]["metrics"]["roc_auc"]["value"] > 0.95) == zoomed
    drawing = roc_and_pr(findings, given)
    assert drawing.figure.axes[0].get_xlim() == (pytest.approx((-0.005, 0.3)) if zoomed else (-0.02, 1.02))
    assert ("only the corner" in drawing.caption) == zoomed


def test_only_the_first_seed_is_in_the_legend_and_the_others_are_fainter(write):
    folders = [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)]
    given = inputs.load(folders, write.summary())
    drawing = roc_and_pr(results.build(given, ""), given)
    first, second = drawing.figure.axes[0].lines[:2]
    assert (first.get_alpha(), second.get_alpha()) == (1, 0.45)
    assert [text.get_text().split("  ")[0] for text in drawing.figure.axes[0].get_legend().texts] == ["Custom CNN"]
    assert "further seeds" in drawing.caption


def test_confusion_counts_are_in_words():
    counts = {"tn": 1000, "fp": 2, "fn": 3, "tp": 4}
    drawing = confusion({"regimes": {"custom_cnn": {"confusion": counts}}})
    assert drawing.alt == ("Custom CNN: 3 pneumonias missed, 2 false alarms, 4 pneumonias and 1,000 normals correct.")
    assert [text.get_text() for text in drawing.figure.axes[0].texts[::2]] == ["1,000", "2", "3", "4"]
