"""Classifier and regressor: what they say against what is known, and what they refuse."""

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression

import landmass
from landmass import DataError, NeuralClassifier, NeuralRegressor, SettingError, StoreError
from landmass.nn.layers import Activation, BatchNorm, Dense, Dropout
from landmass.train.checkpoint import Checkpoint

COMPILES = True

QUICK = {
    "hidden": 16,
    "depth": 1,
    "waves": 0,
    "batch_size": 64,
    "max_steps": 400,
    "learning_rate": 0.02,
    "random_state": 0,
}


def bells(n, seed=0):
    """Three round classes, of which the first comes twice as often; their chances are known."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.5, 0.25, 0.25])
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    X = centres[labels] + rng.standard_normal((n, 2))
    joint = np.exp(-0.5 * ((X[:, None] - centres) ** 2).sum(-1)) * [0.5, 0.25, 0.25]
    return X, np.array(["land", "sea", "ice"])[labels], joint / joint.sum(1, keepdims=True)


def waves(n, seed=0):
    """A sine under noise that grows with x; the density of y is known."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2.0, 2.0, n)
    scale = 10.0 * (0.1 + 0.2 * np.abs(x))
    y = 100.0 + 10.0 * np.sin(2.0 * x) + scale * rng.standard_normal(n)
    return x[:, None], y, stats.norm(100.0 + 10.0 * np.sin(2.0 * x), scale)


@pytest.fixture(scope="module")
def classifier():
    return NeuralClassifier(**QUICK).fit(*bells(4000)[:2])


@pytest.fixture(scope="module")
def regressor():
    return NeuralRegressor(**QUICK).fit(*waves(4000)[:2])


def test_probabilities_are_close_to_the_known_chances(classifier):
    X, y, chances = bells(4000, seed=1)
    order = [["land", "sea", "ice"].index(name) for name in classifier.classes_]
    found = classifier.predict_proba(X)
    # Mean Kullback-Leibler divergence from the truth, in nats; that of the class frequencies is about 0.5.
    assert (chances[:, order] * np.log(chances[:, order] / found)).sum(1).mean() < 0.02
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-12)
    chosen = found[np.arange(4000), [list(classifier.classes_).index(name) for name in y]]
    np.testing.assert_allclose(classifier.log_prob(X, y), np.log(chosen), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(classifier.predict(X), classifier.classes_[found.argmax(1)])


def test_density_of_a_number_is_close_to_the_known_one(regressor):
    X, y, truth = waves(4000, seed=1)
    gap = truth.logpdf(y).mean() - regressor.log_prob(X, y).mean()
    assert gap < 0.05
    assert np.abs(regressor.predict(X) - truth.mean()).mean() < 1.0
    quantiles = regressor.predict_quantiles(X, (0.05, 0.5, 0.95))
    inside = ((quantiles[:, 0] < y) & (y < quantiles[:, 2])).mean()
    assert inside == pytest.approx(0.9, abs=0.03)
    np.testing.assert_allclose(quantiles[:, 1], regressor.predict(X), atol=1e-2)


def test_log_probs_of_a_number_integrate_to_one_in_its_own_unit(regressor):
    grid = np.linspace(0.0, 200.0, 4001)
    density = np.exp(regressor.log_prob(np.full((len(grid), 1), 0.7), grid))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_linear_classifier_reaches_the_optimum_of_scikit_learns(head):
    X, y, _ = bells(2000)
    y = y == "land"
    settings = {**QUICK, "max_steps": 1500, "batch_size": 512}
    ours = NeuralClassifier(architecture="linear", head=head, **settings).fit(X, y)
    peer = LogisticRegression(C=np.inf).fit(X, y)
    X, y, _ = bells(2000, seed=1)
    y = y == "land"
    expected = peer.predict_log_proba(X)[np.arange(2000), y.astype(int)].mean()
    assert ours.log_prob(X, y).mean() == pytest.approx(expected, abs=0.005)


def test_linear_squared_error_is_least_squares():
    X, y, _ = waves(2000)
    settings = {**QUICK, "max_steps": 1500, "batch_size": 512}
    ours = NeuralRegressor(architecture="linear", head="squared_error", **settings).fit(X, y)
    peer = LinearRegression().fit(X, y)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=0.5)
    # One Gaussian for all events: its scale is that of the residuals.
    wide = np.diff(ours.predict_quantiles(X[:1], (stats.norm.cdf(-1), stats.norm.cdf(1))))[0, 0] / 2
    assert wide == pytest.approx(np.std(y - peer.predict(X)), rel=0.1)


