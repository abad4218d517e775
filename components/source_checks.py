"""What can be checked of a source before anything is fetched: its name, and what must be given with it."""

import os
import re
from urllib.parse import urlsplit

from components.artifacts.names import SOURCE_URLS, SOURCES
from components.console import UserError, printable

TOKEN_VARIABLE = "PNEUMONIA_BENCHMARK_TOKEN"  # noqa: S105 (a name)
HTTP_VARIABLE = "PNEUMONIA_BENCHMARK_ALLOW_HTTP"

DEFAULT_KAGGLE_DATASET = "paultimothymooney/chest-xray-pneumonia"
"""Chest X-Ray Images (Pneumonia), Kermany et al. 2018 (doi:10.1016/j.cell.2018.02.010)."""

BUCKET_URL = re.compile(r"(gs|s3)://([a-z0-9][a-z0-9._-]{1,220})(?:/(.*))?", re.DOTALL)
KAGGLE_ID = re.compile(r"([\w-]+)/([\w-]+)(?:/versions/([1-9]\d{0,8}))?", re.ASCII)
_ARCHIVE_URLS = ("https://", "http://")
_LOCAL = ("localhost", "127.0.0.1", "::1")


def check_source(source: str, path: str, sha256: str) -> None:
    """Finds mistakes in where images come from.

    Args:
        source: one of `names.SOURCES`, or a URL that begins with one of `names.SOURCE_URLS`.
        path: where the data are, for sources that have a place; the id of the dataset for Kaggle.
        sha256: of the archive behind an https URL; "" for none.

    Raises:
        UserError: there is no such source, or what it needs is missing.
    """
    archive = source.startswith(_ARCHIVE_URLS)
    if sha256 and not archive:
        raise UserError("--sha256 is of the archive behind an https:// source: leave it out for others")
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"{sha256!r} is not a SHA-256: give its 64 hexadecimal digits")
    if path and (source == "synthetic" or archive or source.startswith(SOURCE_URLS)):
        raise UserError(f"the source {source!r} takes no path: give --source directory with --path, or leave that out")
    if archive:
        check_url(source)
    elif source.startswith(SOURCE_URLS):
        check_bucket(source)
    elif source not in SOURCES:
        raise UserError(f"there is no source {source!r}: choose one of {', '.join((*SOURCES, *SOURCE_URLS))}")
    elif source == "directory" and not path:
        raise UserError("the source directory needs a folder: give it with --path")
    elif source == "kaggle" and path:
        check_kaggle(path)


def check_bucket(url: str) -> re.Match[str]:
    """Reads `gs://bucket/prefix` or `s3://bucket/prefix`.

    Returns:
        The match of `BUCKET_URL`: scheme, bucket and prefix.

    Raises:
        UserError: it is not such a URL.
    """
    found = BUCKET_URL.fullmatch(url)
    if not found:
        raise UserError(f"{printable(url)} names no bucket: write gs://bucket/prefix or s3://bucket/prefix")
    return found


def check_kaggle(identifier: str) -> re.Match[str]:
    """Reads the id of a dataset on Kaggle: `owner/name` or `owner/name/versions/3`.

    Returns:
        The match of `KAGGLE_ID`: owner, name and version.

    Raises:
        UserError: it is not such an id.
    """
    found = KAGGLE_ID.fullmatch(identifier)
    if not found:
        raise UserError(f"{identifier!r} is not a dataset of Kaggle: give owner/name, such as {DEFAULT_KAGGLE_DATASET}")
    return found


def is_pinned(source: str, path: str = "", sha256: str = "") -> bool:
    """Whether a source can never give other images for the same parameters.

    That holds for simulated radiographs, and for what is compared with a checksum.
    """
    checked = source.startswith("https://") and bool(sha256)
    return source == "synthetic" or checked or (source == "pneumoniamnist" and not path)


def shown_url(url: str) -> str:
    """A URL as it may be shown and kept: without user, password and query, which may hold secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else url


def check_url(url: str, allow_http: bool = False) -> None:
    """Refuses places that nothing should be loaded from.

    Args:
        url: in full.
        allow_http: whether unencrypted transport is meant.

    Raises:
        UserError: it is no https URL (http is for this machine, or where it is allowed), or holds a password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise UserError(f"{url!r} is not a URL ({error}): check it") from None
    if not host or parts.scheme not in ("http", "https"):
        raise UserError(f"{shown_url(url)} is not an https URL: only those are downloaded")
    if parts.username or parts.password:
        raise UserError(
            f"the URL of {host} holds a user or password, which would end in logs: "
            f"leave it out and give a token in the environment variable {TOKEN_VARIABLE}"
        )
    allowed = allow_http or host in _LOCAL or bool(os.environ.get(HTTP_VARIABLE))
    if parts.scheme == "http" and not allowed:
        raise UserError(
            f"{shown_url(url)} is not encrypted, so anybody on the way could change it: use https, "
            f"or set the environment variable {HTTP_VARIABLE}=1 if you trust the network"
        )
