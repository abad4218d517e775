"""The pages of a recording: the runs over time, and the report with what the gate found about this run."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from components.artifacts import files
from components.console import say
from components.gate.verdict import Verdict
from components.tracking import names
from components.tracking.history import History, RecordedRun
from components.tracking.server import Server
from components.trend import FILE, page, paragraph, shown

REPORT = "report.html"


@dataclass(frozen=True)
class Pages:
    """Where pages are written besides the history.

    Attributes:
        trend: a file that gets the page of the runs over time; None for none.
        in_place: whether the report in the folder of the comparison gets the paragraph too.
    """

    trend: Path | None = None
    in_place: bool = False


def write(
    opened: Server, history: History, run: RecordedRun, verdict: Verdict | None, folder: Path, pages: Pages
) -> None:
    """Writes both pages into the history, and where `pages` says.

    What goes wrong is said in a line: the run is recorded and judged.

    Args:
        opened: the history.
        history: of the same.
        run: recorded.
        verdict: about it; None where the gate could not judge.
        folder: of its comparison.
        pages: where else.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            files.write_text(Path(scratch) / FILE, page.page(shown.of(history)))
            _keep(opened, run, Path(scratch) / FILE, pages.trend)
            if pages.trend:
                say("record", f"all runs over time: {pages.trend}")
            report = folder / REPORT
            if verdict and report.is_file():
                text = paragraph.inserted(report.read_text(encoding="utf-8"), verdict)
                files.write_text(Path(scratch) / REPORT, text)
                _keep(opened, run, Path(scratch) / REPORT, report if pages.in_place else None)
    except Exception as error:
        say("record", f"the page of the runs over time could not be written: {type(error).__name__}: {error}")


def _keep(opened: Server, run: RecordedRun, made: Path, copy: Path | None) -> None:
    opened.ask("log_artifact", run.id, str(made), names.COMPARISON)
    if copy:
        files.write_text(copy, made.read_text(encoding="utf-8"))
