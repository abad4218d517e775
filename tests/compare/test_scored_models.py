"""Models as the statistics take them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from components.artifacts.evaluation import logits
from components.compare import inputs
from components.compare.scored_models import ensemble, scored, scored_without_points, validation_images
from components.thresholds import YOUDEN, Rule


@pytest.fixture
def given(write):
    return inputs.load([write.evaluation("custom_cnn", seed=seed) for seed in (0, 1, 2)], write.summary())


def test_a_model_brings_its_thresholds_with_the_rules_by_which_they_were_chosen(given):
    found = scored(given.models[0])
    assert (found.threshold, found.rule) == (0.5, YOUDEN)
    assert found.points == {"threshold 0.5": 0.5, "90% specificity": 0.6}
    assert found.point_rules == {"90% specificity": Rule("specificity", 0.9)}
    assert len(found.validation) == len(validation_images(given).labels) == 160


def test_a_target_sensitivity_is_part_of_the_rule(given):
    given.models[0].record["made_by"]["arguments"]["target_sensitivity"] = 0.95
    assert scored(given.models[0]).rule == Rule("sensitivity", 0.95)
    assert scored_without_points(given.models[0]).rule == Rule("sensitivity", 0.95)


def test_other_images_keep_threshold_and_validation_scores(given):
    other = np.linspace(0, 1, 5)
    found = scored_without_points(given.models[1], other)
    assert (found.scores == other).all()
    assert (found.validation == given.models[1].validation_scores).all()


def test_an_ensemble_averages_logits_and_chooses_its_own_threshold_on_validation(given):
    found = ensemble(given.models)
    expected = np.mean([logits(model.scores) for model in given.models], axis=0)
    assert logits(found.scores) == pytest.approx(expected)
    singles = [roc_auc_score(given.labels, model.scores) for model in given.models]
    assert roc_auc_score(given.labels, found.scores) > np.mean(singles)
    false_alarms, sensitivity, _ = roc_curve(given.validation_labels, found.validation)
    called = found.validation >= found.threshold
    reached = called[given.validation_labels == 1].mean() - called[given.validation_labels == 0].mean()
    assert reached == pytest.approx((sensitivity - false_alarms).max())


def test_without_validation_images_thresholds_are_fixed(given):
    object.__setattr__(given, "validation_labels", np.empty(0, np.int64))
    assert validation_images(given) is None
