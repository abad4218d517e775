"""The paragraph of a run's report about the runs before it: compare, which writes the report, does not know them."""

import re
from collections.abc import Mapping
from typing import Any

from components.artifacts.names import REGIME_TITLES
from components.console import one_line
from components.gate.verdict import Verdict
from components.trend.page import rendered

_PLACE = re.compile(r'<section id="history"[^>]*>.*?</section>', re.DOTALL)
"""The empty section in the report of compare, or the one that was written into it before."""


def inserted(report: str, verdict: Verdict) -> str:
    """A report with what the gate found, instead of what was there before.

    Args:
        report: HTML. One of an earlier version, which has no place for it, stays as it is.
        verdict: about the run of the report.
    """
    content = rendered("paragraph.html.j2", verdict=verdict, text=_text(verdict))
    section = f'<section id="history" aria-label="Compared with earlier runs">\n{content}</section>'
    return _PLACE.sub(lambda _: section, report, count=1)


def _text(verdict: Verdict) -> str:
    parts = []
    if verdict.quality:
        found = "no alarm" if not verdict.alarms else "see above"
        parts.append(f"Compared with the champion {one_line(verdict.champion_name)} on the same test images: {found}.")
        changes = "; ".join(_change(regime, figures) for regime, figures in verdict.quality.items())
        parts.append(f"ROC AUC, and the difference from the champion's: {changes}.")
    elif not verdict.champion:
        parts.append("The first run on these data: there is no champion to compare its quality with.")
    else:
        parts.append(f"Quality could not be compared with that of the champion {one_line(verdict.champion_name)}.")
    if verdict.promoted:
        parts.append("This run became the champion, with which later ones are compared.")
    return " ".join(parts)


def _change(regime: str, figures: Mapping[str, Any]) -> str:
    change = f"{figures['difference']:+.3f}".replace("-", "−")
    change = "the same" if float(f"{figures['difference']:.3f}") == 0 else change
    return f"{REGIME_TITLES.get(regime, regime)} {figures['challenger']:.3f} ({change})"
