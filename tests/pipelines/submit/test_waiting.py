"""`submit run --wait` says how far the pipeline's own tasks are, why one failed, and when a run cannot end any more."""

import json
import re
from types import SimpleNamespace

import kfp_server_api
import pytest

from pipelines.submit import kubeflow, package, run_states, waiting
from tests.pipelines import recorded

pytestmark = pytest.mark.usefixtures("own_environment")

ERROR = "pneumonia-benchmark: error: "


def task(name, state, identifier=None, start="10", history=("RUNNING",), children=()):
    return {
        "task_id": identifier or name,
        "display_name": name,
        "state": state,
        "start_time": f"2026-01-01T00:00:{start}Z",
        "end_time": "2026-01-01T00:00:59Z",
        "state_history": [{"state": one, "update_time": "2026-01-01T00:00:10Z"} for one in history],
        "child_tasks": [{"pod_name": pod} for pod in children],
    }


def scene(state, *tasks, **more):
    return {"state": state, "run_details": {"task_details": list(tasks)}, **more}


def lines(said):
    """What was said of states, without times."""
    return re.findall(r"^ +\d+:\d\d  (.*)$", said.out, re.MULTILINE)


def only(items):
    (item,) = items.values()
    return item


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


# What a real backend gave


@pytest.fixture
def replay(server, say, monkeypatch):
    """Waits for a recorded run as if it went on now; gives what was said, with times."""

    def wait(name, logs=None, more=0, step=30.0):
        found = recorded.looks(name)
        server.script, server.logs = [look.answer for look in found], logs or {}
        state = SimpleNamespace(look=0, at=0.0)

        def sleep(_seconds):
            state.look += 1
            if state.look < len(found):
                state.at = found[state.look].seconds
            elif state.look < len(found) + more:
                state.at += step
            else:
                raise KeyboardInterrupt

        monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: state.at, sleep=sleep))
        return say("run", "--wait")

    return wait


def test_of_a_good_run_a_task_has_a_line_when_it_starts_and_one_when_it_ends(replay):
    said = replay("cached")
    assert said.code == 0
    found = lines(said)
    assert found[:2] == ["run: waiting", "run: started"]
    assert found[-1] == "run: succeeded"
    titles = ["Ingest", "Preprocess", "Evaluate: baseline", "Compare"]
    regimes = ("Custom CNN", "Transfer learning", "Partial fine-tuning", "Full fine-tuning")
    titles += [f"{step}: {regime}" for step in ("Train", "Evaluate") for regime in regimes]
    assert sorted(line for line in found if line.endswith("succeeded")) == sorted(
        f"{title}: succeeded" for title in (*titles, "run")
    )
    assert len(found) == len(set(found)) <= 2 * len(titles) + 3, "nothing is said twice, and nothing of machinery"


def test_what_comes_from_the_cache_is_said_so(replay):
    said = replay("succeeded")
    assert said.code == 0
    found = lines(said)
    cached = [line.removesuffix(": from the cache") for line in found if line.endswith(": from the cache")]
    assert cached[:2] == ["Ingest", "Preprocess"]
    assert len(cached) == 6
    assert "Evaluate: Custom CNN: succeeded" in found


def test_a_failed_step_gives_its_own_sentence_and_what_was_not_run_is_said(replay):
    log = (
        "I1126 23:23:01.500472      14 main.go:67] Setting log level to: '1'\n"
        "pneumonia-benchmark: error: there is no folder /nope: give the folder that holds the images with --path\n"
        "F1126 23:23:02.887584      14 main.go:59] failed to execute component: exit status 2\n"
    )
    said = replay("failed_no_folder", {recorded.pod("failed_no_folder", 2390995792): log})
    assert said.code == 1
    assert lines(said)[-5:-1] == [
        "Ingest: failed",
        "Compare: not run",
        "Evaluate: baseline: not run",
        "Preprocess: not run",
    ]
    assert said.err.splitlines() == [
        f"{ERROR}Ingest: there is no folder /nope: give the folder that holds the images with --path",
        f"{ERROR}the run ended as failed",
    ]


