"""Schedules are created, updated, listed, paused and resumed."""

import re

import pytest

from pipelines.submit.package import NAME
from tests.pipelines.kubeflow_server import PAGE
from tests.pipelines.submit.helpers import MONDAY, change, only

pytestmark = pytest.mark.usefixtures("own_environment")


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
    assert "next runs of '0 0 3 * * 1': Mon " in first.out
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


def test_the_list_of_a_server_without_the_pipeline_is_empty(server, say):
    said = say("list")
    assert said.code == 0
    assert said.out == "pneumonia-benchmark has no schedules here\n"
    assert "GET /apis/v2beta1/recurringruns" not in server.requests


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


def test_a_dry_run_says_of_a_replacement_what_it_would_make_and_delete(server, say):
    say(*MONDAY)
    said = say("schedule", "--cron", "0 4 * * 1", "--dry-run")
    assert "changed: cron" in said.out
    assert "dry run: would have created the schedule 'pneumonia-benchmark'" in said.out
    assert f"dry run: would have deleted the old schedule 'pneumonia-benchmark' ({only(server.recurring_runs)['recurring_run_id']})" in said.out  # fmt: skip # noqa: E501
