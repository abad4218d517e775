"""Runs and schedules on a Kubeflow server: the real `kfp.Client` against a server that keeps state."""

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

import kfp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines.submit import command, kubeflow, waiting
from pipelines.submit.package import NAME
from tests.pipelines.kubeflow_server import PAGE, KubeflowServer

PROJECT = Path(__file__).parents[3]
MONDAY = ("schedule", "--cron", "0 3 * * 1")


pytestmark = pytest.mark.usefixtures("own_environment")


def change(yaml_file):
    """Another default for one parameter."""
    text = yaml_file.read_text()
    assert "defaultValue: 20.0" in text
    yaml_file.write_text(text.replace("defaultValue: 20.0", "defaultValue: 21.0"))


def only(items):
    (item,) = items.values() if isinstance(items, dict) else items
    return item


# Runs


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


def test_a_version_is_found_among_more_than_a_page_of_pipelines_and_versions(server, say, yaml_file):
    for i in range(PAGE + 1):
        server._add(server.pipelines, "pipeline_id", {"display_name": f"other-{i}"})
    first = yaml_file.read_text()
    for default in range(30, 30 + PAGE + 1):
        yaml_file.write_text(first.replace("defaultValue: 20.0", f"defaultValue: {default}.0"))
        say("run")
    assert len(server.versions) == PAGE + 1
    yaml_file.write_text(first.replace("defaultValue: 20.0", "defaultValue: 30.0"))
    assert "has this version already" in say("run").out


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


def test_without_cache_another_version_runs_whose_tasks_are_not_cached(server, say):
    say("run")
    say("run", "--no-cache")
    cached, uncached = (version["pipeline_spec"]["root"]["dag"]["tasks"] for version in server.versions.values())
    assert cached["preprocess"]["cachingOptions"] == {"enableCache": True}
    assert uncached["preprocess"]["cachingOptions"] == {}


