"""Compares training with this project and with plain Keras on the same images: python -m benchmarks.speed."""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure, speed_images
from benchmarks.plain_keras import REGIMES
from benchmarks.speed_table import difference, table
from components import console
from components.artifacts.evaluation import load_all
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.speed --weights none --json speed.json
      on simulated radiographs, the networks starting from random weights
  python -m benchmarks.speed --path ~/chest_xray --images 960 --epochs 10 --repetitions 3
      on 960 training images of ~/chest_xray/{train,test}/{NORMAL,PNEUMONIA}, with weights of ImageNet
  python -m benchmarks.speed --path ~/chest_xray --repetitions 5 --project-epochs 3 1 1 2
      the time that this project takes to plain Keras's quality after ten epochs, with so many epochs of each regime
  python -m benchmarks.speed --weights none --epochs 3 --regimes custom_cnn transfer_learning --cache"""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, trains everything twice, prints times, memory and ROC AUC side by side."""
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        _check(arguments)
        with tempfile.TemporaryDirectory(prefix="speed-") as folder:
            results = run(arguments, Path(folder))
        if arguments.json:
            settings = {
                name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()
            }
            measure.write_json(arguments.json, {"benchmark": "speed", "arguments": settings} | results)
    print(f"\n{table(results)}\n\n{measure.describe(measure.machine())}")


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measures in `folder`, alternating between plain Keras and this project, each training in a new process.

    Returns:
        `images` (number in each split), `preparation_seconds` (preprocess, and ingest unless it simulates), `regimes`
        (for each regime and each of both: the runs, medians of time, memory and ROC AUC on the test split; the ratio of
        times and the `difference` in ROC AUC), `together` (wall time of all regimes, including start-up and this
        project's preparation; where it was asked for, `whole_run`, that of a run of the pipeline).

    Raises:
        UserError: a process failed.
    """
    source = _source(arguments, folder / "source")
    prepared, preparation = _prepare(arguments, source, folder)
    images = speed_images.export(folder / "raw", prepared, folder / "images")
    counts = ", ".join(f"{name} {count}" for name, count in images.items())
    console.say("speed", f"images: {counts}; prepared in {preparation:.1f} s")
    runs: dict[str, dict[str, list[dict[str, float]]]] = {
        regime: {"plain_keras": [], "project": []} for regime in arguments.regimes
    }
    for repetition in range(arguments.repetitions):
        for regime, both in runs.items():
            for name, train in (("plain_keras", _plain_keras), ("project", _project)):
                both[name].append(train(arguments, folder, regime, repetition + 1))
                took = both[name][-1]
                console.say(
                    "speed",
                    f"{regime}, {name}: trained in {took['train_seconds']:.1f} s, peak memory "
                    f"{took['peak_memory_mb']:,.0f} MB, ROC AUC {took['roc_auc']:.4f}",
                )
    regimes: dict[str, dict[str, Any]] = {
        regime: {name: _medians(several) for name, several in both.items()} for regime, both in runs.items()
    }
    for compared in regimes.values():
        compared["speed_up"] = compared["plain_keras"]["train_seconds"] / compared["project"]["train_seconds"]
        compared["difference"] = difference(*(compared[name]["runs"] for name in ("project", "plain_keras")))
    together = {
        name: sum(compared[name]["process_seconds"] for compared in regimes.values())
        for name in ("plain_keras", "project")
    }
    together["project"] += preparation
    if arguments.whole_run:
        together["whole_run"] = _whole_run(arguments, source, folder / "runs")
        console.say("speed", f"whole run: {together['whole_run']:.1f} s")
    return {
        "images": images,
        "preparation_seconds": preparation,
        "regimes": regimes,
        "together": together | {"speed_up": together["plain_keras"] / together["project"]},
    }


def _source(arguments: argparse.Namespace, folder: Path) -> list[measure.Word]:
    """Options of ingest; of a folder of images a sample is copied to `folder`."""
    if arguments.path:
        return ["--source", "directory", "--path", speed_images.sample(arguments.path, arguments.images, folder)]
    # 20% of the simulated radiographs are the test split.
    return ["--source", "synthetic", "--synthetic-images", round(arguments.images / speed_images.TRAINED_SHARE / 0.8)]


def _prepare(arguments: argparse.Namespace, source: list[measure.Word], folder: Path) -> tuple[PreparedDataset, float]:
    """Runs ingest and preprocess; returns the prepared dataset and the seconds, without those of a simulation."""
    ingest = measure.run(["-m", "components.ingest", *source, "--output", folder / "raw"])
    words: list[measure.Word] = [
        "--output",
        folder / "prepared",
        "--summary",
        folder / "summary",
        "--image-size",
        arguments.image_size,
    ]
    preprocess = measure.run(["-m", "components.preprocess", folder / "raw", *words])
    seconds = preprocess.seconds + (ingest.seconds if arguments.path else 0.0)
    return PreparedDataset.load(folder / "prepared"), seconds


def _plain_keras(arguments: argparse.Namespace, folder: Path, regime: str, seed: int) -> dict[str, float]:
    output = folder / "plain_keras.json"
    words: list[measure.Word] = ["--data", folder / "images", "--output", output, "--regime", regime, "--seed", seed]
    words += ["--image-size", arguments.image_size, *["--cache"] * arguments.cache]
    measured = measure.run(["-m", "benchmarks.plain_keras", *_common(arguments, arguments.epochs), *words])
    result = json.loads(output.read_text(encoding="utf-8"))
    # This project does not score in its training processes.
    return result | {"process_seconds": measured.seconds - result.pop("scoring_seconds")}


def _project(arguments: argparse.Namespace, folder: Path, regime: str, seed: int) -> dict[str, float]:
    prepared, model, scores = folder / "prepared", folder / "model", folder / "scores"
    words: list[measure.Word] = [
        "--output",
        model,
        "--patience",
        arguments.project_patience,
        "--seed",
        seed,
        "--seeds",
        1,
        *_common(arguments, _project_epochs(arguments, regime)),
    ]
    measured = measure.run(["-m", "components.train", prepared, regime, *words])
    measure.run(["-m", "components.evaluate", prepared, model, "--output", scores])
    (scored,) = load_all(scores)
    evaluation = scored.results
    cost = evaluation["training"]["cost"]
    return {
        "train_seconds": cost["train_seconds"],
        "peak_memory_mb": cost["peak_memory_mb"],
        "roc_auc": evaluation["metrics"]["test"]["roc_auc"],
        "changed_roc_auc": statistics.mean(
            area for change, area in evaluation["robustness"].items() if change != "unchanged"
        ),
        "process_seconds": measured.seconds,
    }


def _whole_run(arguments: argparse.Namespace, source: list[measure.Word], folder: Path) -> float:
    """Seconds of a run of the pipeline, from the images to the report, with plain Keras's number of epochs."""
    words: list[measure.Word] = ["--regimes", *arguments.regimes, "--patience", 0, "--seeds", 1, "--output", folder]
    words += ["--image-size", arguments.image_size, *_common(arguments, arguments.epochs)]
    # It is recorded in `folder`, and tells nobody.
    own = {"MLFLOW_TRACKING_URI": "", "PNEUMONIA_BENCHMARK_NOTIFY_URL": ""}
    return measure.run(["-m", "pipelines.local", *source, *words], environment=own).seconds


def _project_epochs(arguments: argparse.Namespace, regime: str) -> int:
    given: list[int] = arguments.project_epochs or [arguments.epochs]
    return given[arguments.regimes.index(regime)] if len(given) > 1 else given[0]


def _common(arguments: argparse.Namespace, epochs: int) -> list[measure.Word]:
    """Options that plain Keras and this project have in common."""
    return ["--weights", arguments.weights, "--epochs", epochs, "--batch-size", arguments.batch_size]


def _medians(runs: list[dict[str, float]]) -> dict[str, Any]:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]} | {"runs": runs}


