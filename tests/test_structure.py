"""Rules of the source tree that no linter checks: how long files and functions may be."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("components", "pipelines", "images", "benchmarks", "pretraining")
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
REASON = "reads better whole"
"""A comment with these words and the reason allows more lines."""


def sources():
    return [path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py"))]


def lines_of(function: ast.FunctionDef) -> int:
    """The lines of a function without its docstring and decorators."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.end_lineno - function.lineno + 1 - documented * (first.end_lineno - first.lineno + 1)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_file_and_its_functions_are_short_or_say_why_not(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= LONGEST_FILE or REASON in text
    long = [
        f"{node.name}: {lines_of(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and lines_of(node) > LONGEST_FUNCTION
        and REASON not in "\n".join(lines[node.lineno - 1 : node.end_lineno])
    ]
    assert not long