def test_of_a_training_that_was_killed_the_others_are_said_and_no_reason_is_made_up(replay):
    pod = recorded.pod("out_of_memory", 267551969)
    said = replay(
        "out_of_memory", {pod: "I1126 23:34:50.1  14 main.go:67] level\npneumonia-benchmark: train: epoch 1\n"}
    )
    assert said.code == 1
    found = lines(said)
    assert "Train: Full fine-tuning: failed" in found
    assert "Train: Custom CNN: succeeded" in found
    assert "Evaluate: Full fine-tuning: not run" in found
    assert found.index("Train: Full fine-tuning: failed") < found.index("Evaluate: Partial fine-tuning: started")
    assert said.err.startswith(f"{ERROR}Train: Full fine-tuning: failed; its log names no reason, so that is unknown")
    assert "its log cannot be read, so the reason is unknown" in replay("out_of_memory").err


def test_a_run_that_was_stopped_by_its_user_was_cancelled(replay):
    said = replay("terminated")
    assert said.code == 1
    assert "run: canceling" in lines(said)
    assert said.err == f"{ERROR}the run was cancelled\n"


def test_pods_that_wait_are_said_with_what_they_need_and_only_after_a_while(replay):
    said = replay("waiting", more=2)
    assert said.code == 130
    assert lines(said)[-4:] == [
        f"Train: {regime}: waiting to start: needs a node with 1 nvidia.com/gpu, 2 CPUs and 8G of memory free"
        for regime in ("Custom CNN", "Transfer learning", "Partial fine-tuning", "Full fine-tuning")
    ]
    assert not any(line.startswith("Train") for line in lines(replay("waiting", more=0)))


def test_a_run_whose_schedule_was_deleted_is_not_waited_for_for_ever(replay):
    said = replay("orphaned", more=20)
    assert said.code == 1
    assert lines(said) == ["run: started", "Ingest: started"]
    assert "the schedule that started it was deleted, and its workflow with it, so it never ends: http" in said.err


def test_where_the_schedule_may_not_be_looked_at_waiting_goes_on(server, replay):
    server.fail("GET", "/recurringruns/", 403, times=100)
    assert replay("orphaned", more=20).code == 130


@pytest.mark.parametrize("name", recorded.NAMES)
def test_every_node_of_a_recorded_run_is_found_by_its_whole_name(name):
    """All but the workflow itself, whose short name is its whole one."""
    answer = recorded.looks(name)[-1].answer
    tasks = answer["run_details"]["task_details"]
    children = {child["pod_name"] for one in tasks for child in one.get("child_tasks", [])}
    found = run_states._nodes(as_run(answer))
    assert len(children) > 10
    (workflow,) = children - set(found.values())
    name = workflow.rpartition("-")[0]
    assert workflow == run_states.node_id(name, f"{name}(0)")
    assert set(found.values()) < children


def as_run(answer):
    """An answer as the client gives it."""
    return kfp_server_api.ApiClient().deserialize(SimpleNamespace(data=json.dumps(answer)), "V2beta1Run")


# What was not recorded
WORKFLOW = "wf"


def pods(name, *attempts, state="RUNNING", start="10"):
    """The nodes of a task that runs in the root of the graph: its own, its graph's and its pods' (a state each)."""
    path = f"{WORKFLOW}(0).root(0).{name}"
    executor = f"{path}(0).executor"
    below = [task(f"executor({number})", one, f"{name}-{number}", start) for number, one in enumerate(attempts)]
    children = [node(f"{executor}({number})") for number in range(len(attempts))]
    return [
        task(name, state, start=start, children=[node(f"{path}(0)")]),
        task(f"{name}(0)", state, start=start, children=[node(executor)]),
        task("executor", state, f"{name}-executor", start, children=children),
        *below,
    ]


def node(name):
    return run_states.node_id(WORKFLOW, name)


def pod_of(name, attempt=0):
    return node(f"{WORKFLOW}(0).root(0).{name}(0).executor({attempt})")