def test_without_a_yaml_the_pipeline_is_compiled_with_the_images_that_are_named(server, capsys):
    words = ["--registry", "ghcr.io/me", "--tag", "7", "--gpus", "0"]
    assert command.main(["run", "--host", server.url, *words]) == 0
    executors = only(server.versions)["pipeline_spec"]["deploymentSpec"]["executors"].values()
    images = {executor["container"]["image"] for executor in executors}
    assert images == {"ghcr.io/me/pneumonia-benchmark-data:7", "ghcr.io/me/pneumonia-benchmark-train:7"}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "epoch=3"], "no parameter 'epoch': it has backbone, batch_size"),
        (["--set", "epochs=many"], "the parameter epochs is 'many', but must be a whole number"),
        (["--set", "epochs"], "is not of the form name=value"),
        (["--parameters", "nowhere.yaml"], "there is no parameter file nowhere.yaml"),
        (["--yaml", "nowhere.yaml"], "there is no file nowhere.yaml: make one with python compile.py"),
        (["--gpus", "0"], "is compiled already, so --gpus cannot change it: leave out one"),
        (["--settings", "cluster.yaml"], "is compiled already, so --settings cannot change it"),
        (["--poll", "0"], "'0' is not a number of seconds above 0"),
        (["--ssl-ca-cert", "nowhere.pem"], "the file of CA certificates nowhere.pem does not exist"),
        (["--existing-token-file", "nowhere"], "the token file nowhere does not exist"),
        (["--host", "http://"], "the host 'http://' is not a URL"),
        (["--host", "http://a b"], "the host 'http://a b' is not a URL"),
        (["--host", "ftp://host"], "is not a URL"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(server, say, words, message):
    said = say("run", *words)
    assert said.code == 2
    assert message in said.err
    assert server.requests == []


def test_without_a_host_the_remedy_is_named(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["list"])
    assert stopped.value.code == 2
    assert "no server is named: give --host URL or set KF_PIPELINES_ENDPOINT" in capsys.readouterr().err


# Never twice


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
    assert "it was asked once to have started the run 'nightly'" in said.err
    assert server.requests.count("POST /apis/v2beta1/runs") == 2
    assert len(server.runs) == 1


@pytest.mark.parametrize("path", ["/pipelines$", "/upload_version$", "/experiments$"])
def test_what_was_made_although_the_answer_got_lost_is_used(server, say, path):
    server.fail("POST", path, "lost")
    assert say("run").code == 0
    assert [len(server.pipelines), len(server.versions), len(server.experiments), len(server.runs)] == [1, 1, 1, 1]


def test_what_another_machine_made_in_between_is_used(server, say):
    say("run")
    # The look-ups find nothing the first time, as if the other machine were just about to make it.
    real, hidden = server._page, {"pipelines", "pipeline_versions", "experiments"}

    def page(name, items, query):
        found = real(name, items, query)
        if name in hidden:
            hidden.discard(name)
            found[name] = []
        return found

    server._page = page
    assert say("run").code == 0
    assert hidden == set()
    assert [len(server.pipelines), len(server.versions), len(server.experiments), len(server.runs)] == [1, 1, 1, 2]


def test_ctrl_c_while_a_run_is_started_says_that_it_may_have_been(say, monkeypatch):
    say("run")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(kfp.Client, "run_pipeline", interrupted)
    said = say("run", "--name", "nightly")
    assert said.code == 2
    assert "stopped just when it was asked to have started the run 'nightly': look whether it did" in said.err


# Schedules


def test_a_schedule_is_made_once_and_said_again_unchanged_nothing_is_written(server, say):
    first = say(*MONDAY, "--set", "epochs=30", "--set", "seeds=2")
    assert first.code == 0
    made = only(server.recurring_runs)
    assert made["display_name"] == NAME
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    assert made["no_catchup"] is True
    assert made["max_concurrency"] == "1"
    assert made["mode"] == "ENABLE"
    assert made["runtime_config"]["parameters"] == {"epochs": 30, "seeds": 2}
    assert "'0 0 3 * * 1' is Mon " in first.out
    writes = list(server.writes)
    made["runtime_config"]["parameters"] = {"epochs": 30.0, "seeds": 2.0}
    again = say(*MONDAY, "--set", "seeds=2", "--set", "epochs=30")
    assert again.code == 0
    assert "the schedule 'pneumonia-benchmark' is unchanged" in again.out
    assert server.writes == writes
    assert server.runs == {}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--cron", "0 4 * * 1"), "cron"),
        (("--set", "epochs=31"), "parameters (epochs)"),
        (("--experiment", "other"), "experiment"),
        (("--no-cache",), "version"),
    ],
)
def test_a_changed_schedule_replaces_the_old_one_which_goes_only_when_the_new_one_is_there(server, say, words, what):
    say(*MONDAY)
    old = only(server.recurring_runs)
    said = say(*MONDAY, *words)
    assert said.code == 0
    assert f"changed: {what}\n" in said.out
    new = only(server.recurring_runs)
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert server.writes[-3:] == [
        "POST /apis/v2beta1/recurringruns",
        f"POST /apis/v2beta1/recurringruns/{old['recurring_run_id']}:disable",
        f"DELETE /apis/v2beta1/recurringruns/{old['recurring_run_id']}",
    ]
    assert server.most_recurring_runs == 2
    assert "is unchanged" in say(*MONDAY, *words).out


def test_a_changed_pipeline_replaces_the_schedule(server, say, yaml_file):
    say(*MONDAY)
    change(yaml_file)
    assert "changed: version\n" in say(*MONDAY).out
    assert only(server.recurring_runs)["pipeline_version_reference"]["pipeline_version_id"] == list(server.versions)[-1]


@pytest.mark.parametrize("key", ["no_catchup", "max_concurrency"])
def test_a_schedule_made_elsewhere_with_other_settings_is_replaced(server, say, key):
    say(*MONDAY)
    only(server.recurring_runs)[key] = {"no_catchup": False, "max_concurrency": "5"}[key]
    assert "changed: settings" in say(*MONDAY).out
    assert only(server.recurring_runs)["max_concurrency"] == "1"
    assert only(server.recurring_runs)["no_catchup"] is True


def test_an_interrupted_replacement_leaves_the_new_one_and_the_next_time_deletes_the_old(server, say):
    say(*MONDAY)
    server.fail("DELETE", "/recurringruns/", 500)
    said = say("schedule", "--cron", "0 4 * * 1")
    assert said.code == 2
    assert len(server.recurring_runs) == 2
    newest = list(server.recurring_runs)[-1]
    again = say("schedule", "--cron", "0 4 * * 1")
    assert again.code == 0
    assert "deleted the old schedule" in again.out
    assert list(server.recurring_runs) == [newest]


