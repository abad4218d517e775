"""The folder of a task's checkpoints: removed at the end, used by one process, named by what the result depends on."""

import errno
import fcntl
import shutil
import threading
import time

import pytest

from components.console import UserError
from components.train import checkpoint_folder
from components.train.checkpoint_folder import key_of, opened
from tests.train.conftest import most_at_once


@pytest.fixture
def said():
    return []


def test_the_place_is_removed_at_the_end_and_kept_after_an_error(tmp_path, said):
    with pytest.raises(ZeroDivisionError), opened(tmp_path, "key", said.append) as place:
        (place.folder / "seed-1").mkdir()
        raise ZeroDivisionError
    assert (tmp_path / "key" / "seed-1").is_dir()
    with opened(tmp_path, "key", said.append) as place:
        assert (place.folder / "seed-1").is_dir()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, said):
    (tmp_path / "key" / "seed-1").mkdir(parents=True)
    (tmp_path / "key" / "seed-1" / ".state.npz.partial-123").write_text("half")
    (tmp_path / "key" / ".seed-1-finished.partial-123").mkdir()
    with opened(tmp_path, "key", said.append) as place:
        assert sorted(path.name for path in place.folder.rglob("*")) == ["lock", "seed-1"]


def test_two_processes_never_use_the_same_checkpoints(tmp_path, said):
    with opened(tmp_path, "key", said.append), opened(tmp_path, "key", said.append, wait=0) as second:
        assert second.folder is None
    assert "another process" in said[-1]
    with opened(tmp_path, "other", said.append), opened(tmp_path, "key", said.append, wait=0) as second:
        assert second.folder is not None


@pytest.mark.medium
def test_the_lock_of_a_process_that_ends_is_waited_for(tmp_path, said):
    (tmp_path / "key").mkdir()
    lock = (tmp_path / "key" / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(0.5, lock.close).start()
    begun = time.monotonic()
    with opened(tmp_path, "key", said.append, wait=20) as place:
        assert place.folder is not None
    assert 0.3 < time.monotonic() - begun < 10
    assert "waiting" in said[0]


def test_a_folder_that_cannot_be_written_to_is_an_error_before_anything_is_trained(tmp_path, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="checkpoints"), opened(tmp_path / "file", "key", said.append):
        pass


def test_without_a_folder_there_is_no_place(said):
    with opened("", "key", said.append) as place:
        assert place.folder is None


def test_the_key_depends_on_the_regime_the_parts_and_the_code(monkeypatch):
    keys = [key_of("custom_cnn", {"epochs": 3}), key_of("custom_cnn", {"epochs": 4}), key_of("other", {"epochs": 3})]
    monkeypatch.setattr(checkpoint_folder, "_code", lambda: "changed")
    keys.append(key_of("custom_cnn", {"epochs": 3}))
    assert len(set(keys)) == 4
    monkeypatch.undo()
    assert key_of("custom_cnn", {"epochs": 3}) == keys[0]


def test_the_code_that_trains_is_part_of_the_key(tmp_path, monkeypatch):
    package = tmp_path / "components"
    shutil.copytree(checkpoint_folder.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "compare"))
    monkeypatch.setattr(checkpoint_folder, "PACKAGE", package)
    keys = {key_of("custom_cnn", {})}
    for name in ("train/fitting.py", "train/bundled.npz", "roc_auc.py", "artifacts/names.py"):
        with (package / name).open("ab") as file:
            file.write(b" ")
        keys.add(key_of("custom_cnn", {}))
    assert len(keys) == 5
    (package / "evaluate" / "scoring.py").write_text("")
    assert key_of("custom_cnn", {}) in keys, "what comes after training changes no training"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_on_a_full_or_lost_store_the_training_has_no_checkpoints(tmp_path, said, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, "no store")

    monkeypatch.setattr(checkpoint_folder.Path, "mkdir", fail)
    with opened(tmp_path, "key", said.append) as place:
        assert place.folder is None
    assert "no store" in said[0]


@pytest.mark.medium
def test_who_waits_for_a_place_that_is_removed_gets_a_new_one_alone(tmp_path):
    assert most_at_once(lambda: opened(tmp_path, "key", lambda _: None, wait=20), 4) == [1, 1, 1, 1]