@pytest.mark.parametrize("head", ["laplace", "mixture", "absolute_error"])
def test_other_heads_learn_and_tell_quantiles(head):
    X, y, truth = waves(4000)
    model = NeuralRegressor(head=head, **QUICK).fit(X, y)
    assert truth.logpdf(y).mean() - model.log_prob(X, y).mean() < 0.35
    low, high = model.predict_quantiles(X, (0.1, 0.9)).T
    assert ((low < y) & (y < high)).mean() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("head", ["focal", "hinge"])
def test_losses_that_are_no_likelihood_get_probabilities_by_the_temperature(head):
    X, y, chances = bells(4000)
    model = NeuralClassifier(head=head, **QUICK).fit(X, y)
    order = [["land", "sea", "ice"].index(name) for name in model.classes_]
    assert (chances[:, order] * np.log(chances[:, order] / model.predict_proba(X))).sum(1).mean() < 0.05


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adam", "adamw", "lion", "muon"])
def test_optimiser_learns_at_its_own_learning_rate(optimiser):
    X, y, chances = bells(2000)
    model = NeuralClassifier(optimiser=optimiser, **{**QUICK, "learning_rate": None}).fit(X, y)
    order = [["land", "sea", "ice"].index(name) for name in model.classes_]
    assert (chances[:, order] * np.log(chances[:, order] / model.predict_proba(X))).sum(1).mean() < 0.06


@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_schedule_learns(schedule):
    X, y, _ = bells(1000)
    assert NeuralClassifier(schedule=schedule, **QUICK).fit(X, y).score(X, y) > 0.7


def test_members_average_their_probabilities():
    X, y, _ = bells(1000)
    model = NeuralClassifier(members=3, **QUICK).fit(X, y)
    parts = model.model_.components
    each = []
    for i in range(3):
        weights = [(np.asarray(w["weight"])[i], np.asarray(w["bias"])[i]) for w in parts.network.weights if w]
        z = (X - [c.loc for c in model.inputs_.columns]) / [c.scale for c in model.inputs_.columns]
        hidden = z @ weights[0][0] + weights[0][1]
        logits = (hidden / (1.0 + np.exp(-hidden))) @ weights[1][0] + weights[1][1]
        chances = np.exp(logits / float(parts.temperature.numbers[i]))
        floor = float(parts.floor.numbers[i])
        each.append((1.0 - floor) * chances / chances.sum(1, keepdims=True) + floor / 3)
    np.testing.assert_allclose(model.predict_proba(X), np.mean(each, 0), atol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 1e-3


def test_own_layers_with_batch_norm_and_dropout_answer_the_same_alone_and_together():
    X, y, _ = bells(1000)
    layers = (Dense(16), BatchNorm(), Activation("relu"), Dropout(0.2), Dense(3))
    model = NeuralClassifier(architecture=layers, **QUICK).fit(X, y)
    together = model.predict_proba(X[:300])
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, together[:5], atol=1e-6)
    assert "batch_norm_1" in str(model.network_)


def test_layers_that_do_not_end_in_the_outputs_are_refused():
    with pytest.raises(SettingError, match=r"the architecture ends in \(4,\); its last layer must give 3 numbers"):
        NeuralClassifier(architecture=(Dense(4),), **QUICK).fit(*bells(100)[:2])


def test_balanced_classes_count_alike():
    X, y, _ = bells(3000)
    plain = NeuralClassifier(**QUICK).fit(X, y)
    balanced = NeuralClassifier(class_weight="balanced", **QUICK).fit(X, y)
    assert plain.predict_proba(X).mean(0)[list(plain.classes_).index("land")] == pytest.approx(0.5, abs=0.03)
    odds = [m.predict_proba([[0.0, 0.0]])[0] for m in (plain, balanced)]
    ratio = [p[list(plain.classes_).index("land")] / p[list(plain.classes_).index("sea")] for p in odds]
    # The classes' frequencies were two to one.
    assert ratio[0] / ratio[1] == pytest.approx(2.0, rel=0.25)


def test_same_seed_gives_the_same_bits(classifier):
    X, y, _ = bells(4000)
    again = NeuralClassifier(**QUICK).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    other = NeuralClassifier(**{**QUICK, "random_state": 1}).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("which", ["classifier", "regressor"])
