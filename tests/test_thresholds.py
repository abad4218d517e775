"""The choice of a threshold, on the images as they are and in samples of them."""

import numpy as np
import pytest

from components import thresholds
from components.thresholds import Rule

RANDOM = np.random.default_rng(5)
LABELS = (RANDOM.random(60) < 0.6).astype(int)
SCORES = np.round(np.clip(0.3 * LABELS + 0.7 * RANDOM.random(60), 0, 1), 2)
RULES = [thresholds.YOUDEN, Rule("sensitivity", 0.9), Rule("specificity", 0.8), Rule("fixed", 0.4)]


def rates(threshold):
    called = threshold <= SCORES
    return called[LABELS == 1].mean(), 1 - called[LABELS == 0].mean()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.words)
def test_a_sample_has_the_threshold_of_its_images_written_out(rule):
    weights = RANDOM.integers(0, 3, (40, 60)).astype(float)
    found = thresholds.choose(LABELS, SCORES, rule, weights)
    for threshold, row in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(60), row.astype(int))
        assert threshold == thresholds.choose(LABELS[drawn], SCORES[drawn], rule)[0]


def test_youdens_threshold_has_the_largest_sum_of_sensitivity_and_specificity():
    (threshold,) = thresholds.choose(LABELS, SCORES, thresholds.YOUDEN)
    assert sum(rates(threshold)) == max(sum(rates(cut)) for cut in np.r_[0, np.unique(SCORES) + 1e-9])


def test_targets_are_reached_and_no_more():
    (sensitive,) = thresholds.choose(LABELS, SCORES, Rule("sensitivity", 0.9))
    (specific,) = thresholds.choose(LABELS, SCORES, Rule("specificity", 0.8))
    higher, lower = SCORES[sensitive < SCORES].min(), SCORES[specific > SCORES].max()
    assert rates(sensitive)[0] >= 0.9 > rates(higher + 1e-9)[0]
    assert rates(specific)[1] >= 0.8 > rates(lower)[1]


def test_a_threshold_lies_halfway_between_the_nearest_scores():
    found = thresholds.choose(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.9]), thresholds.YOUDEN)
    assert found == pytest.approx([0.45])


def test_scores_that_were_not_drawn_do_not_move_a_threshold():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.9])
    drawn = np.array([[2.0, 0.0, 0.0, 1.0]])
    assert thresholds.choose(labels, scores, thresholds.YOUDEN, drawn) == [0.5]


def test_a_target_that_only_alarms_without_end_or_no_alarm_reaches():
    labels, scores = np.array([1, 0]), np.array([0.2, 1.0])
    assert thresholds.choose(labels, scores, Rule("sensitivity", 1.0)) == [0.1]
    assert thresholds.choose(labels, scores, Rule("specificity", 1.0)) > 1


@pytest.mark.parametrize(
    ("rule", "words"),
    zip(
        RULES,
        ["Youden's J", "sensitivity of at least 0.9", "80% specificity", "threshold 0.4"],
        strict=True,
    ),
)
def test_rules_have_words(rule, words):
    assert rule.words == words


def test_a_target_of_zero_means_youdens_j():
    assert thresholds.main_rule(0) == thresholds.YOUDEN
    assert thresholds.main_rule(0.95) == Rule("sensitivity", 0.95)
