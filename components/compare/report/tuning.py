"""The searches for learning rate and trainable layers in words."""

from dataclasses import dataclass

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.tuning_result import KeptCandidate, RegimeTuning, Reversal
from components.compare.report import formats
from components.compare.report.titles import listed, pair_title


@dataclass(frozen=True)
class Shown:
    """What the report says of the searches.

    Attributes:
        images: what the values were measured on.
        rates, layers: whether the learning rate, and the number of trainable layers, were searched.
        solved: regimes without a learning rate, whose search is that for the penalty of their head.
        ranking: whether the order of the regimes depends on the learning rate; "" where that cannot be said.
        reversals: the pairs that it speaks of.
        cost: what the training time contains; "" where nothing was searched but penalties.
    """

    images: str
    rates: bool
    layers: bool
    solved: list[str]
    ranking: str
    reversals: list[str]
    cost: str


def shown(findings: Findings) -> Shown | None:
    """What the report says of the searches; None without any."""
    if "tuning" not in findings:
        return None
    found = findings["tuning"]
    return Shown(
        f"{formats.count(found['images'])} validation images of {formats.count(found['patients'])} patients",
        any("learning_rate" in own for own in found["regimes"].values()),
        any("trainable_layers" in own for own in found["regimes"].values()),
        [REGIME_TITLES[name] for name, own in found["regimes"].items() if "strength" in own],
        ranking(findings),
        reversals(findings),
        cost_note(findings),
    )


def regimes(findings: Findings) -> dict[str, RegimeTuning]:
    """The searches by regime; empty without any."""
    return findings["tuning"]["regimes"] if "tuning" in findings else {}


def ranking(findings: Findings) -> str:
    """Whether the order of the regimes depends on the multiple of the learning rate; "" where that cannot be said."""
    if "tuning" not in findings:
        return ""
    orders, pairs = findings["tuning"]["orders"], findings["tuning"]["reversals"]
    if len(orders) < 2 or len(next(iter(orders.values()))) < 2:
        return ""
    if not pairs:
        names = ", ".join(REGIME_TITLES[name] for name in next(iter(orders.values())))
        return (
            f"The order of the regimes by their mean ROC AUC on validation is the same with the multiples "
            f"{listed(list(orders))} of the learning rate: {names}."
        )
    if any(pair["shown"] for pair in pairs):
        return (
            "The ranking on validation depends on the learning rate, which is shown after correction for the number of "
            "pairs and multiples for these regimes:"
        )
    return (
        "The order of the means on validation changes between multiples of the learning rate, but it is not shown that "
        "this is more than chance:"
    )


def reversals(findings: Findings) -> list[str]:
    """The pairs of regimes that `ranking` speaks of, with the multiples at which they differ most in each direction."""
    pairs = findings["tuning"]["reversals"] if "tuning" in findings else []
    return [_words(pair) for pair in [pair for pair in pairs if pair["shown"]] or pairs]


def _words(pair: Reversal) -> str:
    parts = [
        f"{formats.signed(difference['value'])} ({formats.signed_span(difference['ci95'])}) at × {multiple:g}"
        for multiple, difference in zip(pair["multiples"], pair["differences"], strict=True)
    ]
    return f"{pair_title(pair['a'], pair['b'])}: {', '.join(parts)}."


def cost_note(findings: Findings) -> str:
    """That the training time contains the search; "" without one."""
    counts = {
        REGIME_TITLES[name]: max(own["candidates"] for own in regime["kept"].values())
        for name, regime in regimes(findings).items()
        if "strength" not in regime
    }
    if not counts:
        return ""
    searched = {"learning_rate": "the learning rate", "trainable_layers": "the number of trainable layers"}
    what = listed([text for name, text in searched.items() if any(name in own for own in regimes(findings).values())])
    numbers = listed([f"{count} for {name}" for name, count in counts.items()])
    return (
        f"Training time, price and epochs include the search for {what}: all candidates of a seed ({numbers}). The "
        "time until validation first reached a ROC AUC is that of the kept candidate alone."
    )


def candidate(kept: KeptCandidate) -> str:
    """A candidate, for example "learning rate 0.0003 (× 0.3), 5 trainable layers"."""
    if "strength" in kept:
        return f"C = {kept['strength']:g} of the penalty, on {' + '.join(kept['depths'])}; no learning rate"
    parts = [f"learning rate {kept['learning_rate']:g} (× {kept['multiple']:g})"]
    if "trainable_layers" in kept:
        parts.append(formats.counted(kept["trainable_layers"], "trainable layer", "trainable layers"))
    return ", ".join(parts)
