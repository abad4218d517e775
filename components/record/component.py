"""Record as a step of a Kubeflow pipeline."""

from kfp.dsl import HTML, Artifact, Input, Model, Output

from components.images import DATA_IMAGE
from components.step import step

# All that is recorded comes from the comparison: each further input artifact would take some 5 KB of a run's status.
# Optional artifacts are `Input[...] = None`: see evaluate's component.


@step(DATA_IMAGE)
def record(
    comparison: Input[Artifact],
    trend: Output[HTML],
    tracking_uri: str,
    register: str = "",
    identity: str = "",
    on_regression: str = "warn",
    runs_per_year: float = 52.0,
    confirm_regressions: bool = False,
    data_image: str = "",
    train_image: str = "",
    custom_cnn: Input[Model] = None,
    transfer_learning: Input[Model] = None,
    partial_fine_tuning: Input[Model] = None,
    full_fine_tuning: Input[Model] = None,
) -> None:
    """Records the run in MLflow: parameters, metrics with intervals, costs, learning curves, report, predictions.

    Args:
        comparison: what compare made.
        trend: the runs over time, for Kubeflow's pages.
        tracking_uri: an MLflow server (https://...) or a SQLite file on a volume (sqlite:////PATH).
        register: name in MLflow's registry under which the best model is registered; empty for not.
        identity: an id of the run that no other one has.
        on_regression: whether an alarm of the gate is only said ("warn") or fails the step too ("fail").
        runs_per_year: that share the false alarms of a year.
        confirm_regressions: whether an alarm counts only when the next run has it too.
        data_image: name of the image of ingest, preprocess and compare.
        train_image: name of the image of train and evaluate.
        custom_cnn: trained models of this regime; only for the registry, like the next ones.
        transfer_learning: likewise.
        partial_fine_tuning: likewise.
        full_fine_tuning: likewise.
    """
    from pathlib import Path

    from components.console import plain_errors
    from components.record.content import Origin
    from components.record.outcome import red
    from components.record.pages import Pages
    from components.record.record import Gate
    from components.record.record import record as run

    given = (custom_cnn, transfer_learning, partial_fine_tuning, full_fine_tuning)
    models = [models.path for models in given if models]
    with plain_errors(), red():
        gate = Gate(on_regression, runs_per_year, confirm_regressions)
        origin = Origin(identity, data_image, train_image)
        run(comparison.path, tracking_uri, origin, register, models, gate=gate, pages=Pages(Path(trend.path)))
