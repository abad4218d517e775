"""The stand-in for Kubeflow's launcher refuses what the real one refuses."""

import json
from pathlib import Path
from typing import List, Optional  # noqa: UP035 (kfp reads these)

import pytest
import yaml
from kfp import compiler, dsl
from kfp.dsl import Artifact, Input, Metrics, Output

from tests.pipelines.backend.launcher import Launcher
from tests.pipelines.backend.store import LONGEST_ARGUMENT, BackendError

RECORDED = Path(__file__).with_name("executor_input.train.json")
"""What a real backend gave the step train."""

MODEL = {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}


@dsl.component(base_image="python:3.12", install_kfp_package=False)
def write(out: Output[Artifact], metrics: Output[Metrics], metadata: str = "{}", text: str = "x", length: int = 0):
    """Writes an artifact with metadata given as JSON."""
    import json
    from pathlib import Path

    if text:
        Path(out.path).mkdir()
        Path(out.path, "empty").mkdir()
        Path(out.path, "file").write_text(text)
    out.metadata.update(json.loads(metadata))
    if length:
        out.metadata["long"] = "x" * length
    metrics.log_metric("one", 1.0)


@dsl.component(base_image="python:3.12", install_kfp_package=False)
def read(given: Input[Artifact] = None, number: float = 0.5) -> str:
    """Tells what it is given."""
    import json
    import os
    from pathlib import Path

    path = Path(given.path)
    try:
        (path / "new").write_text("")
        writable = True
    except OSError:
        writable = False
    return json.dumps(
        {
            "names": sorted(entry.name for entry in path.rglob("*")),
            "writable": writable,
            "rights": os.access(".", os.W_OK) or os.access(Path.home(), os.W_OK),
            "number": repr(number),
            "metadata": given.metadata,
            "kind": type(given).__name__,
        }
    )


@dsl.component(base_image="python:3.12", install_kfp_package=False)
def read_optional(given: Optional[Input[Artifact]] = None):  # noqa: UP045
    """Has an annotation that a real backend cannot use."""
    print(given.path)


@dsl.component(base_image="python:3.12", install_kfp_package=False)
def read_list(given: Optional[Input[List[Artifact]]] = None):  # noqa: UP006, UP045
    """Has one that it can."""
    print([one.path for one in given])


@dsl.component(base_image="python:3.12", install_kfp_package=False)
def fail():
    """Ends with an error."""
    raise ValueError("as told")


@pytest.fixture
def launch(tmp_path):
    """Runs one of these components; gives its outputs."""
    launcher = Launcher(tmp_path / "backend")

    def call(component, given=None, **parameters):
        path = tmp_path / f"{component.name}.yaml"
        compiler.Compiler().compile(component, str(path))
        compiled = next(yaml.safe_load_all(path.read_text()))
        task = compiled["root"]["dag"]["tasks"][component.name]
        spec = compiled["components"][task["componentRef"]["name"]]
        container = compiled["deploymentSpec"]["executors"][spec["executorLabel"]]["container"]
        artifacts = {"given": [given]} if given else {}
        return launcher.launch(component.name, spec, container, parameters, artifacts)

    call.launcher = launcher
    return call


def test_nothing_but_strings_finite_numbers_booleans_lists_and_dictionaries_is_stored(launch):
    good = {"text": "a", "number": 1.5, "flag": True, "list": [1, "b"], "inside": {"c": None}}
    stored = launch(write, metadata=json.dumps(good))["out"].metadata
    assert {key: stored[key] for key in good} == {
        "text": "a",
        "number": 1.5,
        "flag": 1,
        "list": {"list": [1, "b"]},
        "inside": {"struct": {"c": None}},
    }


def test_none_fails_a_task_whose_work_is_done(launch):
    with pytest.raises(BackendError, match=r"unknown/unsupported value type \*structpb.Value_NullValue"):
        launch(write, metadata='{"peak_gpu_memory_mb": null}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_so_does_a_number_that_is_not_finite(launch, number):
    with pytest.raises(BackendError, match=f"invalid value {number}"):
        launch(write, metadata=f'{{"auc": {number}}}')


def test_so_do_long_metadata(launch):
    with pytest.raises(BackendError, match="argument list too long"):
        launch(write, length=LONGEST_ARGUMENT)
    launch(write, length=LONGEST_ARGUMENT - 1000)


def test_numbers_come_back_with_six_decimals_and_whole_ones_without(launch):
    stored = launch(write, metadata='{"a": 3.14159265358979, "b": 64, "c": 2.0}')["out"].metadata
    assert [repr(stored[key]) for key in "abc"] == ["3.141593", "64", "2"]


def test_a_single_optional_artifact_that_is_given_ends_in_an_error(launch):
    made = launch(write)["out"]
    with pytest.raises(BackendError, match=r"TypeError: Cannot instantiate typing.Union"):
        launch(read_optional, made)


def test_a_list_of_artifacts_may_be_optional(launch):
    launch(read_list, launch(write)["out"])


def test_an_optional_artifact_with_a_default_alone_is_given_in_either_form(launch):
    for _ in range(2):
        made = launch(write, metadata='{"images": 300.0}')["out"]
        launch(read, made, number=2.0)
        found = json.loads(launch.launcher.said["read"]["parameterValues"]["Output"])
        assert found["kind"] == "Artifact", "its class is the annotation's"
        assert found["metadata"]["images"] == 300
        assert found["metadata"]["display_name"] == "out"
        assert found["number"] == "2", "a float parameter is an integer where its value is whole"
        assert found["names"] == ["file"], "empty folders vanish"


def test_a_step_may_not_write_where_a_pods_user_may_not(launch):
    launch(read, launch(write)["out"])
    found = json.loads(launch.launcher.said["read"]["parameterValues"]["Output"])
    assert found["writable"] is False, "an input artifact"
    assert found["rights"] is False, "the working directory, the home"


def test_what_was_not_written_is_missed_by_the_next_task_only(launch):
    made = launch(write, text="")["out"]
    with pytest.raises(BackendError, match="failed to download input artifact"):
        launch(read, made)


def test_a_step_that_fails_leaves_its_output_in_the_message(launch):
    with pytest.raises(BackendError, match=r"(?s)fail: exit status 1.*ValueError: as told"):
        launch(fail)


def shape(value):
    """The keys and kinds of a JSON value; numbers are of one kind."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_what_a_step_is_given_has_the_recorded_shape(launch):
    recorded = json.loads(RECORDED.read_text())
    made = [launch(write, metadata='{"fingerprint": "4171", "image_size": 64}')["out"] for _ in range(2)]
    component = {"outputDefinitions": {"artifacts": {"model": {"artifactType": MODEL}}}}
    given = next(artifact for artifact in made if artifact.identifier % 2)  # the form without any type
    parameters = recorded["inputs"]["parameterValues"] | {"learning_rate": 0.001, "epochs": 1.0}
    found = launch.launcher.executor_input("train-4", component, parameters, {"prepared_dataset": [given]})
    assert shape(found) == shape(recorded)
    assert list(found["inputs"]["parameterValues"]) == list(recorded["inputs"]["parameterValues"])
    assert repr(found["inputs"]["parameterValues"]["epochs"]) == "1"
    assert found["inputs"]["artifacts"]["prepared_dataset"]["artifacts"][0]["name"].isdecimal()
    assert found["outputs"]["outputFile"].endswith("/output_metadata.json")
