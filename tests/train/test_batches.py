"""What a network is fed with."""

from pathlib import Path

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


@pytest.fixture
def linear():
    """A model of two outputs, and examples of one input: 70 for training, 5 for validation."""
    inputs = keras.Input((1,))
    rows = np.arange(70, dtype=np.float32)[None, :, None]
    return keras.Model(inputs, [inputs * 2, inputs + 1]), batches.Examples([rows], [rows[:, :5] + 100])


def test_features_are_stored_view_by_view_for_every_example(linear):
    model, examples = linear
    with batches.Store() as store:
        features = batches.StoredFeatures(store)
        times_ten = [lambda batch: [batch[0] * 10]]
        found = features.compute(batches.computation(model), times_ten, examples, model.outputs, anew=False)
    twice, plus = found.train
    rows = np.arange(70)
    assert twice.shape == plus.shape == (2, 70, 1)
    assert np.array_equal(twice[..., 0], [rows * 2, rows * 20])
    assert np.array_equal(plus[..., 0], [rows + 1, rows * 10 + 1])
    assert np.array_equal(found.validation[0][..., 0], [np.arange(100, 105) * 2])
    assert features.spared_seconds == 0


def test_a_further_view_starts_from_the_same_view_of_the_inputs(linear):
    model, examples = linear
    two = batches.Examples([np.concatenate([examples.train[0], examples.train[0] + 1000])], examples.validation)
    with batches.Store() as store:
        features = batches.StoredFeatures(store)
        found = features.compute(batches.computation(model), [lambda batch: batch], two, model.outputs, anew=False)
    assert np.array_equal(found.train[0][1, :, 0], (np.arange(70) + 1000) * 2)


def test_what_no_seed_touches_is_computed_for_the_first_seed_alone(linear):
    model, examples = linear
    seen = []

    def plain(batch):
        seen.append(float(batch[0][0, 0]))
        return batches.computation(model)(batch)

    with batches.Store() as store:
        features = batches.StoredFeatures(store)
        for factor in (10, 20):
            change = [lambda batch, factor=factor: [batch[0] * factor - 1]]
            found = features.compute(plain, change, examples, model.outputs, anew=False)
            assert np.array_equal(found.train[0][0, :, 0], np.arange(70) * 2)
            assert np.array_equal(found.train[0][1, :, 0], (np.arange(70) * factor - 1) * 2)
            assert np.array_equal(found.validation[0][..., 0], [np.arange(100, 105) * 2])
    # Each view is two batches, the validation examples are one.
    assert seen == [-1, 639, 0, 64, 100, -1, 1279]
    assert features.spared_seconds > 0


def test_under_other_weights_everything_is_computed_anew(linear):
    model, examples = linear
    with batches.Store() as store:
        features = batches.StoredFeatures(store)
        for factor in (1, 3):
            found = features.compute(
                lambda batch, factor=factor: [batch[0] * factor, batch[0]], [], examples, model.outputs, anew=True
            )
            assert np.array_equal(found.train[0][0, :, 0], np.arange(70) * factor)
            assert np.array_equal(found.validation[0][0, :, 0], np.arange(100, 105) * factor)
            assert features.spared_seconds == 0


def test_large_features_go_to_disk_and_are_removed_with_the_store(monkeypatch):
    monkeypatch.setattr(batches, "MEMORY_LIMIT", 100)
    with batches.Store() as store:
        small, large = store.array((5, 5)), store.array((10, 10))
        assert not isinstance(small, np.memmap)
        assert isinstance(large, np.memmap)
        path = Path(large.filename)
        assert path.is_file()
    assert not path.exists()


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
