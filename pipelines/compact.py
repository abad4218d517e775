"""Shortens components, because a run's status repeats their texts."""

import copy
import re

from kfp.dsl.python_component import PythonComponent

from components.step import interface


def compact(component: PythonComponent) -> PythonComponent:
    """A copy of a component whose command imports its function instead of containing its source.

    A run's workflow repeats a task's command about eight times (`workflow_size`), and the function is in the image.

    Args:
        component: created by `components.step.step`.
    """
    shorter = copy.deepcopy(component)
    container = shorter.component_spec.implementation.container
    *shell, script, _ = container.command
    # kfp indents the continuation lines of the script.
    container.command = [*shell, re.sub(" {2,}", " ", script), _source(component)]
    return shorter


def bare(component: PythonComponent) -> PythonComponent:
    """A compact copy without the descriptions of its inputs, which the workflow repeats as well.

    The inputs of the pipeline keep their descriptions for Kubeflow's run form, and so do the components' YAML files.
    """
    shorter = compact(component)
    for spec in shorter.component_spec.inputs.values():
        spec.description = None
    return shorter


def _source(component: PythonComponent) -> str:
    function = component.python_func
    module, name = function.__module__, function.__name__
    return f"from components.step import load\n{name} = load({module!r}, {name!r}, {interface(function)!r})"
