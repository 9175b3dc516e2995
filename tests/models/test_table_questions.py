"""What densities of tables say of some columns given others: as their own probabilities do, by enumeration."""

import copy
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import landmass
from landmass import DataError, Dataset, Schema, SettingError
from landmass.core import particles
from landmass.core.states import FREE, PRESENT
from landmass.errors import FewParticlesWarning
from landmass.estimator import ordered
from tests.models.table_cases import COUNTED, FALSE_ALARM, MAKERS, MEASURED, chi_square, counted, every, measured

COMPILES = True

# Those whose answers are exact, and those of particles.
ANSWERING = ["independent", "latent_class", "mixed_kernel_density"]
BY_PARTICLES = ["autoregressive", "mixed_spline_flow"]


@pytest.fixture(params=ANSWERING)
def answering(request):
    return request.param


def test_summed_out_cells_are_the_sum_over_all_that_they_may_hold(fitted_table, answering):
    model, rows = fitted_table(answering, "counted"), every()
    chances = np.exp(model.score_samples(rows))
    for names in (["member"], ["city", "price"], ["price", "member", "rooms"]):
        places = [COUNTED.names.index(name) for name in names]
        schema = Schema(tuple(COUNTED.columns[place] for place in places))
        few = every(schema)
        told = np.exp(model.marginal(names).score_samples(few))
        for row, found in zip(few.X, told, strict=True):
            same = np.all((rows.X[:, places] == row) | (np.isnan(rows.X[:, places]) & np.isnan(row)), axis=1)
            assert found == pytest.approx(chances[same].sum(), abs=1e-6)


@pytest.mark.parametrize("answering", [*ANSWERING, *BY_PARTICLES])
def test_chain_rule_holds(fitted_table, answering):
    """Of particles, too: what is given is estimated, and both sides hold the same estimate of it."""
    model, held_out = fitted_table(answering, "measured"), measured(40 if answering in ANSWERING else 3, seed=2)
    whole = model.score_samples(held_out)
    for place, name in enumerate(MEASURED.names):
        others = [i for i in range(3) if i != place]
        rest = Schema(tuple(MEASURED.columns[i] for i in others))
        own = Schema((MEASURED.columns[place],))
        marginal = model.marginal([name])
        for row, together in zip(held_out.X, whole, strict=True):
            held = None if np.isnan(row[place]) else [row[place], ["a", "b"][int(row[1])], row[place]][place]
            part = model.conditional({name: held})
            after = part.score_samples(Dataset(row[None, others], rest, incomplete=True))
            alone = part.log_given
            if answering in ANSWERING:
                alone = marginal.score_samples(Dataset(row[None, [place]], own, incomplete=True))[0]
            assert alone + after[0] == pytest.approx(together, abs=1e-5)


def test_conditional_draws_agree_with_enumeration(fitted_table, answering):
    model, rows = fitted_table(answering, "counted"), every()
    given = {"city": "Oslo", "price": None}
    drawn = model.conditional(given).sample(8_000, random_state=0)
    assert (drawn[:, 1] == 1.0).all()
    assert np.isnan(drawn[:, 3]).all()
    chances = np.exp(model.score_samples(rows)) * ((rows.X[:, 1] == 1.0) & np.isnan(rows.X[:, 3]))
    assert chi_square(rows.X, chances / chances.sum(), drawn) > FALSE_ALARM


def test_imputed_cells_are_drawn_given_the_others_and_are_not_empty(fitted_table, answering):
    model, rows = fitted_table(answering, "counted"), every()
    holes = np.tile([1.0, np.nan, 2.0, np.nan], (8_000, 1))
    drawn = model.impute(holes, random_state=0)[0]
    assert not np.isnan(drawn).any()
    assert (drawn[:, [0, 2]] == [1.0, 2.0]).all()
    fits = (rows.X[:, 0] == 1.0) & (rows.X[:, 2] == 2.0) & ~np.isnan(rows.X).any(1)
    chances = np.exp(model.score_samples(rows)) * fits
    assert chi_square(rows.X, chances / chances.sum(), drawn) > FALSE_ALARM


