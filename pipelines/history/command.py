"""The command line of python -m pipelines.history: lists recorded runs, shows one or all, makes one the champion."""

import argparse
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from components import console, process
from components.artifacts import files
from components.console import UserError
from components.gate.verdict import Verdict
from components.tracking import places, server
from components.tracking.history import History, RecordedRun, champions_of_lines, line
from components.tracking.places import Place
from components.trend import FILE
from pipelines.history import texts

ATTEMPTS = 3
"""How often something is tried if a server is down."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and runs the command."""
    process.prepare()
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        place = _place(arguments)
        if arguments.command == "promote":
            with server.writing(place, partial(console.say, "history"), ATTEMPTS) as opened:
                _promote(History(opened), arguments)
            _renew_page(arguments, place)
            return
        history = History(server.reading(place, partial(console.say, "history"), ATTEMPTS))
        {"show": _show, "trend": _trend}.get(arguments.command, _list)(history, arguments)


def _place(arguments: argparse.Namespace) -> Place:
    return places.read(_elsewhere(arguments) or places.sqlite(arguments.output.absolute() / places.DEFAULT))


def _elsewhere(arguments: argparse.Namespace) -> str:
    """The place of the history that was given; "" for that in the folder of all runs."""
    return arguments.tracking_uri or os.environ.get(places.VARIABLE, "")


def _list(history: History, arguments: argparse.Namespace) -> None:
    runs = history.runs()
    best = {run.id for run in champions_of_lines(runs).values()}
    if arguments.json:
        print(json.dumps([texts.as_json(run, run.id in best) for run in runs], indent=1))
    else:
        print(texts.table(runs, best))


def _show(history: History, arguments: argparse.Namespace) -> None:
    run = history.find(arguments.run)
    champion, models, text = _champion(history, run), history.models(run), history.verdict(run)
    is_champion = champion is not None and champion.id == run.id
    verdict = Verdict.from_json(text) if text else None
    if arguments.json:
        content = texts.as_json(run, is_champion) | {"models": list(map(texts.model_as_json, models))}
        print(json.dumps(content | {"verdict": json.loads(text) if text else None}, indent=1))
    else:
        print(texts.described(run, models, is_champion, verdict))


def _trend(history: History, arguments: argparse.Namespace) -> None:
    file = arguments.file or arguments.output / FILE
    if file.is_dir():
        raise UserError(f"{file} is a folder: give the name of a file, such as {file / FILE}")
    runs = _write_page(history, file)
    if arguments.json:
        print(json.dumps({"file": str(file.absolute()), "runs": runs}))
    else:
        print(f"{runs} {'run' if runs == 1 else 'runs'} over time: {file}")


def _write_page(history: History, file: Path) -> int:
    """Writes the page of all runs over time; returns their number."""
    from components.trend import page, shown  # noqa: PLC0415 (takes a second)

    found = shown.of(history)
    text = page.page(found)
    try:
        files.write_text(file, text)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}): give the name of another file") from None
    return len(found)


def _champion(history: History, run: RecordedRun) -> RecordedRun | None:
    return champions_of_lines(history.runs()).get(line(run))


def _promote(history: History, arguments: argparse.Namespace) -> None:
    run = history.find(arguments.run)
    before = _champion(history, run)
    history.promote(run, by_hand=True)
    if arguments.json:
        print(json.dumps({"champion": run.id, "before": before.id if before else None}))
        return
    instead = f" in place of {before.name}" if before and before.id != run.id else ""
    print(f"{run.name} is the champion of its dataset (fingerprint {run.fingerprint[:12]}){instead}")
    print("its training times and memory are accepted: later runs are compared with those since it")
    if run.registered:
        print(f"version {run.registered['version']} of {run.registered['name']} is the champion in the registry")


def _renew_page(arguments: argparse.Namespace, place: Place) -> None:
    """Writes the page in the folder of all runs anew, if it is of this history; what goes wrong is said in a line."""
    own = arguments.output / FILE
    if _elsewhere(arguments) or not own.is_file():
        return
    try:
        _write_page(History(server.reading(place, partial(console.say, "history"), ATTEMPTS)), own)
    except Exception as error:
        console.say_error(f"{own} does not show it yet: {error}; run python -m pipelines.history trend")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.history",
        description="Lists the runs that were recorded in MLflow, shows one of them or all over time, or makes one the "
        "champion of its dataset.",
        epilog="""examples:
  python -m pipelines.history
  python -m pipelines.history show 20260131-120000
  python -m pipelines.history trend
  python -m pipelines.history promote 20260131-120000
  python -m pipelines.history list --tracking-uri https://mlflow.example.org --json

RUN is the name of a run, or MLflow's id of it. The champion is the run with which later ones on the same data and
with the same recipe are compared: the first one without a failed training, until another is shown to be better, or is
promoted. To promote a run also accepts its training times and memory. A server's credentials come from
MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(parser, suppress=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_options(commands.add_parser("list", help="list all runs, the newest first (default)"))
    for name, text in (("show", "show a run and its models"), ("promote", "make a run the champion of its dataset")):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.add_argument("run", metavar="RUN", help="name of the run, or MLflow's id of it")
        _add_options(command)
    text = "write a page with the quality, the costs and the data of all runs over time, and every alarm"
    command = commands.add_parser("trend", help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help=f"of the page; default: {FILE} in the folder of all runs"
    )
    _add_options(command)
    return parser


def _add_options(parser: argparse.ArgumentParser, suppress: bool = True) -> None:
    """The options that may stand before and after the command; a default after it would replace a value before it."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if suppress else value

    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        default=default(""),
        help=f"{places.KINDS}; default: {places.VARIABLE}, or the file {places.DEFAULT} in the folder of all runs",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", default=default(Path("runs")), help="that folder; default: runs"
    )
    parser.add_argument("--json", action="store_true", default=default(False), help="print JSON for other programs")


if __name__ == "__main__":
    main()
