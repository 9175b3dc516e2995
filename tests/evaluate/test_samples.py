"""Synthetic rows, judged as a whole: what each part says stands in one table."""

import numpy as np
import pandas as pd
import pytest

import landmass
from landmass.evaluate import boosted, coverage, distances, judge, memorisation, train_on_synthetic, two_sample

RNG = np.random.default_rng(0)
N = 300


def rows(n=N):
    age = RNG.integers(18, 90, n)
    city = np.where(RNG.random(n) < age / 100.0, "Bonn", "Rome").astype(object)
    city[RNG.random(n) < 0.1] = None
    return pd.DataFrame({"age": age, "city": city, "length": RNG.normal(size=n)})


TRAIN, TEST, DRAWN = rows(), rows(), rows(200)


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosted, "RANKING", {**boosted.RANKING, "max_iter": 20})
        yield


@pytest.fixture(scope="module")
def judged():
    return judge(TRAIN, TEST, DRAWN, target="city")


def test_parts_are_what_each_function_says(judged):
    assert judged.rows == (N, N, 200)
    assert judged.compared == 200
    np.testing.assert_array_equal(judged.synthetic.distances.columns, distances(TEST, DRAWN).columns)
    assert judged.synthetic.two_sample == two_sample(TEST, DRAWN)
    assert judged.synthetic.coverage == coverage(TEST, DRAWN)
    assert judged.utility == train_on_synthetic(TRAIN, DRAWN, TEST, "city")
    assert judged.memorisation == memorisation(TRAIN, TEST, DRAWN)


def test_samples_stand_beside_as_many_training_rows(judged):
    lines = str(judged).splitlines()
    assert "200 synthetic rows" in lines[0]
    assert "as many training rows" in lines[0]
    columns = [line.split("  ")[0].strip() for line in lines[1:] if line]
    assert columns[0] == "distance of a column, mean"
    assert "told apart by trees, AUC" in columns
    assert "accuracy of city, learned" in columns
    assert str(judged.memorisation) == lines[-1]


def test_judgement_never_calls_samples_private(judged):
    assert "privat" not in str(judged).lower()
    assert "privacy" not in str(judged).lower()


def test_a_fitted_model_is_judged_by_its_samples_and_its_density():
    people = landmass.read(TRAIN, find=True)
    model = landmass.Independent(random_state=0).fit(people)
    found = judge(TRAIN, TEST, model.sample(200, random_state=0), density=model)
    assert found.utility is None
    assert found.memorisation.by_density.area.value == pytest.approx(0.5, abs=0.15)


def test_one_column_of_an_array_is_judged():
    found = judge(RNG.normal(size=(60, 1)), RNG.normal(size=(60, 1)), RNG.normal(size=(60, 1)) + 3.0)
    assert found.synthetic.distances.columns[0] > 0.7 > found.train.distances.columns[0]
    assert "pair" not in str(found)
