"""Data on this machine or a mounted volume: a folder, a table of labels, or an archive."""

from dataclasses import dataclass
from pathlib import Path

from components.console import UserError
from components.ingest import archives, medmnist


@dataclass(frozen=True)
class Directory:
    """A folder, a CSV table of paths and labels, a zip, a tar or an .npz file of MedMNIST."""

    path: Path
    name = "directory"

    def description(self) -> str:
        """Description of the data for the report."""
        return f"the {'folder' if self.path.is_dir() else 'file'} {self.path.resolve().name}"

    def fetch(self, workspace: Path) -> Path:
        """Unpacks an archive; uses folders and tables in place."""
        if self.path.is_dir() or (self.path.is_file() and self.path.suffix.lower() == ".csv"):
            return self.path
        if not self.path.is_file():
            raise UserError(f"there is no folder {self.path}: give the folder that holds the images with --path")
        return opened(self.path, workspace)


def opened(archive: Path, workspace: Path, name: str = "") -> Path:
    """Unpacks an archive of any kind into a new folder of the workspace.

    Args:
        archive: a zip, a tar or an .npz file of MedMNIST, detected by its content.
        workspace: temporary folder of this run.
        name: name of the archive in messages; by default its file name.

    Raises:
        UserError: it is none of them, or is damaged or unsafe.
    """
    folder = workspace / "unpacked"
    if archives.kind_of(archive, name) == "npz":
        medmnist.write_images(archive, folder, name)
    else:
        archives.unpack(archive, folder, name)
    return folder
