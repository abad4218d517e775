"""What a network is fed with."""

import keras
import numpy as np
import pytest

from components.train import batches, device
from components.train.augmentation import RadiographAugmentation
from components.train.recipe import Recipe


def make(count=10, views=3, size=4, seed=1):
    """Examples whose value tells their row and view: 100 * row + view."""
    array = 100.0 * np.arange(count)[None, :, None] + np.arange(views)[:, None, None]
    labels = np.arange(count) % 2
    return batches.Batches([array.astype(np.float32)], labels, np.arange(count) + 1.0, size, seed)


def test_inputs_labels_and_weights_belong_together():
    for inputs, labels, weights in make():
        rows = (inputs[:, 0] // 100).astype(int)
        assert np.array_equal(labels[:, 0], rows % 2)
        assert np.array_equal(weights, rows + 1)
        assert inputs.shape == (4, 1)


def test_an_epoch_has_whole_batches_and_no_example_twice():
    feed = make(count=10, size=4)
    assert len(feed) == 2
    rows = np.concatenate([inputs[:, 0] // 100 for inputs, _, _ in feed])
    assert len(set(rows)) == 8


def test_a_batch_is_never_larger_than_the_data():
    feed = make(count=3, size=32)
    assert [len(inputs) for inputs, _, _ in feed] == [3]


@pytest.mark.parametrize(("count", "size"), [(5, 4), (2, 2), (4, 4), (20, 16)])
def test_with_fewer_examples_than_a_batch_two_devices_share_as_many_as_they_can_equally(monkeypatch, count, size):
    monkeypatch.setattr(device, "replicas", lambda: 2)
    assert [len(inputs) for inputs, _, _ in make(count=count, size=16)] == [size]


def test_inference_batches_are_a_multiple_of_the_devices(monkeypatch):
    monkeypatch.setattr(device, "replicas", lambda: 3)
    sizes, received = [], []

    def compute(arrays):
        sizes.append(len(arrays[0]))
        return arrays

    array = np.arange(70.0)[None]
    batches.forward(compute, [array], 0, lambda start, outputs: received.append((start, outputs[0])))
    assert sizes == [66, 66]
    assert [start for start, _ in received] == [0, 66]
    assert np.array_equal(np.concatenate([outputs for _, outputs in received]), array[0])


def test_every_epoch_draws_order_and_views_anew_and_the_seed_repeats_them():
    feed, same = make(count=40), make(count=40)
    first = [inputs for inputs, _, _ in feed]
    assert all(np.array_equal(a, b) for a, (b, _, _) in zip(first, same, strict=True))
    second = [inputs for inputs, _, _ in feed]
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert {int(value) % 100 for batch in first for value in batch[:, 0]} == {0, 1, 2}


def test_augmentation_acts_in_training_mode_and_differently_every_time():
    images = np.random.default_rng(1).uniform(0, 255, (4, 16, 16, 1)).astype(np.float32)
    recipe = Recipe(epochs=1, batch_size=4, learning_rate=1e-3, patience=0)

    def views(seed, training=True):
        model = keras.Sequential([keras.Input((16, 16, 1)), RadiographAugmentation(recipe, seed)])
        augment = batches.computation(model, training)
        return [augment([images])[0] for _ in range(3)]

    first, second, third = views(seed=1)
    for one, other in ((images, first), (images, second), (first, second), (second, third)):
        assert np.abs(one - other).mean() > 1
    np.testing.assert_array_equal(views(seed=1), [first, second, third])
    np.testing.assert_array_equal(views(seed=1, training=False)[0], images)