def test_saved_estimator_answers_to_the_same_bits(which, request, tmp_path):
    model = request.getfixturevalue(which)
    model.save(tmp_path / "saved")
    loaded = landmass.load(tmp_path / "saved")
    X = bells(300)[0] if which == "classifier" else waves(300)[0]
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.get_params() == model.get_params()
    assert loaded.likelihood_ == "exact"
    assert loaded.n_parameters_ == model.n_parameters_ > 50


@pytest.mark.parametrize(
    "weight",
    [{0: 1.0, 1: 5.0}, {np.int64(1): np.float64(5.0)}, {True: 5}, {"1": 5.0}, "balanced", None],
    ids=["numbers", "NumPy's", "truth values", "words", "balanced", "none"],
)
def test_saved_classifier_keeps_its_class_weights(weight, tmp_path):
    X = np.linspace(-1.0, 1.0, 60)[:, None]
    kind = type(next(iter(weight))) if isinstance(weight, dict) else int
    y = (X[:, 0] > 0.5).astype(int).astype(kind)
    settings = {**QUICK, "hidden": 2, "max_steps": 4}
    model = NeuralClassifier(class_weight=weight, **settings).fit(X, y)
    model.save(tmp_path / "saved")
    loaded = landmass.load(tmp_path / "saved")
    assert loaded.get_params() == model.get_params()
    assert loaded._weights(np.array([[0.0], [1.0]])).tolist() == model._weights(np.array([[0.0], [1.0]])).tolist()
    np.testing.assert_array_equal(clone(loaded).fit(X, y).predict_proba(X), model.predict_proba(X))


def test_running_statistics_are_saved_to_the_bit(tmp_path):
    X, y, _ = bells(500)
    model = NeuralClassifier(batch_norm=True, members=2, **{**QUICK, "max_steps": 60}).fit(X, y)
    model.save(tmp_path / "saved")
    found = landmass.load(tmp_path / "saved").model_.components.network.running.numbers
    kept = model.model_.components.network.running.numbers
    assert kept[1]["mean"].shape == (2, 16)
    assert not np.array_equal(kept[1]["mean"][0], kept[1]["mean"][1])
    for name in ("mean", "variance", "steps"):
        np.testing.assert_array_equal(found[1][name], kept[1][name])


def test_fit_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    from landmass.data.examples import read_examples

    X, y, _ = bells(500)
    whole = read_examples(X, y)
    parts = whole.take(np.arange(400)), whole.take(np.arange(400, 500))
    settings = {**QUICK, "batch_norm": True, "dropout": 0.1, "max_steps": 100}
    straight = NeuralClassifier(**settings).fit_parts(*parts)

    class Killed(Exception):
        pass

    def die(record):
        if record.step >= 40:
            raise Killed

    every = Checkpoint(tmp_path / "checkpoint", every=0.0)
    with pytest.raises(Killed):
        NeuralClassifier(**settings).fit_parts(*parts, listen=die, checkpoint=every)
    resumed = NeuralClassifier(**settings).fit_parts(*parts, checkpoint=Checkpoint(tmp_path / "checkpoint", every=0.0))
    np.testing.assert_array_equal(resumed.predict_proba(X), straight.predict_proba(X))


