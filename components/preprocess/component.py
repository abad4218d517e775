"""Preprocess as a step of a Kubeflow pipeline."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import DATA_IMAGE
from components.parameters import PreprocessParameters
from components.step import step


@step(DATA_IMAGE)
def preprocess(
    raw_dataset: Input[Dataset],
    prepared_dataset: Output[Dataset],
    dataset_summary: Output[Artifact],
    parameters: PreprocessParameters,
) -> None:
    """Decodes the images, resizes them, looks for copies and splits them by patient.

    Args:
        raw_dataset: what ingest made.
        prepared_dataset: one array of images and one index per split.
        dataset_summary: counts, quality and example images, for the report.
        parameters: each is an input of its own.
    """
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.preprocess.preprocess import preprocess as run

    with plain_errors():
        info = run(raw_dataset.path, prepared_dataset.path, dataset_summary.path, parameters)
    prepared_dataset.metadata.update(storable({"fingerprint": info["fingerprint"], "image_size": info["image_size"]}))
