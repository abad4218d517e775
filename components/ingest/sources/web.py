"""An archive behind a URL."""

import os
from dataclasses import dataclass
from pathlib import Path

from components.ingest.downloads import download
from components.ingest.sources.directory import opened
from components.source_checks import TOKEN_VARIABLE, shown_url


@dataclass(frozen=True)
class Web:
    """A zip, tar or .npz on a web server."""

    url: str
    checksum: str = ""
    name = "https"

    def description(self) -> str:
        """Description of the data for the report."""
        return f"the archive {shown_url(self.url)}"

    def fetch(self, workspace: Path) -> Path:
        """Downloads and unpacks the archive."""
        token = os.environ.get(TOKEN_VARIABLE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        missing = (
            f"it refused the token in the environment variable {TOKEN_VARIABLE}: check the token"
            if token
            else f"if it requires a bearer token, set the environment variable {TOKEN_VARIABLE}"
        )
        archive = download(self.url, workspace, self.checksum, headers=headers, missing=missing)
        return opened(archive, workspace, shown_url(self.url))
