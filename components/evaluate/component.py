"""Evaluate as a step of a Kubeflow pipeline: one task for all regimes and the baseline."""

from kfp.dsl import Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.images import TRAIN_IMAGE
from components.parameters import EvaluateParameters
from components.step import step

# An optional artifact is `Input[...] = None`, not `Optional[Input[...]]`: Kubeflow hands inputs over without their
# type, kfp then makes an object of the annotation itself, and `Optional` cannot be one.


@step(TRAIN_IMAGE)
def evaluate(
    prepared_dataset: Input[Dataset],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    custom_cnn_classification: Output[ClassificationMetrics],
    transfer_learning_classification: Output[ClassificationMetrics],
    partial_fine_tuning_classification: Output[ClassificationMetrics],
    full_fine_tuning_classification: Output[ClassificationMetrics],
    parameters: EvaluateParameters,
    external_dataset: Input[Dataset] = None,
    custom_cnn: Input[Model] = None,
    transfer_learning: Input[Model] = None,
    partial_fine_tuning: Input[Model] = None,
    full_fine_tuning: Input[Model] = None,
) -> None:
    """Scores the trained models of all regimes on validation and test, and the baseline that they have to beat.

    Args:
        prepared_dataset: what preprocess made.
        evaluation: of each regime and the baseline predictions, threshold, metrics, speed; or why training failed.
        metrics: test metrics and costs of each regime, means over the seeds, and of the baseline, for Kubeflow's table.
        custom_cnn_classification: confusion matrix and ROC curve on test, of the first seed, for Kubeflow's plots.
        transfer_learning_classification: likewise; nothing where there is no model, like the others.
        partial_fine_tuning_classification: likewise.
        full_fine_tuning_classification: likewise.
        parameters: each is an input of its own.
        external_dataset: prepared external test set, of other patients; all of its images are scored too.
        custom_cnn: what train made of this regime; any regime may be missing.
        transfer_learning: likewise.
        partial_fine_tuning: likewise.
        full_fine_tuning: likewise.
    """
    from components.artifacts.names import CLASSES, REGIMES
    from components.console import plain_errors
    from components.evaluate import kubeflow
    from components.evaluate.regimes import evaluate_all

    given = (custom_cnn, transfer_learning, partial_fine_tuning, full_fine_tuning)
    models = {regime: model.path for regime, model in zip(REGIMES, given, strict=True) if model}
    external = external_dataset.path if external_dataset else None
    with plain_errors():
        found = evaluate_all(prepared_dataset.path, models, evaluation.path, parameters, external)
    for name, value in kubeflow.table(found).items():
        metrics.log_metric(name, value)
    plots = (
        custom_cnn_classification,
        transfer_learning_classification,
        partial_fine_tuning_classification,
        full_fine_tuning_classification,
    )
    for regime, plot in zip(REGIMES, plots, strict=True):
        if regime in found:
            plot.log_confusion_matrix(list(CLASSES), kubeflow.matrix(found[regime][0]))
            plot.log_roc_curve(*kubeflow.roc_curve(found[regime][0]))
