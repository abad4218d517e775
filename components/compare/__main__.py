"""The command line of this step: `python -m components.compare`."""

import argparse
from pathlib import Path

from components.compare.compare import compare
from components.compare.tables import terminal_table
from components.console import plain_errors, say

EXAMPLE = """example:
  python -m components.compare evaluations/custom_cnn evaluations/full_fine_tuning \\
      --dataset dataset_summary --output comparison --run-id first-try
"""


def main(arguments: list[str] | None = None) -> None:
    """Reads the arguments, compares, and prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m components.compare",
        description="Compares evaluated regimes: statistics, plots, a report, and a recommendation.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("evaluation", nargs="+", type=Path, help="evaluation folder, one a regime and seed")
    parser.add_argument("--dataset", required=True, type=Path, metavar="SUMMARY", help="dataset summary folder")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="comparison folder to write")
    parser.add_argument("--run-id", default="", metavar="ID", help="name of the run, shown in the report")
    given = parser.parse_args(arguments)
    with plain_errors():
        results = compare(given.evaluation, given.dataset, given.output, given.run_id)
        print(terminal_table(results))
        say("compare", f"the report is {given.output / 'report.html'}")


if __name__ == "__main__":
    main()
