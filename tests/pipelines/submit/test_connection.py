"""Address and credentials come from options, files, the environment or the kubeconfig."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.submit import command, waiting
from tests.pipelines.submit.helpers import only

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("own_environment")


def test_without_a_host_the_remedy_is_named(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["list"])
    assert stopped.value.code == 2
    assert "no server is given: give --host URL or set KF_PIPELINES_ENDPOINT" in capsys.readouterr().err


def test_a_token_comes_from_the_environment_or_a_file_and_is_never_printed(server, say, monkeypatch, tmp_path):
    server.token = "s3cret"  # noqa: S105
    assert say("run").code == 2
    assert server.writes == []
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "s3cret\n")
    said = [say("run")]
    monkeypatch.delenv("KF_PIPELINES_TOKEN")
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    said.append(say("run", "--existing-token-file", file))
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "of another server")
    said.append(say("run", "--existing-token-file", file))
    monkeypatch.delenv("KF_PIPELINES_TOKEN")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    said.append(say("run"))
    file.write_text("wrong-s3cret")
    assert [one.code for one in said] == [0, 0, 0, 0]
    said.append(say("run"))
    assert said[-1].code == 2
    assert not any("s3cret" in one.out + one.err for one in said)


def test_a_token_file_is_read_again_while_waiting_because_such_tokens_are_renewed(server, say, monkeypatch, tmp_path):
    file = tmp_path / "token"
    file.write_text("first")
    server.token = "first"  # noqa: S105
    server.script = [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]

    def renew(_seconds):
        file.write_text("second")
        server.token = "second"  # noqa: S105

    monkeypatch.setattr(waiting.time, "sleep", renew)
    assert say("run", "--wait", "--existing-token-file", file).code == 0
    assert {"Bearer first", "Bearer second"} <= set(server.authorizations)


def test_cookies_come_from_the_environment(server, say, monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_COOKIES", "authservice_session=abc")
    assert say("list").code == 0
    assert set(server.cookies) == {"authservice_session=abc"}


def test_the_host_comes_from_kfps_own_variable_and_links_from_that_of_the_web_interface(server, yaml_file):
    settings = {"KF_PIPELINES_ENDPOINT": server.url, "KF_PIPELINES_UI_ENDPOINT": "https://kubeflow.example/pipeline"}
    command = [sys.executable, "-m", "pipelines.submit", "run", "--yaml", str(yaml_file)]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"link: https://kubeflow.example/pipeline/#/runs/details/{only(server.runs)['run_id']}" in done.stdout
    assert done.stderr == ""
