"""Which regime is recommended, and when a difference counts as shown."""

import pytest

from components.artifacts.names import FLOOR
from components.compare import recommendation
from components.compare.recommendation import Loss, Power, Verdict, decide, loss, standing, verdict
from tests.compare.findings import make_findings

BOTH = {"custom_cnn": 0.968, "full_fine_tuning": 0.97}


def chosen(findings):
    found = decide(findings)
    return [found["best"], found["fastest_within_margin"], found["smallest_within_margin"]]


def test_a_clear_winner_is_best_fastest_and_smallest_within_the_margin():
    found = make_findings({"custom_cnn": 0.90, "full_fine_tuning": 0.97})
    assert chosen(found) == ["full_fine_tuning"] * 3
    assert decide(found)["margin"] == 0.01


def test_a_cheaper_regime_within_the_margin_is_chosen():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.968, "partial_fine_tuning": 0.969, "full_fine_tuning": 0.97}
    assert chosen(make_findings(aucs)) == ["full_fine_tuning", "transfer_learning", "transfer_learning"]


@pytest.mark.parametrize(("width", "fastest"), [(0.0079, "custom_cnn"), (0.0081, "full_fine_tuning"), (0.0121, None)])
def test_the_bound_of_the_loss_must_stay_within_the_margin_for_the_best_too(width, fastest):
    assert chosen(make_findings(BOTH, width=width)) == ["full_fine_tuning", fastest, fastest]


def test_a_candidate_must_be_close_to_every_other_one_not_just_to_the_best():
    findings = make_findings({"custom_cnn": 0.968, "transfer_learning": 0.969, "full_fine_tuning": 0.97})
    findings["noninferiority"]["shown"].remove("custom_cnn")
    assert decide(findings)["fastest_within_margin"] == "transfer_learning"


def test_the_baseline_is_recommended_where_it_is_good_enough():
    findings = make_findings(BOTH | {FLOOR: 0.969}, seconds=(20, 30, 1), parameters=(5, 5, 1))
    assert chosen(findings) == ["full_fine_tuning", FLOOR, FLOOR]


def test_the_baseline_is_never_called_the_best_regime():
    findings = make_findings({"custom_cnn": 0.95, FLOOR: 0.99})
    assert chosen(findings) == ["custom_cnn", FLOOR, FLOOR]


def test_the_power_is_that_of_the_faster_regimes_against_the_best():
    findings = make_findings({"custom_cnn": 0.95, "transfer_learning": 0.96, "full_fine_tuning": 0.97}, width=0.02)
    for pair in findings["noninferiority"]["pairs"]:
        if pair["other"] == "full_fine_tuning":
            first = pair["candidate"] == "custom_cnn"
            pair["power"], pair["patients_needed"] = (0.1, 3100) if first else (0.14, 1900)
        else:
            pair["power"] = 0.9
    assert recommendation.power(findings, "full_fine_tuning") == Power(0.1, 0.14, 1900, 3100)
    for pair in findings["noninferiority"]["pairs"]:
        pair["patients_needed"] = None if pair["candidate"] == "custom_cnn" else 1900
    assert recommendation.power(findings, "full_fine_tuning") == Power(0.1, 0.14, 1900, None)
    assert recommendation.power(findings, "custom_cnn") is None


def test_results_are_about_regimes_only_if_every_one_has_several_seeds():
    findings = make_findings(BOTH)
    assert recommendation.several_seeds(findings)
    del findings["regimes"]["custom_cnn"]["per_seed"]
    assert not recommendation.several_seeds(findings)


def test_a_regime_is_called_faster_only_than_those_whose_time_was_shown_to_differ():
    aucs = {"custom_cnn": 0.97, "transfer_learning": 0.97, "full_fine_tuning": 0.90}
    findings = make_findings(aucs, times_differ=False)
    assert recommendation.not_shown_slower(findings, "custom_cnn") == ["transfer_learning"]
    findings["training_times"][0]["shown"] = True
    assert recommendation.not_shown_slower(findings, "custom_cnn") == []
    assert recommendation.not_shown_slower(findings, "transfer_learning") == ["custom_cnn"]
    # A time that was measured once says nothing.
    findings["training_times"][0] |= {"shown": False, "ci95": None}
    assert recommendation.not_shown_slower(findings, "custom_cnn") == []


def test_the_smallest_regime_need_not_be_the_fastest():
    findings = make_findings({"custom_cnn": 0.97, "full_fine_tuning": 0.971}, seconds=(50, 40))
    assert chosen(findings)[1:] == ["full_fine_tuning", "custom_cnn"]


def test_equal_roc_auc_is_decided_by_accuracy_and_then_by_time():
    findings = make_findings({"custom_cnn": 0.97, "full_fine_tuning": 0.97})
    assert decide(findings)["best"] == "custom_cnn"
    assert decide(make_findings({"custom_cnn": 0.97, "full_fine_tuning": 0.97}, seconds=(20, 10)))["best"] == (
        "full_fine_tuning"
    )
    findings["regimes"]["full_fine_tuning"]["metrics"]["accuracy"]["value"] = 0.98
    assert decide(findings)["best"] == "full_fine_tuning"


