"""Ingest as a step of a Kubeflow pipeline."""

from kfp.dsl import Dataset, Output

from components.images import DATA_IMAGE
from components.step import step


@step(DATA_IMAGE)
def ingest(
    raw_dataset: Output[Dataset],
    source: str = "synthetic",
    path: str = "",
    synthetic_images: int = 1200,
    synthetic_size: int = 160,
    synthetic_difficulty: float = 0.5,
    seed: int = 1,
    max_bad_fraction: float = 0.01,
    sha256: str = "",
    pneumoniamnist_size: int = 128,
):
    """Brings a dataset in, whatever its source.

    Args:
        raw_dataset: images, manifest and quality report.
        source: "synthetic" (simulated radiographs), "directory" (a folder or archive on a mounted volume), "kaggle",
            "pneumoniamnist", or a URL: gs://bucket/prefix, s3://bucket/prefix, https://... (an archive).
        path: where the data are, for the source "directory"; the dataset's id for "kaggle"; the .npz file, if there is
            one, for "pneumoniamnist".
        synthetic_images: how many radiographs to simulate.
        synthetic_size: length of their shorter side in px, about.
        synthetic_difficulty: from 0 (easy) to 1.
        seed: of the simulation.
        max_bad_fraction: the run fails where more of the files than this cannot be used (0 to 1).
        sha256: of the archive behind an https URL; "" does not check it.
        pneumoniamnist_size: side of PneumoniaMNIST's images in px: 28, 64, 128 or 224.
    """
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.ingest.ingest import ingest as run

    with plain_errors():
        report = run(
            raw_dataset.path,
            source=source,
            path=path,
            synthetic_images=synthetic_images,
            synthetic_size=synthetic_size,
            synthetic_difficulty=synthetic_difficulty,
            seed=seed,
            max_bad_fraction=max_bad_fraction,
            sha256=sha256,
            pneumoniamnist_size=pneumoniamnist_size,
        )
    counts = {"images": report["images"], "patients": report["patients"], "refused": len(report["refused"])}
    raw_dataset.metadata.update(storable(counts))
