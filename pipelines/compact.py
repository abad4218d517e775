"""The source that travels in the YAML, as short as it can be without changing what it does."""

import ast
import copy
import re

from kfp.dsl.base_component import BaseComponent


def compact(component: BaseComponent) -> BaseComponent:
    """A copy of a component whose command holds its function without docstring, comments and layout.

    A run's workflow repeats a task's command about eight times (`workflow_size`), and the docstring's words are in the
    component's specification, from which Kubeflow shows them, all the same.

    Args:
        component: made of a Python function by `dsl.component`.
    """
    shorter = copy.deepcopy(component)
    container = shorter.component_spec.implementation.container
    *shell, script, source = container.command
    # kfp indents the lines that the script continues on.
    container.command = [*shell, re.sub(" {2,}", " ", script), short_source(source)]
    return shorter


def short_source(source: str) -> str:
    """A module's source without comments, layout and docstrings of functions."""
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            # A function needs a body.
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(module)
