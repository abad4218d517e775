"""Which test images are shown, and how."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from components.artifacts.evaluation import Evaluation
from components.compare import inputs
from components.compare.report import explanations
from components.console import UserError
from components.imaging.overlay import overlay


def choose(scores, labels, patients=None, threshold=0.5):
    scores, labels = np.atleast_2d(scores), np.array(labels)
    patients = np.arange(len(labels)) if patients is None else np.array(patients)
    return explanations.choose(labels, patients, scores, (scores >= threshold) != labels)


def test_mistakes_come_by_how_far_the_worst_regime_is_from_the_truth():
    scores = [[0.1, 0.9, 0.6, 0.2, 0.8], [0.2, 0.3, 0.55, 0.05, 0.9]]
    found = choose(scores, [0, 0, 0, 1, 1])
    assert found["mistakes"] == [3, 1, 2]


def test_a_score_far_from_the_label_but_on_the_right_side_is_no_mistake():
    assert choose([[0.4, 0.45, 0.9]], [0, 0, 1])["mistakes"] == []


def test_disagreements_come_by_the_spread_of_the_scores():
    scores = [[0.1, 0.9, 0.5], [0.2, 0.2, 0.9]]
    assert choose(scores, [0, 0, 1])["disagreements"] == [1, 2, 0]


def test_one_regime_cannot_disagree_with_itself():
    assert choose([[0.1, 0.9]], [0, 1])["disagreements"] == []


def test_typical_images_are_right_everywhere_and_middling_in_each_class():
    scores = [[0.01, 0.2, 0.3, 0.45, 0.7, 0.6, 0.8, 0.9, 0.99]]
    labels = [0, 0, 0, 0, 0, 1, 1, 1, 1]
    found = choose(scores, labels)
    # Image 4 is a mistake; the medians of the others are 0.25 and 0.85.
    assert set(found["typical"][:2]) == {1, 2}
    assert set(found["typical"][2:]) == {6, 7}


def test_no_patient_is_shown_twice_for_the_same_reason():
    scores = [[0.95, 0.9, 0.8, 0.1]]
    assert choose(scores, [0, 0, 0, 1], patients=["a", "a", "b", "c"])["mistakes"] == [0, 3, 2]


def test_explanations_are_those_of_the_image_whatever_the_order_of_the_predictions(write):
    index = write.index(images=60, patients=60).sample(frac=1, random_state=1).reset_index(drop=True)
    folder = write.evaluation("custom_cnn", index=index, scores=1.0 - index["label"], explained=True)
    given = inputs.load([folder], write.summary())
    found = explanations.cases(given)["mistakes"][0]
    row = index.index[index["image"] == found.image][0]
    maps = Evaluation.load(folder).explanations().maps
    assert found.views[0].alt == explanations.place(maps[row])
    expected = overlay(Evaluation.load(folder).explanations().thumbnails[row], maps[row], explanations.SIDE)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.views[0].picture.split(",")[1]))))
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(float) - expected).mean() < 25
    assert found.views[0].says != found.truth
    assert not found.views[0].right


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "upper left"), (1, 1, "centre"), (2, 1, "lower centre"), (1, 2, "middle right")],
)
def test_the_place_of_the_heat_is_told_in_words(row, column, words):
    heat = np.zeros((3, 3), np.uint8)
    heat[row, column] = 200
    assert explanations.place(heat) == words


def test_no_heat_is_nowhere():
    heat = np.zeros((3, 3), np.uint8)
    assert explanations.place(heat) == "nowhere"


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
