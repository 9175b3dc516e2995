"""Progress: what a log tells of fits that were resumed, rolled back, or chosen among several."""

import json

import msgspec
import pytest

from landmass import StoreError
from landmass.train.progress import LayerRecord, Progress, histories, log_line


def test_history_of_several_candidates_is_the_best_ones(tmp_path):
    records = [
        Progress("advanced", "histogram", step=1),
        Progress("chosen", "histogram", score=1.0),
        Progress("advanced", "histogram", step=2),
        Progress("chosen", "histogram", score=3.0),
        Progress("advanced", "histogram", step=3),
        Progress("chosen", "histogram", score=2.0),
        Progress("advanced", "spline_flow", step=4),
    ]
    (tmp_path / "progress.jsonl").write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    found = histories(tmp_path)
    assert {name: [record.step for record in history] for name, history in found.items()} == {
        "histogram": [2],
        "spline_flow": [4],
    }


def written(folder, *records, more=b""):
    lines = b"".join(map(log_line, records))
    (folder / "progress.jsonl").write_bytes(lines + more)
    return histories(folder)


def test_steps_that_were_taken_again_are_told_once(tmp_path):
    layers = (LayerRecord("dense_1", (1.0, None)),)
    failed, again = (Progress("rolled_back", "it", step=2, seconds=s, layers=layers) for s in (1.0, 2.0))
    records = [Progress("advanced", "it", step=step) for step in (2, 4, 6)]
    # Killed after a roll-back at step 2, resumed at step 2, where it is rolled back again; then resumed at step 4.
    found = written(tmp_path, records[0], failed, again, records[1], records[2], records[2])
    assert found == {"it": (records[0], failed, *records[1:])}
    # What is not watched tells nothing of the steps that were taken back.
    assert written(tmp_path, records[0], Progress("rolled_back", "it", step=2), records[1]) == {
        "it": tuple(records[:2])
    }


def test_line_under_way_is_left_out_and_a_damaged_one_refused(tmp_path):
    record = Progress("advanced", "it", step=2)
    assert written(tmp_path, record, more=b'{"kind": "adv') == {"it": (record,)}
    assert histories(tmp_path / "progress.jsonl") == {"it": (record,)}
    with pytest.raises(StoreError, match="cannot read the progress log"):
        written(tmp_path, record, more=b'{"kind": "adv\n')
    with pytest.raises(StoreError, match="cannot read the progress log"):
        histories(tmp_path / "nothing")


def test_layers_are_left_out_where_nobody_watched(tmp_path):
    plain = Progress("advanced", "it", step=2, loss=1.5)
    watched = Progress("advanced", "it", step=4, layers=(LayerRecord("dense_1", (1.0, None)),))
    assert "layers" not in json.loads(log_line(plain))
    assert json.loads(log_line(watched))["layers"][0]["name"] == "dense_1"
    assert written(tmp_path, plain, watched) == {"it": (plain, watched)}
