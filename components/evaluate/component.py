"""Evaluate as a step of a Kubeflow pipeline."""

from kfp import dsl
from kfp.dsl import Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate(
    prepared_dataset: Input[Dataset],
    model: Input[Model],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
):
    """Scores one trained model on validation and test.

    Args:
        prepared_dataset: what preprocess made.
        model: what train made.
        evaluation: predictions, threshold, metrics, curves, speed, robustness.
        metrics: the test metrics, for Kubeflow's table.
        classification: confusion matrix and ROC curve on test, for Kubeflow's plots.
    """
    from components.artifacts.names import CLASSES
    from components.console import plain_errors
    from components.evaluate.evaluate import evaluate as run
    from components.evaluate.scoring import for_kubeflow

    with plain_errors():
        results = run(prepared_dataset.path, model.path, evaluation.path)
    for name, value in results["metrics"]["test"].items():
        metrics.log_metric(name, round(value, 4))
    metrics.log_metric("train_seconds", round(results["training"]["cost"]["train_seconds"], 1))
    views = for_kubeflow(results)
    classification.log_confusion_matrix(list(CLASSES), views["matrix"])
    classification.log_roc_curve(*views["roc"])
