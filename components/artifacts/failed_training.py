"""A training that failed: stands in the place of its models and of their evaluations."""

from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, cast

from components.artifacts import files
from components.artifacts.names import REGIMES
from components.console import UserError

KIND = "failed training"
FILE = "failed.json"

OUT_OF_MEMORY, STOPPED, CRASHED = "out of memory", "error", "crash"
LONGEST = 1000
"""Longest reason (characters); Kubeflow passes it in the metadata of the artifact, which have 128 KiB."""

CAUSES = (OUT_OF_MEMORY, STOPPED, CRASHED)


class FailedTraining(files.Header):
    """The content of `failed.json`.

    Attributes:
        regime: one of `names.REGIMES`.
        cause: one of `CAUSES`: out of memory; an error that the training reported, for example of missing weights; or a
            crash of its process.
        reason: one sentence for the user: what happened, and what to do.
        seconds: from the start of the training to its failure.
    """

    regime: str
    cause: str
    reason: str
    seconds: float


class FailedRegime(TypedDict):
    """A regime whose training failed, so that it is not compared.

    Attributes:
        cause: one of `CAUSES`.
        reason: what happened, and what to do, as the training said it.
        seconds: from the start of the training to its failure.
    """

    cause: str
    reason: str
    seconds: float


def record(
    regime: str, cause: str, reason: str, started: datetime, arguments: dict[str, Any] | None = None
) -> FailedTraining:
    """Describes a training that has failed now.

    Args:
        regime: one of `names.REGIMES`.
        cause: one of `CAUSES`.
        reason: one sentence: what happened, and what to do.
        started: when the training began (UTC).
        arguments: of the training, by name.
    """
    seconds = (files.now() - started).total_seconds()
    return {
        **files.header(KIND, started, arguments or {}),
        "regime": regime,
        "cause": cause,
        "reason": reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…",
        "seconds": round(seconds, 1),
    }


def save(folder: str | Path, failure: FailedTraining) -> None:
    """Writes the failure as an artifact of its own, which replaces an older one."""
    with files.new_folder(folder) as new:
        files.write_json(new / FILE, failure)


def load(folder: str | Path) -> FailedTraining | None:
    """Reads a failure.

    Args:
        folder: of models or evaluations.

    Returns:
        The failure; None if the folder has none, so that it should contain models or evaluations.

    Raises:
        UserError: `failed.json` is damaged, or of an unknown regime.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    found = files.read_json(path, KIND)
    texts = (found.get("regime"), found.get("cause"), found.get("reason"))
    whole = texts[0] in REGIMES and texts[1] in CAUSES and isinstance(texts[2], str)
    if not whole or not isinstance(found.get("seconds"), int | float):
        raise UserError(f"{path} is damaged (it names no regime, cause, reason or seconds); run train again")
    return cast(FailedTraining, found)
