"""Reading two whole runs."""

import shutil

import pytest

from components.artifacts import files
from components.compare import runs
from components.compare.between_runs import compare_runs
from components.console import UserError


def test_simulated_images_of_the_same_name_are_the_same_only_under_the_same_settings(make_run):
    easy = {"arguments": {"source": "synthetic", "synthetic_difficulty": 0.2, "seed": 1}}
    hard = {"arguments": {"source": "synthetic", "synthetic_difficulty": 0.8, "seed": 1}}
    first, again, other = (runs.load(make_run(name, ingest=own)) for name, own in zip("abc", (easy, easy, hard)))  # noqa: B905
    assert runs.same_test_images(first, again)
    assert not runs.same_test_images(first, other)


def test_folders_with_other_numbers_of_files_have_other_images_despite_equal_names(make_run):
    first, other = make_run("a"), make_run("b")
    (path,) = other.glob("steps/**/dataset.json")
    info = files.read_json(path, "prepared dataset")
    info["quality"]["counts"] = {"train": {"NORMAL": 3}}
    files.write_json(path, info)
    assert not runs.same_test_images(runs.load(first), runs.load(other))


def test_only_shared_regimes_are_compared(make_run, tmp_path):
    a, b = make_run("a", ["custom_cnn", "transfer_learning"]), make_run("b", ["transfer_learning", "full_fine_tuning"])
    assert runs.shared_regimes(*runs.load_two(a, b)) == ["transfer_learning"]
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


def test_a_run_without_its_steps_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "comparison").mkdir()
    files.write_json(tmp_path / "comparison" / "results.json", {})
    with pytest.raises(UserError, match="pass the folder that"):
        runs.load(tmp_path / "comparison")
