"""A compiled pipeline, as it is about to be sent: its version's name, its parameters, its tasks' titles."""

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
"""Kubeflow takes no larger upload."""

PLACE = ("source", "path", "sha256")
"""The parameters that say where images come from."""

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
    """A pipeline's YAML.

    Attributes:
        path: the file.
        documents: what it says: the pipeline's spec, and the platform's where there is one.
    """

    path: Path
    documents: Sequence[Mapping[str, Any]]

    @functools.cached_property
    def version(self) -> str:
        """The name of its version on a server.

        It follows from what the YAML says (not from its comments or layout), so every machine finds again what any
        machine uploaded.
        """
        content = json.dumps(self.documents, sort_keys=True, default=str)
        return f"{NAME}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The parameters that the pipeline declares, each with `parameterType` and perhaps `defaultValue`."""
        return self.documents[0]["root"].get("inputDefinitions", {}).get("parameters", {})

    @functools.cached_property
    def titles(self) -> Mapping[str, str]:
        """The title of every task by its name in the graph, for example {"train-2": "Train: Transfer learning"}."""
        return {name: task.get("taskInfo", {}).get("name", name) for name, task in _tasks(self.documents[0])}

    def needs(self, task: str) -> str:
        """What a task's pod asks a node for, for example "1 nvidia.com/gpu, 2 CPUs and 8G of memory"; "" if nothing."""
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
        """What a run with these parameters computes with, defaults filled in, each as JSON in one form to compare."""
        defaults = {name: spec["defaultValue"] for name, spec in self.parameters.items() if "defaultValue" in spec}
        return {name: json.dumps(_in_floats(value), sort_keys=True) for name, value in (defaults | given).items()}


def load(path: Path) -> Package:
    """Reads a pipeline's YAML.

    Raises:
        UserError: it is missing, too large, no YAML, or not this project's pipeline.
    """
    remedy = "make one with python compile.py"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is larger than the 32 MiB that Kubeflow takes: {remedy}")
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), _LOADER))
        name = documents[0]["pipelineInfo"]["name"]
        documents[0]["root"]["dag"]["tasks"]
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"there is no file {path}: {remedy}") from None
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError):
        raise UserError(f"{path} is no compiled pipeline: {remedy}") from None
    if name != NAME:
        raise UserError(f"{path} is the pipeline {name!r}, not {NAME!r}: give the YAML of the whole pipeline")
    return Package(path, documents)


def without_cache(package: Package, path: Path) -> Package:
    """The same pipeline with no step taken from the cache, written to `path`.

    kfp's own switch has no effect on a pipeline that was uploaded, so it is the YAML that says so.
    """
    copy = load(package.path)
    for _, task in _tasks(copy.documents[0]):
        task["cachingOptions"] = {}
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump_all(copy.documents, file)
    return load(path)


def pins_source(package: Package, parameters: Mapping[str, Any]) -> bool:
    """Whether a run with these parameters gets images that can never change under the same arguments."""
    from components.source_checks import is_pinned  # noqa: PLC0415 (takes a second, which help need not wait for)

    declared = package.parameters
    if not declared.keys() >= set(PLACE):
        return False
    return is_pinned(*(parameters.get(name, declared[name]["defaultValue"]) for name in PLACE))


def with_pinned_source(package: Package, parameters: Mapping[str, Any], path: Path) -> tuple[Package, dict[str, Any]]:
    """The same pipeline for one source whose images can never change, with ingest taken from the cache.

    Where the images come from (`PLACE`) is fixed in the YAML and no parameter any more: whoever starts another run of
    this version, in Kubeflow's pages too, cannot get one source's images under another one's name, or old ones.

    Args:
        package: as compiled.
        parameters: of the run, checked; they pin the source.
        path: where the YAML is written.

    Returns:
        The pipeline, and the parameters that are left.
    """
    copy = load(package.path)
    root = copy.documents[0]["root"]
    declared = root["inputDefinitions"]["parameters"]
    values = {name: parameters.get(name, declared[name]["defaultValue"]) for name in PLACE}
    for task in root["dag"]["tasks"].values():
        inputs = task.get("inputs", {}).get("parameters", {})
        from_root = {name: entry.get("componentInputParameter") for name, entry in inputs.items()}
        if from_root.get("source") == "source":
            task["cachingOptions"] = {"enableCache": True}
        fixed = {name: values[source] for name, source in from_root.items() if source in PLACE}
        inputs |= {name: {"runtimeValue": {"constant": value}} for name, value in fixed.items()}
    for name in PLACE:
        del declared[name]
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump_all(copy.documents, file)
    return load(path), {name: value for name, value in parameters.items() if name not in PLACE}


def _tasks(spec: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """All tasks, those in loops too, each with its name."""
    parts = [spec["root"], *spec.get("components", {}).values()]
    return [task for part in parts for task in part.get("dag", {}).get("tasks", {}).items()]


def split_words(words: Sequence[str]) -> dict[str, str]:
    """Names and texts of `--set name=value`, said any number of times; of one name the last counts.

    Raises:
        UserError: one is no `name=value`.
    """
    given: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise UserError(f"--set {word!r} is not of the form name=value, for example --set epochs=30")
        given[name] = text
    return given


def read_file(path: Path) -> dict[str, Any]:
    """Parameters from a YAML or JSON file, which holds one mapping of names to values.

    Raises:
        UserError: it is missing, no YAML or JSON, or not a mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 (a safe loader)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"there is no parameter file {path}: check --parameters") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--parameters {path} is neither YAML nor JSON: {error}") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError(f"--parameters {path} must hold names and values, for example 'epochs: 30'")
    return values


def check(package: Package, values: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of the types that the pipeline declares.

    Args:
        package: the pipeline.
        values: as a file gave them.
        texts: as `--set` gave them; these count where both give one.

    Returns:
        What to send.

    Raises:
        UserError: one is unknown, of another type, out of range, without effect, or missing.
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
    """Checks what can be known of the parameters of this project's pipeline before it runs."""
    ours = {
        name: value
        for name, value in taken.items()
        if name in PIPELINE and _KIND_OF[PIPELINE[name].kind] == known[name]["parameterType"]
    }
    # A file may well hold all parameters; those that it leaves as they are need no effect.
    changed = {name for name, value in ours.items() if value != PIPELINE[name].default}
    options.check(ours, changed, options.setting)


def _read(text: str, kind: str) -> Any:
    """A value from the command line; the text itself where it is none of this kind."""
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
        # Kubeflow carries every number as a double.
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
    """The value with all whole numbers as floats, as they come back from a server."""
    if isinstance(value, dict):
        return {key: _in_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
