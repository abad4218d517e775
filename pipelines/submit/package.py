"""A compiled pipeline to be sent to a server: its version, its parameters, the titles of its tasks."""

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components import options
from components.console import UserError
from components.parameters import PIPELINE

NAME = "pneumonia-benchmark"
LARGEST_BYTES = 32 * 2**20
"""The largest upload that Kubeflow accepts."""

SOURCE_PARAMETERS = ("source", "path", "sha256")
"""The parameters of the images' source."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST_WHOLE = 2**53
_KIND_OF = {int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE", str: "STRING", bool: "BOOLEAN"}
_KINDS = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "STRING": "text",
    "BOOLEAN": "true or false",
    "LIST": "a JSON list, for example [1, 2]",
    "STRUCT": 'a JSON object, for example {"a": 1}',
}


@dataclass(frozen=True)
class Package:
    """A pipeline's YAML file.

    Attributes:
        path: the file.
        documents: its content: the specification of the pipeline, and that of the platform if there is one.
    """

    path: Path
    documents: Sequence[Mapping[str, Any]]

    @functools.cached_property
    def version(self) -> str:
        """The name of its version on a server.

        It contains a hash of the YAML's content (without comments and layout), so every machine finds a version that
        any machine has uploaded.
        """
        content = json.dumps(self.documents, sort_keys=True, default=str)
        return f"{NAME}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The parameters that the pipeline declares, each with `parameterType` and optionally `defaultValue`."""
        return self.documents[0]["root"].get("inputDefinitions", {}).get("parameters", {})

    @functools.cached_property
    def titles(self) -> Mapping[str, str]:
        """The title of every task by its name in the graph, for example {"train-2": "Train: Transfer learning"}."""
        return {name: task.get("taskInfo", {}).get("name", name) for name, task in _tasks(self.documents[0])}

    def needs(self, task: str) -> str:
        """What a task's pod requests, for example "1 nvidia.com/gpu, 2 CPUs and 8G of memory"; "" if nothing."""
        name = dict(_tasks(self.documents[0]))[task]["componentRef"]["name"]
        label = self.documents[0]["components"][name].get("executorLabel", "")
        executors = self.documents[0].get("deploymentSpec", {}).get("executors", {})
        asked = executors.get(label, {}).get("container", {}).get("resources", {})
        gpu = asked.get("accelerator", {})
        parts = [
            f"{gpu.get('resourceCount', '')} {gpu.get('resourceType', '')}".strip(),
            f"{asked['resourceCpuRequest']} CPUs" if "resourceCpuRequest" in asked else "",
            f"{asked['resourceMemoryRequest']} of memory" if "resourceMemoryRequest" in asked else "",
        ]
        *first, last = [part for part in parts if part] or [""]
        return f"{', '.join(first)} and {last}" if first else last

    def effective(self, given: Mapping[str, Any]) -> dict[str, str]:
        """The parameters of a run, defaults included, each as JSON in a form that can be compared."""
        defaults = {name: spec["defaultValue"] for name, spec in self.parameters.items() if "defaultValue" in spec}
        return {name: json.dumps(_in_floats(value), sort_keys=True) for name, value in {**defaults, **given}.items()}


def load(path: Path) -> Package:
    """Reads a pipeline's YAML.

    Raises:
        UserError: it is missing, too large, not YAML, or not this project's pipeline.
    """
    remedy = "make one with python compile.py"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is larger than the 32 MiB that Kubeflow accepts: {remedy}")
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), _LOADER))
        name = documents[0]["pipelineInfo"]["name"]
        documents[0]["root"]["dag"]["tasks"]
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"there is no file {path}: {remedy}") from None
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError):
        raise UserError(f"{path} is not a compiled pipeline: {remedy}") from None
    if name != NAME:
        raise UserError(f"{path} is the pipeline {name!r}, not {NAME!r}: give the YAML of the whole pipeline")
    return Package(path, documents)


def without_cache(package: Package, path: Path) -> Package:
    """The same pipeline with caching disabled for every step, written to `path`.

    kfp's own option has no effect on a pipeline that was uploaded, so caching is disabled in the YAML.
    """
    copy = load(package.path)
    for _, task in _tasks(copy.documents[0]):
        task["cachingOptions"] = {}
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump_all(copy.documents, file)
    return load(path)


def pins_source(package: Package, parameters: Mapping[str, Any]) -> bool:
    """Whether the images of a run with these parameters can never change while the parameters stay the same."""
    from components.source_checks import is_pinned  # noqa: PLC0415 (takes a second, which help need not wait for)

    declared = package.parameters
    if not declared.keys() >= set(SOURCE_PARAMETERS):
        return False
    return is_pinned(*(parameters.get(name, declared[name]["defaultValue"]) for name in SOURCE_PARAMETERS))


