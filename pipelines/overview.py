"""What a compiled pipeline requests of a cluster, read from its YAML file, as text for the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines import workflow_size

HEADER = ("task", "CPU", "memory", "GPU", "retries", "stopped after", "security", "secrets", "cache")
ORDER = ("ingest", "preprocess", "train", "label budgets", "evaluate", "compare", "check", "record")


def text(path: Path) -> str:
    """The table of requests, and the estimated size of a run's status.

    Args:
        path: a YAML file that `compile.py` has written, with the Kubernetes document.
    """
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return f"{_table(*documents)}\n\n{size(documents)}"


def size(documents: Sequence[Mapping[str, Any]]) -> str:
    """The estimated size of a run's status, with a warning if Kubeflow may be unable to read it.

    Args:
        documents: of the YAML file of a compiled pipeline.
    """
    estimate, readable = workflow_size.status_bytes(documents), workflow_size.READABLE_BYTES
    line = (
        f"status of a run: about {round(estimate / 1000, -1):.0f} KB "
        f"of the {readable / 1e6:.0f} MB that Kubeflow Pipelines 2.17 can read"
    )
    if estimate < workflow_size.WARN_BYTES:
        return line
    remedy = "omit --external-test or --label-budgets"
    return f"{line}\nwarning: if the status is larger, it no longer shows the states of the tasks: {remedy}"


def _table(pipeline: Mapping[str, Any], platform: Mapping[str, Any]) -> str:
    """The requests of the tasks; tasks with the same requests, such as the four trainings, share a row."""
    containers = pipeline["deploymentSpec"]["executors"]
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    counted: dict[tuple[str, ...], int] = {}
    for component, task in _tasks(pipeline):
        executor = pipeline["components"][component].get("executorLabel")
        if executor:
            row = _row(task, containers[executor]["container"], pods.get(executor, {}))
            counted[row] = counted.get(row, 0) + 1
    ordered = sorted(counted.items(), key=lambda item: ORDER.index(item[0][0].lower()))
    rows = [HEADER, *((f"{count} x {row[0]}" if count > 1 else row[0], *row[1:]) for row, count in ordered)]
    return columns(rows)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of a table as lines of text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _tasks(pipeline: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every task of the graph and of its loops, with the name of its component."""
    graphs = [pipeline["root"]["dag"], *(part["dag"] for part in pipeline["components"].values() if "dag" in part)]
    tasks = [task for graph in graphs for task in graph["tasks"].values()]
    return [(task["componentRef"]["name"], task) for task in tasks]


def _row(task: dict[str, Any], container: dict[str, Any], pod: dict[str, Any]) -> tuple[str, ...]:
    resources = container.get("resources", {})
    gpu = resources.get("accelerator", {})
    user = pod.get("securityContext", {})
    secrets = [
        f"{entry['envVar']} from {secret['secretName']}/{entry['secretKey']}"
        for secret in pod.get("secretAsEnv", [])
        for entry in secret["keyToEnv"]
    ] + [f"{secret['mountPath']} from {secret['secretName']}" for secret in pod.get("secretAsVolume", [])]
    return (
        task["taskInfo"]["name"].split(":")[0],
        resources.get("resourceCpuRequest", "-"),
        resources.get("resourceMemoryRequest", "-"),
        f"{gpu['resourceCount']} {gpu['resourceType']}" if gpu else "-",
        str(task.get("retryPolicy", {}).get("maxRetryCount", 0)),
        f"{pod['activeDeadlineSeconds']} s" if "activeDeadlineSeconds" in pod else "never",
        ("non-root" if user.get("runAsNonRoot") else "any user")
        + (f" {user['runAsUser']}" if "runAsUser" in user else ""),
        ", ".join(secrets) or "-",
        "yes" if task.get("cachingOptions", {}).get("enableCache") else "no",
    )
