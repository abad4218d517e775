"""Runs check alone: python -m components.check."""

import argparse
from collections.abc import Sequence

from components import console, process
from components.check.check import check


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and checks."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.check",
        description="Fails if a regime of a comparison could not be trained.",
        epilog="example: python -m components.check runs/latest/comparison\n\n"
        "exit codes: 0 all regimes were trained, 2 some were not, or the comparison is damaged",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("comparison", help="folder that compare wrote")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        check(arguments.comparison)


if __name__ == "__main__":
    main()
