"""Checks names of files from archives, buckets and tables: unsafe ones are refused, irrelevant ones ignored."""

import re
from pathlib import PurePosixPath

from components import console

SYSTEM_NAMES = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler", "found.000"),
    *("system volume information", "__macosx", "icon\r", "network trash folder", "temporary items", "lost+found"),
    *("@eadir", "#recycle", "picasa.ini", "sync.ffs_db"),
}
"""Files and folders that Windows, macOS, Linux and network storage create; in lower case."""

_DRIVE = re.compile(r"[A-Za-z]:")


class UnsafeNameError(ValueError):
    """The name leads out of its folder or cannot be a file name; the message states the reason as a predicate."""


def safe_path(name: str) -> PurePosixPath:
    r"""Converts a name to a path relative to a folder.

    Backslashes are treated as slashes, as in archives made on Windows; empty parts and "." are removed.

    Args:
        name: as given in an archive, a bucket or a table.

    Returns:
        A relative path without ".."; it is "." for an empty name.

    Raises:
        UnsafeNameError: the path is absolute (including `C:\`), contains "..", or contains a NUL character.
    """
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        raise UnsafeNameError("is an absolute path")
    if "\0" in slashed:
        raise UnsafeNameError("contains a NUL character")
    parts = slashed.split("/")
    if ".." in parts:
        raise UnsafeNameError("leads out of its folder")
    return PurePosixPath(*(part for part in parts if part not in ("", ".")))


def printable(name: str) -> str:
    """A name for messages: one line, at most 100 characters, with special characters escaped."""
    shown = console.printable(name)
    return shown if len(shown) <= 100 else f"{shown[:60]}...{shown[-37:]}"


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden or belongs to an operating system, so that it is not part of a dataset.

    Args:
        name: without parent folders.
    """
    small = name.lower()
    # "~$" files are locks of Office; ":Zone.Identifier" is how Windows' mark of downloads appears on other systems.
    return small in SYSTEM_NAMES or small.startswith((".", "~$")) or small.endswith(":zone.identifier")
