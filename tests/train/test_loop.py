"""The loop: stops in time, keeps the best, rolls back what is not finite, and traces a step once."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from landmass.core.distributions import IndependentNormal
from landmass.errors import FitError
from landmass.train.descent import gradient
from landmass.train.learner import Learner, Selection, closed_form, expectation_maximisation, fixed, in_order
from landmass.train.loop import Diverged, run
from landmass.train.rows import Coordinates

KEY = jax.random.key(0)
ZEROS = tuple(Coordinates.of(np.zeros((n, 1), np.float32)) for n in (3, 5))


class Walker(eqx.Module):
    """A bell whose mean moves by 0.1 a step; held-out events stand at zero."""

    mean: jax.Array
    rate: jax.Array
    steps: jax.Array


def bell(walker):
    return IndependentNormal(walker.mean, jnp.ones(1))


def start(key):
    return Walker(jnp.full(1, -1.0), jnp.ones(()), jnp.zeros((), jnp.int32))


def walk(walker, x, key):
    return Walker(walker.mean + 0.1 * walker.rate, walker.rate, walker.steps + 1), -walker.mean[0]


def slower(walker, factor):
    return eqx.tree_at(lambda w: w.rate, walker, walker.rate * factor)


def walker(step=walk, **settings):
    defaults = {"max_steps": 100, "chunk_steps": 4, "patience": 3, "slow_down": slower}
    return Learner(start, step, bell, **{**defaults, **settings})


def fit(learner, key=KEY):
    """The outcome, and everything that was reported."""
    heard = []
    return run(learner, *ZEROS, key, heard.append), heard


def test_stops_when_the_score_no_longer_rises_and_keeps_the_best():
    outcome, heard = fit(walker())
    # The mean is -1, -0.6, -0.2, 0.2, …: the third and second look come nearest to zero, and three looks follow.
    assert [record.step for record in outcome.history] == [4, 8, 12, 16, 20]
    assert outcome.model.mean == pytest.approx(-0.2, abs=1e-6)
    assert outcome.score == pytest.approx(-0.5 * 0.2**2 - 0.5 * np.log(2 * np.pi), abs=1e-6)
    assert heard == list(outcome.history)


def test_history_tells_step_loss_score_and_time():
    outcome, _ = fit(walker())
    first = outcome.history[0]
    assert (first.kind, first.max_steps) == ("advanced", 100)
    # Losses are minus the mean before each step: 1, 0.9, 0.8, 0.7.
    assert first.loss == pytest.approx(0.85, abs=1e-6)
    assert first.score == pytest.approx(-0.5 * 0.6**2 - 0.5 * np.log(2 * np.pi), abs=1e-6)
    assert first.seconds >= 0.0


@pytest.mark.parametrize("max_steps", [1, 4, 10])
def test_budget_that_does_not_fill_its_last_chunk_is_kept_exactly(max_steps):
    outcome, _ = fit(walker(max_steps=max_steps, patience=None))
    assert outcome.model.mean == pytest.approx(-1.0 + 0.1 * max_steps, abs=1e-5)
    assert outcome.history[-1].step == max_steps
    # The loss of the last chunk is the mean over the steps that were taken, not over the masked ones.
    taken = np.arange(max_steps - (max_steps % 4 or min(4, max_steps)), max_steps)
    assert outcome.history[-1].loss == pytest.approx(np.mean(1.0 - 0.1 * taken), abs=1e-5)


def test_no_steps_give_the_first_state():
    model = IndependentNormal(jnp.zeros(1), jnp.ones(1))
    assert fit(fixed(model))[0].model is model


def nan_at_step_six(state, x, key):
    fresh, loss = walk(state, x, key)
    return fresh, jnp.where((state.steps == 6) & (state.rate == 1.0), jnp.nan, loss)


def test_nan_is_rolled_back_with_a_cut_learning_rate():
    outcome, heard = fit(walker(nan_at_step_six, max_steps=10, patience=9))
    assert [record.kind for record in heard] == ["advanced", "rolled_back", "advanced", "advanced"]
    assert heard[1].step == 4
    assert "learning rate" in heard[1].message
    # Four steps of 0.1, and after the roll-back six of 0.03.
    assert outcome.model.mean == pytest.approx(-1.0 + 0.4 + 6 * 0.03, abs=1e-5)


def always_nan_from_step_six(state, x, key):
    fresh, loss = walk(state, x, key)
    return fresh, jnp.where(state.steps >= 6, jnp.nan, loss)


def test_nan_that_comes_back_is_an_error_that_keeps_the_best_state():
    heard = []
    with pytest.raises(Diverged, match=r"not finite after step 4.*learning rate") as raised:
        run(walker(always_nan_from_step_six), *ZEROS, KEY, heard.append)
    assert [record.kind for record in heard] == ["advanced", "rolled_back", "rolled_back", "rolled_back"]
    assert raised.value.outcome.model.mean == pytest.approx(-0.6, abs=1e-6)
    assert raised.value.outcome.score == pytest.approx(-0.5 * 0.6**2 - 0.5 * np.log(2 * np.pi), abs=1e-6)
    assert isinstance(raised.value, FitError)


def breaks_after_its_last_loss(state, x, key):
    """The step's own loss is finite; what it leaves behind is not."""
    fresh, loss = walk(state, x, key)
    broken = (state.steps == 7) & (state.rate == 1.0)
    return eqx.tree_at(lambda w: w.mean, fresh, jnp.where(broken, jnp.nan, fresh.mean)), loss