def test_levels_have_the_probabilities_that_bayes_gives_them(fitted_table, answering):
    model, rows = fitted_table(answering, "counted"), counted(30, seed=9)
    found = model.predict_proba(rows, "city")
    np.testing.assert_allclose(found, by_bayes(model, rows), atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(rows, "member").sum(1), 1.0)


@pytest.mark.parametrize("family", BY_PARTICLES)
@pytest.mark.parametrize("given", [{"city": "Oslo", "price": None}, {"rooms": 3}, {"member": True, "price": 0.25}])
def test_particles_agree_with_enumeration(fitted_table, family, given):
    """Shares within five standard errors of a thousand draws, which are fewer than the particles that count."""
    model, rows = fitted_table(family, "counted"), every()
    values = {"city": ["Bonn", "Oslo", "Rome"].index(given["city"])} if "city" in given else {}
    values = {**given, **values}
    fits = np.ones(len(rows), bool)
    for name, value in values.items():
        column = rows.X[:, COUNTED.names.index(name)]
        fits &= np.isnan(column) if value is None else column == value
    chances = np.exp(model.score_samples(rows)) * fits
    part = model.conditional(given)
    assert part.log_given == pytest.approx(math.log(chances.sum()), abs=0.1)
    drawn = part.sample(4_000, random_state=0)
    keys = {tuple(row): i for i, row in enumerate(np.nan_to_num(rows.X, nan=-9.0).tolist())}
    seen = np.bincount([keys[tuple(row)] for row in np.nan_to_num(drawn, nan=-9.0).tolist()], minlength=len(rows))
    expected = chances / chances.sum()
    assert np.abs(seen / 4_000 - expected).max() < 5.0 * np.sqrt(0.25 / 1_000)
    assert (np.abs(seen / 4_000 - expected) < 5.0 * np.sqrt(expected / 1_000) + 0.005).all()
    wrong = np.roll(expected, 7)
    assert not (np.abs(seen / 4_000 - wrong) < 5.0 * np.sqrt(wrong / 1_000) + 0.005).all()


# All that a column may hold, or as much of it as is likely.
HELD = {
    "counted": {"member": [0.0, 1.0], "city": [0.0, 1.0, 2.0, np.nan], "price": [*np.arange(5) / 4.0, np.nan]},
    "unbounded": {"visits": np.arange(-400.0, 700.0), "day": [*np.arange(17_000.0, 26_000.0), np.nan]},
}


@pytest.mark.parametrize("family", BY_PARTICLES)
@pytest.mark.parametrize(("name", "column"), [(name, column) for name in HELD for column in HELD[name]])
def test_a_column_that_particles_sum_out_is_the_sum_over_what_it_may_hold(fitted_table, family, name, column):
    """Its absence among it; within four standard errors of the mean over twenty seeds of particles."""
    model, rows = fitted_table(family, name), MAKERS[name](8, seed=4)
    place = rows.schema.names.index(column)
    others = [i for i in range(len(rows.schema.columns)) if i != place]
    sums = []
    for row in rows.X:
        every_one = np.repeat(row[None], len(HELD[name][column]), axis=0)
        every_one[:, place] = HELD[name][column]
        sums.append(np.exp(model.score_samples(Dataset(every_one, rows.schema, incomplete=True))).sum())
    rest = Dataset(rows.X[:, others], Schema(tuple(rows.schema.columns[i] for i in others)), incomplete=True)
    names = list(rest.schema.names)
    seeded = [copy.copy(model).set_params(random_state=seed) for seed in range(20)]
    told = np.exp([each.marginal(names).score_samples(rest) for each in seeded])
    errors = told.std(axis=0, ddof=1) / math.sqrt(len(seeded)) + 1e-6
    assert (np.abs(told.mean(axis=0) - sums) < 4.0 * errors).all()
    # Negative control: without one of what the column may hold.
    assert (np.abs(told.mean(axis=0) - 0.8 * np.array(sums)) > 4.0 * errors).any()


