"""Waiting prints the states of the pipeline's tasks, and ends with the run or when the run cannot end any more."""

import re
from types import SimpleNamespace

import pytest

from pipelines.submit import rest, waiting
from pipelines.submit import server as server_module
from tests.pipelines.submit.helpers import only
from tests.pipelines.submit.workflow import ERROR, ROOT, lines, pod_of, pods, scene, task

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.fixture
def clock(monkeypatch):
    """The time that waiting sees: `clock.at` seconds, and `clock.step` more with each pause."""
    now = SimpleNamespace(at=0.0, step=10.0, pauses=0)

    def sleep(_seconds):
        now.at += now.step
        now.pauses += 1
        if now.pauses > 100:  # as if somebody lost patience
            raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: now.at, sleep=sleep))
    return now


@pytest.mark.usefixtures("clock")
def test_where_one_of_two_pods_waits_the_log_tells_which(server, say):
    looks = [scene("RUNNING", *ROOT, *pods("train", "RUNNING"), *pods("train-2", "PENDING"))] * 5
    server.script = [*looks, scene("SUCCEEDED")]
    server.logs = {pod_of("train"): "I1126 launcher\n"}
    found = lines(say("run", "--wait"))
    assert "Train: Custom CNN: started" in found
    assert any(line.startswith("Train: Transfer learning: waiting to start: needs") for line in found)


def test_a_pod_that_has_just_been_made_is_no_news(server, say, clock):
    clock.step = waiting.PENDING_SECONDS / 2 - 1
    waits = scene("RUNNING", *ROOT, *pods("train", "PENDING"))
    server.script = [waits, waits, scene("RUNNING", *ROOT, *pods("train", "RUNNING")), scene("SUCCEEDED")]
    assert lines(say("run", "--wait")) == ["run: started", "Train: Custom CNN: started", "run: succeeded"]


def test_a_run_whose_check_fails_has_failed_and_says_which_regimes_were_not_trained(server, say):
    reasons = "2 of 4 regimes could not be trained. Custom CNN: killed: try again. Full fine-tuning: out of memory"
    server.script = [scene("FAILED", *ROOT, *pods("check", "FAILED", state="FAILED"))]
    server.logs = {pod_of("check"): f"pneumonia-benchmark: check: not trained: Custom CNN: killed\n{ERROR}{reasons}\n"}
    said = say("run", "--wait")
    assert said.code == 1
    assert "Check: failed" in lines(said)
    assert said.err == f"{ERROR}Check: {reasons}\n{ERROR}the run ended as failed\n"


def test_of_several_attempts_the_last_ones_log_is_read(server, say):
    server.script = [scene("FAILED", *ROOT, *pods("ingest", "FAILED", "FAILED", state="FAILED"))]
    server.logs = {pod_of("ingest", 0): f"{ERROR}first\n", pod_of("ingest", 1): f"{ERROR}second\n{ERROR}third\n"}
    assert f"{ERROR}Ingest: third\n" in say("run", "--wait").err


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            'Traceback (most recent call last):\n  File "x", line 1\nValueError: no\nF1126 1 main.go] failed\n',
            "failed: ValueError: no",
        ),
        (f"{ERROR}\x1b[31mred\x1b[0m\x07 \x9b2Jand more\r\n", "red 2Jand more"),
        ("x" * 3 * server_module.LOG_BYTES + f"\n{ERROR}at the end\n", "at the end"),
        ("", "failed; its log gives no reason"),
        (
            "F1126 23:23:02.8 14 main.go:59] failed to execute component: failed to convert RuntimeArtifact\n",
            "failed: failed to execute component: failed to convert RuntimeArtifact",
        ),
        ("F1126 23:23:02.8 14 main.go:59] failed to execute component: exit status 137\n", "failed; its log gives no"),
        ("Traceback (most recent call last):\n  File x\nOSError: retry\n40 of 100 read\n", "failed; its log gives no"),
        ("\xff\xfe", "failed; its log gives no reason"),
    ],
)
def test_a_reason_is_the_end_of_a_log_whatever_is_in_it(server, say, log, reason):
    server.script = [scene("FAILED", *ROOT, *pods("ingest", "FAILED", state="FAILED"))]
    server.logs = {pod_of("ingest"): log}
    assert say("run", "--wait").err.startswith(f"{ERROR}Ingest: {reason}")


