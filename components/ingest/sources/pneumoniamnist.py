"""PneumoniaMNIST of MedMNIST v2 (doi:10.1038/s41597-022-01721-8), from Zenodo or from a file."""

from dataclasses import dataclass
from pathlib import Path

from components.console import UserError
from components.ingest import downloads, medmnist

BASE_URL = "https://zenodo.org/records/10519652/files/"
CHECKSUMS = {
    28: "md5:28209eda62fecd6e6a2d98b1501bb15f",
    64: "md5:8f4eceb4ccffa70c672198ea285246c6",
    128: "md5:05b46931834c231683c68f40c47b2971",
    224: "md5:d6a3c71de1b945ea11211b03746c1fe1",
}
"""Checksums of the files at Zenodo by the side of the images in px, from the package medmnist 3.0.2."""


@dataclass(frozen=True)
class PneumoniaMnist:
    """5,856 small radiographs with a published split; their patients are unknown."""

    size: int
    path: Path | None = None
    name = "pneumoniamnist"

    def description(self) -> str:
        """Description of the data for the report."""
        return f"PneumoniaMNIST from {self.path.name}" if self.path else f"PneumoniaMNIST at {self.size} px"

    def fetch(self, workspace: Path) -> Path:
        """Downloads the file unless one is given, and writes its images as PNG files."""
        file = self.path or self._download(workspace)
        if not file.is_file():
            raise UserError(f"there is no file {file}: give PneumoniaMNIST's .npz with --path, or omit --path")
        medmnist.write_images(file, workspace / "pneumoniamnist")
        return workspace / "pneumoniamnist"

    def _download(self, workspace: Path) -> Path:
        suffix = "" if self.size == 28 else f"_{self.size}"
        return downloads.download(
            f"{BASE_URL}pneumoniamnist{suffix}.npz", workspace, CHECKSUMS[self.size], missing="try again later"
        )
