"""What the project asks of a Kubeflow Pipelines server, through `kfp.Client`.

Added to that client: lists are read to their last page, and there is a dry run. A write is sent once and never
repeated; where its response is lost, the server is asked whether the write happened.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import kfp_server_api
import urllib3

from components.console import UserError
from pipelines.submit.client import Client, quietly
from pipelines.submit.connection import Connection
from pipelines.submit.rest import RefusedError, UnansweredError
from pipelines.submit.run_states import ENDED

PAGE_SIZE = 100
"""Entries per page of a list."""

LOG_BYTES = 2**20
"""Only this much of the end of a log is read."""


class Server:
    """A Kubeflow Pipelines server.

    Methods that look something up return None where it does not exist. Methods that write print what they did; in a dry
    run they print what they would have done, send nothing and return "" as the id. Nothing is found for the id "".

    Args:
        connection: how to reach the server.
        dry_run: never write.

    Raises:
        UserError: the server cannot be reached, or requires a namespace.
    """

    def __init__(self, connection: Connection, dry_run: bool = False):
        if not connection.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._client = Client(connection)
        self._dry_run = dry_run
        # A server without profiles refuses every namespace.
        self._namespace: str | None = None
        if self._client.get_kfp_healthz().multi_user:
            self._namespace = self._client.get_user_namespace()
            if not self._namespace:
                raise UserError("this Kubeflow has profiles: give yours with --namespace")

    def link(self, kind: str, identifier: str) -> str:
        """The page of the web interface for an object, for example `link("runs", run_id)`."""
        return self._client.link(kind, identifier)

    # Pipelines and their versions

    def find_pipeline(self, name: str) -> str | None:
        """The id of a pipeline."""
        found = self._all(self._client.list_pipelines, "pipelines", name, namespace=self._namespace)
        return next((pipeline.pipeline_id for pipeline in found), None)

    def create_pipeline(self, name: str) -> str:
        """Creates a pipeline without versions; returns its id."""
        pipeline = kfp_server_api.V2beta1Pipeline(display_name=name, name=name, namespace=self._namespace)
        return self._write(
            f"created the pipeline {name}",
            lambda: self._client.pipelines.pipeline_service_create_pipeline(pipeline=pipeline).pipeline_id,
            lambda: self.find_pipeline(name),
        )

    def find_version(self, pipeline_id: str, name: str) -> str | None:
        """The id of a version of a pipeline."""
        if not pipeline_id:
            return None
        found = self._all(self._client.list_pipeline_versions, "pipeline_versions", name, pipeline_id=pipeline_id)
        return next((version.pipeline_version_id for version in found), None)

    def version_names(self, pipeline_id: str) -> dict[str, str]:
        """The name of every version of a pipeline by the version's id."""
        found = self._all(self._client.list_pipeline_versions, "pipeline_versions", None, pipeline_id=pipeline_id)
        return {version.pipeline_version_id: version.display_name for version in found}

    def upload_version(self, pipeline_id: str, name: str, path: Path) -> str:
        """Uploads a YAML file as a new version; returns its id."""

        def upload() -> str:
            answer = quietly(
                self._client.upload_pipeline_version,
                pipeline_package_path=str(path),
                pipeline_version_name=name,
                pipeline_id=pipeline_id,
            )
            return answer.pipeline_version_id

        return self._write(f"uploaded version {name}", upload, lambda: self.find_version(pipeline_id, name))

    # Experiments

    def find_experiment(self, name: str) -> str | None:
        """The id of an experiment."""
        listing = self._client.experiments.experiment_service_list_experiments
        # Unlike kfp's own methods, the generated one does not accept None as the namespace.
        where = {"namespace": self._namespace} if self._namespace else {}
        return next((found.experiment_id for found in self._all(listing, "experiments", name, **where)), None)

    def create_experiment(self, name: str) -> str:
        """Creates an experiment; returns its id."""
        experiment = kfp_server_api.V2beta1Experiment(display_name=name, namespace=self._namespace)
        create = self._client.experiments.experiment_service_create_experiment
        return self._write(
            f"created the experiment {name}",
            lambda: create(experiment=experiment).experiment_id,
            lambda: self.find_experiment(name),
        )

    # Runs

    def start_run(
        self, name: str, experiment_id: str, pipeline_id: str, version_id: str, parameters: dict[str, Any]
    ) -> str:
        """Starts a run; returns its id.

        The request is sent once. Where the response is lost, the newest run of this name shows whether it arrived.
        """
        before = self._newest_run(name, experiment_id)

        def start() -> str:
            run = quietly(
                self._client.run_pipeline,
                experiment_id=experiment_id,
                job_name=name,
                params=parameters,
                pipeline_id=pipeline_id,
                version_id=version_id,
            )
            return run.run_id

        def find() -> str | None:
            newest = self._newest_run(name, experiment_id)
            return newest if newest != before else None

        return self._write(f"started the run {name!r}", start, find)

    def get_run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """The current state of a run."""
        return self._client.get_run(run_id)

    def read_log(self, run_id: str, pod: str) -> str | None:
        """The end of a pod's log; None where it cannot be read (yet, or no longer).

        Args:
            run_id: the pod's run.
            pod: the pod's node in the workflow, see `run_states.pod_of`.
        """
        path = f"/apis/v1alpha1/runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log"
        end = self._client.read_end(path, LOG_BYTES)
        return None if end is None else end.decode("utf-8", "replace")

    def unfinished_runs(self, recurring_run_id: str) -> list[kfp_server_api.V2beta1Run]:
        """The runs that a recurring run has started and that are not finished."""
        if not recurring_run_id:
            return []
        where = {"filter": _equal("recurring_run_id", recurring_run_id)}
        where |= {"namespace": self._namespace} if self._namespace else {}
        found = self._all(self._client.list_runs, "runs", None, **where)
        return [run for run in found if run.state not in ENDED]

    def _newest_run(self, name: str, experiment_id: str) -> str | None:
        if not experiment_id:
            return None
        answer = self._client.list_runs(
            experiment_id=experiment_id, sort_by="created_at desc", page_size=1, filter=_equal("display_name", name)
        )
        return answer.runs[0].run_id if answer.runs else None

    # Recurring runs

    def recurring_runs(
        self, pipeline_id: str | None, name: str | None = None
    ) -> list[kfp_server_api.V2beta1RecurringRun]:
        """The recurring runs of a pipeline, newest first; with a name, only those of this name."""
        if not pipeline_id:
            return []
        found = self._all(self._client.list_recurring_runs, "recurring_runs", name, namespace=self._namespace)
        references = [(run, run.pipeline_version_reference) for run in found]
        own = [run for run, reference in references if reference and reference.pipeline_id == pipeline_id]
        return sorted(own, key=lambda run: run.created_at, reverse=True)

    def has_recurring_run(self, identifier: str) -> bool:
        """Whether a recurring run exists; True where access to it is refused."""
        try:
            self._client.get_recurring_run(identifier)
        except RefusedError as error:
            return error.status != 404
        return True

    def create_recurring_run(
        self,
        name: str,
        cron: str,
        enabled: bool,
        experiment_id: str,
        pipeline_id: str,
        version_id: str,
        parameters: dict[str, Any],
    ) -> str:
        """Creates a recurring run without catch-up and with at most one run at a time; returns its id."""
        before = {run.recurring_run_id for run in self.recurring_runs(pipeline_id, name)}

        def create() -> str:
            made = self._client.create_recurring_run(
                experiment_id=experiment_id,
                job_name=name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                params=parameters,
                pipeline_id=pipeline_id,
                version_id=version_id,
                enabled=enabled,
            )
            return made.recurring_run_id

        def find() -> str | None:
            present = [run.recurring_run_id for run in self.recurring_runs(pipeline_id, name)]
            return next((identifier for identifier in present if identifier not in before), None)

        return self._write(f"created the schedule {name!r}", create, find)

    def switch_recurring_run(self, name: str, identifier: str, enabled: bool) -> None:
        """Resumes or pauses a recurring run."""
        switch = self._client.enable_recurring_run if enabled else self._client.disable_recurring_run
        self._write(f"{'resumed' if enabled else 'paused'} the schedule {name!r}", lambda: switch(identifier))

    def delete_recurring_run(self, name: str, identifier: str, which: str = "") -> None:
        """Deletes a recurring run; no error where it does not exist any more."""

        def delete() -> None:
            try:
                self._client.delete_recurring_run(identifier)
            except RefusedError as error:
                if error.status != 404:
                    raise

        self._write(f"deleted the {which}schedule {name!r} ({identifier})", delete)

    def _all(self, listing: Callable, field: str, name: str | None, **where: Any) -> Iterator[Any]:
        """The entries on all pages of a list; with a name, only those with this display name."""
        if name:
            where["filter"] = _equal("display_name", name)
        token = ""
        while True:
            answer = listing(page_token=token, page_size=PAGE_SIZE, **where)
            yield from (item for item in getattr(answer, field) or [] if name in (None, item.display_name))
            token = answer.next_page_token
            if not token:
                return

    def _write(self, done: str, send: Callable[[], Any], find: Callable[[], Any] | None = None) -> Any:
        """Sends a write once.

        Args:
            done: what the write does, as printed: "created the experiment X".
            send: sends the request.
            find: looks up the object after an error: the write may have happened, or somebody else may have created it.

        Returns:
            What `send` or `find` returned.
        """
        if self._dry_run:
            print(f"dry run: would have {done}", flush=True)
            return ""
        try:
            result = send()
        except UnansweredError as error:
            result = find() if find else None
            if not result:
                raise UserError(f"{error}; it may have {done} nevertheless: check before you try again") from None
        except RefusedError as error:
            result = find() if find and error.status == 409 else None
            if not result:
                raise
        except KeyboardInterrupt:
            raise UserError(f"interrupted: the server may have {done}; check before you try again") from None
        print(done, flush=True)
        return result


def _equal(key: str, value: str) -> str:
    """A filter for lists: only entries whose `key` has this value."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})
