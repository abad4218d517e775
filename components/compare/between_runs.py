"""Compares two whole runs, regime by regime: another backbone, another resolution, another machine."""

from pathlib import Path

from components.artifacts import comparison, files
from components.artifacts.comparison import KIND_OF_RUNS, RunsRecord, RunsResults
from components.compare import run_differences, runs
from components.compare.report import runs_summary
from components.compare.report.plots import style
from components.compare.report.plots.differences import between_runs
from components.compare.report.plots.picture import save
from components.compare.runs import Run
from components.console import say


def compare_runs(path_a: Path, path_b: Path, output: Path) -> RunsRecord:
    """Compares two runs and writes `report.html`, `summary.md`, `results.json`, `table.txt` and a plot.

    Args:
        path_a: folder of a run, or the comparison in it.
        path_b: likewise; differences are the first run minus this one.
        output: folder to write; an older comparison there is replaced.

    Returns:
        The content of `results.json`.

    Raises:
        UserError: a run cannot be read, or they share no regime.
    """
    started = files.now()
    a, b = runs.load_two(path_a, path_b)
    regimes, paired = runs.shared_regimes(a, b), runs.same_test_images(a, b)
    how = "the same test images, paired" if paired else "different test images, so nothing is paired"
    say("compare", f"runs {a.name} and {b.name}: {how}")
    results = build(a, b, regimes, paired)
    with files.new_folder(output) as folder:
        with style.applied():
            picture = save(folder, "differences", between_runs(results))
        record: RunsRecord = {**files.header(KIND_OF_RUNS, started, {"runs": [a.name, b.name]}), **results}
        comparison.save(folder, record)
        files.write_text(folder / "report.html", runs_summary.html(record, picture))
        files.write_text(folder / "summary.md", runs_summary.markdown_summary(record))
        files.write_text(folder / "table.txt", runs_summary.plain_text_summary(record))
    return record


def build(a: Run, b: Run, regimes: list[str], paired: bool) -> RunsResults:
    """The content of `results.json`, but for its header.

    Args:
        a: the first run.
        b: the second run.
        regimes: that both have.
        paired: whether their test images are the same.
    """
    found = run_differences.build(a, b, regimes, paired)
    return {
        "runs": found["runs"],
        "paired": found["paired"],
        "differing": runs_summary.differing(a, b),
        "comparisons": found["comparisons"],
    }
