"""What every density of tables must do: count to one, draw what it says, and answer as its own probabilities do."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import landmass
from landmass import Boolean, Category, DataError, Dataset, Datetime, Grid, Integer, Real, Schema, SettingError
from landmass.catalog import OF_TABLES
from landmass.estimator.questions import AnsweringEstimator
from tests.models.cases import estimator

FALSE_ALARM = 1e-6
RNG = np.random.default_rng(0)
ANSWERING = [name for name in OF_TABLES if issubclass(landmass.catalog.family(name), AnsweringEstimator)]

COUNTED = Schema(
    (
        Boolean(name="member"),
        Category(name="city", levels=("Bonn", "Oslo", "Rome"), nullable=True),
        Integer(name="rooms", least=0, most=3),
        Grid(name="price", step=0.25, least=0.0, most=1.0, nullable=True),
    )
)
MEASURED = Schema(
    (
        Real(name="loss", atoms=(0.0,), nullable=True),
        Category(name="kind", levels=("a", "b")),
        landmass.Bounded(name="share", low=0.0, high=2.0),
    )
)
UNBOUNDED = Schema((Integer(name="visits"), Datetime(name="day", nullable=True), Boolean(name="late")))


def counted(n, seed=0):
    """Rows whose columns depend on each other, some of their cells empty."""
    rng = np.random.default_rng(seed)
    member = rng.random(n) < 0.4
    city = np.where(member, rng.choice(3, n, p=[0.6, 0.3, 0.1]), rng.choice(3, n, p=[0.1, 0.2, 0.7])).astype(float)
    rooms = np.minimum(rng.binomial(3, np.where(city == 0, 0.7, 0.3)), 3)
    price = np.clip(np.rint(rng.normal(1.0 + rooms / 1.5, 0.5, n)) / 4.0, 0.0, 1.0)
    city[rng.random(n) < np.where(member, 0.2, 0.05)] = np.nan
    price[rng.random(n) < 0.1] = np.nan
    return Dataset(np.column_stack([member, city, rooms, price]), COUNTED, "counted", incomplete=True)


def measured(n, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.random(n) < 0.3
    loss = np.where(rng.random(n) < np.where(kind, 0.7, 0.2), 0.0, rng.lognormal(np.where(kind, 1.0, -1.0), 0.5))
    loss[rng.random(n) < 0.1] = np.nan
    share = 2.0 * rng.beta(np.where(kind, 2.0, 5.0), 3.0)
    return Dataset(np.column_stack([loss, kind, share]), MEASURED, "measured", incomplete=True)


def unbounded(n, seed=0):
    rng = np.random.default_rng(seed)
    late = rng.random(n) < 0.5
    visits, day = rng.poisson(np.where(late, 20.0, 5.0)), 19_000.0 + rng.geometric(np.where(late, 0.02, 0.1), n)
    day[rng.random(n) < 0.1] = np.nan
    return Dataset(np.column_stack([visits, day, late]), UNBOUNDED, "unbounded", incomplete=True)


MAKERS = {"counted": counted, "measured": measured, "unbounded": unbounded}


def fresh(family):
    """An estimator that is quick to fit; a stack of tables' own parts."""
    return landmass.Stack(random_state=0) if family == "stack" else estimator(family)


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def fit(family, name):
        if (family, name) not in made:
            made[family, name] = fresh(family).fit(MAKERS[name](500))
        return made[family, name]

    return fit


@pytest.fixture(params=OF_TABLES)
def family(request):
    return request.param


@pytest.fixture(params=ANSWERING)
def answering(request):
    return request.param


def every(schema=COUNTED):
    """All rows that the counted schema allows."""
    values = {
        "member": [0.0, 1.0],
        "city": [0.0, 1.0, 2.0, np.nan],
        "rooms": [0.0, 1.0, 2.0, 3.0],
        "price": [0.0, 0.25, 0.5, 0.75, 1.0, np.nan],
    }
    rows = np.array(list(itertools.product(*(values[name] for name in schema.names))))
    return Dataset(rows, schema, "every", incomplete=bool(np.isnan(rows).any()))


def line(breaks, low, high):
    """Places on a line and their weights, by Gauss-Legendre between breaks and far into both tails."""
    span = breaks.max() - breaks.min() + 1.0
    ends = [low, breaks.min() - span * np.geomspace(1e5, 1e-3, 90)][not math.isfinite(low)]
    tops = [high, breaks.max() + span * np.geomspace(1e-3, 1e5, 90)][not math.isfinite(high)]
    ends = np.unique(np.concatenate([np.atleast_1d(ends), breaks, np.atleast_1d(tops)]))
    node, weight = np.polynomial.legendre.leggauss(8)
    half = np.diff(ends)[:, None] / 2.0
    return (ends[:-1, None] + half * (1.0 + node)).ravel(), (half * weight).ravel()


