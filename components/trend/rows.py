"""The small plots of a section: a row for each thing that is watched, a plot for each regime."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.artifacts.names import REGIME_TITLES
from components.gate.verdict import DATA, MEMORY, QUALITY, TIME
from components.look import LOOKS, MUTED
from components.trend.episodes import Episode
from components.trend.panel import Mark, Panel, Point
from components.trend.sections import Section
from components.trend.shown import Shown, regimes_of

LEAST_AUC = 0.02
LEAST_SHARE = 0.15
"""The smallest spans of vertical axes: of ROC AUC, and of times and memory relative to their value."""


@dataclass(frozen=True)
class Row:
    """Plots that stand beside each other, and what they show."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class _Unit:
    """What a cost is shown in: its name, and how many of it are one second or MB."""

    name: str
    size: float


def rows(section: Section, episodes: Sequence[Episode]) -> list[Row]:
    """The rows of plots of a section.

    Args:
        section: the runs.
        episodes: all alarms of the page.
    """
    marks = _Marks(section, episodes)
    found = [Row("ROC AUC on the test images", [_quality(marks, regime) for regime in marks.regimes])]
    for chart, title in ((TIME, "Training time per image and epoch"), (MEMORY, "Peak memory of the training")):
        unit = _unit(section, chart)
        found.append(Row(f"{title} ({unit.name})", [_cost(marks, chart, regime, unit) for regime in marks.regimes]))
    found.append(Row("Data", [_images(marks), _share(marks)]))
    return found


class _Marks:
    """What the plots of a section have in common."""

    def __init__(self, section: Section, episodes: Sequence[Episode]):
        self.section, self.runs = section, section.runs
        self.regimes = regimes_of(section.runs)
        self.dates = [shown.date for shown in section.runs]
        self._places = {shown.run.id: position for position, shown in enumerate(section.runs)}
        self._episodes = episodes
        self.changes = [
            Mark(
                self._places[dataset.first.run.id],
                dataset.mark,
                f"New data {dataset.mark} from {dataset.first.day} on: {described(dataset.first)}",
            )
            for dataset in list(section.datasets.values())[1:]
        ]

    def alarms(self, chart: str, regime: str) -> list[Mark]:
        """The alarms of a chart, in all episodes."""
        return [
            Mark(
                self._places[shown.run.id],
                str(episode.number),
                f"Alarm {episode.number}, {shown.run.name}"
                f"{' (waits for a confirming run)' if shown.suspected else ''}: {alarm.reason}",
                shown.suspected,
                number > 0,
            )
            for episode in self._episodes
            if (episode.chart, episode.regime) == (chart, regime)
            for number, (shown, alarm) in enumerate(zip(episode.runs, episode.alarms, strict=True))
            if shown.run.id in self._places
        ]

    def failures(self, regime: str) -> list[Mark]:
        """The runs in which the training of a regime failed."""
        return [
            Mark(position, "", f"{shown.run.name}, {shown.day}: the training failed: {shown.run.failed[regime]}")
            for position, shown in enumerate(self.runs)
            if regime in shown.run.failed
        ]


def described(shown: Shown) -> str:
    """The data of a run in words."""
    images, share = shown.count("images"), shown.share
    numbers = "unknown size" if images is None or share is None else f"{images:,} images, {share:.1f}% pneumonia"
    figures = shown.verdict.data if shown.verdict else {}
    if "added" in figures and "gone" in figures:
        numbers += f"; {figures['added']:,} images more, {figures['gone']:,} gone"
        if changed := figures.get("changed"):
            numbers += f", {changed:,} changed"
    return numbers


def _quality(marks: _Marks, regime: str) -> Panel:
    points, latest = [], "no value"
    for position, shown in enumerate(marks.runs):
        found = shown.run.metrics.get(regime, {}).get("roc_auc")
        champion = marks.section.champions[position]
        level = champion.metrics.get(regime, {}).get("roc_auc") if champion else None
        text = f"{shown.run.name}, {shown.day}: no value"
        if found:
            latest = numbers = f"{found.value:.3f}"
            if found.low is not None and found.high is not None:
                numbers += f" ({found.low:.3f}–{found.high:.3f})"
            text = f"{shown.run.name}, {shown.day}: {numbers}"
            if level and champion and champion.id != shown.run.id:
                text += f"; champion {champion.name}: {level.value:.3f}"
        points.append(
            Point(
                position,
                found.value if found else None,
                found.low if found else None,
                found.high if found else None,
                level.value if level else None,
                (shown.run.fingerprint, shown.recipes.get(regime)),
                bool(shown.run.promoted),
                text,
            )
        )
    return _panel(marks, QUALITY, regime, points, latest, LEAST_AUC, 1.0)


