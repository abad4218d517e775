"""What makes kfp quick enough for tests, and commands that are said to a Kubeflow server."""

import os
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import kfp
import pytest
from kfp.dsl import pipeline_task

from compile import main
from pipelines.submit import command as submit
from pipelines.submit import rest, schedules
from tests.pipelines.compiled import read
from tests.pipelines.kubeflow_server import KubeflowServer


@pytest.fixture(autouse=True, scope="session")
def _kfp_reads_no_source():
    """At every setting of a task kfp reads the source of all functions on the stack, for one name in an error's text.

    Below pytest and beside TensorFlow that is most of a compilation. Here it gets the name alone.
    """
    with pytest.MonkeyPatch.context() as patch:
        stack = SimpleNamespace(stack=lambda: [None, (None, None, None, sys._getframe(2).f_code.co_name)])
        patch.setattr(pipeline_task, "inspect", stack)
        yield


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    main(["--data-image", "r/data:1", "--train-image", "r/train:1", "--output", str(target)])
    return target


@pytest.fixture(scope="session")
def pipeline(build_folder):
    return read(build_folder / "pneumonia_benchmark.yaml")


@pytest.fixture(scope="session")
def tasks(pipeline):
    """The graph."""
    return pipeline["root"]["dag"]["tasks"]


@dataclass
class Said:
    """What a command said: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    main(["--output", str(folder)])
    return folder / "pneumonia_benchmark.yaml"


@pytest.fixture
def yaml_file(compiled, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(compiled.read_text())
    return path


@pytest.fixture
def server():
    with KubeflowServer() as running:
        yield running


@pytest.fixture
def own_environment(monkeypatch, tmp_path):
    """No setting of the machine's user counts, and pauses are short."""
    for name in list(os.environ):
        if name.startswith(("KF_PIPELINES_", "KUBE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "none" / "context.json"))
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(schedules, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def say(server, yaml_file, capsys, own_environment):  # noqa: ARG001 (no setting of the user counts)
    """Says a command to the server: `say("run", "--wait")`."""

    def call(command, *words, host=None):
        pipeline = ["--yaml", str(yaml_file)] if command in ("run", "schedule") and "--yaml" not in words else []
        quick = ["--poll", "0.01"] if command == "run" else []
        try:
            code = submit.main([command, "--host", host or server.url, *pipeline, *quick, *map(str, words)])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Said(code, captured.out, captured.err)

    return call
