"""Runs one step of a compiled pipeline as Kubeflow's launcher does in a pod."""

import ctypes
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pipelines.backend.store import Artifact, BackendError, Store, as_json_number

PROJECT = Path(__file__).parents[3]
_REDIRECT = """
import os
from kfp.dsl.types import artifact_types
artifact_types._MINIO_LOCAL_MOUNT_PREFIX = os.environ["TEST_MOUNT"] + "/"
"""
"""Makes a folder of the test what `/minio/` is in a pod, before kfp's executor begins."""

_PR_CAPBSET_DROP, _LAST_CAPABILITY = 24, 63


@dataclass
class Launcher:
    """Starts pods of one run.

    Attributes:
        folder: of the test; it gets all that the pods and the store have.
        pipeline: name of the pipeline.
        inputs: the executor inputs that were given, by task.
        said: what the steps wrote to their executor output, by task.
    """

    folder: Path
    pipeline: str = "pneumonia-benchmark"
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self):
        self.run = str(uuid.uuid4())
        for name in ("objects", "mount", "tmp", "bin", "site", "cwd", "home"):
            (self.folder / name).mkdir(parents=True)
        self.store = Store(self.folder / "objects", self.folder / "mount")
        (self.folder / "site" / "sitecustomize.py").write_text(_REDIRECT)
        # An image has one Python, and it is called python3.
        python = self.folder / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        for name in ("cwd", "home"):
            (self.folder / name).chmod(stat.S_IRUSR | stat.S_IXUSR)

    def launch(
        self,
        task: str,
        component: Mapping[str, Any],
        container: Mapping[str, Any],
        parameters: Mapping[str, Any],
        artifacts: Mapping[str, Sequence[Artifact]],
    ) -> dict[str, Artifact]:
        """Runs a task.

        Args:
            task: its name in the graph.
            component: of the compiled pipeline: its inputs and outputs.
            container: likewise: its command and arguments.
            parameters: their values.
            artifacts: of earlier tasks, by input.

        Returns:
            The output artifacts by name.

        Raises:
            BackendError: the task fails, in its command or after it; the message has its output.
        """
        executor_input = self.executor_input(task, component, parameters, artifacts)
        self.inputs[task] = executor_input
        try:
            for given in artifacts.values():
                for artifact in given:
                    self.store.download(artifact.uri)
            self._execute(task, container, executor_input)
            return self._publish(task, component, executor_input)
        finally:
            self.store.end_pod()

    def executor_input(
        self,
        task: str,
        component: Mapping[str, Any],
        parameters: Mapping[str, Any],
        artifacts: Mapping[str, Sequence[Artifact]],
    ) -> dict[str, Any]:
        """What the step is given: the argument `--executor_input`."""
        place = f"minio://mlpipeline/v2/artifacts/{self.pipeline}/{self.run}/{task}/{uuid.uuid4()}"
        made = component.get("outputDefinitions", {}).get("artifacts", {})
        outputs = {
            name: {"name": name, "type": dict(output["artifactType"]), "uri": f"{place}/{name}"}
            for name, output in made.items()
        }
        logs = {"name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}, "uri": f"{place}/executor-logs-0"}
        outputs["executor-logs"] = logs
        inputs: dict[str, Any] = {
            "parameterValues": {name: as_json_number(value) for name, value in sorted(parameters.items())}
        }
        if artifacts:
            inputs["artifacts"] = {
                name: {"artifacts": [artifact.as_input() for artifact in given]} for name, given in artifacts.items()
            }
        return {
            "inputs": inputs,
            "outputs": {
                "artifacts": {name: {"artifacts": [output]} for name, output in outputs.items()},
                "outputFile": str(self.store.local(f"{place}/output_metadata.json")),
            },
        }

    def _execute(self, task: str, container: Mapping[str, Any], executor_input: Mapping[str, Any]) -> None:
        """Runs the command as a user without rights, who can write to /tmp and the outputs' folder alone."""
        for output in executor_input["outputs"]["artifacts"].values():
            self.store.local(output["artifacts"][0]["uri"]).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(executor_input)
        command = [word.replace("{{$}}", text) for word in (*container["command"], *container["args"])]
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.defpath}",
            "PYTHONPATH": f"{self.folder / 'site'}:{PROJECT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TEST_MOUNT": str(self.store.mount),
            "TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.folder / "home"),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        done = subprocess.run(
            command,
            cwd=self.folder / "cwd",
            env=environment,
            preexec_fn=give_up_rights,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BackendError(f"{task}: exit status {done.returncode}\n{done.stdout}")

    def _publish(
        self, task: str, component: Mapping[str, Any], executor_input: Mapping[str, Any]
    ) -> dict[str, Artifact]:
        """Uploads the outputs and stores what the step says of them."""
        file = Path(executor_input["outputs"]["outputFile"])
        said = json.loads(file.read_text(), parse_constant=_refuse) if file.exists() else {}
        self.said[task] = said
        published = {}
        for name in component.get("outputDefinitions", {}).get("artifacts", {}):
            output = executor_input["outputs"]["artifacts"][name]["artifacts"][0]
            (own,) = said.get("artifacts", {}).get(name, {}).get("artifacts", [{}])
            self.store.upload(output["uri"])
            published[name] = self.store.register(output["uri"], name, own.get("metadata", {}))
        return published


def _refuse(constant: str) -> None:
    raise BackendError(f"failed to unmarshal the executor's output: invalid value {constant}")


def give_up_rights() -> None:
    """Makes root an ordinary owner of its files: without capabilities, it cannot write where it may not."""
    if os.geteuid() == 0 and sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for capability in range(_LAST_CAPABILITY + 1):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
