"""Checks a comparison that is complete: a run whose report is written has not always succeeded."""

from collections.abc import Mapping
from pathlib import Path

from components.artifacts import comparison
from components.artifacts.names import REGIME_TITLES
from components.console import UserError, one_line, say


def check(folder: str | Path) -> None:
    """Prints whether all regimes were trained.

    Args:
        folder: a comparison.

    Raises:
        UserError: a regime could not be trained, with all patients or with label budgets, or the comparison is damaged.
    """
    record = comparison.load(folder)
    failed, budgets = (_lines(found) for found in (comparison.failures(record), comparison.budget_failures(record)))
    if not failed and not budgets:
        say("check", "all regimes were trained")
        return
    for line in failed:
        say("check", f"not trained: {line}")
    for line in budgets:
        say("check", f"not trained with label budgets: {line}")
    told = []
    if failed:
        regimes = len(record["regimes"]) + len(failed)
        told.append(f"{len(failed)} of {regimes} regimes could not be trained. {'. '.join(failed)}")
    if budgets:
        count = "1 regime" if len(budgets) == 1 else f"{len(budgets)} regimes"
        told.append(f"{count} could not be trained with label budgets. {'. '.join(budgets)}")
    raise UserError(". ".join(told))


def _lines(failures: Mapping[str, str]) -> list[str]:
    return [f"{REGIME_TITLES[regime]}: {one_line(reason)}" for regime, reason in failures.items()]
