"""kfp's HTTP layer with timeouts, repeated reads, and errors in one sentence."""

import contextlib
import json
import logging
from types import TracebackType
from typing import Any, Self

import kfp_server_api
import urllib3
from kfp_server_api import rest
from urllib3.response import BaseHTTPResponse

from components import console
from components.console import UserError
from pipelines.submit.connection import COOKIES, TOKEN

RETRIES = 4
"""Further attempts of a request that may be repeated."""

BACKOFF_SECONDS = 0.5
"""Pause before the second repetition; each later one is twice as long."""

CONNECT_SECONDS = 10
"""Timeout for connecting."""

BUSY = (429, 500, 502, 503, 504)
"""HTTP statuses after which a read is repeated."""


class RefusedError(UserError):
    """The server received the request and refused it.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class UnansweredError(UserError):
    """There was no usable response; whether the request was carried out is unknown."""


class _Retry(urllib3.Retry):
    """Prints a line for each repeated request."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """The retries that are left; raises where there are none. Arguments as of `urllib3.Retry`."""
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        reason = f"answers {response.status}" if response else "does not answer"
        if not (response and response.get_redirect_location()):
            console.say("submit", f"the server {reason}; trying again ({RETRIES - int(left.total or 0)} of {RETRIES})")
        return left


class RestClient(rest.RESTClientObject):
    """The REST client of `kfp.Client` with timeouts, retries and errors in one sentence.

    Args:
        configuration: of the generated API client.
        answer_seconds: timeout for the server's response.
    """

    def __init__(self, configuration: kfp_server_api.Configuration, answer_seconds: float):
        # "other" are errors such as an invalid certificate, which repeating does not cure. A connection that could not
        # be made has sent nothing, so writes are repeated as well; after any other error only reads are.
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
        # `_Retry` prints the repetitions already.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._host = configuration.host
        self._timeout = (CONNECT_SECONDS, answer_seconds)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Sends one request.

        Raises:
            RefusedError: the server refused it.
            UnansweredError: the server did not answer, or reported an error of its own.
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
                f"it asks for a login give --existing-token-file FILE or set {TOKEN} or {COOKIES}",
                answer.status,
            )
        return answer

    def _explain(self, error: kfp_server_api.ApiException) -> UserError:
        reason = _reason(error)
        match error.status:
            case 0:
                return UnansweredError(f"no secure connection to {self._host} ({reason}): check --ssl-ca-cert")
            case 401:
                return RefusedError(
                    f"{self._host} does not accept the credentials (401): give --existing-token-file FILE or set "
                    f"{TOKEN} or {COOKIES}; if you did, they have expired",
                    401,
                )
            case 403:
                return RefusedError(
                    f"{self._host} does not allow this (403: {reason}): ask for access or check --namespace", 403
                )
            case status if status >= 500 or status == 429:
                return UnansweredError(f"{self._host} answers with an error ({status}: {reason}): try again later")
            case status:
                return RefusedError(f"{self._host} refuses this ({status}: {reason})", status)

    def _explain_silence(self, error: urllib3.exceptions.HTTPError) -> UnansweredError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return UnansweredError(
                f"no secure connection to {self._host} ({_shortened(str(reason))}): if its certificate is signed by "
                "your own authority, give --ssl-ca-cert FILE; if it speaks plain HTTP, write http:// before the host"
            )
        # urllib3's message begins with the connection's address in memory.
        why = str(reason).rsplit(": ", 1)[-1] if isinstance(reason, urllib3.exceptions.HTTPError) else str(reason)
        return UnansweredError(f"{self._host} does not answer ({_shortened(why)}): check the host and whether it is up")


def _reason(error: kfp_server_api.ApiException) -> str:
    """The message in the server's response, without the headers, which may hold secrets."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else error.body
    with contextlib.suppress(ValueError, TypeError):
        content = json.loads(body)
        if isinstance(content, dict):
            return _shortened(str(content.get("message") or content.get("error") or error.reason))
    return _shortened(str(error.reason))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:297]}..."
