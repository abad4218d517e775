"""Mistakes and explanations: which test images to look at, and where each regime looked in them."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from components.artifacts.evaluation import Explanations
from components.artifacts.names import CLASSES
from components.compare.inputs import Inputs, Model
from components.imaging.overlay import enlarged, overlay

SIDE = 120
"""Height and width of a picture (px)."""

TYPICAL, MISTAKES, DISAGREEMENTS = 2, 6, 4
"""Images shown: typical ones a class, mistakes, disagreements."""

JPEG_QUALITY = 78


@dataclass(frozen=True)
class View:
    """One regime on one image.

    Attributes:
        picture: data URL of the image with the heat laid over.
        alt: where the heat is, in words.
        score: calibrated probability of pneumonia.
        says: "normal" or "pneumonia", at the regime's threshold.
        right: whether that is the label.
    """

    picture: str
    alt: str
    score: float
    says: str
    right: bool


@dataclass(frozen=True)
class Case:
    """One test image in the eyes of every regime.

    Attributes:
        image: its name, which may hold anything.
        truth: "normal" or "pneumonia".
        picture: data URL of the image alone.
        views: one a regime, in the order of the regimes.
    """

    image: str
    truth: str
    picture: str
    views: list[View]


def cases(inputs: Inputs) -> dict[str, list[Case]]:
    """The images worth a look, by the reason why: "typical", "mistakes", "disagreements".

    Of a regime with several seeds the first is shown. No patient is shown twice for the same reason.

    Returns:
        Empty where a regime has no explanations: the pictures are to be compared.
    """
    models = [own[0] for own in inputs.regimes.values()]
    explained = [_in_order(model) for model in models]
    if any(found is None for found in explained):
        return {}
    scores = np.stack([model.calibrated_scores for model in models])
    wrong = np.stack([(model.scores >= model.threshold) != inputs.labels for model in models])
    chosen = choose(inputs.labels, inputs.patients, scores, wrong)
    names = models[0].evaluation.split("test").sort_values("image", kind="stable")["image"].to_numpy(str)
    return {
        reason: [_case(row, str(names[row]), inputs.labels[row], explained, scores, wrong) for row in rows]
        for reason, rows in chosen.items()
    }


def choose(labels: np.ndarray, patients: np.ndarray, scores: np.ndarray, wrong: np.ndarray) -> dict[str, list[int]]:
    """Picks the images by rule, never by hand.

    Typical is, of the images that all regimes judge rightly, the one whose mean score is the median of its class, and
    those next to it. A mistake is the more confident, the farther the score lies from the label, in the regime that is
    farthest off. Regimes disagree by the distance of the highest from the lowest score.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,).
        scores: (R, N), calibrated, of each regime.
        wrong: (R, N) bool, whether the regime's decision is not the label.

    Returns:
        {reason: rows}, most telling first.
    """
    means, off = scores.mean(axis=0), np.where(wrong, np.abs(scores - labels), 0.0).max(axis=0)
    spread = scores.max(axis=0) - scores.min(axis=0)
    typical = []
    for label in (0, 1):
        known = np.flatnonzero((labels == label) & ~wrong.any(axis=0))
        if len(known):
            distance = np.abs(means[known] - np.median(means[known]))
            typical += _first(known[np.argsort(distance, kind="stable")], patients, TYPICAL)
    mistakes = np.argsort(-off, kind="stable")[: int((off > 0).sum())]
    apart = np.argsort(-spread, kind="stable")[: int((spread > 0).sum())] if len(scores) > 1 else []
    return {
        "typical": typical,
        "mistakes": _first(mistakes, patients, MISTAKES),
        "disagreements": _first(apart, patients, DISAGREEMENTS),
    }


def _first(rows: np.ndarray, patients: np.ndarray, number: int) -> list[int]:
    """The first `number` rows of different patients."""
    found: dict[str, int] = {}
    for row in rows:
        if len(found) == number:
            break
        found.setdefault(patients[row], int(row))
    return list(found.values())


def _in_order(model: Model) -> Explanations | None:
    """The explanations in the order of `Inputs.labels`."""
    found = model.evaluation.explanations()
    if found is None:
        return None
    order = model.evaluation.split("test")["image"].argsort(kind="stable").to_numpy()
    return Explanations(found.thumbnails[order], found.maps[order])


def _case(
    row: int, name: str, label: int, explained: list[Explanations], scores: np.ndarray, wrong: np.ndarray
) -> Case:
    views = []
    for found, own_scores, own_wrong in zip(explained, scores, wrong, strict=True):
        says = CLASSES[int(label) ^ int(own_wrong[row])].lower()
        picture = _jpeg(overlay(found.thumbnails[row], found.maps[row], SIDE))
        views.append(View(picture, place(found.maps[row]), float(own_scores[row]), says, not own_wrong[row]))
    plain = _jpeg(np.repeat(enlarged(explained[0].thumbnails[row], SIDE)[..., None], 3, axis=2))
    return Case(name, CLASSES[int(label)].lower(), plain, views)


def place(heat: np.ndarray) -> str:
    """Where the heat is, for who cannot see it: for example "upper left"; sides are those of the picture."""
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
