"""A search for the learning rate and the number of trainable layers: what was tried and kept. Written by train."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd

from components.artifacts import files

SCORES = "tuning.csv"


class TuningCandidate(TypedDict):
    """A training that was tried, or a solution for the head.

    Attributes:
        multiple: of the learning rate; 1 where that was not searched.
        learning_rate: the parameter `learning_rate` with this multiple.
        trainable_layers: of partial fine-tuning.
        strength, depths: of a solution for the head, see `trained_model.HeadChoice`; it has none of the other settings.
        validation_auc, validation_loss: of its best epoch; None if the logits overflowed in its first epoch.
        best_epoch: the epoch that was kept of it; None likewise.
        epochs: that were trained, without a warm-up.
        seconds: training time, without features that an earlier candidate of this seed had computed.
        diverged: whether it diverged; it was then kept only if all did.
    """

    multiple: NotRequired[float]
    learning_rate: NotRequired[float]
    trainable_layers: NotRequired[int]
    strength: NotRequired[float]
    depths: NotRequired[list[str]]
    validation_auc: float | None
    validation_loss: float | None
    best_epoch: NotRequired[int | None]
    epochs: NotRequired[int]
    seconds: NotRequired[float]
    diverged: NotRequired[bool]


class Tuning(TypedDict):
    """A search on the validation images, of which the best candidate was kept by the rule that chooses an epoch.

    Attributes:
        varied: what differs between candidates: "learning_rate", "trainable_layers", or "strength" of the penalty of a
            head that is solved and has no learning rate.
        given: parameters that the search replaced, by name: the kept model was trained with those of its candidate.
        candidates: in the order of the columns of `tuning.csv`.
        chosen: number of the one that was kept, counted from 1.
    """

    varied: list[str]
    given: dict[str, float | int]
    candidates: list[TuningCandidate]
    chosen: int


def save(folder: Path, images: Sequence[str], logits: Mapping[int, np.ndarray]) -> None:
    """Writes the scores of candidates on the validation images, with six significant digits.

    Args:
        folder: of a model or of its evaluation.
        images: names of the validation images.
        logits: {number of a candidate: float (N,)}, after its best epoch.
    """
    columns = {str(number): own for number, own in logits.items()}
    files.write_text(
        folder / SCORES, pd.DataFrame({"image": images, **columns}).to_csv(index=False, float_format="%.6g")
    )


def load(folder: Path, kind: str) -> pd.DataFrame:
    """Reads what `save` wrote.

    Args:
        folder: of a model or of its evaluation.
        kind: of the artifact, for messages.

    Returns:
        A row for each validation image: `image`, and the logits of each candidate under its number.

    Raises:
        UserError: the file is missing or damaged.
    """
    return files.read_table(folder / SCORES, kind, ("image",))
