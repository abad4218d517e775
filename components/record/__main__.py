"""Runs record alone: python -m components.record."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from components import console, process
from components.console import UserError
from components.record.run_folder import comparison_of, models_of, origin_of, trend_of
from components.tracking import names, places


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and records."""
    process.prepare()
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        made = comparison_of(arguments.run)
        uri = arguments.tracking_uri or os.environ.get(places.VARIABLE, "")
        if not uri:
            raise UserError(f"there is no place to record in: give --tracking-uri, or set {places.VARIABLE}")
        names.check_registered(arguments.register)
        names.check_runs_per_year(arguments.runs_per_year)
        from components.record.outcome import red  # noqa: PLC0415 (not before mistakes are found)
        from components.record.pages import Pages  # noqa: PLC0415
        from components.record.record import Gate, record  # noqa: PLC0415

        models = models_of(made) if arguments.register else []
        gate = Gate(arguments.on_regression, arguments.runs_per_year, arguments.confirm_regressions)
        pages = Pages(arguments.trend or trend_of(made), in_place=True)
        with red():
            record(made, uri, origin_of(made), arguments.register, models, arguments.attempts, gate, pages)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.record",
        description="Records a finished run in MLflow, and has it judged by the runs before it; its report says the "
        "result then. A run that is recorded already is not recorded twice.",
        epilog="""examples:
  python -m components.record runs/latest --tracking-uri sqlite:///runs/mlflow.db
  python -m components.record runs/latest --tracking-uri https://mlflow.example.org --register pneumonia

A server's credentials come from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.
Alarms are posted to the address in PNEUMONIA_BENCHMARK_NOTIFY_URL, if there is one.

exit codes: 0 recorded, 2 a mistake or not recorded, 4 recorded, with an alarm (--on-regression fail)""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, help="folder of a run, or of the comparison in it")
    add("--tracking-uri", default="", metavar="URI", help=f"{places.KINDS}; default: {places.VARIABLE}")
    add("--register", default="", metavar="NAME", help="also register the best model under this name")
    add("--attempts", type=int, metavar="N", help="while a server is down; default: about three minutes of attempts")
    add("--on-regression", choices=names.ON_REGRESSION, default="warn", help="what an alarm does; default: %(default)s")
    add(
        "--runs-per-year", type=float, default=names.RUNS_PER_YEAR, metavar="N", help="default: %(default)g, one a week"
    )
    add(
        "--trend",
        type=Path,
        metavar="FILE",
        help="of the page of all runs over time; default: trend.html in the folder that a run of pipelines.local is in",
    )
    add("--confirm-regressions", action="store_true", help="an alarm counts when the next run has it too")
    return parser


if __name__ == "__main__":
    main()
