"""Time to a quality and the regimes that are not beaten."""

import numpy as np
import pytest
from scipy import stats

from components.compare.stats import cost
from components.compare.stats.cost import pareto, time_to_auc, training_price


def regime(auc, seconds, price=None):
    costs = {"train_seconds": seconds, "peak_memory_mb": 10, "model_mb": 1, "inference_ms_per_image": 1}
    return {"cost": costs | {"training_price": price}, "metrics": {"roc_auc": {"value": auc}}}


def test_a_regime_is_on_the_front_unless_another_is_as_cheap_and_better():
    regimes = {
        "slow and best": regime(0.99, 300),
        "quick": regime(0.97, 20),
        "slower and worse than quick": regime(0.96, 30),
        "as quick as quick, but worse": regime(0.95, 20),
        "twin of quick": regime(0.97, 20),
    }
    found = pareto(regimes)
    assert found["train_seconds"] == ["quick", "twin of quick", "slow and best"]
    assert found["model_mb"] == ["slow and best"]
    assert "training_price" not in found


def test_prices_count_where_every_regime_has_one():
    assert pareto({"a": regime(0.9, 1, 0.5), "b": regime(0.8, 1, 0.1)})["training_price"] == ["b", "a"]
    assert "training_price" not in pareto({"a": regime(0.9, 1, 0.5), "b": regime(0.8, 1)})


def test_the_first_epoch_that_reaches_a_level_counts():
    aucs = [0.5, 0.91, None, 0.96, 0.94, 0.985]
    history = [{"seconds": 2.0 * n, "validation_auc": auc} for n, auc in enumerate(aucs, start=1)]
    assert time_to_auc(history) == {"0.9": 4.0, "0.95": 8.0, "0.98": 12.0, "0.99": None}
    assert set(time_to_auc([]).values()) == {None}


@pytest.mark.parametrize("level", ["0.9", "0.95"])
def test_reaching_a_level_exactly_counts(level):
    assert time_to_auc([{"seconds": 1.0, "validation_auc": float(level)}])[level] == 1.0


@pytest.mark.parametrize(
    ("hardware", "price"), [({"gpu": "A GPU"}, 4.0), ({"gpu": None}, 0.5), (None, 0.5)], ids=["GPU", "CPU", "unknown"]
)
def test_the_price_is_that_of_the_machine_for_the_time_of_training(hardware, price):
    training = {"hardware": hardware, "cost": {"train_seconds": 7200}}
    assert training_price(training, 2.0, 0.25) == price
    assert training_price(training, 0.0, 0.0) is None


def test_training_times_are_compared_by_welchs_test_of_their_logarithms():
    seconds = {"a": [10.0, 11.0, 12.0], "b": [20.0, 24.0, 21.0], "c": [10.5, 14.0, 9.0]}
    found = {(pair["a"], pair["b"]): pair for pair in cost.time_ratios(seconds)}
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    expected = stats.ttest_ind(np.log(seconds["a"]), np.log(seconds["b"]), equal_var=False)
    assert found["a", "b"]["ratio"] == pytest.approx((10 * 11 * 12 / (20 * 24 * 21)) ** (1 / 3))
    assert np.log(found["a", "b"]["ci95"]) == pytest.approx(list(expected.confidence_interval(0.95)))
    assert found["a", "b"]["shown"]
    assert not found["a", "c"]["shown"]


def test_times_that_were_measured_once_are_never_shown_to_differ():
    (pair,) = cost.time_ratios({"a": [10.0], "b": [200.0, 210.0]})
    assert (pair["ci95"], pair["shown"]) == (None, False)
    assert pair["ratio"] < 0.05
