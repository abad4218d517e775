"""Compares the regimes: reads evaluations, computes the numbers, decides, and writes report, summary and plots."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from components import options
from components.artifacts import compared_models, comparison, files, image_table
from components.artifacts.comparison import KIND, ComparisonRecord, Results
from components.compare import budget_inputs, inputs, recommendation, results
from components.compare.budget_inputs import BudgetInputs
from components.compare.clinical_use import Population
from components.compare.inputs import Inputs
from components.compare.regime_results import Prices
from components.compare.report import formats, model_card, page, plots, summary
from components.compare.report.recommendation import sentences
from components.compare.report.tables.label_budgets import budgets_frame
from components.compare.report.tables.main import results_frame
from components.compare.stats import noninferiority, resampling
from components.console import UserError, say
from components.parameters import CompareParameters, check_comparison


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
    prevalence: float = 0.0,
    harm_ratio: float = 0.0,
    label_price: float = 0.0,
    label_budgets: Sequence[str | Path] = (),
) -> ComparisonRecord:
    """Compares trained and evaluated models and writes the comparison artifact.

    Args:
        evaluations: evaluation folders, one for each regime with all of its seeds; any subset of the regimes, in any
            order, and at most one of the baseline.
        dataset_summary: folder of the dataset summary.
        output: where the comparison folder will be (`report.html`, `summary.md`, `model_card.md`,
            `results.json`, `results.csv`, `models.json`, `predictions.csv`, `images.csv`, `table.txt`, plots, and with
            label budgets `label_budgets.csv`); an older one is replaced.
        run_id: the run's name, as the report shows it.
        html_output: a file that gets a copy of the report, for Kubeflow's pages.
        markdown_output: a file that gets a copy of the summary, for Kubeflow's pages.
        run_started: when the run began (ISO 8601); what was made before that came from a cache, and the report says so.
        gpu_hour_price: of an hour of training with a GPU, in any currency; 0 for unknown.
        cpu_hour_price: of an hour of training without one.
        prevalence: share of pneumonia where the models would be used; 0 for unknown.
        harm_ratio: how many times as bad as a false alarm a missed pneumonia is; 0 for unknown.
        label_price: of labelling a patient, in the currency of the other prices; 0 for unknown.
        label_budgets: folders of the trainings with fewer labelled patients, one for each of any regimes.

    Returns:
        The content of `results.json`.

    Raises:
        UserError: there is no evaluation, or the evaluations and label budgets are not of the same test set, or a value
            is not allowed.
    """
    started = files.now()
    prices, population = _prices(gpu_hour_price, cpu_hour_price), _population(prevalence, harm_ratio)
    CompareParameters(label_price=label_price)
    given = inputs.load(evaluations, dataset_summary)
    models, regimes = formats.counted(len(given.models), "model", "models"), ", ".join(given.regimes)
    say("compare", f"{models} ({regimes}) on {len(given.labels):,} test images")
    budgets = budget_inputs.load(label_budgets, given)
    found = build(given, run_id, prices, run_started, population, budgets, label_price)
    settings = {
        **{"run_id": run_id, "evaluations": len(given.models), "replicates": resampling.REPLICATES},
        **{"bootstrap_seed": resampling.BOOTSTRAP_SEED, "margin": noninferiority.MARGIN},
        **{"gpu_hour_price": gpu_hour_price, "cpu_hour_price": cpu_hour_price},
        **{"prevalence": prevalence, "harm_ratio": harm_ratio, "label_price": label_price},
    }
    with files.new_folder(output) as folder:
        record: ComparisonRecord = {**files.header(KIND, started, settings), **found}
        _write(folder, record, given)
        evaluations_of_all = [model.evaluation for own in given.groups.values() for model in own]
        compared_models.save(folder, given.dataset.info, evaluations_of_all, started)
        image_table.copy(given.dataset.folder, folder)
    for name, copy in (("report.html", html_output), ("summary.md", markdown_output)):
        if copy:
            _copy(Path(output) / name, Path(copy))
    say("compare", "report written")
    return record


def build(
    given: Inputs,
    run_id: str,
    prices: Prices | None = None,
    run_started: str = "",
    population: Population | None = None,
    budgets: BudgetInputs | None = None,
    label_price: float = 0.0,
) -> Results:
    """Everything that `results.json` contains but its header: numbers, decision and reasons.

    Args:
        given: checked evaluations and dataset summary.
        run_id: the run's name, may be empty.
        prices: of an hour of training; None for unknown.
        run_started: when the run began (ISO 8601), see `results.from_cache`.
        population: where the models would be used; None for unknown.
        budgets: trainings with fewer labelled patients; None without any.
        label_price: of labelling a patient; 0 for unknown.
    """
    findings = results.build(given, run_id, prices, run_started, population, budgets, label_price)
    decision = recommendation.decide(findings)
    return {**findings, "recommendation": {**decision, "why": " ".join(sentences(findings, decision))}}


def _write(folder: Path, record: ComparisonRecord, given: Inputs) -> None:
    """Writes all files of the comparison."""
    pictures = plots.draw(folder, record, given)
    comparison.save(folder, record)
    results_frame(record).to_csv(folder / "results.csv", index=False)
    if (budgets := budgets_frame(record)) is not None:
        budgets.to_csv(folder / "label_budgets.csv", index=False)
    files.write_text(folder / "report.html", page.html(record, given, pictures))
    files.write_text(folder / "summary.md", summary.markdown_summary(record, given))
    files.write_text(folder / "model_card.md", model_card.model_card(record, given))
    files.write_text(folder / "table.txt", summary.plain_text_summary(record))


def _prices(gpu_hour: float, cpu_hour: float) -> Prices:
    for machine, price in (("GPU", gpu_hour), ("CPU", cpu_hour)):
        if not 0 <= price < math.inf:
            raise UserError(f"the price of a {machine} hour is {price:g}, but must be 0 (unknown) or more")
    return Prices(gpu_hour, cpu_hour)


def _population(prevalence: float, harm_ratio: float) -> Population | None:
    given = CompareParameters(prevalence=prevalence, harm_ratio=harm_ratio)
    check_comparison({"prevalence": given.prevalence, "harm_ratio": given.harm_ratio}, options.option)
    return Population(prevalence, harm_ratio) if prevalence else None


def _copy(source: Path, target: Path) -> None:
    """Copies under a temporary name first, so that a page never shows half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)
