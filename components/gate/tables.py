"""The images of recorded runs as tables, with the scores of their models."""

import numpy as np
import pandas as pd

from components.artifacts.compared_models import ComparedModels, column
from components.artifacts.image_table import STATISTICS
from components.artifacts.names import REGIMES
from components.console import UserError
from components.tracking.history import History, RecordedRun


def test_images(compared: ComparedModels) -> pd.DataFrame:
    """The test images of a run with their scores, by image."""
    table = compared.predictions
    return table[table["split"] == "test"].sort_values("image", kind="stable", ignore_index=True)


def scores(compared: ComparedModels, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The scores (seeds, images) of each regime in a table of `test_images`."""
    found: dict[str, list[np.ndarray]] = {}
    for model in compared.record["models"]:
        if model["regime"] in REGIMES:
            own = table[column(model["regime"], model["seed"])].to_numpy(np.float32).astype(np.float64)
            found.setdefault(model["regime"], []).append(own)
    return {regime: np.stack(rows) for regime, rows in found.items()}


def same_images(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether two tables of test images have the same images, with the same labels and patients."""
    columns = ["image", "patient", "label"]
    return a[columns].astype(str).equals(b[columns].astype(str))


def described_images(history: History, run: RecordedRun, compared: ComparedModels) -> tuple[pd.DataFrame, bool]:
    """The images of a run as `drift.judge` takes them, and whether they are all and not only the test images."""
    tested = test_images(compared)
    areas = {regime: own["roc_auc"].value for regime, own in run.metrics.items() if "roc_auc" in own}
    by_regime = scores(compared, tested)
    if not by_regime:
        raise UserError(f"{run.name} has no models of a regime")
    best = max(by_regime, key=lambda regime: areas.get(regime, 0.0))
    mean = pd.Series(by_regime[best].mean(axis=0), index=tested["image"])
    table = history.images(run)
    whole = table is not None
    if table is None:
        table = tested[["image", "patient", "label"]].assign(split="test", **dict.fromkeys(STATISTICS, np.nan))
    table = table.assign(image=table["image"].astype(str), patient=table["patient"].astype(str))
    return table.assign(score=table["image"].map(mean).where(table["split"] == "test")), whole
