"""The paragraph of a run's report about the runs before it: compare, which writes the report, does not know them."""

import re
from collections.abc import Mapping
from typing import Any

from components.artifacts.names import REGIME_TITLES
from components.gate.verdict import QUALITY, Verdict
from components.trend.page import rendered

_PLACE = re.compile(r'<section id="history"[^>]*>.*?</section>', re.DOTALL)
"""The empty section in the report of compare, or the one that was written into it before."""


def inserted(report: str, verdict: Verdict) -> str:
    """A report with what the gate found, instead of what was there before.

    Args:
        report: HTML. One of an earlier version, which has no place for it, stays as it is.
        verdict: about the run of the report.
    """
    content = rendered("paragraph.html.j2", verdict=verdict, text=_text(verdict), details=_details(verdict))
    section = f'<section id="history" aria-label="Compared with earlier runs">\n{content}</section>'
    return _PLACE.sub(lambda _: section, report, count=1)


def _text(verdict: Verdict) -> str:
    if verdict.quality:
        worse = [REGIME_TITLES.get(own.regime, own.regime) for own in verdict.alarms if own.chart == QUALITY]
        found = f"{', '.join(worse)} worse" if worse else "no regime is shown to be worse"
        text = f"Compared with the champion {verdict.champion_name} on the same test images: {found}."
    elif not verdict.champion:
        text = "The first run on these data: there is no champion to compare its quality with."
    else:
        text = f"Quality could not be compared with that of the champion {verdict.champion_name}."
    text = text if verdict.alarms else f"No alarm. {text}"
    return text + (" This run became the champion, with which later ones are compared." if verdict.promoted else "")


def _details(verdict: Verdict) -> list[str]:
    changes = "; ".join(_change(regime, figures) for regime, figures in verdict.quality.items())
    quality = [f"ROC AUC, and the difference from the champion's: {changes}."] if changes else []
    return [*quality, *verdict.warnings, *verdict.notes]


def _change(regime: str, figures: Mapping[str, Any]) -> str:
    change = f"{figures['difference']:+.3f}".replace("-", "−")
    change = "the same" if float(f"{figures['difference']:.3f}") == 0 else change
    return f"{REGIME_TITLES.get(regime, regime)} {figures['challenger']:.3f} ({change})"
