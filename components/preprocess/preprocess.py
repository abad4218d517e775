"""From the raw to the prepared dataset: decode, find copies, split, store. Read `preprocess` from top to bottom."""

import contextlib
import io
import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from components import console, machine
from components.artifacts import dataset_summary, files, prepared_dataset
from components.artifacts.dataset_summary import DatasetRecord
from components.artifacts.names import CLASSES, SPLITS
from components.artifacts.raw_dataset import (
    BLANK,
    ImageReader,
    RawDataset,
    check_refused,
)
from components.console import UserError
from components.imaging import decoding
from components.parameters import PreprocessParameters
from components.preprocess import copies, splitting

EXAMPLES_A_CLASS = 8
EXAMPLE_SIZE = 192
"""Larger images are shown at this size: the report carries the picture inside it."""
CORES = machine.cores()
PORTION = 4
"""So many images are decoded by a thread before it hands them over."""
AHEAD = 2
"""So many portions a core are decoded before their turn to be written."""
HASHED = 64
"""So many images are hashed at once."""


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
        dropped = copies.to_drop(found, manifest) if parameters.deduplicate else np.zeros(len(manifest), bool)
        whom = manifest.assign(patient=copies.linked_patients(found, manifest)) if parameters.resplit else manifest
        splits, rule = splitting.split(whom[~dropped], parameters.seed, parameters.resplit)
        splits = splits.reindex(manifest.index, fill_value="")
        _store(decoded, manifest, splits, folder)
        decoded.unlink()
        counts = {name: _counts(folder, name) for name in SPLITS}
        quality = {name: value for name, value in raw.quality.items() if name not in _HEADER}
        quality["refused"] = refused
        quality["copies"] = copies.describe(found, manifest, splits.to_numpy()) | {"dropped": int(dropped.sum())}
        info = files.header(prepared_dataset.KIND, started, asdict(parameters)) | {
            "source": raw.quality["source"],
            "ingest": raw.quality["made_by"],
            "image_size": parameters.image_size,
            "resize": decoding.DESCRIPTION,
            "split_rule": rule,
            "deduplicated": parameters.deduplicate,
            "resplit": parameters.resplit,
            "splits": counts,
            "fingerprint": prepared_dataset.fingerprint(folder),
            "quality": quality,
        }
        files.write_json(folder / "dataset.json", info)
        with files.new_folder(summary) as small:
            dataset_summary.save(
                small, folder / "dataset.json", _examples(folder) if parameters.report_images else None
            )
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


def _decode_all(raw: RawDataset, size: int, file: Path) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Decodes every image into `file`; gives the manifest of those, and what cannot be used with its reason."""
    refused: list[dict[str, str]] = []
    good = np.ones(len(raw.manifest), dtype=bool)
    images = raw.manifest["image"].tolist()
    progress = console.Progress("preprocess", "images decoded", len(images))
    with (
        raw.open_images() as reader,
        contextlib.closing(_decoded(reader, images, size)) as decoded,
        files.ArrayWriter(file, np.uint8, (len(images), size, size)) as array,
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
    """Finds a split of the source that has lost a class; another split would be made without a word."""
    for split, label in itertools.product(("train", "test", ""), CLASSES):
        had, has = (((rows["split"] == split) & (rows["label"] == label)).any() for rows in (before, after))
        if had and not has:
            place = f"{split} split" if split else "dataset"
            raise UserError(f"the {place} has no image of the class {label} that can be decoded: add some")


def _find_copies(decoded: Path) -> list[np.ndarray]:
    """Groups of positions of images that are copies of each other."""
    with files.ArrayReader(decoded) as array:
        portions = (range(start, min(start + HASHED, len(array))) for start in range(0, len(array), HASHED))
        hashes = np.concatenate([copies.hashes(array.read(portion)) for portion in portions])
        return copies.find(hashes, array.read)


def _store(decoded: Path, manifest: pd.DataFrame, splits: pd.Series, folder: Path) -> None:
    """Writes array and index of every split."""
    with files.ArrayReader(decoded) as array:
        for name in SPLITS:
            rows = manifest[splits == name]
            _save_index(folder, name, rows)
            shape = (len(rows), *array.shape[1:])
            with files.ArrayWriter(folder / f"{name}.npy", np.uint8, shape) as split:
                for row in rows.index:
                    split.add(array.read([row])[0])


def _say(info: dict[str, Any], refused: list[dict[str, str]]) -> None:
    """Prints what was made, and how many images were set aside here."""
    blank = sum(item["reason"] == BLANK for item in refused)
    refusals = f"{len(refused) - blank} could not be decoded" + (f", {blank} show nothing" if blank else "")
    numbers = ", ".join(f"{name} {count['images']}" for name, count in info["splits"].items())
    console.say("preprocess", f"{numbers} images of {info['image_size']} px, {refusals}")
    found = info["quality"]["copies"]
    if found["groups"]:
        across = f", {found['across_splits']} groups across splits" if found["across_splits"] else ""
        done = f"{found['dropped']} left out" if info["deduplicated"] else "none left out (--deduplicate does it)"
        console.say("preprocess", f"{found['images']} images are copies of each other{across}; {done}")


def _decoded(reader: ImageReader, images: list[str], size: int) -> Iterator[np.ndarray | str]:
    """The pixels of each image, or the reason why it has none; in order, and only a little ahead of what is taken."""

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

    waiting: deque[Future[list[np.ndarray | str]]] = deque()
    with ThreadPoolExecutor(CORES) as pool:
        for start in range(0, len(images), PORTION):
            waiting.append(pool.submit(decode, images[start : start + PORTION]))
            if len(waiting) > AHEAD * CORES:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _save_index(folder: Path, name: str, rows: pd.DataFrame) -> None:
    """Writes the index of a split, if it has both classes."""
    for label in CLASSES:
        if not (rows["label"] == label).any():
            raise UserError(f"the {name} split has no image of the class {label} that can be decoded: add some")
    index = pd.DataFrame(
        {"image": rows["image"], "label": rows["label"].map(CLASSES.index), "patient": rows["patient"]}
    )
    prepared_dataset.save_index(folder, name, index)


def _counts(folder: Path, name: str) -> dict[str, int]:
    index = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)
    return {
        "images": len(index),
        "patients": int(index["patient"].nunique()),
        "pneumonia": int(index["label"].sum()),
    }


def _examples(folder: Path) -> bytes:
    """PNG with a row of training images a class, evenly spread over the index; normal above pneumonia."""
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