ANSWERS = {"classes": ["a", "b", "c"], "dtype": "<U1", "counts": [1, 2, 3], "weights": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": [{"layer": "dense", "units": 10**12}]},
        {"layers": []},
        {"layers": [{"layer": "activation", "kind": "tanh"}] * 1000},
        {"head": {"head": "gaussian", "varying": True}},
        {"answers": {**ANSWERS, "classes": ["a"]}},
        {"answers": {**ANSWERS, "dtype": "object_of_mine"}},
        {"answers": {**ANSWERS, "counts": [1, 2]}},
        {"answers": {**ANSWERS, "weights": [1.0, -2.0, 1.0]}},
        {"answers": {**ANSWERS, "weights": [0.0, 0.0, 0.0]}},
    ],
)
def test_manifest_of_another_model_is_refused(classifier, tmp_path, wrong):
    classifier.save(tmp_path / "saved")
    manifest = msgspec.json.decode((tmp_path / "saved" / "manifest.json").read_bytes())
    manifest["model"].update(wrong)
    (tmp_path / "saved" / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(StoreError):
        landmass.load(tmp_path / "saved")


def shop(n=600, seed=0):
    """A table in which the interaction of a word and a number decides."""
    rng = np.random.default_rng(seed)
    job = rng.choice(["baker", "judge", "pilot"], n)
    visits = rng.poisson(4, n).astype(float)
    visits[rng.random(n) < 0.1] = np.nan
    often = np.nan_to_num(visits, nan=4.0) > 3
    buys = np.where(job == "pilot", often, ~often)
    return pd.DataFrame({"job": job, "visits": visits, "id": [f"row {i}" for i in range(n)], "buys": buys})


def test_table_of_words_and_numbers_with_empty_cells(tmp_path):
    frame = shop()
    model = NeuralClassifier(**QUICK).fit(frame, "buys")
    assert list(model.feature_names_in_) == ["job", "visits", "id"]
    # A column that names the rows tells nothing of others.
    assert model.inputs_.names == ["job", "visits"]
    fresh = shop(seed=1)
    assert model.score(fresh.drop(columns="buys"), fresh["buys"]) > 0.97
    assert model.score(pl.from_pandas(fresh[["visits", "job"]]), fresh["buys"]) > 0.97
    frame.to_csv(tmp_path / "shop.csv", index=False)
    from_file = NeuralClassifier(**QUICK).fit(tmp_path / "shop.csv", "buys")
    assert from_file.score(fresh.drop(columns="buys"), fresh["buys"]) > 0.97


@pytest.fixture(scope="module")
def keeper():
    return NeuralClassifier(**{**QUICK, "max_steps": 5}).fit(shop(), "buys")


@pytest.mark.parametrize(
    "change, told",
    [
        (
            lambda t: t.assign(job="clown"),
            r"column 'job' holds 'clown' \(row 0, .*never did in training \(3 levels: 'baker'",
        ),
        (lambda t: t.assign(job=None), r"column 'job' has an empty cell \(row 0"),
        (lambda t: t.drop(columns="visits"), r"the columns 'visits' of the training data are missing"),
        (lambda t: t.assign(visits="often"), r"column 'visits' held numbers in training, and now text: 'often'"),
        (lambda t: t.assign(visits=np.inf), r"column 'visits' holds inf"),
    ],
)
def test_events_that_training_never_saw_are_named(keeper, change, told):
    with pytest.raises(DataError, match=told):
        keeper.predict(change(shop(20)))


@pytest.mark.parametrize(
    "X, y, told",
    [
        (shop(50), "sells", r"there is no column 'sells' to predict \(there are: 'job', 'visits', 'id', 'buys'\)"),
        (shop(50), None, "requires y to be passed"),
        (shop(50), [1, 2], "there are 50 events and 2 answers"),
        (shop(50).assign(buys=1), "buys", "the target 'buys' has one class only: 1"),
        (shop(50).assign(buys=[None] + [1, 0] * 24 + [1]), "buys", "the target 'buys' has no value in 1 of 50 rows"),
        (shop(50).assign(buys=np.random.default_rng(0).random(50)), "buys", "holds no classes: .*use NeuralRegressor"),
        (shop(50)[["buys"]], "buys", "there is no column besides 'buys'"),
        (shop(50)[["id", "buys"]], "buys", "nothing to predict from"),
        (shop(50), np.ones((50, 2)), r"one number or word an event, found shape \(50, 2\)"),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused(X, y, told):
    with pytest.raises(DataError, match=told):
        NeuralClassifier(**QUICK).fit(X, y)


def test_words_as_answers_of_a_regressor_are_refused():
    with pytest.raises(DataError, match=r"the target 'y' holds '(baker|judge|pilot)', which is no number"):
        NeuralRegressor(**QUICK).fit(np.random.default_rng(0).random((50, 2)), shop(50)["job"])


def test_class_that_training_never_saw_has_density_zero(classifier):
    X = np.zeros((2, 2))
    found = classifier.log_prob(X, ["air", "ice"])
    assert found[0] == -np.inf
    assert found[1] == classifier.log_prob(X, ["ice", "ice"])[1]
    with pytest.raises(DataError, match="7 is not of the classes' kind"):
        classifier.log_prob([[0.0, 0.0]], [7])


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"dropout": 1.0}, "dropout must be from 0 to less than 1, got 1.0"),
        ({"hidden": 0}, "hidden must be None or between 1 and 10000, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be None or above 0, got -1.0"),
        ({"label_smoothing": 1.0}, "label_smoothing must be from 0"),
        ({"class_weight": {"land": -1.0}}, "class_weight must be of numbers from 0"),
        ({"class_weight": {"air": 1.0}}, "class_weight must be of the classes"),
        ({"validation_fraction": 0.0}, "validation_fraction must be between 0 and 1"),
    ],
)
def test_setting_out_of_range_is_named(settings, told):
    with pytest.raises(SettingError, match=told):
        NeuralClassifier(**{**QUICK, **settings}).fit(*bells(100)[:2])
