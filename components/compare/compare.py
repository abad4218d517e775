"""Compares the regimes: reads evaluations, computes the evidence, and writes report, summary, numbers and plots."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.artifacts import files
from components.artifacts.names import REGIME_TITLES
from components.compare import inputs, recommendation, results
from components.compare.report import page, plots, tables
from components.compare.stats import resampling
from components.console import UserError, say

KIND = "comparison"


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
) -> dict[str, Any]:
    """Compares trained and evaluated models and writes the comparison artifact.

    Args:
        evaluations: evaluation folders, one for each regime with all of its seeds; any subset of the regimes, in any
            order, and at most one of the floor.
        dataset_summary: folder of the dataset summary.
        output: where the comparison folder will be (`report.html`, `summary.md`, `results.json`, `results.csv`,
            `table.txt`, plots); an older one is replaced.
        run_id: the run's name, as the report shows it.
        html_output: a file that gets a copy of the report, for Kubeflow's pages.
        markdown_output: a file that gets a copy of the summary, for Kubeflow's pages.
        run_started: when the run began (ISO 8601); what was made before that came from a cache, and the report says so.
        gpu_hour_price: of an hour of training with a GPU, in any currency; 0 for unknown.
        cpu_hour_price: of an hour of training without one.

    Returns:
        The content of `results.json`.

    Raises:
        UserError: there is no evaluation, or the evaluations are not of one and the same test set.
    """
    started = files.now()
    for option, price in (("GPU", gpu_hour_price), ("CPU", cpu_hour_price)):
        if not 0 <= price < math.inf:
            raise UserError(f"the price of a {option} hour is {price:g}, but must be 0 (unknown) or more")
    given = inputs.load(evaluations, dataset_summary)
    models, regimes = tables.counted(len(given.models), "model", "models"), ", ".join(given.regimes)
    say("compare", f"{models} ({regimes}) on {len(given.labels):,} test images")
    found = results.build(given, run_id, gpu_hour_price, cpu_hour_price)
    found["run"]["from_cache"] = inputs.from_cache(given, run_started)
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
        found = files.header(KIND, started, settings) | found
        files.write_json(folder / "results.json", found)
        results_table(found).to_csv(folder / "results.csv", index=False)
        files.write_text(folder / "report.html", page.html(found, given, pictures))
        files.write_text(folder / "summary.md", page.markdown(found, given))
        files.write_text(folder / "table.txt", f"{tables.terminal_table(found)}\n\n{found['recommendation']['why']}\n")
    for name, copy in (("report.html", html_output), ("summary.md", markdown_output)):
        if copy:
            _copy(Path(output) / name, Path(copy))
    say("compare", "report written")
    return found


def results_table(found: dict[str, Any]) -> pd.DataFrame:
    """The content of `results.csv`: one row a regime, every metric with the ends of its interval, threshold, cost.

    The floor has the last row.
    """
    rows = []
    for name, regime in tables.all_rows(found).items():
        row = {"regime": name, "title": REGIME_TITLES[name]}
        for metric, entry in regime["metrics"].items():
            low, high = entry["ci95"]
            row |= {metric: entry["value"], f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row | {"threshold": regime["threshold"]["value"]} | regime["cost"])
    return pd.DataFrame(rows)


def _copy(source: Path, target: Path) -> None:
    """Copies under a temporary name first, so that a page never shows half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)
