"""The section on numbers of labelled patients in words that claim no more than the intervals show."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.artifacts.comparison import Findings
from components.artifacts.label_budget_results import BudgetPair, Crossing, LabelBudgetResults, OnTestSet
from components.compare.report import formats
from components.compare.report.label_budget_notes import cautions, notes
from components.compare.report.titles import listed, named

TITLE = "How many labelled patients are needed?"


@dataclass(frozen=True)
class Section:
    """The texts of the section.

    Attributes:
        title: of the section.
        answer: in one sentence.
        cautions: which regimes are missing, and why.
        sentences: what else is shown, and what more labels would bring.
        notes: what the numbers are and what is missing.
        external: the answer on the external test set; "" without one.
    """

    title: str
    answer: str
    cautions: list[str]
    sentences: list[str]
    notes: list[str]
    external: str


def shown(findings: Findings) -> Section | None:
    """The texts for a comparison; None without label budgets."""
    found = findings.get("label_budgets")
    if not found:
        return None
    return Section(
        title=TITLE,
        answer=answer(found, found),
        cautions=cautions(found),
        sentences=[*_crossings(found), *_doubling(found)],
        notes=notes(found),
        external=answer(found, found["external"]) if "external" in found else "",
    )


def answer(found: LabelBudgetResults, on: OnTestSet) -> str:
    """The answer in one sentence.

    Args:
        found: everything about label budgets.
        on: the results on one of the test sets.
    """
    if not found["draws"]:
        return "No training with fewer labelled patients gave a result, so nothing is known about how many are needed."
    if not on["pairs"]:
        return _alone(on)
    numbers = [gap["patients"] for pair in on["pairs"] for gap in pair["differences"]]
    if not numbers:
        return "No two regimes have results with the same number of labelled patients, so they cannot be compared."
    first, last = (_highest(on, patients) for patients in (min(numbers), max(numbers)))
    if first == last:
        return _same(on, first, numbers, found["patients"])
    pair = _pair(on, first, last)
    if pair and pair["crossing"]:
        return _crossed(pair, pair["crossing"])
    return _not_crossed(first, last, pair, numbers)


def _alone(on: OnTestSet) -> str:
    """Of one regime."""
    name, regime = next(iter(on["regimes"].items()))
    values = [
        f"{formats.decimal(point['roc_auc']['value'])} ({formats.span(point['roc_auc']['ci95'])}) with "
        f"{formats.count(point['patients'])}"
        for point in (regime["points"][0], regime["points"][-1])
    ]
    return f"{named(name, True)} reached a ROC AUC of {' and of '.join(dict.fromkeys(values))} labelled patients."


def _crossed(pair: BudgetPair, crossing: Crossing) -> str:
    first, second = crossing["first"], crossing["second"]
    ahead = [_numbers(pair, side) for side in (first, second)]
    return (
        f"With {ahead[0]} labelled patients {named(first)} is shown to be ahead of {named(second)}, {named(second)} "
        f"with {ahead[1]}; they change places at about {about(crossing['patients'])} patients (95% interval "
        f"{_between(crossing['ci95'], pair)})."
    )


def _between(ends: Sequence[float | None], pair: BudgetPair) -> str:
    low, high = ends
    fewest, most = (formats.count(pair["differences"][place]["patients"]) for place in (0, -1))
    texts = [
        f"below {fewest}" if low is None else about(low, math.floor),
        f"above {most}" if high is None else about(high, math.ceil),
    ]
    return " to ".join(texts)


def _not_crossed(first: str, last: str, pair: BudgetPair | None, numbers: Sequence[int]) -> str:
    fewest, most = formats.count(min(numbers)), formats.count(max(numbers))
    text = (
        f"{named(first, True)} has the highest ROC AUC with {fewest} labelled patients and {named(last)} with {most}, "
        f"but the two are not shown to change places up to {most}"
    )
    claims = [
        f"{named(name)} is shown to be ahead with {_numbers(pair, name)}"
        for name in (first, last)
        if pair and _numbers(pair, name)
    ]
    return f"{text}: {listed(claims)}." if claims else f"{text}."


def _same(on: OnTestSet, name: str, numbers: Sequence[int], every: int | None) -> str:
    fewest, most = formats.count(min(numbers)), formats.count(max(numbers))
    if max(numbers) == every:
        most = f"all {most}"
    over_all = [patients for patients in sorted(set(numbers)) if _ahead_of_all(on, name, patients)]
    text = f"{named(name, True)} has the highest ROC AUC with {fewest} labelled patients and with {most}"
    if elsewhere := [own for own in sorted(set(numbers)) if _highest(on, own) != name]:
        text += f" (another regime has it with {_listed(elsewhere)})"
    if over_all:
        return f"{text}; it is shown to be ahead of every other regime with {_listed(over_all)}."
    beaten = _beaten(on, name)
    if beaten:
        return f"{text}. It is shown to be ahead of {listed(beaten)}, but with no number of patients of all others."
    return f"{text}, but is not shown to be ahead of any other regime with any number of them."


def _beaten(on: OnTestSet, name: str) -> list[str]:
    """Whom a regime is shown to be ahead of, and with which numbers of patients."""
    found = []
    for pair in on["pairs"]:
        if name in (pair["a"], pair["b"]) and (numbers := _numbers(pair, name)):
            found.append(f"{named(pair['a'] if name == pair['b'] else pair['b'])} with {numbers}")
    return found


def _ahead_of_all(on: OnTestSet, name: str, patients: int) -> bool:
    gaps = [
        gap["ahead"]
        for pair in on["pairs"]
        if name in (pair["a"], pair["b"])
        for gap in pair["differences"]
        if gap["patients"] == patients
    ]
    others = sum(
        any(point["patients"] == patients for point in regime["points"])
        for other, regime in on["regimes"].items()
        if other != name
    )
    return bool(gaps) and len(gaps) == others and all(ahead == name for ahead in gaps)


def _highest(on: OnTestSet, patients: int) -> str:
    """The regime with the highest mean with a number of patients."""
    values = {
        name: point["roc_auc"]["value"]
        for name, regime in on["regimes"].items()
        for point in regime["points"]
        if point["patients"] == patients
    }
    return max(values, key=lambda name: values[name])


def _pair(on: OnTestSet, one: str, other: str) -> BudgetPair | None:
    return next((pair for pair in on["pairs"] if {pair["a"], pair["b"]} == {one, other}), None)


def _numbers(pair: BudgetPair, name: str) -> str:
    """With which numbers of patients a regime is shown to be ahead; "" if with none."""
    return _listed([gap["patients"] for gap in pair["differences"] if gap["ahead"] == name])


def _listed(numbers: Sequence[int]) -> str:
    return listed([formats.count(number) for number in numbers]) if numbers else ""


def _crossings(found: LabelBudgetResults) -> list[str]:
    """Pairs that are shown to change places and are not those of the answer."""
    if not found["draws"]:
        return []
    main = answer(found, found)
    texts = [_crossed(pair, pair["crossing"]) for pair in found["pairs"] if pair["crossing"]]
    return [text for text in texts if text != main]


def _doubling(found: LabelBudgetResults) -> list[str]:
    """What twice as many labels would bring the regime that is best with all patients."""
    whole = {
        name: regime for name, regime in found["regimes"].items() if regime["points"] and regime["points"][-1]["all"]
    }
    if not whole or not found["draws"] or not found["patients"]:
        return []
    best = max(whole, key=lambda name: whole[name]["points"][-1]["roc_auc"]["value"])
    twice, regime = whole[best]["doubling"], whole[best]
    patients = formats.count(2 * found["patients"])
    if not twice:
        return [
            f"What twice as many labelled patients ({patients}) would bring {named(best)} is not known, since "
            f"{regime['why_no_curve']}."
        ]
    price = found["label_price"]
    cost = f"; labelling them would cost {formats.price(price * found['patients'])}" if price else ""
    return [
        f"Twice as many labelled patients ({patients}) would bring {named(best)}, the best with all of them, "
        f"{_gain(twice['gain']['value'])} in ROC AUC (95% interval {formats.signed_span(twice['gain']['ci95'])}), if "
        f"its learning curve goes on like this{cost}."
    ]


def _gain(value: float) -> str:
    return formats.signed(value) if value >= 0.0005 else "less than 0.001"


def about(number: float, rounded: Callable[[float], int] = round) -> str:
    """A number of patients with two digits, for example `120`; ends of intervals are rounded outwards."""
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return formats.count(rounded(number / unit) * unit)
