"""The projection of a chest: disease changes the lungs alone."""

import pytest

from components.ingest.simulation.projection import Pose, render_chest
from components.ingest.simulation.view import View
from tests.ingest.simulation.test_anatomy import anatomy_of, disease_of

VIEW = View(width=160, height=140, scale=60.0, angle=0.05, centre=(0.0, 0.7))

POSE = Pose(turn=0.2, inspiration=0.8, arms=0.3, aeration=0.9)


@pytest.mark.parametrize("kind", ["bacteria", "virus"])
def test_opacities_change_the_lungs_and_nothing_else(kind):
    for seed in range(8):
        anatomy = anatomy_of(seed)
        healthy = render_chest(anatomy, VIEW, POSE)
        ill = render_chest(anatomy, VIEW, POSE, disease_of(seed, kind))
        change = ill.attenuation - healthy.attenuation
        lungs = healthy.air > 0
        assert 0.1 < lungs.mean() < 0.6
        assert not change[~lungs].any()
        assert change[lungs].max() > 0.1
        assert change.min() > -0.05  # fluid adds; only a vessel may lose what it replaced