def test_probabilities_of_all_rows_sum_to_one(fitted, family):
    assert np.exp(fitted(family, "counted").score_samples(every())).sum() == pytest.approx(1.0, abs=1e-5)


def test_probabilities_and_integrals_sum_to_one(fitted, family):
    model = fitted(family, "measured")
    breaks = model.breakpoints()
    loss, by_loss = line(breaks[0], -math.inf, math.inf)
    loss, by_loss = np.concatenate([loss, [0.0, np.nan]]), np.concatenate([by_loss, [1.0, 1.0]])
    # Integration places on an atom would have its mass; there are none.
    assert (loss[:-2] != 0.0).all()
    share, by_share = line(breaks[2], 0.0, 2.0)
    X = np.stack(np.meshgrid(loss, [0.0, 1.0], share, indexing="ij"), -1).reshape(-1, 3)
    weight = (by_loss[:, None, None] * np.ones((1, 2, 1)) * by_share).ravel()
    scores = model.score_samples(Dataset(X, MEASURED, incomplete=True))
    assert np.exp(scores) @ weight == pytest.approx(1.0, abs=1e-4)


def test_probabilities_of_unbounded_counts_sum_to_one(fitted, family):
    model = fitted(family, "unbounded")
    visits, day = np.arange(-400.0, 700.0), np.append(np.arange(17_000.0, 26_000.0, 1.0), np.nan)
    # Days and visits one after the other: a table of both would have ten million rows.
    for late in (0.0, 1.0):
        if not isinstance(model, AnsweringEstimator):
            pytest.skip("its marginals are not known")
        part = model.marginal(["visits", "late"])
        rows = Dataset(np.column_stack([visits, np.full(len(visits), late)]), Schema(UNBOUNDED.columns[::2]))
        given = model.conditional({"late": bool(late), "visits": 7})
        days = Dataset(day[:, None], Schema(UNBOUNDED.columns[1:2]), incomplete=True)
        assert np.exp(given.score_samples(days)).sum() == pytest.approx(1.0, abs=1e-5)
        chance = model.marginal(["late"]).score_samples(Dataset(np.array([[late]]), Schema(UNBOUNDED.columns[2:])))
        assert np.exp(part.score_samples(rows)).sum() == pytest.approx(np.exp(chance[0]), abs=1e-5)


def test_draws_come_as_often_as_they_are_likely(fitted, family):
    model, rows = fitted(family, "counted"), every()
    drawn = model._draw(20_000, np.random.RandomState(0))
    assert chi_square(rows.X, np.exp(model.score_samples(rows)), drawn) > FALSE_ALARM
    drawn[:, 2] = np.minimum(drawn[:, 2] + (RNG.random(len(drawn)) < 0.2), 3)
    assert chi_square(rows.X, np.exp(model.score_samples(rows)), drawn) < FALSE_ALARM


def chi_square(rows, chances, drawn):
    """P-value of the test that rows are drawn as often as they are likely; rare rows count as one."""
    places = {tuple(row): i for i, row in enumerate(np.nan_to_num(rows, nan=-9.0).tolist())}
    seen = np.bincount([places[tuple(row)] for row in np.nan_to_num(drawn, nan=-9.0).tolist()], minlength=len(rows))
    often = chances * len(drawn) >= 5
    expected = np.append(chances[often], 1.0 - chances[often].sum()) * len(drawn)
    seen = np.append(seen[often], seen[~often].sum())
    expected[-1] = max(expected[-1], 1.0)
    return stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1)


def test_draws_lie_where_they_may(fitted, family):
    for name, make in list(MAKERS.items())[1:]:
        drawn = fitted(family, name).sample(2_000, random_state=1)
        assert np.isfinite(fitted(family, name).score_samples(Dataset(drawn, make(20).schema, incomplete=True))).all()


def test_saved_density_comes_back_to_the_bit(fitted, family, tmp_path):
    for name, make in MAKERS.items():
        model = fitted(family, name)
        model.save(tmp_path / name)
        read = landmass.load(tmp_path / name)
        np.testing.assert_array_equal(read.score_samples(make(50, seed=1)), model.score_samples(make(50, seed=1)))
        # A file does not remember the container.
        assert read.sample(5, random_state=3).column_names == make(20).schema.names


