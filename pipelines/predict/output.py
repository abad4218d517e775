"""Predictions on standard output, as a table or as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from components.console import printable
from pipelines.predict.selection import SelectedModel


def print_predictions(selected: SelectedModel, scores: Mapping[Path, float], as_json: bool) -> None:
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
