"""The rule by which test images are selected."""

import numpy as np

from components.compare import examples


def choose(scores, labels, patients=None, threshold=0.5):
    scores, labels = np.atleast_2d(scores), np.array(labels)
    patients = np.arange(len(labels)) if patients is None else np.array(patients)
    return examples.choose(labels, patients, scores, (scores >= threshold) != labels)


def test_mistakes_are_ordered_by_the_distance_of_the_worst_score_from_the_label():
    scores = [[0.1, 0.9, 0.6, 0.2, 0.8], [0.2, 0.3, 0.55, 0.05, 0.9]]
    found = choose(scores, [0, 0, 0, 1, 1])
    assert found["mistakes"] == [3, 1, 2]


def test_a_score_far_from_the_label_but_on_the_right_side_is_no_mistake():
    assert choose([[0.4, 0.45, 0.9]], [0, 0, 1])["mistakes"] == []


def test_disagreements_are_ordered_by_the_range_of_the_scores():
    scores = [[0.1, 0.9, 0.5], [0.2, 0.2, 0.9]]
    assert choose(scores, [0, 0, 1])["disagreements"] == [1, 2, 0]


def test_one_regime_cannot_disagree_with_itself():
    assert choose([[0.1, 0.9]], [0, 1])["disagreements"] == []


def test_typical_images_are_correct_everywhere_and_near_the_median_of_their_class():
    scores = [[0.01, 0.2, 0.3, 0.45, 0.7, 0.6, 0.8, 0.9, 0.99]]
    labels = [0, 0, 0, 0, 0, 1, 1, 1, 1]
    found = choose(scores, labels)
    # Image 4 is a mistake; the medians of the others are 0.25 and 0.85.
    assert set(found["typical"][:2]) == {1, 2}
    assert set(found["typical"][2:]) == {6, 7}


def test_no_patient_is_shown_twice_for_the_same_reason():
    scores = [[0.95, 0.9, 0.8, 0.1]]
    assert choose(scores, [0, 0, 0, 1], patients=["a", "a", "b", "c"])["mistakes"] == [0, 3, 2]
