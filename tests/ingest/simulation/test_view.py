"""A film over the chest: maps and lines share one coordinate system."""

import numpy as np
import pytest

from components.ingest.simulation.anatomy import MAP_CELLS
from tests.ingest.simulation.test_projection import VIEW


def test_a_map_over_the_chest_lands_where_strokes_do():
    spot = np.zeros((MAP_CELLS, MAP_CELLS), np.float32)
    spot[40:44, 90:94] = 1
    centre = np.array([[92.0, 42.0]]) * 2.3 / MAP_CELLS + (-1.15, -0.15)
    sampled = VIEW.sample(spot)
    rows, columns = np.indices(sampled.shape)
    found = np.array([(columns * sampled).sum(), (rows * sampled).sum()]) / sampled.sum() + 0.5
    assert found == pytest.approx(VIEW.pixels(centre)[0], abs=0.5)
