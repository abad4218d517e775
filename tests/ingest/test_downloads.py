"""Downloads from a server that cuts, stalls, lies and refuses."""

import errno
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components import retries
from components.console import UserError
from components.ingest import downloads
from components.ingest.downloads import download

from .file_server import send


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def ranges(server) -> list[str | None]:
    return [headers.get("Range") for _, _, headers in server.asked]


def partial_of(cache: Path) -> Path:
    return next(cache.rglob("partial"))


@pytest.fixture
def url(server, content):
    server.files["/data.zip"] = content
    return f"{server.url}/data.zip"


def test_a_file_comes_whole_and_belongs_to_the_cache(tmp_path, cache, url, content):
    path = download(url, tmp_path, sha256(content))
    assert path.read_bytes() == content
    assert path.is_relative_to(cache)
    assert not list(cache.rglob("partial*"))
    assert list(tmp_path.iterdir()) == []


def test_a_cut_connection_goes_on_where_it_stopped(tmp_path, server, url, content, capsys):
    server.plan = [("cut", 1_200_000), ("cut", 900_000)]
    assert download(url, tmp_path).read_bytes() == content
    assert ranges(server)[0] is None
    starts = [int(text.removeprefix("bytes=").rstrip("-")) for text in ranges(server)[1:]]
    assert starts == sorted(starts)
    assert 1_000_000 <= starts[0] <= 1_200_000
    assert starts[1] <= 2_100_000
    assert server.asked[1][2]["If-Range"] == server.asked[2][2]["If-Range"]
    out = capsys.readouterr().out
    assert "the connection was cut; attempt 2" in out
    assert "resuming after 1." in out


def test_an_interrupted_run_is_gone_on_with_by_the_next(tmp_path, cache, server, url, content):
    server.plan = [("cut", 2_000_000), *[500] * 20]
    with pytest.raises(
        UserError, match=r"cannot be downloaded \(the server answers 500\) after 9 attempts: .*the [12]\.\d MB"
    ):
        download(url, tmp_path)
    assert content.startswith(partial_of(cache).read_bytes())
    server.plan, server.asked = [], []
    assert download(url, tmp_path).read_bytes() == content
    assert ranges(server)[0].startswith("bytes=")


def test_a_stalled_server_is_given_up_and_asked_again(tmp_path, server, url, content, capsys):
    server.plan = [("stall", 1_500_000)]
    assert download(url, tmp_path).read_bytes() == content
    assert "the server has stalled; attempt 2" in capsys.readouterr().out


def test_a_file_that_changed_meanwhile_is_loaded_anew(tmp_path, server, url, content):
    def change(request):
        server.files["/data.zip"] = content[::-1]
        server._send_file(request, content[::-1], "", 0)

    server.plan = [("cut", 1_500_000), change]
    assert download(url, tmp_path).read_bytes() == content[::-1]


def test_a_server_without_ranges_sends_everything_again(tmp_path, server, url, content):
    server.ranges = False
    server.plan = [("cut", 2_000_000)]
    assert download(url, tmp_path).read_bytes() == content


def test_without_a_version_only_a_checksum_allows_to_go_on(tmp_path, server, url, content):
    server.etags = False
    server.plan = [("cut", 2_000_000)]
    assert download(url, tmp_path).read_bytes() == content
    assert ranges(server) == [None, None]
    server.asked, server.plan = [], [("cut", 2_000_000)]
    assert download(f"{url}?again", tmp_path, sha256(content)).read_bytes() == content
    assert ranges(server)[1].startswith("bytes=")


def test_a_server_that_goes_on_elsewhere_is_not_believed(tmp_path, server, url, content):
    def elsewhere(request):
        send(request, 206, content[5:], Content_Range=f"bytes 5-{len(content) - 1}/{len(content)}")

    server.plan = [("cut", 2_000_000), elsewhere]
    assert download(url, tmp_path).read_bytes() == content


def test_more_than_the_server_has_is_loaded_anew(tmp_path, cache, server, url, content):
    server.plan = [("cut", 2_000_000), *[500] * 20]
    with pytest.raises(UserError):
        download(url, tmp_path)
    partial_of(cache).write_bytes(content + b"more")
    server.plan = []
    assert download(url, tmp_path).read_bytes() == content


