"""The images of `benchmarks.speed`: a sample of a folder, and the project's splits as files for plain Keras."""

import random
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from components.artifacts.names import CLASSES
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.raw_dataset import RawDataset
from components.console import UserError
from components.evaluate import robustness

TRAINED_SHARE = 0.85
"""Share of a source's training images that preprocess uses for training; the others are for validation."""


def sample(source: Path, images: int, folder: Path) -> Path:
    """Copies a sample of the training images, with the classes in proportion, and all test images to a folder.

    Args:
        source: folder with {train,test}/{NORMAL,PNEUMONIA}.
        images: number of images that preprocess shall use for training, approximately.
        folder: new.

    Raises:
        UserError: a class has no images.
    """
    chosen = random.Random(1)  # noqa: S311 (the same images in every run)
    files = {
        (split, label): sorted(path for path in (source / split / label).glob("*") if path.is_file())
        for split in ("train", "test")
        for label in map(str.upper, CLASSES)
    }
    if not all(files.values()):
        missing = next(f"{split}/{label}" for (split, label), found in files.items() if not found)
        raise UserError(f"{source} has no images in {missing}: give --path a folder with train and test")
    available = sum(len(found) for (split, _), found in files.items() if split == "train")
    share = min(1.0, images / TRAINED_SHARE / available)
    for (split, label), found in files.items():
        target = folder / split / label
        target.mkdir(parents=True)
        for path in chosen.sample(found, round(share * len(found))) if split == "train" else found:
            shutil.copyfile(path, target / path.name)
    return folder


def export(raw: Path, prepared: PreparedDataset, folder: Path) -> dict[str, int]:
    """Writes the splits as image files in one folder per class for plain Keras; returns their numbers of images.

    So are the test images that evaluate changes, once for each change, in their original resolution: plain Keras
    resizes them as all others.

    Args:
        raw: the raw dataset.
        prepared: made from it.
        folder: new; gets train, validation, test, and a folder below `changed` for each change.
    """
    changed = set(robustness.sample(prepared.splits["test"].labels).tolist())
    with RawDataset.load(raw).open_images() as reader:
        for name, split in prepared.splits.items():
            for i, (image, label) in enumerate(zip(split.index["image"], split.labels, strict=True)):
                target = folder / name / CLASSES[label].upper() / f"{i}{Path(image).suffix.lower()}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(reader.read(image))
    for number, change in enumerate(robustness.changes().values()):
        for original in sorted((folder / "test").glob("*/*")):
            if int(original.stem) in changed:
                target = folder / "changed" / str(number) / original.parent.name / f"{original.stem}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                with Image.open(original) as image:
                    Image.fromarray(change(np.asarray(image.convert("L"))[None])[0]).save(target)
    return {name: len(split) for name, split in prepared.splits.items()}
