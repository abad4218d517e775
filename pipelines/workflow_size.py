"""Estimates the size of a run's status from the compiled YAML.

Kubeflow Pipelines turns the pipeline into an Argo workflow, whose status lists every node of the run with the texts
that were passed to it. Argo compresses the status of a workflow that is larger than 1 MiB, and Kubeflow Pipelines 2.17
cannot read a compressed status: from then on it no longer updates the states of the tasks.

The content of a node is known from the source of Kubeflow Pipelines 2.17.0 (`backend/src/v2/compiler/argocompiler`,
`backend/src/v2/driver`) and of Argo 4.0.5 (`workflow/controller/operator.go`); one number, `NODE_BYTES`, is measured.
The pipeline has no loops, but one of the recorded runs that the estimate was calibrated on has.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READABLE_BYTES = 1_000_000
"""Size of a workflow that Kubeflow Pipelines 2.17 can read: Argo's limit of 1 MiB, rounded down."""

WARN_BYTES = 900_000
"""The limit applies to the whole workflow, whose specification takes about 100 KB in addition to the status."""

DRIVER_COPIES = 2
"""Copies of a driver's input. Kubeflow Pipelines 2.17 sets a retry strategy for every template, so everything that runs
has two nodes, one for all attempts and one for the first, and Argo stores inputs and outputs in both."""

PATCH_COPIES = 6
"""Copies of the pod's patch: an output of the driver and an input of the task's graph and of its pod, with two nodes
each."""

NODE_BYTES = 1_100
"""Size of a node without the texts counted here: names, times, children, log. Measured as the remainder of the 627 KB
of a run with 83 nodes."""

TASK_NODES = 6
"""Nodes of a task: driver, graph and pod, two each."""

ROOT_NODES = 6
"""Nodes of a run: the workflow, the root's driver and the root, two each."""

LOOP_NODES = 5
"""Nodes of a loop: its graph and its driver, two each, and one for the group of all iterations."""

GRAPH_NODES = 4
"""Nodes of a nested graph: its driver and itself, two each."""

ITERATION_NODES = 6
"""Nodes of an iteration: itself, its driver and its graph, two each."""

_UUID = "00000000-0000-0000-0000-000000000000"
_SESSION = json.dumps(
    {
        "Provider": "minio",
        "Params": {
            "accessKeyKey": "accesskey",
            "disableSSL": "true",
            "endpoint": "seaweedfs.kubeflow:9000",
            "fromEnv": "false",
            "maxRetries": "5",
            "region": "minio",
            "secretKeyKey": "secretkey",
            "secretName": "mlpipeline-minio-artifact",
        },
    },
    separators=(",", ":"),
)
_METADATA = {"store_session_info": _SESSION, "fingerprint": "0" * 64}
_LAUNCHER = [
    *("/kfp-launcher/launch", "--run_id", _UUID, "--execution_id", "1234"),
    *("--pod_name", "$(KFP_POD_NAME)", "--pod_uid", "$(KFP_POD_UID)"),
    *("--ml_pipeline_server_address", "ml-pipeline.kubeflow.svc.cluster.local", "--ml_pipeline_server_port", "8887"),
    *("--mlmd_server_address", "metadata-grpc-service.kubeflow.svc.cluster.local", "--mlmd_server_port", "8080"),
    *("--publish_logs", "true", "--publish_logs", "true", "--pipeline_name"),
]
_AMOUNT = {"cpu": "2", "memory": "8G"}


@dataclass(frozen=True)
class Part:
    """What one task, loop, iteration or the root adds to the status.

    Attributes:
        name: in the graph.
        nodes: number of nodes in the status.
        component: size of the component's specification (bytes, as Argo stores one copy; likewise below).
        task: size of the task's specification; for the root, of the run's parameters.
        container: size of image, command, source and resources.
        platform: size of the Kubernetes settings.
        patch: size of the patch that the driver creates from all of these for the pod.
    """

    name: str
    nodes: int
    component: int
    task: int
    container: int = 0
    platform: int = 0
    patch: int = 0

    @property
    def status(self) -> int:
        """Its share of the status (bytes)."""
        given = self.component + self.task + self.container + self.platform
        return DRIVER_COPIES * given + PATCH_COPIES * self.patch + NODE_BYTES * self.nodes


def status_bytes(documents: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any] | None = None) -> int:
    """Estimates the size of a run's status, provided that no task comes from the cache or is retried.

    Args:
        documents: of the compiled YAML: the specification of the pipeline, and that of the platform if there is one.
        parameters: of the run, where they differ from the defaults. Those that a loop iterates over matter most.

    Returns:
        Size of the JSON (bytes).
    """
    return sum(part.status for part in parts(documents, parameters))