@pytest.mark.parametrize("family", BY_PARTICLES)
def test_effective_sample_size_is_told(fitted_table, family):
    model = fitted_table(family, "counted")
    assert 100 < model.conditional({"city": "Oslo", "price": None}).effective_sample_size <= 2 * 4_096
    assert model.marginal(["city"]).effective_sample_size is None
    assert fitted_table("latent_class", "counted").conditional({"rooms": 3}).effective_sample_size is None


@pytest.mark.parametrize("family", BY_PARTICLES)
def test_rows_of_which_few_particles_count_get_many_or_are_refused(fitted_table, family, monkeypatch):
    model, holes = fitted_table(family, "counted"), counted(8, seed=4)
    asked = []
    monkeypatch.setattr("landmass.estimator.ordered.LEAST_OF_EACH", 300)
    few = ordered.in_blocks
    monkeypatch.setattr(ordered, "in_blocks", lambda ask, *rest, **more: asked.append(ask) or few(ask, *rest, **more))
    holes.X[:] = np.nan_to_num(holes.X)
    holes.X[:4, 1] = np.nan
    filled = model.impute(holes, random_state=0)[0]
    assert {ask.args[1] for ask in asked} == {64, 512}
    np.testing.assert_array_equal(filled[4:], holes.X[4:])
    monkeypatch.setattr("landmass.estimator.ordered.LEAST_OF_EACH", 1e9)
    told = (
        r"what [1-4] of the rows asked about hold, row [0-3] the first of them .counted from 0., is too rare for this"
    )
    with pytest.raises(DataError, match=told):
        model.impute(holes, random_state=0)
    rows = Dataset(holes.X[4:, 1:3], Schema(COUNTED.columns[1:3]), incomplete=True)
    with pytest.warns(FewParticlesWarning, match="4 of the rows asked about .* their log-densities are rough"):
        model.marginal(["city", "rooms"]).score_samples(rows)


def test_what_is_surely_empty_is_as_unlikely_to_be_there_as_it_is_told(fitted_table):
    """Far below what single precision tells from none: a chance of e^-100 about."""
    model = copy.copy(fitted_table("autoregressive", "counted"))
    layout, place = model.space_.layout, COUNTED.names.index("price")
    missing = layout.starts[place] + layout.sizes[place] - 1
    start = model.model_.components.start.at[:, missing].add(100.0)
    model.model_ = eqx.tree_at(lambda each: each.components.start, model.model_, start)
    known = np.array([[PRESENT if i == place else FREE for i in range(4)]], np.int32)
    log_total, effective = model.evidence(model.space_.cells(counted(1).X)[0], known)
    assert -110.0 < log_total < -90.0
    assert effective > 100.0


def test_particles_without_weight_count_for_nothing():
    nothing = np.full(4, -np.inf, np.float32)
    assert particles._effective(jnp.asarray(nothing)) == 0.0
    assert particles._effective(jnp.zeros(4)) == pytest.approx(4.0)
    clouds = np.array([5.0, 0.0], np.float32)
    for shares, expected in (([1.0, 0.0], 5.0), ([0.5, 0.5], 0.0), ([np.nan, np.nan], 0.0)):
        assert ordered._together(np.array(shares, np.float32), clouds) == pytest.approx(expected)


@pytest.mark.parametrize("family", BY_PARTICLES)
def test_what_all_columns_say_is_exact_without_particles(fitted_table, family):
    model, rows = fitted_table(family, "counted"), counted(30, seed=9)
    np.testing.assert_allclose(model.predict_proba(rows, "city"), by_bayes(model, rows), atol=1e-5)


@pytest.mark.parametrize("family", BY_PARTICLES)
def test_cells_imputed_by_particles_agree_with_enumeration(fitted_table, family):
    model, rows = fitted_table(family, "counted"), every()
    holes = np.array([[1.0, np.nan, 2.0, np.nan], [0.0, np.nan, 1.0, np.nan]])
    drawn = np.concatenate([model.impute(holes, 40, random_state=seed)[0][:1] for seed in range(3)])
    assert not np.isnan(drawn).any()
    many = np.stack(model.impute(holes, 400, random_state=1))[:, 0]
    fits = (rows.X[:, 0] == 1.0) & (rows.X[:, 2] == 2.0) & ~np.isnan(rows.X).any(1)
    chances = np.exp(model.score_samples(rows)) * fits
    for level in range(3):
        share = chances[rows.X[:, 1] == level].sum() / chances.sum()
        assert abs((many[:, 1] == level).mean() - share) < 5.0 * math.sqrt(share * (1.0 - share) / 400) + 0.02


