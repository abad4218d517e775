"""Compare as a step of a Kubeflow pipeline."""

from typing import List, Optional  # noqa: UP035 (kfp reads List and Optional, not list and |)

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Markdown, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def compare(
    dataset_summary: Input[Artifact],
    comparison: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
    run_id: str = "",
    run_started: str = "",
    custom_cnn: Optional[Input[List[Artifact]]] = None,  # noqa: UP006, UP045
    transfer_learning: Optional[Input[List[Artifact]]] = None,  # noqa: UP006, UP045
    partial_fine_tuning: Optional[Input[List[Artifact]]] = None,  # noqa: UP006, UP045
    full_fine_tuning: Optional[Input[List[Artifact]]] = None,  # noqa: UP006, UP045
):
    """Compares the regimes: table, statistics, plots, report, recommendation.

    Args:
        dataset_summary: what preprocess says of the data.
        comparison: report.html, summary.md, results.json, results.csv and the plots.
        report: the report, for Kubeflow's pages.
        summary: its first screen, likewise.
        run_id: the run's name in the report.
        run_started: when the run began (ISO 8601), so that the report can say what came from a cache.
        custom_cnn: evaluations of this regime, one a seed.
        transfer_learning: likewise.
        partial_fine_tuning: likewise.
        full_fine_tuning: likewise.
    """
    from components.compare.compare import compare as run
    from components.console import plain_errors

    regimes = (custom_cnn, transfer_learning, partial_fine_tuning, full_fine_tuning)
    evaluations = [evaluation.path for regime in regimes for evaluation in regime or []]
    with plain_errors():
        run(evaluations, dataset_summary.path, comparison.path, run_id, report.path, summary.path, run_started)
