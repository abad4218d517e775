"""Compares the regimes: reads evaluations, computes the numbers, decides, and writes report, summary and plots."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from components.artifacts import comparison, files
from components.artifacts.comparison import KIND, ComparisonRecord, Results
from components.compare import inputs, recommendation, results
from components.compare.inputs import Inputs
from components.compare.regime_results import Prices
from components.compare.report import formats, model_card, page, plots, summary
from components.compare.report.recommendation import sentences
from components.compare.report.tables.main import results_frame
from components.compare.stats import resampling
from components.console import UserError, say


def compare(
    evaluations: Sequence[str | Path],
    dataset_summary: str | Path,
    output: str | Path,
    run_id: str = "",
    html_output: str | Path | None = None,
    markdown_output: str | Path | None = None,
    run_started: str = "",
    gpu_hour_price: float = 0.0,
    cpu_hour_price: float = 0.0,
) -> ComparisonRecord:
    """Compares trained and evaluated models and writes the comparison artifact.

    Args:
        evaluations: evaluation folders, one for each regime with all of its seeds; any subset of the regimes, in any
            order, and at most one of the baseline.
        dataset_summary: folder of the dataset summary.
        output: where the comparison folder will be (`report.html`, `summary.md`, `model_card.md`,
            `results.json`, `results.csv`, `table.txt`, plots); an older one is replaced.
        run_id: the run's name, as the report shows it.
        html_output: a file that gets a copy of the report, for Kubeflow's pages.
        markdown_output: a file that gets a copy of the summary, for Kubeflow's pages.
        run_started: when the run began (ISO 8601); what was made before that came from a cache, and the report says so.
        gpu_hour_price: of an hour of training with a GPU, in any currency; 0 for unknown.
        cpu_hour_price: of an hour of training without one.

    Returns:
        The content of `results.json`.

    Raises:
        UserError: there is no evaluation, or the evaluations are not of the same test set.
    """
    started = files.now()
    prices = _prices(gpu_hour_price, cpu_hour_price)
    given = inputs.load(evaluations, dataset_summary)
    models, regimes = formats.counted(len(given.models), "model", "models"), ", ".join(given.regimes)
    say("compare", f"{models} ({regimes}) on {len(given.labels):,} test images")
    found = build(given, run_id, prices, run_started)
    settings = {
        "run_id": run_id,
        "evaluations": len(given.models),
        "replicates": resampling.REPLICATES,
        "bootstrap_seed": resampling.BOOTSTRAP_SEED,
        "margin": recommendation.MARGIN,
        "gpu_hour_price": gpu_hour_price,
        "cpu_hour_price": cpu_hour_price,
    }
    with files.new_folder(output) as folder:
        pictures = plots.draw(folder, found, given)
        record: ComparisonRecord = {**files.header(KIND, started, settings), **found}
        comparison.save(folder, record)
        results_frame(record).to_csv(folder / "results.csv", index=False)
        files.write_text(folder / "report.html", page.html(record, given, pictures))
        files.write_text(folder / "summary.md", summary.markdown_summary(record, given))
        files.write_text(folder / "model_card.md", model_card.model_card(record, given))
        files.write_text(folder / "table.txt", summary.plain_text_summary(record))
    for name, copy in (("report.html", html_output), ("summary.md", markdown_output)):
        if copy:
            _copy(Path(output) / name, Path(copy))
    say("compare", "report written")
    return record


def build(given: Inputs, run_id: str, prices: Prices | None = None, run_started: str = "") -> Results:
    """Everything that `results.json` contains but its header: numbers, decision and reasons.

    Args:
        given: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
        prices: of an hour of training; None for unknown.
        run_started: when the run began (ISO 8601), see `inputs.from_cache`.
    """
    findings = results.build(given, run_id, prices, run_started)
    decision = recommendation.decide(findings)
    return {**findings, "recommendation": {**decision, "why": " ".join(sentences(findings, decision))}}


def _prices(gpu_hour: float, cpu_hour: float) -> Prices:
    for machine, price in (("GPU", gpu_hour), ("CPU", cpu_hour)):
        if not 0 <= price < math.inf:
            raise UserError(f"the price of a {machine} hour is {price:g}, but must be 0 (unknown) or more")
    return Prices(gpu_hour, cpu_hour)


def _copy(source: Path, target: Path) -> None:
    """Copies under a temporary name first, so that a page never shows half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)
