"""Every image is scored, whatever the size of the last batch."""

import numpy as np
import pytest

from components.inference.scoring import BATCH_SIZE, predict_batches, score


class Mean:
    """A model whose score is the mean of an image; keeps the shapes that it was given."""

    def __init__(self):
        self.shapes = []

    def predict_on_batch(self, images):
        self.shapes.append(images.shape)
        return images.mean(axis=(1, 2), dtype=np.float32) / 255


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4), np.uint8)


@pytest.mark.parametrize("count", [1, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE + 3])
def test_each_image_has_its_own_score_and_the_model_sees_one_shape(count):
    network, images = Mean(), pictures(count)
    scores = score(network, images)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(images.mean(axis=(1, 2)) / 255, abs=1e-6)
    assert set(network.shapes) == {(BATCH_SIZE, 4, 4, 1)}
    assert len(network.shapes) == -(-count // BATCH_SIZE)


def test_the_padding_of_the_last_batch_is_not_in_the_output():
    assert [len(batch) for batch in predict_batches(Mean(), pictures(BATCH_SIZE + 3))] == [BATCH_SIZE, 3]
