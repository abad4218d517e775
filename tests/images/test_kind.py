"""The local cluster's script: what it would do, what it says when something is missing, and that it can be repeated."""

import contextlib
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from components.console import UserError
from images.kind import fetch_report

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "images" / "kind" / "kind.sh"
# Programs that stand in for real ones: they write down how they are called, and kind knows the clusters it made.
FAKES = {
    "docker": 'case "$*" in *MemTotal*) echo 64000000000;; esac',
    "git": "",
    "make": "",
    "kubectl": '[ -z "$REFUSES" ] || { case "$*" in *"$REFUSES"*) exit 1;; esac; }',
    "kind": """
case "$1 $2" in
"get clusters") cat "$STATE" 2>/dev/null ;;
"create cluster") echo "$4" >"$STATE" ;;
"delete cluster") rm -f "$STATE" ;;
esac""",
}


@pytest.fixture
def kind(tmp_path):
    """Runs the script with the fakes; gives exit status, all output, and the calls since the last time."""
    programs, log, state = tmp_path / "bin", tmp_path / "log", tmp_path / "state"
    programs.mkdir()
    for name, body in FAKES.items():
        (programs / name).write_text(f'#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"{log}"\n{body}\n')
        (programs / name).chmod(0o755)

    def run(*words, without=(), **variables):
        log.unlink(missing_ok=True)
        for name in without:
            (programs / name).unlink()
        environment = {"PATH": f"{programs}:/bin:/usr/bin", "STATE": str(state), "PYTHON": sys.executable}
        environment["HOME"] = os.environ.get("HOME", "/")
        done = subprocess.run(
            [str(SCRIPT), *words], env=environment | variables, capture_output=True, text=True, check=False
        )
        calls = log.read_text().splitlines() if log.exists() else []
        return done.returncode, done.stdout + done.stderr, calls

    return run


def changing(calls):
    """Calls that change something, those of docker and of `kind get` aside."""
    return [call for call in calls if not call.startswith(("docker ", "kind get"))]


def test_up_makes_the_cluster_installs_kubeflow_and_loads_both_images(kind):
    status, _, calls = kind("up")
    assert status == 0
    steps = [" ".join(call.split()[:2]) for call in changing(calls)]
    assert steps[0] == "kind create"
    assert steps[-1] == "kubectl --context"
    assert "make images DOCKER=docker GPU=0" in calls
    loaded = [call for call in calls if call.startswith("kind load docker-image pneumonia-benchmark-")]
    assert [("-data:" in call, "-train:" in call) for call in loaded] == [(True, False), (False, True)]
    applied = [call for call in calls if " apply -k " in call]
    assert ["cluster-scoped-resources" in applied[0], "env/platform-agnostic" in applied[1]] == [True, True]
    assert all(call.endswith("?ref=2.17.0") for call in applied)
    assert "wait --namespace kubeflow --for condition=available" in calls[-1]


def test_up_can_be_repeated_after_a_failure_and_makes_no_second_cluster(kind):
    status, _, calls = kind("up", REFUSES="condition=established")
    assert status != 0
    assert not any(call.startswith("make") for call in calls)
    status, output, calls = kind("up")
    assert status == 0
    assert "the cluster pneumonia-benchmark is there already" in output
    assert not any(call.startswith("kind create") for call in calls)


def test_down_removes_the_cluster_and_is_content_when_there_is_none(kind):
    kind("up")
    status, _, calls = kind("down")
    assert (status, changing(calls)) == (0, ["kind delete cluster --name pneumonia-benchmark"])
    status, output, calls = kind("down")
    assert (status, changing(calls)) == (0, [])
    assert "there is no cluster pneumonia-benchmark" in output


def test_everything_that_is_missing_is_named_before_anything_starts(kind):
    status, output, calls = kind("up", without=("kind",), DOCKER="no-docker")
    assert status == 2
    assert "missing: no-docker kind. Install them" in output
    assert not calls


def test_a_run_without_a_cluster_says_what_to_do(kind):
    status, output, calls = kind("run")
    assert status == 2
    assert "there is no cluster pneumonia-benchmark: run make kind-up first" in output
    assert not changing(calls)


@pytest.mark.parametrize("command", ["up", "run", "down"])
def test_a_dry_run_prints_commands_and_calls_nothing(kind, command):
    status, output, calls = kind(command, DRY_RUN="1", without=("docker", "kubectl", "kind"))
    assert status == 0
    assert not calls
    assert sum(line.startswith("+ ") for line in output.splitlines()) == {"up": 8, "run": 5, "down": 1}[command]


