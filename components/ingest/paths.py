"""What foreign names mean: those in archives, buckets and tables are hostile until checked, some are of no data set."""

import re
from pathlib import PurePosixPath

SYSTEM_NAMES = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler", "found.000"),
    *("system volume information", "__macosx", "icon\r", "network trash folder", "temporary items", "lost+found"),
    *("@eadir", "#recycle", "picasa.ini", "sync.ffs_db"),
}
"""Files and folders that Windows, macOS, Linux and network disks put among a user's; in small letters."""

_DRIVE = re.compile(r"[A-Za-z]:")


class UnsafeNameError(ValueError):
    """The name leads out of its folder or names no file; the message says what it does, such as "climbs out"."""


def safe_path(name: str) -> PurePosixPath:
    r"""Reads a name as a path below a folder.

    Backslashes count as slashes, as in archives made on Windows; empty parts and "." are dropped.

    Args:
        name: as an archive, a bucket or a table has it.

    Returns:
        A relative path without "..": "." itself where nothing is left of the name.

    Raises:
        UnsafeNameError: the path is absolute (also `C:\`), climbs with "..", or holds a NUL.
    """
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        raise UnsafeNameError("is an absolute path")
    if "\0" in slashed:
        raise UnsafeNameError("holds a NUL")
    parts = slashed.split("/")
    if ".." in parts:
        raise UnsafeNameError("climbs out of its folder")
    return PurePosixPath(*(part for part in parts if part not in ("", ".")))


def printable(name: str) -> str:
    """A name as it can be shown: one line, at most 100 characters, what is no text escaped."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)
    return shown if len(shown) <= 100 else f"{shown[:60]}...{shown[-37:]}"


def is_ignored(name: str) -> bool:
    """Whether a file or folder of that name is hidden or an operating system's, and so none of a data set.

    Args:
        name: without the folders above it.
    """
    small = name.lower()
    # "~$" are locks of Office; Windows' mark of downloads becomes a file of its own on other systems.
    return small in SYSTEM_NAMES or small.startswith((".", "~$")) or small.endswith(":zone.identifier")