ROOT = (
    task(WORKFLOW, "RUNNING", children=[node(f"{WORKFLOW}(0)")]),
    task(f"{WORKFLOW}(0)", "RUNNING", children=[node(f"{WORKFLOW}(0).root")]),
    task("root", "RUNNING", children=[node(f"{WORKFLOW}(0).root(0)")]),
    task(
        "root(0)",
        "RUNNING",
        children=[node(f"{WORKFLOW}(0).root(0).{name}") for name in ("train", "train-2", "ingest")],
    ),
)


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
        ("x" * 3 * kubeflow.LOG_BYTES + f"\n{ERROR}at the end\n", "at the end"),
        ("", "failed; its log names no reason"),
        (
            "F1126 23:23:02.8 14 main.go:59] failed to execute component: failed to convert RuntimeArtifact\n",
            "failed: failed to execute component: failed to convert RuntimeArtifact",
        ),
        ("F1126 23:23:02.8 14 main.go:59] failed to execute component: exit status 137\n", "failed; its log names no"),
        ("Traceback (most recent call last):\n  File x\nOSError: retry\n40 of 100 read\n", "failed; its log names no"),
        ("\xff\xfe", "failed; its log names no reason"),
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
    real, reads = kubeflow.Server.read_log, []

    def read(self, run_id, pod):
        reads.append(pod)
        if len(reads) > 2:
            server.logs.clear()
        return real(self, run_id, pod)

    monkeypatch.setattr(kubeflow.Server, "read_log", read)
    said = say("run", "--wait")
    assert said.code == 0
    assert said.out.count("the logs of the run's pods cannot be read any more: if its workflow was deleted") == 1
    assert len(reads) > 2 + waiting.MISSING_LOOKS


def test_where_no_log_can_be_read_at_all_nothing_is_said_to_wait(server, say, clock):
    clock.step = 60.0
    looks = [scene("RUNNING", *ROOT, *pods("train", "RUNNING"), *pods("train-2", "PENDING"))] * 5
    server.script = [*looks, scene("SUCCEEDED")]
    assert not any("waiting to start" in line for line in lines(say("run", "--wait")))


@pytest.mark.usefixtures("clock")
def test_one_answer_that_a_run_is_not_there_is_not_believed(server, say):
    server.script = [scene("RUNNING")] * 3 + [scene("SUCCEEDED")]
    server.fail("GET", "/runs/run-", 404, times=waiting.MISSING_LOOKS - 1)
    assert say("run", "--wait").code == 0


def test_of_a_long_log_the_end_alone_is_kept(server, say):
    say("run")
    run_id = only(server.runs)["run_id"]
    server.logs = {"pod": "x" * 3 * kubeflow.LOG_BYTES + "end"}
    log = kubeflow.Server(kubeflow.Connection(host=server.url)).read_log(run_id, "pod")
    assert len(log) == kubeflow.LOG_BYTES
    assert log.endswith("xend")


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
    assert "the run was deleted while it was waited for: http" in said.err


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


def test_what_a_task_needs_is_what_the_yaml_says(yaml_file):
    pipeline = package.load(yaml_file)
    assert pipeline.needs("train-2") == "1 nvidia.com/gpu, 2 CPUs and 8G of memory"
    assert pipeline.needs("compare") == "1 CPUs and 2G of memory"


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
    server.fail("GET", "/runs/run-", 503, times=2 * (kubeflow.RETRIES + 1))
    said = say("run", "--wait")
    assert said.code == 0
    assert said.out.count("still waiting") == 2


def test_it_is_the_last_answer_from_which_a_servers_absence_is_counted(server, say, monkeypatch):
    clock = [0.0]

    def sleep(_seconds):
        clock[0] += waiting.AWAY_SECONDS / 2
        if only(server.runs)["looks"] == 3 and not server.faults:
            server.fail("GET", "/runs/run-", 503, times=kubeflow.RETRIES + 1)

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
    assert re.search(r"is out of order \(503: told to fail with 503\).*; the run goes on: http", said.err)


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