def test_a_run_compiles_for_cpus_submits_waits_and_fetches(kind):
    _, output, _ = kind("run", "--set", "epochs=9", DRY_RUN="1")
    forward_api, compile_, submit, forward_store, fetch = [line for line in output.splitlines() if line.startswith("+")]
    assert forward_api.endswith("port-forward service/ml-pipeline-ui 8080:80 &")
    assert "compile.py --gpus 0 --pull-policy Never" in compile_
    assert "--wait" in submit
    assert submit.endswith("--set epochs=9")
    assert "--set weights=bundled" in submit
    assert forward_store.endswith("service/seaweedfs 8081:9000 &")
    assert "fetch_report --store http://127.0.0.1:8081" in fetch


# Services of Kubeflow Pipelines 2.17.0 with the ports that it announces for them; others kubectl does not find.
SERVICES = """
case "$*" in
*"service/ml-pipeline-ui "*:80 | *"service/seaweedfs "*:9000)
  ports="${*: -1}"
  exec PYTHON -m http.server --bind 127.0.0.1 "${ports%%:*}" ;;
*port-forward*) exit 1 ;;
esac"""


@pytest.mark.medium
def test_a_good_run_ends_with_success_after_the_report_is_fetched(kind, tmp_path):
    program, log = tmp_path / "bin" / "kubectl", tmp_path / "log"
    program.write_text("#!/bin/bash" + SERVICES.replace("PYTHON", sys.executable))
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/bash\nprintf "%s\\n" "python $*" >>"{log}"\n')
    python.chmod(0o755)
    kind("up")
    port = free_ports()
    status, output, calls = kind("run", PYTHON=str(python), PORT=str(port))
    assert status == 0, output
    steps = [call for call in calls if call.startswith("python")]
    assert [step.split()[1:3] for step in steps] == [
        ["compile.py", "--gpus"],
        ["-m", "pipelines.submit"],
        ["-m", "images.kind.fetch_report"],
    ]
    assert f"--store http://127.0.0.1:{port + 1} " in steps[-1]


@pytest.mark.medium
def test_a_failed_run_keeps_its_exit_code_and_says_where_its_report_is(kind, tmp_path):
    program, python = tmp_path / "bin" / "kubectl", tmp_path / "bin" / "python"
    program.write_text("#!/bin/bash" + SERVICES.replace("PYTHON", sys.executable))
    python.write_text('#!/bin/bash\n[[ "$*" == *pipelines.submit* ]] && exit 1\n[[ "$*" != *fetch_report* ]]\n')
    python.chmod(0o755)
    kind("up")
    status, output, _ = kind("run", PYTHON=str(python), PORT=str(free_ports()))
    assert status == 1
    assert "if its task Compare has succeeded, the report is there" in output


def test_a_service_that_is_not_there_is_an_error_that_names_it(kind, tmp_path):
    (tmp_path / "bin" / "kubectl").write_text("#!/bin/bash\nexit 1")
    (tmp_path / "state").write_text("pneumonia-benchmark\n")
    status, output, calls = kind("run", PORT=str(free_ports()))
    assert status == 2
    assert "ml-pipeline-ui does not answer: see kubectl" in output
    assert not changing(calls)


def free_ports():
    """A port that is free, as is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


def test_no_or_another_command_prints_the_help(kind):
    for words in ((), ("away",)):
        status, output, _ = kind(*words)
        assert status == 2
        assert "images/kind/kind.sh up" in output


def test_the_newest_comparison_is_the_one_written_last():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    root = fetch_report.PREFIX
    keys = {
        f"{root}run-1/compare/a/report": now,
        f"{root}run-2/compare/b/comparison/results.json": now + timedelta(hours=2),
        f"{root}run-2/compare/c/report": now + timedelta(hours=1),
        f"{root}run-3/train/d/model/model.keras": now + timedelta(hours=3),
        f"{root}run-4/ingest/compare/x": now + timedelta(hours=4),
    }
    assert fetch_report.newest_comparison(keys) == f"{root}run-2/compare/b/"


def test_a_store_without_a_comparison_is_an_error():
    with pytest.raises(UserError, match="has no comparison"):
        fetch_report.newest_comparison({f"{fetch_report.PREFIX}run/train/d/model.keras": datetime.now(UTC)})


@pytest.mark.slow
def test_the_report_comes_out_of_an_object_store_under_readable_names(tmp_path, monkeypatch):
    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{server.get_host_and_port()[1]}", region_name="us-east-1"
        )
        client.create_bucket(Bucket=fetch_report.BUCKET)
        for name in ("compare/b/report", "compare/b/comparison/results.json", "train/c/model/model.keras"):
            client.put_object(Bucket=fetch_report.BUCKET, Key=f"{fetch_report.PREFIX}run-1/{name}", Body=name.encode())
        folder = fetch_report.fetch(client, tmp_path)
    finally:
        server.stop()
    assert folder == tmp_path / "run-1"
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "report.html": "compare/b/report",
        "comparison/results.json": "compare/b/comparison/results.json",
    }
