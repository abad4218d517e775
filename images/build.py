"""Builds and pushes the container images: python -m images.build, or make images."""

import argparse
import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import __version__, console
from components.console import UserError
from components.images import DATA_IMAGE, TRAIN_IMAGE

PROJECT = Path(__file__).resolve().parent.parent
WEIGHTS = PROJECT / "images" / "weights"
_COMMON = (
    *(f"components/{name}.py" for name in ("__init__", "console", "images", "machine", "options", "parameters")),
    *(f"components/{name}.py" for name in ("planning", "process", "retries", "roc_auc", "source_checks", "step")),
    "components/thresholds.py",
    *("components/artifacts", "components/object_stores"),
)
"""Files and packages of the project that both images have."""


@dataclass(frozen=True)
class Image:
    """A container image.

    Attributes:
        name: without registry and tag.
        dockerfile: path of its Dockerfile in the project.
        content: the files and folders of the project that its Dockerfile copies.
        variant: "cpu" or "gpu" of the train image.
    """

    name: str
    dockerfile: str
    content: tuple[str, ...]
    variant: str = ""

    @property
    def default_tag(self) -> str:
        """The version, the variant, and a hash of Dockerfile and content.

        Kubeflow's cache and Kubernetes tell images apart by name only, so changed content needs a changed name.
        """
        digest = hashlib.sha256()
        for path in self._files():
            digest.update(f"{path.relative_to(PROJECT).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        return "-".join(filter(None, [__version__, self.variant, digest.hexdigest()[:12]]))

    def _files(self) -> Iterator[Path]:
        for name in (self.dockerfile, *self.content):
            path = PROJECT / name
            below = sorted(path.rglob("*")) if path.is_dir() else [path]
            yield from (file for file in below if file.is_file() and _is_copied(file))


def _is_copied(path: Path) -> bool:
    """Whether a file in a folder that is copied is not excluded by `.dockerignore`."""
    return "__pycache__" not in path.parts and path.suffix != ".md"


def images(gpu: bool) -> tuple[Image, Image]:
    """The data image and the train image.

    Args:
        gpu: whether the train image is for GPUs.
    """
    variant = "gpu" if gpu else "cpu"
    return (
        Image(
            DATA_IMAGE,
            "images/data.Dockerfile",
            (
                "images/data.lock",
                *_COMMON,
                *(f"components/{name}" for name in ("imaging", "ingest", "preprocess", "compare", "check", "record")),
                *(f"components/{name}" for name in ("look", "tracking", "gate", "trend")),
            ),
        ),
        Image(
            TRAIN_IMAGE,
            "images/train.Dockerfile",
            (
                f"images/train-{variant}.lock",
                *("images/fetch_weights.py", "images/weights"),
                *_COMMON,
                *(f"components/{name}" for name in ("inference", "train", "evaluate")),
            ),
            variant,
        ),
    )


def reference(image: Image, registry: str = "", tag: str = "") -> str:
    """The full name of an image, for example "ghcr.io/me/pneumonia-benchmark-data:0.2.0-5f0c62b1a9d3".

    Args:
        image: the image.
        registry: its registry, with or without a trailing slash; "" for this machine.
        tag: replaces the default tag.
    """
    return "/".join(filter(None, [registry.rstrip("/"), f"{image.name}:{tag or image.default_tag}"]))


def build(image: Image, name: str, docker: str, base: str, network: str) -> None:
    """Builds one image.

    Args:
        image: the image.
        name: its full name.
        docker: the program.
        base: base image; "" for the one in the Dockerfile.
        network: value of `docker build --network`; "" for Docker's default.

    Raises:
        UserError: the build failed.
    """
    arguments = {"VERSION": name.rpartition(":")[2], "REVISION": _revision()}
    arguments |= {"VARIANT": image.variant} if image.variant else {}
    arguments |= {"BASE": base} if base else {}
    words = [docker, "build", "--file", image.dockerfile, "--tag", name]
    words += [f"--network={network}"] if network else []
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    _run([*words, "."], f"{name} could not be built: the reason is above")


def push(name: str, docker: str) -> str:
    """Pushes one image.

    Returns:
        Its name with the digest.

    Raises:
        UserError: the image could not be pushed.
    """
    _run(
        [docker, "push", name],
        f"{name} could not be pushed: build it first (make images), and log in to the registry ({docker} login)",
    )
    words = [docker, "inspect", "--format", '{{join .RepoDigests "\\n"}}', name]
    digests = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    repository = name.rpartition(":")[0]
    return next((digest for digest in digests if digest.startswith(f"{repository}@")), name)


def _run(words: Sequence[str], failure: str) -> None:
    print(f"+ {shlex.join(words)}", flush=True)
    if subprocess.run(words, cwd=PROJECT, check=False).returncode:
        raise UserError(failure)


def _revision() -> str:
    """The commit that is checked out; "unknown" without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    words = [git, "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def copy_weights(folder: Path) -> None:
    """Copies the weights files of a folder into the build context of the train image.

    Raises:
        UserError: the folder does not exist, or has no weights files.
    """
    files = sorted(folder.glob("*.h5")) + sorted(folder.glob("*.keras")) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} has no weights files (.h5, .keras): give another folder, or omit --weights")
    for file in files:
        if file.resolve() != (WEIGHTS / file.name).resolve():
            shutil.copyfile(file, WEIGHTS / file.name)
        print(f"{file.name} is copied into the train image")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m images.build",
        description="Builds and pushes the images that the pipeline's steps run in.",
        epilog="""examples:
  python -m images.build                                  both images, for CPUs, on this machine
  python -m images.build --registry ghcr.io/me --gpu 1 --push
  python -m images.build --weights ~/.keras/models        with weights from a folder, for clusters without internet""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--registry", default="", help="registry of the images, for example ghcr.io/me; default: this machine")
    add("--tag", default="", help="tag of both; default: version and a hash of what is in each")
    add("--gpu", type=int, choices=(0, 1), default=0, help="1 builds the train image for GPUs; default: %(default)s")
    add("--weights", type=Path, metavar="FOLDER", help="folder of Keras weights files to copy into the train image")
    add("--base", default="", metavar="IMAGE", help="base image; default: python:3.11-slim-bookworm")
    add("--network", default="", help="network of the build, as for docker build")
    add(
        "--docker",
        default="docker",
        metavar="PROGRAM",
        help="program; default: %(default)s; podman works too",
    )
    add("--push", action="store_true", help="push the images that were built before; build nothing")
    add("--names", action="store_true", help="print the names of the images; build nothing")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line; builds the images, pushes them or prints their names."""
    arguments = _arguments(words)
    with console.plain_errors():
        if arguments.weights:
            copy_weights(arguments.weights.expanduser())
        named = {image: reference(image, arguments.registry, arguments.tag) for image in images(bool(arguments.gpu))}
        if arguments.names:
            print("\n".join(named.values()))
            return
        if shutil.which(arguments.docker) is None:
            raise UserError(f"there is no program {arguments.docker}: install Docker, or choose another with --docker")
        if arguments.push:
            data, train = (push(name, arguments.docker) for name in named.values())
            print(f"\ncompile with: python compile.py --data-image {data} --train-image {train}")
            return
        for image, name in named.items():
            build(image, name, arguments.docker, arguments.base, arguments.network)
        print("\n" + "\n".join(named.values()))


if __name__ == "__main__":
    main()
