"""Runs ingest alone: python -m components.ingest."""

import argparse

from components import console, process
from components.artifacts.names import SOURCE_URLS, SOURCES
from components.artifacts.raw_dataset import MAX_BAD_FRACTION
from components.console import UserError
from components.ingest.ingest import ingest


def main() -> None:
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
    places = f"{', '.join(SOURCES)}, or a URL: {', '.join(SOURCE_URLS)}"
    parser.add_argument("--source", default="synthetic", metavar="PLACE", help=f"{places}; default: %(default)s")
    parser.add_argument(
        "--path", default="", help="folder, archive or table (directory); dataset id (kaggle); .npz (pneumoniamnist)"
    )
    parser.add_argument("--sha256", default="", help="of the archive behind https://; other content is refused")
    parser.add_argument(
        "--pneumoniamnist-size", type=int, default=128, metavar="PX", help="28, 64, 128 or 224; default: %(default)s"
    )
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
    arguments = vars(parser.parse_args())
    nothing = argparse.Namespace(**dict.fromkeys(arguments))
    given = [name for name, value in vars(parser.parse_args(namespace=nothing)).items() if value is not None]
    with console.plain_errors():
        for name in given:
            heeding = name.partition("_")[0]
            if heeding in ("synthetic", "pneumoniamnist") and arguments["source"] != heeding:
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option} has no effect without --source {heeding}: give that, or leave {option} out")
        ingest(**arguments)


if __name__ == "__main__":
    main()
