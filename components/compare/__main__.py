"""The command line of this step: `python -m components.compare`."""

import argparse
from pathlib import Path

from components import options, process
from components.compare.between_runs import compare_runs
from components.compare.compare import compare
from components.compare.report.runs_summary import plain_text_summary
from components.compare.report.tables.main import terminal_table
from components.compare.runs import is_run
from components.console import UserError, plain_errors, say
from components.parameters import CompareParameters, described

EXAMPLE = """examples:
  python -m components.compare evaluations/custom_cnn evaluations/full_fine_tuning \\
      --dataset dataset_summary --output comparison --run-id first-try
      the regimes of one run
  python -m components.compare runs/20260131-120000 runs/20260201-120000 --output mobilenet-against-resnet
      two whole runs: another backbone, image size or machine
"""


def main(arguments: list[str] | None = None) -> None:
    """Reads the arguments, compares, and prints the table."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.compare",
        description="Compares evaluated regimes, or two whole runs: statistics, plots, a report.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        nargs="+",
        type=Path,
        help="evaluation folders of the regimes and of the baseline; or two runs (runs/<id> or comparison/ in it)",
    )
    parser.add_argument("--dataset", type=Path, metavar="SUMMARY", help="dataset summary folder; runs have their own")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="comparison folder to write")
    parser.add_argument("--run-id", default="", metavar="ID", help="name of the run, shown in the report")
    parser.add_argument(
        "--label-budgets",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="folders of the trainings with fewer labelled patients, one for each regime that has them",
    )
    options.add_options(parser, described(CompareParameters).items())
    given = parser.parse_args(arguments)
    with plain_errors():
        if any(map(is_run, given.folder)):
            _runs(given)
        else:
            _evaluations(given)
        say("compare", f"the report is {given.output / 'report.html'}")


def _evaluations(given: argparse.Namespace) -> None:
    if not given.dataset:
        raise UserError("evaluations need the summary of their dataset: add --dataset with its folder")
    prices = {name: getattr(given, name) for name in described(CompareParameters)}
    if given.label_price and not given.label_budgets:
        raise UserError("--label-price has no effect without --label-budgets: add the folders, or leave it out")
    compared = compare(
        given.folder, given.dataset, given.output, given.run_id, label_budgets=given.label_budgets, **prices
    )
    print(terminal_table(compared))


def _runs(given: argparse.Namespace) -> None:
    if len(given.folder) != 2 or not all(map(is_run, given.folder)):
        raise UserError("whole runs are compared two at a time: pass the folders of two runs, and no evaluation")
    first, second = given.folder
    print(plain_text_summary(compare_runs(first, second, given.output)))


if __name__ == "__main__":
    main()
