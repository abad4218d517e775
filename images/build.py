"""Builds the container images: python -m images.build, or make images."""

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
_COMMON = tuple(f"components/{name}.py" for name in ("__init__", "console", "images", "machine", "step"))


@dataclass(frozen=True)
class Image:
    """One of the images.

    Attributes:
        name: without registry and tag.
        dockerfile: its Dockerfile, in the project.
        content: files and folders of the project that go into it, all of what its Dockerfile copies.
        variant: "cpu" or "gpu" where there are two.
    """

    name: str
    dockerfile: str
    content: tuple[str, ...]
    variant: str = ""

    @property
    def default_tag(self) -> str:
        """The version, the variant, and a hash of Dockerfile and content.

        Kubeflow's cache and Kubernetes look at an image's name alone, so other content must have another name.
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
            yield from (file for file in below if file.is_file() and _goes_in(file))


def _goes_in(path: Path) -> bool:
    """What `.dockerignore` lets pass of the folders that are copied."""
    return "__pycache__" not in path.parts and path.suffix != ".md"


def images(gpu: bool) -> tuple[Image, Image]:
    """The data image and the train image.

    Args:
        gpu: whether the train image is the one for GPUs.
    """
    rooms = {
        name: f"components/{name}" for name in ("artifacts", "ingest", "preprocess", "train", "evaluate", "compare")
    }
    variant = "gpu" if gpu else "cpu"
    return (
        Image(
            DATA_IMAGE,
            "images/data.Dockerfile",
            ("images/data.lock", *_COMMON, *(rooms[name] for name in ("artifacts", "ingest", "preprocess", "compare"))),
        ),
        Image(
            TRAIN_IMAGE,
            "images/train.Dockerfile",
            (
                f"images/train-{variant}.lock",
                *("images/fetch_weights.py", "images/weights"),
                *_COMMON,
                *(rooms[name] for name in ("artifacts", "train", "evaluate")),
            ),
            variant,
        ),
    )


def reference(image: Image, registry: str = "", tag: str = "") -> str:
    """An image's full name, for example "ghcr.io/me/pneumonia-benchmark-data:0.1.0-5f0c62b1a9d3".

    Args:
        image: which.
        registry: where it is, with or without a slash at the end; "" for this machine.
        tag: instead of the default one.
    """
    return "/".join(filter(None, [registry.rstrip("/"), f"{image.name}:{tag or image.default_tag}"]))


def build(image: Image, name: str, docker: str, base: str, network: str) -> None:
    """Builds one image.

    Args:
        image: which.
        name: its reference.
        docker: the program.
        base: image to build on; "" for the Dockerfile's own.
        network: of the build, as `docker build --network` takes it; "" for Docker's own.

    Raises:
        UserError: the build failed.
    """
    arguments = {"VERSION": name.rpartition(":")[2], "REVISION": _revision()}
    arguments |= {"VARIANT": image.variant} if image.variant else {}
    arguments |= {"BASE": base} if base else {}
    words = [docker, "build", "--file", image.dockerfile, "--tag", name]
    words += [f"--network={network}"] if network else []
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    _do([*words, "."], f"{name} could not be built: the reason stands above")


def push(name: str, docker: str) -> str:
    """Pushes one image.

    Returns:
        Its reference by digest.

    Raises:
        UserError: the registry did not take it.
    """
    _do(
        [docker, "push", name],
        f"{name} could not be pushed: build it first (make images), and log in to the registry ({docker} login)",
    )
    words = [docker, "inspect", "--format", '{{join .RepoDigests "\\n"}}', name]
    digests = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    repository = name.rpartition(":")[0]
    return next((digest for digest in digests if digest.startswith(f"{repository}@")), name)


def _do(words: Sequence[str], failure: str) -> None:
    print(f"+ {shlex.join(words)}", flush=True)
    if subprocess.run(words, cwd=PROJECT, check=False).returncode:
        raise UserError(failure)


def _revision() -> str:
    """The commit that is checked out, "unknown" without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    words = [git, "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def carry_weights(folder: Path) -> None:
    """Copies a folder's weights files to where the train image takes them from.

    Raises:
        UserError: there is no such folder, or nothing in it.
    """
    files = sorted(folder.glob("*.h5")) + sorted(folder.glob("*.keras")) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} holds no weights files (.h5, .keras): give another folder, or none")
    for file in files:
        if file.resolve() != (WEIGHTS / file.name).resolve():
            shutil.copyfile(file, WEIGHTS / file.name)
        print(f"{file.name} goes into the train image")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m images.build",
        description="Builds the images that the pipeline's steps run in, and pushes them.",
        epilog="""examples:
  python -m images.build                                  both, for CPUs, on this machine
  python -m images.build --registry ghcr.io/me --gpu 1 --push
  python -m images.build --weights ~/.keras/models        with weights from a folder, for clusters without internet""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--registry", default="", help="where they will be, for example ghcr.io/me; default: this machine")
    add("--tag", default="", help="default: version and a hash of what is in each image")
    add("--gpu", type=int, choices=(0, 1), default=0, help="1 builds the train image for GPUs; default: %(default)s")
    add("--weights", type=Path, metavar="FOLDER", help="Keras weights files to put into the train image")
    add("--base", default="", metavar="IMAGE", help="to build on; default: python:3.11-slim-bookworm")
    add("--network", default="", help="of the build, as docker build has it")
    add("--docker", default="docker", metavar="PROGRAM", help="default: %(default)s; podman works too")
    add("--push", action="store_true", help="push what is there; build nothing")
    add("--names", action="store_true", help="print the images' names; do nothing")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line; builds, pushes or names the images."""
    arguments = _arguments(words)
    with console.plain_errors():
        if arguments.weights:
            carry_weights(arguments.weights.expanduser())
        named = {image: reference(image, arguments.registry, arguments.tag) for image in images(bool(arguments.gpu))}
        if arguments.names:
            print("\n".join(named.values()))
            return
        if shutil.which(arguments.docker) is None:
            raise UserError(f"there is no program {arguments.docker}: install Docker, or name another with --docker")
        if arguments.push:
            data, train = (push(name, arguments.docker) for name in named.values())
            print(f"\ncompile with: python compile.py --data-image {data} --train-image {train}")
            return
        for image, name in named.items():
            build(image, name, arguments.docker, arguments.base, arguments.network)
        print("\n" + "\n".join(named.values()))


if __name__ == "__main__":
    main()
