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
    gpu_hour_price: float = 0.0,
    cpu_hour_price: float = 0.0,
    floor: Optional[Input[Artifact]] = None,  # noqa: UP045
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
        gpu_hour_price: of an hour of training with a GPU, in any currency; 0 for unknown.
        cpu_hour_price: of an hour of training without one.
        floor: evaluation of the floor, which is no regime.
        custom_cnn: evaluations of this regime, one a seed.
        transfer_learning: likewise.
        partial_fine_tuning: likewise.
        full_fine_tuning: likewise.
    """
    from components.compare.compare import compare as run
    from components.console import plain_errors

    regimes = (custom_cnn, transfer_learning, partial_fine_tuning, full_fine_tuning)
    evaluations = [evaluation.path for regime in regimes for evaluation in regime or []]
    evaluations += [floor.path] if floor else []
    prices = {"gpu_hour_price": gpu_hour_price, "cpu_hour_price": cpu_hour_price}
    with plain_errors():
        run(
            evaluations, dataset_summary.path, comparison.path, run_id, report.path, summary.path, run_started, **prices
        )
