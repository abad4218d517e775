"""Runs ingest alone: python -m components.ingest."""

import argparse

from components import console
from components.artifacts.names import SOURCES
from components.artifacts.raw_dataset import MAX_BAD_FRACTION
from components.ingest.ingest import ingest


def main() -> None:
    """Reads the command line and brings the dataset in."""
    parser = argparse.ArgumentParser(
        prog="python -m components.ingest",
        description="Brings a dataset in as images, manifest and quality report.",
        epilog="example: python -m components.ingest --source directory --path ~/chest_xray --output /tmp/raw",
    )
    parser.add_argument("--output", required=True, help="folder of the raw dataset, made anew")
    parser.add_argument("--source", choices=SOURCES, default="synthetic", help="default: %(default)s")
    parser.add_argument("--path", default="", help="folder with the images (source directory)")
    parser.add_argument("--synthetic-images", type=int, default=1200, help="how many to simulate; default: %(default)s")
    parser.add_argument(
        "--synthetic-size", type=int, default=160, help="their shorter side in px; default: %(default)s"
    )
    parser.add_argument("--synthetic-difficulty", type=float, default=0.5, help="0 to 1; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation; default: %(default)s")
    parser.add_argument(
        "--max-bad-fraction",
        type=float,
        default=MAX_BAD_FRACTION,
        metavar="X",
        help="fail where more of the files than this cannot be used, 0 to 1; default: %(default)s",
    )
    with console.plain_errors():
        ingest(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
