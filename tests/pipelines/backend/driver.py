"""The driver: what a task is given."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.pipelines.backend.metadata import as_double
from tests.pipelines.backend.store import Artifact

_TYPES = {
    "NUMBER_INTEGER": int | float,
    "NUMBER_DOUBLE": int | float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


class DriverError(Exception):
    """A task's inputs cannot be had, so it does not start."""


@dataclass
class Scope:
    """What the tasks of one graph can see.

    Attributes:
        parameters: of the graph.
        artifacts: that the graph was given; a list each, which for most holds one.
        placeholders: {"{{$.pipeline_job_name}}": value}, what the backend fills in.
        outputs: {task: {output: artifacts}} of the tasks that succeeded.
    """

    parameters: dict[str, Any]
    artifacts: dict[str, list[Artifact]]
    placeholders: dict[str, str]
    outputs: dict[str, dict[str, list[Artifact]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What a task is given.

    Attributes:
        parameters: without those that are left to the component's defaults.
        artifacts: likewise; a list each.
        from_tasks: names of the artifacts that come from a task of the same graph.
    """

    parameters: dict[str, Any]
    artifacts: dict[str, list[Artifact]]
    from_tasks: frozenset[str]


def resolve(task: dict[str, Any], component: dict[str, Any], scope: Scope) -> Inputs:
    """Finds what a task is given.

    Args:
        task: of the graph.
        component: that it runs.
        scope: of the graph.

    Raises:
        DriverError: something is missing, or a parameter is of another type.
    """
    given, defined = task.get("inputs", {}), component.get("inputDefinitions", {})
    parameters, artifacts, from_tasks = {}, {}, set()
    for name, source in given.get("parameters", {}).items():
        value = _parameter(source, scope)
        if value is not None:
            parameters[name] = _checked(name, value, defined["parameters"][name]["parameterType"])
    for name, source in given.get("artifacts", {}).items():
        found = _artifacts(source, scope)
        if found is not None:
            artifacts[name] = found
        if "taskOutputArtifact" in source:
            from_tasks.add(name)
    for group, found in (("parameters", parameters), ("artifacts", artifacts)):
        for name, definition in defined.get(group, {}).items():
            if name not in found and not definition.get("isOptional") and "defaultValue" not in definition:
                raise DriverError(f"neither value nor default value provided for non-optional input {name}")
    return Inputs(parameters, artifacts, frozenset(from_tasks))


def executor_input(
    inputs: Inputs, component: dict[str, Any], task_root: str, prefix: str, typed: bool | None = None
) -> dict[str, Any]:
    """The argument of kfp's executor.

    Args:
        inputs: what the task is given.
        component: that it runs; its defaults fill in.
        task_root: URI below which the task's outputs are to lie.
        prefix: folder that stands for `minio://`, "/minio/" on a cluster.
        typed: whether input artifacts have an empty type or none; None leaves it to where they come from.
    """
    defaults = {
        name: definition["defaultValue"]
        for name, definition in component.get("inputDefinitions", {}).get("parameters", {}).items()
        if "defaultValue" in definition
    }
    given: dict[str, Any] = {}
    # Nothing that is empty is there.
    if values := defaults | inputs.parameters:
        given["parameterValues"] = as_double(values)
    if inputs.artifacts:
        given["artifacts"] = {
            name: {"artifacts": [one.as_input(name in inputs.from_tasks if typed is None else typed) for one in found]}
            for name, found in inputs.artifacts.items()
        }
    outputs = {
        name: {"name": name, "type": definition["artifactType"], "uri": f"{task_root}/{name}"}
        for name, definition in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    # The number is that of the attempt.
    outputs["executor-logs"] = {
        "name": "executor-logs",
        "type": {"schemaTitle": "system.Artifact"},
        "uri": f"{task_root}/executor-logs-0",
    }
    file = f"{prefix}{task_root.removeprefix('minio://')}/output_metadata.json"
    artifacts = {name: {"artifacts": [output]} for name, output in outputs.items()}
    return {"inputs": given, "outputs": {"artifacts": artifacts, "outputFile": file}}


def _parameter(source: dict[str, Any], scope: Scope) -> Any:
    if "componentInputParameter" in source:
        return scope.parameters.get(source["componentInputParameter"])
    if "runtimeValue" not in source:
        raise NotImplementedError(f"the stand-in knows no parameter of the kind {source}")
    value = source["runtimeValue"]["constant"]
    if not isinstance(value, str):
        return value
    for placeholder, text in scope.placeholders.items():
        value = value.replace(placeholder, text)
    if unknown := re.search(r"\{\{\$.*?\}\}", value):
        raise NotImplementedError(f"the stand-in knows no placeholder {unknown.group()}")
    return value


def _artifacts(source: dict[str, Any], scope: Scope) -> list[Artifact] | None:
    """Artifacts of one input; None where the graph was given none."""
    if "componentInputArtifact" in source:
        return scope.artifacts.get(source["componentInputArtifact"])
    output = source["taskOutputArtifact"]
    found = scope.outputs.get(output["producerTask"], {}).get(output["outputArtifactKey"])
    if found is None:
        raise DriverError(
            f'cannot find output artifact key "{output["outputArtifactKey"]}" in producer task '
            f'"{output["producerTask"]}"'
        )
    return found


def _checked(name: str, value: Any, expected: str) -> Any:
    """A parameter's value; whatever is given for a string becomes one, all else has to fit."""
    if expected == "STRING":
        return value if isinstance(value, str) else json.dumps(as_double(value))
    if isinstance(value, bool) != (expected == "BOOLEAN") or not isinstance(value, _TYPES[expected]):
        raise DriverError(
            f'input parameter "{name}" type mismatch: expect {expected}, got {type(value).__name__} {value!r}'
        )
    return value
