"""The decision in words, which claim no more than the numbers."""

import pytest

from components.artifacts.names import FLOOR, REGIME_TITLES
from components.compare.recommendation import decide
from components.compare.report import recommendation
from components.compare.report.recommendation import sentences, verdict_text
from tests.compare.findings import make_findings


def why(findings):
    return " ".join(sentences(findings, decide(findings)))


def test_a_clear_winner_is_named_with_what_it_is_better_than():
    found = why(make_findings({"custom_cnn": 0.90, "full_fine_tuning": 0.97}))
    assert "Full fine-tuning had the highest ROC AUC, 0.970 (95% interval 0.960–0.980)" in found
    assert "after 20.0 s of training; no faster regime was shown to be at most 0.01 below every other one." in found
    assert "200 test patients would have shown that against Full fine-tuning with 12% power, and against" in found
    assert "all others with less; 80% would need about 1,900 test patients." in found
    assert "Full fine-tuning had a higher ROC AUC than Custom CNN (+0.070, 95% interval +0.066 to +0.074)." in found
    assert "No difference shown" not in found


def test_a_cheaper_regime_within_the_margin_is_recommended():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.968, "partial_fine_tuning": 0.969, "full_fine_tuning": 0.97}
    found = why(make_findings(aucs))
    assert found.startswith(
        "Transfer learning is worth its cost: ROC AUC 0.968 after 20.0 s of training, shown to be at"
    )
    assert "Full fine-tuning had the highest ROC AUC, 0.970, after 40.0 s." in found
    assert "power" not in found


def test_two_regimes_are_joined_by_and_without_a_comma():
    found = why(make_findings({"custom_cnn": 0.969, "transfer_learning": 0.968, "full_fine_tuning": 0.97}))
    assert (
        "No difference shown between Full fine-tuning and Custom CNN (+0.001, 95% interval −0.003 to +0.005) and "
        "Transfer learning (+0.002, 95% interval −0.002 to +0.006), which does not prove them equal."
    ) in found


def test_three_regimes_are_an_enumeration():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.91, "partial_fine_tuning": 0.92, "full_fine_tuning": 0.97}
    found = why(make_findings(aucs))
    assert "+0.074), Transfer learning (+0.060" in found
    assert "+0.064) and Partial fine-tuning (+0.050" in found


def test_the_fastest_regime_is_called_so_where_it_is_the_best():
    found = why(make_findings({"custom_cnn": 0.99, "full_fine_tuning": 0.95}))
    assert "after 10.0 s of training, which was the shortest." in found
    assert "the shortest" not in why(make_findings({"custom_cnn": 0.95, "full_fine_tuning": 0.99}))
    with_baseline = make_findings({"custom_cnn": 0.95, "full_fine_tuning": 0.9, FLOOR: 0.9}, seconds=(10, 20, 1))
    assert "the shortest" not in why(with_baseline)


def test_nothing_is_recommended_where_nothing_is_shown_to_be_good_enough():
    found = why(make_findings({"custom_cnn": 0.969, "full_fine_tuning": 0.97}, width=0.02))
    assert "no regime, not even this one, was shown to be at most 0.01 below every other one" in found
    assert "worth its cost:" not in found


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        ((1900, 3100), "80% would need about 1,900 to 3,100 test patients"),
        ((None, 1900), "80% would need 1,900 test patients or more, and for some regimes more seeds"),
        ((None, None), "more patients would not be enough for 80%, only more seeds"),
    ],
)
def test_the_power_of_what_was_not_shown_is_said(needed, words):
    findings = make_findings({"custom_cnn": 0.95, "transfer_learning": 0.95, "full_fine_tuning": 0.97})
    numbers = dict(zip(("custom_cnn", "transfer_learning"), zip(needed, (0.1, 0.14), strict=True), strict=True))
    for pair in findings["noninferiority"]["pairs"]:
        if pair["candidate"] in numbers:
            pair["patients_needed"], pair["power"] = numbers[pair["candidate"]]
    assert f"with 10% to 14% power, and against all others with less; {words}." in why(findings)


