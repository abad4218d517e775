"""Writes the page that shows recorded runs over time: one HTML file without scripts and external resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.artifacts.names import REGIME_TITLES
from components.console import one_line
from components.look import templates
from components.trend.episodes import Episode, episodes
from components.trend.panel import Panel
from components.trend.rows import Row, described, rows
from components.trend.sections import Section, sections
from components.trend.shown import Shown, regimes_of, title_of
from components.trend.svg import ALARM, svg

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Part:
    """A section as the template shows it: its runs, its last run, what goes on of others, regimes, plots."""

    section: Section
    last: Shown
    standing: Sequence[Episode]
    regimes: Sequence[str]
    rows: Sequence[Row]


def page(runs: Sequence[Shown]) -> str:
    """The page.

    Args:
        runs: all recorded runs, in any order.
    """
    found = sections(runs)
    alarms = episodes([section.runs for section in found])
    parts = [
        Part(section, section.runs[-1], _standing(section, alarms), regimes_of(section.runs), rows(section, alarms))
        for section in found
    ]
    return rendered(
        "trend.html.j2",
        sentence=sentence(found, alarms),
        parts=parts,
        episodes=alarms[::-1],
        numbers=_numbers(alarms),
        titles=REGIME_TITLES,
        alarm_colour=ALARM,
    )


def rendered(template: str, **shown: Any) -> str:
    """A template with its variables; texts are escaped, wherever they come from."""
    environment = templates.environment(TEMPLATES)
    environment.finalize = _printable
    environment.filters |= {"described": described, "svg": _inline}
    return environment.get_template(template).render(shown)


def _printable(value: Any) -> Any:
    """Texts without line breaks and control characters, which a name may have."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _inline(panel: Panel) -> Markup:
    return Markup(svg(panel))  # noqa: S704 (texts in it are escaped by ElementTree)


def sentence(found: Sequence[Section], alarms: Sequence[Episode]) -> str:
    """The verdict on the last run, and how many alarms there were, in one sentence.

    Args:
        found: the runs; of several sections, recipes, data and machines the last run of each counts.
        alarms: all of them.
    """
    runs = sum(len(section.runs) for section in found)
    last = [section.runs[-1] for section in found]
    if not runs:
        return "No run is recorded yet."
    in_all = f"{len(alarms)} in {runs:,} runs" if alarms else f"none in {runs:,} runs"
    if all(shown.verdict is None for shown in last):
        judged = any(shown.verdict for section in found for shown in section.runs)
        what = "The last run was recorded without a verdict"
        count = {0: "no alarm", 1: "1 alarm"}.get(len(alarms), f"{len(alarms)} alarms")
        return f"{what}; {count} in {runs:,} runs." if judged else f"{what}."
    if runs == 1:
        return "The first run: there is nothing to compare it with yet."
    where = "in the last run" if len(last) == 1 else f"in the last run of each of {len(last)} sources"
    own = [episode for episode in alarms if episode.goes_on]
    if not own:
        accepted = any(shown.accepted and shown.alarms for shown in last)
        return f"No alarm {where}{' that was not accepted' if accepted else ''}; {in_all}."
    if any(_standing(section, alarms) for section in found):
        where = "in the last runs"
    waiting = ", not confirmed yet" if all(episode.runs[-1].suspected for episode in own) else ""
    subjects = ", ".join(dict.fromkeys(title_of(episode.chart, episode.regime) for episode in own))
    return f"{len(own)} {'alarm' if len(own) == 1 else 'alarms'} {where}{waiting}: {subjects}; {in_all}."


def _standing(section: Section, alarms: Sequence[Episode]) -> list[Episode]:
    """The alarms that go on although the last run of the section does not have them: it has another recipe."""
    others = {shown.run.id for shown in section.runs[:-1]}
    return [episode for episode in alarms if episode.goes_on and episode.runs[-1].run.id in others]


def _numbers(alarms: Sequence[Episode]) -> Mapping[str, Sequence[int]]:
    """The numbers of the alarms of each run, by MLflow's id."""
    found: dict[str, list[int]] = {}
    for episode in alarms:
        for shown in episode.runs:
            found.setdefault(shown.run.id, []).append(episode.number)
    return found
