"""The contract of predictors: every family of p(y | x) that the catalog finds, on tables and on images."""

import inspect

import jax
import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

import landmass
from landmass import Examples, SettingError
from landmass.catalog import CONDITIONALS, family
from landmass.data.images import from_array
from landmass.train.checkpoint import Checkpoint

COMPILES = True

QUICK = {"hidden": 4, "depth": 1, "batch_norm": True, "batch_size": 32, "max_steps": 60, "random_state": 0}
KINDS = ("table", "images")


def examples_of(name, kind, n=300, seed=0):
    """Events whose answers hang on them: numbers for a regressor, two words for a classifier."""
    rng = np.random.default_rng(seed)
    if kind == "table":
        X = rng.standard_normal((n, 3))
        size = X[:, 0] + 0.3 * rng.standard_normal(n)
        inputs = landmass.examples(X, size).inputs
    else:
        light = rng.uniform(60.0, 180.0, n)
        pixels = light[:, None, None] + 20.0 * rng.standard_normal((n, 6, 6))
        inputs, size = from_array(np.clip(pixels, 0, 255).astype(np.uint8)), (light - 120.0) / 35.0
    answers = np.where(size > 0.0, "large", "small") if "classifier" in name else 50.0 + 7.0 * size
    return Examples(inputs, answers, "size")


@pytest.fixture(scope="module", params=[(name, kind) for name in CONDITIONALS for kind in KINDS], ids="-".join)
def case(request):
    """A family, fitted, with what it was fitted to and other events."""
    name, kind = request.param
    data = examples_of(name, kind)
    return name, family(name)(**QUICK).fit(data), data, examples_of(name, kind, 150, seed=1)


def test_probability_of_all_answers_is_one(case):
    _, model, _, other = case
    few = other.take(np.arange(5))
    if is_classifier(model):
        chances = model.predict_proba(few.inputs)
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)
        told = [model.log_prob(few.inputs, np.full(5, each)) for each in model.classes_]
        np.testing.assert_allclose(np.exp(told).T, chances, atol=1e-5)
        return
    line = np.linspace(-100.0, 200.0, 4_001)
    for row in range(5):
        density = np.exp(model.log_prob(few.inputs.take(np.full(len(line), row)), line))
        assert trapezoid(density, line) == pytest.approx(1.0, abs=1e-3)


def test_held_out_answers_beat_a_guess_that_sees_nothing(case):
    name, model, data, other = case
    blind = family(name)(architecture="constant", random_state=0).fit(data)
    gain = model.log_prob(other) - blind.log_prob(other)
    assert gain.mean() > 2.0 * gain.std() / np.sqrt(len(gain))


def test_blind_guess_is_as_good_as_the_frequencies(case):
    name = case[0]
    # Of few events the part that validation chooses the temperature by may be unlike the rest.
    data = examples_of(name, "table", 3_000)
    other = examples_of(name, "table", 1_000, seed=1)
    blind = family(name)(architecture="constant", random_state=0).fit(data)
    if is_classifier(blind):
        share = (data.answers == "large").mean()
        expected = np.log(np.where(other.answers == "large", share, 1.0 - share))
    else:
        mean, sd = data.answers.mean(), data.answers.std()
        expected = -0.5 * np.log(2 * np.pi * sd**2) - 0.5 * ((other.answers - mean) / sd) ** 2
    assert blind.log_prob(other).mean() == pytest.approx(expected.mean(), abs=0.02)


def test_answers_do_not_depend_on_the_other_events(case):
    _, model, _, other = case
    together = model.log_prob(other)
    alone = np.concatenate([model.log_prob(other.take(np.array([i]))) for i in range(4)])
    np.testing.assert_allclose(alone, together[:4], rtol=1e-6, atol=1e-6)


def test_same_seed_same_fit_and_another_seed_another(case):
    _, model, data, other = case
    np.testing.assert_array_equal(clone(model).fit(data).log_prob(other), model.log_prob(other))
    assert (clone(model).set_params(random_state=1).fit(data).log_prob(other) != model.log_prob(other)).any()


def test_saved_predictor_answers_to_the_same_bits(case, tmp_path):
    _, model, _, other = case
    model.save(tmp_path / "model")
    again = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(other), model.log_prob(other))
    np.testing.assert_array_equal(again.predict(other.inputs), model.predict(other.inputs))
    for name, value in model.parameters_.items():
        np.testing.assert_array_equal(again.parameters_[name], value)


def test_fit_that_was_stopped_ends_with_the_same_bits(case, tmp_path, monkeypatch):
    _, model, data, other = case
    monkeypatch.setattr(Checkpoint, "due", property(lambda self: self.folder is not None))
    train, validation = data.take(np.arange(240)), data.take(np.arange(240, 300))
    whole = clone(model).fit_parts(train, validation).log_prob(other)

    class Stopped(BaseException):
        pass

    def stop(progress):
        if progress.step >= 20:
            raise Stopped

    with pytest.raises(Stopped):
        clone(model).fit_parts(train, validation, stop, Checkpoint(tmp_path / "checkpoint"))
    resumed = clone(model).fit_parts(train, validation, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    np.testing.assert_array_equal(resumed.log_prob(other), whole)


def test_change_of_unit_shifts_a_regressors_score_by_the_constant(case):
    _, model, data, other = case
    if is_classifier(model):
        pytest.skip("classes have no unit")
    other_unit = Examples(data.inputs, 1_000.0 * data.answers + 3.0, "size")
    there = clone(model).fit(other_unit).log_prob(other.inputs, 1_000.0 * other.answers + 3.0)
    np.testing.assert_allclose(there, model.log_prob(other) - np.log(1_000.0), atol=2e-3)


def test_refit_of_the_same_shapes_compiles_nothing(case):
    _, model, data, other = case
    clone(model).fit(data).log_prob(other)
    names = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, fun_name="", **rest: names.append(fun_name) if "trace" in event else None
    )
    clone(model).fit(data).log_prob(other)
    assert not {"_advance", "_ask_block", "_score"} & set(names)


@pytest.mark.parametrize("name", CONDITIONALS)
def test_settings_are_keywords_of_scikit_learns_form(name):
    fresh = family(name)()
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(family(name)).parameters.values())
    assert clone(fresh).get_params() == fresh.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(np.zeros((2, 3)))
    with pytest.raises(SettingError, match=r"learning_rate must be None or above 0, got -1\.0"):
        family(name)(learning_rate=-1.0).fit(examples_of(name, "table"))
