"""What the project asks of a Kubeflow server: lists of several pages, writes that are sent once, namespaces."""

import pytest

from pipelines.submit import connection
from pipelines.submit import server as server_module
from tests.pipelines.kubeflow_server import PAGE
from tests.pipelines.submit.helpers import MONDAY, only

pytestmark = pytest.mark.usefixtures("own_environment")


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


def test_a_server_with_profiles_needs_a_namespace_and_gets_it_everywhere(server, say):
    server.multi_user = True
    said = say(*MONDAY)
    assert said.code == 2
    assert "this Kubeflow has profiles: give yours with --namespace" in said.err
    for _ in range(2):
        assert say(*MONDAY, "--namespace", "team", "--run-now").code == 0
    assert set(server.namespaces) == {"team"}
    assert only(server.pipelines)["namespace"] == "team"
    assert only(server.experiments)["namespace"] == "team"
    assert len(server.recurring_runs) == 1


def test_a_server_without_profiles_gets_no_namespace_which_it_would_refuse(server, say):
    assert say(*MONDAY, "--namespace", "team").code == 0
    assert server.namespaces == []


def test_of_a_long_log_the_end_alone_is_kept(server, say):
    say("run")
    run_id = only(server.runs)["run_id"]
    server.logs = {"pod": "x" * 3 * server_module.LOG_BYTES + "end"}
    log = server_module.Server(connection.Connection(host=server.url)).read_log(run_id, "pod")
    assert len(log) == server_module.LOG_BYTES
    assert log.endswith("xend")


def test_lists_that_the_api_omits_when_they_are_empty_are_understood(server):
    for path in ("pipelines", "experiments", "runs", "recurringruns"):
        assert server.answer("GET", f"/apis/v2beta1/{path}", {}, b"", "") == {}
    asked = server_module.Server(connection.Connection(host=server.url))
    assert asked.find_pipeline("none") is None
    assert asked.find_experiment("none") is None
    pipeline_id = asked.create_pipeline("new")
    assert asked.find_version(pipeline_id, "none") is None
    assert asked.version_names(pipeline_id) == {}
    assert asked.recurring_runs(pipeline_id) == []
    assert asked.unfinished_runs("recurring_run-1") == []


@pytest.mark.parametrize("identifier", [None, ""])
def test_without_a_pipeline_there_are_no_versions_and_no_recurring_runs_and_nothing_is_asked(server, identifier):
    asked = server_module.Server(connection.Connection(host=server.url))
    before = len(server.requests)
    assert asked.recurring_runs(identifier) == []
    assert asked.find_version("", "a version") is None
    assert len(server.requests) == before
