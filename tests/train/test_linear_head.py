"""The head that is solved directly, against scikit-learn and known answers."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from components.console import UserError
from components.train.linear_head import STRENGTHS, Problem, fit_head


def examples(count=300, width=20, seed=0, informative=slice(0, 4)):
    """Correlated features, some of which say something about the label."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, width)) @ random.normal(size=(width, width)) / width**0.5
    signal = features[:, informative].sum(axis=1)
    labels = (signal + random.normal(size=count) > 0.3).astype(int)
    return features.astype(np.float32), labels, random.uniform(0.5, 2, count)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("columns", [slice(0, 20), slice(5, 12)])
def test_the_solution_is_that_of_scikit_learn(strength, columns):
    features, labels, weights = examples()
    width = columns.stop - columns.start
    found = Problem.of(features, labels, weights).solve(columns, strength, np.zeros(width + 1))
    reference = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000)
    reference.fit(features[:, columns].astype(np.float64), labels, sample_weight=weights)
    np.testing.assert_allclose(found[:-1], reference.coef_[0], atol=2e-3)
    np.testing.assert_allclose(found[-1], reference.intercept_[0], atol=2e-3)


def test_the_start_does_not_matter():
    problem = Problem.of(*examples())
    ends = [problem.solve(slice(0, 20), 0.1, start) for start in (np.zeros(21), np.full(21, 3.0))]
    np.testing.assert_allclose(*ends, atol=1e-3)


def test_features_that_are_copies_of_each_other_or_constant_are_no_problem():
    features, labels, weights = examples()
    doubled = np.concatenate([features, features, np.zeros_like(features)], axis=1)
    found = Problem.of(doubled, labels, weights).solve(slice(0, 60), 1.0, np.zeros(61))
    np.testing.assert_allclose(found[:20], found[20:40], atol=1e-3)
    np.testing.assert_allclose(found[40:60], 0, atol=1e-6)


def test_features_that_are_far_from_those_that_set_their_scale_are_no_problem():
    """A channel may be nearly constant in the images themselves, and vary in augmented ones."""
    features, labels, weights = examples()
    extreme = np.random.default_rng(2).normal(size=(300, 1)) * 1e4 + np.array([[0, 0.5, 1]])
    both = np.concatenate([features, extreme.astype(np.float32)], axis=1)
    found = Problem.of(both, labels, weights).solve(slice(0, 23), 1.0, np.zeros(24))
    assert np.isfinite(found).all()
    logits = both @ found[:-1] + found[-1]
    assert np.average(np.logaddexp(0, logits) - labels * logits, weights=weights) < 0.7


def solved(informative, widths, seed=0):
    features, labels, weights = examples(600, sum(widths.values()), seed, informative)
    train, validation = slice(0, 400), slice(400, None)
    reported = []
    head = fit_head(
        widths,
        (features[train], labels[train], weights[train]),
        (features[validation], labels[validation], weights[validation], np.arange(200)),
        reported.append,
    )
    return head, reported, features, labels


@pytest.mark.parametrize(("informative", "knows"), [(slice(20, 26), "c"), (slice(10, 16), "b"), (slice(0, 20), "ab")])
def test_validation_chooses_the_depths_that_know_the_label(informative, knows):
    head, reported, _, _ = solved(informative, {"a": 10, "b": 10, "c": 300})
    assert set(knows) <= set(head.fit.depths)
    if knows != "c":
        assert "c" not in head.fit.depths
        assert not head.kernel[20:].any()
    assert head.fit == reported[head.best_epoch - 1]
    highest = max(reported, key=lambda fit: (fit.validation_auc, -fit.validation_loss))
    assert reported[head.highest_auc_epoch - 1] == highest


def test_earlier_depths_are_added_to_the_better_of_the_last_two_while_that_helps():
    def tried(informative, widths):
        random = np.random.default_rng(5)
        features = random.normal(size=(2000, sum(widths.values()))).astype(np.float32)
        labels = (features[:, informative].sum(axis=1) + random.normal(size=2000) > 0).astype(int)
        known = features[:1500], labels[:1500], np.ones(1500)
        reported = []
        fit_head(widths, known, (features[1500:], labels[1500:], np.ones(500), np.arange(500)), reported.append)
        return list(dict.fromkeys(fit.depths for fit in reported))

    four = {"a": 10, "b": 10, "c": 10, "d": 200}
    assert tried(slice(0, 30), four) == [("c",), ("d",), ("b", "c"), ("a", "b", "c")]
    assert tried(slice(20, 30), four) == [("c",), ("d",), ("b", "c")]
    assert tried(slice(27, 70), four)[:3] == [("c",), ("d",), ("c", "d")]
    assert tried(slice(0, 10), {"a": 10}) == [("a",)]


def test_the_kernel_is_the_solution_of_the_chosen_fit():
    widths = {"a": 10, "b": 10, "c": 40}
    head, _, features, labels = solved(slice(10, 16), widths)
    logits = features[:400] @ head.kernel + head.bias
    weights = examples(600, 60, 0, slice(10, 16))[2][:400]
    losses = np.logaddexp(0, logits) - labels[:400] * logits
    assert np.average(losses, weights=weights) == pytest.approx(head.fit.train_loss, rel=1e-3)


def test_a_path_ends_where_weaker_penalties_overfit():
    _, reported, _, _ = solved(slice(0, 1), {"a": 300})
    pairs = list(itertools.pairwise(reported))
    worse = [a.validation_auc > b.validation_auc and a.validation_loss < b.validation_loss for a, b in pairs]
    assert worse.index(True) == len(pairs) - 1
    assert len(reported) < len(STRENGTHS)


def test_features_that_are_not_finite_are_the_weights_fault():
    features, labels, weights = examples()
    features[3, 3] = np.nan
    with pytest.raises(UserError, match="weights"):
        fit_head({"a": 20}, (features, labels, weights), (features, labels, weights, np.arange(300)), print)
