"""The rule by which test images are selected."""

import numpy as np

from components.compare import examples, inputs


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


def test_a_few_images_of_each_kind_are_selected():
    labels = [0] * 10 + [1] * 10
    wrong = np.linspace(0.51, 0.99, 10)
    found = choose([np.r_[wrong, 1 - wrong], np.r_[wrong - 0.4, 1.4 - wrong]], labels)
    assert {reason: len(rows) for reason, rows in found.items()} == {
        "typical": 0,
        "mistakes": 6,
        "disagreements": 4,
    }
    assert len(choose([np.r_[1 - wrong, wrong]], labels)["typical"]) == 4


def test_a_score_that_is_the_threshold_itself_is_a_false_alarm_of_a_normal_image(write):
    index = write.index(images=20, patients=20)
    given = inputs.load([write.evaluation("custom_cnn", index=index, scores=np.full(20, 0.5))], write.summary())
    assert (examples.mistakes(given)[0] == (given.labels == 0)).all()