def test_where_the_new_one_cannot_be_made_the_old_one_stays(server, say):
    say(*MONDAY)
    server.fail("POST", "/recurringruns$", 500)
    assert say("schedule", "--cron", "0 4 * * 1").code == 2
    assert only(server.recurring_runs)["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"


def test_duplicates_beyond_a_page_are_cleaned_up_and_other_schedules_stay(server, say):
    say(*MONDAY)
    say(*MONDAY, "--name", "other")
    double = only(server.named(NAME))
    for _ in range(PAGE + 2):
        server._add(server.recurring_runs, "recurring_run_id", double)
    foreign = double | {"pipeline_version_reference": {"pipeline_id": "someone's", "pipeline_version_id": "x"}}
    foreign = server._add(server.recurring_runs, "recurring_run_id", foreign)
    said = say(*MONDAY)
    assert said.out.count("deleted the old schedule") == PAGE + 2
    assert "unchanged" not in said.out
    assert "created" not in said.out
    left = server.named(NAME)
    assert foreign in left
    assert len(left) == 2
    assert len(server.named("other")) == 1


def test_a_schedule_whose_making_was_not_confirmed_is_found_and_the_old_one_goes(server, say):
    say(*MONDAY)
    server.fail("POST", "/recurringruns$", "lost")
    said = say("schedule", "--cron", "0 4 * * 1")
    assert said.code == 0
    assert only(server.recurring_runs)["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * 1"
    assert server.requests.count("POST /apis/v2beta1/recurringruns") == 2


def test_an_old_schedule_that_is_gone_already_is_no_error(server, say):
    say(*MONDAY)
    server.fail("DELETE", "/recurringruns/", 404)
    assert say("schedule", "--cron", "0 4 * * 1").code == 0


def test_run_now_starts_one_run_with_the_schedules_version_and_parameters(server, say):
    said = say(*MONDAY, "--set", "epochs=3", "--run-now")
    assert "link: http" in said.out
    run, recurring = only(server.runs), only(server.recurring_runs)
    for key in ("pipeline_version_reference", "runtime_config", "experiment_id"):
        assert run[key] == recurring[key]
    say(*MONDAY, "--set", "epochs=3", "--run-now")
    assert len(server.runs) == 2
    assert len(server.recurring_runs) == 1


def test_paused_and_on_are_part_of_what_is_declared(server, say):
    say(*MONDAY, "--paused")
    made = only(server.recurring_runs)
    assert made["mode"] == "DISABLE"
    assert "resumed" in say(*MONDAY).out
    assert made["mode"] == "ENABLE"
    assert "paused" in say(*MONDAY, "--paused").out
    assert only(server.recurring_runs) is made
    assert "is unchanged" in say(*MONDAY, "--paused").out


def test_pause_resume_and_delete_go_by_name_and_repeating_them_writes_nothing(server, say):
    say(*MONDAY, "--name", "weekly")
    say(*MONDAY, "--name", "other")
    before = len(server.writes)
    made = only(server.named("weekly"))
    assert "paused the schedule 'weekly'" in say("pause", "--name", "weekly").out
    assert made["mode"] == "DISABLE"
    assert "already paused" in say("pause", "--name", "weekly").out
    assert "resumed the schedule 'weekly'" in say("resume", "--name", "weekly").out
    assert made["mode"] == "ENABLE"
    assert "already on" in say("resume", "--name", "weekly").out
    assert len(server.writes) == before + 2
    assert "deleted the schedule 'weekly'" in say("delete", "--name", "weekly").out
    assert [run["display_name"] for run in server.recurring_runs.values()] == ["other"]


def test_of_duplicates_all_are_paused_and_one_is_resumed(server, say):
    say(*MONDAY)
    newer = server._add(server.recurring_runs, "recurring_run_id", dict(only(server.recurring_runs)))
    say("pause")
    assert [run["mode"] for run in server.recurring_runs.values()] == ["DISABLE", "DISABLE"]
    say("resume")
    assert [run for run in server.recurring_runs.values() if run["mode"] == "ENABLE"] == [newer]


@pytest.mark.parametrize("command", ["pause", "resume", "delete"])
def test_a_schedule_that_does_not_exist_is_an_error_that_names_those_that_do(say, command):
    assert (
        "has no schedule 'weekly' here: give --name one of those it has (none)" in say(command, "--name", "weekly").err
    )
    say(*MONDAY, "--name", "monthly")
    said = say(command, "--name", "weekly")
    assert said.code == 2
    assert "one of those it has ('monthly')" in said.err


def test_the_list_shows_every_schedule_of_the_pipeline(server, say):
    assert "has no schedules here" in say("list").out
    for name in ("c", "a", "b", "d"):
        say("schedule", "--cron", "0 3 1 1 *", "--name", name)
    say("pause", "--name", "b")
    lines = say("list").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["a", "on"], ["b", "paused"], ["c", "on"], ["d", "on"]]
    version = only(server.versions)["display_name"]
    for line in lines[1:]:
        assert "0 0 3 1 1 *" in line
        assert version in line
    assert re.search(r"\w{3} \d{4}-01-01 03:00:00", lines[1])
    assert not re.search(r"-01-01 03:00:00", lines[2])


def test_a_wrong_cron_expression_is_refused_before_anything_is_sent(server, say):
    said = say("schedule", "--cron", "0 3 * * 7")
    assert said.code == 2
    assert "does not understand '7' as day of week" in said.err
    assert server.requests == []


# Dry runs


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "--wait"),
        (*MONDAY, "--run-now"),
        ("schedule", "--cron", "1 * * * *"),
        ("list",),
        ("pause",),
        ("delete",),
    ],
)
def test_a_dry_run_writes_nothing_whatever_is_there(server, say, words):
    if words[0] in ("run", "schedule"):
        said = say(*words, "--dry-run")
        assert said.code == 0
        assert "dry run: would have uploaded version pneumonia-benchmark-" in said.out
        assert server.writes == []
    say(*MONDAY)
    writes = list(server.writes)
    said = say(*words, "--dry-run")
    assert said.code == 0
    assert server.writes == writes
    assert ("would have" in said.out) == (words[0] != "list")
    assert "link:" not in said.out


