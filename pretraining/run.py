"""Pre-trains the bundled backbone on pictures of fractals: python -m pretraining.run."""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from components import console, process
from components.artifacts import files
from components.artifacts.names import BACKBONES
from components.console import UserError
from components.machine import cores
from pretraining import fractals

HELD_OUT = 0.05
"""Share of the pictures of each class that is held out."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, draws the pictures, trains, prints a summary."""
    process.prepare()
    process.keep_freed_memory()
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.run",
        description="Pre-trains a backbone to classify fractals by their formulas. After an interruption, the same "
        "command resumes where it stopped; the weights are those of a run without interruption.",
        epilog="examples:\n  python -m pretraining.run\n      the bundled weights, again\n"
        "  python -m pretraining.run --classes 50 --epochs 2 --folder /tmp/try\n      a few minutes, to see it work",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--folder", type=Path, default=Path("build/pretraining"), help="for all results; default: %(default)s")
    add("--backbone", choices=BACKBONES, default="MobileNetV2-0.5", help="default: %(default)s")
    add("--classes", type=int, default=300, help="number of formulas; default: %(default)s")
    add("--pictures", type=int, default=210, help="number of pictures per formula; default: %(default)s")
    add("--size", type=int, default=96, help="height and width of a picture in px; default: %(default)s")
    add("--crop", type=int, default=64, help="height and width of the crops for training in px; default: %(default)s")
    add("--epochs", type=int, default=20, help="default: %(default)s")
    add("--batch-size", type=int, default=128, help="default: %(default)s")
    add("--learning-rate", type=float, default=0.1, help="peak; default: %(default)s")
    add("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        report = run(**vars(arguments))
    print(f"\n{summary(report)}\n\nweights and report.json: {arguments.folder}")


def run(folder: Path, **recipe: Any) -> dict[str, Any]:
    """Draws the pictures and trains on them, or resumes an interrupted run.

    Args:
        folder: for pictures, checkpoint, weights and report.
        recipe: the options of the command line.

    Returns:
        The content of `report.json`.

    Raises:
        UserError: the folder has results of another recipe, or the recipe is invalid.
    """
    _check(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    stated = folder / "recipe.json"
    if stated.exists() and files.read_json(stated, "pre-training recipe")["recipe"] != recipe:
        raise UserError(f"{folder} has results of another recipe ({stated}): give another --folder, or delete it")
    files.write_json(stated, files.header("pre-training recipe", files.now(), {}) | {"recipe": recipe})
    pictures = draw_all(folder, recipe)
    from pretraining.training import train  # noqa: PLC0415 (drawing does not need TensorFlow)

    return train(folder, pictures, held_out(recipe["pictures"]), recipe)


def _check(recipe: dict[str, Any]) -> None:
    """Checks the recipe before the pictures are drawn.

    Raises:
        UserError: a value is out of range.
    """
    for name, lowest in {"classes": 2, "pictures": 2, "crop": 32, "epochs": 1, "batch_size": 1, "seed": 0}.items():
        if recipe[name] < lowest:
            raise UserError(f"--{name.replace('_', '-')} is {recipe[name]}: give {lowest} or more")
    if recipe["crop"] > recipe["size"]:
        raise UserError(
            f"--crop is {recipe['crop']} px, but pictures have {recipe['size']} px: give a larger --size or "
            "a smaller --crop"
        )
    if not 0 < recipe["learning_rate"] < 10:
        raise UserError(f"--learning-rate is {recipe['learning_rate']:g}: give a number between 0 and 10; 0.1 is usual")
    if recipe["batch_size"] > recipe["classes"] * (recipe["pictures"] - held_out(recipe["pictures"])):
        raise UserError(
            f"there are fewer training pictures than --batch-size {recipe['batch_size']}: give more, or a smaller "
            "--batch-size"
        )


def held_out(pictures: int) -> int:
    """Number of held-out pictures per class, which are the last ones."""
    return max(1, round(HELD_OUT * pictures))


def summary(report: dict[str, Any]) -> str:
    """The report in a few lines."""
    recipe, last = report["made_by"]["arguments"], report["history"][-1]
    rows = {
        "network": f"{recipe['backbone']}, {report['parameters']:,} parameters, {report['weights_bytes'] / 1e6:.2f} MB",
        "pictures": f"{report['training_pictures']:,} per epoch, of {report['classes']} formulas; "
        f"{report['held_out_pictures']:,} held out",
        "training": f"{last['epoch']} epochs in {report['seconds'] / 60:.0f} minutes, loss {last['train_loss']:.3f}",
        "accuracy": f"{report['held_out_accuracy']:.3f} on held-out pictures (chance: {1 / report['classes']:.3f})",
    }
    return "\n".join(f"{name:10}{value}" for name, value in rows.items())


def draw_all(folder: Path, recipe: dict[str, Any]) -> np.ndarray:
    """Draws all classes on all processors, or maps existing pictures: uint8 (classes, pictures, size, size)."""
    path = folder / "pictures.npy"
    if path.exists():
        return np.load(path, mmap_mode="r")
    classes, count, size = recipe["classes"], recipe["pictures"], recipe["size"]
    new = path.with_suffix(".new")
    begun = time.perf_counter()
    pictures = np.lib.format.open_memmap(new, "w+", np.uint8, (classes, count, size, size))
    progress = console.Progress("pretraining", "formulas drawn", classes)
    # "spawn" behaves the same on all systems, and is safe if the caller has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), mp_context=context, initializer=process.prepare) as pool:
        jobs = (range(classes), [count] * classes, [size] * classes, [recipe["seed"]] * classes)
        for number, drawn in enumerate(pool.map(draw_class, *jobs, chunksize=4)):
            pictures[number] = drawn
            progress.reach(number + 1)
    pictures.flush()
    new.rename(path)
    speed = classes * count / (time.perf_counter() - begun)
    console.say("pretraining", f"{classes * count} pictures of {classes} formulas, {speed:.0f} per second")
    return np.load(path, mmap_mode="r")


def draw_class(number: int, count: int, size: int, seed: int) -> np.ndarray:
    """Draws the pictures of one class, independently of other classes: uint8 (count, size, size)."""
    random = np.random.default_rng([seed, number])
    own = fractals.formula(random)
    return np.concatenate([fractals.draw(*own, min(20, count - i), size, random) for i in range(0, count, 20)])


if __name__ == "__main__":
    main()