def parts(documents: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any] | None = None) -> list[Part]:
    """The parts of the status, the root first. Arguments as of `status_bytes`."""
    pipeline, *platforms = documents
    kubernetes = platforms[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platforms else {}
    return list(_Graph(pipeline, kubernetes).parts(parameters or {}))


class _Graph:
    """A compiled pipeline.

    Args:
        pipeline: its specification.
        platforms: {executor's label: Kubernetes settings}.
    """

    def __init__(self, pipeline: Mapping[str, Any], platforms: Mapping[str, Any]):
        self._name = pipeline["pipelineInfo"]["name"]
        self._root = pipeline["root"]
        self._components = pipeline["components"]
        self._executors = pipeline["deploymentSpec"]["executors"]
        self._platforms = platforms

    def parts(self, parameters: Mapping[str, Any]) -> Iterator[Part]:
        values = {**_defaults(self._root), **parameters}
        yield Part("root", ROOT_NODES, _stored(self._root), _stored(values))
        yield from self._inside(self._root, values)

    def _inside(self, component: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Part]:
        """The parts of the tasks of a graph whose inputs have these values."""
        tasks = component["dag"]["tasks"]
        counts = {name: len(_items(task, values)) for name, task in tasks.items() if "parameterIterator" in task}
        for name, task in tasks.items():
            called = self._components[task["componentRef"]["name"]]
            given = _defaults(called) | _given(task, values)
            if "executorLabel" in called:
                yield self._task(name, task, called, given, counts)
                continue
            texts = {"component": _stored(called), "task": _stored(task)}
            if name not in counts:
                yield Part(name, GRAPH_NODES, **texts)
                yield from self._inside(called, given)
                continue
            yield Part(name, LOOP_NODES, **texts)
            for item in _items(task, values):
                yield Part(name, ITERATION_NODES, **texts)
                yield from self._inside(called, given | {task["parameterIterator"]["itemInput"]: item})

    def _task(
        self,
        name: str,
        task: Mapping[str, Any],
        component: Mapping[str, Any],
        values: Mapping[str, Any],
        counts: Mapping[str, int],
    ) -> Part:
        """The part of a task with a pod of its own.

        Args:
            name: in the graph.
            task: its specification.
            component: specification of its component.
            values: of its parameters.
            counts: {loop of the same graph: number of iterations}.
        """
        label = component["executorLabel"]
        container, platform = self._executors[label]["container"], self._platforms.get(label, {})
        executor_input = self._executor_input(name, task, component, values, counts)
        texts = ["--executor_input", _json(executor_input), "--component_spec", _json(component)]
        pod = {
            "name": "main",
            "image": container["image"],
            "command": [*_LAUNCHER, self._name, *texts, "--"],
            "args": [*container.get("command", []), *container.get("args", [])],
            "env": container.get("env", []),
            "resources": {"limits": _AMOUNT, "requests": _AMOUNT},
        }
        return Part(
            name,
            TASK_NODES,
            component=_stored(component),
            task=_stored(task),
            container=_stored(container),
            platform=_stored(platform),
            # Volumes, tolerations and so on are about as large in the pod as in the YAML.
            patch=_stored({"containers": [pod], **platform}),
        )

    def _executor_input(
        self,
        name: str,
        task: Mapping[str, Any],
        component: Mapping[str, Any],
        values: Mapping[str, Any],
        counts: Mapping[str, int],
    ) -> dict[str, Any]:
        """What the launcher in the pod receives: parameters, and the artifacts with their locations."""
        artifacts = {
            key: [self._artifact(name, key) | {"metadata": _METADATA | {"display_name": key}}] * _length(source, counts)
            for key, source in task.get("inputs", {}).get("artifacts", {}).items()
        }
        defined = component.get("outputDefinitions", {})
        outputs = {
            key: [self._artifact(name, key) | {"type": output["artifactType"]}]
            for key, output in defined.get("artifacts", {}).items()
        }
        outputs["executor-logs"] = [self._artifact(name, "executor-logs")]
        return {
            "inputs": {"parameterValues": values, "artifacts": _lists(artifacts)},
            "outputs": {
                "parameters": {key: {"outputFile": f"/tmp/kfp/outputs/{key}"} for key in defined.get("parameters", {})},
                "artifacts": _lists(outputs),
                "outputFile": self._uri(name, "output_metadata.json"),
            },
        }

    def _artifact(self, task: str, name: str) -> dict[str, Any]:
        """An artifact without its metadata."""
        return {"name": name, "type": {"schemaTitle": "system.Artifact"}, "uri": self._uri(task, name)}

    def _uri(self, task: str, name: str) -> str:
        return f"minio://mlpipeline/v2/artifacts/{self._name}/{_UUID}/{task}/{_UUID}/{name}"


def _lists(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"artifacts": entries} for name, entries in artifacts.items()}


def _defaults(component: Mapping[str, Any]) -> dict[str, Any]:
    """The default values of a component's parameters."""
    known = component.get("inputDefinitions", {}).get("parameters", {})
    return {name: value["defaultValue"] for name, value in known.items() if "defaultValue" in value}


def _given(task: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a task's parameters, where the graph's inputs have `values`; "" for those known only in a run."""
    given = {}
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        if "runtimeValue" in source:
            given[name] = source["runtimeValue"]["constant"]
        else:
            given[name] = values.get(source.get("componentInputParameter", ""), "")
    return given


def _items(task: Mapping[str, Any], values: Mapping[str, Any]) -> list[Any]:
    """What a loop iterates over; one item where it is known only in a run."""
    items = task["parameterIterator"]["items"]
    found = json.loads(items["raw"]) if "raw" in items else _given(task, values)[items["inputParameter"]]
    return found if isinstance(found, list) else [""]


def _length(source: Mapping[str, Any], counts: Mapping[str, int]) -> int:
    """The number of artifacts of an input: from a loop (`dsl.Collected`), one per iteration."""
    return counts.get(source.get("taskOutputArtifact", {}).get("producerTask", ""), 1)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _stored(value: Any) -> int:
    """Bytes of a value in a node: JSON within JSON, so that every quote and line break is escaped again."""
    return len(_json(_json(value)).encode()) - 2
