"""From the raw to the prepared dataset: decode, resize, split, store. Read `preprocess` from top to bottom."""

import contextlib
import io
import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from components import console, machine
from components.artifacts import dataset_summary, files, prepared_dataset
from components.artifacts.names import CLASSES, SPLITS
from components.artifacts.raw_dataset import ImageReader, RawDataset
from components.console import UserError
from components.preprocess import decoding, splitting

SMALLEST_SIZE, LARGEST_SIZE = 32, 1024
LARGEST_SEED = 2**32 - 1
EXAMPLES_A_CLASS = 8
EXAMPLE_SIZE = 192
"""Larger images are shown at this size: the report carries the picture inside it."""
CORES = machine.cores()
PORTION = 4
"""So many images are decoded by a thread before it hands them over."""
AHEAD = 2
"""So many portions a core are decoded before their turn to be written."""


def preprocess(
    raw_dataset: str | Path, output: str | Path, summary: str | Path, image_size: int = 96, seed: int = 1
) -> dict[str, Any]:
    """Prepares a dataset for training.

    Args:
        raw_dataset: folder of the raw dataset.
        output: the prepared dataset's folder, made anew.
        summary: the dataset summary's folder, made anew.
        image_size: height and width of the prepared images in px.
        seed: of the split.

    Returns:
        The content of `dataset.json`.

    Raises:
        UserError: an argument or the raw dataset is unusable, or a split has no image of a class.
    """
    started = files.now()
    _check(raw_dataset, output, summary, image_size, seed)
    raw = RawDataset.load(raw_dataset)
    splits, rule = splitting.split(raw.manifest, seed)
    with files.new_folder(output) as folder:
        refused = _decode_all(raw, splits, image_size, folder)
        counts = {name: _counts(folder, name) for name in SPLITS}
        quality = {name: value for name, value in raw.quality.items() if name not in _HEADER}
        quality["refused"] = quality["refused"] + refused
        info = files.header(prepared_dataset.KIND, started, {"image_size": image_size, "seed": seed}) | {
            "source": raw.quality["source"],
            "ingest": raw.quality["made_by"],
            "image_size": image_size,
            "resize": decoding.DESCRIPTION,
            "split_rule": rule,
            "splits": counts,
            "fingerprint": prepared_dataset.fingerprint(folder),
            "quality": quality,
        }
        files.write_json(folder / "dataset.json", info)
        with files.new_folder(summary) as small:
            dataset_summary.save(small, folder / "dataset.json", _examples(folder))
    numbers = ", ".join(f"{name} {count['images']}" for name, count in counts.items())
    console.say("preprocess", f"{numbers} images of {image_size} px, {len(refused)} could not be decoded")
    return info


def _check(raw_dataset: str | Path, output: str | Path, summary: str | Path, image_size: int, seed: int) -> None:
    if not SMALLEST_SIZE <= image_size <= LARGEST_SIZE:
        raise UserError(f"image size is {image_size}, but must be from {SMALLEST_SIZE} to {LARGEST_SIZE} px")
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed is {seed}, but must be from 0 to {LARGEST_SEED}")
    for one, other in itertools.permutations([Path(path).resolve() for path in (raw_dataset, output, summary)], 2):
        if one.is_relative_to(other):
            raise UserError(
                f"{one} lies in {other}, and one would replace the other: "
                "choose separate folders for raw dataset, prepared dataset and summary"
            )


_HEADER = ("schema_version", "kind", "made_by", "source")


def _decode_all(raw: RawDataset, splits: pd.Series, size: int, folder: Path) -> list[dict[str, str]]:
    """Stores the images and the index of every split; gives what cannot be decoded, each with its reason."""
    refused = []
    progress, done = console.Progress("preprocess", "images decoded", len(raw.manifest)), 0
    rows_of = {name: raw.manifest[splits == name] for name in SPLITS}
    images = [image for rows in rows_of.values() for image in rows["image"]]
    with raw.open_images() as reader, contextlib.closing(_decoded(reader, images, size)) as decoded:
        for name, rows in rows_of.items():
            good = np.ones(len(rows), dtype=bool)
            with files.ArrayWriter(folder / f"{name}.npy", np.uint8, (len(rows), size, size)) as array:
                for row, pixels in enumerate(itertools.islice(decoded, len(rows))):
                    if isinstance(pixels, str):
                        good[row] = False
                        refused.append({"image": images[done], "reason": pixels})
                    else:
                        array.add(pixels)
                    done += 1
                    progress.reach(done)
            _save_index(folder, name, rows[good])
    return refused


def _decoded(reader: ImageReader, images: list[str], size: int) -> Iterator[np.ndarray | str]:
    """The pixels of each image, or the reason why it has none; in order, and only a little ahead of what is taken."""

    def decode(portion: list[str]) -> list[np.ndarray | str]:
        results: list[np.ndarray | str] = []
        for image in portion:
            try:
                results.append(decoding.decode(reader.read(image), size))
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
