"""What the stand-in itself does: it is as strict as the backend that it stands for."""

# ruff: noqa: PLC0415 (a component imports where it runs)

import json
from typing import Optional

import pytest
from kfp import compiler, dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from tests.pipelines.backend.backend import FAILED, OMITTED, SUCCEEDED, Backend
from tests.pipelines.backend.metadata import ARGUMENT_BYTES, RefusedError, read_output, stored

NULL = "failed to convert RuntimeArtifact to MLMD artifact: unknown/unsupported value type *structpb.Value_NullValue"
here = dsl.component(base_image="python", install_kfp_package=False)


@here
def give(made: Output[Dataset], page: Output[HTML], content: str = "", fail: bool = False):
    import json
    from pathlib import Path

    assert Path(made.path).parent.is_dir()
    assert not Path(made.path).exists()
    (Path(made.path) / "sub").mkdir(parents=True)
    (Path(made.path) / "empty").mkdir()
    (Path(made.path) / "sub" / "file.txt").write_text("here")
    Path(page.path).write_text("<p>")
    assert not fail, "as told"
    made.metadata.update(json.loads(content or "{}"))


@here
def take(given: Input[Dataset], seen: Output[Artifact]):
    import json
    import os
    from pathlib import Path

    path = Path(given.path)
    found = sorted(str(file.relative_to(path)) for file in path.rglob("*"))

    def can_write(folder):
        try:
            (Path(folder) / "new").write_text("x")
        except OSError:
            return False
        return True

    seen.metadata["found"] = found
    seen.metadata["writable"] = {
        "inputs": can_write(path),
        "below": can_write(path / "sub"),
        "here": can_write("."),
        "home": can_write(os.environ["HOME"]),
        "project": can_write(os.environ["PYTHONPATH"]),
        "temporary": can_write(os.environ["TMPDIR"]),
    }
    seen.metadata["user"] = os.getuid()
    seen.metadata["exists"] = path.exists()
    seen.metadata["class"] = type(given).__name__
    seen.metadata["given"] = json.dumps(given.metadata)


@here
def give_nothing(made: Output[Dataset]):
    print("it is called", made.name)


@here
def optional_input(seen: Output[Artifact], given: Input[Dataset] = None):
    seen.metadata["given"] = given is not None


@here
def optional_annotation(seen: Output[Artifact], given: Optional[Input[Dataset]] = None):  # noqa: UP045
    seen.metadata["given"] = given is not None


def write(component, folder):
    path = folder / f"{component.name}.yaml"
    compiler.Compiler().compile(component, str(path))
    return path


@pytest.fixture(scope="module")
def backend(open_folder):
    return Backend(open_folder)


def run(backend, component, folder, parameters=None, artifacts=None):
    (task,) = backend.run(write(component, folder), parameters, artifacts).values()
    return task


def given(backend, folder, **content):
    """An artifact that a step made."""
    task = run(backend, give, folder, {"content": json.dumps(content)})
    assert task.state == SUCCEEDED, task.error + task.log
    return task.outputs["made"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("text", "text"),
        (3, 3),
        (3.0, 3),
        (39.9789431, 39.978943),
        (1e-9, 0),
        (2**60, 2**60),
        (True, 1),
        ([1.0, 0.25], {"list": [1, 0.25]}),
        ({"a": [None, 1e-9]}, {"struct": {"a": [None, 1e-9]}}),
    ],
)
def test_metadata_come_back_as_the_store_has_them(value, found):
    back = stored({"value": value})["value"]
    assert json.dumps(back) == json.dumps(found)


def test_a_value_of_null_is_refused():
    with pytest.raises(RefusedError) as refused:
        stored({"peak_gpu_memory_mb": None})
    assert str(refused.value) == NULL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("nested", [False, True])
def test_numbers_that_json_does_not_know_are_refused(value, nested):
    with pytest.raises(
        RefusedError, match=r"failed to unmarshall ExecutorOutput in file \"x\".*invalid value -?(NaN|Inf)"
    ):
        read_output(json.dumps({"metadata": {"a": [{"b": value}] if nested else value}}), "x")


def test_metadata_that_fit_in_no_argument_are_refused():
    stored({"a": "x" * (ARGUMENT_BYTES - 100)})
    with pytest.raises(RefusedError, match="one argument of at most 131072 bytes"):
        stored({"a": "x" * ARGUMENT_BYTES})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": null}', f'unable to produce MLMD artifact for output "made": {NULL}'),
        ('{"a": NaN}', "invalid value NaN"),
    ],
)
def test_a_step_whose_metadata_are_refused_fails_after_its_work(backend, tmp_path, content, message):
    task = run(backend, give, tmp_path, {"content": content})
    assert task.state == FAILED
    assert message in task.error
    assert "Wrote executor output file" in task.log
    assert task.outputs == {}