def test_independent_columns_are_beaten_where_columns_depend_on_each_other(fitted, family):
    if family == "independent":
        pytest.skip("it is the one to beat")
    held_out = measured(2_000, seed=5)
    gain = fitted(family, "measured").score_samples(held_out) - fitted("independent", "measured").score_samples(
        held_out
    )
    assert gain.mean() > 5.0 * gain.std() / math.sqrt(len(gain))


def test_same_seed_same_fit(fitted, family):
    again = fresh(family).fit(measured(500))
    np.testing.assert_array_equal(
        again.score_samples(measured(100, 1)), fitted(family, "measured").score_samples(measured(100, 1))
    )


def test_change_of_units_shifts_a_refit_by_the_constant(fitted, family):
    """Of `n` measured cells the density falls by n · log(scale); counted cells keep theirs."""

    def rescaled(data):
        X = data.X * [scale, 1.0, scale]
        columns = (
            Real(name="loss", atoms=(0.0,), nullable=True),
            MEASURED.columns[1],
            landmass.Bounded(name="share", low=0.0, high=2.0 * scale),
        )
        return Dataset(X, Schema(columns), incomplete=True)

    scale, held_out = 24.0, measured(300, seed=3)
    before = fitted(family, "measured").score_samples(held_out)
    after = fresh(family).fit(rescaled(measured(500))).score_samples(rescaled(held_out))
    lengths = 1 + (np.nan_to_num(held_out.X[:, 0]) != 0.0)
    np.testing.assert_allclose(after + lengths * math.log(scale), before, atol=2e-4)


def test_summed_out_cells_are_the_sum_over_all_that_they_may_hold(fitted, answering):
    model, rows = fitted(answering, "counted"), every()
    chances = np.exp(model.score_samples(rows))
    for names in (["member"], ["city", "price"], ["price", "member", "rooms"]):
        places = [COUNTED.names.index(name) for name in names]
        schema = Schema(tuple(COUNTED.columns[place] for place in places))
        few = every(schema)
        told = np.exp(model.marginal(names).score_samples(few))
        for row, found in zip(few.X, told, strict=True):
            same = np.all((rows.X[:, places] == row) | (np.isnan(rows.X[:, places]) & np.isnan(row)), axis=1)
            assert found == pytest.approx(chances[same].sum(), abs=1e-6)


def test_chain_rule_holds(fitted, answering):
    model, held_out = fitted(answering, "measured"), measured(40, seed=2)
    whole = model.score_samples(held_out)
    for place, name in enumerate(MEASURED.names):
        others = [i for i in range(3) if i != place]
        rest = Schema(tuple(MEASURED.columns[i] for i in others))
        own = Schema((MEASURED.columns[place],))
        first = model.marginal([name]).score_samples(Dataset(held_out.X[:, [place]], own, incomplete=True))
        for row, alone, together in zip(held_out.X, first, whole, strict=True):
            held = None if np.isnan(row[place]) else [row[place], ["a", "b"][int(row[1])], row[place]][place]
            after = model.conditional({name: held}).score_samples(Dataset(row[None, others], rest, incomplete=True))
            assert alone + after[0] == pytest.approx(together, abs=1e-4)


def test_conditional_draws_agree_with_enumeration(fitted, answering):
    model, rows = fitted(answering, "counted"), every()
    given = {"city": "Oslo", "price": None}
    drawn = model.conditional(given).sample(8_000, random_state=0)
    assert (drawn[:, 1] == 1.0).all()
    assert np.isnan(drawn[:, 3]).all()
    chances = np.exp(model.score_samples(rows)) * ((rows.X[:, 1] == 1.0) & np.isnan(rows.X[:, 3]))
    assert chi_square(rows.X, chances / chances.sum(), drawn) > FALSE_ALARM


def test_imputed_cells_are_drawn_given_the_others_and_are_not_empty(fitted, answering):
    model, rows = fitted(answering, "counted"), every()
    holes = np.tile([1.0, np.nan, 2.0, np.nan], (8_000, 1))
    drawn = model.impute(holes, random_state=0)[0]
    assert not np.isnan(drawn).any()
    assert (drawn[:, [0, 2]] == [1.0, 2.0]).all()
    fits = (rows.X[:, 0] == 1.0) & (rows.X[:, 2] == 2.0) & ~np.isnan(rows.X).any(1)
    chances = np.exp(model.score_samples(rows)) * fits
    assert chi_square(rows.X, chances / chances.sum(), drawn) > FALSE_ALARM


