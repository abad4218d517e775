"""The distributions of the scores on validation and test."""

import numpy as np
import pytest

from components.artifacts.evaluation import logits
from components.compare import inputs, results
from components.compare.report.plots.scores import score_distributions


@pytest.fixture
def drawn(write):
    given = inputs.load([write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)], write.summary())
    found = results.build(given, "")
    return given, found, score_distributions(found, given)


def test_each_class_has_its_cumulative_shares_on_both_splits_and_every_threshold(drawn):
    given, found, drawing = drawn
    for axes, label in zip(drawing.figure.axes, (0, 1), strict=True):
        validation, test, *thresholds = axes.lines
        pooled = np.concatenate([model.scores[given.labels == label] for model in given.models])
        assert list(test.get_xdata()) == pytest.approx(np.sort(logits(pooled)))
        assert test.get_ydata()[-1] == 1
        assert len(validation.get_xdata()) == 2 * np.sum(given.validation_labels == label)
        assert [line.get_xdata()[0] for line in thresholds] == pytest.approx([0.0, 0.0])
    distance = found["regimes"]["custom_cnn"]["shift"]["kolmogorov_smirnov"]["normal"]
    assert drawing.alt.startswith(f"Custom CNN, normal: distance {distance:.3f}")


def test_without_validation_nothing_is_drawn(drawn):
    given, found, _ = drawn
    del found["regimes"]["custom_cnn"]["shift"]
    assert score_distributions(found, given) is None
