"""A history of plain numbers: what the gate reads of one, without MLflow."""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from components import roc_auc
from components.artifacts.compared_models import ComparedModels, column
from components.console import UserError
from components.tracking import names
from components.tracking.history import RecordedModel, RecordedRun

IMAGES = 300
PATIENTS = np.arange(IMAGES)
LABELS = (PATIENTS % 5 < 3).astype(int)
HARDWARE = "a machine"


@dataclass
class History:
    """In place of `tracking.history.History`."""

    recorded: list = field(default_factory=list)
    of_runs: dict = field(default_factory=dict)
    predictions: dict = field(default_factory=dict)
    unreadable: set = field(default_factory=set)

    def runs(self):
        return self.recorded

    def all_models(self):
        return self.of_runs

    def compared(self, run):
        if run.id in self.unreadable:
            raise UserError(f"{run.id} is damaged")
        return self.predictions[run.id]

    def images(self, _):
        return None

    def add(self, name, distances, *, seeds=(1,), noise=None, alarms=(), promoted=False, **changes):
        """Records a run.

        Args:
            name: by which runs are ordered.
            distances: of the classes, by regime, in standard deviations of the scores.
            seeds: of its trainings.
            noise: seed of the scores; runs of the same are equal.
            alarms: that it had; people were told of those that were not only suspected.
            promoted: whether it was made champion.
            changes: `accepted`, `suspected`, `fingerprint`, `source`, `parameters`, `cost`.
        """
        random = np.random.default_rng(len(self.recorded) if noise is None else noise)
        fingerprint = changes.get("fingerprint", "ab12")
        tags = {
            names.ALARMS: json.dumps(alarms),
            names.TOLD: json.dumps([pair for pair in alarms if pair not in changes.get("suspected", [])]),
            names.SUSPECTED: json.dumps(changes.get("suspected", [])),
            names.RECIPE: " ".join(sorted(distances)),
            names.SOURCE: "images",
        } | ({names.ACCEPTED: name} if changes.get("accepted") else {})
        parameters = {"source": "directory", "path": "/data/chest", "image_size": "96", "train_images": "1000"}
        run = RecordedRun(
            id=name,
            name=name,
            key=name,
            started=name,
            fingerprint=fingerprint,
            complete=True,
            failed={},
            promoted=name if promoted else "",
            registered={},
            metrics={},
            tags=tags,
            parameters=parameters | changes.get("parameters", {}),
        )
        table = pd.DataFrame({"split": "test", "image": [f"{n:04}" for n in PATIENTS], "patient": PATIENTS})
        table["label"] = LABELS
        models = []
        for regime, distance in distances.items():
            for seed in seeds:
                scores = LABELS * distance + random.normal(size=IMAGES)
                table[column(regime, seed)] = scores
                own = np.float32(scores).astype(float)
                area = roc_auc.covariance_of_areas(LABELS, PATIENTS.astype(str), own[None])[0][0]
                metrics = {"roc_auc": float(area), "train_seconds": 1.0 + len(self.recorded)}
                metrics |= {"images_per_second": 100.0, "peak_memory_mb": 800.0} | changes.get("cost", {})
                models.append(
                    RecordedModel(f"{name} {regime} {seed}", regime, seed, metrics, HARDWARE, f"of {regime}", {})
                )
        record = {"models": [{"regime": one.regime, "seed": one.seed} for one in models]}
        self.recorded.append(run)
        self.of_runs[name] = models
        self.predictions[name] = ComparedModels(record, table)
        return run