@pytest.mark.parametrize("more", [1, 10_000])
def test_a_length_that_is_not_kept_is_never_taken_for_whole(tmp_path, cache, server, url, more):
    server.plan = [("announce", more)] * 20
    with pytest.raises(UserError, match=r"cannot be downloaded \("):
        download(url, tmp_path)
    assert not list(cache.rglob("file-*"))


def test_a_wrong_checksum_is_refused_and_what_came_is_deleted(tmp_path, cache, url, content):
    with pytest.raises(UserError, match=f"has the checksum {sha256(content)} and not sha256:{'0' * 64}, so it is not"):
        download(url, tmp_path, f"sha256:{'0' * 64}")
    assert not list(cache.rglob("partial"))
    assert not list(cache.rglob("file-*"))


def test_a_spoilt_file_in_the_cache_is_noticed_by_its_checksum(tmp_path, url, content):
    path = download(url, tmp_path, sha256(content))
    path.write_bytes(b"spoilt")
    assert download(url, tmp_path, sha256(content)).read_bytes() == content


def test_a_file_with_a_checksum_is_not_asked_for_twice(tmp_path, server, url, content):
    assert download(url, tmp_path, sha256(content)) == download(url, tmp_path, sha256(content))
    assert len(server.asked) == 1


def test_a_file_without_checksum_is_taken_again_only_while_it_is_the_servers(tmp_path, server, url, capsys):
    first = download(url, tmp_path)
    assert download(url, tmp_path) == first
    assert "has been downloaded before and has not changed" in capsys.readouterr().out
    server.files["/data.zip"] = b"new"
    assert download(url, tmp_path).read_bytes() == b"new"


def test_an_empty_file_is_a_file(tmp_path, server):
    server.files["/empty"] = b""
    assert download(f"{server.url}/empty", tmp_path).read_bytes() == b""


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_error_that_passes_is_waited_for(tmp_path, server, url, content, status, monkeypatch):
    waits = []
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.5)
    monkeypatch.setattr(downloads.time, "sleep", waits.append)
    server.plan = [status, status]
    assert download(url, tmp_path).read_bytes() == content
    assert waits == [0.5, 1.0]


def test_a_server_may_say_how_long_to_wait(tmp_path, server, url, content, monkeypatch):
    waits = []
    monkeypatch.setattr(downloads.time, "sleep", waits.append)
    server.plan = [lambda request: send(request, 503, b"", Retry_After="7")]
    server.plan += [lambda request: send(request, 503, b"", Retry_After="99999")]
    assert download(url, tmp_path).read_bytes() == content
    assert waits == [7.0, 60.0]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"requires permission \(the server answers 401\): give a token"),
        (403, r"requires permission \(the server answers 403\): give a token"),
        (404, r"there is nothing at .*/data.zip \(the server answers 404\): check the URL"),
        (410, "there is nothing at"),
        (418, r"cannot be downloaded \(the server answers 418\)"),
    ],
)
def test_an_error_that_stays_ends_the_download_at_once(tmp_path, server, url, status, message):
    server.plan = [status]
    with pytest.raises(UserError, match=message):
        download(url, tmp_path, missing="give a token")
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_named(tmp_path, server, url, monkeypatch):
    monkeypatch.setattr(retries, "ATTEMPTS", 2)
    server.close()
    with pytest.raises(
        UserError, match=rf"{url} cannot be downloaded .the server cannot be reached.* after 2 attempts"
    ):
        download(url, tmp_path)


def test_a_redirect_is_followed_without_the_token_of_the_first_server(tmp_path, server, url, content):
    other = url.replace("127.0.0.1", "localhost")
    server.plan = [lambda request: send(request, 302, b"", Location=other)]
    secret = {"Authorization": "Bearer secret"}
    assert download(f"{server.url}/start", tmp_path, headers=secret).read_bytes() == content
    assert [headers.get("Authorization") for *_, headers in server.asked] == ["Bearer secret", None]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/x", "http://example.org/x.zip", "gopher://x"]
)
def test_a_redirect_to_elsewhere_than_https_is_refused(tmp_path, server, target):
    server.plan = [lambda request: send(request, 302, b"", Location=target)]
    with pytest.raises(UserError, match=r"is not an https URL|is not encrypted"):
        download(f"{server.url}/start", tmp_path)


