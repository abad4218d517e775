"""Downloads files over HTTP so that nothing is lost and nothing half-loaded is taken for whole.

Each file has a folder in the cache: what has arrived lies there as `partial`, with what the server said of the file
in `state.json`; a lock lets one process at a time load it; once whole and checked, it gets its name. pooch, the usual
library for this, does not resume.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import filelock
import requests
import urllib3

from components import console
from components.artifacts import files
from components.console import UserError
from components.ingest import retries
from components.ingest.archives import MAX_BYTES, room_for
from components.source_checks import check_url, shown_url

CACHE_VARIABLE = "PNEUMONIA_BENCHMARK_CACHE"
TIMEOUTS = (15, 60)
"""Seconds to connect, and without a byte before a server counts as stalled."""
REDIRECTS = 10
_CHUNK = 1024**2
_PROGRESS = 1024**2  # bytes that make an attempt count as one that got on
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that another attempt may change."""


def cache_folder(workspace: Path) -> Path:
    """The folder that keeps downloads from run to run.

    It is `$PNEUMONIA_BENCHMARK_CACHE`, or else `pneumonia-benchmark` in the user's cache folder (XDG). It may be
    deleted whenever no run is going on.

    Args:
        workspace: used where nothing may be written there; then downloads end with the run.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "pneumonia-benchmark")
    folder = Path(os.environ.get(CACHE_VARIABLE) or home)
    with contextlib.suppress(OSError, RuntimeError):  # a user of a container may have no home at all
        folder = folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{secrets.token_hex(8)}"
        probe.touch()
        probe.unlink()
        return folder
    console.say("ingest", f"nothing can be written to {folder}, so downloads are not kept for the next run")
    return workspace / "cache"


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Makes this process the only one that fills the folder; a second waits and then finds what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        console.say("ingest", "another run is loading the same data: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def download(
    url: str,
    workspace: Path,
    checksum: str = "",
    key: str = "",
    allow_http: bool = False,
    headers: Mapping[str, str] | None = None,
    missing: str = "check the URL",
) -> Path:
    """Downloads a file, or takes it from the cache where it is there and still the server's.

    Args:
        url: https, or what `check_url` lets pass.
        workspace: a folder of this run, for the case that there is no cache.
        checksum: "sha256:..." or "md5:..." of the file; a file with another one is refused.
        key: what the file is called in the cache, where its URL changes from time to time.
        allow_http: see `check_url`.
        headers: further ones, sent to the URL's own host only.
        missing: the remedy where the server asks for credentials.

    Returns:
        The file, which belongs to the cache: it is to be read only.

    Raises:
        UserError: it cannot be had; the message says what to do.
        OSError: the disk is full (ENOSPC).
    """
    check_url(url, allow_http)
    folder = cache_folder(workspace) / "downloads" / hashlib.sha256((key or url).encode()).hexdigest()[:32]
    with only_one(folder):
        return _Download(url, folder, checksum, allow_http, dict(headers or {}), missing).run()


class _NotYetError(Exception):
    """The attempt failed in a way that another one may not."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class _Download:
    """One file on its way into its folder of the cache."""

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
        """Asks until the file is there."""
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
                    f"network and run again, which goes on from the {self._size() / 1e6:.1f} MB that have arrived"
                )
            wait = retries.wait(failures, failed.wait)
            console.say("ingest", f"{self._name}: {failed}; attempt {failures + 1} in {wait:.0f} s")
            time.sleep(wait)

    def _attempt(self) -> Path:
        """One request, from where the last one stopped."""
        with contextlib.closing(self._get(self._conditions())) as response:
            if response.status_code == 304 and self._whole.is_file():
                console.say("ingest", f"{self._name} has been downloaded before and has not changed")
                return self._whole
            self._receive(response, self._begin(response))
        return self._finish()

    def _conditions(self) -> dict[str, str]:
        """The headers that keep what is here already, as far as the server has not changed it."""
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
        """The response to a GET, after redirects, each of which is checked.

        Raises:
            UserError: it is an error that does not pass.
            _NotYetError: it is one that may.
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
        status = response.status_code
        if status in (200, 206, 304):
            return response
        response.close()
        if status == 416:
            self._partial.unlink(missing_ok=True)
            raise _NotYetError("the server has less than has arrived, so it is loaded anew")
        if status in TRANSIENT:
            raise _NotYetError(f"the server answers {status}", _retry_after(response))
        if status in (401, 403):
            raise UserError(f"{self._name} is not open to you (the server answers {status}): {self._missing}")
        if status in (404, 410):
            raise UserError(f"there is nothing at {self._name} (the server answers {status}): check the URL")
        raise UserError(f"{self._name} cannot be downloaded (the server answers {status}): check the URL")

    def _begin(self, response: requests.Response) -> int:
        """Takes note of what the server says of the file, and of where its answer begins; gives its size or 0."""
        state = _read_state(self._partial_state)
        length = response.headers.get("Content-Length", "")
        if response.status_code == 206:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if not found or int(found[1]) != self._size() or (state["size"] and int(found[2]) != state["size"]):
                self._partial.unlink(missing_ok=True)
                raise _NotYetError("the server goes on at another place, so it is loaded anew")
            console.say("ingest", f"{self._name}: going on after {self._size() / 1e6:.1f} MB")
            state = state | {"size": int(found[2])}
        else:
            self._partial.unlink(missing_ok=True)
            etag = response.headers.get("ETag", "")
            state = {
                "etag": "" if etag.startswith("W/") else etag,  # a weak one does not vouch for each byte
                "modified": response.headers.get("Last-Modified", ""),
                "size": int(length) if length.isdecimal() else 0,
            }
        if state["size"] > MAX_BYTES:
            raise UserError(
                f"{self._name} has {state['size'] // 10**6} MB, more than {MAX_BYTES // 10**6}: split it up"
            )
        room_for(max(0, state["size"] - self._size()), self._partial.parent)
        files.write_json(self._partial_state, {"url": self._name} | state)
        return state["size"]

    def _receive(self, response: requests.Response, size: int) -> None:
        """Appends what comes to the partial file."""
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
        """Gives the whole file its name, if it is the right one."""
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


def _read_state(path: Path) -> dict[str, str | int]:
    """What the server said of a file."""
    state = {"etag": "", "modified": "", "size": 0}
    with contextlib.suppress(OSError, ValueError):
        read = json.loads(path.read_text(encoding="utf-8"))
        state |= {name: read[name] for name in state if isinstance(read.get(name), type(state[name]))}
    return state


def _file_name(url: str) -> str:
    """The last part of a URL's path as a file name that can do no harm."""
    name = re.sub(r"[^\w.-]", "_", unquote(urlsplit(url).path).rpartition("/")[2], flags=re.ASCII).lstrip(".")
    return f"file-{name[-80:]}"


def _digest(path: Path, checksum: str) -> str:
    """The file's checksum by the algorithm of another one, written in the same way."""
    algorithm = checksum.partition(":")[0]
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait, where it says so in seconds."""
    wait = response.headers.get("Retry-After", "")
    return float(wait) if wait.isdecimal() else 0.0


def _plain(error: Exception) -> str:
    """What went wrong on the way, in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return "the server cannot be reached"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server has stalled"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection was cut"
    return "the server cannot be reached or has cut the connection"
