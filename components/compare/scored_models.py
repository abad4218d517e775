"""The models as the statistics take them, and the ensemble of the seeds of a regime."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from components import thresholds
from components.artifacts.evaluation import logits
from components.compare.inputs import Inputs, Model
from components.compare.stats.evidence import Images, Scored

POINT_RULES = {rule.words: rule for rule in thresholds.OPERATING_POINTS if rule.kind != "fixed"}
"""The rules of the further thresholds by their names in `evaluation.json`."""


def validation_images(inputs: Inputs) -> Images | None:
    """The validation images, on which thresholds were chosen; None where nothing was predicted for them."""
    labels = inputs.validation_labels
    return Images(labels, inputs.validation_patients) if set(labels) == {0, 1} else None


def scored(model: Model) -> Scored:
    """A model on the test images."""
    points = {point["name"]: point["threshold"] for point in model.record["operating_points"]}
    return Scored(
        model.scores,
        model.threshold,
        points,
        model.calibrated_scores,
        model.validation_scores,
        model.rule,
        {name: POINT_RULES[name] for name in points if name in POINT_RULES},
    )


def scored_without_points(model: Model, scores: np.ndarray | None = None) -> Scored:
    """A model with its main threshold alone.

    Args:
        model: whose threshold was chosen on validation.
        scores: float64 (E,), of other images than the test images, for example of the external test set.
    """
    given = model.scores if scores is None else scores
    return Scored(given, model.threshold, validation=model.validation_scores, rule=model.rule)


def ensemble(models: Sequence[Model]) -> Scored:
    """The seeds of a regime as one classifier: the mean of their logits, with its own threshold.

    The threshold is chosen on the validation images by the rule of the single models.

    Args:
        models: of one regime, with validation scores.
    """
    validation, test = (
        expit(np.mean([logits(scores) for scores in own], axis=0))
        for own in ([model.validation_scores for model in models], [model.scores for model in models])
    )
    labels = models[0].evaluation.split("validation").sort_values("image", kind="stable")["label"].to_numpy(np.int64)
    threshold = float(thresholds.choose(labels, validation, models[0].rule)[0])
    return Scored(test, threshold, validation=validation, rule=models[0].rule)
