"""What the container runner asks of Docker, against a server that answers as Docker's does."""

import contextlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from components.console import UserError
from pipelines.local import command, containers


class Answers(BaseHTTPRequestHandler):
    """Answers with JSON, as Docker does."""

    def answer(self, status, content):
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def answering(answers, monkeypatch):
    """Makes a server with these answers the Docker of this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def docker(monkeypatch):
    """A Docker that has the image "there:1" and no other; gives the paths that were requested."""
    requested = []

    class Images(Answers):
        def do_GET(self):
            path = self.path.partition("?")[0]
            requested.append(path)
            found = not path.endswith("/json") or "/there:1/" in path
            self.answer(200 if found else 404, {"Id": "1", "ApiVersion": "1.44", "message": "no such image"})

    with answering(Images, monkeypatch):
        yield requested


def test_every_image_is_looked_up(docker):
    assert containers.check(["there:1", "there:1"]) == {"there:1": "1"}
    assert [path.rpartition("/images/")[2] for path in docker if "/images/" in path] == ["there:1/json"] * 2


@pytest.fixture
def running(monkeypatch):
    """A Docker with the containers "first" and "second" of the run "a", of which "first" ends before it is stopped.

    Gives the requests that reach it.
    """
    requests = []

    class Containers(Answers):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            requests.append(("GET", path.rpartition("/")[2], parse_qs(query)))
            wanted = json.loads(parse_qs(query).get("filters", ["{}"])[0])
            found = ["first", "second"] if wanted == {"label": ["pneumonia-benchmark-run=a"]} else []
            name = path.split("/")[-2]
            details = {"Id": name, "ApiVersion": "1.44", "State": {"Status": "running"}}
            self.answer(200, [{"Id": one} for one in found] if name == "containers" else details)

        def do_POST(self):
            requests.append(("POST", *self.path.partition("?")[0].split("/")[-2:]))
            self.answer(*((409, {"message": "is not running"}) if "/first/" in self.path else (204, None)))

    with answering(Containers, monkeypatch):
        yield requests


def test_the_containers_of_a_run_are_ended_also_where_one_has_ended_by_itself(running):
    containers.stop("a")
    assert [request[1:] for request in running if request[0] == "POST"] == [("first", "kill"), ("second", "kill")]


def test_the_containers_of_another_run_go_on(running):
    containers.stop("b")
    assert any(request[:2] == ("GET", "json") for request in running)
    assert not [request for request in running if request[0] == "POST"]


def test_nothing_is_to_be_stopped_where_docker_does_not_answer(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    containers.stop("a")


def test_an_image_that_is_missing_is_named_with_what_to_do(docker):  # noqa: ARG001
    with pytest.raises(UserError, match=r"there is no image away:2 here: run make images \(or docker pull away:2\)"):
        containers.check(["there:1", "away:2"])


def test_a_docker_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(UserError, match=r"Docker does not answer .*: start it, or use --runner subprocess"):
        containers.check(["there:1"])


def test_a_missing_image_stops_a_run_before_it_leaves_a_folder(docker, tmp_path, capsys):  # noqa: ARG001
    with pytest.raises(SystemExit) as stopped:
        command.main(["--runner", "docker", "--tag", "7", "--weights", "none", "--output", str(tmp_path / "runs")])
    assert stopped.value.code == 2
    assert "there is no image pneumonia-benchmark-data:7 here" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_containers_never_run_as_root_and_see_inputs_read_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    arguments = containers.runner(tmp_path, ["/data/xrays"], gpus=0, run="a").container_run_args
    assert arguments["labels"] == {"pneumonia-benchmark-run": "a"}
    user = os.getuid() or containers.IMAGE_USER
    assert arguments["user"].split(":")[0] == str(user)
    assert tmp_path.stat().st_uid == user
    (mount,) = arguments["mounts"]
    assert (mount["Source"], mount["Target"], mount["ReadOnly"]) == ("/data/xrays", "/data/xrays", True)
    assert arguments["environment"]["HTTPS_PROXY"] == "http://proxy:1"
    assert "NO_PROXY" not in arguments["environment"]
    assert arguments["cap_drop"] == ["ALL"]
    assert not arguments["device_requests"]


def test_the_folder_of_checkpoints_is_writable_under_its_own_path_and_belongs_to_the_containers_user(tmp_path):
    steps, checkpoints = tmp_path / "steps", tmp_path / "checkpoints"
    steps.mkdir()
    checkpoints.mkdir()
    arguments = containers.runner(steps, ["/data"], 0, "a", checkpoints).container_run_args
    mounts = [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in arguments["mounts"]]
    assert mounts == [("/data", "/data", True), (str(checkpoints), str(checkpoints), False)]
    user = os.getuid() or containers.IMAGE_USER
    assert {folder.stat().st_uid for folder in (steps, checkpoints)} == {user}


def test_credentials_of_sources_reach_the_containers_and_a_key_file_under_its_own_path(tmp_path, monkeypatch):
    key = tmp_path / "key.json"
    key.write_text("{}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:9000")
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_WEIGHTS", "/here")  # the image has its own
    arguments = containers.runner(tmp_path, ["/data"], gpus=0).container_run_args
    assert [(mount["Source"], mount["ReadOnly"]) for mount in arguments["mounts"]] == [
        ("/data", True),
        (str(key), True),
    ]
    assert arguments["environment"]["AWS_ENDPOINT_URL"] == "http://store:9000"
    assert "PNEUMONIA_BENCHMARK_WEIGHTS" not in arguments["environment"]


def test_containers_get_the_gpus_that_are_asked_for(tmp_path):
    (request,) = containers.runner(tmp_path, [], gpus=2).container_run_args["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (2, [["gpu"]])
