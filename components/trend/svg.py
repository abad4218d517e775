"""Draws a small plot as SVG, without scripts: explanations are `<title>` elements, which browsers show as tooltips.

Written by hand, since matplotlib's SVG has no tooltips and no texts that a page can style, and takes seconds.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from components.console import one_line
from components.look import FAINT, INK, MUTED
from components.trend.axes import Axis, axis, thinned
from components.trend.panel import Mark, Panel, Point

WIDTH, HEIGHT = 300, 156
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 22, 34
ALARM = "#a3151f"
"""Colour of alarms; with its ring and number it is not the only sign of one."""

MOST_TITLED = 130
"""With more runs their points have no tooltips of their own: a page with 500 runs stays small."""
MOST_CHANGES = 12
"""With more changes of the data than this, they are ticks below the axis and no lines."""

_FLAG = 15
"""Width of a number of an alarm."""
_DATES = 3


def svg(panel: Panel) -> str:
    """The plot as an SVG element."""
    return ElementTree.tostring(_Drawing(panel).root, encoding="unicode")


class _Drawing:
    """A plot while it is drawn."""

    def __init__(self, panel: Panel):
        self.panel, self.count = panel, max(len(panel.points), 1)
        self.step = (WIDTH - LEFT - RIGHT) / self.count
        box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "group", "aria-label": one_line(panel.alt)}
        self.root = Element("svg", box)
        numbers = panel.numbers()
        self.axis = axis(numbers, panel.least, 0, panel.highest) if numbers else Axis(0, 1, (), 0)
        self._grid()
        self._changes()
        if numbers:
            self._values()
        else:
            middle = (LEFT + WIDTH - RIGHT) / 2
            _text(self.root, "no values", middle, (TOP + HEIGHT - BOTTOM) / 2, anchor="middle", fill=MUTED)
        self._failures()
        self._alarms()

    def x(self, position: int) -> float:
        return LEFT + (position + 0.5) * self.step

    def y(self, value: float) -> float:
        share = (value - self.axis.low) / (self.axis.high - self.axis.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def _cut(self, value: float) -> float:
        """The place of a value that may be outside of the axis."""
        return self.y(min(max(value, self.axis.low), self.axis.high))

    def _grid(self) -> None:
        group = _group(self.root, hidden=True)
        bottom = HEIGHT - BOTTOM
        for tick in self.axis.ticks:
            y = self.y(tick)
            _path(group, f"M{LEFT} {_n(y)}H{WIDTH - RIGHT}", FAINT, 0.8)
            _text(group, self.axis.label(tick), LEFT - 5, y + 3.5, anchor="end", fill=MUTED)
        _path(group, f"M{LEFT} {bottom}H{WIDTH - RIGHT}", MUTED, 1)
        shown: list[str] = []
        dates = self.panel.dates
        for position in thinned(len(dates), _DATES):
            if dates[position] in shown:
                continue
            shown.append(dates[position])
            anchor = "middle"
            if len(dates) > 1 and position in (0, len(dates) - 1):
                anchor = "start" if position == 0 else "end"
            edge = {"start": LEFT, "end": WIDTH - RIGHT, "middle": self.x(position)}[anchor]
            _text(group, dates[position], edge, HEIGHT - 5, anchor=anchor, fill=MUTED)

    def _changes(self) -> None:
        """The first run on each further dataset: a dotted line with the dataset's letter below the axis."""
        bottom, few = HEIGHT - BOTTOM, len(self.panel.changes) <= MOST_CHANGES
        free = float(LEFT)
        for mark in self.panel.changes:
            x = LEFT + mark.position * self.step
            group = _group(self.root)
            _title(group, mark.title)
            _path(group, f"M{_n(x)} {TOP if few else bottom}V{bottom + 5}", MUTED, 1, dash="1.5 2.5" if few else "")
            if mark.label and x >= free:
                _text(group, mark.label, x, bottom + 14, anchor="middle", fill=INK, weight="600")
                free = x + 8 + 7 * len(mark.label)

    def _values(self) -> None:
        panel = self.panel
        whiskers = "".join(
            f"M{_n(self.x(point.position))} {_n(self._cut(point.low))}V{_n(self._cut(point.high))}"
            for point in panel.points
            if point.low is not None and point.high is not None
        )
        _path(self.root, whiskers, panel.colour, max(min(2.2, self.step * 0.45), 0.5), opacity="0.38")
        for segment in panel.segments():
            joined = "L".join(f"{_n(self.x(point.position))} {_n(self.y(point.value or 0))}" for point in segment)
            if len(segment) > 1:
                _path(self.root, f"M{joined}", panel.colour, 1.3 if self.count <= MOST_TITLED else 0.9)
        _path(self.root, "".join(self._level()), INK, 1.3, dash="5 2.5")
        size = 2.7 if self.count <= 60 else 1.9 if self.count <= MOST_TITLED else 1.1
        self._points(size)
        for point in panel.points:
            if point.champion and point.value is not None:
                self._champion(point)

    def _level(self) -> Iterator[str]:
        """The level of every run that has one, as steps halfway between runs; broken where the series ends."""
        half = min(self.step / 2, 14)
        before: Point | None = None
        for point in self.panel.points:
            if point.level is None:
                before = None
                continue
            x, y = self.x(point.position), self.y(point.level)
            if before is None or before.series != point.series:
                yield f"M{_n(x - half)} {_n(y)}"
            elif before.level != point.level:
                yield f"H{_n(x - self.step / 2)}V{_n(y)}"
            yield f"H{_n(x + half)}"
            before = point

    def _points(self, size: float) -> None:
        titled = self.count <= MOST_TITLED
        shapes = []
        for point in self.panel.points:
            if point.value is None:
                continue
            outline = _marker(self.panel.marker, self.x(point.position), self.y(point.value), size)
            if titled:
                element = SubElement(self.root, "path", {"d": outline, "fill": self.panel.colour})
                _title(element, point.title)
            else:
                shapes.append(outline)
        if shapes:
            SubElement(self.root, "path", {"d": "".join(shapes), "fill": self.panel.colour})

    def _champion(self, point: Point) -> None:
        x, y = self.x(point.position), self.y(point.value or 0)
        star = SubElement(self.root, "path", {"d": _star(x, y, 5.2), "fill": INK, "stroke": "#fff"})
        star.set("stroke-width", "0.8")
        _title(star, f"Champion: {point.title}")

    def _failures(self) -> None:
        y = HEIGHT - BOTTOM - 7
        for mark in self.panel.failures:
            x = self.x(mark.position)
            cross = f"M{_n(x - 3)} {_n(y - 3)}L{_n(x + 3)} {_n(y + 3)}M{_n(x + 3)} {_n(y - 3)}L{_n(x - 3)} {_n(y + 3)}"
            _title(_path(self.root, cross, INK, 1.6), mark.title)

    def _alarms(self) -> None:
        """A ring around the value of each run with an alarm, and a flag above it where an episode begins."""
        values = {point.position: point.value for point in self.panel.points}
        begun = [mark for mark in self.panel.alarms if not mark.goes_on]
        flags = _placed([self.x(mark.position) for mark in begun])
        places = {mark.position: flag for mark, flag in zip(begun[-len(flags) :], flags, strict=True)} if flags else {}
        radius = 5.2 if self.count <= 60 else 3.6 if self.count <= MOST_TITLED else 2.6
        for mark in self.panel.alarms:
            value = values.get(mark.position)
            x = self.x(mark.position)
            y = self.y(value) if value is not None else HEIGHT - BOTTOM - 7
            link = SubElement(self.root, "a", {"href": f"#alarm-{mark.label}"})
            _title(link, mark.title)
            ring = {"cx": _n(x), "cy": _n(y), "r": _n(radius), "fill": "none", "stroke": ALARM, "stroke-width": "1.6"}
            SubElement(link, "circle", ring | ({"stroke-dasharray": "2 1.6"} if mark.open else {}))
            if not mark.goes_on and mark.position in places:
                self._flag(link, mark, x, y - radius, places[mark.position])

    def _flag(self, parent: Element, mark: Mark, x: float, y: float, place: float) -> None:
        _path(parent, f"M{_n(place)} 16L{_n(x)} {_n(max(y, 17))}", ALARM, 0.9)
        width = max(_FLAG - 2, 5 + 6.2 * len(mark.label))
        box = {"x": _n(place - width / 2), "y": "3", "width": _n(width), "height": "13", "rx": "2.5"}
        SubElement(parent, "rect", box | {"fill": "#fff" if mark.open else ALARM, "stroke": ALARM})
        _text(parent, mark.label, place, 13, anchor="middle", fill=ALARM if mark.open else "#fff", weight="700")


