"""Ladders of events in pieces: parts that are kept aside, rungs that read all events, and runs that are read back."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import landmass
from landmass import DataError, Ladder, SettingError, pieces
from landmass.data.stream import holds_tables
from landmass.ladder import events as ladder_events
from landmass.ladder import parts

ROWS, COPIED = 3_000, 300


@pytest.fixture
def small_memory(monkeypatch):
    """Of more than 1,000 events no more are at hand."""
    for module in (parts, ladder_events):
        monkeypatch.setattr(module, "MOST_AT_HAND", 1_000)


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
        for module in (parts, ladder_events):
            patch.setattr(module, "MOST_AT_HAND", 1_000)
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
    assert ladder.ledger_.in_pieces
    assert "kernel_density learned from 1,000 random events, as they do not read pieces" in ladder.ledger_.notes
    # Its only parameters are the rows that it knows, and how wide they are spread.
    assert len(pickle.loads(pickle.dumps(ladder)).rungs_["kernel_density"].parameters_["points"]) == 1_000


def test_ledger_is_of_the_events_kept_aside_and_near_the_truth(ladder):
    scores = ladder.rungs_["gaussian"].score_samples(ladder.test_)
    line = ladder.ledger_.rung("gaussian")
    assert line.nats == pytest.approx(scores.mean())
    entropy = np.log(2.0 * np.pi * np.e) + np.log(3.0)
    assert abs(line.nats + entropy) < 4.0 * line.se


@pytest.mark.usefixtures("small_memory")
def test_run_that_is_read_back_has_the_same_parts(ladder, path, events, tmp_path):
    ladder.save(tmp_path / "run")
    again = landmass.load(tmp_path / "run").recall(pieces(path))
    assert np.array_equal(again.test_.X, ladder.test_.X)
    assert again.test_scores_["stack"] == pytest.approx(ladder.test_scores_["stack"], rel=1e-5)
    with pytest.raises(DataError, match="in pieces; give the same, and so"):
        again.recall(events)
    with pytest.raises(DataError, match="fitted to other events"):
        again.recall(pieces([events[:2_000]]))


def test_test_events_may_come_on_their_own(path, events):
    ladder = Ladder(["gaussian"]).fit(pieces(path), pa.table({"b": events[:50, 1], "a": events[:50, 0]}))
    assert np.array_equal(ladder.test_.X, events[:50])
    assert ladder.ledger_.n["train"] == pytest.approx(0.9 * len(events), rel=0.02)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("find", [False, True])
def test_copies_stay_on_one_side(find):
    """Rounded cells, too: of six columns no two rows are alike by chance."""
    rows = np.random.default_rng(0).normal(size=(400, 6)).round(2)
    table = pa.table({f"x{i}": x for i, x in enumerate(np.repeat(rows, 5, axis=0).T)})
    ladder = Ladder(["independent" if find else "gaussian"]).fit(pieces([table], find=find))
    sides = [set(map(tuple, part.X)) for part in (ladder.validation_, ladder.test_)]
    train = {row for row in map(tuple, rows)} - sides[0] - sides[1]
    assert not sides[0] & sides[1]
    assert {tuple(row) for row in ladder.train_.X} <= train
    assert sum(ladder.ledger_.n.values()) == 2_000


def test_rows_that_are_alike_by_chance_are_split_one_by_one():
    dice = pa.table({"a": np.random.default_rng(0).integers(1, 7, 6_000), "b": [0, 1, 1] * 2_000})
    train, held = pieces([dice], columns={"a": "integer", "b": "category"}).split(0, 0.2, 100_000)
    assert len(np.unique(held.X, axis=0)) == 12
    assert train.n + len(held) == 6_000


def test_few_events_in_pieces_are_read_whole(path, events):
    few = Ladder(["gaussian"]).fit(pieces(path))
    whole = Ladder(["gaussian"]).fit(pa.table({"a": events[:, 0], "b": events[:, 1]}))
    assert few.ledger_.n == whole.ledger_.n
    assert np.array_equal(few.test_.X, whole.test_.X)
    assert np.array_equal(few.test_scores_["gaussian"], whole.test_scores_["gaussian"])


@pytest.mark.usefixtures("small_memory")
def test_of_too_many_copies_those_kept_come_as_often_as_in_all(monkeypatch):
    monkeypatch.setattr(parts, "MOST_KEPT", 400)
    rows = np.random.default_rng(0).normal(size=(500, 2))
    often = np.where(np.arange(500) % 2, 30, 10)
    held = parts.parted(pieces([np.repeat(rows, often, axis=0)]), None, 0, {})
    kept = np.concatenate([held.validation.X, held.test.X])
    assert len(kept) == 800
    many = (kept[:, None] == rows[1::2]).all(2).any(1).mean()
    assert many == pytest.approx(0.75, abs=0.1)


def test_what_a_ladder_cannot_take_in_pieces_is_refused(events):
    with pytest.raises(SettingError, match="in memory"):
        Ladder().fit(pieces([events]), target="x1")
    weight = np.where(np.arange(len(events)) % 2, 0.25, 1.75)
    with pytest.raises(DataError, match="have no weights"):
        Ladder().fit(pieces([landmass.read(events).weighed(weight)]))
    with pytest.raises(DataError, match="at least 20"):
        Ladder(["gaussian"]).fit(pieces([events[:9]]))


def test_columns_are_left_out_and_found_by_name_whatever_the_others_hold(path, events):
    assert np.array_equal(np.sort(pieces(path, drop=["a"]).whole().X[:, 0]), np.sort(events[:, 1]))
    turned = [pa.table({"a": events[:, 0], "b": events[:, 1]}), pa.table({"b": events[:, 1], "a": events[:, 0]})]
    found = pieces(turned, find=True)
    assert np.array_equal(found.whole().X, np.concatenate([events, events]))


def test_files_of_a_folder_without_rows_are_left_out(tmp_path):
    (tmp_path / "0.csv").write_text("a,b\n")
    (tmp_path / "1.csv").write_text("a,b\n1,2\n\n3,4\n")
    parquet.write_table(pa.table({"a": np.empty(0), "b": np.empty(0)}), tmp_path / "2.parquet")
    assert pieces(tmp_path, find=True).whole().X.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    (tmp_path / "1.csv").unlink()
    (tmp_path / "2.parquet").unlink()
    with pytest.raises(DataError, match="and has rows"):
        pieces(tmp_path)


def test_what_is_left_out_is_told(events):
    gaps = [None if i % 100 == 0 else x for i, x in enumerate(events[:, 0].tolist())]
    table = pa.table({"a": gaps, "b": events[:, 1], "word": ["x"] * len(events)})
    notes = Ladder(["gaussian"]).fit(pieces([table, table])).ledger_.notes
    assert any("left out column 'word'" in note for note in notes)
    assert any("left out 33 of 3300 rows with an empty cell" in note for note in notes)
    assert any("2 of the pieces have such rows" in note for note in notes)


def test_hash_is_of_the_rows_and_not_of_their_order():
    rows = np.arange(20.0).reshape(10, 2)
    turned = np.column_stack([rows[:, 0], rows[::-1, 1]])
    assert pieces([rows]).sha256() == pieces([rows[5:], rows[:5]]).sha256()
    assert pieces([rows]).sha256() != pieces([turned]).sha256()


@pytest.mark.parametrize(
    ("files", "tables"),
    [
        (["a.parquet", "b.csv"], True),
        (["a.csv", "README.md", "runs/x.json"], True),
        (["labels.csv"], True),
        (["labels.csv", "one/x.png"], False),
        (["a.csv", "x.jpg"], False),
        (["a.txt", "year/b.parquet"], False),
        (["a.csv", "manifest.json"], False),
        ([".a.csv"], False),
    ],
)
def test_folders_of_tables_are_told_from_others(tmp_path, files, tables):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert holds_tables(tmp_path) == tables