def test_levels_have_the_probabilities_that_bayes_gives_them(fitted, answering):
    model, rows = fitted(answering, "counted"), counted(30, seed=9)
    found = model.predict_proba(rows, "city")
    each = []
    for level in range(3):
        X = rows.X.copy()
        X[:, 1] = level
        each.append(np.exp(model.score_samples(Dataset(X, COUNTED, incomplete=True))))
    expected = np.column_stack(each) / np.sum(each, axis=0)[:, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(rows, "member").sum(1), 1.0)


def test_expectation_is_that_of_enumeration(fitted, answering):
    model, rows = fitted(answering, "counted"), every()
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


def test_rounded_values_cannot_be_used_for_spikes(family):
    """However fine the cells, no row of counted columns is likelier than certain."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"price": rng.normal(5.0, 1.0, 600).round(1), "half": rng.choice([0.5, 1.0, 7.0], 600)})
    if family == "stack":
        pytest.skip("its parts are asked")
    assert fresh(family).set_params(cells=1000).fit(table).score_samples(table).max() <= 0.0


def test_repeated_values_of_a_continuous_column_have_a_probability_of_their_own(family):
    rng = np.random.default_rng(0)
    capped = np.minimum(rng.lognormal(0.0, 1.0, 800), 2.0)
    data = landmass.read(pd.DataFrame({"x": capped, "y": rng.normal(size=800)}), find=True)
    assert data.schema.columns[0].atoms == (2.0,)
    held_out = pd.DataFrame({"x": [2.0, 1.999], "y": [0.0, 0.0]})
    at_cap, below = fresh(family).fit(data).score_samples(held_out)
    # A probability of about a quarter, times a density of y.
    assert math.log(0.15) < at_cap - stats.norm.logpdf(0.0) < math.log(0.4)
    assert below != at_cap


def test_columns_are_found_by_name_in_any_order(fitted, family):
    model = fitted(family, "counted")
    table = pd.DataFrame(
        {"price": [0.5, None], "city": [None, "Rome"], "more": [1, 2], "rooms": [1, 2], "member": [True, False]}
    )
    expected = model.score_samples(
        Dataset(np.array([[1.0, np.nan, 1.0, 0.5], [0.0, 2.0, 2.0, np.nan]]), COUNTED, incomplete=True)
    )
    np.testing.assert_array_equal(model.score_samples(table), expected)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"city": "Paris"}, "column 'city' holds 'Paris' .row 1, counted from 0; 1 such cells., which is not among"),
        ({"rooms": 1.5}, "column 'rooms' holds 1.5 .row 1, counted from 0., which is not a multiple of 1"),
        ({"member": None}, "column 'member' has an empty cell .row 1"),
        ({"rooms": "two"}, "column 'rooms' is of numbers, and here it holds words"),
    ],
)
def test_cells_that_cannot_be_are_named(fitted, family, change, told):
    rows = [{"member": True, "city": "Bonn", "rooms": 1, "price": 0.5}] * 2
    with pytest.raises(DataError, match=told):
        fitted(family, "counted").score_samples(pd.DataFrame([rows[0], {**rows[1], **change}]))


def test_missing_columns_are_named(fitted, family):
    with pytest.raises(DataError, match="the columns 'rooms' are missing"):
        fitted(family, "counted").score_samples(pd.DataFrame({"member": [True], "city": ["Bonn"], "price": [0.5]}))


def test_rows_outside_of_the_bounds_have_density_zero(fitted, family):
    outside = Dataset(np.array([[1.0, 0.0, 9.0, 0.5], [1.0, 0.0, 1.0, 0.5]]), COUNTED)
    scores = fitted(family, "counted").score_samples(outside)
    assert np.isneginf(scores).tolist() == [True, False]


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
def test_questions_that_make_no_sense_are_refused(fitted, answering, ask, told):
    with pytest.raises(DataError, match=told):
        ask(fitted(answering, "counted"))


def test_counts_of_draws_below_one_are_refused(fitted, answering):
    model = fitted(answering, "counted")
    for ask in (lambda: model.impute(counted(5), 0), lambda: model.conditional({"rooms": 1}).sample(0)):
        with pytest.raises(SettingError, match="must be at least 1, got 0"):
            ask()


def test_families_of_numbers_say_that_a_table_is_not_for_them():
    with pytest.raises(DataError, match="column 'member' of counted is boolean; fit a family of tables"):
        landmass.Gaussian().fit(counted(50))
