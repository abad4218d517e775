"""Google Cloud Storage, with google-cloud-storage; `STORAGE_EMULATOR_HOST` is honoured by the library itself.

Credentials are what `google.auth.default()` finds: workload identity, a key file in `GOOGLE_APPLICATION_CREDENTIALS`,
or those of gcloud. Without any, the bucket is read anonymously.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import google.auth
import google.auth.exceptions
import requests
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.cloud.storage.retry import DEFAULT_RETRY

from components.console import UserError
from components.ingest.downloads import TRANSIENT
from components.ingest.paths import printable
from components.ingest.retries import TransientError
from components.ingest.sources.buckets import PAYS_VARIABLE, THREADS, Object

_BATCH = 20 * THREADS
_RETRY = DEFAULT_RETRY.with_timeout(15)  # `buckets` retries for longer, with a message


def open_bucket(name: str) -> "Gcs":
    """Opens a bucket by its name; sends no request yet."""
    try:
        emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
        credentials = None if emulated else google.auth.default()[0]
    except google.auth.exceptions.DefaultCredentialsError as error:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise UserError(f"the key in GOOGLE_APPLICATION_CREDENTIALS does not work ({error}): check it") from None
        credentials = None
    if credentials is None:
        return Gcs(name, storage.Client.create_anonymous_client(), anonymous=True)
    return Gcs(name, storage.Client(project=None, credentials=credentials), anonymous=False)


class Gcs:
    """One bucket; see `buckets.Store`."""

    def __init__(self, name: str, client: storage.Client, anonymous: bool):
        self._name, self._client, self._anonymous = name, client, anonymous
        self._bucket = client.bucket(name, user_project=os.environ.get(PAYS_VARIABLE) or None)

    def find(self, name: str) -> Object | None:
        """The object of exactly that name."""
        with self._plain_errors():
            blob = self._bucket.get_blob(name, retry=_RETRY)
        return _object(blob) if blob else None

    def below(self, prefix: str) -> Iterable[Object]:
        """The objects whose names begin with the prefix."""
        with self._plain_errors():
            for blob in self._client.list_blobs(self._bucket, prefix=prefix or None, retry=_RETRY):
                yield _object(blob)

    def read(self, item: Object, start: int, end: int) -> bytes:
        """A range of bytes of that version of an object."""
        with self._plain_errors():
            blob = self._bucket.blob(item.name, generation=int(item.version))
            return blob.download_as_bytes(start=start, end=end - 1, checksum=None, raw_download=True, retry=_RETRY)

    def save(self, items: list[tuple[Object, Path]], on_saved: Callable[[Path], None]) -> None:
        """Writes objects to files, several at a time; each is verified by its checksum."""
        for start in range(0, len(items), _BATCH):
            some = items[start : start + _BATCH]
            pairs = [(self._bucket.blob(item.name, generation=int(item.version)), str(path)) for item, path in some]
            results = transfer_manager.download_many(
                pairs,
                worker_type=transfer_manager.THREAD,
                max_workers=THREADS,
                raise_exception=False,
                download_kwargs={"retry": _RETRY, "raw_download": True},
            )
            for (_, path), result in zip(some, results, strict=True):
                with self._plain_errors():
                    if isinstance(result, Exception):
                        raise result
                on_saved(path)

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Turns errors of the library into a `UserError` that names the remedy."""
        bucket = f"gs://{self._name}"
        try:
            yield
        except (exceptions.Unauthorized, exceptions.Forbidden, google.auth.exceptions.GoogleAuthError) as error:
            if self._anonymous:  # a 401 then appears as credentials that cannot be refreshed
                raise UserError(
                    f"{bucket} is not public and there are no Google credentials: set "
                    "GOOGLE_APPLICATION_CREDENTIALS to a key file, or give the pod a workload identity"
                ) from None
            if isinstance(error, google.auth.exceptions.GoogleAuthError):
                raise UserError(f"the Google credentials do not work ({error}): log in again, check the key") from None
            raise UserError(
                f"{bucket} refuses access to this Google account (it answers {int(error.code)}): "
                "give it the role Storage Object Viewer on the bucket"
            ) from None
        except exceptions.NotFound:
            raise UserError(f"{bucket} or an object in it does not exist (it answers 404): check the name") from None
        except exceptions.BadRequest as error:
            if "requester pays" in error.message:
                raise UserError(
                    f"{bucket} is a requester-pays bucket: set {PAYS_VARIABLE} to the Google project to be billed"
                ) from None
            raise UserError(f"{bucket} refuses this ({printable(error.message)}): check the name") from None
        except (exceptions.GoogleAPIError, requests.RequestException) as error:
            stays = isinstance(error, exceptions.ClientError) and error.code not in TRANSIENT
            raise (UserError if stays else TransientError)(
                f"{bucket} does not answer ({type(error).__name__}): check the network, run again"
            ) from None


def _object(blob: storage.Blob) -> Object:
    return Object(blob.name, int(blob.size or 0), str(blob.generation))
