"""Titles of metrics, subgroups, costs and models, as tables and plots show them."""

from collections.abc import Callable

from components.artifacts.comparison import Findings
from components.artifacts.names import BASELINE, REGIME_TITLES, WEIGHTS_TITLES
from components.artifacts.trained_model import Backbone

Namer = Callable[..., str]
"""Takes a regime, and whether the name begins a sentence; returns what sentences call it."""

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "balanced_accuracy": "Balanced accuracy",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC (average precision)",
    "brier": "Brier score (lower is better)",
    "ece": "Calibration error (lower is better)",
}

MAIN_METRICS = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc")
"""Metrics of the main table and of the plot of all metrics."""

SUMMARY_METRICS = ("roc_auc", "accuracy", "recall", "specificity")
"""Metrics of the shorter tables: the external test set, and a comparison of two runs."""

ALL_IMAGES = "all test images"

SUBGROUP_TITLES = {
    "bacteria": "bacterial pneumonia",
    "virus": "viral pneumonia",
    "patient seen in training": "patient also in training",
    "patient new": "patient new",
}
"""Short, for the plot."""

SUBGROUP_DESCRIPTIONS = {
    "bacteria": "bacterial pneumonia against normal",
    "virus": "viral pneumonia against normal",
    "patient seen in training": "of patients who are also in training or validation",
    "patient new": "of other patients",
}

CHARACTERISTIC_TITLES = {
    "sex": "Sex (patients)",
    "age": "Age in years (patients)",
    "view": "View (images)",
    "manufacturer": "Manufacturer of the device (images)",
}
"""What the groups are of, and what is counted."""

COST_TITLES = {
    "train_seconds": "Training time",
    "peak_memory_mb": "Peak memory",
    "model_mb": "Model size",
    "inference_ms_per_image": "Time per image",
    "training_price": "Price of training",
}

COST_UNITS = {"peak_memory_mb": "MB", "model_mb": "MB", "inference_ms_per_image": "ms"}
"""Units on the axes of plots; training time has its units at the ticks, and a price has none."""


def subgroup_title(name: str) -> str:
    """A subgroup, short: one of `SUBGROUP_TITLES`, or for example "age 6 to 17"."""
    return SUBGROUP_TITLES.get(name, name)


def subgroup_description(name: str) -> str:
    """A subgroup in a table: one of `SUBGROUP_DESCRIPTIONS`, or for example "age 6 to 17"."""
    return SUBGROUP_DESCRIPTIONS.get(name, name)


def cost_axis(cost: str) -> str:
    """Title of an axis of a cost, with its unit."""
    return f"{COST_TITLES[cost]} ({COST_UNITS[cost]})" if cost in COST_UNITS else COST_TITLES[cost]


def pair_title(a: str, b: str) -> str:
    """Title of the difference of two regimes."""
    return f"{REGIME_TITLES[a]} − {REGIME_TITLES[b]}"


def backbone_title(backbone: Backbone) -> str:
    """A backbone by its name and the source of its weights; "none" without one."""
    if not backbone["name"]:
        return "none"
    weights = backbone["weights"] or "none"
    return f"{backbone['name']}, weights: {WEIGHTS_TITLES.get(weights, weights)}"


def listed(parts: list[str]) -> str:
    """An enumeration, for example `A, B and C`."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def named(regime: str, begins: bool = False) -> str:
    """What sentences call a regime, however often it was trained."""
    title = REGIME_TITLES[regime]
    title = title[0].lower() + title[1:]
    title = f"the {title}" if title.endswith("CNN") else title
    return title[0].upper() + title[1:] if begins else title


def namer(findings: Findings) -> Namer:
    """How sentences call a regime: trained once, it is one network, from which nothing follows for the regime."""

    def name(regime: str, begins: bool = False) -> str:
        if regime == BASELINE:
            return f"{'T' if begins else 't'}he baseline"
        if "per_seed" in findings["regimes"][regime]:
            return REGIME_TITLES[regime]
        title = REGIME_TITLES[regime]
        title = title if title.isupper() else title[0].lower() + title[1:]
        return f"{'T' if begins else 't'}his {title}{'' if title.endswith('CNN') else ' network'}"

    return name
