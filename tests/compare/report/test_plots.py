"""What the plots compute themselves."""

import numpy as np
import pytest
from scipy import stats

from components.compare.report import plots


@pytest.mark.parametrize(("hits", "number"), [(0, 7), (3, 10), (9, 9), (40, 250)])
def test_intervals_of_shares_are_wilsons(hits, number):
    expected = stats.binomtest(hits, number).proportion_ci(method="wilson")
    low, high = plots.wilson(np.array([hits / number]), np.array([number]))
    assert low[0] == pytest.approx(expected.low, abs=1e-6)
    assert high[0] == pytest.approx(expected.high, abs=1e-6)
