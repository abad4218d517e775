"""Parameters as options of a command line, as settings of `pipelines.submit`, and as the table in docs/options.md.

`python -m components.options > docs/options.md` writes that page.
"""

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from components.artifacts.names import SOURCE_URLS, SOURCES
from components.console import UserError
from components.parameters import PIPELINE, Parameter, Range, Several, check_budgets, check_comparison, check_training
from components.source_checks import check_source

_ARCHIVES = ("https://", "http://")


def option(name: str) -> str:
    """A parameter as an option of `pipelines.local`."""
    return f"--{name.replace('_', '-')}"


def setting(name: str) -> str:
    """A parameter as an option of `pipelines.submit`."""
    return f"--set {name}="


def add_options(parser: argparse.ArgumentParser, parameters: Iterable[tuple[str, Parameter]]) -> None:
    """Adds an option for each parameter, with its default, range and meaning.

    Args:
        parser: gets the options.
        parameters: each with the name that the option and its value have.
    """
    for name, parameter in parameters:
        if parameter.kind is bool and parameter.default:
            parser.add_argument(
                f"--no-{name.replace('_', '-')}", dest=name, action="store_false", help=f"do not {parameter.meaning}"
            )
        elif parameter.kind is bool:
            parser.add_argument(option(name), action="store_true", help=parameter.meaning)
        elif isinstance(parameter.allowed, Several):
            _add_several(parser, name, parameter, parameter.allowed)
        else:
            default = "" if parameter.default == "" else "; default: %(default)s"
            parser.add_argument(
                option(name),
                type=_reader(parameter),
                default=parameter.default,
                metavar=parameter.unit,
                help=parameter.description.replace("%", "%%") + default,
            )


def _add_several(parser: argparse.ArgumentParser, name: str, parameter: Parameter, allowed: Several) -> None:
    class Join(argparse.Action):
        """Makes one text of the numbers."""

        def __call__(self, _parser: Any, namespace: Any, values: Any, _option: str | None = None) -> None:
            text = " ".join(values) or allowed.usual
            if text not in allowed:
                raise argparse.ArgumentError(self, f"{text!r} is not {allowed}")
            setattr(namespace, self.dest, text)

    usual = f" (without numbers: {allowed.usual})" if allowed.usual else ""
    parser.add_argument(
        option(name),
        action=Join,
        nargs="*" if allowed.usual else "+",
        default=parameter.default,
        metavar=parameter.unit,
        help=f"{parameter.meaning}{usual}".replace("%", "%%"),
    )


def _reader(parameter: Parameter) -> Callable[[str], Any]:
    """Turns an option's text into a value; argparse names the option where that fails."""

    def read(text: str) -> Any:
        value: Any = None
        try:
            # Python's int() would take signs, spaces and underscores too.
            if parameter.kind is not int or re.fullmatch(r"\d{1,9}", text):
                value = parameter.kind(text)
        except ValueError:
            pass
        if value is None or (parameter.allowed is not None and value not in parameter.allowed):
            raise argparse.ArgumentTypeError(f"{text!r} is not {parameter.allowed}")
        return value

    return read


def number(allowed: Range) -> Callable[[str], Any]:
    """A reader for an option that is not a parameter but has a range too."""
    return _reader(Parameter("", int if allowed.whole else float, None, "", allowed, "", "", ""))


def given(parser: argparse.ArgumentParser, words: Sequence[str] | None) -> set[str]:
    """The options that a command line has, by the names of their values."""
    nothing = argparse.Namespace(**{action.dest: None for action in parser._actions})
    return {name for name, value in vars(parser.parse_args(words, nothing)).items() if value is not None}


def words(values: Mapping[str, Any]) -> list[str]:
    """The options of `pipelines.local` that give parameters these values.

    Args:
        values: by the pipeline's names. None and empty texts are left out.
    """
    found = []
    for name, parameter in PIPELINE.items():
        value = values.get(name)
        if value is None or value == "":
            continue
        if parameter.kind is bool:
            if value != parameter.default:
                found.append(f"--no-{name.replace('_', '-')}" if parameter.default else option(name))
        elif isinstance(parameter.allowed, Several):
            found += [option(name), *value.split()]
        else:
            found += [option(name), f"{value:g}" if isinstance(value, float) else str(value)]
    return found


def check(values: Mapping[str, Any], given: Collection[str], spell: Callable[[str], str]) -> None:
    """Finds mistakes in the pipeline's values that a step would find only later.

    Args:
        values: by the pipeline's names; what is not there has its default.
        given: the names of those that the user gave.
        spell: how the user writes a parameter, `option` or `setting`.

    Raises:
        UserError: a value is not allowed, alone or together with others, or has no effect beside them.
    """
    for name in PIPELINE.keys() & values.keys():
        PIPELINE[name].check(values[name])
    every = {name: parameter.default for name, parameter in PIPELINE.items()} | dict(values)
    check_effects(every, given, spell)
    check_source(every["source"], every["path"], every["sha256"])
    check_training(every, spell)
    check_budgets(every, given, spell)
    check_comparison(every, spell)


def check_effects(values: Mapping[str, Any], given: Collection[str], spell: Callable[[str], str]) -> None:
    """Refuses what has no effect with this source.

    Raises:
        UserError: it names the option that would be needed.
    """
    source, needed = values["source"], spell("source")
    if source not in SOURCES and not source.startswith((*SOURCE_URLS, *_ARCHIVES)):
        return  # which `check_source` says
    gap = " " if needed.startswith("--source") else ""
    for name in sorted(given):
        needs = ""
        if name == "path" and values["path"] and source not in ("directory", "kaggle", "pneumoniamnist"):
            needs = f"{needed}{gap}directory (or kaggle, or pneumoniamnist)"
        elif name == "sha256" and values["sha256"] and not source.startswith(_ARCHIVES):
            needs = f"the archive's address, {needed}{gap}https://..."
        elif name in PIPELINE and PIPELINE[name].source not in ("", source):
            needs = f"{needed}{gap}{PIPELINE[name].source}"
        elif name == "pneumoniamnist_size" and values["path"]:
            raise UserError(f"{spell(name)} has no effect beside {spell('path')}: leave one of them out")
        if needs:
            raise UserError(
                f"{spell(name)} has no effect with the source {source!r}: it needs {needs}; or leave it out"
            )


def table() -> str:
    """All parameters as a page of Markdown."""
    rows = [
        f"| `{name}` | `{option(name) if not (own.kind is bool and own.default) else '--no-' + option(name)[2:]}` "
        f"| {own.kind.__name__} | {_default(own)} | {own.allowed or ''} | {own.meaning} |"
        for name, own in PIPELINE.items()
    ]
    return "\n".join([_PAGE, *rows, ""])


def _default(parameter: Parameter) -> str:
    return "" if parameter.default == "" else f"`{parameter.default}`"


_PAGE = """# Parameters

Every parameter of the pipeline, as Kubeflow's run form and `python -m pipelines.submit run --set NAME=VALUE` name it,
and as an option of `python -m pipelines.local`. Values that are not allowed are refused before anything runs.

This page is made from components/parameters.py by `python -m components.options > docs/options.md`.

| parameter | option | type | default | allowed | meaning |
| --- | --- | --- | --- | --- | --- |"""


if __name__ == "__main__":
    print(table(), end="")