def _cost(marks: _Marks, chart: str, regime: str, unit: _Unit) -> Panel:
    points, latest = [], "no value"
    for position, shown in enumerate(marks.runs):
        value, level = shown.costs.get(regime, {}).get(chart), shown.expected(chart, regime)
        text = f"{shown.run.name}, {shown.day}: no value"
        if value is not None:
            latest = f"{_number(value * unit.size)} {unit.name}"
            text = f"{shown.run.name}, {shown.day}: {latest}"
            text += f"; expected {_number(level * unit.size)} {unit.name}" if level is not None else ""
        points.append(
            Point(
                position,
                None if value is None else value * unit.size,
                level=None if level is None else level * unit.size,
                series=(shown.hardware.get(regime), shown.recipes.get(regime)),
                title=text,
            )
        )
    values = [point.value for point in points if point.value is not None]
    return _panel(marks, chart, regime, points, latest, LEAST_SHARE * max(values, default=1.0))


def _panel(
    marks: _Marks,
    chart: str,
    regime: str,
    points: Sequence[Point],
    latest: str,
    least: float,
    highest: float = float("inf"),
) -> Panel:
    look, alarms = LOOKS[regime], marks.alarms(chart, regime)
    title = REGIME_TITLES[regime]
    return Panel(
        title=title,
        latest=latest,
        alt=_alt(f"{_SUBJECTS[chart]} of {title}", points, latest, alarms),
        colour=look.colour,
        marker=look.marker,
        points=points,
        dates=marks.dates,
        least=least,
        alarms=alarms,
        changes=marks.changes,
        failures=marks.failures(regime),
        highest=highest,
    )


_SUBJECTS = {QUALITY: "ROC AUC", TIME: "Training time per image and epoch", MEMORY: "Peak memory"}


def _images(marks: _Marks) -> Panel:
    return _data(marks, "Images", [shown.count("images") for shown in marks.runs], "{:,.0f}", 0.05)


def _share(marks: _Marks) -> Panel:
    return _data(marks, "Pneumonia, % of images", [shown.share for shown in marks.runs], "{:.1f}%", 0.1)


def _data(marks: _Marks, title: str, values: Sequence[float | None], form: str, least: float) -> Panel:
    points = [
        Point(
            position,
            value,
            series=shown.run.fingerprint,
            title=f"{shown.run.name}, {shown.day}: {form.format(value) if value is not None else 'no value'}",
        )
        for position, (shown, value) in enumerate(zip(marks.runs, values, strict=True))
    ]
    known, alarms = [value for value in values if value is not None], marks.alarms(DATA, "")
    latest = form.format(known[-1]) if known else "no value"
    return Panel(
        title=title,
        latest=latest,
        alt=_alt(title, points, latest, alarms),
        colour=MUTED,
        marker="o",
        points=points,
        dates=marks.dates,
        least=least * max(known, default=1.0),
        alarms=alarms,
        changes=marks.changes,
    )


def _alt(subject: str, points: Sequence[Point], latest: str, alarms: Sequence[Mark]) -> str:
    values = [point.value for point in points if point.value is not None]
    if not values:
        return f"{subject}: no values"
    numbers = f"{len(values)} values from {_number(min(values))} to {_number(max(values))}, the newest {latest}"
    listed = ", ".join(dict.fromkeys(mark.label for mark in alarms))
    return f"{subject}: {numbers}; {f'alarms: {listed}' if alarms else 'no alarm'}"


def _unit(section: Section, chart: str) -> _Unit:
    """A unit in which the largest value has few digits before the point."""
    values = [own[chart] for shown in section.runs for own in shown.costs.values() if chart in own]
    largest = max(values, default=0.0)
    if chart == TIME:
        return _Unit("ms", 1000) if largest < 1 else _Unit("s", 1)
    return _Unit("MB", 1) if largest < 10_000 else _Unit("GB", 0.001)


def _number(value: float) -> str:
    """With three significant digits, or all that are before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
