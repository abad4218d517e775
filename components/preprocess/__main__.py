"""Runs preprocess alone: python -m components.preprocess."""

import argparse
from collections.abc import Sequence

from components import console, options, process
from components.parameters import PreprocessParameters, described
from components.preprocess.preprocess import preprocess


def main(words: Sequence[str] | None = None) -> None:
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
    options.add_options(parser, described(PreprocessParameters).items())
    values = vars(parser.parse_args(words))
    raw_dataset, output, summary = (values.pop(name) for name in ("raw_dataset", "output", "summary"))
    with console.plain_errors():
        preprocess(raw_dataset, output, summary, PreprocessParameters(**values))


if __name__ == "__main__":
    main()
