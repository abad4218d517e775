"""The launcher: brings a task's inputs, runs it, takes its outputs."""

import json
from pathlib import Path
from typing import Any

from tests.pipelines.backend.metadata import RefusedError, read_output
from tests.pipelines.backend.pod import Pod
from tests.pipelines.backend.store import Artifact, Store

LOGS = "executor-logs"


class StepError(Exception):
    """A task's process ended with another exit code than 0."""


def launch(store: Store, pod: Pod, container: dict[str, Any], executor_input: dict[str, Any]) -> dict[str, Artifact]:
    """Runs one task.

    Args:
        store: the two stores.
        pod: where it runs.
        container: command, arguments and environment of its executor in the compiled YAML.
        executor_input: what it is given.

    Returns:
        Its outputs by name, as the metadata store has them.

    Raises:
        StepError: the process failed. Of its outputs only the log is kept.
        RefusedError: it did its work, but the outputs are not accepted.
    """
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    wanted = {name: entry["artifacts"][0] for name, entry in outputs["artifacts"].items()}
    for output in wanted.values():
        pod.local(output["uri"]).parent.mkdir(parents=True, exist_ok=True)
    for entry in inputs.get("artifacts", {}).values():
        for artifact in entry["artifacts"]:
            path = pod.local(artifact["uri"])
            path.parent.mkdir(parents=True, exist_ok=True)
            store.download(artifact["uri"], path)
            pod.protect(path)
    argument = json.dumps(executor_input, separators=(",", ":"))
    words = [word.replace("{{$}}", argument) for word in container["command"] + container.get("args", [])]
    variables = {entry["name"]: entry["value"] for entry in container.get("env", [])}
    logs = wanted[LOGS]["uri"]
    code = pod.run(words, variables, pod.local(logs))
    store.upload(pod.local(logs), logs)
    if code:
        raise StepError(f"exit status {code}")
    file = Path(outputs["outputFile"])
    written = read_output(file.read_text(), str(file)).get("artifacts", {}) if file.exists() else {}
    return {name: _take(store, pod, name, output, written) for name, output in sorted(wanted.items())}


def _take(store: Store, pod: Pod, name: str, output: dict[str, Any], written: dict[str, Any]) -> Artifact:
    """Uploads one output and enters it into the metadata store."""
    said = written.get(name, {"artifacts": [{}]})["artifacts"][0] if name != LOGS else {}
    uri = said.get("uri") or output["uri"]
    path = Path(said["custom_path"]) if said.get("custom_path") else pod.local(uri)
    try:
        store.upload(path, uri)
    except FileNotFoundError:
        # As on a cluster, where that is a warning: a step that takes the artifact finds nothing at its path.
        pass
    except OSError as error:
        raise RefusedError(
            f'failed to upload output artifact "{name}" to remote storage URI "{uri}": {error}'
        ) from None
    try:
        return store.record(name, uri, said.get("metadata", {}))
    except RefusedError as error:
        raise RefusedError(f'unable to produce MLMD artifact for output "{name}": {error}') from None
