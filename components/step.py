"""How a function becomes a step of a Kubeflow pipeline, and how the step's container finds it again."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, get_type_hints

from kfp import dsl

from components import process
from components.console import UserError, plain_errors
from components.parameters import Parameter, Parameters, described


def step(image: str) -> Callable[[Callable], Any]:
    """Makes a typed function a lightweight component of kfp, on an image that has all it needs.

    Where the function takes an object of a `Parameters` class, the component has an input for each of its parameters.
    Its command names the function, which is in the image, instead of holding its source: the status of a run repeats
    the command of a task about eight times (`pipelines.workflow_size`).
    In the container, where kfp has no compiler, the function is not made a component.

    Args:
        image: name of the image.
    """

    def make(function: Callable) -> Any:
        taking = taking_each(function)
        if not hasattr(dsl, "component"):
            return taking
        component = dsl.component(base_image=image, install_kfp_package=False)(taking)
        container = component.component_spec.implementation.container
        *shell, script, _ = container.command
        # kfp indents the lines that the script continues on.
        container.command = [*shell, re.sub(" {2,}", " ", script), _source(taking)]
        return component

    return make


def _source(function: Callable) -> str:
    module, name = function.__module__, function.__name__
    return f"from components.step import load\n{name} = load({module!r}, {name!r}, {interface(function)!r})"


def taking_each(function: Callable) -> Callable:
    """The function with an argument for each parameter in place of its argument of a `Parameters` class.

    Args:
        function: has at most one such argument; its docstring need not describe it.
    """
    kinds = get_type_hints(function, include_extras=True)
    for name, kind in kinds.items():
        if isinstance(kind, type) and issubclass(kind, Parameters):
            return _taking_each(function, name, kind)
    return function


def _taking_each(function: Callable, argument: str, step_parameters: type[Parameters]) -> Callable:
    own = described(step_parameters)

    def call(**values: Any) -> Any:
        with plain_errors():
            parameters = step_parameters(**{name: values.pop(name) for name in own if name in values})
        return function(**values, **{argument: parameters})

    before = list(inspect.signature(function).parameters.values())
    place = [parameter.name for parameter in before].index(argument)
    describe(call, [*before[:place], *inputs(own.items()), *before[place + 1 :]], function.__doc__ or "", own.items())
    call.__name__ = call.__qualname__ = function.__name__
    call.__module__ = function.__module__
    return call


def inputs(parameters: Iterable[tuple[str, Parameter]]) -> list[inspect.Parameter]:
    """The arguments of a function that takes each parameter, under the name that is given with it."""
    return [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=own.default, annotation=own.kind)
        for name, own in parameters
    ]


def describe(
    function: Callable,
    arguments: list[inspect.Parameter],
    text: str,
    parameters: Iterable[tuple[str, Parameter]],
) -> None:
    """Gives a function the signature and the docstring by which kfp knows its inputs.

    Args:
        function: gets them.
        arguments: of the signature.
        text: a docstring that ends with the section "Args" or has none.
        parameters: are appended to that section, each under the name that is given with it.
    """
    vars(function)["__signature__"] = inspect.Signature(arguments)
    function.__annotations__ = {argument.name: argument.annotation for argument in arguments}
    text = inspect.cleandoc(text)
    section = "" if "\nArgs:" in text else "\n\nArgs:"
    lines = [f"    {name}: {own.description}." for name, own in parameters]
    function.__doc__ = "\n".join([text + section, *lines, ""])


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
