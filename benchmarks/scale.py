"""Time and memory of every step for several numbers of images: python -m benchmarks.scale."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from components import console
from components.artifacts.names import REGIMES
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.scale --json scale.json                   all steps at 1000, 4000 and 16000 images
  python -m benchmarks.scale --images 1000 20000 --regimes       ingest and preprocess alone
  python -m benchmarks.scale --images 200 400 --regimes custom_cnn"""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="Measures wall time and peak memory of ingest (simulated radiographs), preprocess and trainings "
        "(random weights) at several numbers of images, each step in a new process.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--images", type=int, nargs="+", default=[1000, 4000, 16000], metavar="N", help="default: 1000 4000 16000"
    )
    parser.add_argument(
        "--image-size", type=int, default=96, help="height and width of prepared images in px; default: %(default)s"
    )
    parser.add_argument(
        "--synthetic-size", type=int, default=160, help="shorter side of the source's images; default: %(default)s"
    )
    parser.add_argument("--epochs", type=int, default=1, help="of each training; default: %(default)s")
    parser.add_argument(
        "--regimes", nargs="*", choices=REGIMES, default=REGIMES, metavar="NAME", help="none or some; default: all four"
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if min(arguments.images) < 1 or arguments.epochs < 1:
            raise UserError("--images and --epochs must be 1 or more")
        settings = {name: value for name, value in vars(arguments).items() if name not in ("images", "json")}
        rows = [row for images in arguments.images for row in measure_steps(images, **settings)]
        if arguments.json:
            measure.write_json(arguments.json, {"benchmark": "scale", "arguments": settings, "steps": rows})
    print(f"\n{_table(rows)}\n\n{measure.describe(measure.machine())}")


def measure_steps(
    images: int, image_size: int, synthetic_size: int, epochs: int, regimes: Sequence[str]
) -> list[dict[str, Any]]:
    """Runs ingest, preprocess and trainings, one after another, through their command lines.

    Args:
        images: number of radiographs to simulate.
        image_size: height and width of the prepared images in px.
        synthetic_size: approximate length of the shorter side of simulated radiographs in px.
        epochs: of each training.
        regimes: the regimes to train.

    Returns:
        One entry per step: `images`, `step`, `seconds`, `peak_memory_mb`.

    Raises:
        UserError: a step failed.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        workspace = Path(name)
        raw, prepared, summary = (workspace / folder for folder in ("raw", "prepared", "summary"))
        source: list[measure.Word] = ["--synthetic-images", images, "--synthetic-size", synthetic_size]
        steps: dict[str, list[measure.Word]] = {
            "ingest": ["ingest", "--source", "synthetic", *source, "--output", raw],
            "preprocess": ["preprocess", raw, "--output", prepared, "--summary", summary, "--image-size", image_size],
        }
        for regime in regimes:
            steps[f"train {regime}"] = [
                *("train", prepared, regime, "--output", workspace / regime),
                *("--weights", "none", "--epochs", epochs, "--patience", 0, "--seeds", 1),
            ]
        for step, (module, *words) in steps.items():
            measured = measure.run(["-m", f"components.{module}", *words], _show_progress)
            took = f"{measured.seconds:.1f} s, peak memory {measured.peak_memory_mb:,.0f} MB"
            console.say("scale", f"{images} images, {step}: {took}")
            rows.append(
                {
                    "images": images,
                    "step": step,
                    "seconds": round(measured.seconds, 3),
                    "peak_memory_mb": round(measured.peak_memory_mb, 1),
                }
            )
    return rows


def _show_progress(line: str) -> None:
    """Prints progress messages of a step, but no other output such as TensorFlow's."""
    if line.startswith(console.PREFIX) and not line.startswith(f"{console.PREFIX}error: "):
        print(line, flush=True)


def _table(rows: list[dict[str, Any]]) -> str:
    """The results, sorted by step."""
    order = list(dict.fromkeys(row["step"] for row in rows))
    return measure.table(
        ["step", "images", "seconds", "images/s", "peak MB"],
        [
            [
                row["step"],
                f"{row['images']:,}",
                f"{row['seconds']:,.1f}",
                f"{row['images'] / row['seconds']:,.0f}",
                f"{row['peak_memory_mb']:,.0f}",
            ]
            for row in sorted(rows, key=lambda row: order.index(row["step"]))
        ],
    )


if __name__ == "__main__":
    main()