def test_a_redirect_from_https_stays_with_https(tmp_path, monkeypatch):
    class Redirect:
        is_redirect, headers = True, {"Location": "http://localhost/x"}

        def close(self):
            pass

    monkeypatch.setattr(downloads.requests, "get", lambda *_, **__: Redirect())
    with pytest.raises(UserError, match="leads to http://localhost/x, which is not encrypted"):
        download("https://example.org/x", tmp_path)


def test_a_redirect_in_circles_ends(tmp_path, server):
    server.plan = [lambda request: send(request, 302, b"", Location="/start")] * 50
    with pytest.raises(UserError, match="redirects more than 10 times"):
        download(f"{server.url}/start", tmp_path)


def test_a_certificate_that_is_not_trusted_ends_the_download_at_once(tmp_path, monkeypatch):
    calls = []

    def refuse(*_, **__):
        calls.append(1)
        raise downloads.requests.exceptions.SSLError

    monkeypatch.setattr(downloads.requests, "get", refuse)
    with pytest.raises(UserError, match=r"the certificate of https://example.org/x is not trusted"):
        download("https://example.org/x", tmp_path)
    assert calls == [1]


def test_what_a_server_packs_for_the_way_is_kept_as_it_came(tmp_path, server):
    server.plan = [lambda request: send(request, 200, b"\x1f\x8brubbish", Content_Encoding="gzip")]
    assert download(f"{server.url}/x.tar.gz", tmp_path).read_bytes() == b"\x1f\x8brubbish"


def test_a_file_larger_than_the_disk_is_not_begun(tmp_path, url, monkeypatch):
    monkeypatch.setattr("components.ingest.archives.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="No space left") as raised:
        download(url, tmp_path)
    assert raised.value.errno == errno.ENOSPC


def test_a_stream_without_end_is_stopped(tmp_path, server, url, content, monkeypatch):
    monkeypatch.setattr(downloads, "MAX_BYTES", 1_000_000)
    with pytest.raises(UserError, match="has 3 MB, more than 1"):
        download(url, tmp_path)

    def endless(request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for _ in range(40):
            request.wfile.write(b"%x\r\n%s\r\n" % (65536, content[:65536]))
        request.wfile.write(b"0\r\n\r\n")

    server.plan = [endless]
    with pytest.raises(UserError, match="has more than 1 MB"):
        download(url, tmp_path)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a b\u00e9;$(x).zip", "x" * 300, "%2e%2e%2fevil"])
def test_the_name_in_the_cache_can_do_no_harm(tmp_path, cache, server, name):
    server.files[f"/{name}"] = server.files["/"] = b"x"
    server.plan = [lambda request: send(request, 200, b"x")]
    path = download(f"{server.url}/{name}", tmp_path)
    assert path.resolve().is_relative_to(cache.resolve())
    assert path.name.isascii()
    assert not {" ", ";", "$", "/"} & set(path.name)


@pytest.mark.medium
def test_two_runs_at_once_load_a_file_once(tmp_path, server, url, content):
    arrived, go = threading.Event(), threading.Event()

    def slowly(request):
        arrived.set()
        go.wait(10)
        server._send_file(request, content, "", 0)

    server.plan = [slowly]
    results = []
    thread = threading.Thread(target=lambda: results.append(download(url, tmp_path)))
    original = downloads.TIMEOUTS
    downloads.TIMEOUTS = (2, 20)
    try:
        thread.start()
        assert arrived.wait(10)
        code = "import sys; from pathlib import Path; from components.ingest.downloads import download"
        words = [f"{code}; download(sys.argv[1], Path(sys.argv[2]))", url, str(tmp_path)]
        other = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
        assert "another run is downloading the same data: waiting" in other.stdout.readline()
        go.set()
        thread.join(20)
        assert other.wait(20) == 0
    finally:
        downloads.TIMEOUTS = original
    assert results[0].read_bytes() == content
    first, second = (headers.get("If-None-Match") for *_, headers in server.asked)
    assert first is None
    assert second, "the second run only asks whether what the first has loaded is still the server's"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/data.tar.gz?x=1", "file-data.tar.gz"),
        ("https://example.org/", "file-"),
        ("https://example.org/..%2f..%2fetc%2fpasswd", "file-passwd"),
        ("https://example.org/.%68idden $x;", "file-hidden__x_"),
        (f"https://example.org/{'a' * 300}", f"file-{'a' * 80}"),
    ],
)
def test_the_file_name_of_a_url_is_safe(url, name):
    assert downloads._file_name(url) == name
