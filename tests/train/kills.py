"""Kills trainings at random moments; they must end with the predictions of a training that was left alone, bit for bit.

`python -m tests.train.kills` prints a table. Each row is a training in processes of its own: one that is killed with
SIGKILL at a random moment, and one that is started after it with the same folder of checkpoints.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.artifacts import trained_model
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import PREFIX

HEADER = ("regime", "killed after", "it had printed", "the next process", "same predictions", "same history")


@dataclass(frozen=True)
class Result:
    """What a training gave: predictions of the test images, and losses and scores of all epochs."""

    predictions: np.ndarray
    history: list[dict]
    resumed: int


def command(dataset: Path, regime: str, output: Path, options: list[str], checkpoints: Path | None) -> list[str]:
    words = [sys.executable, "-m", "components.train", str(dataset), regime, "--output", str(output), *options]
    return words + (["--checkpoints", str(checkpoints)] if checkpoints else [])


def result(dataset: Path, output: Path) -> Result:
    from components.inference.loading import load_model  # noqa: PLC0415 (imports TensorFlow)
    from components.inference.scoring import score  # noqa: PLC0415

    model = trained_model.load_all(output)[-1]
    images = PreparedDataset.load(dataset).splits["test"].images
    history = [
        {name: value for name, value in entry.items() if name != "seconds"} for entry in model.training["history"]
    ]
    return Result(score(load_model(model.model_file), images), history, model.training.get("resumed", 0))


def killed(words: list[str], seconds: float, log: Path) -> bool:
    """Runs a command and kills it after some seconds; tells whether it was still running."""
    with log.open("w") as lines:
        process = subprocess.Popen(words, stdout=lines, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


def last(log: str, but: str = "") -> str:
    """The last progress message of a log, shortened."""
    lines = [line.partition(PREFIX)[2] for line in log.splitlines() if PREFIX in line]
    found = [line for line in lines if not but or but in line]
    return found[-1].partition(": ")[2].partition(", loss")[0] if found else "nothing yet"


def row(
    dataset: Path, regime: str, options: list[str], seconds: float, expected: Result, folder: Path
) -> tuple[str, ...]:
    """Kills one training after some seconds and lets another process end it."""
    words = command(dataset, regime, folder / "model", options, folder / "checkpoints")
    while not killed(words, seconds, folder / "killed.log"):
        seconds *= 0.8  # it had ended: trainings do not always take the same time
    before = last((folder / "killed.log").read_text())
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = result(dataset, folder / "model")
    left = [path.name for path in (folder / "checkpoints").rglob("*")]
    assert not left, f"checkpoints are left: {left}"
    continued = last(done.stdout, "continues after") if "continues after" in done.stdout else "starts anew"
    if "continues after" not in done.stdout and found.resumed:
        continued = "takes the stored features"
    return (
        regime,
        f"{seconds:.1f} s",
        before,
        continued,
        "yes" if np.array_equal(found.predictions, expected.predictions) else "NO",
        "yes" if found.history == expected.history else "NO",
    )


def rows(dataset: Path, regimes: list[str], count: int, options: list[str], seed: int, folder: Path):
    """The rows of the table, as they are found."""
    chance = np.random.default_rng(seed)
    for regime in regimes:
        begun = time.monotonic()
        words = command(dataset, regime, folder / regime, options, None)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            first = next((time.monotonic() - begun for line in process.stdout if PREFIX in line), 0.0)
            process.stdout.read()
        whole = time.monotonic() - begun
        expected = result(dataset, folder / regime)
        for number in range(count):
            own = folder / f"{regime}-{number}"
            own.mkdir()
            yield row(dataset, regime, options, chance.uniform(first, whole), expected, own)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.train.kills", description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder that preprocess wrote")
    parser.add_argument("--rows", type=int, default=5, metavar="N", help="kills of each regime; default: %(default)s")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the moments; default: %(default)s")
    parser.add_argument(
        "--options",
        type=json.loads,
        default=["--weights", "bundled", "--backbone", "MobileNetV2-0.5", "--seeds", "1"],
        metavar="JSON",
        help="of the trainings, as a JSON list; default: %(default)s",
    )
    given = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |\n" + "| --- " * len(HEADER) + "|", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        for found in rows(given.dataset, given.regimes, given.rows, given.options, given.seed, Path(folder)):
            print("| " + " | ".join(found) + " |", flush=True)


if __name__ == "__main__":
    main()
