"""Space: there and back, with the Jacobian that closed forms and finite differences give."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from landmass.core.distributions import Columnwise
from landmass.data.schema import Bounded, Circular, Positive, Real, Schema
from landmass.data.space import EVERY_BOUND, Space
from landmass.errors import DataError

N = 200
COLUMNS = {
    "real": Real(name="v"),
    "positive": Positive(name="v"),
    "bounded": Bounded(name="v", low=-3.0, high=7.0),
    "circular": Circular(name="v", low=-180.0, high=180.0),
}


def values(kind):
    rng = np.random.default_rng(0)
    return {
        "real": rng.normal(50.0, 4.0, N),
        "positive": rng.lognormal(1.0, 0.8, N),
        "bounded": rng.uniform(-3.0, 7.0, N),
        "circular": rng.uniform(-180.0, 180.0, N),
    }[kind]


def fitted(kind, onto_line, X=None):
    X = values(kind)[:, None] if X is None else X
    return Space.fit(Schema((COLUMNS[kind],)), X, EVERY_BOUND if onto_line else ()), X


def both_modes():
    return pytest.mark.parametrize("onto_line", [False, True], ids=["natural", "onto line"])


def every_kind():
    return pytest.mark.parametrize("kind", COLUMNS)


def closed_form(kind, onto_line, x):
    """The map and its log-slope, written out."""
    column = COLUMNS[kind]
    if kind == "real":
        return (x - x.mean()) / x.std(), np.full(N, -np.log(x.std()))
    if kind == "positive":
        if not onto_line:
            return x / x.std(), np.full(N, -np.log(x.std()))
        log_x = np.log(x)
        return (log_x - log_x.mean()) / log_x.std(), -log_x - np.log(log_x.std())
    width = column.high - column.low
    share = (x - column.low) / width
    if not onto_line:
        return share, np.full(N, -np.log(width))
    return stats.norm.ppf(share), -stats.norm.logpdf(stats.norm.ppf(share)) - np.log(width)


@every_kind()
@both_modes()
def test_map_and_log_jacobian_are_the_closed_form(kind, onto_line):
    space, X = fitted(kind, onto_line)
    Z, log_det = space.forward(X)
    z, log_slope = closed_form(kind, onto_line, X[:, 0])
    np.testing.assert_allclose(Z[:, 0], z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_det, log_slope, rtol=1e-10, atol=1e-10)


@every_kind()
@both_modes()
def test_log_jacobian_is_that_of_finite_differences(kind, onto_line):
    space, X = fitted(kind, onto_line)
    # Away from the ends, where a step would leave the sample space or cross the circle's seam.
    X = np.quantile(X, np.linspace(0.1, 0.9, 20))[:, None]
    step = 2e-3 * X.std()
    above, below = (space.forward(X + sign * step)[0].astype(np.float64) for sign in (1, -1))
    slope = (above - below)[:, 0] / (2 * step)
    np.testing.assert_allclose(np.exp(space.forward(X)[1]), slope, rtol=2e-3)


@every_kind()
@both_modes()
def test_there_and_back_is_where_one_was(kind, onto_line):
    space, X = fitted(kind, onto_line)
    np.testing.assert_allclose(space.inverse(space.forward(X)[0]), X, rtol=1e-5, atol=1e-4)


def test_events_outside_have_no_density():
    for kind, outside in [("positive", [0.0, -1.0]), ("bounded", [-3.001, 7.001])]:
        for onto_line in (False, True):
            space, _ = fitted(kind, onto_line)
            Z, log_det = space.forward(np.array(outside)[:, None])
            assert np.isneginf(log_det).all()
            assert np.isfinite(Z).all()


@both_modes()
def test_bounds_themselves_belong_to_the_space(onto_line):
    space, _ = fitted("bounded", onto_line)
    Z, log_det = space.forward(np.array([[-3.0], [7.0]]))
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(space.inverse(Z)[:, 0], [-3.0, 7.0], atol=1e-6)


@both_modes()
def test_both_ends_of_a_circle_are_one_place(onto_line):
    space, _ = fitted("circular", onto_line)
    X = np.array([[-180.0], [180.0], [540.0], [10.0], [370.0]])
    Z, log_det = space.forward(X)
    assert Z[0] == Z[1] == Z[2]
    np.testing.assert_allclose(Z[3], Z[4], rtol=1e-5)
    assert np.isfinite(log_det).all()
    assert (np.abs(space.inverse(Z)) <= 180.0).all()


def test_probit_makes_the_uniform_density_a_normal_one():
    space, X = fitted("bounded", True, np.random.default_rng(1).uniform(-3, 7, 5000)[:, None])
    assert stats.kstest(space.forward(X)[0][:, 0], "norm").pvalue > 1e-6


@every_kind()
@both_modes()
def test_change_of_units_shifts_the_log_jacobian_by_the_exact_constant(kind, onto_line):
    space, X = fitted(kind, onto_line)
    column = COLUMNS[kind]
    ends = {} if kind in ("real", "positive") else {"low": column.low * 1000, "high": column.high * 1000}
    in_metres = Space.fit(Schema((type(column)(name="v", **ends),)), 1000 * X, EVERY_BOUND if onto_line else ())
    (Z, log_det), (Z_metres, log_det_metres) = space.forward(X), in_metres.forward(1000 * X)
    np.testing.assert_allclose(log_det_metres, log_det - np.log(1000), atol=1e-9)
    np.testing.assert_allclose(Z_metres, Z, atol=1e-5)


def mixed():
    schema = Schema(
        tuple(
            type(c)(name=k, **({} if k in ("real", "positive") else {"low": c.low, "high": c.high}))
            for k, c in COLUMNS.items()
        )
    )
    return schema, np.column_stack([values(kind) for kind in COLUMNS])


@both_modes()
def test_log_jacobian_of_an_event_is_the_sum_over_its_columns(onto_line):
    schema, X = mixed()
    together = Space.fit(schema, X, EVERY_BOUND if onto_line else ()).forward(X)[1]
    apart = sum(fitted(kind, onto_line)[0].forward(X[:, [i]])[1] for i, kind in enumerate(COLUMNS))
    np.testing.assert_allclose(together, apart, atol=1e-10)


@pytest.mark.parametrize(
    "wrong", [{"loc": (0.0,)}, {"scale": (1.0, 0.0, 1.0, 1.0)}, {"seen_low": (-1e300, 0.0, 0.0, 0.0)}]
)
def test_space_that_was_not_fitted_is_told_by_its_numbers(wrong):
    schema, X = mixed()
    space = Space.fit(schema, X)
    assert space.complete
    assert not msgspec.structs.replace(space, **wrong).complete


def test_space_tells_its_ends():
    schema, X = mixed()
    space = Space.fit(schema, X)
    np.testing.assert_array_equal(space.on_line, [True, False, False, False])
    np.testing.assert_array_equal(space.periodic, [False, False, False, True])
    low, high = space.support
    np.testing.assert_array_equal(low, [-np.inf, 0, 0, 0])
    np.testing.assert_array_equal(high, [np.inf, np.inf, 1, 1])
    assert Space.fit(schema, X, EVERY_BOUND).on_line.all()
    assert not Space.fit(schema, X, EVERY_BOUND).periodic.any()


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_box_is_uniform_on_declared_bounds_and_on_the_widened_range(margin):
    schema, X = mixed()
    space = Space.fit(schema, X)
    box = space.box(margin)
    assert isinstance(box, Columnwise)
    corners = space.inverse(np.stack([box.low, box.high]))
    width = np.ptp(X, axis=0)
    low, high = X.min(0) - margin * width, X.max(0) + margin * width
    np.testing.assert_allclose(corners[:, 0], [low[0], high[0]], rtol=1e-5)
    np.testing.assert_allclose(corners[:, 1], [max(low[1], 0.0), high[1]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(corners[:, 2], [-3.0, 7.0], rtol=1e-5)


def test_column_without_usable_spread_is_named():
    X = np.array([[0.0], [1e200]])
    with pytest.raises(DataError, match="column 'v' has no usable spread"), np.errstate(over="ignore"):
        Space.fit(Schema((COLUMNS["real"],)), X)


def test_distant_values_keep_their_digits():
    # 1e9 and 1e9 + 1 are one float32; they must not be one coordinate.
    X = 1e9 + np.arange(10.0)[:, None]
    space, _ = fitted("real", False, X)
    np.testing.assert_allclose(space.inverse(space.forward(X)[0]), X, atol=1e-4)


@both_modes()
@every_kind()
def test_no_event_is_too_far_for_single_precision(kind, onto_line):
    # Of so small a scale that a value over it is no number in double precision either.
    X = np.array([[2.0], [3.0]]) if kind in ("bounded", "circular") else np.array([[1.0], [1.0 + 1e-12]])
    space, _ = fitted(kind, onto_line, X)
    Z, log_det = space.forward(np.array([[1.7e308], [1e300], [-1e300], [-1.7e308], [1e3]]))
    assert np.isfinite(Z).all()
    assert not np.isnan(log_det).any()
    again, _ = space.forward(X)
    assert (np.abs(again) < 7.0).all() or kind == "positive"
