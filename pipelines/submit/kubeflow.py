"""A Kubeflow Pipelines server: how to reach it, and what the project asks of it.

All of it goes through `kfp.Client`. This module adds what that client leaves out: limits on waiting, reads that are
repeated when a server is briefly away, errors in one sentence, lists read to their last page, and a dry run. A write is
sent once and never repeated; where its answer got lost, the server is asked whether it happened.
"""

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import kfp
import kfp_server_api
import urllib3
from kfp.client import set_volume_credentials
from kfp_server_api import rest

from components import console
from components.console import UserError
from pipelines.submit.run_states import ENDED

RETRIES = 4
BACKOFF_SECONDS = 0.5
"""Pause before the second repetition; each later one is twice as long."""
CONNECT_SECONDS = 10
PAGE_SIZE = 100
LOG_BYTES = 2**20
"""So much of the end of a log is looked at."""
BUSY = (429, 500, 502, 503, 504)

_ENDPOINT = "KF_PIPELINES_ENDPOINT"
_TOKEN = "KF_PIPELINES_TOKEN"  # noqa: S105 (a variable's name)
_TOKEN_FILE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105
_COOKIES = "KF_PIPELINES_COOKIES"


class RefusedError(UserError):
    """The server understood and said no.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class UnansweredError(UserError):
    """No usable answer came; whether the request was carried out is unknown."""


@dataclass(frozen=True)
class Connection:
    """How to reach a server. The names are those of `kfp.Client`'s arguments, which says what each does.

    Attributes:
        token_file: file with a bearer token; read again for every request, since such tokens are renewed.
        answer_seconds: how long to wait for an answer.
    """

    host: str | None = None
    ui_host: str | None = None
    namespace: str = "kubeflow"
    client_id: str | None = None
    other_client_id: str | None = None
    token_file: Path | None = None
    kube_context: str | None = None
    proxy: str | None = None
    ssl_ca_cert: Path | None = None
    verify_ssl: bool = True
    answer_seconds: float = 30

    def arguments(self) -> dict[str, Any]:
        """The arguments of `kfp.Client`, secrets read from files and environment.

        Raises:
            UserError: no server is named, a file is missing or empty, or the host is not a URL.
        """
        token_file = self.token_file or (os.environ.get(_TOKEN_FILE) and Path(os.environ[_TOKEN_FILE]))
        credentials = None
        if token_file:
            _check_file(token_file, "the token file", f"check --existing-token-file and {_TOKEN_FILE}")
            credentials = set_volume_credentials.ServiceAccountTokenVolumeCredentials(str(token_file))
        if self.ssl_ca_cert:
            _check_file(self.ssl_ca_cert, "the file of CA certificates", "check --ssl-ca-cert")
        return {
            "host": _url(self.host or os.environ.get(_ENDPOINT, ""), self.kube_context),
            "ui_host": self.ui_host,
            "namespace": self.namespace,
            "client_id": self.client_id,
            "other_client_id": self.other_client_id,
            "existing_token": None if self.token_file else os.environ.get(_TOKEN, "").strip() or None,
            "cookies": os.environ.get(_COOKIES) or None,
            "proxy": self.proxy,
            "ssl_ca_cert": self.ssl_ca_cert and str(self.ssl_ca_cert),
            "kube_context": self.kube_context,
            "credentials": credentials,
            "verify_ssl": self.verify_ssl,
        }


def _check_file(path: Path, what: str, remedy: str) -> None:
    try:
        empty = not path.read_bytes().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"{what} {path} does not exist: {remedy}") from None
    if empty:
        raise UserError(f"{what} {path} is empty: {remedy}")


def _url(host: str, kube_context: str | None) -> str | None:
    """The host as a URL; none where kfp finds the server itself, through the pod or the kubeconfig it runs with."""
    if not host:
        kubeconfigs = os.environ.get("KUBECONFIG", str(Path("~/.kube/config").expanduser())).split(os.pathsep)
        if kube_context or "KUBERNETES_SERVICE_HOST" in os.environ or any(Path(path).is_file() for path in kubeconfigs):
            return None
        raise UserError(f"no server is named: give --host URL or set {_ENDPOINT}, for example http://localhost:8888")
    url = host if "://" in host else f"https://{host}"
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not set(url) & set(" \t\n"):
            return url
    raise UserError(f"the host {host!r} is not a URL: use, for example, http://localhost:8888 or https://HOST/pipeline")


class _Retry(urllib3.Retry):
    """Says that a request is repeated."""

    def increment(self, method=None, url=None, response=None, error=None, _pool=None, _stacktrace=None):
        """The retries that are left; raises where none is."""
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        reason = f"answers {response.status}" if response else "does not answer"
        if not (response and response.get_redirect_location()):
            console.say("submit", f"the server {reason}; trying again ({RETRIES - left.total} of {RETRIES})")
        return left


class _Rest(rest.RESTClientObject):
    """kfp's HTTP layer with limits on waiting, and errors in one sentence."""

    def __init__(self, configuration: kfp_server_api.Configuration, answer_seconds: float):
        # "other" are wrong certificates and the like, which stay wrong. Where no connection came about, nothing was
        # sent, so that is tried again for writes as well; everything else for reads only.
        configuration.retries = _Retry(
            total=RETRIES,
            other=0,
            status_forcelist=BUSY,
            allowed_methods=("GET",),
            backoff_factor=BACKOFF_SECONDS,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        super().__init__(configuration)
        # What is repeated is said by `_Retry`.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._host = configuration.host
        self._timeout = (CONNECT_SECONDS, answer_seconds)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Sends one request.

        Raises:
            RefusedError: the server said no.
            UnansweredError: it said nothing, or that it is out of order.
        """
        options["_request_timeout"] = options.get("_request_timeout") or self._timeout
        try:
            answer = super().request(method, url, **options)
        except kfp_server_api.ApiException as error:
            raise self._explain(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._explain_silence(error) from None
        if "html" in (answer.getheader("Content-Type") or ""):
            raise RefusedError(
                f"{self._host} answers with a web page, not as Kubeflow Pipelines' API does: check the host, and if "
                f"it asks for a login give --existing-token-file FILE or set {_TOKEN} or {_COOKIES}",
                answer.status,
            )
        return answer

    def _explain(self, error: kfp_server_api.ApiException) -> UserError:
        said = _message(error)
        match error.status:
            case 0:
                return UnansweredError(f"no secure connection to {self._host} ({said}): check --ssl-ca-cert")
            case 401:
                return RefusedError(
                    f"{self._host} does not know who asks (401): give --existing-token-file FILE or set {_TOKEN} or "
                    f"{_COOKIES}; if you did, it has expired",
                    401,
                )
            case 403:
                return RefusedError(
                    f"{self._host} does not allow this (403: {said}): ask for access or check --namespace", 403
                )
            case status if status >= 500 or status == 429:
                return UnansweredError(f"{self._host} is out of order ({status}: {said}): try again later")
            case status:
                return RefusedError(f"{self._host} refuses this ({status}: {said})", status)

    def _explain_silence(self, error: urllib3.exceptions.HTTPError) -> UnansweredError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return UnansweredError(
                f"no secure connection to {self._host} ({_short(str(reason))}): if its certificate is your own "
                "authority's, give --ssl-ca-cert FILE; if it speaks plain HTTP, write http:// before the host"
            )
        # urllib3 begins with the connection's address in memory.
        why = str(reason).rsplit(": ", 1)[-1] if isinstance(reason, urllib3.exceptions.HTTPError) else str(reason)
        return UnansweredError(f"{self._host} does not answer ({_short(why)}): check the host and whether it is up")


def _message(error: kfp_server_api.ApiException) -> str:
    """What the server said, without headers, which may hold secrets."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else error.body
    with contextlib.suppress(ValueError, TypeError):
        said = json.loads(body)
        if isinstance(said, dict):
            return _short(str(said.get("message") or said.get("error") or error.reason))
    return _short(str(error.reason))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:297]}..."


