"""Prepares a raw dataset for training: decodes, finds copies, splits, stores; `preprocess` is the entry point."""

import contextlib
import io
import itertools
import math
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from PIL import Image

from components import console, machine, planning
from components.artifacts import arrays, dataset_summary, files, prepared_dataset
from components.artifacts.dataset_summary import Copies, Counts, DatasetRecord, Planning, PreparedQuality
from components.artifacts.names import CLASSES, SPLITS
from components.artifacts.raw_dataset import (
    BLANK,
    ImageReader,
    RawDataset,
    RefusedFile,
    check_refused,
)
from components.console import UserError
from components.imaging import decoding
from components.parameters import PreprocessParameters
from components.preprocess import characteristics, copies, pixels, splitting

EXAMPLES_A_CLASS = 8
EXAMPLE_SIZE = 192
"""Largest size (px) of an example image, since the report embeds the picture."""
PORTION = 4
"""Images that a thread decodes at a time."""
AHEAD = 2
"""Portions per core that are decoded ahead of the one to be written next."""
HASHED = 64
"""Images that are hashed at a time."""
DESCRIBED = 2**20
"""Pixels of which statistics are computed at a time."""


def preprocess(
    raw_dataset: str | Path, output: str | Path, summary: str | Path, parameters: PreprocessParameters
) -> DatasetRecord:
    """Prepares a dataset for training.

    Args:
        raw_dataset: folder of the raw dataset.
        output: the prepared dataset's folder, made anew.
        summary: the dataset summary's folder, made anew.
        parameters: image size, splits, copies, and how many of the files may be unusable.

    Returns:
        The content of `dataset.json`.

    Raises:
        UserError: an argument or the raw dataset is unusable, too many images cannot be decoded, or a split has no
            image of a class.
    """
    started = files.now()
    _check_folders(raw_dataset, output, summary)
    raw = RawDataset.load(raw_dataset)
    with files.new_folder(output) as folder:
        decoded = folder / "decoded.npy"
        manifest, refused = _decode_all(raw, parameters.image_size, decoded)
        refused = raw.quality["refused"] + refused
        check_refused(refused, len(manifest) + len(refused), parameters.max_bad_fraction)
        found = _find_copies(decoded)
        splits, rule, dropped = _divide(found, manifest, parameters)
        images = _store(decoded, manifest, splits, folder)
        decoded.unlink()
        info: DatasetRecord = {
            **files.header(prepared_dataset.KIND, started, asdict(parameters)),
            "source": raw.quality["source"],
            "ingest": raw.quality["made_by"],
            "image_size": parameters.image_size,
            "resize": decoding.DESCRIPTION,
            "split_rule": rule,
            "deduplicated": parameters.deduplicate,
            "resplit": parameters.resplit,
            "splits": {name: _counts(folder, name) for name in SPLITS},
            "fingerprint": prepared_dataset.fingerprint(folder),
            "characteristics": characteristics.describe(manifest, splits),
            "quality": _quality(raw, refused, copies.describe(found, manifest, splits.to_numpy(), dropped)),
            "planning": _plan(folder),
        }
        files.write_json(folder / "dataset.json", info)
        with files.new_folder(summary) as small:
            examples = _examples(folder) if parameters.report_images else None
            dataset_summary.save(small, folder / "dataset.json", images, examples)
    _say(info, refused[len(raw.quality["refused"]) :])
    return info


def _check_folders(raw_dataset: str | Path, output: str | Path, summary: str | Path) -> None:
    for one, other in itertools.permutations([Path(path).resolve() for path in (raw_dataset, output, summary)], 2):
        if one.is_relative_to(other):
            raise UserError(
                f"{one} lies in {other}, and one would replace the other: "
                "choose separate folders for raw dataset, prepared dataset and summary"
            )


_HEADER = ("schema_version", "kind", "made_by", "source")


def _quality(raw: RawDataset, refused: list[RefusedFile], found: Copies) -> PreparedQuality:
    """The quality of the raw dataset, with all refused files and the copies."""
    known = {name: value for name, value in raw.quality.items() if name not in _HEADER}
    return cast(PreparedQuality, known | {"refused": refused, "copies": found})


def _divide(
    copied: list[np.ndarray], manifest: pd.DataFrame, parameters: PreprocessParameters
) -> tuple[pd.Series, str, np.ndarray]:
    """Assigns the images to splits.

    Returns:
        The split of each image ("" for removed copies), how the splits were made, and bool (N,) whether an image was
        removed.
    """
    dropped = copies.to_drop(copied, manifest) if parameters.deduplicate else np.zeros(len(manifest), bool)
    # With new splits, patients who share a picture are kept together.
    linked = manifest.assign(patient=copies.linked_patients(copied, manifest)) if parameters.resplit else manifest
    splits, rule = splitting.split(linked[~dropped], parameters.seed, parameters.resplit)
    return splits.reindex(manifest.index, fill_value=""), rule, dropped


def _decode_all(raw: RawDataset, size: int, file: Path) -> tuple[pd.DataFrame, list[RefusedFile]]:
    """Decodes every image into `file`; returns the manifest of decoded images, and the refused files."""
    refused: list[RefusedFile] = []
    good = np.ones(len(raw.manifest), dtype=bool)
    images = raw.manifest["image"].tolist()
    progress = console.Progress("preprocess", "images decoded", len(images))
    with (
        raw.open_images() as reader,
        contextlib.closing(_decoded(reader, images, size)) as decoded,
        arrays.ArrayWriter(file, np.uint8, (len(images), size, size)) as array,
    ):
        for row, pixels in enumerate(decoded):
            if isinstance(pixels, str):
                good[row] = False
                refused.append({"image": images[row], "reason": pixels})
            else:
                array.add(pixels)
            progress.reach(row + 1)
    manifest = raw.manifest[good].reset_index(drop=True)
    _check_classes(raw.manifest, manifest)
    return manifest, refused


