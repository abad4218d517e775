"""What `benchmarks.speed` concludes from its runs: the difference in ROC AUC, and the table."""

from typing import Any

import numpy as np
from scipy import stats

from benchmarks import measure
from components.artifacts.names import REGIME_TITLES

BOTH = ("plain_keras", "project")

MARGIN = 0.002
"""This project has reached plain Keras's quality where the bound of the difference in ROC AUC is above minus this."""


def difference(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, float | bool | None]:
    """The difference in ROC AUC on the same test images, over pairs of trainings with the same seed.

    Args:
        ours: the runs of this project, each with its `roc_auc`.
        theirs: those of plain Keras.

    Returns:
        `mean`; `bound`, the lower end of the one-sided 95% interval of the mean by Student's t over seeds, None for
        one pair; `reached`, whether it is above -`MARGIN`.
    """
    pairs = np.array([one["roc_auc"] - other["roc_auc"] for one, other in zip(ours, theirs, strict=True)])
    if len(pairs) == 1:
        return {"mean": float(pairs[0]), "bound": None, "reached": None}
    error = pairs.std(ddof=1) / len(pairs) ** 0.5
    bound = float(pairs.mean() - stats.t.ppf(0.95, len(pairs) - 1) * error)
    return {"mean": float(pairs.mean()), "bound": bound, "reached": bound > -MARGIN}


def table(results: dict[str, Any]) -> str:
    """A table of the medians, one line per regime."""
    rows = []
    for regime, both in results["regimes"].items():
        plain, project = both["plain_keras"], both["project"]
        rows.append(
            [
                REGIME_TITLES[regime],
                f"{plain['train_seconds']:.1f}",
                f"{project['train_seconds']:.1f}",
                f"{both['speed_up']:.1f}x",
                f"{plain['peak_memory_mb']:,.0f}",
                f"{project['peak_memory_mb']:,.0f}",
                f"{plain['roc_auc']:.4f}",
                f"{project['roc_auc']:.4f}",
                f"{plain['changed_roc_auc']:.3f}",
                f"{project['changed_roc_auc']:.3f}",
                "" if both["difference"]["bound"] is None else f"{both['difference']['bound']:+.4f}",
                {None: "", True: "yes", False: "no"}[both["difference"]["reached"]],
            ]
        )
    seconds = [sum(both[name]["train_seconds"] for both in results["regimes"].values()) for name in BOTH]
    rows.append(_together("together", *seconds))
    together = results["together"]
    rows.append(_together("together, with start-up", together["plain_keras"], together["project"]))
    if "whole_run" in together:
        rows.append(_together("whole run of the pipeline", together["plain_keras"], together["whole_run"]))
    header = ["training", "Keras s", "ours s", "faster", "Keras MB", "ours MB", "Keras AUC", "ours AUC"]
    header += ["Keras changed", "ours changed", "95% bound of difference", "reached"]
    return measure.table(header, rows)


def _together(title: str, theirs: float, ours: float) -> list[str]:
    return [title, f"{theirs:.1f}", f"{ours:.1f}", f"{theirs / ours:.1f}x", *[""] * 8]