def _placed(wanted: Sequence[float]) -> list[float]:
    """Places of flags next to where they are wanted, so that none covers another; only of the last ones that fit."""
    most = int((WIDTH - RIGHT - LEFT) // _FLAG)
    places: list[float] = []
    for x in wanted[-most:]:
        places.append(max(x, places[-1] + _FLAG) if places else max(x, LEFT + _FLAG / 2))
    edge = WIDTH - RIGHT - _FLAG / 2
    for number in reversed(range(len(places))):
        places[number] = min(places[number], edge)
        edge = places[number] - _FLAG
    return places


def _marker(kind: str, x: float, y: float, size: float) -> str:
    """The outline of a marker, of those that `look.LOOKS` has."""
    corners = {
        "s": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "^": [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        "D": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
    }.get(kind)
    if corners is None:
        arc = f"a{_n(size)} {_n(size)} 0 1 0"
        return f"M{_n(x - size)} {_n(y)}{arc} {_n(2 * size)} 0{arc} {_n(-2 * size)} 0Z"
    return "M" + "L".join(f"{_n(x + size * dx)} {_n(y + size * dy)}" for dx, dy in corners) + "Z"


def _star(x: float, y: float, size: float) -> str:
    unit = [(0, -1), (0.24, -0.33), (0.95, -0.31), (0.38, 0.12), (0.59, 0.81), (0, 0.4)]
    corners = [*unit, *((-dx, dy) for dx, dy in reversed(unit[1:-1]))]
    return "M" + "L".join(f"{_n(x + size * dx)} {_n(y + size * dy)}" for dx, dy in corners) + "Z"


def _group(parent: Element, hidden: bool = False) -> Element:
    return SubElement(parent, "g", {"aria-hidden": "true"} if hidden else {})


def _title(parent: Element, text: str) -> None:
    SubElement(parent, "title").text = one_line(text)


def _path(parent: Element, outline: str, stroke: str, width: float, dash: str = "", opacity: str = "") -> Element:
    given = {"d": outline, "fill": "none", "stroke": stroke, "stroke-width": _n(width)}
    given |= {"stroke-dasharray": dash} if dash else {}
    return SubElement(parent, "path", given | ({"stroke-opacity": opacity} if opacity else {}))


def _text(parent: Element, text: str, x: float, y: float, *, anchor: str, fill: str, weight: str = "") -> None:
    given = {"x": _n(x), "y": _n(y), "text-anchor": anchor, "fill": fill}
    SubElement(parent, "text", given | ({"font-weight": weight} if weight else {})).text = text


def _n(number: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")