def test_state_broken_by_the_last_step_of_a_chunk_is_rolled_back_too():
    outcome, heard = fit(walker(breaks_after_its_last_loss, max_steps=12))
    assert [record.kind for record in heard] == ["advanced", "rolled_back", "advanced", "advanced"]
    assert outcome.model.mean == pytest.approx(-1.0 + 0.4 + 8 * 0.03, abs=1e-5)


def test_learner_that_cannot_slow_down_fails_at_once():
    with pytest.raises(Diverged, match="0 roll-backs"):
        fit(walker(nan_at_step_six, slow_down=None))


def settle(state, x, key):
    fresh, _ = walk(state, x, key)
    return fresh, 0.5 ** state.steps.astype(jnp.float32)


def test_stops_when_a_chunk_gains_less_than_the_tolerance():
    # Losses fall by a factor of 16 a chunk: the gain a step is 0.5^3 (1 - 1/16) / 4 / 16^k, below 1e-4 at the third.
    outcome, _ = fit(walker(settle, patience=None, tolerance=1e-4))
    assert outcome.history[-1].step == 20


def noisy(state, x, key):
    fresh, loss = walk(state, x, key)
    return eqx.tree_at(lambda w: w.mean, fresh, fresh.mean + 0.1 * jax.random.normal(key, (1,))), loss


def test_same_key_same_model_and_chunks_do_not_matter():
    def mean(key, chunk_steps):
        return float(fit(walker(noisy, max_steps=12, chunk_steps=chunk_steps, patience=None), key)[0].model.mean[0])

    assert mean(KEY, 4) == mean(KEY, 4) == mean(KEY, 5)
    assert mean(KEY, 4) != mean(jax.random.key(1), 4)


def bells_at(*means):
    return [(mean, fixed(IndependentNormal(jnp.full(1, mean), jnp.ones(1)))) for mean in means]


def test_selection_keeps_the_candidate_with_the_best_score():
    tried = bells_at(-3.0, 0.5, 2.0, -1.0)
    outcome, heard = fit(Selection(lambda: in_order(tried, give_up=9), setting="mean"))
    assert outcome.chosen == 0.5
    assert outcome.model.mean == 0.5
    assert outcome.score == pytest.approx(-0.5 * 0.5**2 - 0.5 * np.log(2 * np.pi), abs=1e-6)
    assert [record.kind for record in heard] == ["chosen"] * 4


def test_selection_gives_up_after_candidates_that_were_worse():
    tried = bells_at(-3.0, 0.5, 2.0, -1.0, 0.1)
    _, heard = fit(Selection(lambda: in_order(tried, give_up=2), setting="mean"))
    assert len(heard) == 4


