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
        image: its name in the dataset: the path below the dataset's root, with forward slashes.
        label: "NORMAL" or "PNEUMONIA".
        split: "train", "validation", "test", or "" where the folders do not tell.
        patient: as a table has it, or "" where only the file can tell.
    """

    path: Path
    image: str
    label: str
    split: str
    patient: str = ""


def find_images(folder: Path, name: str = "") -> list[Found]:
    """Lists the files of a dataset, ordered by name.

    The dataset is `{train,val,test}/{NORMAL,PNEUMONIA}/` or `{NORMAL,PNEUMONIA}/`, in `folder` itself or below folders
    that hold nothing else. Capitals do not matter. Hidden files and those of operating systems are left out. Links to
    files are followed; links to folders within a class folder are not, since they may lead in circles or anywhere: how
    many is said.

    Args:
        folder: where they are.
        name: what messages call it; its path unless given.

    Raises:
        UserError: no such folders, or a class without any file.
    """
    name = name or str(folder)
    root = dataset_root(folder)
    splits = {path: SPLIT_NAMES[path.name.lower()] for path in _folders(root) if path.name.lower() in SPLIT_NAMES}
    found = [item for path, split in (splits or {root: ""}).items() for item in _class_files(root, path, split)]
    if not found:
        raise UserError(
            f"{name} holds no images in {' and '.join(CLASSES)} folders: "
            "expected {train,val,test}/{NORMAL,PNEUMONIA}/ or {NORMAL,PNEUMONIA}/ in it"
        )
    for label in CLASSES:
        if not any(item.label == label for item in found):
            raise UserError(f"{name} holds no images of the class {label}: put some into a folder named {label}")
    return sorted(found, key=lambda item: item.image)


def ignored_folders(folder: Path) -> list[str]:
    """Names the folders beside splits and classes that are neither, so that no images are left out unsaid.

    Returns:
        Paths below the dataset's root, ordered.
    """
    root = dataset_root(folder)
    splits = [path for path in _folders(root) if path.name.lower() in SPLIT_NAMES]
    ignored = [path for path in _folders(root) if splits and path not in splits]
    for place in splits or [root]:
        ignored += [path for path in _folders(place) if path.name.upper() not in CLASSES]
    return sorted(path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode() for path in ignored)


def count_ignored(folder: Path) -> int:
    """How many files are left out because of their names or those of folders above them: see `paths.is_ignored`."""
    count = 0
    for parent, _, names in os.walk(folder):
        within = any(is_ignored(part) for part in Path(parent).relative_to(folder).parts)
        count += len(names) if within else sum(map(is_ignored, names))
    return count


def dataset_root(folder: Path) -> Path:
    """The folder that holds splits or classes: `folder`, or the only one below it, and so on."""
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
                console.say("ingest", f"{len(links)} linked folders in {parent} are left out: copy them there instead")
            folders[:] = [name for name in folders if not is_ignored(name)]
            for name in names:
                if not is_ignored(name):
                    path = Path(parent, name)
                    yield Found(path, path.relative_to(root).as_posix(), label, split)


def _stop(error: OSError) -> None:
    """Makes a folder that cannot be read an error; `os.walk` would leave it out without a word."""
    raise error
