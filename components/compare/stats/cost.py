"""What a regime costs: money for given prices, who is not beaten in both quality and cost, time to a given quality."""

from typing import Any

LEVELS = (0.9, 0.95, 0.98, 0.99)
"""Validation ROC AUCs whose first reaching is timed."""

COSTS = ("train_seconds", "peak_memory_mb", "model_mb", "inference_ms_per_image", "training_price")
"""Costs against which quality is held."""


def training_price(training: dict[str, Any], gpu_hour_price: float, cpu_hour_price: float) -> float | None:
    """What the training cost in money.

    Args:
        training: content of `training.json`.
        gpu_hour_price: of an hour on the machine if it has a GPU; 0 for unknown.
        cpu_hour_price: of an hour on it if it has none; 0 for unknown.

    Returns:
        The price, in the currency of the prices; None where the one that applies is unknown.
    """
    price = gpu_hour_price if training["hardware"] and training["hardware"]["gpu"] else cpu_hour_price
    return training["cost"]["train_seconds"] / 3600 * price if price else None


def time_to_auc(history: list[dict[str, Any]]) -> dict[str, float | None]:
    """Seconds of training after which validation ROC AUC first reached each of `LEVELS`; None where it never did.

    Args:
        history: of `training.json`; an entry speaks of the end of its epoch.
    """
    return {
        f"{level:g}": next((entry["seconds"] for entry in history if (entry["validation_auc"] or 0) >= level), None)
        for level in LEVELS
    }


def pareto(regimes: dict[str, Any]) -> dict[str, list[str]]:
    """For each cost, the regimes that no other beats: none is as cheap and better, or as good and cheaper.

    Args:
        regimes: of `results.json`; quality is ROC AUC.

    Returns:
        {cost: regimes, cheapest first}; costs that a regime does not know are left out.
    """
    found = {}
    for cost in COSTS:
        points = {
            name: (regime["cost"][cost], -regime["metrics"]["roc_auc"]["value"]) for name, regime in regimes.items()
        }
        if all(price is not None for price, _ in points.values()):
            front = [
                name
                for name, own in points.items()
                if not any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in points.values())
            ]
            found[cost] = sorted(front, key=points.get)
    return found
