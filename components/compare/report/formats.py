"""How numbers look, in the report, the Markdown summary and the terminal alike."""

import re
from collections.abc import Sequence

from components.artifacts.trained_model import Hardware

UNKNOWN = "–"
"""Stands for a value that is not known or does not apply."""


def decimal(value: float | None) -> str:
    """A metric with three decimals, for example `0.987`."""
    return UNKNOWN if value is None else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference with its sign, for example `+0.012` or `−0.003`; zero has none."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def span(ends: Sequence[float]) -> str:
    """The ends of an interval of a metric, for example `0.975–0.995`."""
    return f"{ends[0]:.3f}–{ends[1]:.3f}"


def signed_span(ends: Sequence[float]) -> str:
    """The ends of an interval of a difference, for example `−0.003 to +0.012`."""
    return f"{signed(ends[0])} to {signed(ends[1])}"


def probability(value: float) -> str:
    """A p-value, for example `0.012` or `<0.001`."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """A duration, for example `12.3 s`, `4 min 5 s` or `2 h 5 min`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min"


def megabytes(value: float | None) -> str:
    """A size, for example `1,234 MB`; small ones have one decimal, tiny ones are in kB."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.05:
        return f"{1000 * value:,.1f} kB"
    return f"{value:,.1f} MB" if value < 99.95 else f"{value:,.0f} MB"


def price(value: float | None) -> str:
    """An amount of money in any currency, for example `1.25` or `0.0042`."""
    return UNKNOWN if value is None else f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"


def count(value: float | None) -> str:
    """A count with thousands separators, for example `2,259,265`; means have one decimal."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def short_count(value: float | None) -> str:
    """A large number with three digits, for example `2.26 M`."""
    if value is None:
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= 0.9995 * size:
            return f"{float(f'{value / size:.3g}'):g} {unit}"
    return f"{value:g}"


def percent(part: float, whole: float) -> str:
    """A share, for example `62.5%`."""
    return f"{100 * part / whole:.1f}%" if whole else UNKNOWN


def rate(value: float | None) -> str:
    """Images per second, for example `1,234`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """The time for one image, for example `4.31 ms`."""
    return UNKNOWN if value is None else f"{value:.3g} ms"


def counted(number: float, one: str, many: str) -> str:
    """A count with its noun, for example `1 file` or `2,000 files`."""
    return f"{count(number)} {one if number == 1 else many}"


def typeset(text: object) -> str:
    """Text in which no line break separates a number from its unit, or the two ends of an interval."""
    text = re.sub(r"(?<=\d) (?=(?:ms|s|min|h|MB|kB|[KMG])\b)", "\N{NO-BREAK SPACE}", str(text))
    text = re.sub(r"\b(min|h) (?=\d)", "\\1\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=\d)–(?=\d)", "\N{WORD JOINER}–\N{WORD JOINER}", text)


def hardware(machine: Hardware | None) -> str:
    """A machine, for example `A processor, 2 cores, 16 GB, no GPU`."""
    if machine is None:
        return UNKNOWN
    graphics = f"GPU {machine['gpu']}" if machine["gpu"] else "no GPU"
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, {graphics}"


def setting(value: object) -> str:
    """A setting of a step in plain words, for example `yes` or `shift 0.05, flip yes`."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')} {setting(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(setting, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
