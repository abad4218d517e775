"""What is recorded of a run, without MLflow."""

import copy
from dataclasses import replace

import pytest

from components.artifacts.compared_models import column
from components.record import content
from components.record.content import Benchmark, Origin
from tests.record.conftest import SEEDS

ORIGIN = Origin("a run")
ASKED = {"regime": "custom_cnn", "learning_rate": 1e-3, "trainable_layers": 30, "tune_learning_rate": "0.5 1 2"}


@pytest.fixture
def given(made):
    """The benchmark, whose records tests may change."""
    found = Benchmark.load(made / "comparison")
    return replace(
        found,
        results=copy.deepcopy(found.results),
        compared=replace(found.compared, record=copy.deepcopy(found.compared.record)),
    )


def search(training, rate, **asked):
    """Makes a training one that was asked for with a search, and has kept this learning rate."""
    arguments = ASKED | asked
    given = {name: arguments[name] for name in ("learning_rate", "trainable_layers")}
    training["made_by"]["arguments"] = arguments | {"learning_rate": rate, "trainable_layers": 10}
    training["recipe"]["learning_rate"] = rate
    training["tuning"] = {"varied": ["learning_rate"], "given": given, "candidates": [], "chosen": 1}


def of_custom_cnn(given):
    """The records of its models, by seed."""
    return {own["seed"]: own for own in given.compared.record["models"] if own["regime"] == "custom_cnn"}


@pytest.mark.medium
def test_after_a_search_the_parameters_are_those_that_were_asked_for(given):
    first = given.compared.record["models"][0]
    search(first["training"], 5e-4)
    parameters = content.benchmark(given, ORIGIN).parameters
    assert (parameters["learning_rate"], parameters["trainable_layers"]) == ("0.001", "30")
    assert parameters["tune_learning_rate"] == "0.5 1 2"
    assert content.model(given, ORIGIN, first).parameters["learning_rate"] == "0.0005", "its own is what it has"


def test_the_recipe_is_what_was_asked_for_whatever_a_search_has_found(given):
    def recipes(*searches):
        for own, (rate, asked) in zip(of_custom_cnn(given).values(), searches, strict=True):
            search(own["training"], rate, **asked)
        tags = [content.model(given, ORIGIN, own).tags for own in of_custom_cnn(given).values()]
        return len({own["pneumonia_benchmark.recipe"] for own in tags})

    without = content.benchmark(given, ORIGIN).tags["pneumonia_benchmark.recipe"]
    assert recipes((5e-4, {}), (1e-3, {}), (2e-3, {})) == 1
    assert content.benchmark(given, ORIGIN).tags["pneumonia_benchmark.recipe"] != without
    assert recipes((5e-4, {}), (5e-4, {"tune_learning_rate": "0.5 1"}), (5e-4, {"learning_rate": 5e-4})) == len(SEEDS)
    assert recipes((5e-4, {}), (5e-4, {"tune_trainable_layers": "5 10"}), (5e-4, {"trainable_layers": 5})) == len(SEEDS)


def test_label_budgets_are_recorded_as_they_were_asked_for(given):
    assert "label_budgets" not in content.benchmark(given, ORIGIN).parameters
    costs = [{"patients": patients} for patients in (50, 100, 2490, 4980)]
    given.results["label_budgets"] = {"patients": 2490, "draws": 3, "costs": costs}
    parameters = content.benchmark(given, ORIGIN).parameters
    assert (parameters["label_budgets"], parameters["draws"]) == ("50 100", "3")


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_an_area_without_an_error_has_no_interval(given, area):
    record = of_custom_cnn(given)[2]
    assert "roc_auc_ci_low" in content.model(given, ORIGIN, record).metrics
    table = given.compared.predictions.copy()
    table[column("custom_cnn", 2)] = table["label"] if area else 1 - table["label"]
    metrics = content.model(replace(given, compared=replace(given.compared, predictions=table)), ORIGIN, record).metrics
    assert metrics.keys() >= {"roc_auc", "accuracy"}
    assert not metrics.keys() & {"roc_auc_ci_low", "roc_auc_ci_high"}