def test_selection_of_nothing_is_an_error():
    with pytest.raises(FitError, match="no candidate for bandwidth"):
        fit(Selection(lambda: in_order([], give_up=1), setting="bandwidth"))


def test_closed_form_reads_every_event_once():
    x = np.random.default_rng(0).standard_normal((5000, 1)).astype(np.float32)

    def add(total, block, weight):
        return total[0] + weight @ block, total[1] + weight.sum()

    learner = closed_form((jnp.zeros(1), jnp.zeros(())), add, sum_over_count)
    model = run(learner, Coordinates.of(x), Coordinates.of(x), KEY, print).model
    assert model.mean == pytest.approx(float(np.mean(x)), abs=1e-6)


def sum_over_count(total):
    return IndependentNormal(total[0] / total[1], jnp.ones(1))


def test_expectation_maximisation_stops_when_it_no_longer_gains():
    # EM for the mean of a bell whose every event is seen is done after one pass.
    x = np.random.default_rng(1).standard_normal((50, 1)).astype(np.float32)
    learner = expectation_maximisation(
        lambda key: jnp.full(1, 9.0),
        lambda mean: (jnp.zeros(1), jnp.zeros(())),
        expect,
        lambda mean, stats: stats[0] / stats[1],
        lambda mean: IndependentNormal(mean, jnp.ones(1)),
        max_steps=100,
        tolerance=1e-4,
    )
    outcome = run(learner, Coordinates.of(x), Coordinates.of(x), KEY, lambda record: None)
    assert outcome.model.mean == pytest.approx(float(x.mean()), abs=1e-5)
    assert outcome.history[-1].step <= 20
    best = -0.5 * float(x.var()) - 0.5 * np.log(2 * np.pi)
    assert outcome.history[-1].loss == pytest.approx(-best, abs=1e-4)


def expect(mean, stats, block, weight):
    log_p = -0.5 * ((block[:, 0] - mean[0]) ** 2 + np.log(2 * np.pi))
    return (stats[0] + weight @ block, stats[1] + weight.sum()), weight @ log_p


TRACES = []


def counted_loss(model, batch, key):
    TRACES.append(batch.x.shape)
    return -jnp.mean(jax.vmap(model.log_prob)(batch.x)), model


def three_bells(key):
    make = eqx.filter_vmap(lambda k: IndependentNormal(jax.random.normal(k, (1,)), jnp.ones(1)))
    return make(jax.random.split(key, 3))


ADAM = optax.scale_by_adam()


def descend(x, **settings):
    defaults = {"learning_rate": 0.1, "max_steps": 110, "batch_size": 16, "patience": 9, "chunk_steps": 25}
    learner = gradient(three_bells, counted_loss, ADAM, **{**defaults, **settings})
    return run(learner, Coordinates.of(x), Coordinates.of(x), KEY, lambda record: None)


def test_a_step_is_traced_once_a_fit_and_not_at_all_in_a_refit():
    x = (2.0 + np.random.default_rng(2).standard_normal((64, 1))).astype(np.float32)
    TRACES.clear()
    first = descend(x)
    assert TRACES == [(16, 1)]
    again = descend(x)
    assert TRACES == [(16, 1)]
    np.testing.assert_array_equal(first.model.components.mean, again.model.components.mean)
    # Neither fewer steps, nor a smaller learning rate, nor a few more events ask for another program.
    descend(np.pad(x, ((0, 15), (0, 0)))[:60], max_steps=50, learning_rate=0.03)
    assert TRACES == [(16, 1)]
    descend(x, batch_size=8)
    assert TRACES == [(16, 1), (8, 1)]


def test_members_are_averaged_and_each_finds_the_mean():
    x = (2.0 + np.random.default_rng(2).standard_normal((64, 1))).astype(np.float32)
    model = descend(x, max_steps=400).model
    assert model.components.mean.shape == (3, 1)
    np.testing.assert_allclose(model.components.mean, float(x.mean()), atol=0.3)
    bells = stats.norm(model.components.mean, model.components.scale)
    assert model.log_prob(jnp.asarray(x[0])) == pytest.approx(np.log(bells.pdf(x[0]).mean()), abs=1e-5)
