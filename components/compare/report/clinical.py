"""The section on clinical use at a given prevalence, in words."""

from dataclasses import dataclass

from components.artifacts.clinical_use import ClinicalUse, NetBenefit, RegimeInUse
from components.artifacts.comparison import Findings
from components.artifacts.names import FLOOR, REGIME_TITLES
from components.compare.report import formats
from components.compare.report.titles import listed

HINT = (
    "Predictive values, net benefit and decision curves depend on how frequent pneumonia is where a model would be "
    "used. The options --prevalence 0.1 --harm-ratio 4 add them to this report, here for a prevalence of 10% and a "
    "missed pneumonia that is 4 times as bad as a false alarm."
)

BETTER, WORSE, OPEN = "higher", "lower", "no difference shown"


@dataclass(frozen=True)
class Section:
    """The texts of the section.

    Attributes:
        title: of the section.
        condition: under which its numbers hold.
        sentences: what they are and what they show, a paragraph each.
        values_caption, net_benefit_caption: of its tables.
        guidance: where what else is recommended stands; its source follows.
    """

    title: str
    condition: str
    sentences: list[str]
    values_caption: str
    net_benefit_caption: str
    guidance: str


def shown(findings: Findings) -> Section | None:
    """The texts for a comparison; None without a prevalence."""
    use = findings.get("clinical_use")
    if not use:
        return None
    prevalence = percentage(use["prevalence"])
    return Section(
        title=f"Clinical use at a prevalence of {prevalence}",
        condition=condition(use),
        sentences=[_predictive_values(use), *_net_benefit(use)],
        values_caption=f"Decisions at the threshold chosen on the validation images, where {prevalence} have "
        "pneumonia, with 95% intervals; in a group of 1,000 people without an interval",
        net_benefit_caption="Net benefit per person, in units of one detected pneumonia, with 95% intervals; the gain "
        "is over the better of treating everybody and treating nobody. For a risk the calibration is taken as fixed, "
        "so "
        "its intervals are too narrow, and not comparable with those of the chosen threshold",
        guidance="For a model that predicts a risk, a calibration plot, the net benefit with its decision curve and "
        "the distribution of the risks in each class are recommended besides ROC AUC",
    )


def condition(use: ClinicalUse) -> str:
    """Under which condition the numbers hold."""
    return (
        "Not for clinical use. These numbers state what would follow if the sensitivity and specificity on the test "
        f"images held in a population in which {percentage(use['prevalence'])} have pneumonia, with the same mix of "
        "cases among people with and among people without pneumonia, and one image of each person. These data cannot "
        "show whether they do; only a study in that population can. The prevalence is taken as known: no interval "
        "includes doubt about it."
    )


def in_use(use: ClinicalUse) -> dict[str, RegimeInUse]:
    """The regimes, and after them the baseline where there is one."""
    return use["regimes"] | ({FLOOR: use["baseline"]} if "baseline" in use else {})


def verdict(found: NetBenefit) -> str:
    """How a net benefit compares with the better of treating everybody and treating nobody."""
    low, high = found["gain"]["ci95"]
    return BETTER if low > 0 else WORSE if high < 0 else OPEN


def percentage(share: float) -> str:
    """A share in percent with as many digits as it needs, at most three."""
    return f"{100 * share:.3g}%"


def reference(use: ClinicalUse) -> str:
    """The better one of treating everybody and treating nobody."""
    return "treating everybody" if (use["treat_all"] or 0) > 0 else "treating nobody"


def _predictive_values(use: ClinicalUse) -> str:
    return (
        "The positive predictive value (PPV) is the share of people called ill who have pneumonia, the negative "
        "predictive value (NPV) the share of people called healthy who have none. The risk is the calibrated "
        f"probability, reweighted by Bayes' theorem from {percentage(use['calibration_prevalence'])} pneumonia in the "
        "validation images, on which the calibration was fitted. It is only as accurate as that calibration."
    )


def _net_benefit(use: ClinicalUse) -> list[str]:
    if use["harm_ratio"] is None or use["threshold_probability"] is None or use["treat_all"] is None:
        return [
            "The net benefit needs to be told how much worse a missed pneumonia is than a false alarm; the decision "
            "curves show it for a range of answers. --harm-ratio 4 would state it for one of them."
        ]
    ratio, wanted = f"{use['harm_ratio']:g}", percentage(use["threshold_probability"])
    return [
        f"If a missed pneumonia is {ratio} times as bad as a false alarm, treating is better than not treating from a "
        f"risk of 1/(1 + {ratio}) = {wanted} on. The net benefit (Vickers and Elkin 2006, "
        "doi:10.1177/0272989X06295361) is then the share of people correctly called ill, minus the share falsely "
        f"called ill divided by {ratio}. Treating nobody has a net benefit of 0, treating everybody of "
        f"{formats.signed(use['treat_all'])}. A model with a lower one than {reference(use)} is worse than using no "
        "model.",
        f"Deciding at the chosen threshold, compared with {reference(use)}: {_by_verdict(use)}. There is no correction "
        "for the number of regimes.",
    ]


def _by_verdict(use: ClinicalUse) -> str:
    groups: dict[str, list[str]] = {BETTER: [], WORSE: [], OPEN: []}
    for name, regime in in_use(use).items():
        if "at_threshold" in regime:
            groups[verdict(regime["at_threshold"])].append(REGIME_TITLES[name])
    words = {BETTER: "the net benefit is higher for", WORSE: "it is lower for", OPEN: "no difference is shown for"}
    return "; ".join(f"{words[group]} {listed(names)}" for group, names in groups.items() if names)
