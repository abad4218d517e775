"""Writes the pipeline as YAML for Kubeflow: python compile.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from components import console, process
from pipelines import overview, settings_options
from pipelines.compiling import compile_all


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python compile.py",
        description="Writes the pipeline as YAML to upload to Kubeflow, and one YAML file per component.",
        epilog="""examples:
  python compile.py --registry ghcr.io/me
  python compile.py --registry ghcr.io/me --gpus 0 --cpu train=4 --memory train=8G
  python compile.py --settings cluster.yaml --node-selector train:cloud.google.com/gke-accelerator=nvidia-l4

a settings file has the same options by name:
  registry: ghcr.io/me
  memory: {train: 16G, evaluate: 8G}
  toleration: ["train:nvidia.com/gpu:NoSchedule"]
  secret: {KAGGLE_KEY: kaggle/key, KAGGLE_USERNAME: kaggle/username}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings_options.add_options(parser)
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder to write to; default: %(default)s")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the YAML."""
    process.prepare()
    arguments = _arguments(words)
    with console.plain_errors():
        written = compile_all(settings_options.read(arguments), arguments.output)
        print("\n".join(map(str, written)), overview.text(written[0]), sep="\n\n")


if __name__ == "__main__":
    process.prepare()
    main()
