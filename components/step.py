"""How a function becomes a step of a Kubeflow pipeline, and how the step's container finds it again."""

import importlib
import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from kfp import dsl

from components import process
from components.console import UserError, plain_errors


def step(image: str) -> Callable[[Callable], Any]:
    """Makes a typed function a lightweight component of kfp, on an image that has all it needs.

    In the container, where kfp has no compiler, the function stays as it is.

    Args:
        image: name of the image.
    """
    if hasattr(dsl, "component"):
        return dsl.component(base_image=image, install_kfp_package=False)
    return lambda function: function


def interface(function: Callable) -> str:
    """A few digits that change with the names of a function's parameters, artifacts included."""
    return sha256(" ".join(inspect.signature(function).parameters).encode()).hexdigest()[:6]


def load(module: str, name: str, expected: str) -> Callable:
    """The function of a step: all that a compiled pipeline carries of its source is a call of this.

    Args:
        module: where the function is.
        name: of the function.
        expected: its `interface` in the version of this project that compiled the pipeline.

    Raises:
        SystemExit: with code 2 where the image has another version of the step, which would leave out parameters
            without a word.
    """
    process.prepare()
    function = getattr(importlib.import_module(module), name)
    function = getattr(function, "python_func", function)
    with plain_errors():
        if interface(function) != expected:
            raise UserError(
                f"the image has another version of the step {name} than the pipeline was compiled with: build the "
                "images and compile the pipeline from the same version of the project"
            )
    return function
