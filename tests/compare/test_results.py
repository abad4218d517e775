"""The numbers of a comparison as a whole."""

import json
import math

import pytest
from sklearn.metrics import roc_auc_score

from components import planning
from components.artifacts.evaluation import METRICS, Evaluation
from components.artifacts.names import FLOOR, REGIMES
from components.compare import inputs, results
from tests.compare.conftest import built

COSTS = {
    *("train_seconds", "epochs", "images_per_second", "peak_memory_mb", "peak_gpu_memory_mb", "parameters"),
    *("trainable_parameters", "model_mb", "inference_ms_per_image", "inference_images_per_second", "training_price"),
}


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, int | float) else []


def test_results_json_has_the_documented_keys(compared):
    found = json.loads((compared.folder / "results.json").read_text())
    assert found == compared.results
    assert (found["schema_version"], found["kind"]) == (1, "comparison")
    assert set(found) == {
        *("schema_version", "kind", "made_by", "run", "dataset", "backbone", "regimes", "comparisons"),
        *("recommendation", "floor", "baseline", "pareto", "noninferiority", "training_times", "planning"),
    }
    assert set(found["run"]) == {"id", "started", "finished", "seed", "seeds", "versions", "hardware", "from_cache"}
    assert set(found["dataset"]) >= {"source", "fingerprint", "image_size", "splits", "seen_in_training"}
    assert found["backbone"] == {"name": "MobileNetV2", "weights": "imagenet"}
    assert list(found["regimes"]) == list(REGIMES)
    for regime in [*found["regimes"].values(), {**found["floor"]}]:
        regime.pop("comparisons", None)
        assert set(regime) == {
            *("metrics", "threshold", "confusion", "robustness", "cost", "operating_points", "test_curve"),
            *("calibration", "subgroups", "time_to_auc", "validation", "shift"),
        }
        assert list(regime["metrics"]) == list(METRICS)
        assert set(regime["cost"]) == COSTS
        assert set(regime["threshold"]) == {"value", "chosen_on", "rule"}
    assert {"best", "fastest_within_margin", "smallest_within_margin", "why"} <= set(found["recommendation"])


def test_the_planning_is_that_of_the_summary_or_for_earlier_summaries_that_of_the_test_images(write):
    given = inputs.load([write.evaluation("custom_cnn")], write.summary())
    computed = planning.plan(given.labels, given.patients)
    assert results.build(given, "")["planning"] == computed
    given.dataset.info["planning"] = {**computed, "validation_patients": {"normal": 9, "pneumonia": 70}}
    assert results.build(given, "")["planning"] == given.dataset.info["planning"]


def test_every_number_is_finite_and_lies_in_its_interval(compared):
    assert all(math.isfinite(number) for number in numbers_in(compared.results))
    for regime in compared.results["regimes"].values():
        for name in METRICS:
            low, high = regime["metrics"][name]["ci95"]
            assert low <= regime["metrics"][name]["value"] <= high
            assert low < high


def test_every_pair_is_compared_in_every_metric(compared):
    pairs = compared.results["comparisons"]
    assert len(pairs) == 6 * len(METRICS)
    assert [pair["metric"] for pair in pairs[::6]][:2] == ["roc_auc", "accuracy"]
    assert {pair["metric"] for pair in pairs} == set(METRICS)
    for pair in pairs:
        a, b = (compared.results["regimes"][pair[side]]["metrics"][pair["metric"]]["value"] for side in "ab")
        assert pair["difference"] == pytest.approx(a - b)
        assert pair["ci95"][0] <= pair["difference"] <= pair["ci95"][1]
        assert 0 < pair["p_value"] <= pair["p_value_holm"] <= 1
    clear = next(pair for pair in pairs if (pair["a"], pair["b"]) == ("custom_cnn", "full_fine_tuning"))
    assert clear["p_value_holm"] < 0.05
    assert clear["difference"] < 0


def test_the_run_says_what_made_it(compared):
    run = compared.results["run"]
    assert (run["id"], run["seed"], run["seeds"]) == ("run-7", 0, [0])
    assert run["started"] == "2026-01-31T12:00:00Z"
    assert run["finished"] > run["started"]
    assert "numpy" in run["versions"]
    assert run["hardware"]["cpu"] == "A processor"


