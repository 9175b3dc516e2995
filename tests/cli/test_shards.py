"""Scores written shard by shard into a folder."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import landmass
from landmass.cli import shards


@pytest.fixture
def source(tmp_path):
    """A folder of a Parquet and a CSV file."""
    rows = np.random.default_rng(0).normal(size=(2_300, 2)) + 10.0
    table = pa.table({"height": rows[:, 0], "weight": rows[:, 1]})
    (tmp_path / "rows").mkdir()
    parquet.write_table(table.slice(0, 1_500), tmp_path / "rows" / "a.parquet", row_group_size=400)
    csv.write_csv(table.slice(1_500), tmp_path / "rows" / "b.csv")
    return tmp_path / "rows", rows


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(shards, "ROWS", 500)


@pytest.mark.usefixtures("small")
def test_shards_hold_the_scores_of_all_rows_in_order(call, run_folder, source):
    path, rows = source
    answer = call("score", str(run_folder), str(path), "--out", "scores")
    assert answer.code == 0, answer.err
    assert "2,300 events in 5 shards in scores" in answer.out
    found = parquet.read_table("scores")
    assert found["row"].to_pylist() == list(range(2_300))
    np.testing.assert_array_equal(found["log_density"], landmass.load(run_folder).last_.score_samples(rows))


@pytest.mark.usefixtures("small")
def test_a_folder_that_was_begun_is_gone_on_with(call, run_folder, source, tmp_path):
    path, _ = source
    assert call("score", str(run_folder), str(path), "--out", "whole").code == 0
    assert call("score", str(run_folder), str(path), "--out", "begun").code == 0
    told = json.loads((tmp_path / "begun" / "_manifest.json").read_text())
    (tmp_path / "begun" / "_manifest.json").write_text(json.dumps({"work": told["work"]}))
    for shard in (2, 3, 4):
        (tmp_path / "begun" / f"part-{shard:06}.parquet").unlink()
    (tmp_path / "begun" / ".part-000002.parquet.77").write_bytes(b"PAR1")
    answer = call("score", str(run_folder), str(path), "--out", "begun")
    assert "going on with row 1,000" in answer.err
    assert {each.name: each.read_bytes() for each in (tmp_path / "begun").iterdir()} == {
        each.name: each.read_bytes() for each in (tmp_path / "whole").iterdir()
    }


@pytest.mark.parametrize("name", ["none.parquet", "none.csv"])
def test_no_rows_are_refused(call, run_folder, tmp_path, name):
    table = pa.table({"height": pa.array([], pa.float64()), "weight": pa.array([], pa.float64())})
    (parquet.write_table if name.endswith("parquet") else csv.write_csv)(table, tmp_path / name)
    answer = call("score", str(run_folder), name, "--out", "scores")
    assert (answer.code, "no rows; add rows" in answer.err) == (2, True)
    assert not (tmp_path / "scores").exists()


def test_a_single_row_has_a_score_and_no_standard_error(call, run_folder, tmp_path):
    parquet.write_table(pa.table({"height": [10.0], "weight": [10.5]}), tmp_path / "one.parquet")
    answer = call("score", str(run_folder), "one.parquet", "--out", "scores")
    score = landmass.load(run_folder).last_.score_samples([[10.0, 10.5]])[0]
    assert answer.out.startswith(f"{score:.4f} nats an event: ")
    assert json.loads((tmp_path / "scores" / "_manifest.json").read_text())["nats"] == pytest.approx(score)


@pytest.mark.usefixtures("small")
def test_scores_of_another_run_of_the_same_data_are_not_gone_on_with(call, source, table_text, tmp_path):
    (tmp_path / "table.csv").write_text(table_text)
    fit = ("fit", "table.csv", "--families", "gaussian_mixture", "--no-report")
    for components in ("1", "2"):
        assert (
            call(*fit, "--set", f"gaussian_mixture.n_components={components}", "--out", f"run-{components}").code == 0
        )
    assert call("score", "run-1", str(source[0]), "--out", "scores").code == 0
    answer = call("score", "run-2", str(source[0]), "--out", "scores")
    assert (answer.code, "was begun for other rows, or another run" in answer.err) == (2, True)


@pytest.mark.usefixtures("small")
def test_a_folder_whose_maker_was_killed_before_its_manifest_was_there_is_taken(call, run_folder, source, tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "._manifest.json.77").write_text("{")
    answer = call("score", str(run_folder), str(source[0]), "--out", "begun")
    assert answer.code == 0, answer.err
    assert {each.name[:5] for each in (tmp_path / "begun").iterdir()} == {"part-", "_mani"}


@pytest.mark.usefixtures("small")
def test_what_is_no_folder_of_these_scores_is_left_alone(call, run_folder, source, tmp_path):
    path, _ = source
    assert call("score", str(run_folder), str(path), "--out", "scores").code == 0
    before = {each.name: each.read_bytes() for each in (tmp_path / "scores").iterdir()}
    for words, said in [
        ((str(path), "--out", "scores"), "holds all scores of these rows already"),
        ((str(path / "a.parquet"), "--out", "scores"), "was begun for other rows"),
        ((str(path), "--out", "rows"), "holds something else"),
        ((str(path), "--out", "more", "--rows"), "leave out --rows"),
        (("land", "--out", "more"), "for scores of files, and land is none"),
        ((str(path), "--out", "more", "--n", "3"), "--n, --seed and --binary say nothing of"),
    ]:
        answer = call("score", str(run_folder), *words)
        assert answer.code == 2
        assert said in answer.err
    assert {each.name: each.read_bytes() for each in (tmp_path / "scores").iterdir()} == before
    assert not (tmp_path / "more").exists()


@pytest.mark.usefixtures("small")
def test_a_row_that_cannot_be_scored_is_told_with_its_shard(call, run_folder, tmp_path):
    rows = np.full((1_200, 2), 10.0)
    rows[700, 1] = np.inf
    parquet.write_table(pa.table({"height": rows[:, 0], "weight": rows[:, 1]}), tmp_path / "bad.parquet")
    answer = call("score", str(run_folder), "bad.parquet", "--out", "scores")
    assert answer.code == 2
    assert "rows from 500 on" in answer.err
    assert "holds inf (row 200" in answer.err
