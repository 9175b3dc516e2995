"""Stack: the mixture of its parts, at the weights that held-out events choose."""

import json

import numpy as np
import pytest
from scipy.special import logsumexp

from landmass import Gaussian, GaussianMixture, SettingError, Stack, StoreError, UniformBox, load
from landmass.data.batches import split
from landmass.train.weights import stack_weights
from tests.models.cases import data


def test_density_is_the_mixture_of_the_parts(fitted):
    model, X = fitted("stack", "plane"), data("plane", n=300, seed=1).X
    each = np.column_stack([part.score_samples(X) for part in model.parts_.values()])
    expected = logsumexp(each, b=model.parameters_["weights"], axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-12)


def test_weights_are_chosen_by_parts_that_did_not_see_the_validation_part(fitted):
    events = data("plane")
    train, held_out = (events.take(rows) for rows in split(events, 0, test=0.0)[:2])
    scores = [part.fit_parts(train, held_out).score_samples(held_out) for part in (UniformBox(), Gaussian())]
    stack = Stack(estimators={"box": UniformBox(), "gaussian": Gaussian()}, random_state=0).fit(events)
    np.testing.assert_allclose(stack.parameters_["weights"], stack_weights(np.column_stack(scores)))
    assert stack.parameters_["weights"].sum() == pytest.approx(1.0)


def test_parts_learn_from_all_events_in_the_end(fitted):
    parts, alone = fitted("stack", "plane").parts_, fitted("uniform_box", "plane")
    np.testing.assert_allclose(parts["uniform_box"].parameters_["low"], alone.parameters_["low"])


def test_parameters_are_those_of_the_parts_and_the_free_weights(fitted):
    model = fitted("stack", "plane")
    assert model.n_parameters_ == 1 + sum(part.n_parameters_ for part in model.parts_.values())


def test_part_of_full_weight_answers_alone():
    events = data("plane")
    parts = {"box": UniformBox().fit(events), "gaussian": Gaussian().fit(events)}
    chosen_on = data("plane", n=2000, seed=2)
    stack = Stack.of(parts, {name: part.score_samples(chosen_on) for name, part in parts.items()})
    assert stack.weights_[1] > 0.7
    held_out = data("plane", n=2000, seed=3)
    # The weak prior costs next to nothing.
    assert stack.score(held_out) > parts["gaussian"].score(held_out) - 0.01


def test_stack_of_nothing_is_refused():
    with pytest.raises(SettingError, match="needs parts whose likelihood is exact; there are none"):
        Stack(estimators={}).fit(data("plane"))


def test_parts_given_are_not_fitted_in_place():
    parts = {"box": UniformBox(), "gaussian": Gaussian()}
    Stack(estimators=parts, random_state=0).fit(data("plane"))
    assert not hasattr(parts["box"], "data_")


def test_saved_stack_holds_its_parts(fitted, tmp_path):
    fitted("stack", "plane").save(tmp_path / "stack")
    assert sorted(path.name for path in (tmp_path / "stack" / "parts").iterdir()) == ["gaussian_mixture", "uniform_box"]
    assert list(load(tmp_path / "stack").parts_) == ["uniform_box", "gaussian_mixture"]


@pytest.mark.parametrize("weights", [{"../box": 1.0}, {}, {"uniform_box": 0.3}, {"a": 1.5, "b": -0.5}], ids=str)
def test_weights_that_are_none_are_not_loaded(fitted, tmp_path, weights):
    fitted("stack", "plane").save(tmp_path / "stack")
    path = tmp_path / "stack" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model": {"weights": weights}}))
    with pytest.raises(StoreError, match="are not those of a stack"):
        load(tmp_path / "stack")


def test_seed_of_the_stack_reaches_parts_without_their_own():
    parts = {"box": UniformBox(), "mixture": GaussianMixture(n_components=2), "own": GaussianMixture(random_state=7)}
    stack = Stack(estimators=parts, random_state=3)
    stack.fit(data("plane", n=200))
    assert stack.parts_["mixture"].random_state == 3
    assert stack.parts_["own"].random_state == 7
    assert parts["mixture"].random_state is None
