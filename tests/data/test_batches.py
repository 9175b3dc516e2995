"""Splits: shares kept, copies together, the same for the same seed."""

import numpy as np
import pytest

from landmass import DataError, Dataset, Schema
from landmass.data.batches import split, split_rows


def data_of(X):
    return Dataset(np.asarray(X, float).reshape(len(X), -1), Schema.real(["x"]))


DISTINCT = data_of(np.random.default_rng(0).standard_normal(1000))


def test_every_row_is_in_exactly_one_part():
    parts = split(DISTINCT, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1000))


@pytest.mark.parametrize("validation, test", [(0.1, 0.1), (0.1, 0.0), (0.25, 0.5), (0.0, 0.3)])
def test_parts_have_the_shares_asked_for(validation, test):
    parts = split(DISTINCT, 0, validation=validation, test=test)
    shares = 1 - validation - test, validation, test
    np.testing.assert_allclose([len(part) for part in parts], 1000 * np.array(shares), atol=1)


def test_copies_of_an_event_stay_on_one_side():
    X = np.random.default_rng(1).integers(0, 60, 1000)
    parts = split(data_of(X), 0)
    seen = [set(X[rows]) for rows in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    np.testing.assert_allclose([len(part) for part in parts], [800, 100, 100], atol=40)


def test_same_seed_same_split_and_another_seed_another():
    first, again, other = (split(DISTINCT, seed).test.tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_split_does_not_follow_the_order_of_the_rows():
    # The mean row number of 100 random rows of 1000 has standard deviation 27; the alarm is at five of them.
    assert abs(split(DISTINCT, 0).test.mean() - 499.5) < 5 * 27


@pytest.mark.parametrize("X", [[1, 1, 1, 1], [1, 2], [1] * 99 + [2]])
def test_too_few_distinct_events_are_an_error_that_counts_them(X):
    with pytest.raises(DataError, match=rf"{len(X)} rows with {len(set(X))} distinct events leave none for the"):
        split(data_of(X), 0)


def test_few_events_still_fill_every_part():
    for n in (10, 11, 15, 20):
        assert min(len(part) for part in split(data_of(np.arange(n)), 0)) >= 1


def test_every_class_has_an_event_to_learn_from_with_all_its_copies():
    event = np.append(np.arange(97), [96, 95, 94])
    classes = np.zeros(100, int)
    classes[[3, 50, 94, 99]] = [1, 2, 3, 3]
    for seed in range(30):
        plain, parts = (split_rows(event, seed, 0.1, 0.1, classes=each) for each in (None, classes))
        assert set(classes[parts.train]) == {0, 1, 2, 3}
        assert sorted(np.concatenate(parts)) == list(range(100))
        assert not set(event[parts.train]) & set(event[np.concatenate(parts[1:])])
        assert [len(part) for part in parts] == pytest.approx([80, 10, 10], abs=2)
        if set(classes[plain.train]) == {0, 1, 2, 3}:
            np.testing.assert_array_equal(parts.test, plain.test)
