"""Pre-trains the bundled backbone on pictures of fractals: python -m pretraining.run."""

import argparse
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from components import console
from components.artifacts import files
from components.console import UserError
from pretraining import fractals


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, draws, trains, reports."""
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.run",
        description="Pre-trains a backbone to tell fractals apart by the formulas that made them. Interrupted, it goes "
        "on where it stopped when said again; the weights are those of a run without interruption.",
        epilog="examples:\n  python -m pretraining.run\n      the bundled weights, again\n"
        "  python -m pretraining.run --classes 50 --epochs 2 --folder /tmp/try\n      a few minutes, to see it work",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--folder", type=Path, default=Path("build/pretraining"), help="where all goes; default: %(default)s")
    add("--backbone", default="MobileNetV2-0.5", help="which network; default: %(default)s")
    add("--classes", type=int, default=300, help="formulas; default: %(default)s")
    add("--pictures", type=int, default=210, help="of each formula; default: %(default)s")
    add("--size", type=int, default=96, help="of a picture (px); default: %(default)s")
    add("--crop", type=int, default=64, help="of the part that training sees (px); default: %(default)s")
    add("--epochs", type=int, default=20, help="default: %(default)s")
    add("--batch-size", type=int, default=128, help="default: %(default)s")
    add("--learning-rate", type=float, default=0.1, help="the highest; default: %(default)s")
    add("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        run(**vars(arguments))


def run(folder: Path, **recipe: Any) -> dict[str, Any]:
    """Draws the pictures and trains on them, or goes on with what is there.

    Args:
        folder: for pictures, checkpoint, weights and report.
        recipe: the options of the command line.

    Returns:
        The content of `report.json`.

    Raises:
        UserError: the folder is of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stated = folder / "recipe.json"
    if stated.exists() and files.read_json(stated, "pre-training recipe")["recipe"] != recipe:
        raise UserError(f"{folder} is of another recipe ({stated}): give another --folder, or delete it")
    files.write_json(stated, files.header("pre-training recipe", files.now(), {}) | {"recipe": recipe})
    pictures = draw_all(folder, recipe)
    from pretraining.training import train  # noqa: PLC0415 (drawing need not wait for TensorFlow)

    return train(folder, pictures, recipe)


def draw_all(folder: Path, recipe: dict[str, Any]) -> np.ndarray:
    """Draws every class on all processors, or maps what is drawn: uint8 (classes, pictures, size, size)."""
    path = folder / "pictures.npy"
    if path.exists():
        return np.load(path, mmap_mode="r")
    classes, count, size = recipe["classes"], recipe["pictures"], recipe["size"]
    new = path.with_suffix(".new")
    begun = time.perf_counter()
    pictures = np.lib.format.open_memmap(new, "w+", np.uint8, (classes, count, size, size))
    progress = console.Progress("pretraining", "formulas drawn", classes)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = (range(classes), [count] * classes, [size] * classes, [recipe["seed"]] * classes)
        for number, drawn in enumerate(pool.map(draw_class, *jobs, chunksize=4)):
            pictures[number] = drawn
            progress.reach(number + 1)
    pictures.flush()
    new.rename(path)
    speed = classes * count / (time.perf_counter() - begun)
    console.say("pretraining", f"{classes * count} pictures of {classes} formulas, {speed:.0f} a second")
    return np.load(path, mmap_mode="r")


def draw_class(number: int, count: int, size: int, seed: int) -> np.ndarray:
    """The pictures of a class, the same whatever else is drawn: uint8 (count, size, size)."""
    random = np.random.default_rng([seed, number])
    own = fractals.formula(random)
    return np.concatenate([fractals.draw(*own, min(20, count - i), size, random) for i in range(0, count, 20)])


if __name__ == "__main__":
    main()
