"""A training that failed is passed on in place of an evaluation."""

import json
import subprocess
import sys

import pytest

from components.artifacts import failed_training, files
from components.artifacts.failed_training import OUT_OF_MEMORY
from components.console import UserError
from components.evaluate.failures import passed_on


@pytest.fixture
def model(tmp_path):
    failure = failed_training.record(
        "full_fine_tuning", OUT_OF_MEMORY, "use a smaller\n--batch-size \x1b[1m", files.now(), {"epochs": 3}
    )
    failed_training.save(tmp_path / "model", failure)
    return tmp_path / "model"


def test_the_evaluation_is_the_same_failure_and_a_line_says_so(model, tmp_path, capsys):
    assert passed_on(model, tmp_path / "evaluation")
    written, found = ((folder / "failed.json").read_text() for folder in (model, tmp_path / "evaluation"))
    assert json.loads(found) == json.loads(written)
    assert [path.name for path in (tmp_path / "evaluation").iterdir()] == ["failed.json"]
    assert capsys.readouterr().out == (
        "pneumonia-benchmark: evaluate full_fine_tuning: nothing to evaluate, since the training failed (out of "
        "memory): use a smaller --batch-size \\x1b[1m\n"
    )


def test_models_are_not_passed_on(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    assert not passed_on(tmp_path / "model", tmp_path / "evaluation")
    assert not (tmp_path / "evaluation").exists()
    assert capsys.readouterr().out == ""


def test_a_damaged_failure_is_an_error(model, tmp_path):
    (model / "failed.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        passed_on(model, tmp_path / "evaluation")


def test_the_command_needs_neither_tensorflow_nor_the_dataset(model, tmp_path):
    code = (
        "import sys; from components.evaluate.__main__ import main; main(sys.argv[1:]); "
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    words = [str(tmp_path / "no-dataset"), str(model), "--output", str(tmp_path / "evaluation")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the training failed (out of memory)" in done.stdout
    assert failed_training.load(tmp_path / "evaluation")["regime"] == "full_fine_tuning"
