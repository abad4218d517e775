"""Downloads files over HTTP; interrupted downloads are resumed, and incomplete files are never used.

Each file has a folder in the cache: the received part is stored as `partial`, and the server's description of the file
in `partial.json`. A lock ensures that only one process downloads it. A complete, verified file gets its final name.
pooch, the usual library for this, does not resume downloads.
"""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3

from components import console, retries
from components.artifacts import files
from components.console import UserError
from components.ingest.archives import MAX_BYTES, room_for
from components.ingest.cache import cache_folder, only_one
from components.retries import TRANSIENT
from components.source_checks import check_url, shown_url

TIMEOUTS = (15, 60)
"""Timeouts in seconds: for connecting, and for the next byte."""
REDIRECTS = 10
_CHUNK = 1024**2
_PROGRESS = 1024**2  # bytes received after which the count of failed attempts restarts


def download(
    url: str,
    workspace: Path,
    checksum: str = "",
    key: str = "",
    allow_http: bool = False,
    headers: Mapping[str, str] | None = None,
    missing: str = "check the URL",
) -> Path:
    """Downloads a file, or takes it from the cache if it is there and has not changed on the server.

    Args:
        url: an https URL, or another that `check_url` accepts.
        workspace: temporary folder of this run, in case there is no cache folder.
        checksum: "sha256:..." or "md5:..." of the file, which is refused if it differs; "" does not check it.
        key: identifies the file in the cache if its URL changes from time to time.
        allow_http: see `check_url`.
        headers: further request headers, sent only to the host of the URL.
        missing: remedy in the error message if the server requires credentials.

    Returns:
        Path of the file in the cache; it must not be changed.

    Raises:
        UserError: the download failed; the message names the remedy.
        OSError: the disk is full (ENOSPC).
    """
    check_url(url, allow_http)
    folder = cache_folder(workspace) / "downloads" / hashlib.sha256((key or url).encode()).hexdigest()[:32]
    with only_one(folder):
        return _Download(url, folder, checksum, allow_http, dict(headers or {}), missing).run()


class _State(TypedDict):
    """A server's description of a file.

    Attributes:
        etag: strong ETag, or "".
        modified: Last-Modified header, or "".
        size: in bytes, or 0 if unknown.
    """

    etag: str
    modified: str
    size: int


