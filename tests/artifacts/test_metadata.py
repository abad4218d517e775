import json
import math

import numpy as np
import pytest

from components.artifacts.metadata import storable


def test_what_is_unknown_or_not_finite_is_left_out():
    values = {"a": 1, "b": None, "c": math.nan, "d": math.inf, "e": -math.inf, "f": 0.0, "g": "", "h": False}
    assert storable(values) == {"a": 1, "f": 0.0, "g": "", "h": False}


def test_so_it_is_inside_lists_and_dictionaries():
    values = {"list": [1, None, [math.nan, 2]], "tuple": (None, 3), "inside": {"a": None, "b": {"c": math.inf, "d": 4}}}
    assert storable(values) == {"list": [1, [2]], "tuple": [3], "inside": {"b": {"d": 4}}}


def test_numpys_numbers_become_pythons():
    found = storable({"a": np.float32(0.5), "b": np.int64(2), "c": np.bool_(True), "d": np.array([1.0, np.nan]), 5: 1})
    assert found == {"a": 0.5, "b": 2, "c": True, "d": [1.0], "5": 1}
    json.dumps(found, allow_nan=False)


def test_another_kind_is_a_mistake_that_is_named():
    with pytest.raises(TypeError, match="the metadata 'when' are of set"):
        storable({"when": {1, 2}})
