"""Values of options, from a command line and a settings file, each checked by a regular expression."""

import re
from collections.abc import Mapping
from typing import Any

from components.console import UserError
from pipelines.settings import STEPS


class Options:
    """Checked values by option, from a command line and a settings file.

    Args:
        given: the options of the command line, only those that are given.
        file: the options of the file, which the command line overrides.
    """

    def __init__(self, given: Mapping[str, Any], file: Mapping[str, Any]):
        self._layers = (file, given)

    def one(self, option: str, default: str, pattern: str, wanted: str) -> str:
        """The value of an option that has one; the default is not checked."""
        value = str(self._last(option, default))
        if value != default:
            _match(option, value, pattern, wanted)
        return value

    def _last(self, option: str, default: Any) -> Any:
        """The value on the command line, else in the file, else the default."""
        return next((layer[option] for layer in reversed(self._layers) if option in layer), default)

    def flag(self, option: str) -> bool:
        """Whether an option is set."""
        value = self._last(option, False)
        if not isinstance(value, bool):
            raise UserError(f"{spelled(option)} is {value!r} in the settings file: write true or false")
        return value

    def many(self, option: str, pattern: str, wanted: str) -> list[re.Match[str]]:
        """The match of the pattern in each value of an option."""
        return [_match(option, value, pattern, wanted) for value in _words(self._last(option, []))]

    def pairs(self, option: str, key: str, value: str, wanted: str) -> dict[str, str]:
        """The KEY=VALUE values of an option; the command line overrides the file key by key."""
        words = [word for layer in self._layers for word in _words(layer.get(option, []))]
        matches = [_match(option, word, f"({key})=({value})", wanted) for word in words]
        return {found[1]: found[2] for found in matches}

    def steps(self, option: str, defaults: Mapping[str, str], value: str, wanted: str) -> dict[str, str]:
        """The value of each step from [STEP=]VALUE values; the command line overrides the file step by step."""
        found = dict(defaults)
        pattern = f"(?:({'|'.join(STEPS)})=)?({value})"
        for layer in self._layers:
            for word in _words(layer.get(option, [])):
                step, given = _match(option, word, pattern, f"[STEP=]VALUE, VALUE {wanted}").groups()
                found |= {step: given} if step else dict.fromkeys(STEPS, given)
        return found


def _words(value: Any) -> list[str]:
    """A value of the file as words of a command line: the entries of a mapping become KEY=VALUE."""
    if isinstance(value, dict):
        return [f"{key}={entry}" for key, entry in value.items()]
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _match(option: str, value: str, pattern: str, wanted: str) -> re.Match[str]:
    found = re.fullmatch(pattern, value)
    if found is None:
        raise UserError(f"{spelled(option)} {value!r} is not understood: give {wanted}")
    return found


def spelled(option: str) -> str:
    """An option as it is written on a command line."""
    return f"--{option.replace('_', '-')}"
