"""All regimes and the baseline, evaluated in one process: as each alone, and a failed training is passed on."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from components.artifacts import failed_training, files
from components.artifacts.evaluation import load_all
from components.artifacts.names import BASELINE, REGIMES
from components.console import UserError
from components.evaluate.baseline import evaluate_floor
from components.evaluate.evaluate import evaluate
from components.evaluate.regimes import evaluate_all
from components.parameters import BaselineParameters, EvaluateParameters
from tests.evaluate.test_evaluate import write_model
from tests.train.conftest import write_prepared

pytestmark = pytest.mark.medium

PARAMETERS = EvaluateParameters(target_sensitivity=0.9, report_images=False)
TIMES = ("made_by", "inference", "training")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture
def failed(tmp_path):
    """The folder of a training that failed."""
    failure = failed_training.record("full_fine_tuning", "crash", "killed: try again", files.now())
    failed_training.save(tmp_path / "failed", failure)
    return tmp_path / "failed"


def of_regime(folder, regime, seeds=(1,)):
    """Models of a regime, all alike."""
    write_model(folder, seeds=seeds)
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace('"custom_cnn"', f'"{regime}"'))
    return folder


def without_times(evaluation):
    return {name: value for name, value in evaluation.results.items() if name not in TIMES}


def test_each_is_evaluated_as_it_is_alone_and_the_failed_one_passed_on(data, failed, tmp_path):
    elsewhere = write_prepared(tmp_path / "elsewhere", (("train", 20), ("validation", 10), ("test", 30)))
    models = {
        "custom_cnn": of_regime(tmp_path / "one", "custom_cnn", seeds=(1, 2)),
        "partial_fine_tuning": of_regime(tmp_path / "two", "partial_fine_tuning"),
        "full_fine_tuning": failed,
    }
    found = evaluate_all(data, models, tmp_path / "all", PARAMETERS, elsewhere)
    assert list(found) == ["custom_cnn", "partial_fine_tuning", BASELINE]
    assert [path.name for path in files.regime_folders(tmp_path / "all")] == [*models, BASELINE]
    assert [path.name for path in (tmp_path / "all" / "full_fine_tuning").iterdir()] == ["failed.json"]
    evaluate_floor(data, tmp_path / BASELINE, BaselineParameters(target_sensitivity=0.9), elsewhere)
    for regime in ("custom_cnn", "partial_fine_tuning"):
        evaluate(data, models[regime], tmp_path / regime, PARAMETERS, elsewhere)
    for regime, records in found.items():
        together, alone = load_all(tmp_path / "all" / regime), load_all(tmp_path / regime)
        assert [own.results for own in together] == records
        assert list(map(without_times, together)) == list(map(without_times, alone))
        for one, other in zip(together, alone, strict=True):
            pd.testing.assert_frame_equal(one.predictions, other.predictions)


@pytest.mark.parametrize("fails", [True, False])
def test_models_of_another_regime_are_refused_and_nothing_is_left(data, failed, tmp_path, fails):
    given = failed if fails else of_regime(tmp_path / "one", "partial_fine_tuning")
    with pytest.raises(UserError, match=f"{given} is of .*, but was given as transfer_learning: give every regime its"):
        evaluate_all(data, {"transfer_learning": given}, tmp_path / "all", PARAMETERS)
    assert not (tmp_path / "all").exists()


def component(folder, models, data):
    """What kfp's executor is told on a cluster, with models by regime."""
    kinds = {"evaluation": "Artifact", "metrics": "Metrics"}
    kinds |= {f"{regime}_classification": "ClassificationMetrics" for regime in REGIMES}
    given = {"prepared_dataset": data, **models}
    inputs = {name: {"artifacts": [{"name": "1", "metadata": {}, "uri": str(uri)}]} for name, uri in given.items()}
    outputs = {
        name: {"artifacts": [{"name": name, "type": {"schemaTitle": f"system.{kind}"}, "uri": str(folder / name)}]}
        for name, kind in kinds.items()
    }
    values = {"target_sensitivity": 0, "report_images": True}
    return {
        "inputs": {"artifacts": inputs, "parameterValues": values},
        "outputs": {"artifacts": outputs, "outputFile": str(folder / "output.json")},
    }


def run_component(folder, models, data):
    """Runs it in a process, which must not import Keras; gives {output: what Kubeflow stores}."""
    code = (
        "import json, sys; from kfp.dsl.executor import Executor; from components.evaluate.component import evaluate; "
        "Executor(json.loads(sys.argv[1]), evaluate).execute(); "
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    words = [sys.executable, "-c", code, json.dumps(component(folder, models, data))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = json.loads((folder / "output.json").read_text())["artifacts"]
    return {name: entry["artifacts"][0]["metadata"] for name, entry in written.items()}


def test_without_a_model_the_component_scores_the_baseline_and_needs_no_tensorflow(data, failed, tmp_path):
    stored = run_component(tmp_path, {"full_fine_tuning": failed}, data)
    assert {name.removesuffix("_roc_auc") for name in stored["metrics"] if name.endswith("_roc_auc")} == {BASELINE}
    assert all(not stored[f"{regime}_classification"] for regime in REGIMES)
    assert failed_training.load(tmp_path / "evaluation" / "full_fine_tuning")["reason"] == "killed: try again"
    assert (tmp_path / "evaluation" / BASELINE / "evaluations.json").is_file()
