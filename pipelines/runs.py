"""The folders of runs on this machine: a new one, and the latest."""

import os
import secrets
from datetime import datetime
from pathlib import Path

from components.console import UserError

LATEST = "latest"
"""Name of the link to the latest finished run."""


def new_folder(output: Path) -> Path:
    """Creates the folder of a new run, named after the time.

    Args:
        output: folder of all runs.

    Raises:
        UserError: `output` is not a folder.
    """
    name = datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = output / name
        if folder.exists():
            folder = output / f"{name}-{secrets.token_hex(2)}"
        folder.mkdir()
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{output} is not a folder: choose another --output") from None
    return folder


def point_to(link: Path, folder: Path) -> None:
    """Makes `link` point to `folder`, which is beside it, in one step.

    Raises:
        UserError: `link` exists and is not a link.
        OSError: the disk does not support symbolic links.
    """
    if link.exists() and not link.is_symlink():
        raise UserError(f"{link} exists and is not a link: rename it")
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(folder.name)
    new.replace(link)


def short(path: Path) -> str:
    """A path relative to the working directory, if that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def latest(output: Path) -> Path:
    """The latest finished run: where the link points to, or without a link the newest finished run.

    Args:
        output: folder of all runs.
    """
    if (output / LATEST).is_dir():
        return output / LATEST
    # Runs are named after their time.
    finished = sorted(path.parents[1] for path in output.glob("*/comparison/results.json"))
    return finished[-1] if finished else output / LATEST
