"""Runs preprocess alone: python -m components.preprocess."""

import argparse

from components import console, process
from components.artifacts.raw_dataset import MAX_BAD_FRACTION
from components.preprocess.preprocess import preprocess


def main() -> None:
    """Reads the command line and prepares the dataset."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.preprocess",
        description="Decodes, resizes and splits a raw dataset.",
        epilog="example: python -m components.preprocess /tmp/raw --output /tmp/prepared --summary /tmp/summary",
    )
    parser.add_argument("raw_dataset", help="folder that ingest wrote")
    parser.add_argument("--output", required=True, help="folder of the prepared dataset, made anew")
    parser.add_argument("--summary", required=True, help="folder of the dataset summary, made anew")
    parser.add_argument("--image-size", type=int, default=96, help="height and width in px; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the split; default: %(default)s")
    parser.add_argument("--deduplicate", action="store_true", help="leave copies of images out")
    parser.add_argument("--resplit", action="store_true", help="ignore the source's splits, make new ones by patient")
    parser.add_argument(
        "--no-report-images", dest="report_images", action="store_false", help="no example images in the report"
    )
    parser.add_argument(
        "--max-bad-fraction",
        type=float,
        default=MAX_BAD_FRACTION,
        metavar="X",
        help="fail where more of the files than this cannot be used, 0 to 1; default: %(default)s",
    )
    with console.plain_errors():
        preprocess(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
