"""Trains on a CPU as on one GPU, everything compiled with XLA: python -m tests.train.compiled PREPARED OUTPUT REGIME..

A process of its own, since it must not have TensorFlow's deterministic operations, with which Keras compiles nothing.
"""

import sys
import time
import warnings
from pathlib import Path

import keras

from components.parameters import TrainParameters
from components.train import batches, device
from components.train import train as train_module


def main(prepared: str, output: str, backbone: str, *regimes: str) -> None:
    """Trains each regime; fails where Keras would leave out XLA with no more than a warning."""
    warnings.filterwarnings("error", message=".*jit_compile")
    batches.GPU_FORWARD_BATCH = 16  # those of a GPU would take a CPU most of the time
    device.jit_compile = device.steps_together = device._has_bfloat16 = lambda: True
    keras.Model._resolve_auto_jit_compile = lambda _: True  # what it does on a GPU
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 (only where it is the backend)

        tf.config.experimental.enable_op_determinism = lambda: None
    for regime in regimes:
        begun = time.perf_counter()
        parameters = TrainParameters(weights="none", backbone=backbone, epochs=1, patience=0, batch_size=32, seeds=1)
        train_module.train(prepared, Path(output, regime), regime, parameters)
        print(f"{regime}, {backbone}: {time.perf_counter() - begun:.0f} s")
    print("imported:", *sorted({"tensorflow", "jax"} & sys.modules.keys()))


if __name__ == "__main__":
    main(*sys.argv[1:])