def test_a_long_training_is_waited_for_as_long_as_its_log_can_be_read(server, say, clock):
    clock.step = 600.0
    goes_on = scene("RUNNING", *ROOT, *pods("train", "RUNNING"))
    server.script = [goes_on] * 40 + [scene("SUCCEEDED", *pods("train", "SUCCEEDED", state="SUCCEEDED"))]
    server.logs = {pod_of("train"): "epoch 1\n"}
    assert say("run", "--wait").code == 0


def test_where_no_log_can_ever_be_read_nothing_follows_from_that(server, say, clock):
    clock.step = 600.0
    goes_on = scene("RUNNING", *ROOT, *pods("train", "RUNNING"))
    server.script = [goes_on] * 40 + [scene("SUCCEEDED", *pods("train", "SUCCEEDED", state="SUCCEEDED"))]
    assert say("run", "--wait").code == 0


def test_logs_that_cannot_be_read_any_more_are_said_once_and_end_nothing(server, say, clock, monkeypatch):
    clock.step = 200.0
    goes_on = scene("RUNNING", *ROOT, *pods("train", "RUNNING"))
    server.script = [goes_on] * 40 + [scene("SUCCEEDED", *pods("train", "SUCCEEDED", state="SUCCEEDED"))]
    server.logs = {pod_of("train"): "epoch 1\n"}
    real, reads = server_module.Server.read_log, []

    def read(self, run_id, pod):
        reads.append(pod)
        if len(reads) > 2:
            server.logs.clear()
        return real(self, run_id, pod)

    monkeypatch.setattr(server_module.Server, "read_log", read)
    said = say("run", "--wait")
    assert said.code == 0
    assert said.out.count("the logs of the run's pods cannot be read any more: if its workflow was deleted") == 1
    assert len(reads) > 2 + waiting.MISSING_CHECKS


def test_where_no_log_can_be_read_at_all_nothing_is_said_to_wait(server, say, clock):
    clock.step = 60.0
    looks = [scene("RUNNING", *ROOT, *pods("train", "RUNNING"), *pods("train-2", "PENDING"))] * 5
    server.script = [*looks, scene("SUCCEEDED")]
    assert not any("waiting to start" in line for line in lines(say("run", "--wait")))


@pytest.mark.usefixtures("clock")
def test_one_answer_that_a_run_is_not_there_is_not_believed(server, say):
    server.script = [scene("RUNNING")] * 3 + [scene("SUCCEEDED")]
    server.fail("GET", "/runs/run-", 404, times=waiting.MISSING_CHECKS - 1)
    assert say("run", "--wait").code == 0


def test_what_the_server_says_gives_the_terminal_no_orders(server, say):
    server.script = [scene("FAILED", error={"code": 2, "message": "bad \x1b[31mred\x1b]0;title\x07"})]
    assert "\x1b" not in say("run", "--wait").err


def test_a_task_from_the_cache_is_known_by_the_pod_that_was_not_made(server, say):
    cached = task("train", "SUCCEEDED", history=()) | {"end_time": "2026-01-01T00:00:11Z"}
    server.script = [scene("SUCCEEDED", cached, task("executor", "SKIPPED", history=()))]
    assert lines(say("run", "--wait"))[0] == "Train: Custom CNN: from the cache"


def test_a_run_that_is_deleted_meanwhile_ends_waiting(server, say, monkeypatch):
    server.script = [scene("RUNNING")]
    real = waiting.time.sleep

    def sleep(seconds):
        server.runs.clear()
        real(seconds)

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    said = say("run", "--wait")
    assert said.code == 1
    assert "the run was deleted meanwhile: http" in said.err


