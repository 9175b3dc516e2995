"""The masked network: what each output depends on, found by autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass.nn.masked import MaskedNetwork

INPUTS, OUTPUTS = 4, 3


def network(columns, width=16, depth=2):
    return MaskedNetwork(columns, INPUTS, OUTPUTS, width, depth, jax.random.key(columns))


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [1, 3])
def test_each_column_sees_every_earlier_column_and_no_other(columns, depth):
    rows = jnp.asarray(np.random.default_rng(0).standard_normal((columns, INPUTS)), jnp.float32)
    jacobian = jax.jit(jax.jacrev(network(columns, depth=depth)))(rows)
    assert jacobian.shape == (columns, OUTPUTS, columns, INPUTS)
    for column in range(columns):
        for other in range(columns):
            seen = np.asarray(jacobian[column, :, other])
            assert (seen != 0.0).all() if other < column else (seen == 0.0).all()


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_events_that_stand_behind_are_those_one_by_one(columns):
    events = jnp.asarray(np.random.default_rng(1).standard_normal((7, columns, INPUTS)), jnp.float32)
    together = network(columns)(jnp.moveaxis(events, 0, -1))
    one_by_one = jnp.stack([network(columns)(event) for event in events], axis=-1)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("columns", [1, 3])
def test_first_column_sees_nothing_and_starts_at_zero(columns):
    rows = jnp.ones((columns, INPUTS))
    np.testing.assert_array_equal(network(columns)(rows)[0], 0.0)


def test_dependence_survives_training_of_the_weights():
    # A mask that lay on the weights only once would not hold after a step of an optimiser.
    rows = jnp.ones((3, INPUTS))
    moved = jax.tree.map(lambda leaf: leaf + 1.0, network(3))
    jacobian = jax.jacrev(moved)(rows)
    assert (np.asarray(jacobian)[np.triu_indices(3)[0], :, np.triu_indices(3)[1]] == 0.0).all()