def test_a_dry_run_says_of_a_replacement_what_it_would_make_and_delete(server, say):
    say(*MONDAY)
    said = say("schedule", "--cron", "0 4 * * 1", "--dry-run")
    assert "changed: cron" in said.out
    assert "dry run: would have created the schedule 'pneumonia-benchmark'" in said.out
    assert f"dry run: would have deleted the old schedule 'pneumonia-benchmark' ({only(server.recurring_runs)['recurring_run_id']})" in said.out  # fmt: skip # noqa: E501


def test_a_dry_run_needs_no_server(say):
    said = say("run", "--dry-run", "--set", "epochs=3", host="http://localhost:1")
    assert said.code == 0
    assert "version: pneumonia-benchmark-" in said.out
    assert "parameters: epochs=3" in said.out
    assert "dry run: http://localhost:1 does not answer" in said.out


# Servers in trouble


def test_reads_are_tried_again_when_the_server_is_briefly_out_of_order(server, say):
    server.fail("GET", "/healthz", 500, times=2)
    server.fail("GET", "/pipelines$", "reset")
    server.fail("GET", "/experiments$", 503)
    said = say("run")
    assert said.code == 0
    assert said.out.count("trying again") == 4
    assert len(server.runs) == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (401, "does not know who asks (401): give --existing-token-file FILE or set KF_PIPELINES_TOKEN"),
        (403, "does not allow this (403: told to fail with 403): ask for access or check --namespace"),
        (404, "answers, but not as Kubeflow Pipelines 2 does (404): check --host"),
        (400, "refuses this (400: told to fail with 400)"),
        (500, "is out of order (500: told to fail with 500): try again later"),
        ("login", "answers with a web page, not as Kubeflow Pipelines' API does: check the host"),
        ("reset", "does not answer"),
    ],
)
def test_trouble_with_the_server_is_one_sentence(server, say, kind, message):
    server.fail("GET", "/healthz", kind, times=1000)
    said = say("list")
    assert said.code == 2
    assert message in said.err
    assert server.url in said.err
    assert len(said.err.splitlines()) == 1


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(server, say, monkeypatch):
    monkeypatch.setattr(kubeflow, "RETRIES", 1)
    server.fail("GET", "/healthz", "silence", times=1000)
    said = say("list", "--answer-seconds", "0.05")
    assert said.code == 2
    assert re.search(r"does not answer \(.*timed out.*\): check the host", said.err)
    assert len(server.requests) == 2


