"""Where a history is: an MLflow server or a SQLite file. Everything else is refused by name, and so are passwords."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.console import UserError, check_name

VARIABLE = "MLFLOW_TRACKING_URI"
"""MLflow's own environment variable for the address of a history."""

DEFAULT = "mlflow.db"
"""Name of the default history in the folder of all runs on a machine."""

SQLITE = "sqlite:///"
KINDS = "an MLflow server (https://...) or a SQLite file (sqlite:///FILE)"
WANTED = f"give {KINDS}"

_DATABASES = re.compile(r"(postgresql|mysql|mssql|oracle)(\+\w+)?")


@dataclass(frozen=True)
class Place:
    """A place for a history.

    Attributes:
        uri: as MLflow takes it; without anything secret, and absolute for a file.
        file: the SQLite file; None for a server.
    """

    uri: str
    file: Path | None = None

    @property
    def artifacts(self) -> Path | None:
        """The folder of the files that belong to runs, beside the SQLite file; None for a server, which has its own."""
        return self.file.with_name(f"{self.file.stem}-artifacts") if self.file else None


def read(uri: str) -> Place:
    """The place that an address names.

    Args:
        uri: "https://host", or "sqlite:///FILE" with a path that is absolute or relative to the working directory.

    Raises:
        UserError: it is of another kind, or holds a user or a password.
    """
    scheme = uri.partition(":")[0].lower() if ":" in uri else ""
    if scheme in ("http", "https"):
        return Place(_address(uri))
    if scheme == "sqlite":
        return _file(uri)
    if scheme in ("", "file"):
        raise UserError(
            f"{uri or 'an empty address'} is a folder, and MLflow has retired the folder store: give a SQLite file "
            f"instead, for example {sqlite(Path(re.sub('^file:(//)?', '', uri), DEFAULT))}"
        )
    if _DATABASES.fullmatch(scheme):
        raise UserError(
            f"a {scheme} database is not opened directly: start 'mlflow server --backend-store-uri ...' with it, and "
            "give the address of that server"
        )
    raise UserError(f"a history at {scheme}:... is not supported: {WANTED}")


def sqlite(file: Path) -> str:
    """The address of a SQLite file."""
    return f"{SQLITE}{file}"


def in_pod(uri: str, volumes: Mapping[str, str]) -> Place:
    """The place that an address names in a pod, see `read`.

    Args:
        uri: the address.
        volumes: {claim: path} of the volumes that there are.

    Raises:
        UserError: it is refused, or a file that would vanish with the pod.
    """
    if uri.startswith(SQLITE) and not uri.startswith(f"{SQLITE}/"):
        raise UserError(f"--tracking-uri {uri} is relative: on a cluster give {SQLITE}/PATH, with four slashes")
    place = read(uri)
    if place.file and not mounted(place.file, volumes):
        raise UserError(
            f"--tracking-uri {uri} is on no volume, so that it would vanish with the pod: add --volume CLAIM=/PATH "
            "with a path above it"
        )
    return place


def mounted(file: Path, volumes: Mapping[str, str]) -> dict[str, str]:
    """The volume that a file is on, as {claim: path}; empty if it is on none.

    Args:
        file: an absolute path.
        volumes: {claim: path} of all of them.
    """
    above = [(claim, path) for claim, path in volumes.items() if file.is_relative_to(path)]
    return dict(sorted(above, key=lambda item: len(item[1]))[-1:])


def _address(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UserError(f"the address of the MLflow server is no URL: {WANTED}") from None
    if not host:
        raise UserError(f"the address of the MLflow server has no host: {WANTED}")
    # The message must not repeat what it warns of.
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UserError(
            f"the address of the MLflow server at {host} holds a user, a password or a token, which would end in logs: "
            "leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in "
            "the environment"
        )
    return uri.rstrip("/")


def _file(uri: str) -> Place:
    name = uri[len(SQLITE) :]
    if not uri.lower().startswith(SQLITE) or not name or name == ":memory:" or name.endswith("/"):
        raise UserError(f"{uri} names no file: give {SQLITE}FILE, with four slashes for an absolute path")
    if unusable := re.search(r"[?#%]", name):
        raise UserError(f"{uri} contains {unusable.group()!r}, which MLflow does not take in a file's name: rename it")
    check_name(name)
    file = Path(name).absolute()
    return Place(sqlite(file), file)
