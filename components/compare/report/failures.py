"""Regimes whose training failed: what the report says in their place. Their reasons may be any text."""

from collections.abc import Mapping

from components.artifacts.comparison import FailedRegime, Findings, RunsFindings
from components.artifacts.failed_training import CRASHED, OUT_OF_MEMORY, STOPPED
from components.artifacts.names import BASELINE, REGIME_TITLES
from components.compare.report import formats
from components.compare.report.titles import listed
from components.console import one_line

CAUSES = {OUT_OF_MEMORY: "out of memory", STOPPED: "stopped by an error", CRASHED: "its process crashed"}

NUMBERS = {2: "two", 3: "three"}
"""In words; there are four regimes, so that at most three are left, or at most three have failed beside one."""


def outcome(failed: FailedRegime) -> str:
    """What stands in a table in place of results, for example `failed: out of memory, after 3 min 5 s`."""
    return f"failed: {CAUSES[failed['cause']]}, after {formats.duration(failed['seconds'])}"


def titles(findings: Findings) -> list[str]:
    """Titles of the regimes that failed."""
    return [REGIME_TITLES[name] for name in findings.get("failed", {})]


def compared(findings: Findings) -> str:
    """The word before "regime" where "every regime" would claim too much: `compared `, or nothing if none failed."""
    return "compared " if "failed" in findings else ""


def compared_of_runs(findings: RunsFindings) -> str:
    """Likewise for two runs."""
    return "compared " if any("failed" in run for run in findings["runs"]) else ""


def others(findings: Findings) -> str:
    """The regimes that are left, for example `the other three regimes`."""
    left = len(findings["regimes"])
    return f"the other {NUMBERS[left]} regimes" if left > 1 else "the other regime alone"


def warnings(findings: Findings) -> list[str]:
    """The warnings of the first screen: each regime that failed with its reason, and at the end what that means."""
    failed = findings.get("failed", {})
    if not failed:
        return []
    missing = "this one" if len(failed) == 1 else f"these {NUMBERS[len(failed)]}"
    subject = "The comparison is of" if len(findings["regimes"]) > 1 else "The results are of"
    *lines, last = _reasons(failed)
    return [*lines, f"{last} {subject} {others(findings)}; nothing follows for {missing}."]


def warnings_of_runs(findings: RunsFindings) -> list[str]:
    """The warnings of a comparison of two runs: the regimes of each that failed, with the reasons."""
    return [
        f"In {run['name']}: {line} It is not compared."
        for run in findings["runs"]
        for line in _reasons(run.get("failed", {}))
    ]


def _reasons(failed: Mapping[str, FailedRegime]) -> list[str]:
    return [f"{REGIME_TITLES[name]} {outcome(own)}. Reason: {_ended(own['reason'])}" for name, own in failed.items()]


def _ended(reason: str) -> str:
    """The reason in one line, with a full stop."""
    line = one_line(reason)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def opening(findings: Findings, answer: str) -> str:
    """The words before an answer that is not about all regimes; empty if none failed.

    Args:
        findings: with at least two candidates.
        answer: the regime, or the baseline, that the answer begins with.
    """
    if "failed" not in findings:
        return ""
    left = f"Of {others(findings)}{' and the baseline' if answer == BASELINE else ''}, "
    return f"{listed(titles(findings))} failed. {left if len(findings['regimes']) > 1 else ''}"
