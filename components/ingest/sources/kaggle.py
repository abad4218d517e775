"""A dataset of Kaggle: kagglehub authorises and locates it; its archive is downloaded and unpacked like any other.

kagglehub would also unpack it, with `zipfile.extractall`, which is safe from path traversal but has no size limits.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from components import console
from components.console import UserError
from components.ingest import downloads
from components.ingest.sources.directory import opened
from components.retries import TransientError, persist
from components.source_checks import check_kaggle

_CREDENTIALS = (
    "set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, to those of an account that may read the dataset "
    "(kaggle.com, Settings, API), and accept its terms there where it has any"
)


@dataclass(frozen=True)
class Kaggle:
    """A dataset by its owner, name and version; version 0 is the newest."""

    owner: str
    dataset: str
    version: int = 0
    name = "kaggle"

    @classmethod
    def of(cls, identifier: str) -> "Kaggle":
        """Reads a dataset's id: `owner/name` or `owner/name/versions/3`.

        Raises:
            UserError: it is not such an id.
        """
        found = check_kaggle(identifier)
        return cls(found[1], found[2], int(found[3] or 0))

    def description(self) -> str:
        """Description of the data for the report."""
        version = f", version {self.version}" if self.version else ""
        return f"the dataset {self.owner}/{self.dataset} of Kaggle{version}"

    def fetch(self, workspace: Path) -> Path:
        """Downloads and unpacks the dataset."""
        version, url = persist(self._locate, partial(console.say, "ingest"))
        name = f"kaggle.com/datasets/{self.owner}/{self.dataset}/versions/{version}"
        console.say("ingest", f"Kaggle has {self.owner}/{self.dataset} in version {version}")
        # Kaggle signs URLs anew each time, so the cache uses the name of the dataset.
        archive = downloads.download(url, workspace, key=name, missing=_CREDENTIALS)
        return opened(archive, workspace, name)

    def _locate(self) -> tuple[int, str]:
        """The dataset's version, and the URL of its archive.

        Raises:
            UserError: Kaggle refuses it.
            TransientError: another attempt may succeed.
        """
        try:
            return self._ask()
        except requests.HTTPError as error:
            status = error.response.status_code
            kind = TransientError if status in downloads.TRANSIENT else UserError
            raise kind(self._remedy(status)) from None
        except (requests.RequestException, ValueError) as error:
            raise TransientError(f"Kaggle cannot be reached ({type(error).__name__}): check the network") from None

    def _ask(self) -> tuple[int, str]:
        """Calls Kaggle's API for the newest version, if none is given, and for the archive."""
        # kagglehub takes a second to import, which other sources do not need.
        from kagglehub.clients import build_kaggle_client  # noqa: PLC0415
        from kagglesdk.datasets.types.dataset_api_service import (  # noqa: PLC0415
            ApiDownloadDatasetRequest,
            ApiGetDatasetRequest,
        )

        with build_kaggle_client() as client:
            api, version = client.datasets.dataset_api_client, self.version
            if not version:
                request = ApiGetDatasetRequest()
                request.owner_slug, request.dataset_slug = self.owner, self.dataset
                version = api.get_dataset(request).current_version_number
            request = ApiDownloadDatasetRequest()
            request.owner_slug, request.dataset_slug = self.owner, self.dataset
            request.dataset_version_number = version
            response = api.download_dataset(request)
            response.close()
            return version, response.url

    def _remedy(self, status: int) -> str:
        dataset = f"{self.owner}/{self.dataset}"
        if status in (401, 403):
            return f"Kaggle refuses access to {dataset} (it answers {status}): {_CREDENTIALS}"
        if status == 404:
            return f"Kaggle has no dataset {dataset} that you may see (it answers 404): check the id, or {_CREDENTIALS}"
        return f"Kaggle does not provide {dataset} at the moment (it answers {status}): try again later"
