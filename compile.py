"""Writes the pipeline as YAML for Kubeflow: python compile.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kfp import compiler

from components import console
from components.compare.component import compare
from components.evaluate.component import evaluate, evaluate_floor
from components.images import TRAIN_IMAGE
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines import overview
from pipelines import settings as settings_of
from pipelines.benchmark import NAME, build
from pipelines.compact import compact
from pipelines.settings import Settings

COMPONENTS = (ingest, preprocess, train, evaluate, evaluate_floor, compare)


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
        single = compact(component)
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
        epilog="""examples:
  python compile.py --registry ghcr.io/me
  python compile.py --registry ghcr.io/me --gpus 0 --cpu train=4 --memory train=8G
  python compile.py --settings cluster.yaml --node-selector train:cloud.google.com/gke-accelerator=nvidia-l4

a settings file holds the same options by name:
  registry: ghcr.io/me
  memory: {train: 16G, evaluate: 8G}
  toleration: ["train:nvidia.com/gpu:NoSchedule"]
  secret: {KAGGLE_KEY: kaggle/key, KAGGLE_USERNAME: kaggle/username}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_of.add_options(parser)
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder to write to; default: %(default)s")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the YAML."""
    arguments = _arguments(words)
    with console.plain_errors():
        written = compile_all(settings_of.read(arguments), arguments.output)
        print("\n".join(map(str, written)), overview.text(written[0]), sep="\n\n")


if __name__ == "__main__":
    main()
