"""Fetches the newest comparison out of Kubeflow's object store: python -m images.kind.fetch_report."""

import argparse
import base64
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from components import console
from components.console import UserError

BUCKET = "mlpipeline"
PREFIX = "v2/artifacts/pneumonia-benchmark/"
"""Where Kubeflow puts what the pipeline makes: PREFIX/run/step/execution/artifact."""

STEP = "compare"
SUFFIXES = {"report": ".html", "summary": ".md"}
"""Of single-file artifacts, which the store names without."""


def newest_comparison(keys: dict[str, Any]) -> str:
    """Where the comparison lies that was written last, "PREFIX/run/step/execution/".

    Args:
        keys: {name in the store: when it was written}.

    Raises:
        UserError: there is none.
    """
    of_compare = [key for key in keys if key.removeprefix(PREFIX).split("/")[1:2] == [STEP]]
    if not of_compare:
        raise UserError("the object store has no comparison: has a run succeeded? See make kind-run")
    newest = max(of_compare, key=lambda key: (keys[key], key))
    return PREFIX + "/".join(newest.removeprefix(PREFIX).split("/")[:3]) + "/"


def fetch(client: Any, output: Path) -> Path:
    """Downloads the newest comparison.

    Args:
        client: of boto3, for S3.
        output: folder of all runs.

    Returns:
        The run's folder in it.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    keys = {entry["Key"]: entry["LastModified"] for page in pages for entry in page.get("Contents", [])}
    root = newest_comparison(keys)
    folder = output / PurePosixPath(root).parts[len(PurePosixPath(PREFIX).parts)]
    for key in sorted(keys):
        if key.startswith(root) and ".." not in PurePosixPath(key).parts:
            name = key.removeprefix(root)
            path = folder / (name + SUFFIXES.get(name, ""))
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial")
            client.download_file(BUCKET, key, str(partial))
            partial.replace(path)
    return folder


def _client(store: str, context: str) -> Any:
    """A client for Kubeflow's own store, with the credentials that lie in the cluster."""
    import boto3  # noqa: PLC0415 (a mistake in the command line need not wait for it)

    words = ["kubectl", "--context", context, "--namespace", "kubeflow", "get", "secret", "mlpipeline-minio-artifact"]
    try:
        answer = subprocess.run([*words, "--output", "json"], capture_output=True, text=True, check=True).stdout
        secret = {name: base64.b64decode(value).decode() for name, value in json.loads(answer)["data"].items()}
        keys = secret["accesskey"], secret["secretkey"]
    except (OSError, subprocess.CalledProcessError, KeyError, ValueError) as error:
        raise UserError(f"the object store's credentials cannot be read from the cluster {context}: {error}") from None
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    return boto3.client(
        "s3", endpoint_url=store, aws_access_key_id=keys[0], aws_secret_access_key=keys[1], region_name="us-east-1"
    )


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and fetches."""
    parser = argparse.ArgumentParser(
        prog="python -m images.kind.fetch_report",
        description="Fetches the newest comparison out of the object store of a Kubeflow in kind.",
        epilog="example: python -m images.kind.fetch_report --store http://127.0.0.1:8081",
    )
    parser.add_argument("--store", default="http://127.0.0.1:8081", help="the store's address; default: %(default)s")
    parser.add_argument("--context", default="kind-pneumonia-benchmark", help="of kubectl; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/kind"), help="folder; default: %(default)s")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        folder = fetch(_client(arguments.store, arguments.context), arguments.output)
        print(f"report: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
