"""Notes on the numbers of labelled patients: what they are, what they cost, and what is missing."""

from collections.abc import Mapping, Sequence

from components.artifacts.label_budget_results import LabelBudgetResults
from components.artifacts.names import REGIME_TITLES
from components.compare.report import formats
from components.compare.report.failures import CAUSES
from components.compare.report.titles import listed, named
from components.console import one_line


def notes(found: LabelBudgetResults) -> list[str]:
    """What the numbers are, what they cost, and what is missing."""
    return [note for note in (*_what(found), _cost(found), *_left_out(found), _diverged(found)) if note]


def _what(found: LabelBudgetResults) -> list[str]:
    draws, patients = found["draws"], formats.count(found["patients"])
    if not draws:
        return []
    several = (
        f"Each budget was drawn {formats.counted(draws, 'time', 'times')} at random, by patient and with the class mix "
        "of the whole; a draw has the same patients for every regime, and with a greater budget the same ones and more."
    )
    doubt = (
        "Intervals include the variation between draws and that between test patients."
        if draws > 1
        else "With one draw, intervals include the variation between test patients only; with --draws 5 they would "
        "include that between draws."
    )
    return [
        "A budget is a number of labelled patients, those for validation included, on whom the epoch and the threshold "
        f"are chosen. {several} The test images are always the same.",
        f"With all {patients} patients the trainings are those of the run itself, which differ in the seed alone: "
        f"there is no variation between draws. {doubt} They do not say what {patients} other patients would have "
        "given.",
    ]


def _cost(found: LabelBudgetResults) -> str:
    costs = found["cost_of_trainings"]
    if not any(own["trainings"] for own in costs.values()):
        return ""
    each = [
        f"{REGIME_TITLES[name]} {formats.duration(own['seconds'])} "
        f"({formats.counted(own['trainings'], 'training', 'trainings')})"
        for name, own in costs.items()
    ]
    total = formats.duration(sum(own["seconds"] for own in costs.values()))
    return (
        f"The trainings with budgets took {total} in total, apart from the training times elsewhere in this report, of "
        f"which they are no part: {listed(each)}."
    )


def _left_out(found: LabelBudgetResults) -> list[str]:
    """Budgets without results; one note for the regimes that share a reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, own in found["cost_of_trainings"].items():
        for budget, reason in own["left_out"].items():
            reasons.setdefault((budget, one_line(reason)), []).append(name)
    return [
        f"Left out: {formats.count(int(budget)) if budget.isdigit() else budget} patients"
        f"{_of(names, found['cost_of_trainings'])}, since {reason.rstrip('.')}."
        for (budget, reason), names in reasons.items()
    ]


def _of(names: Sequence[str], everyone: Mapping[str, object]) -> str:
    return "" if len(names) == len(everyone) else f" of {listed([named(name) for name in names])}"


def cautions(found: LabelBudgetResults) -> list[str]:
    """The regimes whose trainings with budgets failed, with the reasons."""
    return [
        f"{REGIME_TITLES[name]}: its trainings with budgets failed ({CAUSES[own['cause']]}), so there are no results "
        f"of it here. Reason: {one_line(own['reason']).rstrip('.')}."
        for name, own in found["failed"].items()
    ]


def _diverged(found: LabelBudgetResults) -> str:
    several = {name: own["diverged"] for name, own in found["cost_of_trainings"].items() if own["diverged"]}
    if not several:
        return ""
    texts = [f"{REGIME_TITLES[name]} {formats.count(number)}" for name, number in several.items()]
    return f"Trainings that diverged and count with the epoch that was kept: {listed(texts)}."