def _check(arguments: argparse.Namespace) -> None:
    """Finds mistakes in the options that would otherwise appear only minutes later."""
    for name in ("images", "image_size", "epochs", "batch_size", "repetitions"):
        lowest = 32 if name == "image_size" else 1
        if getattr(arguments, name) < lowest:
            raise UserError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}, but must be at least {lowest}")
    if arguments.project_epochs and min(arguments.project_epochs) < 1:
        raise UserError(f"--project-epochs has {min(arguments.project_epochs)}, but must be at least 1")
    if len(arguments.project_epochs or []) not in (0, 1, len(arguments.regimes)):
        raise UserError(
            f"--project-epochs has {len(arguments.project_epochs)} numbers for {len(arguments.regimes)} regimes: give "
            "one number, or one for each regime"
        )
    if arguments.whole_run and (not arguments.path or arguments.project_epochs or arguments.project_patience):
        raise UserError("--whole-run needs --path, and neither --project-epochs nor --project-patience")
    if arguments.project_patience < 0:
        raise UserError(f"--project-patience is {arguments.project_patience}, but must be 0 or more")
    if arguments.path and not arguments.path.is_dir():
        raise UserError(f"there is no folder {arguments.path}: check --path")
    if arguments.weights not in ("imagenet", "none") and not Path(arguments.weights).is_file():
        raise UserError(f"there is no weights file {arguments.weights}: give --weights a path, 'imagenet' or 'none'")
    if arguments.json and not arguments.json.resolve().parent.is_dir():
        raise UserError(f"there is no folder {arguments.json.parent} for {arguments.json.name}: create it first")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="Trains every regime with this project and with plain Keras, alternately, on the same images, "
        "with the same weights and batch size and, unless told otherwise, number of epochs (transfer learning is "
        "solved here, without epochs), and compares time, memory and ROC AUC.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--path", type=Path, help="folder with {train,test}/{NORMAL,PNEUMONIA}; default: simulated radiographs")
    add("--images", type=int, default=960, metavar="N", help="training images, approximately; default: %(default)s")
    add("--weights", default="imagenet", help="imagenet, none (random) or a Keras weights file; default: %(default)s")
    add("--image-size", type=int, default=96, metavar="PX", help="default: %(default)s")
    add("--epochs", type=int, default=10, metavar="N", help="default: %(default)s")
    add(
        "--project-epochs",
        type=int,
        nargs="+",
        metavar="N",
        help="most epochs of this project's trainings, for the time to plain Keras's quality: one number, or one for "
        "each regime; default: as --epochs",
    )
    add(
        "--project-patience",
        type=int,
        default=0,
        metavar="N",
        help="stops its trainings after so many epochs without a better validation ROC AUC; default: never",
    )
    add("--batch-size", type=int, default=32, metavar="N", help="default: %(default)s")
    add("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME", help="default: all four")
    add("--repetitions", type=int, default=1, metavar="N", help="each with its own seed; default: %(default)s")
    add("--cache", action="store_true", help="let plain Keras keep decoded images in memory, which is not its default")
    add("--whole-run", action="store_true", help="also time a run on --path, with evaluation and report")
    add("--json", type=Path, metavar="FILE", help="file for the results")
    return parser


if __name__ == "__main__":
    main()
