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
    parser.add_argument(
        "evaluation", nargs="+", type=Path, help="evaluation folder, one a regime and seed, and of the floor"
    )
    parser.add_argument("--dataset", required=True, type=Path, metavar="SUMMARY", help="dataset summary folder")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="comparison folder to write")
    parser.add_argument("--run-id", default="", metavar="ID", help="name of the run, shown in the report")
    price = {"type": float, "default": 0.0, "metavar": "PRICE"}
    parser.add_argument("--gpu-hour-price", **price, help="of an hour of training with a GPU; default: unknown")
    parser.add_argument("--cpu-hour-price", **price, help="of an hour of training without one; default: unknown")
    given = parser.parse_args(arguments)
    with plain_errors():
        prices = {"gpu_hour_price": given.gpu_hour_price, "cpu_hour_price": given.cpu_hour_price}
        results = compare(given.evaluation, given.dataset, given.output, given.run_id, **prices)
        print(terminal_table(results))
        say("compare", f"the report is {given.output / 'report.html'}")


if __name__ == "__main__":
    main()
