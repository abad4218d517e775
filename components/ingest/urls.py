"""URLs of archives: which are allowed, and how they are shown without secrets."""

import os
import re
from urllib.parse import unquote, urlsplit

from components.console import UserError

TOKEN_VARIABLE = "PNEUMONIA_BENCHMARK_TOKEN"  # noqa: S105 (a name)
HTTP_VARIABLE = "PNEUMONIA_BENCHMARK_ALLOW_HTTP"
_LOCAL = ("localhost", "127.0.0.1", "::1")


def shown_url(url: str) -> str:
    """A URL for messages and records: without user, password and query, which may contain secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else url


def check_url(url: str, allow_http: bool = False) -> None:
    """Checks that downloading from a URL is safe.

    Args:
        url: the full URL.
        allow_http: whether unencrypted transport is allowed.

    Raises:
        UserError: it is not an https URL (http is allowed for this machine, or on request), or contains a password.
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
            f"the URL of {host} contains a user or password, which would appear in logs: "
            f"remove it and give a token in the environment variable {TOKEN_VARIABLE}"
        )
    allowed = allow_http or host in _LOCAL or bool(os.environ.get(HTTP_VARIABLE))
    if parts.scheme == "http" and not allowed:
        raise UserError(
            f"{shown_url(url)} is not encrypted, so the data could be changed in transit: use https, "
            f"or set the environment variable {HTTP_VARIABLE}=1 if you trust the network"
        )


def file_name(url: str) -> str:
    """The last part of a URL's path as a safe file name."""
    name = re.sub(r"[^\w.-]", "_", unquote(urlsplit(url).path).rpartition("/")[2], flags=re.ASCII).lstrip(".")
    return f"file-{name[-80:]}"
