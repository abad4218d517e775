"""The weights that the project carries, against their model card and on formulas that they were not trained on."""

import hashlib

import keras
import numpy as np
import pytest

from components.train import backbones, folding, networks
from pretraining import run

CARD = backbones.BUNDLED.with_suffix(".md")


def features(weights, images):
    keras.utils.set_random_seed(1)
    built = backbones.build_backbone("MobileNetV2-0.5", weights, 64)
    inputs = np.asarray(networks.backbone_front(built)(images))
    if weights == "none":
        folding.calibrate(built.model, inputs)
    pooled = np.asarray(built.model(inputs, training=False)).mean(axis=(1, 2))
    return (pooled - pooled.mean(axis=0)) / (pooled.std(axis=0) + 1e-3)


def told_apart(features, labels):
    """The share of pictures whose nearest neighbour, by the angle between features, is of their class."""
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    likeness = units @ units.T - 2 * np.eye(len(units))
    return (labels[likeness.argmax(axis=1)] == labels).mean()


def test_the_model_card_is_that_of_the_weights():
    digest = hashlib.sha256(backbones.BUNDLED.read_bytes()).hexdigest()
    assert digest in CARD.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_bundled_weights_tell_new_formulas_apart_where_random_ones_do_not():
    drawn = [run.draw_class(1000 + number, 10, 96, 1)[:, 16:80, 16:80] for number in range(8)]
    images, labels = np.concatenate(drawn)[..., None].astype(np.float32), np.repeat(np.arange(8), 10)
    bundled, random = (told_apart(features(weights, images), labels) for weights in ("bundled", "none"))
    assert bundled > 0.8
    assert random < bundled - 0.3
