"""Runs on a Kubeflow server: the real `kfp.Client` against a server that keeps state."""

import re

import kfp
import pytest

from pipelines.submit.package import NAME
from tests.pipelines.submit.helpers import change, only

pytestmark = pytest.mark.usefixtures("own_environment")


def test_the_first_run_uploads_the_pipeline_and_the_second_does_not(server, say):
    first = say("run")
    assert first.code == 0
    assert [write.partition("/v2beta1/")[2] for write in server.writes] == [
        "pipelines",
        "pipelines/upload_version",
        "experiments",
        "runs",
    ]
    assert only(server.pipelines)["display_name"] == NAME
    version = only(server.versions)
    assert re.fullmatch(r"pneumonia-benchmark-[0-9a-f]{12}", version["display_name"])
    assert version["pipeline_spec"]["root"]["dag"]["tasks"].keys() >= {"ingest", "preprocess", "compare"}
    run = only(server.runs)
    assert run["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
    assert f"link: {server.url}/#/runs/details/{run['run_id']}" in first.out

    second = say("run")
    assert second.code == 0
    assert "the server has this version already" in second.out
    assert len(server.writes) == 5
    assert len(server.runs) == 2
    assert len(server.versions) == 1


def test_a_changed_pipeline_becomes_a_new_version_of_the_same_pipeline(server, say, yaml_file):
    say("run")
    yaml_file.write_text(f"# only a comment\n{yaml_file.read_text()}")
    say("run")
    assert len(server.versions) == 1
    change(yaml_file)
    said = say("run")
    assert "uploaded version" in said.out
    assert len(server.versions) == 2
    assert len(server.pipelines) == 1
    newest = list(server.runs.values())[-1]["pipeline_version_reference"]["pipeline_version_id"]
    assert newest == list(server.versions)[-1]


def test_parameters_reach_the_server_with_their_types(server, say, tmp_path):
    (tmp_path / "p.yaml").write_text("epochs: 3\ngpu_hour_price: 1\nsource: directory\n")
    said = say("run", "--parameters", tmp_path / "p.yaml", "--set", "epochs=4", "--set", "seeds=2", "--set", "path=7")
    assert said.code == 0
    sent = only(server.runs)["runtime_config"]["parameters"]
    assert sent == {"epochs": 4, "gpu_hour_price": 1, "source": "directory", "seeds": 2, "path": "7"}


def test_a_limit_of_waiting_without_waiting_is_refused_before_anything_is_sent(server, say):
    said = say("run", "--wait-timeout", "60")
    assert said.code == 2
    assert "--wait-timeout has no effect without --wait" in said.err
    assert not server.runs


def test_names_of_run_and_experiment_are_the_command_lines(server, say, monkeypatch):
    say("run", "--name", "trial", "--experiment", "chest")
    assert only(server.runs)["display_name"] == "trial"
    assert only(server.experiments)["display_name"] == "chest"
    monkeypatch.setenv("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME", "by default")
    say("run")
    monkeypatch.setenv("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME", "in any case")
    say("run", "--experiment", "chest")
    assert [found["display_name"] for found in server.experiments.values()] == ["chest", "by default", "in any case"]


def test_a_run_whose_start_was_not_confirmed_is_found_and_not_started_again(server, say):
    server.fail("POST", "/runs$", "lost")
    said = say("run", "--name", "nightly")
    assert said.code == 0
    assert server.requests.count("POST /apis/v2beta1/runs") == 1
    assert f"/#/runs/details/{only(server.runs)['run_id']}" in said.out


@pytest.mark.parametrize("kind", ["reset", 500, 503])
def test_a_run_that_was_not_started_is_an_error_and_an_older_one_of_its_name_is_not_taken_for_it(server, say, kind):
    say("run", "--name", "nightly")
    server.fail("POST", "/runs$", kind)
    said = say("run", "--name", "nightly")
    assert said.code == 2
    assert "it may have started the run 'nightly' nevertheless: check before you try again" in said.err
    assert server.requests.count("POST /apis/v2beta1/runs") == 2
    assert len(server.runs) == 1


def test_ctrl_c_while_a_run_is_started_says_that_it_may_have_been(say, monkeypatch):
    say("run")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(kfp.Client, "run_pipeline", interrupted)
    said = say("run", "--name", "nightly")
    assert said.code == 2
    assert "interrupted: the server may have started the run 'nightly'; check before you try again" in said.err
