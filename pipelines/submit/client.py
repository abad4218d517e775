"""`kfp.Client` on the project's HTTP layer, and reading the end of a log."""

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import kfp
import kfp_server_api
import urllib3

from components.console import UserError
from pipelines.submit.connection import Connection
from pipelines.submit.rest import CONNECT_SECONDS, RefusedError, RestClient


class Client(kfp.Client):
    """`kfp.Client` that sends its requests through `RestClient`.

    Args:
        connection: how to reach the server.

    Raises:
        UserError: no server is given or found, or a file of the connection is missing.
    """

    def __init__(self, connection: Connection):
        self._answer_seconds = connection.answer_seconds
        self._health = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().__init__(**connection.arguments())
        self._use_rest_client()

    def _load_config(self, host: str | None, *others: Any) -> kfp_server_api.Configuration:
        """The configuration; an error where kfp would fall back to its default host without a usable kubeconfig."""
        config = quietly(super()._load_config, host, *others)
        if not host and config.host == kfp_server_api.Configuration().host:
            raise UserError("the kubeconfig names no cluster that can be used: give --host URL or --kube-context NAME")
        if "://" not in config.host:
            # kfp's address of the service in its own cluster has no scheme, which urllib3 takes for HTTP, and warns.
            config.host = f"http://{config.host}"
        return config

    def _use_rest_client(self) -> None:
        api = self._healthz_api.api_client
        if not isinstance(api.rest_client, RestClient):
            api.rest_client = RestClient(self._existing_config, self._answer_seconds)

    def get_kfp_healthz(self, sleep_duration: int = 0) -> kfp_server_api.V2beta1GetHealthzResponse:  # noqa: ARG002
        """The server's health, requested once; kfp's own method hides the reason of a failure for 25 seconds."""
        self._use_rest_client()
        if self._health is None:
            try:
                self._health = self._healthz_api.healthz_service_get_healthz()
            except RefusedError as error:
                if error.status != 404:
                    raise
                raise RefusedError(
                    f"{self._existing_config.host} answers, but not as Kubeflow Pipelines 2 does (404): check --host; "
                    "in a complete Kubeflow it is under /pipeline",
                    404,
                ) from None
        return self._health

    def read_end(self, path: str, size: int) -> bytes | None:
        """The last bytes of a text that the API serves; None where it cannot be read at the first attempt.

        Args:
            path: below the host.
            size: at most this many bytes.
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
        """The page of the web interface for an object, for example `link("runs", run_id)`."""
        page = f"{self._get_url_prefix().rstrip('/')}/#/{kind}/details/{identifier}"
        return page if page.startswith("http") else f"{page} (--ui-host URL gives the whole link)"


def quietly(call: Callable, *values: Any, **arguments: Any) -> Any:
    """Calls one of kfp's functions that print, without their output."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*values, **arguments)
