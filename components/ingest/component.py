"""Ingest as a step of a Kubeflow pipeline."""

from kfp.dsl import Dataset, Output

from components.images import DATA_IMAGE
from components.parameters import IngestParameters
from components.step import step


@step(DATA_IMAGE)
def ingest(raw_dataset: Output[Dataset], parameters: IngestParameters) -> None:
    """Brings a dataset in, whatever its source.

    Args:
        raw_dataset: images, manifest and quality report.
        parameters: each is an input of its own.
    """
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.ingest.ingest import ingest as run

    with plain_errors():
        report = run(raw_dataset.path, parameters)
    counts = {"images": report["images"], "patients": report["patients"], "refused": len(report["refused"])}
    raw_dataset.metadata.update(storable(counts))
