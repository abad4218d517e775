"""Arrays are written and read item by item, as numpy writes and reads them."""

import errno
import shutil

import numpy as np
import pytest

from components.artifacts.arrays import ArrayReader, ArrayWriter, new_array


@pytest.mark.parametrize("count", [0, 1, 12345])
def test_an_array_is_written_item_by_item_and_as_long_as_it_got(tmp_path, count):
    items = np.random.default_rng(0).integers(256, size=(count, 2, 3), dtype=np.uint8)
    with ArrayWriter(tmp_path / "array.npy", np.uint8, (20_000, 2, 3)) as writer:
        for item in items:
            writer.add(item)
    np.save(tmp_path / "other.npy", items)
    assert (tmp_path / "array.npy").read_bytes() == (tmp_path / "other.npy").read_bytes()


@pytest.mark.parametrize("item", [np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8)])
def test_an_item_that_does_not_fit_is_a_defect(tmp_path, item):
    with (
        pytest.raises(ValueError, match=r"does not fit an array of uint8 \(2, 3\)"),
        ArrayWriter(tmp_path / "array.npy", np.uint8, (4, 2, 3)) as writer,
    ):
        writer.add(item)


def test_items_of_an_array_are_read_one_by_one_as_they_are(tmp_path):
    items = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)
    np.save(tmp_path / "a.npy", items)
    with ArrayReader(tmp_path / "a.npy") as array:
        assert (len(array), array.shape) == (5, (5, 3, 4))
        assert (array.read([4, 0, 4]) == items[[4, 0, 4]]).all()
        assert (array.read(range(1, 3)) == items[1:3]).all()
        assert array.read([]).shape == (0, 3, 4)


def test_a_new_array_lies_on_disk(tmp_path):
    new_array(tmp_path / "a.npy", np.float32, (2, 3))[1] = 5
    assert np.load(tmp_path / "a.npy").tolist() == [[0, 0, 0], [5, 5, 5]]


@pytest.mark.parametrize("make", [new_array, ArrayWriter])
def test_an_array_for_which_the_disk_has_no_room_is_refused_before_it_is_written(tmp_path, monkeypatch, make):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4 * 5 - 1))
    with pytest.raises(OSError, match="No space left") as raised:
        make(tmp_path / "a.npy", np.float32, (5,))
    assert raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4 * 5))
    make(tmp_path / "a.npy", np.float32, (5,))
