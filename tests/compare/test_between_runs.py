"""Two whole runs against each other."""

import json
import re
import shutil

import numpy as np
import pytest

from components.artifacts import files
from components.compare import between_runs, inputs, results, runs
from components.compare.__main__ import main
from components.compare.between_runs import compare_runs
from components.compare.stats.uncertainty import Estimate
from components.console import UserError


@pytest.fixture
def make_run(write, tmp_path):
    """Makes a run's folder, with evaluations in steps/."""

    def made(name, regimes=("custom_cnn", "full_fine_tuning"), ingest=None, image_size=96, **settings):
        steps = tmp_path / name / "steps" / "pipeline-1"
        for regime in regimes:
            folder = write.evaluation(regime, f"{name}-{regime}", **settings)
            shutil.copytree(folder, steps / f"evaluate-{regime}" / "evaluation")
        summary = write.summary()
        info = files.read_json(summary / "dataset.json", "prepared dataset")
        info |= {"image_size": image_size} | ({"ingest": ingest} if ingest else {})
        info["source"] |= {"name": "synthetic"} if ingest else {}
        shutil.copytree(summary, steps / "preprocess" / "dataset_summary")
        files.write_json(steps / "preprocess" / "dataset_summary" / "dataset.json", info)
        (tmp_path / name / "comparison").mkdir()
        files.write_json(tmp_path / name / "comparison" / "results.json", {})
        return tmp_path / name

    return made


def by_regime(found, metric="roc_auc"):
    return {pair["a"]: pair for pair in found["comparisons"] if pair["metric"] == metric}


def test_runs_on_the_same_images_are_paired_like_regimes(make_run, write, tmp_path):
    worse = write.index()
    scores = np.random.default_rng(3).normal(worse["label"], 1.2)
    a = make_run("a", ["custom_cnn"])
    b = make_run("b", ["custom_cnn"], index=worse, scores=1 / (1 + np.exp(-scores)), image_size=64)
    found = compare_runs(a, b / "comparison", tmp_path / "out")
    assert found["paired"]
    pair = by_regime(found)["custom_cnn"]
    assert pair["test"] == "DeLong over patients"
    assert by_regime(found, "accuracy")["custom_cnn"]["test"] == "McNemar, exact, over patients"
    # The same two sets of scores, as two regimes of one run, must give the same figures.
    both = [
        write.evaluation("custom_cnn", "one"),
        write.evaluation("full_fine_tuning", "two", index=worse, scores=1 / (1 + np.exp(-scores))),
    ]
    expected = results.build(inputs.load(both, write.summary()), "")["comparisons"][0]
    assert pair["difference"] == pytest.approx(expected["difference"])
    assert pair["ci95"] == pytest.approx(expected["ci95"])
    assert pair["p_value"] == pytest.approx(expected["p_value"])


def test_runs_on_different_images_are_not_paired_and_the_report_says_so(make_run, write, tmp_path, capsys):
    a, b = make_run("a"), make_run("b", index=write.index(images=260, patients=180))
    found = compare_runs(a, b, tmp_path / "out")
    assert not found["paired"]
    assert {pair["test"] for pair in found["comparisons"]} == {between_runs.UNPAIRED}
    assert "nothing is paired" in capsys.readouterr().out
    for name in ("report.html", "summary.md", "table.txt"):
        assert "no predictions are paired" in (tmp_path / "out" / name).read_text(encoding="utf-8")


def test_simulated_images_of_the_same_name_are_the_same_only_under_the_same_settings(make_run):
    easy = {"arguments": {"source": "synthetic", "synthetic_difficulty": 0.2, "seed": 1}}
    hard = {"arguments": {"source": "synthetic", "synthetic_difficulty": 0.8, "seed": 1}}
    first, again, other = (runs.load(make_run(name, ingest=own)) for name, own in zip("abc", (easy, easy, hard)))  # noqa: B905
    assert runs.same_test_images(first, again)
    assert not runs.same_test_images(first, other)


def test_folders_with_other_numbers_of_files_are_not_the_same_images_for_all_their_equal_names(make_run):
    first, other = make_run("a"), make_run("b")
    (path,) = other.glob("steps/**/dataset.json")
    info = files.read_json(path, "prepared dataset")
    info["quality"]["counts"] = {"train": {"NORMAL": 3}}
    files.write_json(path, info)
    assert not runs.same_test_images(runs.load(first), runs.load(other))


