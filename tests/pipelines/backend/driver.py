"""Runs a compiled pipeline task by task, as Kubeflow's driver hands them their inputs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.backend.launcher import Launcher
from tests.pipelines.backend.store import Artifact, BackendError

PLACEHOLDERS = {
    "{{$.pipeline_job_name}}": "pneumonia-benchmark 2026-11-26 23-23-53",
    "{{$.pipeline_job_create_time_utc}}": "2026-11-26T23:23:55Z",
}


class Run:
    """One run of a pipeline without loops.

    Args:
        path: the compiled YAML.
        folder: of the test; it gets all files.
        parameters: of the run, where they are not the defaults.

    Attributes:
        outputs: the artifacts of each task that succeeded, by task and name.
        errors: why tasks failed, by task; one that needs a failed one is not run.
    """

    def __init__(self, path: Path, folder: Path, parameters: Mapping[str, Any]):
        self.pipeline: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
        self.launcher = Launcher(folder, self.pipeline["pipelineInfo"]["name"])
        known = self.pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
        self._values = {name: value.get("defaultValue") for name, value in known.items()} | dict(parameters)
        self.outputs: dict[str, dict[str, Artifact]] = {}
        self.errors: dict[str, str] = {}

    def execute(self, before: Callable[[str], None] = lambda _: None) -> "Run":
        """Runs every task whose inputs are there; `before` is told of each."""
        tasks = dict(self.pipeline["root"]["dag"]["tasks"])
        while ready := [name for name in tasks if set(tasks[name].get("dependentTasks", [])) <= self.outputs.keys()]:
            for name in ready:
                before(name)
                try:
                    self.outputs[name] = self._launch(name, tasks.pop(name))
                except BackendError as error:
                    self.errors[name] = str(error)
        return self

    def path(self, task: str, output: str) -> Path:
        """Where the object store has an output."""
        return self.launcher.store.remote(self.outputs[task][output].uri)

    def _launch(self, name: str, task: Mapping[str, Any]) -> dict[str, Artifact]:
        component = self.pipeline["components"][task["componentRef"]["name"]]
        container = self.pipeline["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        given = task.get("inputs", {})
        declared = component.get("inputDefinitions", {}).get("parameters", {})
        parameters = {name: value["defaultValue"] for name, value in declared.items() if "defaultValue" in value}
        parameters |= {key: self._parameter(source) for key, source in given.get("parameters", {}).items()}
        # Every number is a double to the backend, and an integer only by its type.
        parameters = {
            key: int(value) if declared[key]["parameterType"] == "NUMBER_INTEGER" else value
            for key, value in parameters.items()
        }
        artifacts = {key: [self._artifact(source)] for key, source in given.get("artifacts", {}).items()}
        return self.launcher.launch(name, component, container, parameters, artifacts)

    def _parameter(self, source: Mapping[str, Any]) -> Any:
        if "runtimeValue" in source:
            value = source["runtimeValue"]["constant"]
            return PLACEHOLDERS.get(value, value) if isinstance(value, str) else value
        return self._values[source["componentInputParameter"]]

    def _artifact(self, source: Mapping[str, Any]) -> Artifact:
        producer = source["taskOutputArtifact"]
        return self.outputs[producer["producerTask"]][producer["outputArtifactKey"]]
