"""Opens a history with MLflow's client: one clear line for what can go wrong, retries for what may go right later."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from components.console import Say, UserError, one_line
from components.retries import TRANSIENT, TransientError, persist
from components.tracking.places import VARIABLE, Place, sqlite

LONGEST_WAIT = 600.0
"""Seconds until another command must have recorded its run into the same file."""

BUSY_SECONDS = 20.0
"""How long SQLite waits for another program that writes to the file; as MLflow does itself."""

_SETTINGS = {
    # MLflow reports its use to its makers otherwise.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # GitPython, which MLflow imports, otherwise fails where there is no git.
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_DEFAULTS = {
    # Retries are `retries.persist`, which says what it waits for.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}


@dataclass(frozen=True)
class Server:
    """An open history.

    Attributes:
        place: where it is.
        client: MLflow's `MlflowClient`.
        say: prints a message.
        attempts: how often something is tried while the network or the server is down; None for about three minutes.
    """

    place: Place
    client: Any
    say: Say
    attempts: int | None = None

    def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls a method of the client, again after temporary errors, and gives its result.

        Raises:
            UserError: the server does not answer, or refuses.
        """
        return persist(lambda: self._ask(method, arguments, named), self.say, self.attempts)

    def _ask(self, method: str, arguments: Any, named: Any) -> Any:
        import requests  # noqa: PLC0415 (only for histories)
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 (takes a second)

        try:
            return getattr(self.client, method)(*arguments, **named)
        except MlflowException as error:
            raise self._explained(error.get_http_status_code(), str(error)) from None
        except requests.exceptions.RequestException as error:
            status = 503 if error.response is None else error.response.status_code
            raise self._explained(status, str(error)) from None

    def _explained(self, status: int, reason: str) -> UserError:
        where, why = self.place.uri, one_line(reason)[:300]
        if status in TRANSIENT:
            remedy = "check the disk" if self.place.file else "check the address, and whether the server is up"
            return TransientError(f"the history {where} does not answer ({why}): {remedy}")
        if status in (401, 403) or " 401 " in why or " 403 " in why:
            return UserError(
                f"{where} refuses access ({why}): check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_TOKEN"
            )
        return UserError(f"the history {where} refuses ({why}): check that it is an MLflow server of version 3 or file")


@contextlib.contextmanager
def writing(place: Place, say: Say, attempts: int | None = None) -> Iterator[Server]:
    """Opens a history to record something; a SQLite file is created where there is none.

    A SQLite file is locked meanwhile, so that of two runs which end at the same time one waits for the other.

    Raises:
        UserError: it cannot be opened.
    """
    if place.file is None:
        yield Server(place, _client(place), say, attempts)
        return
    try:
        place.file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        reason = f"{place.file.parent} cannot be made ({error.strerror})"
        raise UserError(f"the folder {reason}: choose another file for the history") from None
    lock = filelock.FileLock(place.file.with_name(f".{place.file.name}.lock"))
    try:
        held = lock.acquire(timeout=LONGEST_WAIT)
    except filelock.Timeout:
        raise UserError(
            f"another command has been writing to {place.file} for {LONGEST_WAIT / 60:.0f} minutes: wait until it "
            "ends, or stop it"
        ) from None
    with held:
        if _is_missing(place.file):
            _create(place.file, place.artifacts)
        _check(place.file, write=True)
        yield Server(place, _client(place), say, attempts)


def reading(place: Place, say: Say, attempts: int | None = None) -> Server:
    """Opens a history that exists.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    if place.file:
        if _is_missing(place.file):
            raise UserError(f"there is no history {place.file} yet: a run records itself there, or give --tracking-uri")
        _check(place.file, write=False)
    return Server(place, _client(place), say, attempts)


def _is_missing(file: Path) -> bool:
    """Whether there is no history yet; an empty file is none."""
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)


def _prepare(uri: str = "") -> None:
    """What must be set before MLflow is imported.

    Args:
        uri: of the history, if one is about to be opened.
    """
    os.environ.update(_SETTINGS)
    if uri and os.environ.get(VARIABLE, uri).rstrip("/") != uri:
        # The workspace belongs to the server that the environment names: with Kubeflow's own plugin, another one.
        os.environ.pop("MLFLOW_WORKSPACE", None)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def _quiet() -> None:
    # MLflow logs errors with their traceback, and then raises them too.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _client(place: Place) -> Any:
    _prepare(place.uri)
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 (takes a second)

    _quiet()
    return MlflowClient(tracking_uri=place.uri, registry_uri=place.uri)


def _create(file: Path, artifacts: Path | None) -> None:
    """Creates a database under another name and renames it: MLflow cannot continue where it was stopped."""
    _prepare()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 (takes a second)

    _quiet()
    partial = file.with_name(f".{file.name}.partial-{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)
        _touch(partial)
        store = SqlAlchemyStore(sqlite(partial), f"file://{artifacts}")
        store.engine.dispose()
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _touch(file: Path) -> None:
    """Fails with an `OSError` where a file cannot be made, which MLflow would try again for a minute."""
    file.touch(exist_ok=False)


def _check(file: Path, write: bool) -> None:
    """Finds what MLflow would report only after many attempts, or not in one line.

    Raises:
        UserError: the file is no history, cannot be written to, or belongs to another version of MLflow.
    """
    mode = "rw" if write else "ro"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode={mode}", BUSY_SECONDS, uri=True)) as database:
            if write:
                database.execute("BEGIN IMMEDIATE")
                database.execute("CREATE TABLE is_writable (number)")  # beginning alone does not tell
                database.rollback()
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            known = "alembic_version" in tables
            row = database.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    except sqlite3.DatabaseError as error:
        raise _explained(file, str(error)) from None
    if row is None:
        raise UserError(f"{file} is a database of another program, not a history: choose another file")
    _check_version(file, row[0])


def _explained(file: Path, reason: str) -> UserError:
    if "not a database" in reason or "malformed" in reason:
        return UserError(f"{file} is not a SQLite database, or damaged ({reason}): choose another file, or remove it")
    if "locked" in reason:
        return UserError(f"another program has locked {file}: stop it, or try again when it has ended")
    return UserError(f"{file} cannot be opened to write ({reason}): change its owner or mode, or choose another file")


def _check_version(file: Path, found: str) -> None:
    """Compares the version of the database's tables with the one that the installed MLflow has."""
    _prepare()
    import mlflow  # noqa: PLC0415 (takes a second)
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    _quiet()
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    if found == scripts.get_current_head():
        return
    if found in {script.revision for script in scripts.walk_revisions()}:
        raise UserError(
            f"{file} was written by an older MLflow than {mlflow.__version__} (its tables have version {found}): "
            f"make a copy of it, then run 'mlflow db upgrade {sqlite(file)}'"
        )
    raise UserError(
        f"{file} was written by a newer MLflow than {mlflow.__version__} (its tables have version {found}): "
        "choose another file, or start a server of that version on it and give its address"
    )
