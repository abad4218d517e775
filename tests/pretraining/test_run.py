"""The command line: pictures of all classes, mistakes, and the whole way on a small scale."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from components.console import UserError
from pretraining import run

RECIPE = {
    "backbone": "MobileNetV2-0.5",
    "classes": 3,
    "pictures": 25,
    "size": 40,
    "crop": 32,
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.05,
    "seed": 4,
}
WORDS = [f"--{name.replace('_', '-')}={value}" for name, value in RECIPE.items()]


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        run.main(words)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.medium
def test_a_class_is_drawn_alike_whatever_else_is_drawn(tmp_path):
    pictures = run.draw_all(tmp_path, RECIPE)
    assert pictures.shape == (3, 25, 40, 40)
    for number in (2, 0):
        assert np.array_equal(pictures[number], run.draw_class(number, 25, 40, 4))
    assert not np.array_equal(run.draw_class(0, 3, 40, 4), run.draw_class(0, 3, 40, 5))
    assert not np.array_equal(pictures[0], pictures[1])


def test_pictures_are_drawn_once(tmp_path, monkeypatch):
    drawn = run.draw_all(tmp_path, RECIPE)
    monkeypatch.setattr(run, "ProcessPoolExecutor", None)
    assert np.array_equal(run.draw_all(tmp_path, RECIPE), drawn)


@pytest.mark.medium
def test_a_drawing_that_was_interrupted_is_not_taken_for_whole(tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(np.memmap, "flush", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        run.draw_all(tmp_path, RECIPE)
    assert not (tmp_path / "pictures.npy").exists()
    assert run.draw_all(tmp_path, RECIPE).any(axis=(1, 2, 3)).all()


def test_a_folder_of_another_recipe_is_refused(tmp_path, capsys):
    (tmp_path / "recipe.json").write_text(
        json.dumps({"schema_version": 1, "kind": "pre-training recipe", "recipe": RECIPE | {"seed": 5}})
    )
    said = refused(capsys, *WORDS, f"--folder={tmp_path}")
    assert f"{tmp_path} has results of another recipe" in said
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.json"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--classes=1", "--classes is 1: give 2 or more"),
        ("--pictures=1", "--pictures is 1: give 2 or more"),
        ("--epochs=0", "--epochs is 0: give 1 or more"),
        ("--batch-size=0", "--batch-size is 0: give 1 or more"),
        ("--seed=-1", "--seed is -1: give 0 or more"),
        ("--crop=16", "--crop is 16: give 32 or more"),
        ("--crop=41", "--crop is 41 px, but pictures have 40 px"),
        ("--learning-rate=0", "--learning-rate is 0: give a number between 0 and 10"),
        ("--learning-rate=nan", "--learning-rate is nan"),
        ("--batch-size=73", "fewer training pictures than --batch-size 73"),
        ("--backbone=VGG16", "invalid choice: 'VGG16'"),
    ],
)
def test_a_mistake_is_named_before_anything_is_written(word, message, tmp_path, capsys):
    assert message in refused(capsys, *WORDS, f"--folder={tmp_path / 'new'}", word)
    assert not (tmp_path / "new").exists()


def test_the_largest_batch_that_the_pictures_fill_is_taken():
    run._check(RECIPE | {"batch_size": 72})  # 3 x (25 - 1 held out)
    with pytest.raises(UserError):
        run._check(RECIPE | {"batch_size": 73})


@pytest.mark.slow
def test_the_whole_way_on_a_small_scale_and_again_when_said_again(tmp_path):
    command = [sys.executable, "-m", "pretraining.run", *WORDS, f"--folder={tmp_path}"]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "epoch 2 of 2: loss" in first.stdout
    assert re.search(r"2 epochs in \d+ minutes", first.stdout)
    assert "on held-out pictures (chance: 0.333)" in first.stdout
    with np.load(tmp_path / "weights.npz") as stored:
        before = {name: stored[name] for name in stored.files}
    assert "Conv1/kernel" in before
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resuming after epoch 2" in again.stdout
    with np.load(tmp_path / "weights.npz") as stored:
        assert all(np.array_equal(stored[name], before[name]) for name in before)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["made_by"]["arguments"] == RECIPE
    assert report["weights_bytes"] < 4e6
