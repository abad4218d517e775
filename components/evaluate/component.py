"""Evaluate as a step of a Kubeflow pipeline."""

from kfp.dsl import Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.images import TRAIN_IMAGE
from components.parameters import BaselineParameters, EvaluateParameters
from components.step import step

# An optional artifact is `Input[...] = None`, not `Optional[Input[...]]`: Kubeflow hands inputs over without their
# type, kfp then makes an object of the annotation itself, and `Optional` cannot be one.


@step(TRAIN_IMAGE)
def evaluate(
    prepared_dataset: Input[Dataset],
    model: Input[Model],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    parameters: EvaluateParameters,
    external_dataset: Input[Dataset] = None,
) -> None:
    """Scores the trained models of one regime on validation and test.

    Args:
        prepared_dataset: what preprocess made.
        model: what train made.
        evaluation: for each seed predictions, threshold, metrics, curves, speed, robustness; or why training failed.
        metrics: test metrics and costs, means over the seeds, for Kubeflow's table; or nothing.
        classification: confusion matrix and ROC curve on test, of the first seed, for Kubeflow's plots; or nothing.
        parameters: each is an input of its own.
        external_dataset: prepared external test set, of other patients; all of its images are scored too.
    """
    from components.artifacts.names import CLASSES
    from components.console import plain_errors
    from components.evaluate.failures import passed_on

    with plain_errors():
        if passed_on(model.path, evaluation.path):
            return
    from components.evaluate import kubeflow
    from components.evaluate.evaluate import evaluate as run

    external = external_dataset.path if external_dataset else None
    with plain_errors():
        results = run(prepared_dataset.path, model.path, evaluation.path, parameters, external)
    for name, value in kubeflow.scalars(results).items():
        metrics.log_metric(name, value)
    classification.log_confusion_matrix(list(CLASSES), kubeflow.matrix(results[0]))
    classification.log_roc_curve(*kubeflow.roc_curve(results[0]))


@step(TRAIN_IMAGE)
def evaluate_floor(
    prepared_dataset: Input[Dataset],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    parameters: BaselineParameters,
    external_dataset: Input[Dataset] = None,
) -> None:
    """Fits a logistic regression on thumbnails and scores it: the baseline that networks have to beat.

    Args:
        prepared_dataset: what preprocess made.
        evaluation: predictions, threshold, metrics, curves, speed, robustness, as of a trained model.
        metrics: test metrics and costs, for Kubeflow's table.
        parameters: each is an input of its own.
        external_dataset: prepared external test set, of other patients; all of its images are scored too.
    """
    from components.console import plain_errors
    from components.evaluate import kubeflow
    from components.evaluate.baseline import evaluate_floor as run

    external = external_dataset.path if external_dataset else None
    with plain_errors():
        results = run(prepared_dataset.path, evaluation.path, parameters, external)
    for name, value in kubeflow.scalars([results]).items():
        metrics.log_metric(name, value)
