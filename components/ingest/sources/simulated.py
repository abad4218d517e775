"""Simulated radiographs as a source."""

from dataclasses import dataclass
from pathlib import Path

from components import console
from components.ingest import synthetic


@dataclass(frozen=True)
class Synthetic:
    """Simulated radiographs, see `components/ingest/synthetic.py`."""

    images: int
    size: int
    seed: int
    difficulty: float
    name = "synthetic"

    def description(self) -> str:
        """Description of the data for the report."""
        return (
            f"{self.images} simulated radiographs of about {self.size} px "
            f"(seed {self.seed}, difficulty {self.difficulty:g}): no real patients"
        )

    def fetch(self, workspace: Path) -> Path:
        """Simulates the radiographs."""
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
