"""The numbers of `label_budgets` in `results.json`."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from components.artifacts.label_budgets import LabelBudgets
from components.compare import budget_inputs, inputs
from components.compare.__main__ import main
from components.compare.compare import build, compare
from components.compare.stats import budgets as stats
from components.compare.stats import crossing as changes

PAIR = ("custom_cnn", "full_fine_tuning")


def built(write, folders, price=0.0, evaluations=None, **settings):
    given = inputs.load(evaluations or write.evaluations(PAIR, **settings), write.summary())
    loaded = budget_inputs.load(folders, given)
    return build(given, "", budgets=loaded, label_price=price)


def test_points_are_means_over_draws_and_the_last_one_is_that_of_the_comparison(write):
    folder = write.budgets("custom_cnn")
    found = built(write, [folder])
    regime = found["label_budgets"]["regimes"]["custom_cnn"]
    loaded = LabelBudgets.load(folder)
    labels = loaded.images["label"]
    assert [point["patients"] for point in regime["points"]] == [50, 100, 200, 400, 3000]
    assert [point["all"] for point in regime["points"]] == [False] * 4 + [True]
    assert [point["trainings"] for point in regime["points"]] == [3, 3, 3, 3, 1]
    for number, point in enumerate(regime["points"][:-1]):
        scores = loaded.scores[3 * number : 3 * number + 3]
        assert point["roc_auc"]["value"] == pytest.approx(np.mean([roc_auc_score(labels, row) for row in scores]))
        accuracy = np.mean([accuracy_score(labels, row >= 0.5) for row in scores])
        assert point["accuracy"]["value"] == pytest.approx(accuracy)
        for metric in ("roc_auc", "accuracy"):
            assert point[metric]["ci95"][0] < point[metric]["value"] < point[metric]["ci95"][1]
    for metric in ("roc_auc", "accuracy"):
        assert regime["points"][-1][metric] == found["regimes"]["custom_cnn"]["metrics"][metric]


def test_differences_with_all_patients_are_those_of_the_comparison(write):
    found = built(write, [write.budgets(name) for name in PAIR])
    (pair,) = found["label_budgets"]["pairs"]
    expected = next(own for own in found["comparisons"] if own["metric"] == "roc_auc")
    last = pair["differences"][-1]
    assert (last["patients"], last["difference"]) == (3000, pytest.approx(expected["difference"]))
    assert last["ci95"] == pytest.approx(expected["ci95"])
    assert last["ahead"] == "full_fine_tuning"


def test_with_all_patients_the_correction_counts_regimes_without_budgets_too(write, monkeypatch):
    compared, compare_all = [], changes.comparisons.compare_all

    def counted(pairs, *arguments):
        compared.append(list(pairs))
        return compare_all(pairs, *arguments)

    monkeypatch.setattr(changes, "comparisons", SimpleNamespace(compare_all=counted))
    names = ("custom_cnn", "transfer_learning", "full_fine_tuning")
    found = built(write, [write.budgets(name) for name in PAIR], evaluations=write.evaluations(names))
    assert [len(pairs) for pairs in compared] == [3]
    assert [(own["a"], own["b"]) for own in found["label_budgets"]["pairs"]] == [PAIR]
    assert tuple(found["label_budgets"]["regimes"]) == PAIR


def test_regimes_with_the_same_scores_are_nowhere_ahead(write):
    random = np.random.default_rng(0)
    index = write.index()
    scores = {
        (budget, draw): (index["label"] + random.normal(size=len(index))).clip(-3, 4).to_numpy() / 7 + 3 / 7
        for budget in (50, 100)
        for draw in (1, 2, 3)
    }
    folders = [write.budgets(name, budgets=(50, 100), scores=scores) for name in PAIR]
    (pair,) = built(write, folders)["label_budgets"]["pairs"]
    for gap in pair["differences"][:-1]:
        assert gap["difference"] == pytest.approx(0, abs=1e-12)
        assert gap["ahead"] is None
    assert pair["crossing"] is None


def test_regimes_that_change_places_are_shown_to_cross(write):
    folders = [write.budgets("custom_cnn", slowness=0.5), write.budgets("full_fine_tuning", slowness=6.5)]
    (pair,) = built(write, folders)["label_budgets"]["pairs"]
    crossing = pair["crossing"]
    assert (crossing["first"], crossing["second"]) == PAIR
    assert crossing["up_to"] < crossing["patients"] < crossing["starting_at"]
    low, high = crossing["ci95"]
    assert low < crossing["patients"] < high
    # Half the separation of the better one is lost where the curves meet: 2.6 (1 - 0.5 / r) = 3.8 (1 - 6.5 / r).
    expected = ((3.8 * 6.5 - 2.6 * 0.5) / (3.8 - 2.6)) ** 2
    assert crossing["patients"] == pytest.approx(expected, rel=0.3)


def test_the_cost_of_labels_and_of_twice_as_many(write):
    found = built(write, [write.budgets("custom_cnn")], price=2.5)["label_budgets"]
    assert found["label_price"] == 2.5
    assert [(cost["patients"], cost["price"]) for cost in found["costs"]] == [
        *((50, 125.0), (100, 250.0), (200, 500.0), (400, 1000.0), (3000, 7500.0), (6000, 15000.0)),
    ]
    assert found["costs"][0]["split"] == {"train": 40, "validation": 10}
    assert found["costs"][-2]["split"] == {"train": 2400, "validation": 600}
    assert found["costs"][-1]["split"] is None
    free = built(write, [write.budgets("custom_cnn")])["label_budgets"]
    assert free["label_price"] is None
    assert {cost["price"] for cost in free["costs"]} == {None}


def test_the_cost_of_the_trainings_is_apart_from_that_of_the_regime(write):
    found = built(write, [write.budgets("custom_cnn", seconds=77.0)])
    assert found["label_budgets"]["cost_of_trainings"]["custom_cnn"] == {
        **{"trainings": 12, "diverged": 0, "seconds": 77.0, "shared_seconds": 3.0, "peak_memory_mb": 900.0},
        "left_out": {},
    }
    assert found["regimes"]["custom_cnn"]["cost"]["train_seconds"] == 9.4


def test_without_label_budgets_the_comparison_is_the_same_as_before(write):
    without, found = built(write, []), built(write, [write.budgets("custom_cnn")])
    del found["label_budgets"]
    times = {"started": "", "finished": ""}
    first, second = ({**own, "run": {**own["run"], **times}} for own in (without, found))
    assert json.dumps(first) == json.dumps(second)


def test_a_failure_is_a_result(write):
    found = built(write, [write.budgets("custom_cnn"), write.failure("full_fine_tuning")])["label_budgets"]
    assert found["failed"] == {
        "full_fine_tuning": {"cause": "out of memory", "reason": "use a smaller --batch-size", "seconds": 185.0}
    }
    assert list(found["regimes"]) == ["custom_cnn"]


def test_failures_alone_are_results_too(write):
    found = built(write, [write.failure("full_fine_tuning")])["label_budgets"]
    assert (found["patients"], found["draws"], found["regimes"], found["pairs"]) == (None, 0, {}, [])


def test_a_regime_whose_main_training_failed_has_no_point_with_all_patients(write):
    evaluations = [write.evaluation("custom_cnn"), write.failure("full_fine_tuning", "main")]
    found = built(write, [write.budgets(name) for name in PAIR], evaluations=evaluations)["label_budgets"]
    assert found["regimes"]["full_fine_tuning"]["points"][-1]["patients"] == 400
    assert found["regimes"]["full_fine_tuning"]["doubling"] is None
    assert [gap["patients"] for gap in found["pairs"][0]["differences"]] == [50, 100, 200, 400]


def test_without_any_budget_there_is_the_run_itself_and_no_curve(write):
    found = built(write, [write.budgets("custom_cnn", budgets=(), left_out={"50": "too few"})])["label_budgets"]
    regime = found["regimes"]["custom_cnn"]
    assert [point["all"] for point in regime["points"]] == [True]
    assert regime["curve"] is None
    assert "fewer than four" in regime["why_no_curve"]


@pytest.mark.medium
def test_the_external_test_set_has_results_of_its_own(write):
    other = write.index(images=150, patients=100).assign(image=lambda table: "x/" + table["image"])
    folders = [write.budgets(name, external=other) for name in PAIR]
    found = built(write, folders, external=other)
    outside = found["label_budgets"]["external"]
    loaded = LabelBudgets.load(folders[0])
    rows = loaded.images["split"] == "external"
    scores = loaded.scores[:3][:, rows]
    expected = np.mean([roc_auc_score(loaded.images["label"][rows], row) for row in scores])
    points = outside["regimes"]["custom_cnn"]["points"]
    assert points[0]["roc_auc"]["value"] == pytest.approx(expected)
    assert points[-1]["roc_auc"] == found["external"]["regimes"]["custom_cnn"]["metrics"]["roc_auc"]
    assert "external" not in built(write, [write.budgets("custom_cnn", "plain")])["label_budgets"]


@pytest.mark.medium
def test_the_same_trainings_always_give_the_same_results(write):
    folders = [write.budgets(name) for name in PAIR]
    first, second = (built(write, folders)["label_budgets"] for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_results_json_and_csv_have_the_same_numbers(write, tmp_path, no_plots):  # noqa: ARG001
    folders = [write.budgets(name) for name in PAIR]
    summary = write.summary()
    compare(write.evaluations(PAIR), summary, tmp_path / "out", label_budgets=folders, label_price=2.0)
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["made_by"]["arguments"]["label_price"] == 2.0
    found = content["label_budgets"]
    assert found["samples"] == stats.SAMPLES
    table = pd.read_csv(tmp_path / "out" / "label_budgets.csv")
    assert list(table.columns) == [
        *("regime", "title", "patients", "all", "train_patients", "validation_patients", "trainings", "label_price"),
        *("roc_auc", "roc_auc_low", "roc_auc_high", "accuracy", "accuracy_low", "accuracy_high"),
    ]
    assert len(table) == 10
    for row, (name, point) in zip(
        table.to_dict("records"),
        [(name, point) for name, regime in found["regimes"].items() for point in regime["points"]],
        strict=True,
    ):
        assert (row["regime"], row["patients"], row["all"]) == (name, point["patients"], point["all"])
        assert row["label_price"] == 2 * point["patients"]
        assert row["roc_auc"] == pytest.approx(point["roc_auc"]["value"])
        assert [row["accuracy_low"], row["accuracy_high"]] == pytest.approx(point["accuracy"]["ci95"])
    compare(write.evaluations(PAIR), summary, tmp_path / "out")
    assert not (tmp_path / "out" / "label_budgets.csv").exists()


def test_the_command_line_takes_the_folders_and_the_price(write, tmp_path, capsys, no_plots):  # noqa: ARG001
    words = [*map(str, write.evaluations(PAIR)), "--dataset", str(write.summary()), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main([*words, "--label-price", "3"])
    assert "--label-price has no effect without --label-budgets" in capsys.readouterr().err
    main([*words, "--label-price", "3", "--label-budgets", *(str(write.budgets(name)) for name in PAIR)])
    found = json.loads((tmp_path / "out" / "results.json").read_text())["label_budgets"]
    assert (found["label_price"], list(found["regimes"])) == (3, list(PAIR))
