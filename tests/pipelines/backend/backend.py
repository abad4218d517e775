"""Runs a whole graph, or the graph around one component."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.backend.driver import DriverError, Scope, executor_input, resolve
from tests.pipelines.backend.launcher import LOGS, StepError, launch
from tests.pipelines.backend.metadata import RefusedError
from tests.pipelines.backend.pod import Pod
from tests.pipelines.backend.store import Artifact, Store

Given = dict[str, Artifact | list[Artifact]]
SUCCEEDED, FAILED, OMITTED = "SUCCEEDED", "FAILED", "OMITTED"


@dataclass
class Task:
    """What became of a task.

    Attributes:
        state: SUCCEEDED, FAILED, or OMITTED where a task before it failed.
        error: what the driver or the launcher says of a failure; "" without one.
        log: what the step printed.
        executor_input: what it was given.
        outputs: {name: artifact}; those of a failed task are in no store.
    """

    state: str
    error: str = ""
    log: str = ""
    executor_input: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Artifact] = field(default_factory=dict)

    def __str__(self) -> str:
        """State, error and the log's end, without the executor input that kfp prints before the step's work."""
        return "\n".join([f"{self.state}: {self.error}", *self.log.splitlines()[-12:]])


class Backend:
    """A backend with empty stores.

    Args:
        folder: for everything; a folder that other users may enter.
        typed: whether the steps' input artifacts have an empty type or none. None does as the real one: a task's
            output has one, what the graph itself was given has none.
    """

    def __init__(self, folder: Path, typed: bool | None = None):
        self.folder = folder
        self._pods = folder / "pods"
        self._typed = typed
        self.store = Store(folder / "objects")

    def run(
        self,
        path: Path,
        parameters: dict[str, Any] | None = None,
        artifacts: Given | None = None,
    ) -> dict[str, Task]:
        """Runs compiled YAML to its end.

        Args:
            path: the YAML of a pipeline or of a component.
            parameters: of the run; the others have their defaults.
            artifacts: for a component: its input artifacts, outputs of earlier runs of this backend; a list for an
                input that takes one.

        Returns:
            What became of each task, by the task's name in the YAML.
        """
        return _Run(self.store, self._pods, self._typed, path).run(parameters or {}, artifacts or {})


class _Run:
    """One run of one graph."""

    def __init__(self, store: Store, pods: Path, typed: bool | None, path: Path):
        # The second document is what Kubernetes is asked for, if there is one.
        self._specification = next(yaml.safe_load_all(path.read_text()))
        self._store, self._pods, self._typed = store, pods, typed
        self._name = self._specification["pipelineInfo"]["name"]
        self._root = f"minio://mlpipeline/v2/artifacts/{self._name}/{uuid.uuid4()}"
        begun = datetime.now(UTC)
        self._placeholders = {
            "{{$.pipeline_job_name}}": f"{self._name} {begun:%Y-%m-%d %H-%M-%S}",
            "{{$.pipeline_job_uuid}}": str(uuid.uuid4()),
            "{{$.pipeline_job_create_time_utc}}": f"{begun:%Y-%m-%dT%H:%M:%SZ}",
        }
        self._tasks: dict[str, Task] = {}

    def run(self, parameters: dict[str, Any], artifacts: Given) -> dict[str, Task]:
        root = self._specification["root"]
        defined = root.get("inputDefinitions", {})
        known = defined.get("parameters", {}).keys() | defined.get("artifacts", {}).keys()
        if unknown := (parameters.keys() | artifacts.keys()) - known:
            raise ValueError(f"{self._name} has no inputs {', '.join(sorted(unknown))}")
        defaults = {name: entry.get("defaultValue") for name, entry in defined.get("parameters", {}).items()}
        lists = {name: given if isinstance(given, list) else [given] for name, given in artifacts.items()}
        self._graph(root["dag"], Scope(defaults | parameters, lists, self._placeholders))
        return self._tasks

    def _graph(self, dag: dict[str, Any], scope: Scope) -> None:
        """Runs the tasks of a graph, each when those that it depends on have ended."""
        before = {name: task.get("dependentTasks", ()) for name, task in dag["tasks"].items()}
        for name in TopologicalSorter(before).static_order():
            policy = dag["tasks"][name].get("triggerPolicy", {})
            if "condition" in policy:
                raise NotImplementedError("the stand-in knows no conditions")
            regardless = policy.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
            if regardless or all(task in scope.outputs for task in before[name]):
                self._task(name, dag["tasks"][name], scope)
            else:
                self._tasks[name] = Task(OMITTED)

    def _task(self, name: str, task: dict[str, Any], scope: Scope) -> None:
        component = self._specification["components"][task["componentRef"]["name"]]
        if "dag" in component:
            raise NotImplementedError("the stand-in knows no graphs in a graph")
        container = self._specification["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        task_root = f"{self._root}/{name}/{uuid.uuid4()}"
        pod = Pod(self._pods / uuid.uuid4().hex)
        ended = self._tasks[name] = Task(SUCCEEDED)
        try:
            inputs = resolve(task, component, scope)
            ended.executor_input = executor_input(inputs, component, task_root, pod.prefix, self._typed)
            ended.outputs = launch(self._store, pod, container, ended.executor_input)
            scope.outputs[name] = {output: [artifact] for output, artifact in ended.outputs.items()}
        except (DriverError, StepError, RefusedError) as error:
            ended.state, ended.error = FAILED, str(error)
        log = pod.local(f"{task_root}/{LOGS}-0")
        ended.log = log.read_text(errors="replace") if log.exists() else ""
        pod.remove()