class _NotYetError(Exception):
    """The attempt failed, but another one may succeed."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class _Download:
    """The download of one file into its folder of the cache."""

    def __init__(
        self, url: str, folder: Path, checksum: str, allow_http: bool, headers: dict[str, str], missing: str
    ) -> None:
        self._url, self._checksum, self._allow_http, self._missing = url, checksum, allow_http, missing
        self._name = shown_url(url)
        self._whole = folder / _file_name(url)
        self._partial = folder / "partial"
        self._partial_state, self._whole_state = folder / "partial.json", folder / "whole.json"
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "pneumonia-benchmark"} | headers

    def run(self) -> Path:
        """Repeats attempts until the file is complete; returns its path."""
        if self._checksum and self._whole.is_file():
            if _digest(self._whole, self._checksum) == self._checksum:
                return self._whole
            self._whole.unlink()
        failures, furthest = 0, self._size()
        while True:
            try:
                return self._attempt()
            except requests.exceptions.SSLError:
                raise UserError(f"the certificate of {self._name} is not trusted: check the URL") from None
            except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
                failed = _NotYetError(_plain(error))
            except _NotYetError as error:
                failed = error
            failures += 1
            if self._size() - furthest >= _PROGRESS:
                failures, furthest = 1, self._size()
            if failures >= retries.ATTEMPTS:
                raise UserError(
                    f"{self._name} cannot be downloaded ({failed}) after {retries.ATTEMPTS} attempts: check the "
                    f"network and run again, which resumes after the {self._size() / 1e6:.1f} MB received so far"
                )
            wait = retries.wait(failures, failed.wait)
            console.say("ingest", f"{self._name}: {failed}; attempt {failures + 1} in {wait:.0f} s")
            time.sleep(wait)

    def _attempt(self) -> Path:
        """One request, which resumes where the last one stopped."""
        with contextlib.closing(self._get(self._conditions())) as response:
            if response.status_code == 304 and self._whole.is_file():
                console.say("ingest", f"{self._name} has been downloaded before and has not changed")
                return self._whole
            self._receive(response, self._begin(response))
        return self._finish()

    def _conditions(self) -> dict[str, str]:
        """Request headers to reuse what was downloaded before, if the file has not changed on the server."""
        state = _read_state(self._partial_state)
        validator = state["etag"] or state["modified"]
        if self._size() and (validator or self._checksum):
            return {"Range": f"bytes={self._size()}-"} | ({"If-Range": validator} if validator else {})
        self._partial.unlink(missing_ok=True)
        state = _read_state(self._whole_state)
        if self._whole.is_file() and state["etag"]:
            return {"If-None-Match": state["etag"]}
        if self._whole.is_file() and state["modified"]:
            return {"If-Modified-Since": state["modified"]}
        return {}

    def _get(self, conditions: dict[str, str]) -> requests.Response:
        """The response to a GET request after redirects, each of which is checked.

        Raises:
            UserError: the server reports a permanent error.
            _NotYetError: the server reports a temporary error.
        """
        url, headers = self._url, self._headers | conditions
        for _ in range(REDIRECTS):
            response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS, allow_redirects=False)
            if not response.is_redirect:
                return self._checked(response)
            target = urljoin(url, response.headers["Location"])
            response.close()
            check_url(target, self._allow_http)
            if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
                raise UserError(
                    f"{self._name} leads to {shown_url(target)}, which is not encrypted: find its https URL"
                )
            if urlsplit(target).netloc != urlsplit(url).netloc:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise UserError(f"{self._name} redirects more than {REDIRECTS} times: check the URL")

    def _checked(self, response: requests.Response) -> requests.Response:
        """Returns a successful response; raises as `_get` does otherwise."""
        status = response.status_code
        if status in (200, 206, 304):
            return response
        response.close()
        if status == 416:
            self._partial.unlink(missing_ok=True)
            raise _NotYetError("the server has less than was received, so the download restarts")
        if status in TRANSIENT:
            raise _NotYetError(f"the server answers {status}", _retry_after(response))
        if status in (401, 403):
            raise UserError(f"{self._name} requires permission (the server answers {status}): {self._missing}")
        if status in (404, 410):
            raise UserError(f"there is nothing at {self._name} (the server answers {status}): check the URL")
        raise UserError(f"{self._name} cannot be downloaded (the server answers {status}): check the URL")

    def _begin(self, response: requests.Response) -> int:
        """Stores the server's description of the file and checks where the response begins; returns its size or 0."""
        state = _read_state(self._partial_state)
        length = response.headers.get("Content-Length", "")
        if response.status_code == 206:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if not found or int(found[1]) != self._size() or (state["size"] and int(found[2]) != state["size"]):
                self._partial.unlink(missing_ok=True)
                raise _NotYetError("the server resumes at another position, so the download restarts")
            console.say("ingest", f"{self._name}: resuming after {self._size() / 1e6:.1f} MB")
            state["size"] = int(found[2])
        else:
            self._partial.unlink(missing_ok=True)
            etag = response.headers.get("ETag", "")
            state = {
                "etag": "" if etag.startswith("W/") else etag,  # a weak ETag does not guarantee identical bytes
                "modified": response.headers.get("Last-Modified", ""),
                "size": int(length) if length.isdecimal() else 0,
            }
        if state["size"] > MAX_BYTES:
            raise UserError(
                f"{self._name} has {state['size'] // 10**6} MB, more than {MAX_BYTES // 10**6}: split it up"
            )
        room_for(max(0, state["size"] - self._size()), self._partial.parent)
        files.write_json(self._partial_state, {"url": self._name, **state})
        return state["size"]

    def _receive(self, response: requests.Response, size: int) -> None:
        """Appends the content of the response to the partial file."""
        done = self._size()
        progress = console.Progress("ingest", f"MB downloaded from {self._name}", size // 10**6)
        with self._partial.open("ab") as file:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                file.write(chunk)
                done += len(chunk)
                progress.reach(done // 10**6)
                if done > MAX_BYTES:
                    raise UserError(f"{self._name} has more than {MAX_BYTES // 10**6} MB: split it up")
        if size and done != size:
            raise _NotYetError(f"the connection ended after {done} of {size} bytes")

    def _finish(self) -> Path:
        """Verifies the complete file and gives it its final name."""
        self._partial.touch()
        if self._checksum and (found := _digest(self._partial, self._checksum)) != self._checksum:
            self._partial.unlink()
            raise UserError(
                f"{self._name} has the checksum {found} and not {self._checksum}, so it is not used: "
                "check the checksum, or whether the file has changed"
            )
        self._whole_state.unlink(missing_ok=True)
        self._partial.replace(self._whole)
        self._partial_state.replace(self._whole_state)
        return self._whole

    def _size(self) -> int:
        return self._partial.stat().st_size if self._partial.is_file() else 0


def _read_state(path: Path) -> _State:
    """Reads the server's description of a file; missing or damaged entries are empty."""
    read: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        read = content if isinstance(content, dict) else {}
    etag, modified, size = read.get("etag"), read.get("modified"), read.get("size")
    return {
        "etag": etag if isinstance(etag, str) else "",
        "modified": modified if isinstance(modified, str) else "",
        "size": size if isinstance(size, int) else 0,
    }


def _file_name(url: str) -> str:
    """The last part of a URL's path as a safe file name."""
    name = re.sub(r"[^\w.-]", "_", unquote(urlsplit(url).path).rpartition("/")[2], flags=re.ASCII).lstrip(".")
    return f"file-{name[-80:]}"


def _digest(path: Path, checksum: str) -> str:
    """The checksum of a file by the algorithm of `checksum`, in the same notation."""
    algorithm = checksum.partition(":")[0]
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait; 0 if it does not give a number of seconds."""
    wait = response.headers.get("Retry-After", "")
    return float(wait) if wait.isdecimal() else 0.0


def _plain(error: Exception) -> str:
    """Describes a network error in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return "the server cannot be reached"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server has stalled"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection was cut"
    return "the server cannot be reached or has cut the connection"
