"""Test images with the explanations of every regime."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from components.artifacts.evaluation import Evaluation
from components.compare import (
    inputs,
)
from components.compare.report import explanations
from components.console import UserError
from components.imaging.overlay import overlay


def test_explanations_are_those_of_the_image_whatever_the_order_of_the_predictions(write):
    index = write.index(images=60, patients=60).sample(frac=1, random_state=1).reset_index(drop=True)
    folder = write.evaluation("custom_cnn", index=index, scores=1.0 - index["label"], explained=True)
    given = inputs.load([folder], write.summary())
    found = explanations.cases(given)["mistakes"][0]
    row = index.index[index["image"] == found.image][0]
    maps = Evaluation.load(folder).explanations().maps
    assert found.views[0].alt == explanations.position(maps[row])
    expected = overlay(Evaluation.load(folder).explanations().thumbnails[row], maps[row], explanations.SIDE)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.views[0].picture.split(",")[1]))))
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(float) - expected).mean() < 25
    assert found.views[0].prediction != found.label
    assert not found.views[0].right


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "upper left"), (1, 1, "centre"), (2, 1, "lower centre"), (1, 2, "middle right")],
)
def test_the_position_of_the_heat_is_described_in_words(row, column, words):
    heat = np.zeros((3, 3), np.uint8)
    heat[row, column] = 200
    assert explanations.position(heat) == words


def test_no_heat_is_nowhere():
    heat = np.zeros((3, 3), np.uint8)
    assert explanations.position(heat) == "nowhere"


def test_explanations_of_other_images_are_refused(write):
    folder = write.evaluation("custom_cnn", explained=True)
    np.savez(folder / "explanations.npz", thumbnails=np.zeros((3, 8, 8), np.uint8), maps=np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(UserError, match="is damaged"):
        Evaluation.load(folder).explanations()


def test_objects_in_the_explanations_file_are_never_unpickled(write):
    folder = write.evaluation("custom_cnn", explained=True)
    np.savez(folder / "explanations.npz", thumbnails=np.array([{}], object), maps=np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(UserError, match="is damaged"):
        Evaluation.load(folder).explanations()