def test_a_step_gets_its_inputs_as_a_cluster_gives_them(backend, tmp_path):
    made = given(backend, tmp_path, images=120, share=0.12345678)
    seen = run(backend, take, tmp_path, artifacts={"given": made}).outputs["seen"].metadata
    assert seen["found"] == {"list": ["sub", "sub/file.txt"]}, "an empty folder does not arrive"
    assert seen["class"] == "Dataset"
    metadata = json.loads(seen["given"])
    assert metadata["images"] == 120
    assert metadata["share"] == 0.123457
    assert metadata["display_name"] == "made"
    assert json.loads(metadata["store_session_info"])["Provider"] == "minio"


def test_a_step_can_write_to_its_outputs_and_its_temporary_folder_alone(backend, tmp_path):
    seen = run(backend, take, tmp_path, artifacts={"given": given(backend, tmp_path)}).outputs["seen"].metadata
    writable = seen["writable"]["struct"]
    if seen["user"] != 65532:  # whoever runs the tests may write to the checkout
        writable["project"] = False
    assert seen["user"] != 0
    assert [name for name, can in writable.items() if can] == ["temporary"]


def test_an_output_that_was_not_written_is_nothing_at_its_path(backend, tmp_path):
    nothing = run(backend, give_nothing, tmp_path)
    assert nothing.state == SUCCEEDED
    assert "it is called made" in nothing.log
    seen = run(backend, take, tmp_path, artifacts={"given": nothing.outputs["made"]}).outputs["seen"].metadata
    assert seen["exists"] == 0


@pytest.mark.parametrize("typed", [True, False])
def test_an_optional_input_is_taken_with_input_and_not_with_optional(open_folder, tmp_path, typed):
    backend = Backend(open_folder / f"typed-{typed}", typed)
    made = {"given": given(backend, tmp_path)}
    taken = run(backend, optional_input, tmp_path, artifacts=made)
    assert taken.outputs["seen"].metadata["given"] == 1
    failed = run(backend, optional_annotation, tmp_path, artifacts=made)
    assert failed.state == FAILED
    assert "Cannot instantiate typing.Union" in failed.log


def test_an_optional_input_that_is_missing_is_left_out_and_another_stops_the_task(backend, tmp_path):
    without = run(backend, optional_input, tmp_path)
    assert without.outputs["seen"].metadata["given"] == 0
    assert "artifacts" not in without.executor_input["inputs"]
    stopped = run(backend, take, tmp_path)
    assert stopped.state == FAILED
    assert stopped.error == "neither value nor default value provided for non-optional input given"
    assert stopped.log == ""


@pytest.mark.parametrize("value", [1, "yes"])
def test_a_parameter_of_another_type_stops_the_task(backend, tmp_path, value):
    stopped = run(backend, give, tmp_path, {"fail": value})
    assert 'input parameter "fail" type mismatch: expect BOOLEAN' in stopped.error


def test_whatever_is_given_for_a_string_becomes_one(backend, tmp_path):
    task = run(backend, give, tmp_path, {"content": {"images": 120.0}})
    assert task.executor_input["inputs"]["parameterValues"]["content"] == '{"images": 120}'
    assert task.outputs["made"].metadata["images"] == 120


def test_an_argument_that_linux_does_not_take_fails_the_task(backend, tmp_path):
    task = run(backend, give, tmp_path, {"content": "x" * ARGUMENT_BYTES})
    assert (task.state, task.error) == (FAILED, "fork/exec sh: argument list too long")


def test_after_a_failed_task_those_that_depend_on_it_do_not_run(backend, tmp_path):
    @dsl.pipeline
    def some_fail():
        broken = give(fail=True)
        take(given=broken.outputs["made"])
        optional_input(given=broken.outputs["made"]).ignore_upstream_failure()
        optional_input()

    tasks = backend.run(write(some_fail, tmp_path))
    states = {name: task.state for name, task in tasks.items()}
    assert states == {"give": FAILED, "take": OMITTED, "optional-input": FAILED, "optional-input-2": SUCCEEDED}
    assert tasks["give"].error == "exit status 1"
    assert "as told" in tasks["give"].log
    assert tasks["optional-input"].error == 'cannot find output artifact key "made" in producer task "give"'
    outputs = tasks["give"].executor_input["outputs"]["artifacts"]
    uploaded = {name: backend.store.files(entry["artifacts"][0]["uri"]) for name, entry in outputs.items()}
    assert uploaded == {"made": [], "page": [], "executor-logs": ["."]}


def test_a_page_is_one_object_at_its_uri(backend, tmp_path):
    page = run(backend, give, tmp_path).outputs["page"]
    assert backend.store.files(page.uri) == ["."]
    assert page.uri.endswith("/page")
