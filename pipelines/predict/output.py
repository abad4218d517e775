"""What the command prints: predictions on standard output, messages on standard error."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components import console

if TYPE_CHECKING:
    from pipelines.predict.selection import SelectedModel


def print_predictions(selected: "SelectedModel", scores: Mapping[Path, float], as_json: bool) -> None:
    """Prints a line, or a JSON object, for each image.

    Args:
        selected: the model.
        scores: its uncalibrated score of each image.
        as_json: print JSON.
    """
    values = np.array(list(scores.values()))
    probabilities, verdicts = selected.probabilities(values), selected.verdicts(values)
    limit = float(selected.probabilities(np.array([selected.threshold]))[0])
    if as_json:
        rows = [
            {"image": str(path), "probability": float(probability), "score": score, "verdict": verdict}
            for (path, score), probability, verdict in zip(scores.items(), probabilities, verdicts, strict=True)
        ]
        head = {
            "regime": selected.regime,
            "seed": selected.seed,
            "threshold": limit,
            "score_threshold": selected.threshold,
        }
        print(json.dumps(head | {"images": rows}, indent=1))
        return
    names = [printable(path) for path in scores]
    width = max(len(name) for name in names)
    print(f"{'image':{width}}  probability  verdict at {limit:.3f}")
    for name, probability, verdict in zip(names, probabilities, verdicts, strict=True):
        print(f"{name:{width}}  {probability:11.3f}  {verdict}")


def printable(path: Path) -> str:
    """A path as one line of plain text: a file name may contain line breaks and terminal control sequences."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(path))


def note(message: str) -> None:
    """Prints a message on standard error."""
    print(f"{console.PREFIX}predict: {message}", file=sys.stderr, flush=True)
