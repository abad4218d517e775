"""Findings with given values of ROC AUC, for tests of decisions and their wording."""

from itertools import combinations, permutations

from components.artifacts.names import FLOOR

MARGIN = 0.01


def make_findings(aucs, *, seconds=(10, 20, 30, 40), parameters=(1, 5, 5, 5), width=0.004, corrected=0.01, **facts):
    """Findings with the given ROC AUC of each regime; every difference has an interval of plus or minus `width`.

    `aucs` may have the baseline. Further facts: `seeds` of every regime (3), `power` and `needed` patients of every
    pair, `source`, `weights`.
    """
    models = {
        name: {
            "metrics": {metric: {"value": auc, "ci95": [auc - 0.01, auc + 0.01]} for metric in ("roc_auc", "accuracy")},
            "cost": {"train_seconds": time, "parameters": count},
        }
        for (name, auc), time, count in zip(aucs.items(), seconds, parameters, strict=False)
    }
    regimes = {name: model for name, model in models.items() if name != FLOOR}
    if facts.get("seeds", 3) > 1:
        for regime in regimes.values():
            regime["per_seed"] = {str(seed): {} for seed in range(facts.get("seeds", 3))}
    findings = {
        "regimes": regimes,
        "comparisons": [difference(aucs, a, b, width, corrected) for a, b in combinations(regimes, 2)],
        "noninferiority": make_noninferiority(aucs, width, facts.get("power", 0.12), facts.get("needed", 1900)),
        "training_times": [
            {
                **{"a": a, "b": b, "ratio": models[a]["cost"]["train_seconds"] / models[b]["cost"]["train_seconds"]},
                **{"ci95": [0.1, 9.0], "shown": facts.get("times_differ", True)},
            }
            for a, b in combinations(models, 2)
        ],
        "dataset": {"source": {"name": facts.get("source", "kaggle")}, "splits": {"test": {"patients": 200}}},
        "backbone": {"name": "MobileNetV2", "weights": facts.get("weights", "imagenet")},
    }
    if FLOOR in models:
        against = [difference(aucs, name, FLOOR, width, corrected) for name in regimes]
        findings["floor"] = findings["baseline"] = models[FLOOR] | {"comparisons": against}
    return findings


def difference(aucs, a, b, width, corrected):
    gap = aucs[a] - aucs[b]
    return {
        **{"a": a, "b": b, "metric": "roc_auc", "difference": gap, "p_value": 0.01, "p_value_holm": corrected},
        "ci95": [gap - width, gap + width],
    }


def make_noninferiority(aucs, width, power, needed):
    pairs = [
        {
            **{"candidate": name, "other": other, "loss": aucs[other] - aucs[name]},
            **{"upper_bound": aucs[other] - aucs[name] + width, "power": power, "patients_needed": needed},
            "shown": aucs[other] - aucs[name] + width <= MARGIN,
        }
        for name, other in permutations(aucs, 2)
    ]
    shown = [name for name in aucs if all(pair["shown"] for pair in pairs if pair["candidate"] == name)]
    return {"margin": MARGIN, "level": 0.05 / 3, "candidates": list(aucs), "shown": shown, "pairs": pairs}
