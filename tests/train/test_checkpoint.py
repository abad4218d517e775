"""Checkpoints on disk: replaced as a whole, checked when they are read, and never the end of a training."""

import errno
import zipfile

import numpy as np
import pytest

from components.artifacts import files, trained_model
from components.train import checkpoint
from components.train.checkpoint import Checkpoint

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
    assert nothing.finished("custom_cnn", 1, tmp_path / "model") is None
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
        lambda path: np.savez(path.open("wb"), json=np.frombuffer(b"[1, 2]", np.uint8)),
        lambda path: np.savez(path.open("wb"), json=np.frombuffer(b"[" * 10**5, np.uint8)),
        lambda path: np.save(path.open("wb"), np.zeros(3)),
    ],
    ids=["a bit", "cut off", "empty", "text", "other arrays", "executable", "a list", "deeply nested", "one array"],
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
    found = kept.finished("custom_cnn", 1, tmp_path / "taken")
    assert found == record
    assert (tmp_path / "taken" / "model.keras").read_bytes() == (folder / "model.keras").read_bytes()


@pytest.mark.parametrize("name", ["model.keras", "training.json"])
def test_a_damaged_finished_model_is_trained_again(kept, said, model, tmp_path, name):
    kept.finish(*model)
    path = tmp_path / "seed-1-finished" / name
    path.write_bytes(path.read_bytes().replace(b"w" * 50, b"v" * 50)[: 400 if name == "training.json" else None][:-1])
    assert kept.finished("custom_cnn", 1, tmp_path / "taken") is None
    assert "trained again" in said[-1]
    assert not (tmp_path / "taken").exists()
    assert not (tmp_path / "seed-1-finished").exists()


def test_what_cannot_be_read_for_now_stays(kept, said, tmp_path, monkeypatch):
    kept.save("state", {"epoch": 1})

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_read", fail)
        assert kept.load("state") is None
    assert "Input/output error" in said[0]
    kept.save("state", {"epoch": 0})
    assert Checkpoint(tmp_path / "seed-1", said.append).load("state") == {"epoch": 1}, "nor is it replaced"


def test_a_full_disk_of_the_output_costs_no_finished_model(kept, model, tmp_path, monkeypatch):
    kept.finish(*model)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.shutil, "copytree", full_disk)
        with pytest.raises(OSError, match="No space"):
            kept.finished("custom_cnn", 1, tmp_path / "taken")
    assert kept.finished("custom_cnn", 1, tmp_path / "taken") == model[1]


@pytest.mark.parametrize(("regime", "seed"), [("full_fine_tuning", 1), ("custom_cnn", 2)])
def test_a_finished_model_of_another_training_is_not_taken(kept, said, model, tmp_path, regime, seed):
    kept.finish(*model)
    assert kept.finished(regime, seed, tmp_path / "taken") is None
    assert "trained again" in said[-1]


def test_a_place_that_is_taken_costs_no_training(kept, said, model, tmp_path):
    (tmp_path / "seed-1-finished").write_text("a file of someone else")
    kept.finish(*model)
    assert "not added" in said[0]


def test_nobody_who_listens_is_no_reason_to_stop(tmp_path, monkeypatch):
    def broken_pipe(_):
        raise BrokenPipeError

    kept = Checkpoint(tmp_path / "seed-1", broken_pipe)
    monkeypatch.setattr(checkpoint.os, "fsync", full_disk)
    kept.save("state", CONTENT)
    assert not kept.due(epoch_complete=True)
