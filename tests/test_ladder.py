"""The ladder: several families on one split, one ledger, a stack, a folder."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import landmass
from landmass import (
    DataError,
    Gaussian,
    GaussianMixture,
    Histogram,
    Ladder,
    LandmassError,
    SettingError,
    Stack,
    StoreError,
    UniformBox,
)
from landmass.data.batches import split
from landmass.evaluate.ledger import prefer
from landmass.ladder.rungs import usual_of_tables

COMPILES = True

N = 1000
FAMILIES = ["uniform_box", Gaussian(), GaussianMixture(n_components=3)]


@pytest.fixture(scope="module")
def events():
    return landmass.read("mixture", n=N)


@pytest.fixture(scope="module")
def heard():
    """What the ladder below reported while it was fitted."""
    return []


@pytest.fixture(scope="module")
def ladder(events, heard):
    return Ladder(FAMILIES, random_state=1).fit(events, listen=heard.append)


def test_rungs_stand_in_the_order_given_with_the_stack_last(ladder):
    assert list(ladder.rungs_) == ["uniform_box", "gaussian", "gaussian_mixture", "stack"]
    assert [rung.family for rung in ladder.ledger_.rungs] == list(ladder.rungs_)
    assert ladder.last_ is ladder.rungs_["stack"]
    assert isinstance(ladder.last_, Stack)


def test_split_is_eight_one_one_and_drawn_from_the_seed(ladder, events):
    assert [len(part) for part in ladder.split_] == [800, 100, 100]
    for mine, again in zip(ladder.split_, split(events, 1), strict=True):
        np.testing.assert_array_equal(mine, again)
    assert ladder.ledger_.n == {"train": 800, "validation": 100, "test": 100}


def test_rung_learns_from_all_events_but_the_test_part(ladder, events):
    seen = events.X[np.concatenate([ladder.split_.train, ladder.split_.validation])]
    np.testing.assert_allclose(ladder.rungs_["gaussian"].parameters_["mean"], seen.mean(0), atol=1e-4)


def test_ledger_holds_means_and_errors_on_the_test_part(ladder, events):
    test = events.X[ladder.split_.test]
    for rung in ladder.ledger_.rungs:
        scores = ladder.rungs_[rung.family].score_samples(test)
        assert rung.n == 100
        assert rung.zero_density == np.isneginf(scores).sum()
        if rung.zero_density == 0:
            assert rung.nats == pytest.approx(scores.mean())
            assert rung.se == pytest.approx(scores.std(ddof=1) / 10)
        assert rung.parameters == ladder.rungs_[rung.family].n_parameters_
        assert rung.seconds > 0
        assert rung.label == "exact"


def test_gains_are_paired_over_the_rung_below(ladder, events):
    test = events.X[ladder.split_.test]
    richer, simpler = (ladder.rungs_[name].score_samples(test) for name in ("gaussian_mixture", "gaussian"))
    rung = ladder.ledger_.rung("gaussian_mixture")
    assert rung.gain == pytest.approx((richer - simpler).mean())
    assert rung.gain_se == pytest.approx((richer - simpler).std(ddof=1) / 10)
    assert ladder.ledger_.rung("uniform_box").gain is None


def test_ledger_knows_truth_unit_and_weights(ladder, events):
    ledger = ladder.ledger_
    assert ledger.true_entropy == events.truth.entropy
    assert ledger.unit == "unit of x1 · unit of x2"
    weights = [rung.weight for rung in ledger.rungs]
    assert weights[-1] is None
    assert sum(weights[:-1]) == pytest.approx(1.0)
    rung = ledger.rung("gaussian")
    assert ledger.gap(rung) == pytest.approx(-events.truth.entropy - rung.nats)


def test_rungs_rise_on_the_known_mixture_and_the_best_is_the_mixture(ladder):
    box, gaussian, mixture = (ladder.ledger_.rung(name) for name in list(ladder.rungs_)[:3])
    assert gaussian.nats < mixture.nats
    assert box.zero_density > 0 or box.nats < gaussian.nats
    assert ladder.best_ == ladder.ledger_.best == "gaussian_mixture"


def test_stack_answers_for_the_ladder_and_is_never_much_worse_than_the_best(ladder):
    held_out = landmass.read("mixture", n=2000, seed=9)
    np.testing.assert_array_equal(ladder.score_samples(held_out), ladder.last_.score_samples(held_out))
    assert ladder.score(held_out) == pytest.approx(ladder.score_samples(held_out).mean())
    assert ladder.score(held_out) > ladder.rungs_["gaussian_mixture"].score(held_out) - 0.01
    sample = ladder.sample(10, random_state=0)
    assert isinstance(sample, pa.Table)
    assert sample.equals(ladder.sample(10, random_state=0))


def test_every_rung_is_reported(heard):
    assert [r.family for r in heard if r.kind == "started"] == ["uniform_box", "gaussian", "gaussian_mixture"]
    assert [r.family for r in heard if r.kind == "finished"] == ["uniform_box", "gaussian", "gaussian_mixture", "stack"]


def test_table_is_the_ledger_in_arrow(ladder):
    table = ladder.table_
    assert isinstance(table, pa.Table)
    assert table["family"].to_pylist() == list(ladder.rungs_)
    rungs = ladder.ledger_.rungs
    assert table["nats"].to_pylist() == [rung.nats for rung in rungs]
    assert table["gap"].to_pylist() == [ladder.ledger_.gap(rung) for rung in rungs]


def test_repr_is_the_ledger_for_people(ladder):
    text = repr(ladder)
    lines = text.splitlines()
    assert len(lines) == 2 + 4
    assert lines[0].split()[:4] == ["rung", "nats", "an", "event"]
    assert f"{ladder.ledger_.rung('gaussian').nats:.4f} ± " in text
    assert "gaussian mixture" in text


def test_html_is_a_table_of_the_same_rows(ladder):
    html = ladder._repr_html_()
    assert html.startswith("<table>")
    assert html.count("<tr>") == 1 + 4
    assert "gaussian mixture" in html


def test_unfitted_ladder_shows_its_settings_and_answers_nothing():
    fresh = Ladder(["gaussian"], random_state=3)
    assert repr(fresh) == "Ladder(families=['gaussian'], random_state=3)"
    assert fresh._repr_html_().startswith("<pre>Ladder(families=[&#x27;gaussian&#x27;]")
    for ask in (lambda: fresh.score_samples(np.zeros((2, 2))), lambda: fresh.sample(3), lambda: fresh.save("never")):
        with pytest.raises(NotFittedError):
            ask()


def test_ladder_is_a_scikit_learn_estimator():
    fresh = Ladder(["gaussian"], random_state=3)
    assert clone(fresh).get_params() == fresh.get_params() == {"families": ["gaussian"], "random_state": 3}


def test_test_events_given_apart_are_not_trained_on(events):
    apart = landmass.read("mixture", n=300, seed=5)
    ladder = Ladder(FAMILIES[:2]).fit(events, test=apart.X)
    assert [len(part) for part in ladder.split_] == [900, 100, 0]
    assert ladder.ledger_.n == {"train": 900, "validation": 100, "test": 300}
    assert ladder.ledger_.rung("gaussian").nats == pytest.approx(ladder.rungs_["gaussian"].score(apart))


def test_test_events_of_other_columns_are_refused(events):
    with pytest.raises(DataError, match=r"the test events have columns \['x1'\], the others \['x1', 'x2'\]"):
        Ladder(FAMILIES[:2]).fit(events, test=np.zeros((5, 1)))


def test_failing_family_is_reported_and_the_rest_goes_on():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    dependent = np.column_stack([X, X[:, 0] + X[:, 1]])
    heard = []
    ladder = Ladder(["uniform_box", "gaussian", Histogram(n_cells=2)]).fit(dependent, listen=heard.append)
    assert list(ladder.rungs_) == ["uniform_box", "histogram", "stack"]
    assert "column 'x3' is a linear combination" in ladder.failed_["gaussian"]
    assert ladder.ledger_.failed == ladder.failed_
    assert [(r.family, r.message) for r in heard if r.kind == "failed"] == [("gaussian", ladder.failed_["gaussian"])]


def test_ladder_whose_families_all_fail_is_an_error_that_says_why():
    X = np.random.default_rng(0).standard_normal((300, 2))
    with pytest.raises(DataError, match="no family could be fitted: gaussian: column 'x3' is a linear combination"):
        Ladder(["gaussian"]).fit(np.column_stack([X, X[:, 0] + X[:, 1]]))


def test_only_rung_answers_alone(events):
    ladder = Ladder(["gaussian"]).fit(events)
    assert list(ladder.rungs_) == ["gaussian"]
    assert ladder.last_ is ladder.rungs_["gaussian"]
    assert ladder.best_ == "gaussian"


def test_two_rungs_of_one_family_get_two_names(events):
    ladder = Ladder([UniformBox(), UniformBox(margin=1.0)]).fit(events)
    assert list(ladder.rungs_) == ["uniform_box", "uniform_box_2", "stack"]


def test_estimators_given_are_not_fitted_in_place_and_get_the_ladders_seed(events):
    mine, seeded = Histogram(n_cells=4), Histogram(n_cells=4, random_state=5)
    ladder = Ladder([mine, seeded], random_state=7).fit(events)
    assert not hasattr(mine, "model_")
    assert [ladder.rungs_[name].random_state for name in ("histogram", "histogram_2")] == [7, 5]


@pytest.mark.parametrize("families", [[], ["stack"]])
def test_ladder_without_a_family_is_an_error(events, families):
    with pytest.raises(SettingError, match="a ladder needs at least one family; there are: uniform_box"):
        Ladder(families).fit(events)


def test_misspelt_family_is_found_before_anything_is_fitted(events):
    with pytest.raises(SettingError, match="did you mean 'gaussian'"):
        Ladder(["uniform_box", "gausian"]).fit(events, listen=lambda record: pytest.fail("something was fitted"))


def test_data_that_cannot_be_modelled_is_refused_at_once():
    with pytest.raises(LandmassError, match="column 'x2' is constant"):
        Ladder(["uniform_box"]).fit(np.column_stack([np.arange(50.0), np.ones(50)]))


def scores(mean, n=400):
    """Log-densities of one set of events whose paired differences have deviation 1 and the mean asked for."""
    noise = np.random.default_rng(0).standard_normal(n)
    return mean + (noise - noise.mean()) / noise.std(ddof=1)


def test_richer_rung_is_preferred_only_beyond_two_standard_errors():
    # The standard error of 400 differences of deviation 1 is 0.05.
    simple = np.zeros(400)
    assert prefer({"simple": simple, "rich": scores(0.101)}) == "rich"
    assert prefer({"simple": simple, "rich": scores(0.099)}) == "simple"
    assert prefer({"simple": simple, "rich": scores(0.05), "richer": scores(0.2)}) == "richer"
    assert prefer({"simple": simple, "rich": scores(0.2), "richer": scores(0.2) + 1e-9 * scores(0)}) == "rich"


def test_rung_that_excludes_an_event_is_never_preferred_and_always_left():
    hole = scores(9.0)
    hole[3] = -np.inf
    assert prefer({"simple": np.zeros(400), "hole": hole}) == "simple"
    assert prefer({"hole": hole, "rich": scores(-5.0)}) == "rich"


def test_event_of_density_zero_is_counted_and_not_averaged():
    rng = np.random.default_rng(0)
    ladder = Ladder([UniformBox(margin=0.0), "gaussian"]).fit(
        rng.uniform(0, 1, (200, 1)), test=np.array([[0.5], [7.0]])
    )
    box = ladder.ledger_.rung("uniform_box")
    assert (box.zero_density, box.nats, box.se, box.gain) == (1, None, None, None)
    assert ladder.ledger_.rung("gaussian").gain is None
    assert "-inf (1 of 2)" in repr(ladder)


@pytest.fixture(scope="module")
def saved(ladder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    ladder.save(path)
    return path


def test_saved_run_answers_to_the_same_bits(ladder, saved, events):
    loaded = landmass.load(saved)
    np.testing.assert_array_equal(loaded.score_samples(events), ladder.score_samples(events))
    assert loaded.ledger_ == ladder.ledger_
    assert (loaded.best_, loaded.failed_, list(loaded.rungs_)) == (ladder.best_, ladder.failed_, list(ladder.rungs_))
    for mine, again in zip(ladder.split_, loaded.split_, strict=True):
        np.testing.assert_array_equal(mine, again)
    assert repr(loaded) == repr(ladder)
    assert loaded.table_ == ladder.table_


def test_run_folder_holds_what_the_design_says(saved):
    assert {path.name for path in saved.iterdir()} == {"manifest.json", "split.json", "ledger.json", "rungs"}
    ledger = json.loads((saved / "ledger.json").read_text())
    assert ledger["schema_version"] == 1
    keys = {"family", "label", "nats", "se", "gain", "gain_se", "parameters", "seconds", "n", "zero_density"}
    keys |= {"weight", "measures"}
    assert set(ledger["rungs"][0]) == keys
    assert {path.name for path in (saved / "rungs" / "gaussian").iterdir()} >= {"manifest.json", "weights.safetensors"}


def test_saving_over_a_run_is_refused(ladder, saved):
    with pytest.raises(StoreError, match="exists already"):
        ladder.save(saved)


@pytest.mark.parametrize("rungs", [[], ["../../gaussian"], ["gaussian", "gone"]])
def test_manifest_that_names_other_rungs_is_not_loaded(ladder, tmp_path, rungs):
    ladder.save(tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rungs": rungs}))
    with pytest.raises(StoreError, match=r"are not names of rungs|cannot read"):
        landmass.load(tmp_path / "run")


@pytest.mark.parametrize("name", ["k=4", "../x", "stack"])
def test_names_that_no_folder_can_have_are_refused(events, name):
    with pytest.raises(SettingError, match="a rung cannot be called"):
        Ladder({name: Gaussian()}).fit(events)


def test_too_few_events_for_a_ladder_are_refused():
    with pytest.raises(DataError, match=r"10 events are too few for a ladder.*give at least 20"):
        landmass.Ladder(["uniform_box", "gaussian"]).fit(np.random.default_rng(0).standard_normal((10, 2)))


def test_repeated_values_are_told():
    rng = np.random.default_rng(0)
    events = np.column_stack([rng.poisson(3.0, 200), rng.standard_normal(200)])
    notes = landmass.Ladder(["uniform_box", "gaussian"]).fit(events).ledger_.notes
    assert len(notes) == 1
    assert "column 'x1' repeats its values" in notes[0]


def test_gain_is_over_the_best_rung_below():
    rng = np.random.default_rng(0)
    worse = landmass.Histogram(n_cells=500)
    ladder = landmass.Ladder(["gaussian", worse, landmass.KernelDensity(bandwidth=1.5)]).fit(
        rng.standard_normal((400, 1))
    )
    lines = {rung.family: rung for rung in ladder.ledger_.rungs}
    assert lines["histogram"].nats < lines["kernel_density"].nats < lines["gaussian"].nats
    expected = lines["kernel_density"].nats - lines["gaussian"].nats
    assert lines["kernel_density"].gain == pytest.approx(expected, abs=1e-12)


def test_ladder_that_is_given_its_events_back_has_the_fitted_ones_parts_and_scores(ladder, saved, events):
    loaded = landmass.load(saved).recall(events)
    for part in ("train_", "validation_", "test_"):
        np.testing.assert_array_equal(getattr(loaded, part).X, getattr(ladder, part).X)
    assert loaded.entropy_ == ladder.entropy_
    for name, scores in ladder.test_scores_.items():
        np.testing.assert_allclose(loaded.test_scores_[name], scores, rtol=1e-5, atol=1e-5)


def test_predictor_that_is_given_its_examples_back_knows_its_test_events(tmp_path):
    quick = landmass.NeuralClassifier(max_steps=4, hidden=2, random_state=0)
    examples, test = landmass.examples("visitors", n=60), landmass.examples("visitors", n=30, seed=1)
    fitted = Ladder([quick]).fit(examples, test=test)
    fitted.save(tmp_path / "run")
    loaded = landmass.load(tmp_path / "run").recall(examples, test=test)
    assert loaded.test_.answers.tolist() == fitted.test_.answers.tolist()
    with pytest.raises(DataError, match=r"test events were given apart; give test=…"):
        loaded.recall(examples)
    with pytest.raises(DataError, match="had 30 test events, and these are 60"):
        loaded.recall(examples, test=examples)
    with pytest.raises(DataError, match=r"no column 'subscribes'"):
        loaded.recall(landmass.read("moons", n=60), test=test)


def test_other_events_are_not_taken_for_a_ladders_own(saved, events):
    loaded = landmass.load(saved)
    with pytest.raises(DataError, match=r"as landmass\.read\(…\) reads them"):
        loaded.recall("land_and_sea")
    with pytest.raises(DataError, match="of the same data; leave out test=…"):
        loaded.recall(events, test=events)
    with pytest.raises(DataError, match=f"was fitted to {len(events)} events, and these are 50"):
        loaded.recall(landmass.read("moons", n=50))


@pytest.mark.parametrize(("rows", "words", "there"), [(5_000, 1, True), (4_999, 1, False), (5_000, 3, False)])
def test_splines_join_where_rows_and_numbers_are_many(rows, words, there):
    rng = np.random.default_rng(0)
    columns = [landmass.Category(name=f"word{i}", levels=("a", "b")) for i in range(words)]
    columns += [landmass.Real(name=f"x{i}") for i in range(2)]
    data = landmass.Dataset(rng.integers(0, 2, (rows, words + 2)).astype(float), landmass.Schema(tuple(columns)))
    assert list(usual_of_tables(data)) == [
        "independent",
        "latent_class",
        *(["mixed_spline_flow"] if there else []),
        "autoregressive",
        "stack",
    ]