def _check_classes(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Checks that no split of the source has lost a class, in which case it would silently be replaced."""
    for split, label in itertools.product(("train", "test", ""), CLASSES):
        had, has = (((rows["split"] == split) & (rows["label"] == label)).any() for rows in (before, after))
        if had and not has:
            place = f"{split} split" if split else "dataset"
            raise UserError(f"the {place} has no image of the class {label} that can be decoded: add some")


def _find_copies(decoded: Path) -> list[np.ndarray]:
    """Finds groups of images that are copies of each other; returns their positions."""
    with arrays.ArrayReader(decoded) as array:
        portions = (range(start, min(start + HASHED, len(array))) for start in range(0, len(array), HASHED))
        hashes = np.concatenate([copies.hashes(array.read(portion)) for portion in portions])
        return copies.find(hashes, array.read)


def _store(decoded: Path, manifest: pd.DataFrame, splits: pd.Series, folder: Path) -> pd.DataFrame:
    """Writes array and index of every split; returns the table of all images, see `image_table`."""
    tables = []
    with arrays.ArrayReader(decoded) as array:
        for name in SPLITS:
            index = _save_index(folder, name, manifest[splits == name])
            shape = (len(index), *array.shape[1:])
            with arrays.ArrayWriter(folder / f"{name}.npy", np.uint8, shape) as split:
                for portion in _portions(index.index.tolist(), DESCRIBED // math.prod(shape[1:])):
                    images = array.read(portion)
                    for image in images:
                        split.add(image)
                    tables.append(index.loc[portion].assign(split=name, **pixels.statistics(images)))
    return pd.concat(tables)


def _portions(rows: list[int], size: int) -> Iterator[list[int]]:
    """The rows, at most `size` at a time, but at least one."""
    return (rows[start : start + max(size, 1)] for start in range(0, len(rows), max(size, 1)))


def _say(info: DatasetRecord, refused: list[RefusedFile]) -> None:
    """Prints the size of the dataset, and the numbers of refused images and of copies."""
    blank = sum(item["reason"] == BLANK for item in refused)
    refusals = f"{len(refused) - blank} could not be decoded" + (f", {blank} show nothing" if blank else "")
    numbers = ", ".join(f"{name} {count['images']}" for name, count in info["splits"].items())
    console.say("preprocess", f"{numbers} images of {info['image_size']} px, {refusals}")
    found = info["quality"]["copies"]
    if found["groups"]:
        across = f", {found['across_splits']} groups across splits" if found["across_splits"] else ""
        done = f"{found['dropped']} removed" if info["deduplicated"] else "none removed (use --deduplicate)"
        console.say("preprocess", f"{found['images']} images are copies of each other{across}; {done}")
    test = info["splits"]["test"]
    for sentence in planning.sentences(info["planning"], test["images"], test["patients"]):
        # An external test set is used whole, and not split as here.
        console.say("preprocess", f"trained and tested on these splits: {sentence[0].lower()}{sentence[1:]}")


def _decoded(reader: ImageReader, images: list[str], size: int) -> Generator[np.ndarray | str]:
    """Yields the pixels of each image, or the reason for refusing it, in order and only a little ahead."""

    def decode(portion: list[str]) -> list[np.ndarray | str]:
        results: list[np.ndarray | str] = []
        for image in portion:
            try:
                decoded = decoding.decode(reader.read(image), size)
                decoding.check_contrast(decoded)
                results.append(decoded)
            except ValueError as error:
                results.append(str(error))
        return results

    cores = machine.cores()
    waiting: deque[Future[list[np.ndarray | str]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(images), PORTION):
            waiting.append(pool.submit(decode, images[start : start + PORTION]))
            if len(waiting) > AHEAD * cores:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _save_index(folder: Path, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Writes the index of a split; returns it with the rows' numbers.

    Raises:
        UserError: the split lacks a class.
    """
    for label in CLASSES:
        if not (rows["label"] == label).any():
            raise UserError(f"the {name} split has no image of the class {label} that can be decoded: add some")
    index = rows.assign(label=rows["label"].map(CLASSES.index))
    prepared_dataset.save_index(folder, name, index)
    return index


def _plan(folder: Path) -> Planning:
    """What the test split can show, and the patients on whom the threshold is going to be chosen."""
    test, validation = (_index(folder, name) for name in ("test", "validation"))
    found = planning.plan(test["label"].to_numpy(), test["patient"].to_numpy())
    chosen_on = planning.patients_by_class(validation["label"].to_numpy(), validation["patient"].to_numpy())
    return {**found, "validation_patients": chosen_on}


def _index(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, dtype={"patient": str})


def _counts(folder: Path, name: str) -> Counts:
    index = _index(folder, name)
    return {
        "images": len(index),
        "patients": int(index["patient"].nunique()),
        "pneumonia": int(index["label"].sum()),
    }


def _examples(folder: Path) -> bytes:
    """PNG with one row of training images per class, evenly spaced in the index, normal above pneumonia."""
    images = np.load(folder / "train.npy", mmap_mode="r")
    labels = pd.read_csv(folder / "train.csv", usecols=["label"])["label"].to_numpy()
    rows = []
    for label in range(len(CLASSES)):
        of_class = np.flatnonzero(labels == label)
        chosen = of_class[np.linspace(0, len(of_class) - 1, EXAMPLES_A_CLASS).round().astype(int)]
        rows.append(np.concatenate(images[chosen], axis=1))
    picture = Image.fromarray(np.concatenate(rows))
    picture.thumbnail((EXAMPLES_A_CLASS * EXAMPLE_SIZE, len(CLASSES) * EXAMPLE_SIZE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
