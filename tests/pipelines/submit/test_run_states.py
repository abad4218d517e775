"""The nodes of a workflow are found by their full names."""

import json
from types import SimpleNamespace

import kfp_server_api
import pytest

from pipelines.submit import run_states
from tests.pipelines import recorded


def as_run(answer):
    """An answer as the client gives it."""
    return kfp_server_api.ApiClient().deserialize(SimpleNamespace(data=json.dumps(answer)), "V2beta1Run")


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


@pytest.mark.parametrize("answer", [{}, {"run_details": {}}, {"run_details": {"task_details": []}}])
def test_lists_that_the_api_omits_when_they_are_empty_are_understood(answer):
    run = as_run({"state": "PENDING"} | answer)
    assert run_states.task_states(run, {"ingest": "Ingest"}) == []
    assert run_states.pod_of(run, "ingest") is None
    assert not run_states.was_canceled(run)