def test_an_older_backend_lists_each_node_once(server, say):
    machinery = [task("root-driver", "SUCCEEDED"), task("root", "RUNNING"), task("executor", "RUNNING")]
    server.script = [
        scene("PENDING"),
        scene("RUNNING", task("ingest", "RUNNING"), *machinery),
        scene("RUNNING", task("ingest", "RUNNING"), *machinery),
        scene("RUNNING", task("ingest", "SUCCEEDED"), task("train", "RUNNING")),
        scene("SUCCEEDED", task("ingest", "SUCCEEDED"), task("train", "SUCCEEDED")),
    ]
    said = say("run", "--wait")
    assert said.code == 0
    assert lines(said) == [
        "run: waiting",
        "run: started",
        "Ingest: started",
        "Ingest: succeeded",
        "Train: Custom CNN: started",
        "Train: Custom CNN: succeeded",
        "run: succeeded",
    ]


def test_a_state_that_is_not_known_is_said_as_it_is(server, say):
    server.script = [scene("PAUSED", task("ingest", "RUNTIME_STATE_UNSPECIFIED")), scene("SUCCEEDED")]
    assert lines(say("run", "--wait")) == ["run: paused", "Ingest: runtime_state_unspecified", "run: succeeded"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_run_that_does_not_succeed_is_exit_code_1_with_the_servers_reason(server, say, state):
    server.script = [scene("RUNNING"), scene(state, error={"code": 2, "message": "train:\n out of memory"})]
    said = say("run", "--wait")
    assert said.code == 1
    assert f"the run ended as {state.lower()}: train: out of memory" in said.err


def test_a_run_that_takes_too_long_is_exit_code_3_and_goes_on(server, say):
    server.script = [scene("RUNNING")]
    said = say("run", "--wait", "--wait-timeout", "0.05")
    assert said.code == 3
    assert "has not ended after 0.05 s and goes on: http" in said.err
    assert not any("terminate" in request for request in server.requests)


def test_waiting_outlasts_a_server_that_is_away_for_a_while(server, say):
    server.script = [scene("RUNNING"), scene("SUCCEEDED")]
    server.fail("GET", "/runs/run-", 503, times=2 * (rest.RETRIES + 1))
    said = say("run", "--wait")
    assert said.code == 0
    assert said.out.count("still waiting") == 2


def test_a_server_that_limits_requests_is_waited_for(server, say):
    server.script = [scene("RUNNING"), scene("SUCCEEDED")]
    server.fail("GET", "/runs/run-", 429, times=rest.RETRIES + 1)
    said = say("run", "--wait")
    assert said.code == 0
    assert "the server answers 429; trying again (4 of 4)" in said.out
    assert "(429: told to fail with 429): try again later; still waiting" in said.out


def test_it_is_the_last_answer_from_which_a_servers_absence_is_counted(server, say, monkeypatch):
    clock = [0.0]

    def sleep(_seconds):
        clock[0] += waiting.AWAY_SECONDS / 2
        if only(server.runs)["looks"] == 3 and not server.faults:
            server.fail("GET", "/runs/run-", 503, times=rest.RETRIES + 1)

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    server.script = [scene("RUNNING")] * 3 + [scene("SUCCEEDED")]
    said = say("run", "--wait")
    assert said.code == 0
    assert said.out.count("still waiting") == 1


def test_waiting_ends_when_the_server_is_away_too_long_and_says_that_the_run_goes_on(server, say, monkeypatch):
    monkeypatch.setattr(waiting.wait, "__defaults__", (0.01,))
    server.fail("GET", "/runs/run-", 503, times=1000)
    said = say("run", "--wait")
    assert said.code == 2
    assert re.search(r"answers with an error \(503: told to fail with 503\).*; the run goes on: http", said.err)


def test_a_login_that_expires_ends_waiting_but_not_the_run(server, say):
    server.script = [scene("RUNNING")]
    server.fail("GET", "/runs/run-", 401)
    said = say("run", "--wait")
    assert said.code == 2
    assert "(401)" in said.err
    assert "the run goes on: http" in said.err


def test_ctrl_c_ends_waiting_but_not_the_run(server, say, monkeypatch):
    server.script = [scene("RUNNING")]

    def interrupted(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.time, "sleep", interrupted)
    said = say("run", "--wait")
    assert said.code == 130
    assert "stopped waiting; the run goes on: http" in said.err
