"""The states of the pipeline's tasks, from what Kubeflow's API returns for a run.

The API lists every node of the Argo workflow. A task has at least six: its driver, its graph, its pod (`executor`), and
each of these again per attempt, with a number in parentheses after the name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
"""Final states of a run or a task."""

STARTED, WAITING, UNCLEAR = "started", "waiting to start", "unclear"
CACHED, NOT_RUN, FAILED = "from the cache", "not run", "failed"

_ATTEMPT = re.compile(r"(?:\(\d+(?::\d+)?\))+$")
_POD = "executor"


@dataclass(frozen=True)
class TaskState:
    """The state of one of the pipeline's tasks.

    Attributes:
        identifier: id of the task in this run.
        name: name in the graph, for example "train-2".
        title: display name, for example "Train: Transfer learning".
        state: `STARTED`; `WAITING` if its pod exists but does not run yet; `UNCLEAR` if it is one of these two;
            "succeeded"; `CACHED`; `FAILED`; `NOT_RUN` if a task before it failed; or another state of the API.
    """

    identifier: str
    name: str
    title: str
    state: str


def task_states(run: V2beta1Run, titles: Mapping[str, str]) -> list[TaskState]:
    """The pipeline's tasks that the API lists, in the order in which they started.

    Args:
        run: the API's response.
        titles: {name in the graph: title} of the tasks. All other nodes are omitted.
    """
    details = _details(run)
    own = [detail for detail in details if detail.display_name in titles]
    return [
        TaskState(detail.task_id, detail.display_name, titles[detail.display_name], _state(detail, details))
        for detail in sorted(own, key=lambda detail: (str(detail.start_time), detail.display_name))
    ]


def was_canceled(run: V2beta1Run) -> bool:
    """Whether somebody cancelled the run; its final state is then "FAILED" too."""
    return any(entry.state == "CANCELING" for entry in run.state_history or [])


def pod_of(run: V2beta1Run, name: str) -> str | None:
    """The node of a task's last pod, which identifies its log; None where it cannot be determined.

    Args:
        run: the API's response.
        name: of the task in the graph.
    """
    pods: dict[str, list[tuple[int, str]]] = {}
    for node, identifier in _nodes(run).items():
        if found := re.fullmatch(rf"(.+\.{re.escape(name)}\(\d+\))\.{_POD}\((\d+)\)", node):
            pods.setdefault(found[1], []).append((int(found[2]), identifier))
    # In a loop the graph has the task several times.
    return max(next(iter(pods.values())))[1] if len(pods) == 1 else None


def _nodes(run: V2beta1Run) -> dict[str, str]:
    """The ids of the nodes that are children of another, by their full names, which are paths in the graph.

    The API gives a node's short name and the ids of its children, but not its own id. The id is a hash of the full
    name, which consists of the parent's full name and the short name, so all combinations are tried.
    """
    listed = {child.pod_name for detail in _details(run) for child in detail.child_tasks or [] if child.pod_name}
    workflow = min(listed, default="").rpartition("-")[0]
    short = {detail.display_name for detail in _details(run) if detail.display_name}
    found: dict[str, str] = {}
    parents = [name for name in short if _ATTEMPT.sub("", name) == workflow]
    while parents:
        children = {f"{parent}.{name}" for parent in parents for name in short}
        parents = [name for name in children if node_id(workflow, name) in listed]
        found |= {name: node_id(workflow, name) for name in parents}
    return found


def node_id(workflow: str, name: str) -> str:
    """Argo's id of a node: the workflow's name and the 32-bit FNV-1a hash of the node's full name.

    Fowler, Noll and Vo, `draft-eastlake-fnv <https://datatracker.ietf.org/doc/draft-eastlake-fnv/>`_.
    """
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return f"{workflow}-{value}"


def _details(run: V2beta1Run) -> list[V2beta1PipelineTaskDetail]:
    return (run.run_details and run.run_details.task_details) or []


def _state(detail: V2beta1PipelineTaskDetail, details: list[V2beta1PipelineTaskDetail]) -> str:
    match detail.state:
        case None:
            return NOT_RUN
        case "RUNNING":
            return _pod_state(detail, details)
        case "SUCCEEDED":
            return CACHED if _is_cached(detail, details) else "succeeded"
        case state:
            return state.lower()


def _is_cached(task: V2beta1PipelineTaskDetail, details: list[V2beta1PipelineTaskDetail]) -> bool:
    """Whether no pod was created for a task that succeeded."""
    if any(entry.state == "RUNNING" for entry in task.state_history or []):
        return False
    skipped = any(detail.state == "SKIPPED" for detail in _pods_of_that_time(task, details))
    return skipped or task.start_time == task.end_time


def _pod_state(task: V2beta1PipelineTaskDetail, details: list[V2beta1PipelineTaskDetail]) -> str:
    """Whether the pod of a running task has started.

    The API does not tell which pod belongs to which task. A pod is created at the same moment as its task's node, so
    all pods of that moment are considered.
    """
    waits = {detail.state == "PENDING" for detail in _pods_of_that_time(task, details)}
    if len(waits) == 2:
        return UNCLEAR
    return WAITING if True in waits else STARTED


def _pods_of_that_time(
    task: V2beta1PipelineTaskDetail, details: list[V2beta1PipelineTaskDetail]
) -> list[V2beta1PipelineTaskDetail]:
    return [
        detail
        for detail in details
        if _ATTEMPT.sub("", detail.display_name or "") == _POD
        and not detail.child_tasks
        and detail.start_time == task.start_time
    ]
