"""Compare as a step of a Kubeflow pipeline."""

from kfp.dsl import HTML, Artifact, Input, Markdown, Output

from components.images import DATA_IMAGE
from components.parameters import CompareParameters
from components.step import step

# Optional artifacts are `Input[...] = None`: see evaluate's component.


@step(DATA_IMAGE)
def compare(
    dataset_summary: Input[Artifact],
    comparison: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
    parameters: CompareParameters,
    run_id: str = "",
    run_started: str = "",
    floor: Input[Artifact] = None,
    custom_cnn: Input[Artifact] = None,
    transfer_learning: Input[Artifact] = None,
    partial_fine_tuning: Input[Artifact] = None,
    full_fine_tuning: Input[Artifact] = None,
    label_budgets: Input[Artifact] = None,
) -> None:
    """Compares the regimes: table, statistics, plots, report, recommendation.

    Args:
        dataset_summary: what preprocess says of the data.
        comparison: report.html, summary.md, model_card.md, results.json, results.csv and the plots.
        report: the report, for Kubeflow's pages.
        summary: its first screen, likewise.
        parameters: each is an input of its own.
        run_id: the run's name in the report.
        run_started: when the run began (ISO 8601), so that the report can say what was made before.
        floor: evaluation of the baseline, which is not a regime. It and any regime may be missing.
        custom_cnn: evaluations of this regime, one for each seed.
        transfer_learning: likewise.
        partial_fine_tuning: likewise.
        full_fine_tuning: likewise.
        label_budgets: trainings of regimes with label budgets.
    """
    from dataclasses import asdict

    from components.artifacts.label_budgets import folders
    from components.compare.compare import compare as run
    from components.console import plain_errors

    given = (custom_cnn, transfer_learning, partial_fine_tuning, full_fine_tuning, floor)
    evaluations = [evaluation.path for evaluation in given if evaluation]
    with plain_errors():
        run(
            evaluations,
            dataset_summary.path,
            comparison.path,
            run_id,
            report.path,
            summary.path,
            run_started,
            label_budgets=folders(label_budgets.path) if label_budgets else (),
            **asdict(parameters),
        )
