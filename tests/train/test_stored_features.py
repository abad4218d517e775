"""Outputs of frozen layers are computed once, and taken from other processes."""

from pathlib import Path

import keras
import numpy as np
import pytest

from components.train import batches, stored_features


@pytest.fixture
def linear():
    """A model of two outputs, and examples of one input: 70 for training, 5 for validation."""
    inputs = keras.Input((1,))
    rows = np.arange(70, dtype=np.float32)[None, :, None]
    return keras.Model(inputs, [inputs * 2, inputs + 1]), stored_features.Examples([rows], [rows[:, :5] + 100])


def test_features_are_stored_view_by_view_for_every_example(linear):
    model, examples = linear
    with stored_features.Store() as store:
        features = stored_features.StoredFeatures(store)
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
    two = stored_features.Examples([np.concatenate([examples.train[0], examples.train[0] + 1000])], examples.validation)
    with stored_features.Store() as store:
        features = stored_features.StoredFeatures(store)
        found = features.compute(batches.computation(model), [lambda batch: batch], two, model.outputs, anew=False)
    assert np.array_equal(found.train[0][1, :, 0], (np.arange(70) + 1000) * 2)


def test_what_no_seed_touches_is_computed_for_the_first_seed_alone(linear):
    model, examples = linear
    seen = []

    def plain(batch):
        seen.append(float(batch[0][0, 0]))
        return batches.computation(model)(batch)

    with stored_features.Store() as store:
        features = stored_features.StoredFeatures(store)
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
    with stored_features.Store() as store:
        features = stored_features.StoredFeatures(store)
        for factor in (1, 3):
            found = features.compute(
                lambda batch, factor=factor: [batch[0] * factor, batch[0]], [], examples, model.outputs, anew=True
            )
            assert np.array_equal(found.train[0][0, :, 0], np.arange(70) * factor)
            assert np.array_equal(found.validation[0][0, :, 0], np.arange(100, 105) * factor)
            assert features.spared_seconds == 0


def test_large_features_go_to_disk_and_are_removed_with_the_store(monkeypatch):
    monkeypatch.setattr(stored_features, "MEMORY_LIMIT", 100)
    with stored_features.Store() as store:
        small, large = store.array((5, 5)), store.array((10, 10))
        assert not isinstance(small, np.memmap)
        assert isinstance(large, np.memmap)
        path = Path(large.filename)
        assert path.is_file()
    assert not path.exists()


def test_features_of_another_process_stand_for_computed_ones(linear):
    model, examples = linear
    with stored_features.Store() as store, stored_features.Store() as other:
        computing, taking = stored_features.StoredFeatures(store), stored_features.StoredFeatures(other)
        change = [lambda batch: [batch[0] * 10]]
        found = computing.compute(batches.computation(model), change, examples, model.outputs, anew=False)
        taken = taking.take(found, 7.5, model.outputs, (70, 5))
        for one, same in zip(taken.train + taken.validation, found.train + found.validation, strict=True):
            assert one is not same
            np.testing.assert_array_equal(one, same)
        # The next seed computes only what depends on it, and counts the time that the other process took.
        again = taking.compute(batches.computation(model), change, examples, model.outputs, anew=False)
        np.testing.assert_array_equal(again.train[0], found.train[0])
        assert taking.spared_seconds == 7.5


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.train.pop(),
        lambda found: found.train.__setitem__(0, found.train[0][:, :-1]),
        lambda found: found.validation.__setitem__(0, found.validation[0].astype(np.float64)),
        lambda found: found.validation.__setitem__(1, found.validation[1][..., None]),
    ],
)
def test_features_of_something_else_are_refused(linear, change):
    model, examples = linear
    with stored_features.Store() as store:
        features = stored_features.StoredFeatures(store)
        found = features.compute(batches.computation(model), [], examples, model.outputs, anew=False)
        change(found)
        with pytest.raises(ValueError, match=r"features|argument"):
            stored_features.StoredFeatures(store).take(found, 1.0, model.outputs, (70, 5))
