"""Runs the steps in containers on this machine, for `python -m pipelines.local --runner docker`."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from components.console import UserError

IMAGE_USER = 65532
"""The user of the images; the containers run as this user where the pipeline is started by root."""

LABEL = "pneumonia-benchmark-run"

PASSED_ON = (
    *("TF_CPP_MIN_LOG_LEVEL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    *("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"),
    *("PNEUMONIA_BENCHMARK_TOKEN", "PNEUMONIA_BENCHMARK_ALLOW_HTTP", "PNEUMONIA_BENCHMARK_PATIENT_KEY"),
)
"""Environment variables that are passed to the containers, if they are set: credentials and settings of sources."""


def check(images: Iterable[str]) -> dict[str, str]:
    """Makes sure that Docker runs and has the images.

    Returns:
        The identity of each, which changes with its content.

    Raises:
        UserError: Docker does not run, or an image is missing.
    """
    import docker  # noqa: PLC0415 (only for this runner)

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise UserError(f"Docker does not answer ({error}): start it, or use --runner subprocess") from None
    identities = {}
    for image in images:
        try:
            identities[image] = client.images.get(image).id
        except docker.errors.ImageNotFound:
            raise UserError(
                f"there is no image {image} here: run make images (or docker pull {image}), or choose another with "
                "--registry and --tag"
            ) from None
    client.close()
    return identities


def runner(steps: Path, inputs: Sequence[str], gpus: int, run: str = "", checkpoints: Path | None = None) -> Any:
    """Configures kfp's runner for containers of a user other than root.

    Args:
        steps: existing folder of the steps' artifacts, which the containers write to.
        inputs: files and folders that the containers can read, under the same paths.
        gpus: number of GPUs per container.
        run: name of the run, by which `stop` finds the containers.
        checkpoints: existing folder outside of `steps` that the containers write to, under the same path.
    """
    import docker  # noqa: PLC0415
    from kfp import local  # noqa: PLC0415

    user, group = os.getuid(), os.getgid()
    if user == 0:
        user = group = IMAGE_USER
        for folder in filter(None, (steps, checkpoints)):
            os.chown(folder, user, group)
    credentials = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    inputs = [*inputs, credentials] if Path(credentials).is_file() else inputs
    mounts = [docker.types.Mount(path, path, type="bind", read_only=True) for path in inputs]
    if checkpoints:
        mounts.append(docker.types.Mount(str(checkpoints), str(checkpoints), type="bind"))
    gpu = [docker.types.DeviceRequest(count=gpus, capabilities=[["gpu"]])] if gpus else []
    return local.DockerRunner(
        user=f"{user}:{group}",
        mounts=mounts,
        environment={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        device_requests=gpu,
        labels={LABEL: run},
    )


def stop(run: str) -> None:
    """Stops the containers of a run, if there are any."""
    import docker  # noqa: PLC0415

    with contextlib.suppress(docker.errors.DockerException):
        client = docker.from_env()
        for container in client.containers.list(filters={"label": f"{LABEL}={run}"}):
            with contextlib.suppress(docker.errors.APIError):  # it has ended by itself
                container.kill()
        client.close()
