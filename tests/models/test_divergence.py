"""A loss that is not a number: one such step is taken back and told, one that comes back ends in a clear error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass import FitError
from landmass.data.batches import split
from landmass.estimator import gradient
from landmass.estimator.gradient import negative_log_likelihood
from tests.models.cases import data, estimator

STEP = 47


def noise_of_step(seed, members, step):
    """The key that the loss of the first member is given at a step."""
    of_steps = jax.random.split(jax.random.key(seed))[1]
    of_member = jax.random.split(jax.random.fold_in(of_steps, step), members)[0]
    return jax.random.key_data(jax.random.split(of_member)[1])


POISONED = noise_of_step(0, 2, STEP)


def poisoned_once(model, batch, key):
    """Not a number at one step of the first attempt: after a roll-back the keys are others."""
    loss, after = negative_log_likelihood(model, batch, key)
    return jnp.where((jax.random.key_data(key) == POISONED).all(), jnp.nan, 1.0) * loss, after


def poisoned_for_ever(model, batch, key):
    """Not a number for weights that have moved for a while."""
    loss, after = negative_log_likelihood(model, batch, key)
    return jnp.where(jnp.abs(model.conditioners[0].network.biases[-1]).sum() > 0.02, jnp.nan, 1.0) * loss, after


def fit(monkeypatch, loss):
    monkeypatch.setattr(gradient, "negative_log_likelihood", loss)
    events, heard = data("plane"), []
    parts = split(events, 0, validation=0.2, test=0.0)
    flow = estimator("spline_flow")
    return flow, lambda: flow.fit_parts(events.take(parts.train), events.take(parts.validation), heard.append), heard


def test_one_step_that_is_not_a_number_is_rolled_back_and_the_fit_ends_well(monkeypatch, fitted):
    flow, begin, heard = fit(monkeypatch, poisoned_once)
    begin()
    kinds = [record.kind for record in heard]
    assert kinds.count("rolled_back") == 1
    taken_back = heard[kinds.index("rolled_back")]
    # 20 looks at 150 steps: chunks of 7, of which the poisoned step spoils the one from 42 on.
    assert taken_back.step == 42
    assert "rolled back to step 42: the loss was not finite; learning rate cut to 0.3" in taken_back.message
    held_out = data("plane", n=2000, seed=1)
    assert flow.score(held_out) == pytest.approx(fitted("spline_flow", "plane").score(held_out), abs=0.15)
    assert flow.score(held_out) > fitted("gaussian", "plane").score(held_out)


def test_what_is_never_a_number_again_ends_in_an_error_that_keeps_the_best_state(monkeypatch):
    flow, begin, heard = fit(monkeypatch, poisoned_for_ever)
    with pytest.raises(FitError, match=r"not finite after step \d+, 3 roll-backs included; lower the learning rate"):
        begin()
    assert [record.kind for record in heard].count("rolled_back") == 3
    scores = [record.score for record in flow.history_]
    assert scores and np.isfinite(scores).all()
    assert np.isfinite(flow.score_samples(data("plane").X)).all()
