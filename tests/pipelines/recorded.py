"""Runs that a real Kubeflow Pipelines 2.17.0 gave, look by look.

`recorded/*.json` have of each the states of the run and of every node of its workflow, with the time of each change.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("recorded")
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Look:
    """What the API answers at one time.

    Attributes:
        seconds: since the run was created.
        answer: what changes of a run: state, tasks, and so on.
    """

    seconds: float
    answer: dict[str, Any]


def looks(name: str) -> list[Look]:
    """The answers of the API after every change of a recorded run."""
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    changes = [recorded["state_history"], *(node[5] for node in recorded["nodes"])]
    times = sorted({time for history in changes for _, time in history})
    # Nobody looked between the end of the run and that of its last task.
    last, ended = recorded["state_history"][-1]
    if last != "RUNNING":
        times = [*(time for time in times if time < ended), times[-1]]
    return [Look(_seconds(times[0], time), _answer(recorded, time)) for time in times]


def pod(name: str, number: int) -> str:
    """The node of a recorded run with this number."""
    return f"{json.loads((FOLDER / f'{name}.json').read_text())['workflow']}-{number}"


def _seconds(first: str, last: str) -> float:
    return (
        datetime.fromisoformat(f"2026-01-01T{last}") - datetime.fromisoformat(f"2026-01-01T{first}")
    ).total_seconds()


def _answer(recorded: dict[str, Any], now: str) -> dict[str, Any]:
    """What the API says of the run at a time of the day."""
    day, workflow = recorded["day"], recorded["workflow"]

    def stamp(time: str | None) -> str:
        return f"{day}T{time}Z" if time else NEVER

    def history(entries: list[list[str]]) -> list[dict[str, str]]:
        past = [entry for entry in entries if entry[1] <= now]
        return [({"state": state} if state else {}) | {"update_time": stamp(time)} for state, time in past]

    tasks = []
    for number, (name, _, start, end, children, entries) in enumerate(recorded["nodes"]):
        past = history(entries)
        if entries and not past:
            continue
        task = {"task_id": str(number), "start_time": stamp(start), "end_time": stamp(end)}
        if name:
            task["display_name"] = name.replace("WORKFLOW", workflow)
        if past:
            task |= {key: value for key, value in past[-1].items() if key == "state"} | {"state_history": past}
        if children:
            task["child_tasks"] = [{"pod_name": f"{workflow}-{child}"} for child in children]
        tasks.append(task)
    past = history(recorded["state_history"])
    own = {"recurring_run_id": recorded["recurring_run_id"]} if recorded["recurring_run_id"] else {}
    return own | {"state": past[-1]["state"], "state_history": past, "run_details": {"task_details": tasks}}
