"""The numbers of a comparison of two runs."""

import shutil

import numpy as np
import pytest

from components.compare import inputs, results, run_differences, runs
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
    assert by_regime(found, "accuracy")["custom_cnn"]["test"] == "bootstrap over patients"
    # The same two sets of scores, as two regimes of one run, must give the same figures.
    both = [
        write.evaluation("custom_cnn", "one"),
        write.evaluation("full_fine_tuning", "two", index=worse, scores=1 / (1 + np.exp(-scores))),
    ]
    expected = results.build(inputs.load(both, write.summary()), "")["comparisons"][0]
    assert pair["difference"] == pytest.approx(expected["difference"])
    assert pair["ci95"] == pytest.approx(expected["ci95"])
    assert pair["p_value"] == pytest.approx(expected["p_value"])


@pytest.mark.parametrize("images", [300, 260], ids=["paired", "unpaired"])
def test_values_of_a_run_are_means_over_its_seeds(make_run, write, tmp_path, images):
    a, b = make_run("a", ["custom_cnn"]), make_run("b", ["custom_cnn"], index=write.index(images=images))
    step = tmp_path / "a" / "steps" / "pipeline-1"
    shutil.copytree(write.evaluation("custom_cnn", "second", seed=1, seconds=20.0), step / "again" / "evaluation")
    first, second = runs.load_two(a, b)
    found = run_differences.build(first, second, ["custom_cnn"], runs.same_test_images(first, second))
    assert found["paired"] == (images == 300)
    regime = found["runs"][0]["regimes"]["custom_cnn"]
    assert (regime["seeds"], found["runs"][1]["regimes"]["custom_cnn"]["seeds"]) == ([0, 1], [0])
    assert regime["train_seconds"] == pytest.approx((9.4 + 20) / 2)
    expected = results.build(first.inputs, "")["regimes"]["custom_cnn"]["metrics"]["f1"]["value"]
    assert regime["metrics"]["f1"]["value"] == pytest.approx(expected)
