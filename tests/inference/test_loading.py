"""A Keras model is loaded from its file; a damaged file is named with the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from components.console import UserError
from components.inference.loading import load_model


@pytest.fixture
def file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_loaded_model_predicts_as_before(file):
    assert load_model(file).predict_on_batch(np.ones((2, 4), np.float32)).tolist() == [[4], [4]]


@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04 no more"])
def test_a_damaged_file_is_named_with_the_remedy(file, content):
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} cannot be read as a Keras model: run the training again$"):
        load_model(file)
    with pytest.raises(UserError, match=r"cannot be read as a Keras model: choose another$"):
        load_model(file, "choose another")


def test_a_truncated_file_is_named(file):
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match="cannot be read as a Keras model"):
        load_model(file)


def test_a_file_that_may_not_be_read_is_not_called_damaged(file, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(keras.models, "load_model", refuse)
    with pytest.raises(PermissionError):
        load_model(file)


def test_the_module_is_imported_without_keras():
    code = "import sys, components.inference.loading; sys.exit('keras' in sys.modules)"
    project = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=project, env=os.environ, check=False).returncode == 0
