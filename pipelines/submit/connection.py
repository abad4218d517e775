"""How to reach a Kubeflow Pipelines server: address and credentials from options, files and the environment."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.console import UserError

ENDPOINT = "KF_PIPELINES_ENDPOINT"
TOKEN = "KF_PIPELINES_TOKEN"  # noqa: S105 (a variable's name)
TOKEN_FILE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105
COOKIES = "KF_PIPELINES_COOKIES"


@dataclass(frozen=True)
class Connection:
    """How to reach a server. The attributes are named after the arguments of `kfp.Client`, which documents them.

    Attributes:
        token_file: file with a bearer token; read again for every request, because such tokens are renewed.
        answer_seconds: timeout for the server's response, in seconds.
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
        """The arguments of `kfp.Client`, with secrets read from files and the environment.

        Raises:
            UserError: no server is given, a file is missing or empty, or the host is not a URL.
        """
        if self.ssl_ca_cert:
            _check_file(self.ssl_ca_cert, "the file of CA certificates", "check --ssl-ca-cert")
        return {
            "host": _url(self.host or os.environ.get(ENDPOINT, ""), self.kube_context),
            "ui_host": self.ui_host,
            "namespace": self.namespace,
            "client_id": self.client_id,
            "other_client_id": self.other_client_id,
            "existing_token": None if self.token_file else os.environ.get(TOKEN, "").strip() or None,
            "cookies": os.environ.get(COOKIES) or None,
            "proxy": self.proxy,
            "ssl_ca_cert": self.ssl_ca_cert and str(self.ssl_ca_cert),
            "kube_context": self.kube_context,
            "credentials": self._credentials(),
            "verify_ssl": self.verify_ssl,
        }

    def _credentials(self) -> Any:
        """Credentials for kfp that read the token file; None without one."""
        from kfp.client import set_volume_credentials  # noqa: PLC0415 (takes a second, which help need not wait for)

        token_file = self.token_file or (os.environ.get(TOKEN_FILE) and Path(os.environ[TOKEN_FILE]))
        if not token_file:
            return None
        _check_file(token_file, "the token file", f"check --existing-token-file and {TOKEN_FILE}")
        return set_volume_credentials.ServiceAccountTokenVolumeCredentials(str(token_file))


def _check_file(path: Path, what: str, remedy: str) -> None:
    try:
        empty = not path.read_bytes().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(f"{what} {path} does not exist: {remedy}") from None
    if empty:
        raise UserError(f"{what} {path} is empty: {remedy}")


def _url(host: str, kube_context: str | None) -> str | None:
    """The host as a URL; None where kfp finds the server itself, through its pod's cluster or the kubeconfig."""
    if not host:
        kubeconfigs = os.environ.get("KUBECONFIG", str(Path("~/.kube/config").expanduser())).split(os.pathsep)
        if kube_context or "KUBERNETES_SERVICE_HOST" in os.environ or any(Path(path).is_file() for path in kubeconfigs):
            return None
        raise UserError(f"no server is given: give --host URL or set {ENDPOINT}, for example http://localhost:8888")
    url = host if "://" in host else f"https://{host}"
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not set(url) & set(" \t\n"):
            return url
    raise UserError(f"the host {host!r} is not a URL: use, for example, http://localhost:8888 or https://HOST/pipeline")
