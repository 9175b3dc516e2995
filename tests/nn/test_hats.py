"""Weights that neighbouring cells share are piecewise linear along the line, and touch nothing else."""

import jax.numpy as jnp
import numpy as np

from landmass.nn.hats import KNOTS, HatWeights, hats


def test_hats_of_each_scale_add_up_to_one_and_reach_two_knots():
    for cells in (5, 30, 96):
        first = 0
        for knots in KNOTS:
            heights = hats(cells)[:, first : first + knots]
            np.testing.assert_allclose(heights.sum(1), 1.0, atol=1e-12)
            assert ((heights > 0.0).sum(1) <= 2).all()
            first += knots


def test_spread_weights_are_lines_between_knots_and_zero_elsewhere():
    rng = np.random.default_rng(0)

    def normal(scale, *shape):
        return jnp.asarray(rng.normal(0.0, 1.0, shape), jnp.float32)

    weights = HatWeights.draw(((1, 44), (45, 3), (48, 20)), 6, normal, 1.0)
    assert weights.stretches == ((1, 44), (48, 20))
    into, out = map(np.asarray, weights.spread(70))
    assert into.shape == (70, 6) and out.shape == (6, 70)
    for part in (into, out.T):
        assert not part[[0, 45, 46, 47, 68, 69]].any()
        # Within a stretch between two knots of the finer scale, and of the coarser, second differences vanish.
        middle = (np.arange(44) + 0.5) / 44
        inside = np.ones(42, bool)
        for knots in KNOTS:
            piece = np.floor(middle * (knots - 1))
            inside &= piece[:-2] == piece[2:]
        bends = np.diff(part[1:45], 2, axis=0)
        np.testing.assert_allclose(bends[inside], 0.0, atol=1e-5)
        assert np.abs(bends[~inside]).max() > 0.01


def test_few_cells_share_nothing():
    assert HatWeights.draw(((0, 4), (4, 0)), 6, lambda scale, *shape: jnp.zeros(shape), 1.0) is None
