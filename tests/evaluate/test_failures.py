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


def test_the_component_needs_neither_and_logs_no_metrics(model, tmp_path):
    """Through kfp's executor, which writes what Kubeflow stores."""
    names = {"evaluation": "Artifact", "metrics": "Metrics", "classification": "ClassificationMetrics"}
    given = {
        "inputs": {
            "artifacts": {
                "model": {"artifacts": [{"name": "1", "metadata": {}, "uri": str(model)}]},
                "prepared_dataset": {"artifacts": [{"name": "2", "metadata": {}, "uri": str(tmp_path / "none")}]},
            },
            "parameterValues": {"target_sensitivity": 0, "report_images": True},
        },
        "outputs": {
            "artifacts": {
                name: {
                    "artifacts": [
                        {"name": name, "type": {"schemaTitle": f"system.{kind}"}, "uri": str(tmp_path / name)}
                    ]
                }
                for name, kind in names.items()
            },
            "outputFile": str(tmp_path / "output.json"),
        },
    }
    code = (
        "import json, sys; from kfp.dsl.executor import Executor; from components.evaluate.component import evaluate; "
        "Executor(json.loads(sys.argv[1]), evaluate).execute(); sys.exit('keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)], capture_output=True, text=True, check=False, cwd=None
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "output.json").read_text())["artifacts"]
    assert {name: written[name]["artifacts"][0]["metadata"] for name in names} == {name: {} for name in names}
    assert failed_training.load(tmp_path / "evaluation")["reason"].startswith("use a smaller")
