"""The numbers of one regime."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from components.artifacts.evaluation import METRICS, Evaluation
from components.compare import inputs, regime_results, results
from components.compare.regime_results import Prices
from tests.compare.conftest import built, make_scores


def test_values_and_counts_are_those_of_the_predictions(compared):
    evaluation = Evaluation.load(compared.folder.parent / "custom_cnn")
    table = evaluation.split("test")
    found = compared.results["regimes"]["custom_cnn"]
    called = table["score"] >= 0.5
    assert found["metrics"]["accuracy"]["value"] == pytest.approx((called == table["label"]).mean())
    assert found["confusion"]["fp"] == (called & (table["label"] == 0)).sum()
    assert found["confusion"]["fn"] == (~called & (table["label"] == 1)).sum()
    assert sum(found["confusion"].values()) == len(table)


def test_counts_of_one_seed_stay_integers(compared):
    cost = compared.results["regimes"]["full_fine_tuning"]["cost"]
    assert all(isinstance(cost[name], int) for name in ("epochs", "parameters", "trainable_parameters"))
    assert cost["peak_gpu_memory_mb"] is None


def test_several_seeds_give_means_and_every_single_value(write):
    folders = [write.evaluation("custom_cnn", seed=seed, seconds=10.0 + seed) for seed in (4, 2)]
    found = built(write, folders)
    regime = found["regimes"]["custom_cnn"]
    singles = [built(write, [folder])["regimes"]["custom_cnn"] for folder in folders]
    assert list(regime["per_seed"]) == ["2", "4"]
    for name in METRICS:
        values = [single["metrics"][name]["value"] for single in singles]
        assert regime["metrics"][name]["value"] == pytest.approx(np.mean(values))
        assert regime["metrics"][name]["sd_seeds"] == pytest.approx(np.std(values, ddof=1))
        assert regime["per_seed"]["4"][name] == values[0]
    assert regime["confusion"]["tp"] == sum(single["confusion"]["tp"] for single in singles)
    assert regime["cost"]["train_seconds"] == 13.0
    assert (found["run"]["seed"], found["run"]["seeds"]) == (2, [2, 4])


def test_seeds_that_differ_widen_the_interval(write):
    index = write.index()
    alike = [
        write.evaluation("custom_cnn", f"alike-{seed}", seed=seed, scores=make_scores(index, 2.6, 1)) for seed in (0, 1)
    ]
    apart = [
        write.evaluation("custom_cnn", f"apart-{seed}", seed=seed, scores=make_scores(index, separation, 1))
        for seed, separation in enumerate((2.2, 3.0))
    ]
    narrow, wide = (built(write, folders)["regimes"]["custom_cnn"]["metrics"]["roc_auc"] for folders in (alike, apart))
    single = built(write, alike[:1])["regimes"]["custom_cnn"]["metrics"]["roc_auc"]
    assert narrow["ci95"] == pytest.approx(single["ci95"])
    assert np.ptp(wide["ci95"]) > 2 * np.ptp(narrow["ci95"])
    assert narrow["sd_seeds"] == 0 < wide["sd_seeds"]
    assert "sd_seeds" not in single


def test_a_score_that_is_the_threshold_itself_counts_as_pneumonia(write):
    score = np.float32(0.12345679)
    index = write.index(images=20, patients=20)
    folder = write.evaluation("custom_cnn", index=index, scores=np.full(20, score))
    path = folder / "evaluation.json"
    content = json.loads(path.read_text())
    content["threshold"]["value"] = float(score)
    path.write_text(json.dumps(content))
    assert built(write, [folder])["regimes"]["custom_cnn"]["metrics"]["recall"]["value"] == 1


def test_operating_points_are_validation_thresholds_evaluated_on_test(compared):
    table = Evaluation.load(compared.folder.parent / "custom_cnn").split("test")
    half, specific = compared.results["regimes"]["custom_cnn"]["operating_points"]
    assert (half["name"], half["chosen_on"], specific["chosen_on"]) == ("threshold 0.5", None, "validation")
    called = table["score"] >= 0.6
    assert specific["metrics"]["specificity"]["value"] == pytest.approx(1 - called[table["label"] == 0].mean())
    assert specific["metrics"]["recall"]["value"] == pytest.approx(called[table["label"] == 1].mean())
    low, high = specific["metrics"]["recall"]["ci95"]
    assert low < specific["metrics"]["recall"]["value"] < high


def test_sensitivity_at_a_specificity_is_read_off_the_test_curve(compared):
    table = Evaluation.load(compared.folder.parent / "custom_cnn").split("test")
    found = compared.results["regimes"]["custom_cnn"]["test_curve"]
    false_alarms, sensitivity, _ = roc_curve(table["label"], table["score"], drop_intermediate=False)
    for specificity in (0.9, 0.95):
        expected = sensitivity[false_alarms <= 1 - specificity + 1e-9].max()
        assert found[f"sensitivity at {specificity:.0%} specificity"] == pytest.approx(expected)


def test_a_pneumonia_that_scores_like_the_last_normal_image_below_the_threshold_is_below_it_too(write):
    index = write.index(images=40, patients=40)
    scores = np.where(index["label"] == 1, 0.5, np.where(np.arange(40) % 2 == 0, 0.5, 0.1))
    found = built(write, [write.evaluation("custom_cnn", index=index, scores=scores)])["regimes"]["custom_cnn"]
    assert set(found["test_curve"].values()) == {0.0}


def test_calibration_is_measured_before_and_after_platt_scaling(compared):
    table = Evaluation.load(compared.folder.parent / "custom_cnn").split("test")
    found = compared.results["regimes"]["custom_cnn"]["calibration"]
    assert (found["temperature"], found["offset"], found["fitted_on"]) == (1.4, 0.3, "validation")
    scores = table["score"].to_numpy()
    after = 1 / (1 + ((1 - scores) / scores) ** (1 / 1.4) * np.exp(-0.3))
    assert found["before"]["brier"]["value"] == pytest.approx(((scores - table["label"]) ** 2).mean())
    assert found["after"]["brier"]["value"] == pytest.approx(((after - table["label"]) ** 2).mean(), abs=1e-6)
    assert found["before"]["brier"]["value"] != pytest.approx(found["after"]["brier"]["value"], rel=1e-3)
    for stage, values in (("before", scores), ("after", after)):
        points = found[stage]["reliability"]
        assert sum(point["images"] for point in points) == len(table)
        gaps = sum(point["images"] * abs(point["score"] - point["pneumonia"]) for point in points)
        assert gaps / len(table) == pytest.approx(found[stage]["ece"]["value"])
        assert points[0]["score"] == pytest.approx(values[values < 1 / 15].mean(), abs=1e-6)


def test_subgroups_are_evaluated_on_their_own_images(compared):
    table = Evaluation.load(compared.folder.parent / "custom_cnn").split("test")
    found = compared.results["regimes"]["custom_cnn"]["subgroups"]
    assert list(found) == ["bacteria", "virus", "patient seen in training", "patient new"]
    viral = table[(table["subtype"] == "virus") | (table["label"] == 0)]
    assert found["virus"]["images"] == len(viral)
    assert found["virus"]["metrics"]["roc_auc"]["value"] == pytest.approx(roc_auc_score(viral["label"], viral["score"]))
    known = table[table["patient_seen"] == 1]
    right = (known["score"] >= 0.5) == known["label"]
    assert found["patient seen in training"]["metrics"]["accuracy"]["value"] == pytest.approx(right.mean())
    assert found["patient seen in training"]["patients"] == known["patient"].nunique()
    low, high = found["virus"]["metrics"]["recall"]["ci95"]
    assert 0 < low < found["virus"]["metrics"]["recall"]["value"] < high < 1


def test_a_subgroup_of_one_class_has_no_metric_that_needs_the_other(write):
    index = write.index()
    index["patient_seen"] = index["label"] * index["patient_seen"]
    found = built(write, [write.evaluation("custom_cnn", index=index)])["regimes"]["custom_cnn"]["subgroups"]
    assert set(found["patient seen in training"]["metrics"]) == {"recall", "accuracy"}


def test_there_are_no_subgroups_where_nothing_is_known_of_the_images(write):
    index = write.index().assign(subtype="", patient_seen=0)
    assert built(write, [write.evaluation("custom_cnn", index=index)])["regimes"]["custom_cnn"]["subgroups"] == {}


def test_prices_are_for_the_machine_that_trained(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", gpu="A GPU")]
    given = inputs.load(folders, write.summary())
    cost = {name: regime["cost"] for name, regime in results.build(given, "", Prices(3.6, 0.36))["regimes"].items()}
    assert cost["custom_cnn"]["training_price"] == pytest.approx(9.4 * 0.36 / 3600)
    assert cost["full_fine_tuning"]["training_price"] == pytest.approx(245 * 3.6 / 3600)
    assert results.build(given, "", Prices(3.6))["regimes"]["custom_cnn"]["cost"]["training_price"] is None


def test_means_are_over_the_known_values():
    found = regime_results.means([{"a": 1, "b": None, "c": None}, {"a": 2, "b": 5, "c": None, "d": 3}])
    assert found == {"a": 1.5, "b": 5, "c": None, "d": 3}


def test_a_common_value_stays_as_it_is():
    found = regime_results.fmean_or_common([3, 3])
    assert found == 3
    assert isinstance(found, int)


def test_a_level_that_one_seed_did_not_reach_has_no_time(write):
    folders = [write.evaluation("custom_cnn", seed=seed, seconds=80.0) for seed in (0, 1)]
    given = inputs.load(folders, write.summary())
    for epoch in given.models[1].record["training"]["history"]:
        epoch["validation_auc"] = min(epoch["validation_auc"], 0.94)
        epoch["seconds"] *= 2
    found = results.build(given, "")["regimes"]["custom_cnn"]["time_to_auc"]
    assert found == {"0.9": 45.0, "0.95": None, "0.98": None, "0.99": None}


def test_matthews_correlation_has_an_interval_between_its_own_bounds(write):
    index = write.index()
    wrong = write.evaluation("custom_cnn", scores=np.where(index["label"] == 1, 0.1, 0.9))
    entry = built(write, [wrong])["regimes"]["custom_cnn"]["metrics"]["mcc"]
    assert [entry["value"], entry["ci95"][0]] == pytest.approx([-1, -1])
    assert -1 < entry["ci95"][1] < -0.8


def test_thresholds_and_calibration_of_several_seeds_are_means(write):
    given = inputs.load([write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)], write.summary())
    record = given.models[1].record
    record["threshold"]["value"] = 0.7
    record["operating_points"][1]["threshold"] = 0.8
    record["calibration"] |= {"temperature": 2.0, "offset": -0.5}
    found = results.build(given, "")["regimes"]["custom_cnn"]
    assert found["threshold"]["value"] == pytest.approx(0.6)
    assert [point["threshold"] for point in found["operating_points"]] == pytest.approx([0.5, 0.7])
    assert found["calibration"]["temperature"] == pytest.approx(1.7)
    assert found["calibration"]["offset"] == pytest.approx(-0.1)


def test_validation_and_the_shift_from_there_are_those_of_the_predictions(compared):
    evaluation = Evaluation.load(compared.folder.parent / "custom_cnn")
    before, after = evaluation.split("validation"), evaluation.split("test")
    found = compared.results["regimes"]["custom_cnn"]

    def youden(table):
        called = table["score"] >= 0.5
        return called[table["label"] == 1].mean() - called[table["label"] == 0].mean()

    validation, shift = found["validation"], found["shift"]
    assert (validation["images"], validation["patients"]) == (160, 120)
    assert validation["metrics"]["roc_auc"]["value"] == pytest.approx(roc_auc_score(before["label"], before["score"]))
    assert validation["metrics"]["youden"]["value"] == pytest.approx(youden(before))
    assert shift["youden"]["value"] == pytest.approx(youden(after))
    assert shift["youden_validation"] == pytest.approx(youden(before) - shift["optimism"])
    assert shift["youden_change"]["value"] == pytest.approx(youden(after) - youden(before) + shift["optimism"])
    false_alarms, sensitivity, _ = roc_curve(after["label"], after["score"])
    assert shift["best_youden"] == pytest.approx((sensitivity - false_alarms).max())
    assert set(shift["kolmogorov_smirnov"]) == {"normal", "pneumonia"}
    low, high = shift["youden_change"]["ci95"]
    assert shift["shown"] == (not low <= 0 <= high)


def test_the_change_of_calibration_is_paired(compared):
    evaluation = Evaluation.load(compared.folder.parent / "custom_cnn")
    table, fit = evaluation.split("test"), compared.results["regimes"]["custom_cnn"]["calibration"]
    logit = np.log(table["score"] / (1 - table["score"]))
    after = 1 / (1 + np.exp(-(logit / 1.4 + 0.3)))
    gap = (after - table["label"]) ** 2 - (table["score"] - table["label"]) ** 2
    assert fit["brier_change"]["value"] == pytest.approx(gap.mean(), abs=1e-6)
    width = np.ptp(fit["brier_change"]["ci95"])
    assert width < np.ptp(fit["before"]["brier"]["ci95"])
    assert fit["after"]["slope"]["value"] == pytest.approx(1.4 * fit["before"]["slope"]["value"], rel=1e-4)


def test_scores_that_separate_the_classes_have_no_slope(write):
    index = write.index()
    scores = np.where(index["label"] == 1, 0.8, 0.2) + 0.1 * np.random.default_rng(0).random(len(index))
    found = built(write, [write.evaluation("custom_cnn", index=index, scores=scores)])
    assert found["regimes"]["custom_cnn"]["calibration"]["before"]["slope"] is None


def test_the_seeds_of_a_regime_are_an_ensemble_at_several_times_the_cost(write):
    folders = [write.evaluation("custom_cnn", seed=seed, seconds=10.0 + seed) for seed in (4, 2)]
    found = built(write, [*folders, write.evaluation("full_fine_tuning")])
    assert list(found["ensembles"]) == ["custom_cnn"]
    ensemble, regime = found["ensembles"]["custom_cnn"], found["regimes"]["custom_cnn"]
    assert (ensemble["seeds"], ensemble["train_seconds"]) == (2, 26.0)
    assert ensemble["inference_ms_per_image"] == pytest.approx(2 * regime["cost"]["inference_ms_per_image"])
    assert ensemble["metrics"]["roc_auc"]["value"] > regime["metrics"]["roc_auc"]["value"]
    assert "ensembles" not in built(write, folders[:1])