def test_an_unpaired_difference_has_welchs_variance_and_degrees_of_freedom():
    found = between_runs.difference(Estimate(0.9, 0.0004, 10), Estimate(0.8, 0.0009, 20))
    assert found.value == pytest.approx(0.1)
    assert found.variance == pytest.approx(0.0013)
    assert found.degrees_of_freedom == pytest.approx(0.0013**2 / (0.0004**2 / 10 + 0.0009**2 / 20))


def test_what_differs_is_told_and_what_is_alike_is_not(make_run, tmp_path):
    found = compare_runs(make_run("a"), make_run("b", image_size=128, gpu="A GPU"), tmp_path / "out")
    differing = {row["what"]: (row["a"], row["b"]) for row in found["differing"]}
    assert differing["image size"] == ("96 px", "128 px")
    assert differing["hardware"][1].endswith("GPU A GPU")
    assert "backbone" not in differing
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "- image size: 96 px against 128 px" in summary


def test_the_winner_is_named_and_regimes_without_a_difference_are_not_called_equal(make_run, write, tmp_path):
    index = write.index()
    noise = np.random.default_rng(0).random(len(index))
    found = compare_runs(
        make_run("good", ["custom_cnn"]), make_run("bad", ["custom_cnn"], scores=noise), tmp_path / "o"
    )
    assert between_runs.sentences(found)[0].startswith("ROC AUC is higher in good for Custom CNN (+0.")
    found = compare_runs(make_run("c", ["custom_cnn"]), make_run("d", ["custom_cnn"]), tmp_path / "o")
    assert "does not prove the runs equal" in between_runs.sentences(found)[0]
    assert found["comparisons"][0]["difference"] == 0


def test_only_shared_regimes_are_compared(make_run, tmp_path):
    a, b = make_run("a", ["custom_cnn", "transfer_learning"]), make_run("b", ["transfer_learning", "full_fine_tuning"])
    found = compare_runs(a, b, tmp_path / "out")
    assert set(by_regime(found)) == {"transfer_learning"}
    with pytest.raises(UserError, match="no regime in common"):
        compare_runs(make_run("c", ["custom_cnn"]), b, tmp_path / "out")


def test_runs_of_the_same_name_are_told_apart_by_their_paths(make_run, tmp_path):
    (tmp_path / "there").mkdir()
    shutil.move(make_run("x", gpu="A GPU"), tmp_path / "there" / "x")
    shutil.rmtree(tmp_path / "summary")
    shutil.rmtree(tmp_path / "x-custom_cnn")
    found = compare_runs(make_run("x"), tmp_path / "there" / "x", tmp_path / "out")
    assert [run["name"] for run in found["runs"]] == [str(tmp_path / "x"), str(tmp_path / "there" / "x")]
    with pytest.raises(UserError, match="are the same run"):
        compare_runs(tmp_path / "x", tmp_path / "x" / "comparison", tmp_path / "out")


def test_the_command_line_takes_two_runs_and_prints_the_differences(make_run, tmp_path, capsys):
    main([str(make_run("a")), str(make_run("b")), "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert re.search(r"Custom CNN +ROC AUC", printed)
    assert json.loads((tmp_path / "out" / "results.json").read_text())["kind"] == "comparison of runs"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<h1>") == 1
    assert "http:" not in page
    assert "<script" not in page


@pytest.mark.parametrize("number", [1, 3])
def test_other_numbers_of_runs_are_refused(make_run, tmp_path, capsys, number):
    with pytest.raises(SystemExit):
        main([*(str(make_run(f"run-{place}")) for place in range(number)), "--output", str(tmp_path / "out")])
    assert "two at a time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_without_its_steps_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "comparison").mkdir()
    files.write_json(tmp_path / "comparison" / "results.json", {})
    with pytest.raises(UserError, match="pass the folder that"):
        runs.load(tmp_path / "comparison")


def test_evaluations_without_the_summary_of_their_dataset_are_refused(write, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(write.evaluation("custom_cnn")), "--output", str(tmp_path / "out")])
    assert "add --dataset" in capsys.readouterr().err


def test_a_hostile_name_of_a_run_stays_text(make_run, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    compare_runs(make_run(hostile), make_run("b"), tmp_path / "out")
    for name in ("report.html", "summary.md"):
        assert "<img src=x" not in (tmp_path / "out" / name).read_text(encoding="utf-8")
