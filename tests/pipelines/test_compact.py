"""The source in the YAML: short, and the same function as the component's."""

import ast

import pytest
import yaml
from kfp import dsl, local

from compile import COMPONENTS, compile_all
from pipelines.compact import compact, short_source
from pipelines.settings import Settings


def source(component):
    return component.component_spec.implementation.container.command[-1]


def function(text):
    (found,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return found


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_shorter_source_has_the_same_signature_and_body(component):
    before, after = function(source(component)), function(source(compact(component)))
    assert ast.dump(after.args) == ast.dump(before.args)
    assert after.name == before.name
    assert ast.get_docstring(before)
    assert [ast.dump(line) for line in after.body] == [ast.dump(line) for line in before.body[1:]]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_nothing_else_of_the_component_changes(component):
    old = source(component)
    shorter = compact(component)
    assert source(component) == old, "the component itself stays as it is"
    before, after = component.component_spec, shorter.component_spec
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    assert after.description == before.description
    container, old_container = after.implementation.container, before.implementation.container
    assert [" ".join(word.split()) for word in container.command[:-1]] == [
        " ".join(word.split()) for word in old_container.command[:-1]
    ]
    assert (container.image, container.args) == (old_container.image, old_container.args)


def test_every_source_in_every_yaml_is_short_and_inputs_keep_their_descriptions(tmp_path):
    for file in compile_all(Settings(), tmp_path):
        found = next(yaml.safe_load_all(file.read_text()))
        for executor in found["deploymentSpec"]["executors"].values():
            text = executor["container"]["command"][-1]
            assert ast.get_docstring(function(text)) is None
            assert text == ast.unparse(ast.parse(text)), "no comments, no layout"
            assert "   " not in executor["container"]["command"][-2]
        for component in found["components"].values():
            if "executorLabel" in component:
                for kind in component["inputDefinitions"].values():
                    assert all(value["description"] for value in kind.values())


def test_only_docstrings_comments_and_layout_go():
    assert (
        short_source('''
import os  # noqa: F401


def outer(a: str = "x"):
    """What it does."""

    def inner():
        """Nothing."""

    text = "# no comment"
    """Of text."""
    return (
        text,
        inner,
    )
''')
        == """import os

def outer(a: str='x'):

    def inner():
        pass
    text = '# no comment'
    'Of text.'
    return (text, inner)"""
    )


def test_a_function_without_a_docstring_keeps_its_first_line():
    assert short_source("def f():\n    return 1") == "def f():\n    return 1"


def test_what_is_compacted_runs(tmp_path):
    @dsl.component(base_image="python:3.12", install_kfp_package=False)
    def double(number: int) -> int:
        """Doubles.

        Args:
            number: any.
        """
        return 2 * number  # twice

    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path))
    assert compact(double)(number=4).output == 8
