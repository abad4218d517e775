"""Checks a comparison that is complete: a run whose report is written has not always succeeded."""

from pathlib import Path

from components.artifacts import comparison
from components.artifacts.names import REGIME_TITLES
from components.console import UserError, one_line, say


def check(folder: str | Path) -> None:
    """Prints whether all regimes were trained.

    Args:
        folder: a comparison.

    Raises:
        UserError: a regime could not be trained, or the comparison is damaged.
    """
    record = comparison.load(folder)
    failed = [f"{REGIME_TITLES[regime]}: {one_line(reason)}" for regime, reason in comparison.failures(record).items()]
    if not failed:
        say("check", "all regimes were trained")
        return
    for line in failed:
        say("check", f"not trained: {line}")
    regimes = len(record["regimes"]) + len(failed)
    raise UserError(f"{len(failed)} of {regimes} regimes could not be trained. {'. '.join(failed)}")
