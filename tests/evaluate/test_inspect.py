"""A trace holds what each layer gives, by the side of a plain loop over the layers in NumPy."""

import equinox as eqx
import numpy as np
import pytest

from landmass import NeuralClassifier
from landmass.evaluate import trace
from landmass.nn.layers import Activation, BatchNorm, Dense, Dropout
from landmass.nn.network import Residual

LAYERS = (Dense(6), BatchNorm(), Activation("relu"), Residual((Dropout(0.5), Dense(6))), Dense(2))


def moons(n=300, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, 3)) * [1.0, 5.0, 0.1]
    return X, X[:, 0] > 0.0


@pytest.fixture(scope="module")
def classifier():
    settings = {"max_steps": 20, "batch_size": 32, "learning_rate": 0.05, "random_state": 0, "members": 2}
    return NeuralClassifier(architecture=LAYERS, **settings).fit(*moons())


EVENTS = moons(300, seed=1)[0]


@pytest.fixture(scope="module")
def found(classifier):
    return trace(classifier, EVENTS)


def weights(classifier):
    """The first member's, as NumPy arrays, and the running statistics of its batch norm."""
    network = classifier.model_.components.network
    first, norm, _, residual, last = network.weights
    nest = (first, norm, residual["inside"][1], last)
    return [{k: np.asarray(v)[0] for k, v in each.items()} for each in (*nest, network.running.numbers[1])]


def test_activations_in_test_mode_are_those_of_a_plain_loop(classifier, found):
    X = EVENTS[:256]
    first, norm, inside, last, running = weights(classifier)
    z = (X - [c.loc for c in classifier.inputs_.columns]) / [c.scale for c in classifier.inputs_.columns]
    expected = [z @ first["weight"] + first["bias"]]
    units = (expected[-1] - running["mean"]) / np.sqrt(running["variance"] + 1e-5)
    expected.append(units * norm["scale"] + norm["shift"])
    expected.append(np.maximum(expected[-1], 0.0))
    expected.append(expected[-1])
    expected.append(expected[-1] @ inside["weight"] + inside["bias"])
    expected.append(expected[-1] + expected[2])
    expected.append(expected[-1] @ last["weight"] + last["bias"])
    kept = ["dense_1", "batch_norm_1", "relu_1", "residual_1.dropout_1", "residual_1.dense_1", "residual_1", "dense_2"]
    assert [layer.name for layer in found.layers] == kept
    for layer, activations in zip(found.layers, expected, strict=True):
        np.testing.assert_allclose(layer.test, activations, rtol=1e-4, atol=1e-5)
        assert layer.shape == activations.shape[1:]
    assert [layer.parameters for layer in found.layers] == [24, 12, 0, 0, 42, 0, 14]


def test_train_mode_drops_and_takes_the_statistics_of_the_batch(classifier, found):
    _, norm, *_, running = weights(classifier)
    given = found["dense_1"].train.astype(np.float64)
    expected = (given - given.mean(0)) / np.sqrt(given.var(0) + 1e-5) * norm["scale"] + norm["shift"]
    np.testing.assert_allclose(found["batch_norm_1"].train, expected, rtol=1e-3, atol=1e-4)
    dropped = found["residual_1.dropout_1"]
    positive = found["relu_1"].train > 0.0
    # 5 standard errors of a share of about 600 numbers.
    assert (dropped.train[positive] == 0.0).mean() == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(dropped.train[dropped.train > 0.0], 2.0 * found["relu_1"].train[dropped.train > 0.0])
    np.testing.assert_array_equal(dropped.test, found["relu_1"].test)
    gaps = np.abs(running["mean"] - given.mean(0)) / np.sqrt(given.var(0) + 1e-5)
    assert found["batch_norm_1"].running_gap == pytest.approx(gaps.max(), rel=1e-3)
    ratios = (running["variance"] + 1e-5) / (given.var(0) + 1e-5)
    worst = ratios[np.abs(np.log(ratios)).argmax()]
    assert found["batch_norm_1"].running_ratio == pytest.approx(worst, rel=1e-3)


def test_printed_trace_is_a_table(found):
    lines = str(found).splitlines()
    for column in ("layer", "output", "parameters", "mean, sd in test mode", "in train mode", "dead", "running gap"):
        assert column in lines[0]
    cells = lines[3].split()
    relu = found["relu_1"]
    assert cells[:3] == ["relu_1", "6", "0"]
    assert float(cells[3]) == pytest.approx(relu.test.mean(), rel=1e-2)
    assert float(cells[6]) == pytest.approx(relu.train.std(), rel=1e-2)
    assert cells[7] == f"{relu.dead:.1%}"


def test_units_switched_off_by_hand_are_counted(classifier):
    shift = classifier.model_.components.network.weights[1]["shift"]
    off = eqx.tree_at(lambda m: m.components.network.weights[1]["shift"], classifier.model_, shift.at[:, 2:].set(-1e3))
    copy = classifier.fresh()
    vars(copy).update(vars(classifier), model_=off)
    assert trace(copy, EVENTS)["relu_1"].dead == pytest.approx(4 / 6)


def test_at_most_256_events_are_passed(found):
    assert len(found["dense_1"].test) == len(found["dense_1"].train) == 256
