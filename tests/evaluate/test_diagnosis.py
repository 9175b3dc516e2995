"""Diagnoses: what is made to go wrong is named with its layer, its step and its size; what goes well is left alone."""

import jax
import msgspec
import numpy as np
import optax
import pytest
from sklearn.exceptions import NotFittedError

from landmass import DataError, NeuralClassifier, NeuralRegressor, SettingError, SplineFlow
from landmass.core.heads import Gaussian
from landmass.evaluate import diagnose
from landmass.nn.base import Drawn
from landmass.nn.layers import Activation, Dense
from landmass.train import conditional, loop
from landmass.train.descent import gradient
from landmass.train.progress import LayerRecord, Progress
from landmass.train.rows import Coordinates

SGD = optax.identity()


def look(step, loss=0.5, score=-0.5, **layers):
    """A record of two steps."""
    return Progress("advanced", "it", step, 100, loss, score, layers=tuple(layers.values()))


def layer(gradients=(1.0, 1.0), mean=0.0, variance=1.0, dead=None, gap=None, ratio=None, name="dense_1"):
    return LayerRecord(name, gradients, mean, variance, dead, gap, ratio)


def squared_error(model, batch, key):
    outputs, _ = model.network.train(batch.context, key)
    return ((outputs - batch.x) ** 2).mean(), model


def plain_norms(weights, rate, steps):
    """Gradient norms of (c (b (a x + d) + e) + f - y)² at x = y = 1 as descent goes on: the chain rule, in float64.

    The learning rate rises over the first half of the steps, and then stays.
    """
    found = []
    w, b = (np.array([float(each[name].item()) for each in weights]) for name in ("weight", "bias"))
    with np.errstate(all="ignore"):
        for step in range(steps):
            h = [1.0]
            for i in range(3):
                h.append(w[i] * h[-1] + b[i])
            slope_b = 2.0 * (h[3] - 1.0) * np.array([w[1] * w[2], w[2], 1.0])
            slope_w = slope_b * h[:3]
            found.append(np.hypot(slope_w, slope_b))
            now = rate * min((step + 1) / (steps / 2), 1.0)
            w, b = w - now * slope_w, b - now * slope_b
    return np.array(found)


def test_exploding_gradient_is_named_with_its_layer_and_step():
    members = conditional.members((Dense(1),) * 3, (1,), Gaussian(varying=False), 1, Drawn(np.random.default_rng(0)))
    settings = {"learning_rate": 3.0, "max_steps": 20, "batch_size": 1, "patience": None, "chunk_steps": 20}
    watch = conditional.watch_of(members)
    learner = gradient(lambda key: members, squared_error, SGD, schedule="constant", watch=watch, **settings)
    one = Coordinates.of(np.ones((1, 1), np.float32), context=np.ones((1, 1), np.float32))
    heard = []
    loop.run(learner, one, one, jax.random.key(0), heard.append)
    expected = plain_norms(members.network.weights, 3.0, 20)
    far = (expected[3:] > 100.0 * np.array([np.median(expected[:row], axis=0) for row in range(3, 20)])).any(axis=1)
    first, broken = 4 + far.argmax(), 1 + (~(expected < np.finfo(np.float32).max)).any(axis=1).argmax()
    assert first < broken < 20
    told = diagnose(heard)
    worst = 1 + (expected[first - 1] / np.median(expected[: first - 1], axis=0)).argmax()
    size = expected[first - 1, worst - 1]
    assert told.sentences[0].startswith(
        f"Gradients explode: at step {first} the gradient norm of dense_{worst} is {size:.3g}"
    )
    assert f"at step {broken} the gradient norm of dense_1, dense_2, dense_3 is not finite" in told.sentences[1]
    np.testing.assert_allclose(told.gradients[: broken - 1], expected[: broken - 1], rtol=2e-3)
    assert np.isinf(told.gradients[broken - 1 : 20]).all()
    # Steps that were taken back come again.
    assert [record.kind for record in heard] == ["rolled_back", "rolled_back", "advanced"]
    np.testing.assert_array_equal(told.steps, np.tile(np.arange(1, 21), 3))


def events(n=100):
    X = np.random.default_rng(0).standard_normal((n, 2))
    return X, X[:, 0] > 0.0


