"""Translates full fine-tuning's steps for XLA, as they are on a GPU: python -m tests.train.lowered BACKBONE...

Without the machine code, which takes XLA a minute or two for a backbone: an operation that XLA does not have is found
before. A process of its own, as `compiled`.
"""

import sys

import keras
import numpy as np

from components.artifacts.names import REGIMES
from components.train import backbones, device, fitting, networks
from components.train.augmentation import RadiographAugmentation
from components.train.batches import Batches
from components.train.recipe import Recipe
from components.train.steps import StepsTogether

SIZE, STEPS = 32, 8


class LoweredError(Exception):
    """Raised in place of the first call."""


def main(*names: str) -> None:
    """Translates the steps for each backbone; fails where an operation has no counterpart."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    device.steps_together = device.jit_compile = lambda: True
    {"tensorflow": lower_with_tensorflow, "jax": lower_with_jax}[keras.backend.backend()]()
    for name in names:
        chunk, together = steps(name)
        try:
            together.call(chunk)
        except LoweredError as lowered:
            print(f"{name}: {lowered}")
        else:
            raise AssertionError(f"{name}: the steps were not translated")


def steps(name):
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=1e-3, patience=0)
    base = backbones.build_backbone(name, "none", SIZE)
    network = networks.on_backbone(base, networks.trainable_layers(base, REGIMES[-1], 0), recipe, False)
    image = keras.Input((SIZE, SIZE, 1))
    model = keras.Sequential([image, RadiographAugmentation(recipe, 1), network.front, network.network])
    fitting._compile(model, STEPS, 1e-3, recipe)
    images = np.zeros((1, 8 * STEPS, SIZE, SIZE, 1), np.uint8)
    batches = Batches([images], np.arange(8 * STEPS) % 2, np.ones(8 * STEPS), 8, seed=1)
    return next(batches.chunks(0, STEPS)), StepsTogether(model, batches)


def lower_with_tensorflow():
    import tensorflow as tf  # noqa: PLC0415

    plain = tf.function

    class Lowered:
        def __init__(self, function):
            self.function = function

        def get_concrete_function(self, *arguments):
            text = self.function.experimental_get_compiler_ir(*arguments)(stage="hlo")
            raise LoweredError(f"{text.count(chr(10))} lines")

    tf.function = lambda **options: lambda function: Lowered(plain(**options)(function))


def lower_with_jax():
    import jax  # noqa: PLC0415

    plain = jax.jit

    def lowered(function, **options):
        compiled = plain(function, **options)

        def lower(*arguments):
            text = compiled.lower(*arguments).as_text()
            raise LoweredError(f"{text.count(chr(10))} lines")

        return lower if function.__name__ == "run" else compiled

    jax.jit = lowered


if __name__ == "__main__":
    main(*sys.argv[1:])
