"""What is recommended, and that the words claim no more than the numbers."""

from itertools import combinations

import pytest

from components.artifacts.names import FLOOR
from components.compare.recommendation import loss, recommend, verdict


def make_results(aucs, *, seconds=(10, 20, 30, 40), parameters=(1, 5, 5, 5), width=0.004, corrected=0.01, **facts):
    """Results with the given ROC AUC a regime; every difference has an interval of plus or minus `width`."""
    regimes = {
        name: {
            "metrics": {metric: {"value": auc, "ci95": [auc - 0.01, auc + 0.01]} for metric in ("roc_auc", "accuracy")},
            "cost": {"train_seconds": time, "parameters": count},
        }
        for (name, auc), time, count in zip(aucs.items(), seconds, parameters, strict=False)
    }
    comparisons = [
        {
            **{"a": a, "b": b, "metric": "roc_auc", "difference": aucs[a] - aucs[b], "p_value_holm": corrected},
            "ci95": [aucs[a] - aucs[b] - width, aucs[a] - aucs[b] + width],
        }
        for a, b in combinations(aucs, 2)
    ]
    return {
        "regimes": regimes,
        "comparisons": comparisons,
        "dataset": {"source": {"name": facts.get("source", "kaggle")}},
        "backbone": {"name": "MobileNetV2", "weights": facts.get("weights", "imagenet")},
    }


def test_a_clear_winner_is_best_fastest_and_smallest_within_the_margin():
    found = recommend(make_results({"custom_cnn": 0.90, "full_fine_tuning": 0.97}))
    assert [found[key] for key in ("best", "fastest_within_margin", "smallest_within_margin")] == [
        "full_fine_tuning"
    ] * 3
    assert "Full fine-tuning had the highest ROC AUC, 0.970 (95% interval 0.960–0.980)" in found["why"]
    assert "no faster regime was shown to come within 0.01" in found["why"]
    assert (
        "Full fine-tuning had a higher ROC AUC than Custom CNN (+0.070, 95% interval +0.066 to +0.074)" in found["why"]
    )
    assert "No difference shown" not in found["why"]


def test_a_cheaper_regime_within_the_margin_is_recommended():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.968, "partial_fine_tuning": 0.969, "full_fine_tuning": 0.97}
    found = recommend(make_results(aucs))
    assert found["best"] == "full_fine_tuning"
    assert found["fastest_within_margin"] == found["smallest_within_margin"] == "transfer_learning"
    assert found["why"].startswith("Transfer learning is worth its cost: ROC AUC 0.968 after 20.0 s of training")
    assert "at most 0.01 below the highest (Full fine-tuning, 0.970 after 40.0 s)" in found["why"]
    assert "No difference shown between Full fine-tuning and Transfer learning" in found["why"]
    assert "does not prove them equal" in found["why"]


@pytest.mark.parametrize(("width", "fastest"), [(0.0079, "custom_cnn"), (0.0081, "full_fine_tuning")])
def test_the_whole_interval_of_the_loss_must_stay_within_the_margin(width, fastest):
    found = recommend(make_results({"custom_cnn": 0.968, "full_fine_tuning": 0.97}, width=width))
    assert found["fastest_within_margin"] == fastest


def test_the_margin_holds_whichever_way_round_a_pair_was_compared():
    found = recommend(make_results({"custom_cnn": 0.99, "full_fine_tuning": 0.95}))
    assert found["best"] == found["fastest_within_margin"] == "custom_cnn"
    assert "was the fastest to train (10.0 s)" in found["why"]
    results = make_results({"custom_cnn": 0.95, "full_fine_tuning": 0.99})
    gap = loss(results, "full_fine_tuning", "custom_cnn")
    assert gap["difference"] == pytest.approx(0.04)
    assert gap["ci95"] == pytest.approx([0.036, 0.044])


def test_the_smallest_regime_need_not_be_the_fastest():
    found = recommend(make_results({"custom_cnn": 0.97, "full_fine_tuning": 0.971}, seconds=(50, 40)))
    assert (found["fastest_within_margin"], found["smallest_within_margin"]) == ("full_fine_tuning", "custom_cnn")