class _Client(kfp.Client):
    """`kfp.Client` on `_Rest`."""

    def __init__(self, connection: Connection):
        self._answer_seconds = connection.answer_seconds
        self._health = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().__init__(**connection.arguments())
        self._use_rest()

    def _load_config(self, host: str | None, *others: Any) -> kfp_server_api.Configuration:
        """The configuration; kfp goes on with its default host where a kubeconfig cannot be used."""
        config = _quietly(super()._load_config, host, *others)
        if not host and config.host == kfp_server_api.Configuration().host:
            raise UserError("the kubeconfig names no cluster that can be used: give --host URL or --kube-context NAME")
        return config

    def _use_rest(self) -> None:
        api = self._healthz_api.api_client
        if not isinstance(api.rest_client, _Rest):
            api.rest_client = _Rest(self._existing_config, self._answer_seconds)

    def get_kfp_healthz(self, sleep_duration: int = 0) -> kfp_server_api.V2beta1GetHealthzResponse:  # noqa: ARG002
        """What the server says of itself, asked once; kfp's own way hides the reason of a failure for 25 seconds."""
        self._use_rest()
        if self._health is None:
            try:
                self._health = self._healthz_api.healthz_service_get_healthz()
            except RefusedError as error:
                if error.status != 404:
                    raise
                raise RefusedError(
                    f"{self._existing_config.host} answers, but not as Kubeflow Pipelines 2 does (404): check --host; "
                    "a whole Kubeflow has it under /pipeline",
                    404,
                ) from None
        return self._health

    def read_end(self, path: str, size: int) -> bytes | None:
        """The last bytes of something that the API gives as text; None where it does not, at the first try.

        Args:
            path: below the host.
            size: at most so many bytes.
        """
        api = self.runs.api_client
        headers = dict(api.default_headers) | ({"Cookie": api.cookie} if api.cookie else {})
        api.update_params_for_auth(headers, [], ["Bearer"])
        options = {"headers": headers, "retries": False, "preload_content": False}
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=self._answer_seconds)
        end = b""
        try:
            url = f"{api.configuration.host}{path}"
            answer = api.rest_client.pool_manager.request("GET", url, timeout=timeout, **options)
            with contextlib.closing(answer):
                if answer.status != 200 or "html" in answer.headers.get("Content-Type", ""):
                    return None
                for chunk in answer.stream(2**16):
                    end = (end + chunk)[-size:]
        except urllib3.exceptions.HTTPError:
            return None
        return end

    def link(self, kind: str, identifier: str) -> str:
        """The page of the web interface that shows a thing, for example `link("runs", run_id)`."""
        page = f"{self._get_url_prefix().rstrip('/')}/#/{kind}/details/{identifier}"
        return page if page.startswith("http") else f"{page} (--ui-host URL gives the whole link)"


