"""Events in pieces and events with weights: the same densities as of all events at once, and of copies."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KernelDensity as Peer

import landmass
from landmass import (
    DataError,
    Dataset,
    Gaussian,
    GaussianMixture,
    Histogram,
    KernelDensity,
    SettingError,
    SplineFlow,
    Stack,
    pieces,
)
from landmass.catalog import FAMILIES, family
from landmass.data.dataset import AT_A_TIME
from landmass.estimator.density import WeighsEvents
from landmass.estimator.states import StatesEstimator
from tests.models.cases import data, estimator

READ_PIECES = [
    name for name in FAMILIES if family(name)._reads_pieces and not issubclass(family(name), StatesEstimator)
]
WEIGH = [name for name in FAMILIES if issubclass(family(name), WeighsEvents)]

# More than one block of events, and none of the pieces ends where a block does.
EVENTS = data("mixed", n=AT_A_TIME + 9_001)
PARTS = [EVENTS.take(rows) for rows in np.split(np.arange(len(EVENTS)), [10, 30_000, 30_001, 70_000])]
ONE_SHOT = iter([EVENTS, EVENTS])
WEIGHED = data("plane").weighed(np.full(500, 2.0))
HELD_OUT = data("mixed", n=1_000, seed=1)


def same_numbers(one, other):
    for name, values in one.parameters_.items():
        np.testing.assert_array_equal(values, other.parameters_[name], err_msg=name)
    np.testing.assert_array_equal(one.score_samples(HELD_OUT), other.score_samples(HELD_OUT))


def test_five_families_of_numbers_read_pieces():
    assert READ_PIECES == ["uniform_box", "gaussian", "probabilistic_pca", "histogram", "gaussian_mixture"]


@pytest.mark.parametrize("name", READ_PIECES)
def test_pieces_of_any_size_give_the_same_bits(name):
    one, many = estimator(name).fit(pieces([EVENTS])), estimator(name).fit(pieces(PARTS))
    same_numbers(one, many)


@pytest.mark.parametrize("name", READ_PIECES)
def test_pieces_give_the_bits_of_all_events_at_once(name):
    validation = data("mixed", n=500, seed=2)
    at_once = estimator(name).fit_parts(EVENTS, validation)
    same_numbers(at_once, estimator(name).fit_parts(pieces(PARTS), validation))


def test_settings_are_chosen_on_pieces():
    model = GaussianMixture(random_state=0).fit(pieces([data("plane", n=4_000, seed=seed) for seed in range(3)]))
    truth = data("plane").truth
    held_out = truth.sample(5_000, np.random.default_rng(5))
    assert model.chosen_ >= 3
    assert model.score(held_out) == pytest.approx(truth.log_prob(held_out).mean(), abs=0.02)


def test_few_events_in_pieces_give_the_numbers_of_all_at_once():
    events, validation = data("mixed", n=500), data("mixed", n=200, seed=2)
    at_once = estimator("gaussian_mixture").fit_parts(events, validation).score_samples(HELD_OUT)
    parts = pieces([events.take(np.arange(90)), events.take(np.arange(90, 500))])
    np.testing.assert_allclose(
        estimator("gaussian_mixture").fit_parts(parts, validation).score_samples(HELD_OUT), at_once, atol=1e-4
    )


def test_copies_of_an_event_stay_on_one_side():
    X = np.repeat(np.random.default_rng(0).normal(size=(500, 2)), 4, axis=0)
    train, held_out = pieces([X[:900], X[900:]]).split(seed=3, share=0.2, most=1_000)
    kept = np.concatenate([piece.X for piece in train])
    assert not {tuple(row) for row in kept} & {tuple(row) for row in held_out.X}
    assert (held_out.weight == 4).all()
    assert len(kept) + 4 * len(held_out) == len(X)
    # Binomial: 100 events of 500, give or take 9.
    assert abs(len(held_out) - 100) < 6 * 9


@pytest.mark.parametrize("cuts", [[], [3, 9_000]])
def test_no_more_is_kept_in_memory_than_asked_for(cuts):
    X = np.random.default_rng(0).normal(size=(20_000, 1))
    train, held_out = pieces(np.split(X, cuts)).split(seed=0, share=0.5, most=1_000)
    assert len(held_out) == 1_000
    assert train.n == 19_000
    whole = pieces([X]).split(seed=0, share=0.5, most=1_000)[1]
    assert {float(x) for x in held_out.X[:, 0]} == {float(x) for x in whole.X[:, 0]}


def test_weights_of_pieces_count():
    whole = Gaussian().fit(WEIGHED.X, sample_weight=np.arange(500))
    parts = Dataset(WEIGHED.X, WEIGHED.schema).weighed(np.arange(500))
    cut = pieces([parts.take(np.arange(100)), parts.take(np.arange(100, 499))])
    np.testing.assert_allclose(Gaussian().fit(cut).parameters_["mean"], whole.parameters_["mean"], atol=1e-6)


def test_a_file_is_not_kept_in_memory(tmp_path):
    path = tmp_path / "large.parquet"
    parquet.write_table(pa.table({"x": np.random.default_rng(0).normal(size=1_000_000)}), path, row_group_size=50_000)
    before, most = pa.total_allocated_bytes(), 0
    for _ in pieces(path, rows=10_000):
        most = max(most, pa.total_allocated_bytes() - before)
    # Of 8 MB.
    assert most < 2_000_000


def test_rows_with_an_empty_cell_are_left_out_and_owed_in_a_score(tmp_path):
    values = data("plane", n=1_000).X
    gaps = [[None if 200 <= i < 300 else x for i, x in enumerate(column)] for column in values.T.tolist()]
    parquet.write_table(
        pa.table({"a": gaps[0], "b": values[:, 1], "word": ["some"] * 1_000}), tmp_path / "gaps.parquet"
    )
    read = pieces(tmp_path / "gaps.parquet", rows=100)
    assert read.n == 900
    model = Gaussian().fit(read)
    assert model.parameters_["mean"][0] == pytest.approx(np.delete(values[:, 0], np.arange(200, 300)).mean(), abs=1e-6)


def test_a_cell_counts_beyond_what_single_precision_counts_by_ones():
    n = 2**24 + 1_000
    block = np.r_[np.full(AT_A_TIME - 1, 0.25), 0.75][:, None]
    parts = pieces(lambda: (block for _ in range(-(-n // AT_A_TIME))))
    model = Histogram(n_cells=2).fit_parts(parts, data("line"))
    counts = np.asarray(model.model_.parts[0].counts, np.float64)
    np.testing.assert_allclose(counts / counts.sum(), [1.0 - 1.0 / AT_A_TIME, 1.0 / AT_A_TIME], rtol=1e-6)


def test_pieces_of_no_rows_are_refused():
    with pytest.raises(SettingError, match="rows must be at least 1"):
        pieces(PARTS, rows=0)


def test_samples_come_in_the_container_of_the_pieces():
    assert isinstance(Gaussian().fit(pieces([WEIGHED.X, WEIGHED.X])).sample(3), np.ndarray)


def test_after_a_fit_that_failed_nothing_is_fitted():
    model = Gaussian().fit(WEIGHED.X)
    with pytest.raises(DataError, match="linear combination"):
        model.fit(WEIGHED.X[:, [0, 0]])
    with pytest.raises(NotFittedError):
        model.score_samples(WEIGHED.X)


@pytest.mark.parametrize("ending", [".parquet", ".npy"])
def test_files_are_read_in_pieces(tmp_path, ending):
    events, path = data("plane", n=3_000), tmp_path / f"events{ending}"
    if ending == ".npy":
        np.save(path, events.X)
    else:
        parquet.write_table(events.wrap(events.X), path)
    read = pieces(path, rows=700)
    assert [len(piece) for piece in read] == [700, 700, 700, 700, 200]
    whole = Gaussian().fit(landmass.read(path))
    assert Gaussian().fit(read).score(read) == pytest.approx(whole.score(path), abs=1e-12)


def test_a_function_may_make_the_pieces():
    def days():
        return (np.random.default_rng(day).normal(size=(200, 2)) for day in range(5))

    model = Gaussian().fit(pieces(days))
    np.testing.assert_allclose(model.parameters_["mean"], np.concatenate(list(days())).mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (lambda: KernelDensity().fit(pieces(PARTS)), "needs all events at once"),
        (
            lambda: SplineFlow().fit(pieces(PARTS)),
            "fit UniformBox, Gaussian, ProbabilisticPCA, Histogram or GaussianMixture",
        ),
        (lambda: pieces([]), "no pieces"),
        (lambda: pieces(EVENTS), "not from Dataset"),
        (lambda: pieces("table.csv"), "only .parquet and .npy can"),
        (lambda: Gaussian().fit(pieces([np.eye(3), np.eye(4)])), "piece 1 of data has columns"),
        (
            lambda: Gaussian().fit(pieces([np.eye(3), np.full((2, 3), np.nan)])),
            "piece 1 of data: .* holds nan",
        ),
        (lambda: Gaussian().fit(pieces([np.ones((3, 1)), np.ones((2, 1))])), "constant"),
        (lambda: Gaussian().fit(pieces([np.ones((1, 2))])), "at least 2 events"),
        (lambda: Gaussian().fit(pieces(lambda: ONE_SHOT)), "function must start anew"),
        (lambda: SplineFlow().fit(WEIGHED), "cannot honour weights"),
        (lambda: Stack().fit(WEIGHED), "cannot honour weights"),
        (lambda: landmass.Ladder(["gaussian"]).fit(WEIGHED), "have no weights"),
        (lambda: pieces(PARTS, schema=data("plane").schema), "schema's columns"),
        (lambda: Gaussian().fit(pieces(PARTS), sample_weight=np.ones(len(EVENTS))), "sample_weight has no place"),
    ],
)
def test_what_cannot_be_read_in_pieces_is_an_error(fit, words):
    with pytest.raises(DataError, match=words):
        fit()


def counted(n=400):
    """Events with counts, of which some are zero, and the same events as so many copies."""
    events = data("mixed", n=n)
    counts = np.random.default_rng(7).integers(0, 4, n)
    return events, counts, events.take(np.repeat(np.arange(n), counts))


def test_eight_families_weigh_events():
    assert WEIGH == [
        "uniform_box",
        "independent",
        "gaussian",
        "probabilistic_pca",
        "histogram",
        "gaussian_mixture",
        "latent_class",
        "kernel_density",
    ]


@pytest.mark.parametrize("name", WEIGH)
def test_an_event_of_weight_two_is_two_events(name):
    events, counts, copies = counted()
    weighed, copied = estimator(name).fit(events, sample_weight=counts), estimator(name).fit(copies)
    np.testing.assert_allclose(weighed.score_samples(HELD_OUT), copied.score_samples(HELD_OUT), atol=2e-5)


@pytest.mark.parametrize("name", ["histogram", "gaussian_mixture", "kernel_density"])
def test_weights_choose_the_settings_that_copies_choose(name):
    events, counts, copies = counted()
    weighed = family(name)(random_state=0).fit(events, sample_weight=counts)
    assert weighed.chosen_ == pytest.approx(family(name)(random_state=0).fit(copies).chosen_, rel=1e-4)


def test_weighed_bumps_are_drawn_as_often_as_they_count():
    X, weight = np.array([[0.0], [10.0], [20.0]]), [1.0, 0.25, 6.0]
    events = Dataset(X, landmass.Schema.real(["x"])).weighed(weight)
    model = KernelDensity(bandwidth=0.5).fit_parts(events, events)
    drawn = model.sample(20_000, random_state=0)[:, 0]
    near = np.abs(drawn[:, None] - X[:, 0]) < 3.0
    found, expected = near.sum(0) / near.sum(), np.array(weight) / np.sum(weight)
    # Six standard errors of a share.
    assert (np.abs(found - expected) < 6 * np.sqrt(expected * (1 - expected) / len(drawn))).all()
    np.testing.assert_allclose(model.parameters_["weights"], expected, rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 3])
def test_weighed_bumps_are_scikit_learns(columns):
    rng = np.random.default_rng(0)
    X, places, weight = (
        rng.normal(size=(3_000, columns)),
        rng.normal(size=(3_000, columns)),
        rng.exponential(size=3_000),
    )
    events = Dataset(X, landmass.Schema.real([f"x{i}" for i in range(columns)])).weighed(weight)
    model = KernelDensity(bandwidth=0.3).fit_parts(events, events)
    peer = Peer(bandwidth=0.3, leaf_size=3_000).fit(X, sample_weight=weight)
    share = np.exp(model.model_.log_weights[0])
    bumps = model.score_samples(places) - np.log(share)
    # Where the floor adds nothing.
    near = peer.score_samples(places) > -4.0
    np.testing.assert_allclose(bumps[near], peer.score_samples(places)[near], atol=2e-2)
    assert near.mean() > 0.3


def test_weights_change_the_density():
    events, counts, _ = counted()
    weighed, plain = Gaussian().fit(events, sample_weight=counts), Gaussian().fit(events)
    assert np.abs(weighed.score_samples(HELD_OUT) - plain.score_samples(HELD_OUT)).max() > 0.01


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((500, 1)), r"shape \(500, 1\)"),
        (np.full(500, -1.0), r"holds -1.0 \(row 0"),
        (np.full(500, np.nan), "holds nan"),
        (np.zeros(500), "zero for every event"),
        (np.full(500, 1.0 / 500), "rescale them"),
        (np.full(500, 1e39), "rescale them"),
        (np.r_[1e25, np.full(499, 1e-10)], "rescale them"),
        (np.full(500, "heavy"), "one number for each"),
    ],
)
def test_weights_that_count_nothing_are_an_error(weight, words):
    with pytest.raises(DataError, match=words):
        Gaussian().fit(data("plane"), sample_weight=weight)
