"""A drawn figure, and the picture of the report that it becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from components.compare.report.plots import style


class Drawing(NamedTuple):
    """What a plot function returns.

    Attributes:
        figure: the drawn figure.
        title: its subject.
        caption: how to read it.
        alt: its numbers in words, for readers who cannot see it.
    """

    figure: Figure
    title: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Picture:
    """One plot of the report.

    Attributes:
        file: PNG in the comparison folder.
        title: its subject.
        caption: how to read it.
        alt: its numbers in words, for readers who cannot see it.
        width: at which its text is as large as the report's (CSS px).
    """

    file: Path
    title: str
    caption: str
    alt: str
    width: int


def draw_one(folder: Path, name: str, plot: Callable[[], Drawing | None]) -> Picture | None:
    """Draws one plot into `folder`, if there is something to draw.

    Args:
        folder: gets the file.
        name: of the file, without `.png`.
        plot: draws it; None where there is nothing to draw.
    """
    with style.applied():
        drawing = plot()
        return drawing and save(folder, name, drawing)


def save(folder: Path, name: str, drawing: Drawing) -> Picture:
    """Writes a drawing into `folder`, inside of `style.applied`."""
    figure, title, caption, alt = drawing
    file = folder / f"{name}.png"
    figure.savefig(file, dpi=style.DPI)
    return Picture(file, title, caption, alt, round(figure.get_figwidth() * style.CSS_PIXELS))
