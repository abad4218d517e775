"""Compare as a step of a Kubeflow pipeline."""

from kfp.dsl import HTML, Artifact, Input, Markdown, Output

from components.images import DATA_IMAGE
from components.parameters import CompareParameters
from components.step import step

# Optional artifacts are `Input[...] = None`: see evaluate's component.


@step(DATA_IMAGE)
def compare(
    dataset_summary: Input[Artifact],
    evaluations: Input[Artifact],
    comparison: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
    parameters: CompareParameters,
    run_id: str = "",
    run_started: str = "",
    label_budgets: Input[Artifact] = None,
) -> None:
    """Compares the regimes: table, statistics, plots, report, recommendation.

    Args:
        dataset_summary: what preprocess says of the data.
        evaluations: what evaluate made: a folder for each regime and the baseline, any of which may be missing.
        comparison: report.html, summary.md, model_card.md, results.json, results.csv and the plots.
        report: the report, for Kubeflow's pages.
        summary: its first screen, likewise.
        parameters: each is an input of its own.
        run_id: the run's name in the report.
        run_started: when the run began (ISO 8601), so that the report can say what was made before.
        label_budgets: trainings of regimes with label budgets.
    """
    from dataclasses import asdict

    from components.artifacts.files import regime_folders
    from components.compare.compare import compare as run
    from components.console import plain_errors

    with plain_errors():
        run(
            regime_folders(evaluations.path),
            dataset_summary.path,
            comparison.path,
            run_id,
            report.path,
            summary.path,
            run_started,
            label_budgets=regime_folders(label_budgets.path) if label_budgets else (),
            **asdict(parameters),
        )
