"""Preprocess as a step of a Kubeflow pipeline."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def preprocess(
    raw_dataset: Input[Dataset],
    prepared_dataset: Output[Dataset],
    dataset_summary: Output[Artifact],
    image_size: int = 96,
    seed: int = 1,
):
    """Decodes the images, resizes them and splits them by patient.

    Args:
        raw_dataset: what ingest made.
        prepared_dataset: one array of images and one index a split.
        dataset_summary: counts, quality and example images, for the report.
        image_size: height and width of the prepared images in px.
        seed: of the split.
    """
    from components.console import plain_errors
    from components.preprocess.preprocess import preprocess as run

    with plain_errors():
        info = run(raw_dataset.path, prepared_dataset.path, dataset_summary.path, image_size, seed)
    prepared_dataset.metadata.update(fingerprint=info["fingerprint"], image_size=image_size)
