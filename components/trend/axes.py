"""Axes of small plots: round numbers, and positions in px."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Axis:
    """A vertical axis.

    Attributes:
        low, high: values at its ends.
        ticks: round numbers between them.
        decimals: that the ticks need.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int

    def label(self, tick: float) -> str:
        """A tick as text."""
        return f"{tick:,.{self.decimals}f}"


def axis(values: Sequence[float], least: float, lowest: float = -math.inf, highest: float = math.inf) -> Axis:
    """An axis for all of the values, with about three ticks.

    Args:
        values: at least one.
        least: the smallest span that is shown, so that noise does not look like a change.
        lowest: value that the quantity can have.
        highest: likewise.
    """
    low, high = min(values), max(values)
    room = max(1.12 * (high - low), least, 1e-9 * max(abs(low), abs(high), 1)) - (high - low)
    low, high = max(low - room / 2, lowest), min(high + room / 2, highest)
    step = _step((high - low) / 3)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits, _, power = f"{step:.1e}".partition("e")  # such as 2.5 and -01
    decimals = max(0, (not digits.endswith("0")) - int(power))
    return Axis(low, high, tuple(number * step for number in range(first, last + 1)), decimals)


def _step(span: float) -> float:
    """The round number that is next to `span`, on a logarithmic scale."""
    power = 10.0 ** math.floor(math.log10(span))
    return power * min(_STEPS, key=lambda step: abs(math.log(step * power / span)))


def thinned(count: int, most: int) -> list[int]:
    """Positions of at most `most` of `count` labels, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})