def test_equal_roc_auc_is_decided_by_accuracy_and_then_by_time():
    results = make_results({"custom_cnn": 0.97, "full_fine_tuning": 0.97})
    assert recommend(results)["best"] == "custom_cnn"
    results["regimes"]["full_fine_tuning"]["metrics"]["accuracy"]["value"] = 0.98
    assert recommend(results)["best"] == "full_fine_tuning"


def test_equally_small_regimes_are_decided_by_time():
    found = recommend(make_results({"partial_fine_tuning": 0.97, "full_fine_tuning": 0.97}, parameters=(5, 5)))
    assert found["smallest_within_margin"] == "partial_fine_tuning"


def test_a_difference_that_does_not_survive_correction_is_not_called_certain():
    why = recommend(make_results({"custom_cnn": 0.95, "full_fine_tuning": 0.97}, corrected=0.2))["why"]
    assert "Full fine-tuning may have a higher ROC AUC than Custom CNN" in why
    assert "had a higher ROC AUC" not in why


def test_a_single_regime_is_described_but_not_compared():
    found = recommend(make_results({"custom_cnn": 0.95}))
    assert found["best"] == found["fastest_within_margin"] == "custom_cnn"
    assert found["why"].startswith("Only one regime was trained, so there is nothing to compare")


def test_bundled_weights_are_said_to_tell_little_of_imagenet():
    aucs = {"custom_cnn": 0.9, "transfer_learning": 0.95}
    assert "bundled weights, pre-trained on drawn fractals" in recommend(make_results(aucs, weights="bundled"))["why"]


def test_random_starting_weights_are_said_to_rule_out_words_on_pre_training():
    aucs = {"custom_cnn": 0.95, "full_fine_tuning": 0.97}
    assert "pre-training was not part of this comparison" in recommend(make_results(aucs, weights="none"))["why"]
    assert "pre-training" not in recommend(make_results(aucs))["why"]


def test_simulated_images_are_said_to_mean_nothing_clinical():
    aucs = {"custom_cnn": 0.95, "full_fine_tuning": 0.97}
    assert (
        "simulated, so these figures mean nothing clinical" in recommend(make_results(aucs, source="synthetic"))["why"]
    )
    assert "simulated" not in recommend(make_results(aucs))["why"]


@pytest.mark.parametrize(
    ("ends", "plain", "corrected", "words"),
    [
        ([-0.01, 0.02], 0.2, 0.5, "No difference shown"),
        ([0.0, 0.02], 0.03, 0.04, "No difference shown"),
        ([0.01, 0.02], 0.06, 0.06, "No difference shown"),
        ([0.01, 0.02], 0.01, 0.01, "Custom CNN higher"),
        ([-0.02, -0.01], 0.01, 0.01, "Full fine-tuning higher"),
        ([0.01, 0.02], 0.01, 0.06, "Custom CNN higher, but not once corrected for the number of pairs"),
    ],
)
def test_a_difference_is_worded_after_its_interval_and_its_p_values(ends, plain, corrected, words):
    pair = {"a": "custom_cnn", "b": "full_fine_tuning", "ci95": ends, "p_value": plain, "p_value_holm": corrected}
    assert verdict(pair) == words


@pytest.mark.parametrize(
    ("low", "words"),
    [
        (0.01, "Every regime had a higher ROC AUC than the floor"),
        (-0.01, "Not shown to have a higher ROC AUC than the floor, a logistic regression on thumbnails with 0.920"),
    ],
)
def test_a_regime_that_does_not_beat_the_floor_is_named(low, words):
    results = make_results({"custom_cnn": 0.94, "full_fine_tuning": 0.97})
    pairs = [("full_fine_tuning", 0.04), ("custom_cnn", low)]
    comparisons = [
        {"a": a, "b": FLOOR, "metric": "roc_auc", "ci95": [end, 0.06], "p_value": 0.01, "p_value_holm": 0.01}
        for a, end in pairs
    ]
    entry = {"value": 0.92, "ci95": [0.9, 0.94]}
    why = recommend(results | {"floor": {"metrics": {"roc_auc": entry}, "comparisons": comparisons}})["why"]
    assert words in why
    assert (": Custom CNN." in why) == (low < 0)
    assert "floor" not in recommend(results)["why"]
