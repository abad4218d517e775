"""The object store and the metadata store."""

import json
import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.pipelines.backend.metadata import stored

SCHEME = "minio://"
_SESSION = {
    "Provider": "minio",
    "Params": {
        "accessKeyKey": "accesskey",
        "disableSSL": "true",
        "endpoint": "store.example:9000",
        "fromEnv": "false",
        "maxRetries": "5",
        "region": "minio",
        "secretKeyKey": "secretkey",
        "secretName": "mlpipeline-minio-artifact",
    },
}


@dataclass(frozen=True)
class Artifact:
    """An artifact in the metadata store.

    Attributes:
        number: its id there, which a step gets as the artifact's name.
        uri: where its files are in the object store, `minio://bucket/key`.
        metadata: as a later step gets them.
    """

    number: int
    uri: str
    metadata: dict[str, Any]

    def as_input(self, typed: bool) -> dict[str, Any]:
        """The artifact in a later step's executor input.

        Args:
            typed: with the empty type that a task's output has; the input of a nested graph has none at all.
        """
        kind = {"type": {"instanceSchema": ""}} if typed else {}
        return {"metadata": self.metadata, "name": str(self.number), "uri": self.uri, **kind}


class Store:
    """Objects below a folder, and artifacts that are numbered as they come."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers = count(101)

    def record(self, name: str, uri: str, metadata: dict[str, Any]) -> Artifact:
        """Enters an artifact into the metadata store.

        Args:
            name: of the output that it is.
            uri: where its files are.
            metadata: what the step wrote.

        Raises:
            RefusedError: the store cannot hold the metadata.
        """
        added = {"display_name": name, "store_session_info": json.dumps(_SESSION, separators=(",", ":"))}
        return Artifact(next(self._numbers), uri, stored(added | metadata))

    def upload(self, path: Path, uri: str) -> None:
        """Copies a file, or each file of a folder; empty folders, links and permissions get lost.

        Raises:
            OSError: there is no such file or folder, or a folder in it is a link.
        """
        if not path.is_dir():
            _copy(path, self._path(uri))
            return
        for entry in sorted(path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                self.upload(entry, f"{uri}/{entry.name}")
            else:
                _copy(entry, self._path(uri) / entry.name)

    def download(self, uri: str, path: Path) -> None:
        """Copies what is below a URI to a path: a file or a folder, or nothing where nothing was uploaded."""
        source = self._path(uri)
        if source.is_file():
            _copy(source, path)
        for file in source.rglob("*"):
            if file.is_file():
                _copy(file, path / file.relative_to(source))

    def files(self, uri: str) -> list[str]:
        """Names of the files below a URI, sorted; "." for a single file at the URI itself."""
        source = self._path(uri)
        found = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        return sorted(str(file.relative_to(source)) for file in found)

    def _path(self, uri: str) -> Path:
        return self._folder / uri.removeprefix(SCHEME)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
