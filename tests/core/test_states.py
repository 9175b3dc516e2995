"""States: the one in which a random share of the probability is reached."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from landmass.core.distributions import FEW_STATES, reached
from landmass.core.states import Layout


@pytest.mark.parametrize("states", [1, 7, FEW_STATES, FEW_STATES + 1, 700])
def test_state_is_where_the_running_sum_passes_the_share(states):
    rng = np.random.default_rng(0)
    chances, share = rng.dirichlet(np.ones(states), 200), rng.random(200)
    found = reached(jnp.asarray(share, jnp.float32), jnp.asarray(np.log(5.0 * chances), jnp.float32))
    ends = np.cumsum(chances, axis=1)
    # A share within rounding of an end may fall on either side of it.
    clear = np.abs(ends - share[:, None]).min(axis=1) > 1e-6
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(np.asarray(found)[clear], (ends < share[:, None]).sum(axis=1)[clear])


def test_states_without_probability_are_never_reached():
    log_probs = jnp.log(jnp.array([[0.0, 0.5, 0.0, 0.5, 0.0]]))
    shares = jnp.linspace(0.0, 1.0 - 1e-7, 999)
    found = reached(shares, jnp.repeat(log_probs, 999, axis=0))
    assert set(np.asarray(found).tolist()) == {1, 3}


def test_columns_of_several_sizes_are_drawn_each_by_its_own_share():
    layout = Layout((2, 5, 3), (False, True, False))
    log_probs = layout.log_softmax(jnp.zeros(layout.total))
    drawn = jax.vmap(lambda share: layout.draw(share, log_probs))(jnp.array([[0.6, 0.1, 0.9], [0.1, 0.95, 0.4]]))
    assert drawn.tolist() == [[1, 0, 2], [0, 4, 1]]


def test_what_is_surely_missing_is_there_as_rarely_as_its_other_states_say():
    layout = Layout((2, 4, 3), (False, True, False))
    logits = np.random.default_rng(0).normal(size=(layout.total, 2))
    # In the second class a chance of e^-50 about, which 1 less the chance of "missing" cannot tell in any precision.
    logits[layout.absent[1], 1] += 50.0
    found = layout.log_present(layout.log_softmax(jnp.asarray(logits.T, jnp.float32)).T)
    np.testing.assert_array_equal(found[jnp.array([0, 2])], 0.0)
    np.testing.assert_allclose(found[1], logsumexp(log_softmax(logits[2:6], axis=0)[:3], axis=0), rtol=1e-5)
