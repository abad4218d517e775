"""Checkpoints on disk: replaced as a whole, checked when they are read, and never the end of a training."""

import errno
import fcntl
import threading
import time
import zipfile

import numpy as np
import pytest

from components.artifacts import files, trained_model
from components.console import UserError
from components.train import checkpoint
from components.train.checkpoint import Checkpoint, key_of, opened

CONTENT = {
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(3, np.int64)],
    "records": [{"epoch": 1, "loss": 0.1 + 0.2, "auc": float("nan")}],
    "order": {"state": {"state": 2**100 + 1}, "has": None},
    "empty": [],
}


@pytest.fixture
def said():
    return []


@pytest.fixture
def kept(tmp_path, said):
    return Checkpoint(tmp_path / "seed-1", said.append)


def equal(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return repr(one) == repr(other)


def test_what_is_loaded_is_what_was_saved_to_the_bit(kept):
    kept.save("state", CONTENT)
    assert equal(kept.load("state"), CONTENT)


def test_a_later_checkpoint_replaces_the_earlier_one_and_leaves_nothing_else(kept, tmp_path):
    kept.save("state", CONTENT)
    kept.save("state", {"epoch": 2})
    assert kept.load("state") == {"epoch": 2}
    assert [path.name for path in (tmp_path / "seed-1").iterdir()] == ["state.npz"]


def test_without_a_folder_nothing_is_kept(said, tmp_path):
    nothing = Checkpoint(None, said.append)
    nothing.save("state", CONTENT)
    assert nothing.load("state") is None
    assert not nothing.due(epoch_complete=True)
    assert not nothing.worth_storing(1, 1e9)
    assert nothing.finished(tmp_path / "model") is None
    assert not said


def flip(path):
    """Changes a byte of an array, far from the archive's own structure."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("arr_0.npy")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + info.file_size - 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no archive"),
        lambda path: np.savez(path.open("wb"), other=np.zeros(3)),
        lambda path: np.savez(path.open("wb"), json=np.array({"a": 1}, dtype=object)),
    ],
    ids=["a bit", "cut off", "empty", "text", "other arrays", "an object that would be executed"],
)
def test_a_damaged_checkpoint_is_said_and_removed(kept, said, tmp_path, damage):
    kept.save("state", CONTENT)
    damage(tmp_path / "seed-1" / "state.npz")
    assert kept.load("state") is None
    assert "damaged" in said[0]
    assert not (tmp_path / "seed-1" / "state.npz").exists()


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_training_goes_on_with_the_last_checkpoint(kept, said, tmp_path, monkeypatch):
    kept.save("state", {"epoch": 1})
    monkeypatch.setattr(checkpoint.os, "fsync", full_disk)
    kept.save("state", {"epoch": 2})
    assert "No space left" in said[0]
    kept.save("state", {"epoch": 3})
    assert len(said) == 1, "it tries no more"
    assert not kept.due(epoch_complete=True)
    assert [path.name for path in (tmp_path / "seed-1").iterdir()] == ["state.npz"]
    assert Checkpoint(tmp_path / "seed-1", said.append).load("state") == {"epoch": 1}


def test_where_the_store_is_gone_the_training_goes_on(kept, said, tmp_path):
    (tmp_path / "seed-1").write_text("a file in the place of the folder")
    kept.save("state", CONTENT)
    assert "without checkpoints" in said[0]


def test_saving_takes_a_small_share_of_the_time(kept, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint, "_write", lambda *_: now.__setitem__(0, now[0] + 2))
    assert Checkpoint(kept._folder, print).due(epoch_complete=True), "the first epoch is saved"
    kept.save("state", {})
    now[0] += 2 / checkpoint.SHARE - 1
    assert not kept.due(epoch_complete=True)
    now[0] += 1
    assert kept.due(epoch_complete=True)
    assert kept.due(epoch_complete=False)


def test_a_long_epoch_is_saved_in_between(kept, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept.save("state", {})
    now[0] += checkpoint.WITHIN_EPOCH - 1
    assert not kept.due(epoch_complete=False)
    now[0] += 1
    assert kept.due(epoch_complete=False)


def test_features_that_are_computed_faster_than_saved_are_not_stored(kept):
    size = checkpoint.SHARE * checkpoint.STORE_RATE * 10
    assert kept.worth_storing(int(size), 10)
    assert not kept.worth_storing(int(size) + 1, 10)


@pytest.fixture
def model(tmp_path):
    """A finished model and its record."""
    record = files.header(trained_model.KIND, files.now(), {}) | {"regime": "custom_cnn", "seed": 1}
    folder = tmp_path / "made"
    folder.mkdir()
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("weights", "w" * 1000)
    return folder, record


def test_a_finished_model_takes_the_place_of_its_checkpoint(kept, model, tmp_path):
    folder, record = model
    kept.save("state", CONTENT)
    kept.finish(folder, record)
    assert not (tmp_path / "seed-1").exists()
    found = kept.finished(tmp_path / "taken")
    assert found == record
    assert (tmp_path / "taken" / "model.keras").read_bytes() == (folder / "model.keras").read_bytes()


@pytest.mark.parametrize("name", ["model.keras", "training.json"])
def test_a_damaged_finished_model_is_trained_again(kept, said, model, tmp_path, name):
    kept.finish(*model)
    path = tmp_path / "seed-1-finished" / name
    path.write_bytes(path.read_bytes().replace(b"w" * 50, b"v" * 50)[: 400 if name == "training.json" else None][:-1])
    assert kept.finished(tmp_path / "taken") is None
    assert "trained again" in said[-1]
    assert not (tmp_path / "taken").exists()
    assert not (tmp_path / "seed-1-finished").exists()


def test_the_place_is_removed_at_the_end_and_kept_after_an_error(tmp_path, said):
    with pytest.raises(ZeroDivisionError), opened(tmp_path, "key", said.append) as place:
        (place / "seed-1").mkdir()
        raise ZeroDivisionError
    assert (tmp_path / "key" / "seed-1").is_dir()
    with opened(tmp_path, "key", said.append) as place:
        assert (place / "seed-1").is_dir()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, said):
    (tmp_path / "key" / "seed-1").mkdir(parents=True)
    (tmp_path / "key" / "seed-1" / ".state.npz.partial-123").write_text("half")
    (tmp_path / "key" / ".seed-1-finished.partial-123").mkdir()
    with opened(tmp_path, "key", said.append) as place:
        assert sorted(path.name for path in place.rglob("*")) == ["lock", "seed-1"]


def test_two_processes_never_use_the_same_checkpoints(tmp_path, said):
    with opened(tmp_path, "key", said.append), opened(tmp_path, "key", said.append, wait=0) as second:
        assert second is None
    assert "another process" in said[-1]
    with opened(tmp_path, "other", said.append), opened(tmp_path, "key", said.append, wait=0) as second:
        assert second is not None


def test_the_lock_of_a_process_that_ends_is_waited_for(tmp_path, said):
    (tmp_path / "key").mkdir()
    lock = (tmp_path / "key" / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(0.5, lock.close).start()
    begun = time.monotonic()
    with opened(tmp_path, "key", said.append, wait=20) as place:
        assert place is not None
    assert 0.3 < time.monotonic() - begun < 10
    assert "waiting" in said[0]


def test_a_folder_that_cannot_be_written_to_is_an_error_before_anything_is_trained(tmp_path, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="checkpoints"), opened(tmp_path / "file", "key", said.append):
        pass


def test_without_a_folder_there_is_no_place(said):
    with opened("", "key", said.append) as place:
        assert place is None


def test_the_key_depends_on_the_regime_the_parts_and_the_code(monkeypatch):
    keys = [key_of("custom_cnn", {"epochs": 3}), key_of("custom_cnn", {"epochs": 4}), key_of("other", {"epochs": 3})]
    monkeypatch.setattr(checkpoint, "_code", lambda: "changed")
    keys.append(key_of("custom_cnn", {"epochs": 3}))
    assert len(set(keys)) == 4
    monkeypatch.undo()
    assert key_of("custom_cnn", {"epochs": 3}) == keys[0]