def test_vanishing_gradients_of_a_deep_sigmoid_network_are_named():
    layers = (*(Dense(4), Activation("sigmoid")) * 9, Dense(2))
    settings = {"architecture": layers, "batch_size": 32, "max_steps": 20, "optimiser": "sgd", "random_state": 0}
    told = diagnose(NeuralClassifier(watch=True, **settings).fit(*events()))
    (sentence,) = [each for each in told.sentences if each.startswith("Gradients vanish")]
    assert told.layers[0] == "dense_1"
    medians = np.median(told.gradients, axis=0)
    share = medians[0] / medians[-1]
    # Each sigmoid takes three quarters off a gradient, or more; normal weights of He's scale give back 1.4 at most.
    assert share < (0.25 * 1.5) ** 9 * 10
    assert f"of dense_1 is {medians[0]:.3g}, {share:.2g} times that of dense_10; of 10 layers" in sentence
    assert not any(each.startswith("Gradients explode") for each in told.sentences)


def test_healthy_fit_has_nothing_unusual_and_says_how_to_see_more():
    settings = {"hidden": 4, "depth": 1, "waves": 0, "batch_size": 32, "max_steps": 40, "random_state": 0}
    fitted = NeuralClassifier(**settings).fit(*events(300))
    told = diagnose(fitted)
    best = max(fitted.history_, key=lambda record: record.score)
    assert told.sentences[0] == (
        f"Nothing unusual in 40 steps: at the best look, step {best.step}, the held-out log-likelihood is "
        f"{best.score:.4g} nats, and the training score {-best.loss:.4g}."
    )
    assert "`watch=True`" in told.sentences[1]
    assert "--set neural_classifier.watch=true" in told.sentences[1]
    assert str(told) == "\n".join(told.sentences)
    np.testing.assert_allclose(told.generalisation, [record.score + record.loss for record in fitted.history_])
    assert told.gradients.shape == (0, 0)
    assert told.means.shape == (len(fitted.history_), 0)


@pytest.mark.parametrize(
    "records, expected",
    [
        (
            [
                # The last layer moves farther, which is what it is for.
                look(2, a=layer(mean=0.5, variance=4.0), b=layer(name="dense_2")),
                look(4, a=layer(mean=-2.5), b=layer(mean=9.0, name="dense_2")),
            ],
            "Covariate shift: from step 2 to step 4 the mean activation of dense_1 moved by 1.5 standard deviations, "
            "from 0.5 to -2.5; of 1 layers before the last 1 moved by more than 1.",
        ),
        (
            [look(2, a=layer(dead=0.05), b=layer(dead=0.25, name="relu_2"))],
            "Dead units: at step 2 units give all events the same, in relu_2 (25.0%).",
        ),
        (
            [look(2, a=layer(gap=0.1, ratio=1.1), b=layer(gap=0.2, ratio=0.25, name="batch_norm_2"))],
            "Batch norm: batch_norm_2 does not do in test mode what it did in train mode: a unit's running mean is 0.2 "
            "standard deviations from the batch's, a unit's running variance is 0.25 times the batch's.",
        ),
        (
            [look(2, 0.5, -0.5, a=layer()), look(4, 0.4, -0.45, a=layer()), look(6, 0.2, -0.7, a=layer())],
            "Overfitting: after step 4 the held-out log-likelihood fell, from -0.45 to -0.7 nats at step 6, while "
            "the training score rose, from -0.4 to -0.2.",
        ),
        (
            [look(2, 0.4, -0.45), look(4, 0.6, -0.7)],
            "Instability: after step 2 the held-out log-likelihood fell, from -0.45 to -0.7 nats at step 4, and "
            "so did the training score, from -0.4 to -0.6.",
        ),
        (
            [look(2, 0.2, -0.5), look(4, 0.1, -0.51)],
            "Generalisation gap: at the best look, step 2, the held-out log-likelihood is -0.5 nats, and the training "
            "score -0.2; at step 4 they are -0.51 and -0.1.",
        ),
        (
            [look(20, 0.5, -0.9), look(78, 0.5, -0.6), look(90, 0.5, -0.58), look(100, 0.5, -0.55)],
            "Still improving at the last step: from step 78 to step 100 the held-out log-likelihood rose by 0.05, to "
            "-0.55 nats; a larger max_steps may help.",
        ),
        (
            [look(40, 0.5, -0.9), look(80, 0.5, -0.508), look(100)],
            "Nothing unusual in 100 steps: at the best look, step 100, the held-out log-likelihood is -0.5 nats, and "
            "the training score -0.5.",
        ),
        (
            [look(2, a=layer((1.0, 2.0))), look(4, a=layer((1.0, 150.0)))],
            "Gradients explode: at step 4 the gradient norm of dense_1 is 150, 150 times its median over the "
            "steps before.",
        ),
        (
            [look(2, a=layer((1e-6, 1e-6)), b=layer((1.0, 2.0), name="dense_2"))],
            "Gradients vanish: the median gradient norm of dense_1 is 1e-06, 6.7e-07 times that of dense_2; of 2 "
            "layers with weights the first 1 is below 0.001.",
        ),
        (
            [look(2, a=layer(dead=0.1, gap=0.5, ratio=2.0)), look(4, a=layer(mean=1.0, dead=0.1, gap=0.5, ratio=0.5))],
            "Nothing unusual in 4 steps: at the best look, step 2, the held-out log-likelihood is -0.5 nats, and "
            "the training score -0.5.",
        ),
    ],
)
def test_what_is_unusual_is_said_with_its_numbers(records, expected):
    assert diagnose(records).sentences[0] == expected
    assert len(diagnose(records).sentences) == (1 if records[0].layers else 2)


