"""Finds the images of a folder, their classes and their splits, in Kaggle's layout or in plain class folders."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components import console
from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.paths import is_ignored

SPLIT_NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Found:
    """One file of a dataset.

    Attributes:
        path: where it is.
        image: its name in the dataset: the path relative to the dataset's root, with forward slashes.
        label: "NORMAL" or "PNEUMONIA".
        split: "train", "validation", "test", or "" if the folders contain no split.
        patient: from a table of labels, or "".
    """

    path: Path
    image: str
    label: str
    split: str
    patient: str = ""


def find_images(folder: Path, name: str = "") -> list[Found]:
    """Lists the files of a dataset, ordered by name.

    The dataset is `{train,val,test}/{NORMAL,PNEUMONIA}/` or `{NORMAL,PNEUMONIA}/` (case-insensitive), in `folder`
    itself or below folders that contain nothing else. Hidden files and files of operating systems are ignored. Links
    to files are followed. Links to folders within a class folder are not, since they may form cycles or lead anywhere;
    their number is printed.

    Args:
        folder: the dataset.
        name: name of the dataset in messages; by default its path.

    Raises:
        UserError: there are no such folders, or a class has no files.
    """
    name = name or str(folder)
    root = dataset_root(folder)
    splits = {path: SPLIT_NAMES[path.name.lower()] for path in _folders(root) if path.name.lower() in SPLIT_NAMES}
    found = [item for path, split in (splits or {root: ""}).items() for item in _class_files(root, path, split)]
    if not found:
        raise UserError(
            f"{name} contains no images in {' and '.join(CLASSES)} folders: "
            "expected {train,val,test}/{NORMAL,PNEUMONIA}/ or {NORMAL,PNEUMONIA}/ in it"
        )
    for label in CLASSES:
        if not any(item.label == label for item in found):
            raise UserError(f"{name} contains no images of the class {label}: put some into a folder named {label}")
    return sorted(found, key=lambda item: item.image)


def ignored_folders(folder: Path) -> list[str]:
    """Lists folders next to splits or classes that are neither, since their images are ignored.

    Returns:
        Sorted paths relative to the dataset's root.
    """
    root = dataset_root(folder)
    splits = [path for path in _folders(root) if path.name.lower() in SPLIT_NAMES]
    ignored = [path for path in _folders(root) if splits and path not in splits]
    for place in splits or [root]:
        ignored += [path for path in _folders(place) if path.name.upper() not in CLASSES]
    return sorted(path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode() for path in ignored)


def count_ignored(folder: Path) -> int:
    """Number of files that are ignored due to their names or those of their folders, see `paths.is_ignored`."""
    count = 0
    for parent, _, names in os.walk(folder):
        within = any(is_ignored(part) for part in Path(parent).relative_to(folder).parts)
        count += len(names) if within else sum(map(is_ignored, names))
    return count


def dataset_root(folder: Path) -> Path:
    """The folder that contains splits or classes: `folder`, or its only subfolder, and so on."""
    known = {*SPLIT_NAMES, *(label.lower() for label in CLASSES)}
    while len(below := _folders(folder)) == 1 and below[0].name.lower() not in known:
        folder = below[0]
    return folder


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_ignored(path.name))


def _class_files(root: Path, folder: Path, split: str) -> Iterator[Found]:
    for below in _folders(folder):
        label = below.name.upper()
        if label not in CLASSES:
            continue
        for parent, folders, names in os.walk(below, onerror=_stop):
            links = [name for name in folders if Path(parent, name).is_symlink()]
            if links:
                console.say("ingest", f"{len(links)} linked folders in {parent} are ignored: copy them there instead")
            folders[:] = [name for name in folders if not is_ignored(name)]
            for name in names:
                if not is_ignored(name):
                    path = Path(parent, name)
                    yield Found(path, path.relative_to(root).as_posix(), label, split)


def _stop(error: OSError) -> None:
    """Raises the error of an unreadable folder, which `os.walk` would ignore silently."""
    raise error
