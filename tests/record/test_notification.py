"""Messages to people: against a server on this machine, since Slack and Teams cannot be reached."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from components.record import notification
from components.record.notification import notify, payload

SECRET = "T0/B0/geheim"  # noqa: S105


@pytest.fixture
def channel(monkeypatch):
    """A server that takes messages; `status` lists its answers, the last of which stays."""
    monkeypatch.setattr(notification, "PAUSE", 0.001)
    state = SimpleNamespace(status=[200], got=[], said=[], location="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, self.headers["Content-Type"], json.loads(content)))
            self.send_response(state.status.pop(0) if len(state.status) > 1 else state.status[0])
            if state.location:
                self.send_header("Location", state.location)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://localhost:{server.server_port}/{SECRET}"
    yield state
    server.shutdown()
    server.server_close()


def test_a_message_is_a_short_json_with_a_text(channel):
    assert notify(channel.url, "a run\nalarm: worse", channel.said.append)
    assert channel.got == [(f"/{SECRET}", "application/json", {"text": "a run\nalarm: worse"})]
    assert channel.said == ["an alarm, or its end, was sent to the address for notifications"]


@pytest.mark.parametrize(
    "host", ["prod-1.westeurope.logic.azure.com", "x.webhook.office.com", "a.b.api.powerplatform.com"]
)
def test_teams_gets_an_adaptive_card_and_the_text_too(host):
    sent = payload(host, "a run\nalarm: worse\nended: memory")
    (attachment,) = sent["attachments"]
    assert (sent["type"], sent["text"]) == ("message", "a run\nalarm: worse\nended: memory")
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == ["a run", "alarm: worse", "ended: memory"]
    assert set(payload("hooks.slack.com", "x")) == set(payload("logic.azure.com.evil.org", "x")) == {"text"}


def test_the_control_characters_of_slack_are_escaped_for_all_but_teams():
    text = "a run\n<!channel> R&D"
    assert payload("hooks.slack.com", text) == {"text": "a run\n&lt;!channel&gt; R&amp;D"}
    assert payload("chat.example.org", text) == {"text": "a run\n&lt;!channel&gt; R&amp;D"}
    sent = payload("x.webhook.office.com", text)
    assert sent["attachments"][0]["content"]["body"][1]["text"] == "<!channel> R&D"


def test_a_long_message_is_cut(channel):
    notify(channel.url, "x" * 100_000, channel.said.append)
    assert len(channel.got[0][2]["text"]) == notification.LARGEST


@pytest.mark.parametrize(
    ("status", "times", "taken"),
    [([500, 429, 200], 3, True), ([503], 3, False), ([404], 1, False), ([302], 1, False)],
)
def test_what_may_go_right_later_is_tried_again_and_nothing_else(channel, status, times, taken):
    channel.status, channel.location = status, "http://localhost:1/elsewhere"
    assert notify(channel.url, "text", channel.said.append) is taken
    assert len(channel.got) == times
    if not taken:
        reason = f"HTTP status {status[-1]}"
        assert channel.said == [f"nobody was notified ({reason}): check PNEUMONIA_BENCHMARK_NOTIFY_URL"]


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.example.org/{SECRET}",
        f"ftp://localhost/{SECRET}",
        SECRET,
        f"https://[broken/{SECRET}",
        f"https://host:port/{SECRET}",
        f"http://localhost:1/{SECRET}",
        f"https:///{SECRET}",
        f"http://localhost.evil.org/{SECRET}",
    ],
)
def test_whatever_is_wrong_with_an_address_is_a_line_without_it(url, monkeypatch, capfd):
    monkeypatch.setattr(notification, "PAUSE", 0.001)
    said = []
    assert notify(url, "text", said.append) is False
    (line,) = said
    assert line.startswith("nobody was notified")
    assert "PNEUMONIA_BENCHMARK_NOTIFY_URL" in line
    told = capfd.readouterr()
    assert "geheim" not in line + told.out + told.err


def test_a_server_that_does_not_answer_costs_little_time(channel, monkeypatch):
    seen = []

    def post(url, json, timeout, allow_redirects, stream):  # noqa: ARG001
        seen.append((timeout, allow_redirects, stream))
        raise ConnectionResetError(url)

    monkeypatch.setattr("requests.post", post)
    assert notify(channel.url, "text", channel.said.append) is False
    assert seen == [(10.0, False, True)]
    assert "geheim" not in channel.said[0]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("begin", "taken"), [(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", True), (b"HTTP/1.1 200 OK\r\nX: ", False)]
)
def test_a_server_that_answers_slowly_costs_little_time(monkeypatch, begin, taken):
    """It sends a byte now and then, before the time limit of a part is over, and never comes to an end."""
    monkeypatch.setattr(notification, "SECONDS", 0.3)
    monkeypatch.setattr(notification, "PAUSE", 0.001)
    ended, said = threading.Event(), []

    def drip(connection):
        with connection, contextlib.suppress(OSError):  # it is closed
            connection.recv(65536)
            connection.sendall(begin)
            while not ended.wait(0.05):
                connection.sendall(b"x")

    def serve(listener):
        with contextlib.suppress(OSError):  # it is closed
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        begun = time.monotonic()
        assert notify(f"http://localhost:{listener.getsockname()[1]}/{SECRET}", "text", said.append) is taken
        assert time.monotonic() - begun < 5
        ended.set()
    assert taken or said == ["nobody was notified (TimeoutError): check PNEUMONIA_BENCHMARK_NOTIFY_URL"]
