"""Ingest as a step of a Kubeflow pipeline."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def ingest(
    raw_dataset: Output[Dataset],
    source: str = "synthetic",
    path: str = "",
    synthetic_images: int = 1200,
    synthetic_size: int = 160,
    synthetic_difficulty: float = 0.5,
    seed: int = 1,
    max_bad_fraction: float = 0.01,
):
    """Brings a dataset in, whatever its source.

    Args:
        raw_dataset: images, manifest and quality report.
        source: "synthetic" (simulated radiographs) or "directory" (a folder on a mounted volume).
        path: where the data are, for the source "directory".
        synthetic_images: how many radiographs to simulate.
        synthetic_size: length of their shorter side in px, about.
        synthetic_difficulty: from 0 (easy) to 1.
        seed: of the simulation.
        max_bad_fraction: the run fails where more of the files than this cannot be used (0 to 1).
    """
    from components.console import plain_errors
    from components.ingest.ingest import ingest as run

    with plain_errors():
        report = run(
            raw_dataset.path,
            source,
            path,
            synthetic_images,
            synthetic_size,
            synthetic_difficulty,
            seed,
            max_bad_fraction,
        )
    raw_dataset.metadata.update(images=report["images"], patients=report["patients"], refused=len(report["refused"]))