def test_a_port_where_nothing_listens_is_named(say):
    said = say("list", host="http://localhost:1")
    assert said.code == 2
    assert "http://localhost:1 does not answer ([Errno 111] Connection refused)" in said.err


def test_https_to_a_server_without_it_is_explained(server, say):
    said = say("list", host=server.url.replace("http://", ""))
    assert said.code == 2
    assert "no secure connection to https://localhost" in said.err
    assert "if it speaks plain HTTP, write http:// before the host" in said.err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Files of a self-signed certificate for localhost and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*private))
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_a_certificate_of_an_own_authority_needs_that_authority(certificate, say):
    with KubeflowServer(certificate=certificate) as secure:
        refused = say("list", host=secure.url)
        assert refused.code == 2
        assert "no secure connection" in refused.err
        assert "give --ssl-ca-cert FILE" in refused.err
        assert "trying again" not in refused.out
        assert secure.requests == []
        assert say("list", "--ssl-ca-cert", certificate[0], host=secure.url).code == 0
        assert say("list", "--no-verify-ssl", host=secure.url).code == 0


# Who asks


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


def test_a_server_with_profiles_needs_a_namespace_and_gets_it_everywhere(server, say):
    server.multi_user = True
    said = say(*MONDAY)
    assert said.code == 2
    assert "this Kubeflow has profiles: say with --namespace in which to work" in said.err
    for _ in range(2):
        assert say(*MONDAY, "--namespace", "team", "--run-now").code == 0
    assert set(server.namespaces) == {"team"}
    assert only(server.pipelines)["namespace"] == "team"
    assert only(server.experiments)["namespace"] == "team"
    assert len(server.recurring_runs) == 1


def test_a_server_without_profiles_gets_no_namespace_which_it_would_refuse(server, say):
    assert say(*MONDAY, "--namespace", "team").code == 0
    assert server.namespaces == []


def test_the_host_comes_from_kfps_own_variable_and_links_from_that_of_the_web_interface(server, yaml_file):
    settings = {"KF_PIPELINES_ENDPOINT": server.url, "KF_PIPELINES_UI_ENDPOINT": "https://kubeflow.example/pipeline"}
    command = [sys.executable, "-m", "pipelines.submit", "run", "--yaml", str(yaml_file)]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"link: https://kubeflow.example/pipeline/#/runs/details/{only(server.runs)['run_id']}" in done.stdout
    assert done.stderr == ""


def test_without_a_host_the_kubeconfigs_cluster_is_asked(server, yaml_file, tmp_path, capsys):
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(f"""
        apiVersion: v1
        kind: Config
        current-context: here
        contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
        clusters: [{{name: c, cluster: {{server: "{server.url}"}}}}]
        users: [{{name: u, user: {{token: of-user}}}}]""")
    assert command.main(["run", "--yaml", str(yaml_file)]) == 0
    page = f"link: /pipeline/#/runs/details/{only(server.runs)['run_id']} (--ui-host URL gives the whole link)"
    assert page in capsys.readouterr().out
    assert set(server.authorizations) == {"Bearer of-user"}
    with pytest.raises(SystemExit) as stopped:
        command.main(["list", "--kube-context", "elsewhere"])
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert "the kubeconfig names no cluster that can be used: give --host URL or --kube-context NAME" in captured.err
    assert captured.out == ""


def test_a_mistake_is_found_without_loading_kfp():
    code = (
        "import sys\nfrom pipelines.submit import command\n"
        "try: command.main(['schedule', '--cron', 'x', '--host', 'http://localhost:1'])\n"
        "except SystemExit as stopped: sys.exit(10 * stopped.code + ('kfp' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 20, done.stderr


def test_help_shows_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert "python -m pipelines.submit schedule --cron" in out
    assert "3 a run goes on" in out
