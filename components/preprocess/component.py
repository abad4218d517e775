"""Preprocess as a step of a Kubeflow pipeline."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import DATA_IMAGE
from components.step import step


@step(DATA_IMAGE)
def preprocess(
    raw_dataset: Input[Dataset],
    prepared_dataset: Output[Dataset],
    dataset_summary: Output[Artifact],
    image_size: int = 96,
    seed: int = 1,
    deduplicate: bool = False,
    resplit: bool = False,
    report_images: bool = True,
    max_bad_fraction: float = 0.01,
):
    """Decodes the images, resizes them, looks for copies and splits them by patient.

    Args:
        raw_dataset: what ingest made.
        prepared_dataset: one array of images and one index a split.
        dataset_summary: counts, quality and example images, for the report.
        image_size: height and width of the prepared images in px.
        seed: of the split.
        deduplicate: leave copies of images out, also re-encoded and resized ones.
        resplit: ignore the source's splits and make new ones, by patient.
        report_images: show example images in the report.
        max_bad_fraction: the run fails where more of the files than this cannot be used (0 to 1).
    """
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.preprocess.preprocess import preprocess as run

    with plain_errors():
        info = run(
            raw_dataset.path,
            prepared_dataset.path,
            dataset_summary.path,
            image_size,
            seed,
            deduplicate,
            resplit,
            report_images,
            max_bad_fraction,
        )
    prepared_dataset.metadata.update(storable({"fingerprint": info["fingerprint"], "image_size": image_size}))
