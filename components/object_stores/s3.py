"""S3, MinIO, SeaweedFS and other stores that speak S3, with boto3.

Endpoint and credentials are what boto3 finds: `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and
`AWS_SECRET_ACCESS_KEY`, a profile, or the role of the pod. Without credentials, the bucket is used anonymously.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error, S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.console import UserError
from components.object_stores.store import PAYS_VARIABLE, THREADS, ChangedError, Object, UnsupportedError
from components.retries import TRANSIENT, TransientError

_ONE_THREAD = TransferConfig(use_threads=False)

_NO_ACCESS = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
"""Codes of S3 for credentials that are no longer valid, which it answers with status 400."""


def open_bucket(name: str, writing: bool) -> "S3":
    """Opens a bucket by its name; sends no request yet."""
    session = boto3.Session()
    try:
        anonymous = session.get_credentials() is None
        elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        config = Config(
            signature_version=UNSIGNED if anonymous else None,
            s3={"addressing_style": "path" if elsewhere else "auto"},  # few stores support a host name per bucket
            retries={"mode": "standard", "total_max_attempts": 3},  # callers retry for longer
            max_pool_connections=THREADS,
            connect_timeout=15,
            # Older stores keep the checksum that boto3 would add to the content as a part of it.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_supported",
        )
        client = session.client("s3", region_name=session.region_name or "us-east-1", config=config)
    except (BotoCoreError, ValueError) as error:
        raise UserError(f"the settings for S3 do not work ({error}): check the AWS_ variables") from None
    return S3(name, client, "read, list, write and delete in" if writing else "read and list", anonymous)


class S3:
    """One bucket; see `store.Store`."""

    keeps_conditions = False
    """AWS has conditions on writing since 2024; older versions of other stores ignore them, or answer 501."""

    def __init__(self, name: str, client: Any, rights: str, anonymous: bool):
        self._name, self._client, self._rights, self._anonymous = name, client, rights, anonymous
        self._pays = {"RequestPayer": "requester"} if os.environ.get(PAYS_VARIABLE) else {}

    def find(self, name: str) -> Object | None:
        """The object of exactly that name."""
        with self._plain_errors():
            try:
                found = self._client.head_object(Bucket=self._name, Key=name, **self._pays)
            except ClientError as error:
                # Without the right to list, S3 answers 403 for an object that is not there.
                if _status(error) == 404:
                    return None
                raise
        if "ETag" not in found:
            raise UserError(f"what answers for s3://{self._name} is no S3 store: check AWS_ENDPOINT_URL and its port")
        return Object(name, found["ContentLength"], found["ETag"])

    def below(self, prefix: str) -> Iterable[Object]:
        """The objects whose names begin with the prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix, **self._pays)
        with self._plain_errors():
            for page in pages:
                for item in page.get("Contents", ()):
                    yield Object(item["Key"], item["Size"], item["ETag"])

    def read(self, item: Object, start: int, end: int) -> bytes:
        """A range of bytes of that version of an object."""
        with self._plain_errors():
            part = {"Range": f"bytes={start}-{end - 1}", "IfMatch": item.version}
            try:
                return self._client.get_object(Bucket=self._name, Key=item.name, **part, **self._pays)["Body"].read()
            except ClientError as error:
                if _status(error) in (404, 412):
                    raise ChangedError(
                        f"an object of s3://{self._name} changed during its download: run again"
                    ) from None
                raise

    def save(self, items: list[tuple[Object, Path]], on_saved: Callable[[Path], None]) -> None:
        """Writes objects to files, several at a time."""
        with ThreadPoolExecutor(THREADS) as pool:
            waiting = {pool.submit(self._save_one, item, path): path for item, path in items}
            try:
                for future in as_completed(waiting):
                    future.result()
                    on_saved(waiting[future])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _save_one(self, item: Object, path: Path) -> None:
        with self._plain_errors():
            self._client.download_file(self._name, item.name, str(path), ExtraArgs=self._pays, Config=_ONE_THREAD)

    def put(self, name: str, content: bytes, version: str | None) -> str:
        """Writes an object if its ETag has not changed; None if there must be none yet."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        with self._plain_errors():
            try:
                found = self._client.put_object(Bucket=self._name, Key=name, Body=content, **condition, **self._pays)
            except ClientError as error:
                # 409: somebody else is writing it. 404 without a bucket has the code NoSuchBucket.
                if _status(error) in (409, 412) or (version and _code(error) == "NoSuchKey"):
                    raise ChangedError(f"an object of s3://{self._name} has changed: run again") from None
                raise
        return str(found["ETag"])

    def upload(self, path: Path, name: str) -> None:
        """Writes a file to an object; a large one in several parts at a time."""
        with self._plain_errors():
            try:
                self._client.upload_file(str(path), self._name, name, ExtraArgs=self._pays)
            except S3UploadFailedError as error:  # it hides what the store has answered
                raise error.__context__ or error from None

    def delete(self, name: str) -> None:
        """Deletes an object, if it exists."""
        with self._plain_errors():
            self._client.delete_object(Bucket=self._name, Key=name, **self._pays)

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Turns errors of the library into a `UserError` that names the remedy."""
        bucket = f"s3://{self._name}"
        try:
            yield
        except ClientError as error:
            raise self._explained(error) from None
        except (BotoCoreError, Boto3Error) as error:
            said = re.sub(r"//[^/@\s]*@", "//", str(error))  # without the password of an endpoint
            raise TransientError(
                f"{bucket} does not answer ({said}): check AWS_ENDPOINT_URL and the network, run again"
            ) from None

    def _explained(self, error: ClientError) -> UserError:
        """The error that a user sees for one that the store has answered."""
        bucket, status, code = f"s3://{self._name}", _status(error), _code(error)
        said = f"{status}: {code}" if code and not code.isdecimal() else f"{status}"
        kind: type[UserError] = UserError
        if code == "InvalidObjectState":
            message = (
                f"an object of {bucket} is archived (Glacier), so it cannot be read: restore it, or copy it to another "
                "storage class"
            )
        elif status in (401, 403) or code in _NO_ACCESS:
            remedy = (
                "there are no credentials here, so set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                if self._anonymous
                else f"check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, that they may {self._rights} the bucket, "
                f"and set {PAYS_VARIABLE}=1 if requesters pay"
            )
            message = f"{bucket} refuses access (it answers {said}): {remedy}"
        elif status == 404:
            message = (
                f"{bucket} or an object in it does not exist (it answers 404): check the name, and AWS_ENDPOINT_URL"
            )
        elif status == 501:
            kind, message = UnsupportedError, f"{bucket} answers 501: the store does not know this request"
        elif status == 412:
            kind, message = ChangedError, f"an object of {bucket} changed during its download: run again"
        elif status in TRANSIENT or code == "RequestTimeout":
            kind, message = TransientError, f"{bucket} answers {said}: run again later"
        else:
            message = (
                f"{bucket} refuses this (it answers {said}): check the name, the region, AWS_ENDPOINT_URL, and that "
                "the credentials are valid"
            )
        return kind(message)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
