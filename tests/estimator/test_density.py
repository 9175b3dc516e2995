"""The estimator's face: columns are found again, containers kept, floors and splits as promised."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import landmass
from landmass import Bounded, DataError, Dataset, Gaussian, Histogram, Schema, UniformBox
from landmass.estimator.base import require

X = np.random.default_rng(0).standard_normal((100, 2)) * [1.0, 5.0]
FRAME = pd.DataFrame(X, columns=["a", "b"])


@pytest.fixture(scope="module")
def named():
    return Gaussian().fit(FRAME)


@pytest.fixture(scope="module")
def expected():
    return stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FRAME,
        lambda: FRAME[["b", "a"]],
        lambda: FRAME.assign(c=1.0),
        lambda: pl.DataFrame({"b": X[:, 1], "a": X[:, 0]}),
        lambda: pa.table({"a": X[:, 0], "b": X[:, 1]}),
        lambda: X,
    ],
    ids=["same", "reordered", "more columns", "polars", "Arrow", "array"],
)
def test_columns_are_found_by_name_in_a_table_and_by_place_in_an_array(named, expected, make):
    np.testing.assert_allclose(named.score_samples(make()), expected, rtol=1e-4, atol=1e-4)


def test_table_is_scored_by_name_after_a_fit_to_an_array():
    model = Gaussian().fit(X)
    with pytest.raises(DataError, match="is expecting 2 features as input"):
        model.score_samples(FRAME)
    assert np.isfinite(model.score_samples(FRAME.rename(columns={"a": "x1", "b": "x2"}))).all()


@pytest.mark.parametrize("make", [lambda: X[:, :1], lambda: np.hstack([X, X])], ids=["fewer", "more"])
def test_other_number_of_columns_is_refused_in_scikit_learns_words(named, make):
    with pytest.raises(
        DataError, match=r"X has \d features, but Gaussian is expecting 2 features as input \('a', 'b'\)"
    ):
        named.score_samples(make())


def test_missing_column_is_refused(named):
    with pytest.raises(DataError, match="expecting 2 features"):
        named.score_samples(FRAME[["a"]])


def test_score_in_the_fits_sample_space():
    schema = Schema((Bounded(name="x1", low=0, high=1),))
    model = UniformBox().fit(Dataset(np.array([[0.2], [0.7]]), schema))
    np.testing.assert_array_equal(model.score_samples(np.array([[0.1], [1.5], [-0.1]])), [0.0, -np.inf, -np.inf])


def test_nan_to_be_scored_is_an_error_and_not_density_zero(named):
    with pytest.raises(DataError, match="column 'x1' holds nan"):
        named.score_samples(np.array([[np.nan, 0.0], [1.0, 1.0]]))


def test_sample_defaults_to_one_event(named):
    assert named.sample().shape == (1, 2)


def test_samples_beyond_one_block_are_all_different(named):
    sample = named.sample(5000, random_state=0).to_numpy()
    assert len(np.unique(sample, axis=0)) == 5000


def test_generator_can_seed_a_sample(named):
    generator = np.random.RandomState(0)
    first, second = named.sample(3, random_state=generator), named.sample(3, random_state=generator)
    assert not first.equals(second)
    assert first.equals(named.sample(3, random_state=0))


def test_fitted_attributes_are_scikit_learns(named):
    assert named.n_features_in_ == 2
    assert named.n_parameters_ == 5


def test_settings_out_of_range_name_family_setting_value_and_need():
    with pytest.raises(landmass.SettingError, match=r"^UniformBox: margin must be at least 0, got -1.0$"):
        require(UniformBox(margin=-1.0), "margin", False, "at least 0")


def test_random_state_none_draws_another_split_each_time():
    first, second = (Histogram(n_cells=4).fit(X).score_samples(X) for _ in range(2))
    assert not np.array_equal(first, second)


def test_floor_keeps_unseen_events_possible():
    model = Histogram(n_cells=16, random_state=0).fit(X)
    inside = np.array([[X[:, 0].min(), X[:, 1].max()], [X[:, 0].max(), X[:, 1].min()]])
    assert np.isfinite(model.score_samples(inside)).all()
