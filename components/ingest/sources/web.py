"""An archive behind a URL."""

import os
from dataclasses import dataclass
from pathlib import Path

from components.ingest import downloads
from components.ingest.sources.directory import opened
from components.source_checks import TOKEN_VARIABLE, shown_url


@dataclass(frozen=True)
class Web:
    """A zip, tar or .npz that a web server has."""

    url: str
    checksum: str = ""
    name = "https"

    def description(self) -> str:
        """What the report says of the data."""
        return f"the archive {shown_url(self.url)}"

    def fetch(self, workspace: Path) -> Path:
        """Downloads and unpacks the archive."""
        token = os.environ.get(TOKEN_VARIABLE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        missing = (
            f"it refused the token in the environment variable {TOKEN_VARIABLE}, so check that"
            if token
            else f"if it needs a bearer token, put one into the environment variable {TOKEN_VARIABLE}"
        )
        archive = downloads.download(self.url, workspace, self.checksum, headers=headers, missing=missing)
        return opened(archive, workspace, shown_url(self.url))