def with_pinned_source(package: Package, parameters: Mapping[str, Any], path: Path) -> tuple[Package, dict[str, Any]]:
    """The same pipeline for one source whose images can never change, with caching of ingest enabled.

    The source (`SOURCE_PARAMETERS`) is fixed in the YAML and is no longer a parameter: another run of this version,
    also one started in Kubeflow's web interface, can therefore not get cached images of another source, or outdated
    ones.

    Args:
        package: the compiled pipeline.
        parameters: of the run, checked; the source that they give can never change.
        path: file to write.

    Returns:
        The pipeline, and the remaining parameters.
    """
    copy = load(package.path)
    root = copy.documents[0]["root"]
    declared = root["inputDefinitions"]["parameters"]
    values = {name: parameters.get(name, declared[name]["defaultValue"]) for name in SOURCE_PARAMETERS}
    for task in root["dag"]["tasks"].values():
        inputs = task.get("inputs", {}).get("parameters", {})
        from_root = {name: entry.get("componentInputParameter") for name, entry in inputs.items()}
        if from_root.get("source") == "source":
            task["cachingOptions"] = {"enableCache": True}
        fixed = {name: values[source] for name, source in from_root.items() if source in SOURCE_PARAMETERS}
        inputs |= {name: {"runtimeValue": {"constant": value}} for name, value in fixed.items()}
    for name in SOURCE_PARAMETERS:
        del declared[name]
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump_all(copy.documents, file)
    return load(path), {name: value for name, value in parameters.items() if name not in SOURCE_PARAMETERS}


def _tasks(spec: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All tasks with their names, including those in loops."""
    parts = [spec["root"], *spec.get("components", {}).values()]
    return [task for part in parts for task in part.get("dag", {}).get("tasks", {}).items()]


def split_words(words: Sequence[str]) -> dict[str, str]:
    """Splits the values of `--set name=value` into names and texts; of several with one name, the last counts.

    Raises:
        UserError: a value is not of the form `name=value`.
    """
    given: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise UserError(f"--set {word!r} is not of the form name=value, for example --set epochs=30")
        given[name] = text
    return given


def read_file(path: Path) -> dict[str, Any]:
    """Reads parameters from a YAML or JSON file, which must be one mapping of names to values.

    Raises:
        UserError: it is missing, neither YAML nor JSON, or not a mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 (a safe loader)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"there is no parameter file {path}: check --parameters") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--parameters {path} is neither YAML nor JSON: {error}") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError(f"--parameters {path} must be a mapping of names to values, for example 'epochs: 30'")
    return values


def check(package: Package, values: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Checks parameters, and converts them to the types that the pipeline declares.

    Args:
        package: the pipeline.
        values: from a file, by name.
        texts: from `--set`, by name; they override the file.

    Returns:
        The parameters to send, by name.

    Raises:
        UserError: a parameter is unknown, of another type, out of range, without effect, or missing.
    """
    known = package.parameters
    for name in (*values, *texts):
        if name not in known:
            raise UserError(f"the pipeline has no parameter {name!r}: it has {', '.join(sorted(known))}")
    taken = dict(values) | {name: _read(text, known[name]["parameterType"]) for name, text in texts.items()}
    for name, value in taken.items():
        _check_kind(name, value, known[name]["parameterType"])
    needed = {name for name, spec in known.items() if "defaultValue" not in spec and not spec.get("isOptional")}
    if missing := sorted(needed - set(taken)):
        raise UserError(f"the pipeline needs values for {', '.join(missing)}: give them with --set name=value")
    _check_values(taken, known)
    return taken


def _check_values(taken: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks the values of the parameters that `components.parameters` defines."""
    ours = {
        name: value
        for name, value in taken.items()
        if name in PIPELINE and _KIND_OF[PIPELINE[name].kind] == known[name]["parameterType"]
    }
    compiled = known.get("label_budgets", {}).get("defaultValue", "")
    if ours.get("label_budgets") and not compiled:
        raise UserError(
            "label_budgets has no effect, since the pipeline was compiled without label budgets: compile it with "
            "--label-budgets"
        )
    # A file may list all parameters; those with their default values may be without effect.
    changed = {name for name, value in ours.items() if value != PIPELINE[name].default}
    options.check(ours | {"label_budgets": ours.get("label_budgets") or compiled}, changed, options.setting)


def _read(text: str, kind: str) -> Any:
    """A value from the command line; the text itself if it is not of this type."""
    try:
        if kind == "STRING":
            return text
        if kind == "NUMBER_DOUBLE":
            return float(text)
        return json.loads(text.lower() if kind == "BOOLEAN" else text)
    except ValueError:
        return text


def _check_kind(name: str, value: Any, kind: str) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        # Kubeflow stores every number as a double.
        "NUMBER_INTEGER": whole and abs(value) <= _LARGEST_WHOLE,
        "NUMBER_DOUBLE": whole or (isinstance(value, float) and math.isfinite(value)),
        "STRING": isinstance(value, str),
        "BOOLEAN": isinstance(value, bool),
        "LIST": isinstance(value, list) and _is_json(value),
        "STRUCT": isinstance(value, dict) and _is_json(value),
    }
    if not fits.get(kind, False):
        quotes = ": put it in quotes" if kind == "STRING" else ""
        raise UserError(f"the parameter {name} is {value!r}, but must be {_KINDS.get(kind, kind)}{quotes}")


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _in_floats(value: Any) -> Any:
    """The value with all integers as floats, as a server returns them."""
    if isinstance(value, dict):
        return {key: _in_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
