"""Which epoch is kept: within one standard error of the highest ROC AUC, the one with the lowest loss."""

import numpy as np
import pytest

from components.roc_auc import covariance_of_areas
from components.train.selection import Candidate, EpochChoice

RANDOM = np.random.default_rng(5)
LABELS = np.arange(200) % 2
PATIENTS = np.arange(200)
SIGNAL = RANDOM.normal(size=200) + 2.5 * LABELS
NOISE = RANDOM.normal(size=(9, 200))
CLOSE, FAR = SIGNAL + 0.2 * NOISE[2], SIGNAL + 0.3 * NOISE[2]
"""Logits whose ROC AUC is lower than that of SIGNAL, by less and by more than one standard error of the difference."""


def candidate(epoch, loss, logits):
    return Candidate(epoch, float(covariance_of_areas(LABELS, PATIENTS, logits[None])[0][0]), loss, logits)


def chosen(*candidates, patients=PATIENTS):
    choice = EpochChoice(LABELS, patients)
    for number in candidates:
        choice.add(number, lambda number=number: f"weights {number.epoch}")
    return choice


def error(one, other, patients=PATIENTS):
    """Standard error of the difference between two ROC AUCs."""
    covariance = covariance_of_areas(LABELS, patients, np.stack([one.logits, other.logits]))[1]
    return (np.array([1, -1]) @ covariance @ [1, -1]) ** 0.5


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_epochs_within_one_standard_error_the_one_with_the_lower_loss_is_chosen(order):
    highest = candidate(order[0], 0.4, SIGNAL)
    other = candidate(order[1], 0.2, CLOSE)
    assert 0 < highest.auc - other.auc < error(highest, other)
    assert chosen(*sorted([highest, other], key=lambda item: item.epoch)).epoch == other.epoch


def test_an_epoch_that_is_worse_by_more_than_one_paired_standard_error_is_not_chosen_for_its_loss():
    highest, other = candidate(1, 0.4, SIGNAL), candidate(2, 0.2, FAR)
    single = covariance_of_areas(LABELS, PATIENTS, SIGNAL[None])[1][0, 0] ** 0.5
    assert error(highest, other) < highest.auc - other.auc < single, "one that is not paired would take it"
    assert chosen(highest, other).epoch == 1


def test_the_standard_error_is_between_patients():
    """The same images as those of few patients, so that the difference is less certain."""
    highest, other = candidate(1, 0.4, SIGNAL), candidate(2, 0.2, FAR)
    order = np.argsort(SIGNAL - other.logits)
    few = np.empty(200, int)
    few[order] = np.arange(200) // 20  # images with similar differences are those of one patient
    assert error(highest, other, few) > highest.auc - other.auc
    assert chosen(highest, other, patients=few).epoch == 2


def test_of_equal_rankings_the_lowest_loss_and_of_equal_scores_the_first_epoch_is_chosen():
    choice = chosen(candidate(1, 0.5, SIGNAL), candidate(2, 0.3, 2 * SIGNAL), candidate(3, 0.3, 3 * SIGNAL))
    assert (choice.epoch, choice.candidates, choice.state) == (2, [2], "weights 2")


def test_a_better_epoch_leaves_the_others_behind():
    choice = chosen(candidate(1, 0.3, CLOSE - NOISE[0]), candidate(2, 0.2, NOISE[0]))
    assert choice.candidates == [1]
    choice.add(candidate(3, 0.9, SIGNAL), lambda: "weights 3")
    assert (choice.epoch, choice.candidates, choice.state) == (3, [3], "weights 3")


def test_weights_are_copied_of_candidates_only():
    choice, copied = EpochChoice(LABELS, PATIENTS), []
    trials = [
        candidate(1, 0.4, SIGNAL),
        candidate(2, 0.5, SIGNAL),  # the same ranking with a higher loss
        candidate(3, 0.2, NOISE[0]),  # a lower loss, but far from the best ranking
        candidate(4, 0.3, CLOSE),
    ]
    for trial in trials:
        choice.add(trial, lambda trial=trial: copied.append(trial.epoch))
    assert (copied, choice.candidates, choice.epoch) == ([1, 4], [1, 4], 4)


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_is_that_of_the_rule_applied_to_all_epochs_at_the_end(seed):
    random = np.random.default_rng(seed)
    trials = [candidate(i + 1, random.uniform(), SIGNAL + 0.7 * NOISE[i]) for i in random.permutation(9)]
    highest = max(trials, key=lambda trial: trial.auc)
    equal = [trial for trial in trials if highest.auc - trial.auc <= error(highest, trial)]
    assert chosen(*trials).epoch == min(equal, key=lambda trial: trial.loss).epoch


def test_before_the_first_epoch_there_is_no_choice():
    assert (chosen().epoch, chosen().candidates) == (0, [])
