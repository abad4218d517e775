"""The common look of the plots: colours, markers, lines and hatches, which also work in black and white."""

import contextlib
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from components.look import FAINT, INK, LOOKS, MUTED

DPI = 144
CSS_PIXELS = 100
"""Width in the report of an inch of a figure."""

MOST_TICKS = 8
LOG_SPREAD = 6
"""From this ratio of the longest to the shortest time on, the time axis is logarithmic."""

_NICE_SECONDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400, 172800),
)


_SETTINGS = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "lines.linewidth": 2,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """Applies this style inside the block and restores matplotlib's settings afterwards."""
    with mpl.rc_context(sns.axes_style("ticks") | _SETTINGS):
        yield


def time_axis(axes: Axes, seconds: list[float]) -> None:
    """Makes the horizontal axis one of time, with readable ticks; logarithmic where `seconds` vary widely."""
    low, high = min(seconds), max(seconds)
    if high < LOG_SPREAD * low:
        axes.set_xlim(0, high * 1.25)
        ticks = [tick for tick in axes.get_xticks() if tick <= high * 1.25]
    else:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.8, high * 1.8)
        ticks = _apart([tick for tick in _NICE_SECONDS if low / 1.8 <= tick <= high * 1.8])
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short_time(value)))


def _apart(ticks: list[float]) -> list[float]:
    """The ticks of a logarithmic axis whose labels do not overlap."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick >= kept[-1] * (ticks[-1] / ticks[0]) ** (1 / MOST_TICKS):
            kept.append(tick)
    return kept


def _short_time(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def legend_above(figure: Figure, names: list[str], titles: list[str], columns: int) -> None:
    """Draws one legend for all panels of a figure, above them: the marker of each regime."""
    marks = [Line2D([], [], color=LOOKS[name].colour, marker=LOOKS[name].marker, linestyle="") for name in names]
    figure.legend(marks, titles, loc="outside upper center", ncols=columns, handletextpad=0.2, columnspacing=1.4)


def heat(axes: Axes, counts: np.ndarray) -> None:
    """Draws a square of counts (2, 2), shaded and labelled with the percentages of each row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
    for (row, column), number in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.6 else INK
        centred: dict[str, Any] = {"ha": "center", "color": colour}
        axes.text(column, row - 0.02, f"{number:,}", va="bottom", fontsize=14, fontweight="bold", **centred)
        axes.text(column, row + 0.08, f"{100 * shares[row, column]:.1f}%", va="top", fontsize=9.5, **centred)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
