"""The contract: what every family must keep, over every family that the catalog finds."""

import copy
from functools import partial

import jax
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import landmass
from landmass import Bounded, Schema, SettingError
from landmass.catalog import FAMILIES
from landmass.data.lines import LineSpace
from landmass.data.states import StateSpace
from tests.models.cases import DATA, data, estimator, fits
from tests.models.quadrature import FALSE_ALARM, Proposal, cell_masses, fit_of_counts, worst_marginal

COMPILES = True

SAMPLES = 40_000
GRID = {"line": (100, 6), "plane": (24, 5), "land": (24, 5)}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


ON_EACH = pytest.mark.parametrize(("family", "name"), fits(*DATA))


@pytest.fixture(scope="module", params=fits(*GRID), ids=" on ".join)
def measured(request, fitted):
    """A fit's integral, masses of cells and their edges, and its samples."""
    family, name = request.param
    model = fitted(family, name)
    sample = np.column_stack([np.asarray(c) for c in as_columns(model.sample(SAMPLES, random_state=1))])
    return *cell_masses(model, data(name), *GRID[name]), sample


def as_columns(table):
    return table.columns if isinstance(table, pa.Table) else table.T


def array(sample):
    return np.column_stack([np.asarray(column) for column in as_columns(sample)])


def test_density_integrates_to_one(measured):
    assert measured[0] == pytest.approx(1.0, abs=1e-3)


def test_samples_agree_with_the_density(measured):
    _, masses, edges, sample = measured
    assert fit_of_counts(masses, edges, sample) > FALSE_ALARM


def test_stretched_samples_are_found_out(measured):
    _, masses, edges, sample = measured
    centre = sample.mean(axis=0)
    assert fit_of_counts(masses, edges, centre + 1.05 * (sample - centre)) < FALSE_ALARM


def test_shifted_samples_are_found_out(measured):
    _, masses, edges, sample = measured
    assert fit_of_counts(masses, edges, sample + 0.1 * sample.std(axis=0)) < FALSE_ALARM


@pytest.fixture(scope="module", params=FAMILIES)
def sampled_by_importance(request, fitted):
    """A fit to columns of all kinds, importance samples of its density, and its own samples."""
    model = fitted(request.param, "mixed")
    return Proposal(model, data("mixed")), array(model.sample(20_000, random_state=1))


def test_density_of_all_kinds_of_columns_integrates_to_one(sampled_by_importance):
    mass, error = sampled_by_importance[0].mass()
    assert error < 0.03
    assert abs(mass - 1.0) < stats.norm.isf(FALSE_ALARM / 2) * error


def test_samples_of_all_kinds_of_columns_agree_with_the_density(sampled_by_importance):
    worst, count = worst_marginal(*sampled_by_importance, data("mixed"))
    assert worst < stats.norm.isf(FALSE_ALARM / 2 / count)


def test_shifted_samples_of_all_kinds_of_columns_are_found_out(sampled_by_importance):
    proposal, sample = sampled_by_importance
    shifted = sample + 0.5 * sample.std(axis=0) * np.eye(4)[0]
    worst, count = worst_marginal(proposal, shifted, data("mixed"))
    assert worst > stats.norm.isf(FALSE_ALARM / 2 / count)


@pytest.mark.parametrize(("family", "name"), fits("land", "mixed"))
def test_no_mass_lies_outside_of_the_bounds(fitted, family, name):
    model, schema = fitted(family, name), data(name).schema
    sample = array(model.sample(5000, random_state=2))
    for i, column in enumerate(schema.columns):
        assert sample[:, i].min() >= column.low
        assert sample[:, i].max() <= column.high
    assert np.isfinite(model.score_samples(sample)).all()
    outside = np.repeat(data(name).X[:1], 4, axis=0)
    beyond = {"land": (1, [-90.01, 90.01, 91.0, 1e6]), "mixed": (2, [-3.01, 7.01, 8.0, -1e6])}[name]
    outside[:, beyond[0]] = beyond[1]
    assert np.isneginf(model.score_samples(outside)).all()


def test_positive_columns_hold_nothing_at_or_below_zero(fitted, family):
    model = fitted(family, "mixed")
    below = np.repeat(data("mixed").X[:1], 2, axis=0)
    below[:, 1] = [0.0, -1.0]
    assert np.isneginf(model.score_samples(below)).all()


@ON_EACH
def test_far_events_have_a_density_that_is_no_nan(fitted, family, name):
    far = data(name).X[:5] * [[1e3], [-1e9], [1e30], [1e300], [-1e300]]
    assert not np.isnan(fitted(family, name).score_samples(far)).any()


