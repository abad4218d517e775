"""`results.json`: its format, its numbers, and what may not be compared."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from components.artifacts.evaluation import METRICS, Evaluation
from components.artifacts.names import FLOOR, REGIMES
from components.compare import inputs, results
from components.compare.__main__ import main
from components.compare.compare import compare
from components.compare.stats import resampling
from components.console import UserError
from tests.compare.conftest import make_scores

COSTS = {
    *("train_seconds", "epochs", "images_per_second", "peak_memory_mb", "peak_gpu_memory_mb", "parameters"),
    *("trainable_parameters", "model_mb", "inference_ms_per_image", "inference_images_per_second", "training_price"),
}


def build(write, evaluations, **summary):
    return results.build(inputs.load(evaluations, write.summary(**summary)), "run")


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
        *("recommendation", "floor", "pareto"),
    }
    assert set(found["run"]) == {"id", "started", "finished", "seed", "seeds", "versions", "hardware", "from_cache"}
    assert set(found["dataset"]) == {"source", "fingerprint", "image_size", "splits"}
    assert found["backbone"] == {"name": "MobileNetV2", "weights": "imagenet"}
    assert list(found["regimes"]) == list(REGIMES)
    for regime in [*found["regimes"].values(), {**found["floor"]}]:
        regime.pop("comparisons", None)
        assert set(regime) == {
            *("metrics", "threshold", "confusion", "robustness", "cost", "operating_points", "test_curve"),
            *("calibration", "subgroups", "time_to_auc"),
        }
        assert list(regime["metrics"]) == list(METRICS)
        assert set(regime["cost"]) == COSTS
        assert set(regime["threshold"]) == {"value", "chosen_on", "rule"}
    assert {"best", "fastest_within_margin", "smallest_within_margin", "why"} <= set(found["recommendation"])


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


def test_values_and_counts_are_those_of_the_predictions(compared):
    evaluation = Evaluation.load(compared.folder.parent / "custom_cnn")
    table = evaluation.split("test")
    found = compared.results["regimes"]["custom_cnn"]
    called = table["score"] >= 0.5
    assert found["metrics"]["accuracy"]["value"] == pytest.approx((called == table["label"]).mean())
    assert found["confusion"]["fp"] == (called & (table["label"] == 0)).sum()
    assert found["confusion"]["fn"] == (~called & (table["label"] == 1)).sum()
    assert sum(found["confusion"].values()) == len(table)


def test_results_csv_has_a_row_a_regime_with_metrics_intervals_and_cost(compared):
    table = pd.read_csv(compared.folder / "results.csv")
    assert list(table["regime"]) == [*REGIMES, FLOOR]
    assert table["title"][0] == "Custom CNN"
    expected = {"threshold", *COSTS} | {f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")}
    assert expected | {"regime", "title"} == set(table.columns)
    first = compared.results["regimes"]["custom_cnn"]
    assert table["roc_auc_high"][0] == pytest.approx(first["metrics"]["roc_auc"]["ci95"][1])
    assert table["parameters"][0] == 96_513


def test_counts_of_one_seed_stay_integers(compared):
    cost = compared.results["regimes"]["full_fine_tuning"]["cost"]
    assert all(isinstance(cost[name], int) for name in ("epochs", "parameters", "trainable_parameters"))
    assert cost["peak_gpu_memory_mb"] is None


def test_the_run_says_what_made_it(compared):
    run = compared.results["run"]
    assert (run["id"], run["seed"], run["seeds"]) == ("run-7", 0, [0])
    assert run["started"] == "2026-01-31T12:00:00Z"
    assert run["finished"] > run["started"]
    assert "numpy" in run["versions"]
    assert run["hardware"]["cpu"] == "A processor"


def test_a_subset_of_the_regimes_keeps_their_order(write):
    found = build(write, write.evaluations(("full_fine_tuning", "custom_cnn")))
    assert list(found["regimes"]) == ["custom_cnn", "full_fine_tuning"]
    assert len(found["comparisons"]) == len(METRICS)


def test_the_custom_cnn_alone_has_no_backbone_and_nothing_to_compare(write):
    found = build(write, write.evaluations(["custom_cnn"]))
    assert found["backbone"] == {"name": None, "weights": None}
    assert found["comparisons"] == []


def test_several_seeds_give_means_and_every_single_value(write):
    folders = [write.evaluation("custom_cnn", seed=seed, seconds=10.0 + seed) for seed in (4, 2)]
    found = build(write, folders)
    regime = found["regimes"]["custom_cnn"]
    singles = [build(write, [folder])["regimes"]["custom_cnn"] for folder in folders]
    assert list(regime["per_seed"]) == ["2", "4"]
    for name in METRICS:
        values = [single["metrics"][name]["value"] for single in singles]
        assert regime["metrics"][name]["value"] == pytest.approx(np.mean(values))
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
    narrow, wide = (build(write, folders)["regimes"]["custom_cnn"]["metrics"]["roc_auc"] for folders in (alike, apart))
    single = build(write, alike[:1])["regimes"]["custom_cnn"]["metrics"]["roc_auc"]
    assert narrow["ci95"] == pytest.approx(single["ci95"])
    assert np.ptp(wide["ci95"]) > 2 * np.ptp(narrow["ci95"])
    assert narrow["sd_seeds"] == 0 < wide["sd_seeds"]
    assert "sd_seeds" not in single


def first_scores(write):
    return Evaluation.load(write.evaluation("custom_cnn", "original")).split("test")["score"]


def test_the_order_of_the_images_does_not_matter(write):
    shuffled = write.index().sample(frac=1, random_state=0)
    scores = pd.Series(first_scores(write).to_numpy(), index=write.index().index)
    other = write.evaluation("full_fine_tuning", index=shuffled, scores=scores[shuffled.index])
    loaded = inputs.load([write.evaluation("custom_cnn"), other], write.summary())
    assert (loaded.models[0].scores == loaded.models[1].scores).all()


def test_a_score_that_is_the_threshold_itself_counts_as_pneumonia(write):
    score = np.float32(0.12345679)
    index = write.index(images=20, patients=20)
    folder = write.evaluation("custom_cnn", index=index, scores=np.full(20, score))
    path = folder / "evaluation.json"
    content = json.loads(path.read_text())
    content["threshold"]["value"] = float(score)
    path.write_text(json.dumps(content))
    assert build(write, [folder])["regimes"]["custom_cnn"]["metrics"]["recall"]["value"] == 1


def test_no_evaluation_is_an_error(write, tmp_path):
    with pytest.raises(UserError, match="pass at least one"):
        compare([], write.summary(), tmp_path / "out")


def test_two_evaluations_of_one_regime_and_seed_are_an_error(write):
    folders = [write.evaluation("custom_cnn", "first"), write.evaluation("custom_cnn", "second")]
    with pytest.raises(UserError, match="both custom_cnn with seed 0"):
        inputs.load(folders, write.summary())


@pytest.mark.parametrize("column", ["image", "label", "patient"])
def test_different_test_sets_are_an_error(write, column):
    other = write.index()
    other.loc[0, column] = {"image": "other.jpeg", "label": 0, "patient": "other"}[column]
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", index=other)]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())


def test_test_sets_of_different_size_are_an_error(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", index=write.index()[:-1])]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())


def test_another_dataset_than_the_summarys_is_an_error(write):
    with pytest.raises(UserError, match="another dataset"):
        inputs.load([write.evaluation("custom_cnn", fingerprint="cd" * 32)], write.summary())


@pytest.mark.parametrize("rows", [slice(0, 100), slice(0, 0)], ids=["only pneumonia", "nothing"])
def test_a_test_split_without_both_classes_is_an_error(write, rows):
    with pytest.raises(UserError, match="both normal and pneumonia"):
        inputs.load([write.evaluation("custom_cnn", index=write.index()[rows])], write.summary())


def test_scores_that_are_no_numbers_are_an_error(write):
    scores = np.full(300, 0.5)
    scores[3] = np.nan
    with pytest.raises(UserError, match="diverged"):
        inputs.load([write.evaluation("custom_cnn", scores=scores)], write.summary())


def test_an_unknown_regime_is_an_error(write):
    folder = write.evaluation("custom_cnn")
    text = (folder / "evaluation.json").read_text()
    (folder / "evaluation.json").write_text(text.replace('"regime": "custom_cnn"', '"regime": "guessing"'))
    with pytest.raises(UserError, match="unknown regime 'guessing'"):
        inputs.load([folder], write.summary())


def test_nothing_is_left_behind_after_an_error(write, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 50)
    monkeypatch.setattr("components.compare.report.plots.draw", lambda *_: 1 / 0)
    folders = write.evaluations(["custom_cnn"])
    with pytest.raises(ZeroDivisionError):
        compare(folders, write.summary(), tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_the_command_line_ends_with_one_plain_line(write, tmp_path, capsys):
    folder = write.evaluation("custom_cnn", fingerprint="cd" * 32)
    with pytest.raises(SystemExit) as stopped:
        main([str(folder), "--dataset", str(write.summary()), "--output", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m components.compare evaluations/custom_cnn" in capsys.readouterr().out


def test_the_floor_is_compared_with_every_regime_and_is_none_of_them(compared):
    floor = compared.results["floor"]
    assert FLOOR not in compared.results["regimes"]
    pairs = {(pair["a"], pair["b"], pair["metric"]) for pair in floor["comparisons"]}
    assert pairs == {(regime, FLOOR, metric) for regime in REGIMES for metric in ("roc_auc", "accuracy")}
    value = floor["metrics"]["roc_auc"]["value"]
    first = floor["comparisons"][0]
    assert first["difference"] == pytest.approx(
        compared.results["regimes"]["custom_cnn"]["metrics"]["roc_auc"]["value"] - value
    )
    assert FLOOR not in {pair[side] for pair in compared.results["comparisons"] for side in "ab"}


def test_without_a_floor_there_is_no_word_of_it(write):
    found = build(write, write.evaluations(["custom_cnn"]))
    assert "floor" not in found
    assert "floor" not in found["recommendation"]["why"]


def test_the_floor_alone_is_nothing_to_compare(write):
    with pytest.raises(UserError, match="pass an evaluation of a regime too"):
        inputs.load([write.evaluation(FLOOR)], write.summary())


def test_operating_points_tell_what_validations_thresholds_achieve_on_test(compared):
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
    found = build(write, [write.evaluation("custom_cnn", index=index, scores=scores)])["regimes"]["custom_cnn"]
    assert set(found["test_curve"].values()) == {0.0}


def test_calibration_is_told_before_and_after_what_was_fitted_on_validation(compared):
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


def test_subgroups_are_judged_on_their_own_images(compared):
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


def test_a_subgroup_of_one_class_has_no_figure_that_needs_the_other(write):
    index = write.index()
    index["patient_seen"] = index["label"] * index["patient_seen"]
    found = build(write, [write.evaluation("custom_cnn", index=index)])["regimes"]["custom_cnn"]["subgroups"]
    assert set(found["patient seen in training"]["metrics"]) == {"recall", "accuracy"}


def test_names_that_tell_no_subgroup_make_none(write):
    index = write.index().assign(subtype="", patient_seen=0)
    assert build(write, [write.evaluation("custom_cnn", index=index)])["regimes"]["custom_cnn"]["subgroups"] == {}


def test_prices_are_for_the_machine_that_trained(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", gpu="A GPU")]
    given = inputs.load(folders, write.summary())
    cost = {name: regime["cost"] for name, regime in results.build(given, "", 3.6, 0.36)["regimes"].items()}
    assert cost["custom_cnn"]["training_price"] == pytest.approx(9.4 * 0.36 / 3600)
    assert cost["full_fine_tuning"]["training_price"] == pytest.approx(245 * 3.6 / 3600)
    assert results.build(given, "", 3.6)["regimes"]["custom_cnn"]["cost"]["training_price"] is None


def test_a_price_that_is_none_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="price of a GPU hour is -1"):
        compare(write.evaluations(["custom_cnn"]), write.summary(), tmp_path / "out", gpu_hour_price=-1)


def test_a_second_data_set_is_judged_with_the_thresholds_of_the_first(write):
    other = write.index(images=150, patients=100)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", "full_fine_tuning", FLOOR)]
    found = build(write, folders)["external"]
    assert found["dataset"]["images"] == 150
    assert list(found["regimes"]) == ["custom_cnn", "full_fine_tuning"]
    table = Evaluation.load(folders[0]).split("external")
    metrics = found["regimes"]["custom_cnn"]["metrics"]
    assert set(metrics) == set(METRICS)
    assert metrics["roc_auc"]["value"] == pytest.approx(roc_auc_score(table["label"], table["score"]))
    assert metrics["accuracy"]["value"] == pytest.approx(((table["score"] >= 0.5) == table["label"]).mean())
    assert [pair["metric"] for pair in found["comparisons"]] == ["roc_auc", "accuracy"]
    assert set(found["floor"]["metrics"]) == set(METRICS)
    first = build(write, [write.evaluation("custom_cnn", "plain")])
    assert "external" not in first


def test_models_that_saw_different_second_data_sets_are_not_compared(write):
    folders = [write.evaluation("custom_cnn", external=write.index()), write.evaluation("full_fine_tuning")]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())
