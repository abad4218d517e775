"""One training for `benchmarks.gpu`: how fast its steps are, and how fast they are without waiting for data.

python -m benchmarks.gpu_training DATASET REGIME --output FILE
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from components import console
from components.artifacts import files
from components.artifacts.names import BACKBONES, REGIMES
from components.parameters import TrainParameters
from components.train import device, session
from components.train import train as train_module
from components.train.batches import Chunk
from components.train.fitting import Losses, Phase
from components.train.steps import StepLosses

REPEATED_SECONDS = 1.0
"""For how long the step is repeated with the same batch."""


class MeasuredPhase(Phase):
    """A phase that notes the time of its epochs; then its step is repeated with one batch that is there already.

    Attributes:
        found: what the last phase of the process measured: the time of the training steps of each epoch (s), images in
            an epoch, and images/s of the repeated step.
        repeating_seconds: time that repeating steps took in all phases.
    """

    found: ClassVar[dict[str, Any]] = {}
    repeating_seconds: ClassVar[float] = 0.0

    def run(self, report: Callable[[Losses], None], pause: Callable[[bool], None] = lambda _: None) -> bool:
        """As in `Phase`."""
        self._seconds: list[float] = []
        diverged = super().run(report, pause)
        begun, weights = time.perf_counter(), self._model.get_weights()
        repeated = self._repeat_together() if self._together else self._repeat_single()
        self._model.set_weights(weights)
        MeasuredPhase.repeating_seconds += time.perf_counter() - begun
        size = len(next(self._batches.following(0))[2])
        MeasuredPhase.found = {
            "epoch_seconds": self._seconds,
            "images": size * len(self._batches),
            "repeated_images_per_second": size * repeated,
        }
        return diverged

    def _train_epoch(self, pause: Callable[[bool], None]) -> None:
        begun = time.perf_counter()
        super()._train_epoch(pause)
        _ = self._losses.values  # they may still be computed
        self._seconds.append(time.perf_counter() - begun)

    def _repeat_together(self) -> float:
        """Steps a second."""
        together = self._together
        assert together is not None  # noqa: S101 (for mypy)
        chunk = next(self._batches.chunks(0, together.size))
        arrays = [keras.ops.convert_to_tensor(array) for array in chunk.arrays]
        rows, labels, weights = (
            np.repeat(part[:1], together.size, axis=0) for part in (chunk.rows, chunk.labels, chunk.weights)
        )
        same = Chunk(arrays, rows, labels, weights, together.size)
        return _rate(lambda losses: losses.add_later(together.call(same), together.size))

    def _repeat_single(self) -> float:
        """Steps a second."""
        inputs, labels, weights = device.share(next(self._batches.following(0)))

        def step(losses: StepLosses) -> None:
            logs = self._model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)
            losses.add(float(logs["loss"]))

        return _rate(step)


def _rate(make: Callable[[StepLosses], None]) -> float:
    """How many steps a second `make` makes, which adds their losses."""
    make(first := StepLosses())
    _ = first.values
    losses, begun = StepLosses(), time.perf_counter()
    while time.perf_counter() - begun < REPEATED_SECONDS:
        make(losses)
    return len(losses.values) / (time.perf_counter() - begun)


def measure(dataset: Path, regime: str, parameters: TrainParameters) -> dict[str, Any]:
    """Trains a regime once, for at least two epochs.

    Returns:
        `images_per_second` (of the steps of the training, median of the epochs after the first, which compiles),
        `repeated_images_per_second` (the same with one batch again and again), `busy` (the ratio of both),
        `first_seconds` (steps of the first epoch); these are None without steps; `train_seconds` (the whole training),
        `epochs`, `peak_memory_mb`, `peak_gpu_memory_mb`, `hardware`, `deterministic`, `backend`, `policy`.
    """
    setattr(session, "Phase", MeasuredPhase)  # noqa: B010 (mypy: an assignment)
    MeasuredPhase.found, MeasuredPhase.repeating_seconds = {}, 0.0
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        (record,) = train_module.train(dataset, Path(folder) / "model", regime, parameters)
    cost = record["cost"]
    return _steps(MeasuredPhase.found) | {
        "train_seconds": cost["train_seconds"] - MeasuredPhase.repeating_seconds,
        "epochs": cost["epochs"],
        "peak_memory_mb": cost["peak_memory_mb"],
        "peak_gpu_memory_mb": cost["peak_gpu_memory_mb"],
        "hardware": record["hardware"],
        "deterministic": record.get("deterministic"),
        "backend": keras.backend.backend(),
        "policy": keras.config.dtype_policy().name,
    }


def _steps(found: dict[str, Any]) -> dict[str, float | None]:
    """What was measured of the steps; None where there were none, since only the head was solved."""
    if not found:
        return dict.fromkeys(("images_per_second", "repeated_images_per_second", "busy", "first_seconds"))
    rate = found["images"] / statistics.median(found["epoch_seconds"][1:])
    return {
        "images_per_second": rate,
        "repeated_images_per_second": found["repeated_images_per_second"],
        "busy": min(1.0, rate / found["repeated_images_per_second"]),
        "first_seconds": found["epoch_seconds"][0],
    }


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, trains, writes what was measured as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_training", description=main.__doc__)
    parser.add_argument("dataset", type=Path, help="folder that preprocess wrote")
    parser.add_argument("regime", choices=REGIMES)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--backbone", choices=BACKBONES, default=BACKBONES[0], metavar="NAME")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N")
    parser.add_argument("--deterministic", action="store_true")
    values = vars(parser.parse_args(words))
    dataset, regime, output = (values.pop(name) for name in ("dataset", "regime", "output"))
    parameters = TrainParameters(weights="none", patience=0, seeds=1, **values)
    with console.plain_errors():
        files.write_json(output, measure(dataset, regime, parameters))


if __name__ == "__main__":
    main()