def test_equally_small_regimes_are_decided_by_time():
    findings = make_findings(
        {"partial_fine_tuning": 0.97, "full_fine_tuning": 0.97}, parameters=(5, 5), seconds=(20, 10)
    )
    assert decide(findings)["smallest_within_margin"] == "full_fine_tuning"


def test_the_fastest_of_all_may_be_too_bad_to_be_chosen():
    findings = make_findings({"custom_cnn": 0.90, "full_fine_tuning": 0.97})
    assert recommendation.fastest(findings["regimes"]) == "custom_cnn"


def test_a_single_regime_is_chosen_for_everything():
    assert chosen(make_findings({"custom_cnn": 0.95})) == ["custom_cnn"] * 3


@pytest.mark.parametrize("order", [("custom_cnn", "full_fine_tuning"), ("full_fine_tuning", "custom_cnn")])
def test_a_loss_is_that_of_the_other_regime_in_whichever_order_the_pair_was_compared(order):
    aucs = {"custom_cnn": 0.95, "full_fine_tuning": 0.99}
    gap = loss(make_findings({name: aucs[name] for name in order}), "full_fine_tuning", "custom_cnn")
    assert gap == Loss(pytest.approx(0.04), pytest.approx([0.036, 0.044]), 0.01, shown=True)


def test_pairs_that_were_not_compared_have_no_loss():
    with pytest.raises(KeyError, match="were not compared"):
        loss(make_findings(BOTH), "custom_cnn", "transfer_learning")


@pytest.mark.parametrize(
    ("ends", "plain", "corrected", "found"),
    [
        ([-0.01, 0.02], 0.01, 0.01, Verdict(None, certain=False)),
        ([0.0, 0.02], 0.03, 0.04, Verdict(None, certain=False)),
        ([-0.02, 0.0], 0.03, 0.04, Verdict(None, certain=False)),
        ([0.01, 0.02], 0.06, 0.06, Verdict(None, certain=False)),
        ([0.01, 0.02], 0.05, 0.05, Verdict("a", certain=True)),
        ([-0.02, -0.01], 0.01, 0.01, Verdict("b", certain=True)),
        ([0.01, 0.02], 0.01, 0.051, Verdict("a", certain=False)),
    ],
)
def test_a_difference_needs_both_the_interval_and_the_test(ends, plain, corrected, found):
    pair = {"a": "custom_cnn", "b": "full_fine_tuning", "ci95": ends, "p_value": plain, "p_value_holm": corrected}
    assert verdict(pair) == found


def test_the_other_regimes_are_grouped_by_how_certain_their_loss_is():
    aucs = {"custom_cnn": 0.90, "transfer_learning": 0.95, "partial_fine_tuning": 0.969, "full_fine_tuning": 0.97}
    findings = make_findings(aucs)
    for pair in findings["comparisons"]:
        pair["p_value_holm"] = 0.05 if pair["a"] == "custom_cnn" else 0.051
    found = standing(findings, "full_fine_tuning")
    assert [list(group) for group in (found.lower, found.perhaps, found.unclear)] == [
        ["custom_cnn"],
        ["transfer_learning"],
        ["partial_fine_tuning"],
    ]
    assert found.lower["custom_cnn"].difference == pytest.approx(0.07)


@pytest.mark.parametrize("end", [0.0, -0.004])
def test_a_loss_whose_interval_includes_zero_is_unclear(end):
    findings = make_findings(BOTH)
    findings["comparisons"][0]["ci95"] = [-0.02, -end]
    assert list(standing(findings, "full_fine_tuning").unclear) == ["custom_cnn"]


@pytest.mark.parametrize(
    ("low", "high", "corrected", "others"),
    [
        (0.01, 0.06, 0.01, []),
        (-0.01, 0.06, 0.01, ["custom_cnn"]),
        (-0.06, -0.01, 0.01, ["custom_cnn"]),
        (0.01, 0.06, 0.2, ["custom_cnn"]),
    ],
)
def test_regimes_beat_the_baseline_only_where_that_is_certain(low, high, corrected, others):
    ends = {"full_fine_tuning": ([0.04, 0.06], 0.01), "custom_cnn": ([low, high], corrected)}
    pairs = [
        {"a": name, "b": FLOOR, "metric": metric, "ci95": interval, "p_value": 0.01, "p_value_holm": p_value}
        for name, (interval, p_value) in ends.items()
        for metric in ("roc_auc",)
    ]
    accuracy = pairs[1] | {"metric": "accuracy", "ci95": [0.01, 0.06], "p_value_holm": 0.01}
    assert recommendation.not_above_baseline(make_findings(BOTH), {"comparisons": [*pairs, accuracy]}) == others
