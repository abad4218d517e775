"""Writes the pipeline as YAML for Kubeflow: python compile.py."""

import argparse
import copy
import re
from collections.abc import Sequence
from pathlib import Path

from kfp import compiler

from components import __version__, console
from components.compare.component import compare
from components.console import UserError
from components.evaluate.component import evaluate
from components.images import DATA_IMAGE, TRAIN_IMAGE
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines.benchmark import NAME, Settings, build

COMPONENTS = (ingest, preprocess, train, evaluate, compare)


def image(name: str, registry: str, tag: str) -> str:
    """The reference of an image, for example "ghcr.io/me/pneumonia-benchmark-data:0.1.0"."""
    return f"{registry.rstrip('/')}/{name}:{tag}" if registry else f"{name}:{tag}"


def compile_all(settings: Settings, output: Path) -> list[Path]:
    """Writes the pipeline's YAML and one YAML a component.

    Args:
        settings: what is fixed at compile time.
        output: folder for `pneumonia_benchmark.yaml` and `components/<name>.yaml`.

    Returns:
        The files, the pipeline's first.
    """
    (output / "components").mkdir(parents=True, exist_ok=True)
    written = [output / f"{NAME.replace('-', '_')}.yaml"]
    _write(build(settings), written[0])
    for component in COMPONENTS:
        single = copy.deepcopy(component)
        container = single.component_spec.implementation.container
        container.image = settings.train_image if container.image == TRAIN_IMAGE else settings.data_image
        written.append(output / "components" / f"{component.name}.yaml")
        _write(single, written[-1])
    return written


def _write(component, path: Path) -> None:
    partial = path.with_name(f".{path.stem}.partial.yaml")
    compiler.Compiler().compile(component, str(partial))
    partial.replace(path)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python compile.py",
        description="Writes the pipeline as YAML to upload to Kubeflow, and one YAML a component.",
        epilog="example: python compile.py --registry ghcr.io/me --gpus 1 --accelerator nvidia.com/gpu",
    )
    parser.add_argument("--registry", default="", help="where the images are, for example ghcr.io/me; default: none")
    parser.add_argument("--tag", default=__version__, help="the images' tag; default: %(default)s")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs a train task, 0 for none; default: %(default)s")
    parser.add_argument("--accelerator", default="nvidia.com/gpu", help="the GPUs' resource name; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder to write to; default: %(default)s")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the YAML."""
    arguments = _arguments(words)
    with console.plain_errors():
        if arguments.gpus < 0:
            raise UserError(f"--gpus is {arguments.gpus}, but must be 0 (CPU clusters) or more")
        if not re.fullmatch(r"[\w][\w.-]{0,127}", arguments.tag):
            raise UserError(f"--tag {arguments.tag!r} is no image tag: use letters, digits, '.', '-' and '_'")
        settings = Settings(
            data_image=image(DATA_IMAGE, arguments.registry, arguments.tag),
            train_image=image(TRAIN_IMAGE, arguments.registry, arguments.tag),
            gpus=arguments.gpus,
            accelerator=arguments.accelerator,
        )
        for path in compile_all(settings, arguments.output):
            print(path)


if __name__ == "__main__":
    main()
