"""Jinja templates of pages: texts are escaped, wherever they come from, and an unknown variable is an error."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components import look


def environment(folder: Path) -> Environment:
    """For the templates of a folder, which can include the style sheet that all pages have in common."""
    return Environment(
        loader=FileSystemLoader([folder, look.FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
