"""Watching: what is recorded is what a plain calculation gives, and the fit is the same as without."""

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
import pytest

from landmass import FitError, NeuralClassifier
from landmass.core.heads import Gaussian
from landmass.data.examples import read_examples
from landmass.nn.base import Drawn
from landmass.nn.layers import Activation, BatchNorm, Dense, Dropout
from landmass.nn.network import Residual
from landmass.train import conditional, loop
from landmass.train.checkpoint import Checkpoint
from landmass.train.descent import gradient
from landmass.train.progress import Progress
from landmass.train.rows import Coordinates
from landmass.train.watch import gradient_norms

COMPILES = True

SGD = optax.identity()
TINY = (Dense(3), Activation("tanh"), Residual((Dense(4),)), Dense(2))


def squared_error(model, batch, key):
    outputs, _ = model.network.train(batch.context, key)
    return ((outputs - batch.x) ** 2).sum(axis=1).mean(), model


def test_gradient_norms_are_those_of_a_plain_gradient():
    x, y = np.float32([[0.5, -1.0]]), np.float32([[2.0]])
    members = conditional.members(TINY, (2,), Gaussian(), 2, Drawn(np.random.default_rng(0)))
    watch = conditional.watch_of(members)
    settings = {"learning_rate": 0.1, "max_steps": 2, "batch_size": 4, "patience": None, "chunk_steps": 2}
    learner = gradient(lambda key: members, squared_error, SGD, schedule="constant", watch=watch, **settings)
    # One event: every batch holds copies of it.
    outcome = loop.run(learner, *[Coordinates.of(y, context=x)] * 2, jax.random.key(0), lambda record: None)

    def loss(parts):
        first, inside, past, last = parts
        hidden = jnp.tanh(jnp.asarray(x[0]) @ first["weight"] + first["bias"])
        summed = hidden @ inside["weight"] + inside["bias"] + hidden @ past["weight"] + past["bias"]
        return jnp.sum((summed @ last["weight"] + last["bias"] - jnp.asarray(y[0])) ** 2)

    first, _, residual, last = jax.tree.map(lambda leaf: leaf[0], members.network.weights)
    parts = [first, residual["inside"][0], residual["past"], last]
    expected = []
    for _ in range(2):
        slopes = jax.grad(loss)(parts)
        expected.append([np.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(each))) for each in slopes])
        parts = jax.tree.map(lambda w, slope: w - 0.1 * slope, parts, slopes)
    layers = {layer.name: layer.gradients for layer in outcome.history[0].layers}
    assert list(layers) == ["dense_1", "tanh_1", "residual_1.dense_1", "residual_1", "dense_2"]
    assert layers.pop("tanh_1") == ()
    np.testing.assert_allclose(np.array(list(layers.values())).T, expected, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_norms_of_any_size_can_be_told(size):
    slopes = [jnp.full((2, 2), 3.0 * size), jnp.full(7, 4.0 * size), jnp.full(1, 5.0 * size), jnp.zeros(3)]
    found = gradient_norms(slopes, (2, 0, 1, 1))
    np.testing.assert_allclose(found, [np.sqrt(4 * 9 + 7 * 16) * size, 5.0 * size, 0.0], rtol=1e-5)


def test_norm_of_what_is_not_finite_is_not_finite():
    assert not np.isfinite(gradient_norms([jnp.array([1.0, jnp.inf])], (1,))).any()
    assert np.isnan(gradient_norms([jnp.array([1.0, jnp.nan])], (1,))).all()


LAYERS = (Dense(6), BatchNorm(), Activation("relu"), Dropout(0.2), Dense(2))
SETTINGS = {"architecture": LAYERS, "batch_size": 32, "max_steps": 40, "members": 2, "random_state": 0}


def parts(n=200):
    X = np.random.default_rng(0).standard_normal((n, 3)) * [1.0, 5.0, 0.1]
    whole = read_examples(X, X[:, 0] > 0.0)
    return whole.take(np.arange(n // 2)), whole.take(np.arange(n // 2, n))


@pytest.fixture(scope="module")
def watched():
    heard = []
    return NeuralClassifier(watch=True, **SETTINGS).fit_parts(*parts(), listen=heard.append), heard


def test_weights_are_the_same_bits_with_and_without(watched):
    plain = NeuralClassifier(**SETTINGS).fit_parts(*parts())
    for with_it, without in zip(jax.tree.leaves(watched[0].model_), jax.tree.leaves(plain.model_), strict=True):
        np.testing.assert_array_equal(with_it, without)
    assert [record.layers for record in plain.history_] == [()] * len(plain.history_)
    found, expected = ([(r.step, r.loss, r.score) for r in each.history_] for each in (watched[0], plain))
    assert found == expected


STEPS = []


def counted(model, batch, key):
    STEPS.append("traced")
    return squared_error(model, batch, key)


def state_and_program(watch):
    members = conditional.members(TINY, (2,), Gaussian(), 1, Drawn(np.random.default_rng(0)))
    settings = {"learning_rate": 0.1, "max_steps": 2, "batch_size": 4, "patience": None, "chunk_steps": 2}
    asked = conditional.watch_of(members) if watch else None
    learner = gradient(lambda key: members, counted, SGD, watch=asked, **settings)
    state, key = learner.init(jax.random.key(0)), jax.random.key(1)
    rows = next(Coordinates.of(np.ones((1, 1), np.float32), context=np.ones((1, 2), np.float32)).rows())
    STEPS.clear()
    program = eqx.filter_make_jaxpr(learner.step)(state, rows, key)[0]
    return state, str(program), list(STEPS)


def test_what_nobody_asks_for_is_not_in_the_program():
    state, program, traced = state_and_program(watch=False)
    assert state.norms is None
    # The only square roots of a step are those of the norms.
    assert "sqrt" not in program
    assert traced == ["traced"]
    state, program, traced = state_and_program(watch=True)
    assert state.norms.shape == (1, 4)
    assert program.count(" sqrt ") == 4
    assert traced == ["traced"]


def test_records_hold_every_step_and_every_look(watched):
    model, heard = watched
    assert [record for record in heard if record.kind == "advanced"] == list(model.history_)
    for record in model.history_:
        assert [layer.name for layer in record.layers] == ["dense_1", "batch_norm_1", "relu_1", "dropout_1", "dense_2"]
        assert [len(layer.gradients) for layer in record.layers] == [2, 2, 0, 0, 2]
        assert [layer.dead is None for layer in record.layers] == [True, True, False, True, True]
        assert [layer.running_gap is None for layer in record.layers] == [True, False, True, True, True]
    assert msgspec.json.decode(msgspec.json.encode(model.history_[-1]), type=Progress) == model.history_[-1]


def test_looks_are_numpys_of_the_validated_model_in_train_mode(watched):
    model, _ = watched
    best = max(model.history_, key=lambda record: record.score)
    layers = {layer.name: layer for layer in best.layers}
    first, norm, *_ = [{k: np.asarray(v)[0] for k, v in w.items()} for w in model.model_.components.network.weights]
    running = {k: np.asarray(v)[0] for k, v in model.model_.components.network.running.numbers[1].items()}
    dense = model.network_inputs(parts()[0]) @ first["weight"] + first["bias"]
    mean, variance = dense.mean(0), dense.var(0) + 1e-5
    normed = (dense - mean) / np.sqrt(variance) * norm["scale"] + norm["shift"]
    relu = np.maximum(normed, 0.0)
    for name, expected in (("dense_1", dense), ("batch_norm_1", normed), ("relu_1", relu)):
        assert layers[name].mean == pytest.approx(expected.mean(), rel=1e-3, abs=1e-5)
        assert layers[name].variance == pytest.approx(expected.var(), rel=1e-3)
    assert layers["batch_norm_1"].running_gap == pytest.approx(
        (np.abs(running["mean"] - mean) / np.sqrt(variance)).max(), rel=1e-3
    )
    ratio = (running["variance"] + 1e-5) / variance
    assert layers["batch_norm_1"].running_ratio == pytest.approx(ratio[np.abs(np.log(ratio)).argmax()], rel=1e-3)
    # Train mode: what dropout leaves is larger, and varies more.
    assert layers["dropout_1"].variance > layers["relu_1"].variance


def test_resumed_fit_has_the_same_history(watched, tmp_path):
    class Killed(Exception):
        pass

    def die(record):
        if record.step >= 10:
            raise Killed

    def fit(**more):
        checkpoint = Checkpoint(tmp_path, every=0.0)
        return NeuralClassifier(watch=True, **SETTINGS).fit_parts(*parts(), checkpoint=checkpoint, **more)

    with pytest.raises(Killed):
        fit(listen=die)
    resumed = fit()
    np.testing.assert_array_equal(resumed.network_.weights[0]["weight"], watched[0].network_.weights[0]["weight"])
    told = [[(r.kind, r.step, r.loss, r.score, r.layers) for r in each.history_] for each in (resumed, watched[0])]
    assert told[0] == told[1]


def test_record_of_steps_taken_back_tells_their_gradients():
    heard = []
    settings = {**SETTINGS, "architecture": (Dense(4), Activation("linear"), Dense(2)), "members": 1}
    broken = NeuralClassifier(watch=True, optimiser="sgd", learning_rate=1e30, **settings)
    with pytest.raises(FitError, match="not finite"):
        broken.fit_parts(*parts(), listen=heard.append)
    taken_back = [record for record in heard if record.kind == "rolled_back"]
    assert len(taken_back) == 3
    gradients = {layer.name: layer.gradients for layer in taken_back[0].layers}
    assert gradients["dense_1"][0] > 0.0
    assert gradients["dense_1"][1] is None
    assert gradients["linear_1"] == ()
    assert [layer.mean for layer in taken_back[0].layers] == [None] * 3
    # The estimator is not fitted, but can be asked what went wrong; the last attempt was not taken back.
    assert [record.kind for record in broken.history_] == ["rolled_back"] * 3 + ["failed"]
    assert list(broken.history_[:3]) == taken_back