def test_too_few_particles_that_count_are_refused(fitted_table, monkeypatch):
    part = fitted_table("autoregressive", "counted").conditional({"rooms": 1})
    assert len(part.sample(10, random_state=0)) == 10
    monkeypatch.setattr("landmass.estimator.ordered.LEAST_EFFECTIVE", 1e9)
    with pytest.raises(DataError, match=r"too rare for this network: of 8,192 particles \d+ are left that count"):
        part.sample(10, random_state=0)


def test_expectation_is_that_of_enumeration(fitted_table, answering):
    model, rows = fitted_table(answering, "counted"), every()
    found, error = model.expectation(lambda drawn: drawn[:, 2], {"member": True}, random_state=0)
    chances = np.exp(model.score_samples(rows)) * (rows.X[:, 0] == 1.0)
    assert abs(found - (chances @ rows.X[:, 2]) / chances.sum()) < stats.norm.isf(FALSE_ALARM / 2) * error


def test_known_conditional_is_recovered():
    """From 6,000 rows, within three standard errors of a share of the rows that it is about, and a little for bias."""
    rng = np.random.default_rng(0)
    rain = rng.random(6_000) < 0.3
    late = rng.random(6_000) < np.where(rain, 0.6, 0.1)
    table = pd.DataFrame({"rain": rain, "late": late, "minutes": np.where(late, rng.poisson(30, 6_000), 0)})
    model = landmass.LatentClass(n_components=4, random_state=0).fit(table)
    chance = model.predict_proba(pd.DataFrame({"rain": [True, False], "minutes": [0, 0]}), "late")[:, 1]
    assert chance.max() < 0.01
    late_when_raining = np.exp(
        model.conditional({"rain": True}).score_samples(table.iloc[:0].reindex([0]).assign(late=True, minutes=30))
    )
    assert 0.6 * stats.poisson.pmf(30, 30) * 0.5 < late_when_raining[0] < 0.6 * stats.poisson.pmf(30, 30) * 2.0
    share, error = model.expectation(lambda t: t["late"].astype(float), {"rain": True}, n_draws=20_000, random_state=1)
    assert abs(share - 0.6) < 3.0 * (error + math.sqrt(0.24 / rain.sum()))


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda m: m.conditional({"town": "Bonn"}), "there is no column 'town'; there are: 'member', 'city'"),
        (lambda m: m.conditional({"city": "Paris"}), "column 'city' holds 'Paris'"),
        (lambda m: m.conditional({"rooms": 7}), "column 'rooms' cannot hold 7: it lies outside of its sample space"),
        (lambda m: m.conditional({"member": None}), "column 'member' has an empty cell"),
        (lambda m: m.conditional(dict.fromkeys(COUNTED.names, 0)), "a density needs columns"),
        (lambda m: m.marginal([]), "a density needs columns"),
        (lambda m: m.marginal(["city", "city"]), "each of them once"),
        (lambda m: m.predict_proba(counted(5), "price"), "column 'price' holds numbers"),
    ],
)
def test_questions_that_make_no_sense_are_refused(fitted_table, answering, ask, told):
    with pytest.raises(DataError, match=told):
        ask(fitted_table(answering, "counted"))


def test_counts_of_draws_below_one_are_refused(fitted_table, answering):
    model = fitted_table(answering, "counted")
    for ask in (lambda: model.impute(counted(5), 0), lambda: model.conditional({"rooms": 1}).sample(0)):
        with pytest.raises(SettingError, match="must be at least 1, got 0"):
            ask()


def by_bayes(model, rows):
    """The chance of each city given all other columns, from the density of whole rows."""
    each = []
    for level in range(3):
        X = rows.X.copy()
        X[:, 1] = level
        each.append(np.exp(model.score_samples(Dataset(X, COUNTED, incomplete=True))))
    return np.column_stack(each) / np.sum(each, axis=0)[:, None]
