"""What Kubeflow keeps of artifacts: their files in an object store, their metadata in a database."""

import itertools
import json
import math
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SESSION = json.dumps({"Provider": "minio", "Params": {"endpoint": "store.example:9000", "secretName": "a-secret"}})
LONGEST_ARGUMENT = 128 * 1024
"""Linux takes no longer argument of a command, and metadata travel in one."""


class BackendError(Exception):
    """A task fails on the backend."""


@dataclass(frozen=True)
class Artifact:
    """An artifact as a later task gets it.

    Attributes:
        identifier: in the database; its name from then on.
        uri: in the object store.
        metadata: as stored.
    """

    identifier: int
    uri: str
    metadata: dict[str, Any]

    def as_input(self) -> dict[str, Any]:
        """How the driver hands it to a task: of its type nothing is left, in one of the two forms that were seen."""
        untyped = {} if self.identifier % 2 else {"type": {"instanceSchema": ""}}
        return {"metadata": self.metadata, "name": str(self.identifier), "uri": self.uri} | untyped


@dataclass
class Store:
    """The object store and the database.

    Attributes:
        objects: where the object store has its files.
        mount: the folder that stands for `/minio` in a pod.
    """

    objects: Path
    mount: Path
    identifiers: itertools.count = field(default_factory=lambda: itertools.count(90))

    def local(self, uri: str) -> Path:
        """Where a pod finds an artifact."""
        return self.mount / uri.removeprefix("minio://")

    def remote(self, uri: str) -> Path:
        """Where the object store has it."""
        return self.objects / uri.removeprefix("minio://")

    def register(self, uri: str, name: str, metadata: dict[str, Any]) -> Artifact:
        """Stores an output artifact's metadata.

        Raises:
            BackendError: they hold what the database does not take.
        """
        stored = {key: stored_value(value) for key, value in metadata.items()}
        if len(json.dumps(stored)) > LONGEST_ARGUMENT:
            raise BackendError(
                f"the metadata of {name} are longer than {LONGEST_ARGUMENT} bytes: argument list too long"
            )
        return Artifact(next(self.identifiers), uri, stored | {"display_name": name, "store_session_info": SESSION})

    def upload(self, uri: str) -> None:
        """Copies an artifact's files from a pod, one by one; what was not written is left out with a warning alone."""
        local = self.local(uri)
        files = [local] if local.is_file() else [path for path in local.rglob("*") if path.is_file()]
        for file in files:
            target = self.remote(uri) / file.relative_to(local) if file != local else self.remote(uri)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def download(self, uri: str) -> None:
        """Copies an artifact's files into a pod, where nothing may be changed of them.

        Raises:
            BackendError: there is nothing.
        """
        remote, local = self.remote(uri), self.local(uri)
        if not remote.exists():
            raise BackendError(f"failed to download input artifact {uri}: no object begins with this key")
        local.parent.mkdir(parents=True, exist_ok=True)
        if remote.is_file():
            shutil.copyfile(remote, local)
        else:
            shutil.copytree(remote, local, copy_function=shutil.copyfile)
        for path in (local, *local.rglob("*")):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    def end_pod(self) -> None:
        """Removes what a pod had on its disk."""
        for path in self.mount.rglob("*"):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        shutil.rmtree(self.mount)
        self.mount.mkdir()


def stored_value(value: Any) -> Any:
    """A metadata value as it comes back from the database.

    As read in `StructValueToMLMDValue` (backend/src/v2/metadata/converter.go of Kubeflow Pipelines): every number is a
    double, of which six decimals come back, a boolean is a number, a list or dictionary lies in another one.

    Raises:
        BackendError: it has no value in the database.
    """
    if value is None:
        raise BackendError(
            "failed to convert RuntimeArtifact to MLMD artifact: unknown/unsupported value type "
            "*structpb.Value_NullValue"
        )
    if isinstance(value, bool | int | float):
        return as_json_number(round(float(value), 6))
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    return value


def as_json_number(value: Any) -> Any:
    """A double as the backend writes it: a whole one without decimals."""
    return int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value
