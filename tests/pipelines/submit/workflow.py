"""Answers of the API for a run: its state, and the nodes of its workflow."""

import re

from pipelines.submit import run_states

ERROR = "pneumonia-benchmark: error: "
WORKFLOW = "wf"


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


def lines(said):
    """What was said of states, without times."""
    return re.findall(r"^ +\d+:\d\d  (.*)$", said.out, re.MULTILINE)


ROOT = (
    task(WORKFLOW, "RUNNING", children=[node(f"{WORKFLOW}(0)")]),
    task(f"{WORKFLOW}(0)", "RUNNING", children=[node(f"{WORKFLOW}(0).root")]),
    task("root", "RUNNING", children=[node(f"{WORKFLOW}(0).root(0)")]),
    task(
        "root(0)",
        "RUNNING",
        children=[node(f"{WORKFLOW}(0).root(0).{name}") for name in ("train", "train-2", "ingest", "check")],
    ),
)