def test_a_baseline_that_is_good_enough_is_recommended():
    aucs = {"custom_cnn": 0.968, "full_fine_tuning": 0.97, FLOOR: 0.969}
    found = why(make_findings(aucs, seconds=(10, 40, 1)))
    assert found.startswith("The baseline is enough: ROC AUC 0.969 after 1.0 s of training")
    assert "Full fine-tuning had the highest ROC AUC of the regimes, 0.970" in found


def test_a_regime_that_was_not_shown_to_be_faster_is_not_called_so():
    aucs = {"custom_cnn": 0.968, "transfer_learning": 0.968, "full_fine_tuning": 0.97}
    words = "It was not shown to train faster than Transfer learning and Full fine-tuning."
    assert words in why(make_findings(aucs, times_differ=False))
    assert "not shown to train faster" not in why(make_findings(aucs))


def test_with_one_seed_nothing_is_said_of_regimes():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.968, "partial_fine_tuning": 0.969, "full_fine_tuning": 0.97}
    first, caution, others = sentences(findings := make_findings(aucs, seeds=1), decide(findings))
    assert first.startswith("This transfer learning network is worth its cost")
    assert "This full fine-tuning network had the highest ROC AUC" in first
    assert "nothing follows for the regime" in caution
    assert "With three seeds" in caution
    assert "This full fine-tuning network had a higher ROC AUC than this custom CNN" in others
    assert "nothing follows" not in why(make_findings(aucs))


def shifted(value, shown):
    def metrics(recall, specificity):
        return {"recall": {"value": recall}, "specificity": {"value": specificity}}

    change = {"value": value, "ci95": [value - 0.1, value + 0.1]}
    shift = {"youden_change": change, "roc_auc_change": {"value": value / 10, "ci95": [value / 5, value / 20]}}
    return {
        "validation": {"metrics": metrics(0.988, 0.912)},
        "shift": shift | {"shown": shown},
        "metrics": metrics(0.987, 0.402),
    }


def test_a_threshold_that_does_not_transfer_is_a_warning_of_the_first_screen():
    findings = make_findings({"custom_cnn": 0.90, "full_fine_tuning": 0.97})
    metrics = findings["regimes"]["full_fine_tuning"]["metrics"]
    found = shifted(-0.511, True)
    findings["regimes"]["full_fine_tuning"] |= found | {"metrics": metrics | found["metrics"]}
    (warning,) = [line for line in sentences(findings, decide(findings)) if line.startswith("Warning: ")]
    assert "the thresholds did not transfer to the test images" in warning
    assert "to test: Full fine-tuning specificity 0.912 → 0.402, sensitivity 0.988 → 0.987. Accuracy" in warning
    assert warning.endswith("ROC AUC, which needs no threshold, was lower on test too: Full fine-tuning (−0.051).")
    other, other_found = findings["regimes"]["custom_cnn"], shifted(-0.1, False)
    findings["regimes"]["custom_cnn"] = other | other_found | {"metrics": other["metrics"] | other_found["metrics"]}
    (warning,) = [line for line in sentences(findings, decide(findings)) if line.startswith("Warning: ")]
    assert (
        "Not shown for Custom CNN specificity 0.912 → 0.402, sensitivity 0.988 → 0.987, which does not mean" in warning
    )
    findings["regimes"]["full_fine_tuning"]["shift"]["shown"] = False
    assert "Warning" not in why(findings)


def test_test_images_that_are_easier_than_the_validation_images_are_said_to_differ():
    findings = make_findings({"custom_cnn": 0.90, "full_fine_tuning": 0.97})
    metrics = findings["regimes"]["custom_cnn"]["metrics"]
    found = shifted(0.3, True)
    findings["regimes"]["custom_cnn"] |= found | {"metrics": metrics | found["metrics"]}
    assert "Warning: test and validation images differ." in why(findings)