class Server:
    """What the project asks of a server.

    Methods that look something up return None where it does not exist. Methods that write print what they did; in a dry
    run they print what they would have done, send nothing and return "", for which every look-up finds nothing.

    Args:
        connection: how to reach it.
        dry_run: never write.

    Raises:
        UserError: it cannot be reached, or needs a namespace.
    """

    def __init__(self, connection: Connection, dry_run: bool = False):
        if not connection.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._client = _Client(connection)
        self._dry_run = dry_run
        # Without profiles a server refuses every namespace.
        self._namespace = None
        if self._client.get_kfp_healthz().multi_user:
            self._namespace = self._client.get_user_namespace()
            if not self._namespace:
                raise UserError("this Kubeflow has profiles: say with --namespace in which to work")

    def link(self, kind: str, identifier: str) -> str:
        """The page of the web interface that shows a thing, for example `link("runs", run_id)`."""
        return self._client.link(kind, identifier)

    # Pipelines and their versions

    def find_pipeline(self, name: str) -> str | None:
        """The id of a pipeline."""
        found = self._all(self._client.list_pipelines, "pipelines", name, namespace=self._namespace)
        return next((pipeline.pipeline_id for pipeline in found), None)

    def create_pipeline(self, name: str) -> str:
        """Makes a pipeline without versions; gives its id."""
        pipeline = kfp_server_api.V2beta1Pipeline(display_name=name, name=name, namespace=self._namespace)
        return self._write(
            f"created the pipeline {name}",
            lambda: self._client.pipelines.pipeline_service_create_pipeline(pipeline=pipeline).pipeline_id,
            lambda: self.find_pipeline(name),
        )

    def find_version(self, pipeline_id: str, name: str) -> str | None:
        """The id of a pipeline's version."""
        if not pipeline_id:
            return None
        found = self._all(self._client.list_pipeline_versions, "pipeline_versions", name, pipeline_id=pipeline_id)
        return next((version.pipeline_version_id for version in found), None)

    def version_names(self, pipeline_id: str) -> dict[str, str]:
        """The name of every version of a pipeline by its id."""
        found = self._all(self._client.list_pipeline_versions, "pipeline_versions", None, pipeline_id=pipeline_id)
        return {version.pipeline_version_id: version.display_name for version in found}

    def upload_version(self, pipeline_id: str, name: str, path: Path) -> str:
        """Uploads a YAML as a new version; gives its id."""

        def upload() -> str:
            answer = _quietly(
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
        # The generated call takes no namespace None, as kfp's own does.
        where = {"namespace": self._namespace} if self._namespace else {}
        return next((found.experiment_id for found in self._all(listing, "experiments", name, **where)), None)

    def create_experiment(self, name: str) -> str:
        """Makes an experiment; gives its id."""
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
        """Starts a run; gives its id.

        The request is sent once. Where its answer gets lost, the newest run of this name tells whether it arrived.
        """
        before = self._newest_run(name, experiment_id)

        def start() -> str:
            run = _quietly(
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
        """A run as it is now."""
        return self._client.get_run(run_id)

    def read_log(self, run_id: str, pod: str) -> str | None:
        """The end of a pod's log; None where it cannot be read (yet, or any more).

        Args:
            run_id: the pod's run.
            pod: the pod's node, see `run_states.pod_of`.
        """
        path = f"/apis/v1alpha1/runs/{quote(run_id, safe='')}/nodes/{quote(pod, safe='')}/log"
        end = self._client.read_end(path, LOG_BYTES)
        return None if end is None else end.decode("utf-8", "replace")

    def unfinished_runs(self, recurring_run_id: str) -> list[kfp_server_api.V2beta1Run]:
        """The runs that a recurring run has started and that have not ended."""
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
            experiment_id=experiment_id, sort_by="created_at desc", page_size=1, filter=_named(name)
        )
        return answer.runs[0].run_id if answer.runs else None

    # Recurring runs

    def recurring_runs(self, pipeline_id: str, name: str | None = None) -> list[kfp_server_api.V2beta1RecurringRun]:
        """The recurring runs of a pipeline, newest first; with a name, those of this name."""
        if not pipeline_id:
            return []
        found = self._all(self._client.list_recurring_runs, "recurring_runs", name, namespace=self._namespace)
        own = [run for run in found if (run.pipeline_version_reference or _NOTHING).pipeline_id == pipeline_id]
        return sorted(own, key=lambda run: run.created_at, reverse=True)

    def has_recurring_run(self, identifier: str) -> bool:
        """Whether a recurring run exists, as far as the server lets us know."""
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
        """Makes a recurring run that neither catches up on what it missed nor runs beside itself; gives its id."""
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
        """Deletes a recurring run, which may be gone already."""

        def delete() -> None:
            try:
                self._client.delete_recurring_run(identifier)
            except RefusedError as error:
                if error.status != 404:
                    raise

        self._write(f"deleted the {which}schedule {name!r} ({identifier})", delete)

    def _all(self, listing: Callable, field: str, name: str | None, **where: Any) -> Iterator[Any]:
        """Everything on all pages of a list, or what has this display name."""
        if name:
            where["filter"] = _named(name)
        token = ""
        while True:
            answer = listing(page_token=token, page_size=PAGE_SIZE, **where)
            yield from (item for item in getattr(answer, field) or [] if name in (None, item.display_name))
            token = answer.next_page_token
            if not token:
                return

    def _write(self, done: str, send: Callable[[], Any], find: Callable[[], Any] | None = None) -> Any:
        """Sends a write, once.

        Args:
            done: what it did, for the user.
            send: sends it.
            find: looks whether the thing is there all the same, after an error; another may have made it meanwhile.

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
                raise UserError(f"{error}; it was asked once to have {done}, and may yet do so") from None
        except RefusedError as error:
            result = find() if find and error.status == 409 else None
            if not result:
                raise
        except KeyboardInterrupt:
            raise UserError(f"stopped just when it was asked to have {done}: look whether it did") from None
        print(done, flush=True)
        return result


_NOTHING = kfp_server_api.V2beta1PipelineVersionReference()


def _named(name: str) -> str:
    """A filter of a list: only what has this display name."""
    return _equal("display_name", name)


def _equal(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _quietly(call: Callable, *values: Any, **arguments: Any) -> Any:
    """Calls one of kfp's functions that print."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*values, **arguments)
