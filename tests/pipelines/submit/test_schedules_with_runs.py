"""Replacing or deleting a schedule stops no run that goes on, which a real server would list as running for ever."""

from types import SimpleNamespace

import pytest

from pipelines.submit import command, schedules
from tests.pipelines.submit.helpers import MONDAY, TUESDAY, only

pytestmark = pytest.mark.usefixtures("own_environment")

WEEKLY = "pneumonia-benchmark"


@pytest.fixture
def running(server, say):
    """A schedule whose run goes on: the schedule, the run."""
    say(*MONDAY)
    schedule = only(server.recurring_runs.values())
    return schedule, server.fire(schedule["recurring_run_id"])


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "CANCELING", "PAUSED", "RUNTIME_STATE_UNSPECIFIED"])
def test_a_changed_schedule_keeps_the_old_one_while_its_run_goes_on(server, say, running, state):
    old, run = running
    run["state"] = state
    said = say(*TUESDAY)
    assert said.code == 0
    assert old["recurring_run_id"] in server.recurring_runs
    assert old["mode"] == "DISABLE"
    assert (
        f"is paused and stays until its run has ended, since deleting it would stop the run: {server.url}" in said.out
    )
    assert run["run_id"] in said.out
    assert "then give this command again" in said.out
    new = only(one for one in server.recurring_runs.values() if one is not old)
    assert new["mode"] == "ENABLE"


def test_the_same_command_deletes_the_old_one_when_its_run_has_ended(server, say, running):
    old, run = running
    say(*TUESDAY)
    assert "is paused and stays" in say(*TUESDAY).out
    server.end(run)
    said = say(*TUESDAY)
    assert f"deleted the old schedule '{WEEKLY}' ({old['recurring_run_id']})" in said.out
    assert run["state"] == "SUCCEEDED"
    assert len(server.recurring_runs) == 1
    assert "is unchanged" in say(*TUESDAY).out


def test_it_is_paused_before_it_is_looked_for_runs(server, say, running):
    old, run = running
    server.end(run)
    say(*TUESDAY)
    asked = [request for request in server.requests if "disable" in request or request == "GET /apis/v2beta1/runs"]
    assert asked[-2:] == [
        f"POST /apis/v2beta1/recurringruns/{old['recurring_run_id']}:disable",
        "GET /apis/v2beta1/runs",
    ]


def test_a_run_that_begins_just_before_the_pause_is_seen(server, say, monkeypatch):
    say(*MONDAY)
    old = only(server.recurring_runs.values())
    monkeypatch.setattr(schedules.time, "sleep", lambda _: server.fire(old["recurring_run_id"]))
    assert "is paused and stays" in say(*TUESDAY).out
    assert old["recurring_run_id"] in server.recurring_runs


def test_runs_of_other_schedules_do_not_matter(server, say):
    say(*MONDAY, "--name", "other")
    other = only(server.recurring_runs.values())
    run = server.fire(other["recurring_run_id"])
    say(*MONDAY)
    assert f"deleted the old schedule '{WEEKLY}'" in say(*TUESDAY).out
    assert other["recurring_run_id"] in server.recurring_runs
    assert run["state"] == "RUNNING"


def test_a_run_among_more_than_a_page_of_ended_ones_is_found(server, say, running):
    old, first = running
    server.end(first)
    runs = [server.fire(old["recurring_run_id"], "SUCCEEDED") for _ in range(7)]
    runs[2]["state"] = "RUNNING"
    assert "is paused and stays" in say(*TUESDAY).out


def test_deleting_pauses_and_waits_to_be_said_again(server, say, running):
    old, run = running
    said = say("delete")
    assert said.code == schedules.RUN_GOES_ON == 3
    assert old["recurring_run_id"] in server.recurring_runs
    assert old["mode"] == "DISABLE"
    server.end(run)
    said = say("delete")
    assert said.code == 0
    assert f"deleted the schedule '{WEEKLY}'" in said.out
    assert run["state"] == "SUCCEEDED"
    assert not server.recurring_runs


def test_deleting_is_not_done_while_the_run_of_a_replaced_schedule_goes_on(server, say, running):
    old, _ = running
    say(*TUESDAY)
    assert len(server.recurring_runs) == 2
    assert say("delete").code == schedules.RUN_GOES_ON
    assert list(server.recurring_runs.values()) == [old]