def test_scores_are_told_in_the_units_of_the_data():
    X, _ = events()
    fits = [
        NeuralRegressor(hidden=4, depth=1, max_steps=20, random_state=0).fit(X, unit * X[:, 0]) for unit in (1.0, 1e3)
    ]
    metres, millimetres = map(diagnose, fits)
    for mine, other in ((metres.held_out, millimetres.held_out), (metres.train, millimetres.train)):
        np.testing.assert_allclose(other, mine + np.log(1e3), atol=2e-3)
    assert "--set neural_regressor.watch=true" in metres.sentences[-1]


def test_density_that_nobody_can_watch_says_nothing_of_watching():
    told = diagnose(SplineFlow(members=1, max_steps=4, random_state=0).fit(1000.0 * events()[0]))
    # Two standardised columns per unit: each takes off the log of its scale.
    assert told.held_out[-1] > 2.0 * np.log(900.0)
    assert not any("watch" in each for each in told.sentences)


def test_printed_diagnosis_ends_in_a_table_of_layers():
    records = [
        look(2, a=layer((1.0, 3.0), gap=0.25, ratio=1.0), b=layer((), name="relu_1", dead=0.0)),
        look(4, a=layer((2.0, 5.0), 0.5, 4.0, gap=0.125, ratio=1.0), b=layer((), name="relu_1", dead=0.0625)),
    ]
    lines = str(diagnose(records)).splitlines()
    assert lines[-2].split() == ["dense_1", "2.5", "5", "0", "0.5", "1", "2", "0.125"]
    assert lines[-1].split() == ["relu_1", "0", "0", "1", "1", "6.2%"]
    assert lines[-3].startswith("layer")


def test_runs_are_read_from_their_log(tmp_path):
    watched = [Progress("started", "net"), look(2, a=layer((1.0, None))), look(4, a=layer())]
    lines = [msgspec.json.encode(record) + b"\n" for record in watched]
    (tmp_path / "progress.jsonl").write_bytes(b"".join(lines))
    for path in (tmp_path, str(tmp_path / "progress.jsonl")):
        assert "at step 2 the gradient norm of dense_1 is not finite" in diagnose(path).sentences[0]
    other = Progress("advanced", "flow", 2, 100, 0.5, -0.5)
    (tmp_path / "progress.jsonl").write_bytes(b"".join([*lines, msgspec.json.encode(other) + b"\n"]))
    # Of several fits the one that was watched is meant, unless another is asked for.
    assert diagnose(tmp_path).layers == ("dense_1",)
    assert diagnose(tmp_path, "flow").layers == ()
    with pytest.raises(SettingError, match=r"no training of 'box' \(there are: it, flow\)"):
        diagnose(tmp_path, "box")
    (tmp_path / "progress.jsonl").write_bytes(b"".join(msgspec.json.encode(look(2)) + b"\n" for _ in "ab"))
    with (tmp_path / "progress.jsonl").open("ab") as log:
        log.write(msgspec.json.encode(other) + b"\n")
    with pytest.raises(SettingError, match="several fits; choose one of them by rung=: it, flow"):
        diagnose(tmp_path)


def test_what_has_no_history_is_refused():
    with pytest.raises(NotFittedError):
        diagnose(NeuralClassifier())
    with pytest.raises(DataError, match="there are no training steps to tell of"):
        diagnose([Progress("started")])
