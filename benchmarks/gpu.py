"""Training on a GPU: speed of every regime, and how much of the time the GPU is busy: python -m benchmarks.gpu."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import measure
from components import console
from components.artifacts import files, prepared_dataset
from components.artifacts.names import BACKBONES, REGIME_TITLES, REGIMES
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.gpu --output gpu.json
  KERAS_BACKEND=jax python -m benchmarks.gpu --sizes 96 --output gpu-jax.json     (needs no TensorFlow)
  python -m benchmarks.gpu --images 64 --sizes 32 --minutes 3                     (a trial on a CPU)"""

KAGGLE_TRAINING = 5216
"""Number of training images of Kaggle's dataset."""

HEADER = [
    *("px", "regime", "images/s", "one batch again and again, images/s", "busy", "first epoch, s", "training, s"),
    *("peak MB, GPU", "peak MB, process"),
]


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, trains every regime at every size, prints a Markdown table."""
    parser = _parser()
    arguments = parser.parse_args(words)
    with console.plain_errors():
        for name, lowest in (("images", 16), ("epochs", 2), ("batch_size", 1)):
            if getattr(arguments, name) < lowest:
                raise UserError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}: give {lowest} or more")
        if min(arguments.sizes) < 32 or arguments.minutes <= 0:
            raise UserError("give --sizes of 32 or more, and --minutes above 0")
        if arguments.output and not arguments.output.resolve().parent.is_dir():
            raise UserError(
                f"there is no folder {arguments.output.parent} for {arguments.output.name}: create it first"
            )
        rows = run(arguments)
        settings = {name: value for name, value in vars(arguments).items() if name != "output"}
        if arguments.output:
            measure.write_json(arguments.output, {"benchmark": "gpu", "arguments": settings, "rows": rows})
    print(f"\n{table(rows)}\n\n{_explained(arguments, rows)}")


def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Trains each regime at each size in a process of its own, as long as there is time.

    Returns:
        One entry per training: `size`, `regime`, and what `gpu_training.measure` gives, or `left_out`, the reason.
    """
    ends = time.monotonic() + 60 * arguments.minutes
    rows = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        for size in arguments.sizes:
            dataset = Path(folder) / f"{size}"
            simulate(dataset, arguments.images, size)
            for regime in arguments.regimes:
                left = ends - time.monotonic()
                found = _train(dataset, regime, arguments, left) if left > 0 else {"left_out": "no time was left"}
                rows.append({"size": size, "regime": regime, **found})
                console.say("gpu", f"{size} px, {regime}: {_told(found)}")
    return rows


def _train(dataset: Path, regime: str, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """What a training measured, or why it did not."""
    output = dataset.with_name(f"{dataset.name}-{regime}.json")
    words = [
        *("-m", "benchmarks.gpu_training", str(dataset), regime, "--output", str(output)),
        *("--backbone", arguments.backbone, "--epochs", str(arguments.epochs)),
        *("--batch-size", str(arguments.batch_size), *["--deterministic"] * arguments.deterministic),
    ]
    try:
        done = subprocess.run(  # noqa: S603 (the benchmark's own command)
            [sys.executable, *words], cwd=measure.PROJECT, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {"left_out": "the time was up before it had finished"}
    if done.returncode:
        return {"left_out": f"it failed: {(done.stderr.strip().splitlines() or ['without a message'])[-1]}"}
    return json.loads(output.read_text(encoding="utf-8"))


def simulate(folder: Path, images: int, size: int) -> None:
    """Writes a prepared dataset of noise, with as many images for training, and an eighth for validation and for test.

    Args:
        folder: made anew.
        images: for training.
        size: height and width in px.
    """
    random = np.random.default_rng(1)
    with files.new_folder(folder) as new:
        splits = {}
        for name, count in (("train", images), ("validation", images // 8), ("test", images // 8)):
            labels = np.arange(count) % 2
            np.save(new / f"{name}.npy", random.integers(256, size=(count, size, size), dtype=np.uint8))
            names = [f"{name}/{i}.png" for i in range(count)]
            prepared_dataset.save_index(new, name, pd.DataFrame({"image": names, "label": labels, "patient": names}))
            splits[name] = {"images": count, "patients": count, "pneumonia": int(labels.sum())}
        about = {
            "image_size": size,
            "source": {"name": "noise", "description": "noise"},
            "resize": "none",
            "split_rule": "none",
            "splits": splits,
            "fingerprint": prepared_dataset.fingerprint(new),
            "quality": {},
        }
        files.write_json(new / "dataset.json", files.header(prepared_dataset.KIND, files.now(), {}) | about)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: dict[str, Any]) -> list[str]:
    first = [str(row["size"]), REGIME_TITLES[row["regime"]]]
    if "left_out" in row:
        return [*first, f"left out: {row['left_out']}", *[""] * (len(HEADER) - 3)]

    def cell(name: str, form: str) -> str:
        return "–" if row[name] is None else format(row[name], form)

    return [
        *first,
        cell("images_per_second", ",.0f"),
        cell("repeated_images_per_second", ",.0f"),
        cell("busy", ".0%"),
        cell("first_seconds", ".1f"),
        cell("train_seconds", ".1f"),
        cell("peak_gpu_memory_mb", ",.0f"),
        cell("peak_memory_mb", ",.0f"),
    ]


def _told(found: dict[str, Any]) -> str:
    if "left_out" in found:
        return f"left out: {found['left_out']}"
    if found["images_per_second"] is None:
        return f"solved in {found['train_seconds']:.1f} s"
    return f"{found['images_per_second']:,.0f} images/s, trained in {found['train_seconds']:.1f} s"


def _explained(arguments: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> str:
    """What the table is of, in a paragraph."""
    measured = next((row for row in rows if "left_out" not in row), None)
    where = "nothing was measured"
    if measured:
        kind = "deterministic" if measured["deterministic"] else "not deterministic"
        where = f"{measured['hardware']['gpu'] or 'no GPU'}, {measured['backend']}, {measured['policy']}, {kind}"
    return (
        f"{where}; {measure.describe(measure.machine())}. {arguments.images:,} simulated training images (noise), "
        f"random weights of {arguments.backbone}, batches of {arguments.batch_size}, {arguments.epochs} epochs. "
        "images/s: of the training steps, without validation and without the first epoch, which compiles. One batch "
        "again and again: the same step on data that is already there. busy: the ratio of the two, an estimate of the "
        "share of the time in which the device computes, not a measurement of its utilisation. training: the whole "
        "training, features and compilation included."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Measures how fast every regime trains on simulated images, on a GPU if there is one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--images", type=int, default=KAGGLE_TRAINING, metavar="N", help="for training; default: %(default)s")
    add("--sizes", type=int, nargs="+", default=[96, 224], metavar="PX", help="of the images; default: 96 224")
    add("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME", help="default: all four")
    add("--backbone", choices=BACKBONES, default=BACKBONES[0], metavar="NAME", help="default: %(default)s")
    add("--epochs", type=int, default=3, metavar="N", help="at least 2; default: %(default)s")
    add("--batch-size", type=int, default=32, metavar="N", help="default: %(default)s")
    add("--deterministic", action="store_true", help="use deterministic operations only")
    add("--minutes", type=float, default=6.0, metavar="M", help="after which no row is begun; default: %(default)s")
    add("--output", type=Path, metavar="FILE", help="JSON file for the results")
    return parser


if __name__ == "__main__":
    main()
