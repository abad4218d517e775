"""Findings with given values of ROC AUC, for tests of decisions and their wording."""

from itertools import combinations


def make_findings(aucs, *, seconds=(10, 20, 30, 40), parameters=(1, 5, 5, 5), width=0.004, corrected=0.01, **facts):
    """Findings with the given ROC AUC of each regime; every difference has an interval of plus or minus `width`."""
    regimes = {
        name: {
            "metrics": {metric: {"value": auc, "ci95": [auc - 0.01, auc + 0.01]} for metric in ("roc_auc", "accuracy")},
            "cost": {"train_seconds": time, "parameters": count},
        }
        for (name, auc), time, count in zip(aucs.items(), seconds, parameters, strict=False)
    }
    comparisons = [
        {
            **{"a": a, "b": b, "metric": "roc_auc", "difference": aucs[a] - aucs[b], "p_value_holm": corrected},
            "ci95": [aucs[a] - aucs[b] - width, aucs[a] - aucs[b] + width],
        }
        for a, b in combinations(aucs, 2)
    ]
    return {
        "regimes": regimes,
        "comparisons": comparisons,
        "dataset": {"source": {"name": facts.get("source", "kaggle")}},
        "backbone": {"name": "MobileNetV2", "weights": facts.get("weights", "imagenet")},
    }
