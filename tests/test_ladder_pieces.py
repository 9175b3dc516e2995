"""Ladders of events in pieces: parts that are kept aside, rungs that read all events, and runs that are read back."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import landmass
from landmass import DataError, Ladder, SettingError, pieces
from landmass.ladder import parts

ROWS, COPIED = 3_000, 300


@pytest.fixture(scope="module")
def events():
    """Points of a known Gaussian, the first of which come twice."""
    rng = np.random.default_rng(0)
    points = rng.normal([1.0, -2.0], [1.0, 3.0], (ROWS, 2))
    return rng.permutation(np.concatenate([points, points[:COPIED]]))


@pytest.fixture(scope="module")
def path(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    for i, part in enumerate(np.array_split(events, 3)):
        parquet.write_table(pa.table({"a": part[:, 0], "b": part[:, 1]}), folder / f"{i}.parquet", row_group_size=500)
    return folder


@pytest.fixture(scope="module")
def ladder(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "MOST_AT_HAND", 1_000)
        return Ladder(["gaussian", "kernel_density"]).fit(pieces(path, rows=200))


def test_parts_are_of_the_events_and_share_none(ladder, events):
    known = {tuple(row) for row in events}
    train, validation, test = (set(map(tuple, part.X)) for part in (ladder.train_, ladder.validation_, ladder.test_))
    assert train | validation | test <= known
    assert not (train & validation or train & test or validation & test)
    assert sum(ladder.ledger_.n.values()) == len(events)
    assert [ladder.ledger_.n[part] / len(events) for part in ("validation", "test")] == pytest.approx(
        [0.1] * 2, abs=0.02
    )


def test_rungs_that_read_pieces_learn_from_all_of_them_and_others_from_some(ladder, path):
    train, _ = pieces(path).split(0, 0.2, parts.MOST_KEPT)
    X = np.concatenate([piece.X for piece in train])
    assert ladder.rungs_["gaussian"].parameters_["mean"] == pytest.approx(X.mean(0), rel=1e-5)
    assert len(ladder.train_) == 1_000
    assert f"kernel_density learned from 1,000 random ones of {len(X):,} events" in ladder.ledger_.notes


def test_ledger_is_of_the_events_kept_aside_and_near_the_truth(ladder):
    scores = ladder.rungs_["gaussian"].score_samples(ladder.test_)
    line = ladder.ledger_.rung("gaussian")
    assert line.nats == pytest.approx(scores.mean())
    entropy = np.log(2.0 * np.pi * np.e) + np.log(3.0)
    assert abs(line.nats + entropy) < 4.0 * line.se


def test_run_that_is_read_back_has_the_same_parts(ladder, path, events, tmp_path):
    ladder.save(tmp_path / "run")
    again = landmass.load(tmp_path / "run").recall(pieces(path))
    assert np.array_equal(again.test_.X, ladder.test_.X)
    assert again.test_scores_["stack"] == pytest.approx(ladder.test_scores_["stack"], rel=1e-5)
    with pytest.raises(DataError, match="in pieces; give them so"):
        again.recall(events)
    with pytest.raises(DataError, match="fitted to other events"):
        again.recall(pieces([events[:1_000]]))


def test_test_events_may_come_on_their_own(path, events):
    ladder = Ladder(["gaussian"]).fit(pieces(path), pa.table({"b": events[:50, 1], "a": events[:50, 0]}))
    assert np.array_equal(ladder.test_.X, events[:50])
    assert ladder.ledger_.n["train"] == pytest.approx(0.9 * len(events), rel=0.02)


def test_what_comes_in_copies_is_kept_whole_or_not_at_all():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    ladder = Ladder(["gaussian"]).fit(pieces([np.repeat(rows, 20, axis=0)]))
    for part in (ladder.validation_, ladder.test_):
        assert (np.unique(part.X, axis=0, return_counts=True)[1] == 20).all()


def test_what_a_ladder_cannot_take_in_pieces_is_refused(events):
    with pytest.raises(SettingError, match="in memory"):
        Ladder().fit(pieces([events]), target="x1")
    with pytest.raises(DataError, match="have no weights"):
        Ladder().fit(pieces([landmass.read(events).weighed(np.full(len(events), 2.0))]))
    with pytest.raises(DataError, match="at least 20"):
        Ladder(["gaussian"]).fit(pieces([events[:9]]))
