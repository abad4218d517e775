"""Waiting for runs that a real server recorded prints the states of the pipeline's tasks and why one failed.

Each of the recorded runs had five tasks that evaluate. The pipeline has one, whose name the first of them had.
"""

from types import SimpleNamespace

import pytest

from pipelines.submit import waiting
from tests.pipelines import recorded
from tests.pipelines.submit.workflow import ERROR, lines

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("own_environment")]


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
    regimes = ("Custom CNN", "Transfer learning", "Partial fine-tuning", "Full fine-tuning")
    titles = ["Ingest", "Preprocess", *(f"Train: {regime}" for regime in regimes), "Evaluate", "Compare"]
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
    assert "Evaluate: succeeded" in found


def test_a_failed_step_gives_its_own_sentence_and_what_was_not_run_is_said(replay):
    log = (
        "I1126 23:23:01.500472      14 main.go:67] Setting log level to: '1'\n"
        "pneumonia-benchmark: error: there is no folder /nope: give the folder that holds the images with --path\n"
        "F1126 23:23:02.887584      14 main.go:59] failed to execute component: exit status 2\n"
    )
    said = replay("failed_no_folder", {recorded.pod("failed_no_folder", 2390995792): log})
    assert said.code == 1
    assert lines(said)[-4:-1] == ["Ingest: failed", "Compare: not run", "Preprocess: not run"]
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
    assert "Compare: not run" in found
    assert found.index("Train: Full fine-tuning: failed") < found.index("Evaluate: succeeded")
    assert said.err.startswith(f"{ERROR}Train: Full fine-tuning: failed; its log gives no reason, so that is unknown")
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
