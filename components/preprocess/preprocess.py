"""From the raw to the prepared dataset: decode, resize, split, store. Read `preprocess` from top to bottom."""

import io
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from components import console
from components.artifacts import dataset_summary, files, prepared_dataset
from components.artifacts.names import CLASSES, SPLITS
from components.artifacts.raw_dataset import RawDataset
from components.console import UserError
from components.preprocess import decoding, splitting

SMALLEST_SIZE, LARGEST_SIZE = 32, 1024
LARGEST_SEED = 2**32 - 1
EXAMPLES_A_CLASS = 8
EXAMPLE_SIZE = 192
"""Larger images are shown at this size: the report carries the picture inside it."""
CORES = os.cpu_count() or 1
PORTION = 8
"""So many images are decoded by a thread before it hands them over."""
AHEAD = 2
"""So many portions a core are decoded before their turn to be written."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    with raw.open_images() as reader, ThreadPoolExecutor(CORES) as pool:

        def decode(images: Iterable[str]) -> list[np.ndarray | str]:
            """The pixels of each image, or the reason why it has none."""
            results = []
            for image in images:
                try:
                    results.append(decoding.decode(reader.read(image), size))
                except ValueError as error:
                    results.append(str(error))
            return results

        for name in SPLITS:
            rows = raw.manifest[splits == name]
            good = []
            with files.ArrayWriter(folder / f"{name}.npy", np.uint8, (len(rows), size, size)) as array:
                portions = [rows["image"].iloc[start : start + PORTION] for start in range(0, len(rows), PORTION)]
                for images, results in zip(portions, _in_order(pool, decode, portions), strict=True):
                    for image, pixels in zip(images, results, strict=True):
                        good.append(not isinstance(pixels, str))
                        if good[-1]:
                            array.add(pixels)
                        else:
                            refused.append({"image": image, "reason": pixels})
                    done += len(images)
                    progress.reach(done)
            _save_index(folder, name, rows[good])
    return refused


def _in_order(pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Like `pool.map`, but works only a little ahead of what is taken, so that results do not pile up in memory."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > AHEAD * CORES:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


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