def test_deleting_can_wait_for_the_end_of_the_run(server, say, running, monkeypatch):
    _, run = running
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 4:
            server.end(run)

    monkeypatch.setattr(schedules.time, "sleep", sleep)
    said = say("delete", "--wait", "--poll", "7")
    assert said.code == 0
    assert waits[1:] == [7, 7, 7]
    assert said.out.count("is paused and stays") == 1
    assert run["state"] == "SUCCEEDED"
    assert not server.recurring_runs


def test_deleting_can_stop_the_run_and_names_it(server, say, running):
    _, run = running
    said = say("delete", "--stop-runs")
    assert said.code == 0
    assert f"this stops its run: {server.url}" in said.out
    assert not server.recurring_runs
    server.end(run)
    assert run["state"] == "RUNNING", "as on a real server, for good"


@pytest.mark.usefixtures("running")
def test_the_list_tells_a_replaced_schedule_from_a_paused_one(say):
    say(*TUESDAY)
    say(*MONDAY, "--name", "other", "--paused")
    rows = {tuple(line.split()[:2]) for line in say("list").out.splitlines()[1:]}
    assert rows == {("other", "paused"), (WEEKLY, "on"), (WEEKLY, "replaced")}


def test_resuming_never_brings_back_a_replaced_schedule(server, say, running):
    old, _ = running
    say(*TUESDAY)
    say("pause")
    assert {one["mode"] for one in server.recurring_runs.values()} == {"DISABLE"}
    assert "is already paused" in say("pause").out
    say("resume")
    assert old["mode"] == "DISABLE"
    assert sorted(one["mode"] for one in server.recurring_runs.values()) == ["DISABLE", "ENABLE"]


def test_going_back_makes_a_new_schedule_and_loses_no_run(server, say, running):
    old, run = running
    say(*TUESDAY)
    second = only(one for one in server.recurring_runs.values() if one is not old)
    other = server.fire(second["recurring_run_id"])
    say(*MONDAY)
    assert [old["mode"], second["mode"]] == ["DISABLE", "DISABLE"]
    assert len(server.recurring_runs) == 3
    say("pause")
    say("resume")
    newest = max(server.recurring_runs.values(), key=lambda one: one["created_at"])
    assert [one for one in server.recurring_runs.values() if one["mode"] == "ENABLE"] == [newest]
    assert newest["trigger"]["cron_schedule"]["cron"] == old["trigger"]["cron_schedule"]["cron"]
    server.end(run)
    server.end(other)
    say(*MONDAY)
    assert list(server.recurring_runs.values()) == [newest]


def test_what_was_replaced_can_be_deleted_with_its_run(server, say, running):
    old, run = running
    said = say(*TUESDAY, "--stop-runs")
    assert f"this stops its run: {server.url}" in said.out
    assert old["recurring_run_id"] not in server.recurring_runs
    assert len(server.recurring_runs) == 1
    assert run["state"] == "RUNNING"


@pytest.mark.usefixtures("running")
def test_deleting_waits_no_longer_than_told(server, say, monkeypatch):
    clock = [0.0]

    def sleep(_seconds):
        clock[0] += 10

    monkeypatch.setattr(schedules, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    said = say("delete", "--wait", "--wait-timeout", "25")
    assert said.code == schedules.RUN_GOES_ON
    assert clock[0] <= 40
    assert server.recurring_runs


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("words", [TUESDAY, ("delete",), ("delete", "--wait")])
def test_a_dry_run_says_what_would_stay_and_writes_nothing(server, say, words):
    server.writes.clear()
    said = say(*words, "--dry-run")
    assert server.writes == []
    assert "dry run: would have paused the schedule" in said.out
    assert "would be paused and stay until its run has ended" in said.out
    assert "would have deleted" not in said.out


def test_the_words_do_not_promise_that_runs_stay(capsys):
    with pytest.raises(SystemExit):
        command.main(["delete", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "When a schedule is deleted, Kubeflow stops its run, and lists it as running for ever." in said
    assert "--stop-runs" in said
