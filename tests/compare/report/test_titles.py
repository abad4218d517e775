"""Titles of everything that tables and plots show."""

import pytest

from components.artifacts.evaluation import METRICS
from components.compare.report import titles
from components.compare.stats.cost import COSTS


def test_every_metric_and_every_cost_has_a_title():
    assert set(titles.METRIC_TITLES) == set(METRICS)
    assert set(titles.COST_TITLES) == set(COSTS)
    assert {*titles.MAIN_METRICS, *titles.SUMMARY_METRICS} <= set(METRICS)
    assert set(titles.SUBGROUP_TITLES) == set(titles.SUBGROUP_DESCRIPTIONS)


def test_axes_have_units_where_ticks_have_none():
    assert titles.cost_axis("model_mb") == "Model size (MB)"
    assert titles.cost_axis("train_seconds") == "Training time"


@pytest.mark.parametrize(
    ("backbone", "title"),
    [
        ({"name": "ResNet50", "weights": "imagenet"}, "ResNet50, weights: ImageNet"),
        ({"name": "ResNet50", "weights": "none"}, "ResNet50, weights: none (random)"),
        ({"name": "ResNet50", "weights": "own.weights.h5 (ab12)"}, "ResNet50, weights: own.weights.h5 (ab12)"),
        ({"name": None, "weights": None}, "none"),
    ],
)
def test_a_backbone_is_named_with_the_source_of_its_weights(backbone, title):
    assert titles.backbone_title(backbone) == title


@pytest.mark.parametrize(("parts", "text"), [(["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")])
def test_an_enumeration_ends_with_and(parts, text):
    assert titles.listed(parts) == text
