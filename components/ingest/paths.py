"""Where a file with a foreign name may go: names in archives, buckets and tables are hostile until checked here."""

import re
from pathlib import PurePosixPath

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
