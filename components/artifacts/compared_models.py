"""The models behind a comparison: what was measured of each, and their scores side by side. Written by compare.

Part of the comparison, so that whoever keeps a comparison can compare its models with those of another run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import pandas as pd

from components.artifacts import evaluation, files
from components.artifacts.dataset_summary import DatasetRecord
from components.artifacts.evaluation import PREDICTION_COLUMNS, Evaluation, EvaluationRecord
from components.artifacts.names import GROUPS

KIND = "compared models"
RECORD = "models.json"
PREDICTIONS = "predictions.csv"
FILES = (RECORD, PREDICTIONS)

_IMAGE = tuple(name for name in PREDICTION_COLUMNS if name != "score")
_CURVES: evaluation.Curves = {
    "roc": {"fpr": [], "tpr": [], "thresholds": []},
    "pr": {"precision": [], "recall": []},
}


class ComparedModelsRecord(files.Header):
    """The content of `models.json`.

    Attributes:
        dataset: content of `dataset.json` of the prepared dataset.
        models: content of each `evaluation.json`, regime by regime and by seed, the baseline last; the curves
            are empty, since they follow from the scores.
    """

    dataset: DatasetRecord
    models: list[EvaluationRecord]


@dataclass(frozen=True)
class ComparedModels:
    """The models of a comparison.

    Attributes:
        record: content of `models.json`.
        predictions: a row per image with the columns of `evaluation.Evaluation.predictions`, but in place of `score` a
            column for each model, see `column`. Sorted by split and image.
    """

    record: ComparedModelsRecord
    predictions: pd.DataFrame


def column(regime: str, seed: int) -> str:
    """The name of a model's column of scores."""
    return f"{regime}/{seed}"


def save(folder: Path, dataset: DatasetRecord, models: Sequence[Evaluation], started: datetime) -> None:
    """Writes both files into the folder of a comparison.

    Args:
        folder: of the comparison.
        dataset: content of `dataset.json`.
        models: evaluations on the same images.
        started: when the comparison began (UTC).
    """
    records = [cast(EvaluationRecord, {**own.results, "curves": _CURVES}) for own in models]
    record: ComparedModelsRecord = {**files.header(KIND, started, {}), "dataset": dataset, "models": records}
    files.write_json(folder / RECORD, record)
    tables = [own.predictions.sort_values(["split", "image"], kind="stable", ignore_index=True) for own in models]
    groups = [name for name in GROUPS if name in tables[0]]
    table = tables[0].loc[:, [*_IMAGE, *groups]]
    scores = {
        column(own.results["regime"], own.results["seed"]): scored["score"]
        for own, scored in zip(models, tables, strict=True)
    }
    table.assign(**scores).to_csv(folder / PREDICTIONS, index=False, float_format="%.9g")


def load(folder: str | Path) -> ComparedModels:
    """Reads both files.

    Raises:
        UserError: one is missing, as in comparisons of earlier versions, or damaged.
    """
    record = cast(ComparedModelsRecord, files.read_json(Path(folder) / RECORD, KIND))
    columns = [column(own["regime"], own["seed"]) for own in record["models"]]
    return ComparedModels(record, files.read_table(Path(folder) / PREDICTIONS, KIND, [*_IMAGE, *columns]))