@ON_EACH
def test_same_seed_same_samples(fitted, family, name):
    model = fitted(family, name)
    first, again, other = (array(model.sample(50, random_state=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_same_seed_same_fit(fitted, family):
    first, again = fitted(family, "plane"), estimator(family).fit(data("plane"))
    np.testing.assert_array_equal(first.score_samples(data("plane")), again.score_samples(data("plane")))


@ON_EACH
def test_saved_estimator_answers_to_the_same_bits(fitted, family, name, tmp_path):
    model = fitted(family, name)
    model.save(tmp_path / "model")
    loaded = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_samples(data(name).X), model.score_samples(data(name).X))
    np.testing.assert_array_equal(array(loaded.sample(20, random_state=5)), array(model.sample(20, random_state=5)))
    assert type(loaded) is type(model)
    assert loaded.n_parameters_ == model.n_parameters_
    assert {k: v for k, v in loaded.get_params(deep=False).items() if k != "estimators"} == {
        k: v for k, v in model.get_params(deep=False).items() if k != "estimators"
    }


@ON_EACH
def test_scores_do_not_depend_on_the_batch(fitted, family, name):
    model, X = fitted(family, name), data(name, n=2100, seed=1).X
    together = model.score_samples(X)
    # Many events' bumps are added up by another way than few; it promises 1e-5.
    close = partial(np.testing.assert_allclose, rtol=0.0, atol=1e-5 if family in ("kernel_density", "stack") else 0.0)
    close(model.score_samples(X[2040:2060]), together[2040:2060])
    close(model.score_samples(X[::-1])[::-1], together)
    close([model.score_samples(X[[i]])[0] for i in (0, 2099)], together[[0, 2099]])


@ON_EACH
def test_score_is_the_mean_log_density(fitted, family, name):
    model, X = fitted(family, name), data(name).X
    assert model.score(X) == pytest.approx(model.score_samples(X).mean(), rel=1e-12)
    assert model.score_samples(X).dtype == np.float64
    assert model.score_samples(X).shape == (len(X),)


def test_held_out_score_beats_the_box(fitted, family):
    if family == "uniform_box":
        pytest.skip("the box itself")
    held_out = data("plane", n=2000, seed=1).X
    score = fitted(family, "plane").score_samples(held_out)
    # Events outside of the box have density zero under it: it is compared where it can be.
    box = fitted("uniform_box", "plane").score_samples(held_out)
    known = np.isfinite(box)
    gain = score[known] - box[known]
    assert gain.mean() > 5 * gain.std() / np.sqrt(known.sum())


def test_truth_is_not_beaten(fitted, family):
    events = data("plane", n=2000, seed=1)
    gap = events.truth.log_prob(events.X) - fitted(family, "plane").score_samples(events.X)
    assert gap.mean() > 0.0


def test_change_of_units_shifts_a_refit_by_the_constant(fitted, family):
    events = data("plane", n=2000, seed=1).X
    refitted = estimator(family).fit(1000.0 * data("plane").X)
    shifted = refitted.score_samples(1000.0 * events) + 2 * np.log(1000.0)
    expected = fitted(family, "plane").score_samples(events)
    both = np.isfinite(expected) & np.isfinite(shifted)
    assert both.mean() > 0.95
    assert shifted[both].mean() == pytest.approx(expected[both].mean(), abs=0.01)


UNITS = {"line": ([1000.0], [0.0]), "plane": ([1e-3, 40.0], [5.0, -7.0]), "land": ([60.0, 0.01], [3.0, 100.0])}


@pytest.mark.parametrize(("family", "name"), fits(*UNITS))
def test_change_of_units_shifts_a_fixed_model_by_the_constant(fitted, family, name):
    """A table in other units, x' = scale · x + shift, has density p(x) / |scale|."""
    scale, shift = map(np.array, UNITS[name])
    X, model = data(name, n=300, seed=1).X, fitted(family, name)
    expected = model.score_samples(X) - np.log(scale).sum()
    np.testing.assert_allclose(in_other_units(model, scale, shift)._log_prob(scale * X + shift), expected, atol=1e-5)


def in_other_units(model, scale, shift):
    """The same fitted model, asked in other units: what is in units is the space's columns, offsets and scales."""
    other = copy.copy(model)
    if hasattr(model, "parts_"):
        other.parts_ = {name: in_other_units(part, scale, shift) for name, part in model.parts_.items()}
        return other
    columns = [
        msgspec.structs.replace(c, low=c.low * a + b, high=c.high * a + b) if isinstance(c, Bounded) else c
        for c, a, b in zip(model.data_.schema.columns, scale, shift, strict=True)
    ]
    if isinstance(model.space_, StateSpace | LineSpace):
        cuts = [in_units_of(*each) for each in zip(model.space_.cuts, scale, shift, strict=True)]
        states = StateSpace(Schema(tuple(columns)), tuple(cuts))
        lines = isinstance(model.space_, LineSpace)
        other.space_ = LineSpace(states, model.space_.masses) if lines else states
        return other
    other.space_ = msgspec.structs.replace(
        model.space_,
        schema=Schema(tuple(columns)),
        loc=tuple(np.array(model.space_.loc) * scale + shift),
        scale=tuple(np.array(model.space_.scale) * scale),
    )
    return other


def in_units_of(cut, scale, shift):
    """The same cells of a line in other units."""
    tails = {
        side: None if tail is None else msgspec.structs.replace(tail, scale=tail.scale * scale)
        for side, tail in (("low", cut.low), ("high", cut.high))
    }
    edges = tuple(np.array(cut.edges) * scale + shift)
    return msgspec.structs.replace(cut, edges=edges, period=cut.period * scale, **tails)


def test_refit_of_the_same_shapes_compiles_no_step(fitted, family, heard):
    fitted(family, "plane").score_samples(data("plane").X)
    heard.clear()
    clone(fitted(family, "plane")).fit(data("plane")).score_samples(data("plane").X)
    assert not {"_advance", "_log_prob_block"} & set(heard)


def test_fit_of_another_shape_is_heard_to_compile(heard):
    heard.clear()
    estimator("gaussian").fit(data("plane", n=1077))
    assert "_advance" in heard


@pytest.fixture(scope="module")
def heard():
    """The names of the functions that JAX traces from now on."""
    names = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, fun_name="", **rest: names.append(fun_name) if "trace" in event else None
    )
    return names


@ON_EACH
def test_parameters_can_be_read_and_are_counted(fitted, family, name):
    model = fitted(family, name)
    assert model.parameters_
    for key, value in model.parameters_.items():
        assert np.isfinite(value).all(), key
    assert model.n_parameters_ > 0


def test_likelihood_is_known_exactly(fitted, family):
    assert fitted(family, "plane").likelihood_ == "exact"


def test_settings_are_scikit_learns(family):
    fresh = estimator(family)
    copy = clone(fresh)
    assert copy is not fresh
    assert str(copy.get_params()) == str(fresh.get_params())
    for setting, value in fresh.get_params(deep=False).items():
        assert getattr(copy.set_params(**{setting: value}), setting) is value
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        fresh.set_params(colour="red")
    with pytest.raises(TypeError):
        type(fresh)(colour="red")


def test_settings_are_keywords_only(family):
    with pytest.raises(TypeError, match="positional"):
        type(estimator(family))(1)


def test_fit_leaves_the_settings_alone_and_returns_the_estimator(fitted, family):
    fresh = estimator(family)
    before = str(fresh.get_params())
    assert fresh.fit(data("plane")) is fresh
    assert str(fresh.get_params()) == before


@pytest.mark.parametrize(
    "question", ["score", "score_samples", "sample", "save"], ids=lambda question: f"before a fit: {question}"
)
def test_unfitted_estimator_says_so(family, question, tmp_path):
    fresh = estimator(family)
    asked = {"score": data("plane"), "score_samples": data("plane"), "sample": 3, "save": tmp_path / "model"}[question]
    with pytest.raises(NotFittedError, match=type(fresh).__name__):
        getattr(fresh, question)(asked)


@pytest.mark.parametrize("n_samples", [0, -3])
def test_count_of_samples_below_one_is_refused(fitted, family, n_samples):
    with pytest.raises(SettingError, match=f"n_samples must be at least 1, got {n_samples}"):
        fitted(family, "plane").sample(n_samples)


BAD = {
    "uniform_box": [("margin", -0.1)],
    "histogram": [("n_cells", 0), ("n_cells", 2000), ("validation_fraction", 1.0)],
    "gaussian_mixture": [
        ("n_components", 0),
        ("covariance_type", "round"),
        ("max_iter", 0),
        ("prior_strength", -1.0),
        ("validation_fraction", 0.0),
    ],
    "probabilistic_pca": [
        *(("n_components", value) for value in (-1, 2)),
        ("method", "guess"),
        ("max_iter", 0),
        ("validation_fraction", 0.0),
    ],
    "kernel_density": [("bandwidth", 0.0), ("bandwidth", (1.0, -1.0)), ("bandwidth", (1.0, 1.0, 1.0))],
    "spline_flow": [
        *((setting, 0) for setting in ("max_steps", "batch_size", "patience", "members", "n_bins", "hidden", "depth")),
        ("learning_rate", 0.0),
        ("validation_fraction", 1.5),
    ],
    "stack": [("validation_fraction", 0.0)],
}


@pytest.mark.parametrize(
    "family, setting, value", [(family, *bad) for family, cases in BAD.items() for bad in cases], ids=str
)
def test_bad_setting_is_named_with_family_and_value(family, setting, value):
    bad = estimator(family).set_params(**{setting: value})
    with pytest.raises(SettingError) as raised:
        bad.fit(data("plane"))
    assert str(raised.value).startswith(f"{type(bad).__name__}: {setting} must be ")
    assert str(raised.value).endswith(f", got {value!r}")
