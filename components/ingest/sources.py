"""Where datasets come from. A source has one job: to put a folder of images, in a layout that is understood, on disk.

To add a source, write a class with `name`, `description()` and `fetch()`, and give it a line in `open_source`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components import console
from components.artifacts.names import SOURCES
from components.console import UserError
from components.ingest import synthetic


class Source(Protocol):
    """A place that a dataset comes from."""

    name: str

    def description(self) -> str:
        """One sentence for the report: what the data are."""

    def fetch(self, workspace: Path) -> Path:
        """Makes the images available as files.

        Args:
            workspace: an empty folder that may be filled; it is removed afterwards.

        Returns:
            A folder in one of the layouts of `layout.find_images`, in the workspace or elsewhere.

        Raises:
            UserError: the source cannot be had.
        """


@dataclass(frozen=True)
class Synthetic:
    """Simulated radiographs, see `synthetic.py`."""

    images: int
    size: int
    seed: int
    difficulty: float
    name = "synthetic"

    def description(self) -> str:
        """What the report says of the data."""
        return (
            f"{self.images} simulated radiographs of about {self.size} px "
            f"(seed {self.seed}, difficulty {self.difficulty:g}): no real patients"
        )

    def fetch(self, workspace: Path) -> Path:
        """Draws the radiographs."""
        progress = console.Progress("ingest", "radiographs simulated", self.images)
        synthetic.write_radiographs(
            workspace,
            self.images,
            self.size,
            self.seed,
            difficulty=self.difficulty,
            on_progress=lambda done, _: progress.reach(done),
        )
        return workspace


@dataclass(frozen=True)
class Directory:
    """A folder on this machine or on a mounted volume."""

    path: Path
    name = "directory"

    def description(self) -> str:
        """What the report says of the data."""
        return f"the folder {self.path.resolve().name}"

    def fetch(self, workspace: Path) -> Path:  # noqa: ARG002 (needs no workspace)
        """Checks that the folder is there."""
        if not self.path.is_dir():
            raise UserError(f"there is no folder {self.path}: give the folder that holds the images with --path")
        return self.path


def open_source(source: str, path: str, images: int, size: int, seed: int, difficulty: float) -> Source:
    """The source of a name.

    Args:
        source: one of `names.SOURCES`.
        path: where the data are, for sources that have a place.
        images: how many, for sources that make them.
        size: about how large in px, likewise.
        seed: likewise.
        difficulty: likewise, 0 to 1.

    Raises:
        UserError: there is no such source, or what it needs is missing.
    """
    if source == "synthetic":
        return Synthetic(images, size, seed, difficulty)
    if source == "directory":
        if not path:
            raise UserError("the source directory needs a folder: give it with --path")
        return Directory(Path(path))
    raise UserError(f"there is no source {source!r}: choose one of {', '.join(SOURCES)}")
