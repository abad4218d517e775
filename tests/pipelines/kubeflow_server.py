"""A small Kubeflow Pipelines server for tests: the part of the v2beta1 REST API that `kfp.Client` calls, with state.

It keeps what it is sent, refuses what a real one refuses (names taken, ids unknown, a namespace where there are no
profiles, five cron fields), gives lists in pages of three, leaves empty ones out, and can be told to fail. Deleting a
recurring run leaves its unfinished runs as they are for good: in a cluster, their workflows are deleted with it.
"""

import itertools
import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.pipelines.kubeflow_http import Handler, HTTPError, uploaded

PAGE = 3


@dataclass
class Fault:
    """What goes wrong with the next requests of a kind.

    Attributes:
        method: of the requests, and `path`, a pattern found in theirs.
        kind: a status; "silence" (no answer until the server closes); "lost" (carried out, but the connection breaks
            before the answer); "reset" (the connection breaks at once); "login" (a web page instead of an answer).
        times: how often.
    """

    method: str
    path: str
    kind: int | str
    times: int = 1


@dataclass
class KubeflowServer:
    """The server; `with KubeflowServer() as server:` runs it on a free port.

    Attributes:
        multi_user: whether it has profiles.
        token: the bearer token that it wants, if any.
        script: what the state and tasks of a run that was asked for are at the first look, the second, and so on; the
            last one stays.
        logs: {pod: its log}, of the pods that have started.
        requests: all that came, as "METHOD path".
        writes: those that changed something, in order.
    """

    multi_user: bool = False
    token: str | None = None
    certificate: tuple[str, str] | None = None
    script: list[dict[str, Any]] = field(default_factory=lambda: [{"state": "SUCCEEDED"}])
    logs: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    cookies: list[str | None] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    pipelines: dict[str, dict] = field(default_factory=dict)
    versions: dict[str, dict] = field(default_factory=dict)
    experiments: dict[str, dict] = field(default_factory=dict)
    runs: dict[str, dict] = field(default_factory=dict)
    recurring_runs: dict[str, dict] = field(default_factory=dict)
    most_recurring_runs: int = 0

    def __post_init__(self):
        self._ids, self._lock, self._closing = itertools.count(1), threading.RLock(), threading.Event()

    def __enter__(self):
        handler = type("Handler", (Handler,), {"kubeflow": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        scheme = "http"
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None
            scheme = "https"
        self.url = f"{scheme}://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, method: str, path: str, kind: int | str, times: int = 1) -> None:
        """Makes the next requests fail whose path has `path`."""
        self.faults.append(Fault(method, path, kind, times))

    def named(self, name: str) -> list[dict]:
        """The recurring runs of a name."""
        return [run for run in self.recurring_runs.values() if run["display_name"] == name]

    def fire(self, recurring_run_id: str, state: str = "RUNNING") -> dict:
        """What a schedule does when it is due: starts a run, which stays in its state until it is told another."""
        schedule = self.recurring_runs[recurring_run_id]
        run = {"display_name": f"{schedule['display_name']}-1", "recurring_run_id": recurring_run_id, "state": state}
        run |= {key: schedule[key] for key in ("experiment_id", "pipeline_version_reference")}
        return self._add(self.runs, "run_id", run)

    def end(self, run: dict) -> None:
        """Ends a run that a schedule started, if its workflow is still there."""
        if run["recurring_run_id"] in self.recurring_runs:
            run["state"] = "SUCCEEDED"

    def await_closing(self) -> None:
        """Returns when the server closes."""
        self._closing.wait(60)

    def fault(self, method: str, path: str) -> int | str | None:
        """What goes wrong with this request."""
        with self._lock:
            for fault in self.faults:
                if fault.times and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault.kind
        return None

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, content_type: str) -> dict | str:
        """Carries out one request; gives JSON or text."""
        with self._lock:
            if namespace := query.get("namespace"):
                self.namespaces.append(namespace)
                if not self.multi_user:
                    raise HTTPError(400, "In single-user mode, lists cannot be filtered by namespace")
            for route_method, pattern, action in _ROUTES:
                matched = re.fullmatch(pattern, path)
                if matched and method == route_method:
                    data = uploaded(body, content_type) if "upload" in path else json.loads(body or "{}")
                    result = action(self, query, data, *matched.groups())
                    if method != "GET":
                        self.writes.append(f"{method} {path}")
                    self.most_recurring_runs = max(self.most_recurring_runs, len(self.recurring_runs))
                    return result
        raise HTTPError(404, f"no such method: {method} {path}")

    # The methods

    def health(self, _query, _data):
        return {"multi_user": self.multi_user}

    def list_pipelines(self, query, _data):
        return self._page("pipelines", self.pipelines.values(), query)

    def create_pipeline(self, _query, data):
        self._check_free(self.pipelines, data)
        return self._add(self.pipelines, "pipeline_id", data)

    def list_versions(self, query, _data, pipeline_id):
        found = [version for version in self.versions.values() if version["pipeline_id"] == pipeline_id]
        return self._page("pipeline_versions", found, query)

    def upload_version(self, query, data):
        self._get(self.pipelines, query["pipelineid"])
        version = {"pipeline_id": query["pipelineid"], "display_name": query["name"], "pipeline_spec": data}
        self._check_free(self.versions, version, "pipeline_id")
        return self._add(self.versions, "pipeline_version_id", version)

    def list_experiments(self, query, _data):
        return self._page("experiments", self.experiments.values(), query)

    def create_experiment(self, _query, data):
        self._check_free(self.experiments, data)
        return self._add(self.experiments, "experiment_id", data)

    def list_runs(self, query, _data):
        found = [run for run in self.runs.values() if query.get("experiment_id") in (None, run["experiment_id"])]
        return self._page("runs", found, query)

    def create_run(self, _query, data):
        self._check_references(data)
        return self._add(self.runs, "run_id", data | {"state": "PENDING", "looks": 0})

    def get_run(self, _query, _data, run_id):
        run = self._get(self.runs, run_id)
        if "looks" not in run:
            return run
        scene = self.script[min(run["looks"], len(self.script) - 1)]
        run["looks"] += 1
        return {key: value for key, value in run.items() if key != "looks"} | scene

    def read_log(self, _query, _data, run_id, pod):
        self._get(self.runs, run_id)
        if pod not in self.logs:
            # As a real one answers for a pod that has not started.
            raise HTTPError(500, f"InternalServerError: Failed to read logs from archive {pod}: NoSuchKey")
        return self.logs[pod]

    def get_recurring_run(self, _query, _data, identifier):
        return self._get(self.recurring_runs, identifier)

    def list_recurring_runs(self, query, _data):
        return self._page("recurringRuns", self.recurring_runs.values(), query)

    def create_recurring_run(self, _query, data):
        self._check_references(data)
        if len(data["trigger"]["cron_schedule"]["cron"].split()) != 6:
            raise HTTPError(400, "Invalid input error: The schedule cron is not supported")
        if not 1 <= int(data["max_concurrency"]) <= 10:
            raise HTTPError(400, "Invalid input error: The max concurrency of the recurring run is out of range")
        data["max_concurrency"] = str(data["max_concurrency"])
        return self._add(self.recurring_runs, "recurring_run_id", data)

    def delete_recurring_run(self, _query, _data, identifier):
        self._get(self.recurring_runs, identifier)
        del self.recurring_runs[identifier]
        return {}

    def enable(self, _query, _data, identifier):
        self._get(self.recurring_runs, identifier)["mode"] = "ENABLE"
        return {}

    def disable(self, _query, _data, identifier):
        self._get(self.recurring_runs, identifier)["mode"] = "DISABLE"
        return {}

    # What they share

    def _add(self, kind: dict[str, dict], key: str, data: dict) -> dict:
        number = next(self._ids)
        identifier = f"{key.removesuffix('_id')}-{number}"
        created = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        kind[identifier] = {**data, key: identifier, "created_at": created}
        return kind[identifier]

    def _get(self, kind: dict[str, dict], identifier: str) -> dict:
        if identifier not in kind:
            raise HTTPError(404, f"Resource not found: {identifier}")
        return kind[identifier]

    def _check_free(self, kind: dict[str, dict], data: dict, *within: str) -> None:
        keys = ("display_name", *within)
        if any(all(other[key] == data[key] for key in keys) for other in kind.values()):
            raise HTTPError(409, f"Already exist error: the name {data['display_name']} already exists")

    def _check_references(self, data: dict) -> None:
        reference = data["pipeline_version_reference"]
        self._get(self.pipelines, reference["pipeline_id"])
        self._get(self.versions, reference["pipeline_version_id"])
        self._get(self.experiments, data["experiment_id"])

    def _page(self, name: str, items: Any, query: dict[str, str]) -> dict:
        found = list(items)
        for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
            if predicate["operation"] not in ("EQUALS", 1) or predicate["key"] not in (
                "display_name",
                "recurring_run_id",
            ):
                raise HTTPError(400, f"Invalid input error: filter {predicate}")
            found = [item for item in found if item.get(predicate["key"]) == predicate["stringValue"]]
        sort_by = query.get("sort_by") or "created_at"
        if sort_by.split()[0] != "created_at":
            raise HTTPError(400, f"Invalid input error: sort_by {sort_by}")
        found.sort(key=lambda item: item["created_at"], reverse=sort_by.endswith(" desc"))
        start, size = int(query.get("page_token") or 0), min(PAGE, int(query.get("page_size") or PAGE))
        rest = {"next_page_token": str(start + size)} if start + size < len(found) else {}
        listed = found[start : start + size]
        return {name: listed, "total_size": len(found), **rest} if listed else {}


_V2 = "/apis/v2beta1"
_ROUTES: list[tuple[str, str, Callable]] = [
    ("GET", f"{_V2}/healthz", KubeflowServer.health),
    ("GET", f"{_V2}/pipelines", KubeflowServer.list_pipelines),
    ("POST", f"{_V2}/pipelines", KubeflowServer.create_pipeline),
    ("POST", f"{_V2}/pipelines/upload_version", KubeflowServer.upload_version),
    ("GET", f"{_V2}/pipelines/([^/]+)/versions", KubeflowServer.list_versions),
    ("GET", f"{_V2}/experiments", KubeflowServer.list_experiments),
    ("POST", f"{_V2}/experiments", KubeflowServer.create_experiment),
    ("GET", f"{_V2}/runs", KubeflowServer.list_runs),
    ("POST", f"{_V2}/runs", KubeflowServer.create_run),
    ("GET", f"{_V2}/runs/([^/:]+)", KubeflowServer.get_run),
    ("GET", "/apis/v1alpha1/runs/([^/:]+)/nodes/([^/:]+)/log", KubeflowServer.read_log),
    ("GET", f"{_V2}/recurringruns", KubeflowServer.list_recurring_runs),
    ("GET", f"{_V2}/recurringruns/([^/:]+)", KubeflowServer.get_recurring_run),
    ("POST", f"{_V2}/recurringruns", KubeflowServer.create_recurring_run),
    ("DELETE", f"{_V2}/recurringruns/([^/:]+)", KubeflowServer.delete_recurring_run),
    ("POST", f"{_V2}/recurringruns/([^/:]+):enable", KubeflowServer.enable),
    ("POST", f"{_V2}/recurringruns/([^/:]+):disable", KubeflowServer.disable),
]
