"""Mistakes and explanations: test images of interest, and the regions in them that each regime relied on."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from components.artifacts.evaluation import Explanations
from components.artifacts.names import CLASSES
from components.compare import examples
from components.compare.inputs import Inputs
from components.imaging.overlay import enlarged, overlay

SIDE = 120
"""Height and width of a picture (px)."""

JPEG_QUALITY = 78


@dataclass(frozen=True)
class View:
    """One regime on one image.

    Attributes:
        picture: data URL of the image with the heat map as an overlay.
        alt: where the heat is, in words.
        score: calibrated probability of pneumonia.
        prediction: "normal" or "pneumonia", at the regime's threshold.
        right: whether that is the label.
    """

    picture: str
    alt: str
    score: float
    prediction: str
    right: bool


@dataclass(frozen=True)
class Case:
    """One test image as every regime classified it.

    Attributes:
        image: its name, which is not safe to use as HTML.
        label: "normal" or "pneumonia".
        picture: data URL of the image alone.
        views: one per regime, in the order of the regimes.
    """

    image: str
    label: str
    picture: str
    views: list[View]


def cases(inputs: Inputs) -> dict[str, list[Case]]:
    """The images to show, by the reason: "typical", "mistakes", "disagreements" (see `examples.choose`).

    Of a regime with several seeds the first is shown.

    Returns:
        Empty where a regime has no explanations, since the regimes are shown side by side.
    """
    models = [own[0] for own in inputs.regimes.values()]
    explained = [found for model in models if (found := model.explanations()) is not None]
    if len(explained) < len(models):
        return {}
    scores = np.stack([model.calibrated_scores for model in models])
    wrong = examples.mistakes(inputs)
    chosen = examples.choose(inputs.labels, inputs.patients, scores, wrong)
    names = models[0].test_images
    return {
        reason: [_case(row, names[row], int(inputs.labels[row]), explained, scores, wrong) for row in rows]
        for reason, rows in chosen.items()
    }


def _case(
    row: int, name: str, label: int, explained: list[Explanations], scores: np.ndarray, wrong: np.ndarray
) -> Case:
    views = []
    for found, own_scores, own_wrong in zip(explained, scores, wrong, strict=True):
        prediction = CLASSES[label ^ int(own_wrong[row])].lower()
        picture = _jpeg(overlay(found.thumbnails[row], found.maps[row], SIDE))
        views.append(View(picture, position(found.maps[row]), float(own_scores[row]), prediction, not own_wrong[row]))
    plain = _jpeg(np.repeat(enlarged(explained[0].thumbnails[row], SIDE)[..., None], 3, axis=2))
    return Case(name, CLASSES[label].lower(), plain, views)


def position(heat: np.ndarray) -> str:
    """Where the heat is, for readers who cannot see it, for example "upper left"; sides are those of the picture.

    Args:
        heat: uint8 (G, G), see `evaluation.Explanations`.
    """
    if not heat.any():
        return "nowhere"
    down, across = (np.average(line, weights=heat) for line in np.indices(heat.shape))
    rows, columns = heat.shape
    height = ("upper", "middle", "lower")[min(2, int(3 * (down + 0.5) / rows))]
    side = ("left", "centre", "right")[min(2, int(3 * (across + 0.5) / columns))]
    return "centre" if (height, side) == ("middle", "centre") else f"{height} {side}"


def _jpeg(pixels: np.ndarray) -> str:
    """A data URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
