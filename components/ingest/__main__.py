"""Runs ingest alone: python -m components.ingest."""

import argparse
from collections.abc import Sequence

from components import console, options, process
from components.ingest.ingest import ingest
from components.parameters import IngestParameters, described


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and brings the dataset in."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.ingest",
        description="Brings a dataset in as images, manifest and quality report.",
        epilog="""examples:
  python -m components.ingest --source directory --path ~/chest_xray.zip --output /tmp/raw
  python -m components.ingest --source kaggle --output /tmp/raw
  python -m components.ingest --source pneumoniamnist --pneumoniamnist-size 64 --output /tmp/raw
  python -m components.ingest --source gs://bucket/chest_xray --output /tmp/raw
  python -m components.ingest --source s3://bucket/chest_xray.zip --output /tmp/raw
  python -m components.ingest --source https://example.org/chest_xray.tar.gz --sha256 ... --output /tmp/raw""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", required=True, help="folder of the raw dataset, made anew")
    options.add_options(parser, described(IngestParameters).items())
    values = vars(parser.parse_args(words))
    output = values.pop("output")
    with console.plain_errors():
        options.check_effects(values, options.given(parser, words), options.option)
        ingest(output, IngestParameters(**values))


if __name__ == "__main__":
    main()
