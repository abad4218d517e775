"""Google Cloud Storage, with google-cloud-storage; `STORAGE_EMULATOR_HOST` is honoured by the library itself.

Credentials are what `google.auth.default()` finds: workload identity, a key file in `GOOGLE_APPLICATION_CREDENTIALS`,
or those of gcloud. Without any, the bucket is used anonymously.
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
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from components.console import UserError, one_line
from components.object_stores.store import PAYS_VARIABLE, THREADS, ChangedError, Object
from components.retries import TRANSIENT, TransientError

_BATCH = 20 * THREADS
_RETRY = DEFAULT_RETRY.with_timeout(15)  # callers retry for longer, with a message


def open_bucket(name: str, writing: bool) -> "Gcs":
    """Opens a bucket by its name; sends no request yet."""
    role = "Storage Object User" if writing else "Storage Object Viewer"
    try:
        emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
        credentials = None if emulated else google.auth.default()[0]
    except google.auth.exceptions.DefaultCredentialsError as error:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise UserError(f"the key in GOOGLE_APPLICATION_CREDENTIALS does not work ({error}): check it") from None
        credentials = None
    if credentials is None:
        return Gcs(name, storage.Client.create_anonymous_client(), role, anonymous=True)
    return Gcs(name, storage.Client(project=None, credentials=credentials), role, anonymous=False)


class Gcs:
    """One bucket; see `store.Store`."""

    keeps_conditions = True

    def __init__(self, name: str, client: storage.Client, role: str, anonymous: bool):
        self._name, self._client, self._role, self._anonymous = name, client, role, anonymous
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
            try:
                return blob.download_as_bytes(start=start, end=end - 1, checksum=None, raw_download=True, retry=_RETRY)
            except exceptions.NotFound:
                raise ChangedError(f"an object of gs://{self._name} changed during its download: run again") from None

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

    def put(self, name: str, content: bytes, version: str | None) -> str:
        """Writes an object if its generation has not changed; None if there must be none yet."""
        blob = self._bucket.blob(name)
        with self._plain_errors():
            blob.upload_from_string(content, if_generation_match=int(version or 0), retry=_RETRY)
        return str(blob.generation)

    def upload(self, path: Path, name: str) -> None:
        """Writes a file to an object, with its checksum."""
        with self._plain_errors():
            self._bucket.blob(name).upload_from_filename(str(path), retry=_RETRY)

    def delete(self, name: str) -> None:
        """Deletes an object, if it exists."""
        with self._plain_errors(), contextlib.suppress(exceptions.NotFound):
            self._bucket.blob(name).delete(retry=_RETRY)

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Turns errors of the library into a `UserError` that names the remedy."""
        bucket = f"gs://{self._name}"
        try:
            yield
        except google.auth.exceptions.TransportError as error:
            raise TransientError(f"the Google credentials cannot be renewed ({error}): check the network") from None
        except (exceptions.Unauthorized, exceptions.Forbidden, google.auth.exceptions.GoogleAuthError) as error:
            if self._anonymous:  # a 401 then appears as credentials that cannot be refreshed
                raise UserError(
                    f"{bucket} is not public and there are no Google credentials: set "
                    "GOOGLE_APPLICATION_CREDENTIALS to a key file, or give the pod a workload identity"
                ) from None
            if isinstance(error, google.auth.exceptions.GoogleAuthError):
                # The metadata server of a pod may be away for a moment, at the pod's start for example.
                if error.retryable or isinstance(error.__cause__, google.auth.exceptions.TransportError):
                    raise TransientError(
                        f"the Google credentials cannot be renewed ({error}): check the network"
                    ) from None
                raise UserError(f"the Google credentials do not work ({error}): log in again, check the key") from None
            raise UserError(
                f"{bucket} refuses access to this Google account (it answers {int(error.code)}): "
                f"give it the role {self._role} on the bucket"
            ) from None
        except exceptions.PreconditionFailed:
            raise ChangedError(f"an object of {bucket} has changed: run again") from None
        except exceptions.NotFound:
            raise UserError(f"{bucket} or an object in it does not exist (it answers 404): check the name") from None
        except exceptions.BadRequest as error:
            if "requester pays" in error.message:
                raise UserError(
                    f"{bucket} is a requester-pays bucket: set {PAYS_VARIABLE} to the Google project to be billed"
                ) from None
            raise UserError(f"{bucket} refuses this ({one_line(error.message)[:200]}): check the name") from None
        except (exceptions.GoogleAPIError, requests.RequestException, DataCorruption) as error:
            stays = isinstance(error, exceptions.ClientError) and error.code not in TRANSIENT
            raise (UserError if stays else TransientError)(
                f"{bucket} does not answer ({type(error).__name__}): check the network, run again"
            ) from None


def _object(blob: storage.Blob) -> Object:
    return Object(blob.name, int(blob.size or 0), str(blob.generation))