def test_a_subset_of_the_regimes_keeps_their_order(write):
    found = built(write, write.evaluations(("full_fine_tuning", "custom_cnn")))
    assert list(found["regimes"]) == ["custom_cnn", "full_fine_tuning"]
    assert len(found["comparisons"]) == len(METRICS)


def test_the_custom_cnn_alone_has_no_backbone_and_nothing_to_compare(write):
    found = built(write, write.evaluations(["custom_cnn"]))
    assert found["backbone"] == {"name": None, "weights": None}
    assert found["comparisons"] == []


def test_the_baseline_is_compared_with_every_regime_and_is_not_one_of_them(compared):
    baseline = compared.results["floor"]
    assert FLOOR not in compared.results["regimes"]
    pairs = {(pair["a"], pair["b"], pair["metric"]) for pair in baseline["comparisons"]}
    assert pairs == {(regime, FLOOR, metric) for regime in REGIMES for metric in ("roc_auc", "accuracy")}
    value = baseline["metrics"]["roc_auc"]["value"]
    first = baseline["comparisons"][0]
    assert first["difference"] == pytest.approx(
        compared.results["regimes"]["custom_cnn"]["metrics"]["roc_auc"]["value"] - value
    )
    assert FLOOR not in {pair[side] for pair in compared.results["comparisons"] for side in "ab"}


def test_without_a_baseline_it_is_not_mentioned(write):
    found = built(write, write.evaluations(["custom_cnn"]))
    assert "floor" not in found
    assert "baseline" not in found["recommendation"]["why"]


def test_the_external_test_set_is_evaluated_with_the_thresholds_of_validation(write):
    other = write.index(images=150, patients=100)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", "full_fine_tuning", FLOOR)]
    found = built(write, folders)["external"]
    assert found["dataset"]["images"] == 150
    assert list(found["regimes"]) == ["custom_cnn", "full_fine_tuning"]
    table = Evaluation.load(folders[0]).split("external")
    metrics = found["regimes"]["custom_cnn"]["metrics"]
    assert set(metrics) == set(METRICS)
    assert metrics["roc_auc"]["value"] == pytest.approx(roc_auc_score(table["label"], table["score"]))
    assert metrics["accuracy"]["value"] == pytest.approx(((table["score"] >= 0.5) == table["label"]).mean())
    assert [pair["metric"] for pair in found["comparisons"]] == ["roc_auc", "accuracy"]
    assert set(found["floor"]["metrics"]) == set(METRICS)
    first = built(write, [write.evaluation("custom_cnn", "plain")])
    assert "external" not in first


def test_older_and_newer_names_have_the_same_content(write):
    other = write.index(images=150, patients=100)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", FLOOR)]
    found = built(write, folders)
    assert found["baseline"] == found["floor"]
    assert found["external_test"] == found["external"]
    assert found["external"]["baseline"] == found["external"]["floor"]


def test_a_run_without_a_pre_trained_regime_may_have_no_hardware(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary())
    given.models[0].record["training"]["hardware"] = None
    assert results.build(given, "")["run"]["hardware"] is None


def test_intervals_of_the_same_predictions_are_always_the_same(compared):
    metrics = compared.results["regimes"]["custom_cnn"]["metrics"]
    expected = {
        "f1": [0.8932231357560977, 0.9557387711244814],
        "mcc": [0.7375890729517998, 0.8917214028659171],
        "roc_auc": [0.9547244809843127, 0.9846688266337079],
    }
    assert {name: metrics[name]["ci95"] for name in expected} == {
        name: pytest.approx(ends, rel=1e-9) for name, ends in expected.items()
    }
    pair = next(pair for pair in compared.results["comparisons"] if pair["metric"] == "f1")
    assert pair["p_value"] == pytest.approx(0.05916103884356811, rel=1e-9)


def test_a_run_lasts_from_its_first_step_to_its_last(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary())
    given.models[0].record["made_by"] |= {"started": "2026-02-01T00:00:00Z", "finished": "2026-02-02T00:00:00Z"}
    given.dataset.info["made_by"] |= {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-02T00:00:00Z"}
    run = results.build(given, "")["run"]
    assert (run["started"], run["finished"]) == ("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z")
