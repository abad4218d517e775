"""Recorded runs out of plain numbers, and pages as trees."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, SubElement

from components.artifacts.names import REGIMES
from components.gate.verdict import MEMORY, TIME, Verdict
from components.tracking import names
from components.tracking.history import Estimate, RecordedRun
from components.trend.shown import Shown

FIRST = datetime(2026, 1, 5, 3, tzinfo=UTC)
AREAS = dict(zip(REGIMES, (0.93, 0.955, 0.972, 0.981), strict=True))
SECONDS = dict(zip(REGIMES, (0.0021, 0.0004, 0.0052, 0.0121), strict=True))
VOID = {"meta", "br", "img", "input", "link", "hr"}


QUIET = Verdict("id0", "the champion")
"""Of a run that was compared with that of week 0, without an alarm."""


def shown(week, *, fingerprint="ab12" * 16, verdict=QUIET, promoted=False, failed=None, **changes):
    """The run of a week, counted from 0.

    `changes` may have `name`, `source`, `path`, `counts`, `areas`, `seconds`, `hardware`, `recipe` and `accepted`.
    """
    started = FIRST + timedelta(weeks=week)
    areas = {**AREAS, **changes.get("areas", {})}
    trained = [regime for regime in REGIMES if regime not in (failed or {}) and areas[regime] is not None]
    seconds = {**SECONDS, **changes.get("seconds", {})}
    source = changes.get("source", "the folder chest")
    counts = {"images": "1000", "pneumonia": "600"} | changes.get("counts", {})
    parameters = {f"{split}_{what}": n for split in ("train", "validation", "test") for what, n in counts.items()}
    run = RecordedRun(
        id=f"id{week}",
        name=changes.get("name", started.strftime("%Y%m%d-%H%M%S")),
        key=f"key{week}",
        started=started.isoformat(),
        fingerprint=fingerprint,
        complete=True,
        failed=failed or {},
        promoted=started.isoformat() if promoted else "",
        registered={},
        metrics={
            regime: {"roc_auc": Estimate(areas[regime], areas[regime] - 0.02, min(areas[regime] + 0.02, 1.0))}
            for regime in trained
        },
        tags={names.SOURCE: source} | ({names.ACCEPTED: "2026-12-31"} if changes.get("accepted") else {}),
        parameters=parameters | {"source": "directory", "path": changes.get("path", source), "image_size": "96"},
    )
    return Shown(
        run,
        verdict,
        {regime: {TIME: seconds[regime], MEMORY: 900.0} for regime in trained},
        dict.fromkeys(trained, changes.get("recipe", "recipe")),
        dict.fromkeys(trained, changes.get("hardware", "machine")),
    )


def tree(html):
    """A page as a tree; every element that is opened must be closed."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    assert [element.tag for element in parser.open] == ["page"]
    return parser.open[0]


class _Tree(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = [Element("page")]

    def handle_starttag(self, tag, attrs):
        element = SubElement(self.open[-1], tag, {name: value or "" for name, value in attrs})
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        SubElement(self.open[-1], tag, {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        parent = self.open[-1]
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + data
        else:
            parent.text = (parent.text or "") + data


def text(element):
    """The text in an element, on one line."""
    return " ".join("".join(element.itertext()).split())


def plots(page):
    """{title of the plot: its SVG}, of all plots; the row's number is part of the title."""
    found = {}
    for figure in page.iter("figure"):
        title = text(figure.find("figcaption/strong"))
        number = sum(key.startswith(f"{title} ") for key in found) + 1
        found[f"{title} {number}"] = figure.find("svg")
    return found


def year(**alarms):
    """Ten runs; `alarms` of some by "week3"."""
    first = shown(0, verdict=Verdict(promoted=True), promoted=True)
    rest = [
        shown(week, verdict=Verdict("id0", first.run.name, tuple(alarms.get(f"week{week}", ()))))
        for week in range(1, 10)
    ]
    return [first, *rest]


def answer(html):
    """The first sentence of a page."""
    return next(text(element) for element in tree(html).iter("p") if element.get("class") == "answer")
