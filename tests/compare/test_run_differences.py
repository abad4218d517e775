"""The numbers of a comparison of two runs."""

import numpy as np
import pytest

from components.compare import inputs, results
from components.compare.between_runs import compare_runs


def by_regime(found, metric="roc_auc"):
    return {pair["a"]: pair for pair in found["comparisons"] if pair["metric"] == metric}


def test_runs_on_the_same_images_are_paired_like_regimes(make_run, write, tmp_path):
    worse = write.index()
    scores = np.random.default_rng(3).normal(worse["label"], 1.2)
    a = make_run("a", ["custom_cnn"])
    b = make_run("b", ["custom_cnn"], index=worse, scores=1 / (1 + np.exp(-scores)), image_size=64)
    found = compare_runs(a, b / "comparison", tmp_path / "out")
    assert found["paired"]
    pair = by_regime(found)["custom_cnn"]
    assert pair["test"] == "DeLong over patients"
    assert by_regime(found, "accuracy")["custom_cnn"]["test"] == "McNemar, exact, over patients"
    # The same two sets of scores, as two regimes of one run, must give the same figures.
    both = [
        write.evaluation("custom_cnn", "one"),
        write.evaluation("full_fine_tuning", "two", index=worse, scores=1 / (1 + np.exp(-scores))),
    ]
    expected = results.build(inputs.load(both, write.summary()), "")["comparisons"][0]
    assert pair["difference"] == pytest.approx(expected["difference"])
    assert pair["ci95"] == pytest.approx(expected["ci95"])
    assert pair["p_value"] == pytest.approx(expected["p_value"])