def test_a_difference_that_does_not_survive_correction_is_not_called_certain():
    found = why(make_findings({"custom_cnn": 0.95, "full_fine_tuning": 0.97}, corrected=0.2))
    assert "Full fine-tuning may have a higher ROC AUC than Custom CNN" in found
    assert "had a higher ROC AUC" not in found


def test_a_single_regime_is_described_but_not_compared():
    found = why(make_findings({"custom_cnn": 0.95}))
    assert found.startswith("Only one regime was trained, so there is nothing to compare")
    assert found.endswith("10.0 s of training.")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"weights": "bundled"}, "bundled weights, pre-trained on drawn fractals"),
        ({"weights": "none"}, "pre-training was not part of this comparison"),
        ({"source": "synthetic"}, "simulated, so these results have no clinical meaning"),
    ],
)
def test_data_and_weights_that_limit_the_meaning_are_a_caution(facts, words):
    aucs = {"custom_cnn": 0.95, "full_fine_tuning": 0.97}
    findings = make_findings(aucs, **facts)
    last = sentences(findings, decide(findings))[-1]
    assert last.startswith("Caution: ")
    assert words in last
    assert "Caution" not in why(make_findings(aucs))


@pytest.mark.parametrize(
    ("ends", "plain", "corrected", "words"),
    [
        ([-0.01, 0.02], 0.2, 0.5, "No difference shown"),
        ([0.01, 0.02], 0.01, 0.01, "Custom CNN higher"),
        ([-0.02, -0.01], 0.01, 0.01, "Full fine-tuning higher"),
        ([0.01, 0.02], 0.01, 0.06, "Custom CNN higher, but not once corrected for the number of pairs"),
    ],
)
def test_a_difference_is_worded_after_its_verdict(ends, plain, corrected, words):
    pair = {"a": "custom_cnn", "b": "full_fine_tuning", "ci95": ends, "p_value": plain, "p_value_holm": corrected}
    assert verdict_text(pair) == words
    first, second = REGIME_TITLES["custom_cnn"], REGIME_TITLES["full_fine_tuning"]
    assert verdict_text(pair, ("run 1", "run 2")) == words.replace(first, "run 1").replace(second, "run 2")


@pytest.mark.parametrize(
    ("low", "words"),
    [
        (0.01, "Every regime had a higher ROC AUC than the baseline"),
        (-0.01, "Not shown to have a higher ROC AUC than the baseline, a logistic regression on thumbnails with 0.920"),
    ],
)
def test_a_regime_that_does_not_beat_the_baseline_is_named(low, words):
    findings = make_findings({"custom_cnn": 0.94, "full_fine_tuning": 0.97}, width=0.02)
    comparisons = [
        {"a": a, "b": FLOOR, "metric": "roc_auc", "ci95": [end, 0.06], "p_value": 0.01, "p_value_holm": 0.01}
        for a, end in [("full_fine_tuning", 0.04), ("custom_cnn", low)]
    ]
    assert "baseline" not in why(findings)
    entry = {"value": 0.92, "ci95": [0.9, 0.94]}
    cost = {"train_seconds": 1, "parameters": 577}
    found = why(findings | {"floor": {"metrics": {"roc_auc": entry}, "cost": cost, "comparisons": comparisons}})
    assert words in found
    assert (": Custom CNN." in found) == (low < 0)


def test_each_rule_has_its_regime():
    decision = {
        "best": "full_fine_tuning",
        "fastest_within_margin": "transfer_learning",
        "smallest_within_margin": None,
        "margin": 0.01,
    }
    aucs = {"custom_cnn": 0.94, "transfer_learning": 0.96, "full_fine_tuning": 0.97}
    found = make_findings(aucs) | {"recommendation": decision}
    del found["regimes"]["transfer_learning"]["per_seed"]
    assert recommendation.picks(found) == [
        ("Highest ROC AUC", "Full fine-tuning"),
        ("Fastest within 0.01 of all others", "This transfer learning network"),
        ("Smallest within 0.01 of all others", "none shown"),
    ]
    assert recommendation.picks(make_findings({"custom_cnn": 0.94}) | {"recommendation": decision}) == []
