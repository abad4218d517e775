"""Tests of the artifact of a failed training."""

import json
from datetime import timedelta

import pytest

from components.artifacts import failed_training, files, trained_model
from components.artifacts.failed_training import OUT_OF_MEMORY
from components.console import UserError


@pytest.fixture
def saved(tmp_path):
    started = files.now() - timedelta(seconds=90)
    failure = failed_training.record("full_fine_tuning", OUT_OF_MEMORY, "it needs more memory", started, {"epochs": 3})
    failed_training.save(tmp_path / "model", failure)
    return tmp_path / "model"


def test_a_failure_is_read_as_it_was_written(saved):
    found = failed_training.load(saved)
    assert (found["regime"], found["cause"]) == ("full_fine_tuning", "out of memory")
    assert found["reason"] == "it needs more memory"
    assert 90 <= found["seconds"] < 100
    assert found["made_by"]["arguments"] == {"epochs": 3}


def test_a_folder_without_a_failure_has_none(tmp_path):
    assert failed_training.load(tmp_path) is None
    assert failed_training.load(tmp_path / "missing") is None


def test_a_failure_replaces_what_was_there(saved):
    failed_training.save(saved, failed_training.record("custom_cnn", "error", "no weights", files.now()))
    assert failed_training.load(saved)["regime"] == "custom_cnn"
    assert [path.name for path in saved.iterdir()] == ["failed.json"]


@pytest.mark.parametrize(
    "change", [{"regime": "other"}, {"cause": "bad luck"}, {"reason": None}, {"seconds": "1"}, {"kind": "model"}]
)
def test_a_damaged_failure_is_refused(saved, change):
    content = json.loads((saved / "failed.json").read_text())
    (saved / "failed.json").write_text(json.dumps(content | change))
    with pytest.raises(UserError):
        failed_training.load(saved)


def test_the_models_of_a_failed_training_are_missing_for_its_reason(saved):
    with pytest.raises(UserError, match=r"the training failed: it needs more memory"):
        trained_model.load_all(saved)


def test_a_long_reason_is_cut_off():
    failure = failed_training.record("custom_cnn", "error", "x" * 5000, files.now())
    assert failure["reason"] == "x" * 999 + "…"
