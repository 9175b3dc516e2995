"""Questions that set a run against something: strange events, another run; and CSV that a spreadsheet may open."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import landmass
from landmass.cli import main
from landmass.cli.files import as_csv
from tests.cli.conftest import QUICK, Call

FORMULAS = ("=1+1", "+1", "-1", "@a", "\tb", "\rc", "\nd")


@pytest.fixture(scope="session")
def words_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of rows of words that begin like formulas, of which a column's name does too, and numbers below zero."""
    folder, rng = tmp_path_factory.mktemp("words"), np.random.default_rng(0)
    rows = [f"{'=a' if i % 2 else '@b'},{-1 - i % 2},{rng.normal()}" for i in range(240)]
    (folder / "words.csv").write_text("\n".join(["=kind,low,x", *rows]))
    words = ["--families", "independent,latent_class", "--set", "latent_class.n_components=2", "--no-report"]
    assert main(["fit", str(folder / "words.csv"), *words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def words_predictor(words_run: Path) -> Path:
    """A run that predicts such words."""
    small = [word for each in ("hidden=4", "max_steps=8") for word in ("--set", f"neural_classifier.{each}")]
    source, run = str(words_run.parent / "words.csv"), words_run.parent / "predictor"
    assert main(["fit", source, "--target", "=kind", *small, "--no-report", "--out", str(run)]) == 0
    return run


@pytest.fixture
def new(tmp_path: Path) -> str:
    """Five rows like the table's, and one far away."""
    (tmp_path / "new.csv").write_text("height,weight\n10,10\n10.5,10\n9,9.5\n10,30\n11,10.2\n9.5,9\n")
    return "new.csv"


def test_strangest_rows_are_printed_with_rank_and_reason(call: Call, run_folder: Path, new: str):
    answer = call("score", str(run_folder), new, "--anomalies", "--rung", "gaussian")
    assert answer.code == 0, answer.err
    head, first, *_, last = answer.out.splitlines()
    assert head.split() == ["row", "log-density", "tail", "probability", "strange", "because"]
    model = landmass.load(run_folder).rungs_["gaussian"]
    score = model.score_samples([[10.0, 30.0]])[0]
    assert first.startswith(f"3  {score:13.3f}            0.0476  column 'weight' holds 30: tail probability ")
    assert last == (
        "1 of 6 events have a tail probability of at most 0.05, and 0.3 or fewer would if all were usual: gaussian, "
        "ranked among 20 held-out events. Rows are counted from 0."
    )


def test_anomalies_of_all_rows_are_ranks_among_the_held_out_ones(call: Call, run_folder: Path, new: str):
    head, *rows = csv.reader(io.StringIO(call("score", str(run_folder), new, "--anomalies", "--rows").out))
    assert head == ["row", "log_density", "tail_probability", "typicality", "reason"]
    ladder = landmass.load(run_folder)
    data = landmass.read(run_folder.parent / "table.csv")
    held_out = ladder.score_samples(data.take(ladder.split_.test))
    scores = ladder.score_samples(landmass.read(new))
    below = (held_out[None] <= scores[:, None]).sum(1)
    tails, above = (1 + below) / 21, (1 + (held_out[None] >= scores[:, None]).sum(1)) / 21
    found = np.array([row[:4] for row in rows], float)
    expected = np.column_stack([np.arange(6), scores, tails, np.minimum(2.0 * np.minimum(tails, above), 1.0)])
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("name", ["strange.csv", "strange.parquet"])
def test_anomalies_are_written_to_a_file(call: Call, run_folder: Path, new: str, tmp_path: Path, name: str):
    assert call("score", str(run_folder), new, "--anomalies", "--out", name).code == 0
    read = pa.csv.read_csv if name.endswith(".csv") else pyarrow.parquet.read_table
    assert read(tmp_path / name).column_names == ["row", "log_density", "tail_probability", "typicality", "reason"]


def test_anomalies_as_json_are_one_document(call: Call, run_folder: Path, new: str, tmp_path: Path):
    (tmp_path / "far.csv").write_text("height,weight\n10,10\n1000,10\n")
    found = json.loads(call("score", str(run_folder), "far.csv", "--anomalies", "--rung", "uniform_box", "--json").out)
    assert {key: found[key] for key in ("rung", "n", "held_out", "outliers")} == {
        "rung": "uniform_box",
        "n": 2,
        "held_out": 20,
        "outliers": 1,
    }
    assert found["strangest"][0] == {
        "row": 1,
        "log_density": None,
        "tail_probability": pytest.approx(1 / 21),
        "typicality": pytest.approx(2 / 21),
        "reason": "column 'height' holds 1000: tail probability 0 given the rest",
    }


def test_too_few_held_out_events_are_told(call: Call, run_folder: Path, new: str):
    answer = call("score", str(run_folder), new, "--anomalies", "--false-alarms", "0.01")
    assert (
        "among 20 held-out events no tail probability is below 0.048, and nothing is an outlier at 0.01" in answer.err
    )
    assert answer.out.splitlines()[-1].startswith("0 of 6 events have a tail probability of at most 0.01")


def test_rows_of_tables_are_ranked_by_their_cells(call: Call, words_run: Path, tmp_path: Path):
    (tmp_path / "odd.csv").write_text("=kind,low,x\n=a,-2,0.1\n=a,-1,0.1\n@b,-1,0.2\n")
    answer = call("score", str(words_run), "odd.csv", "--anomalies", "--by", "cells", "--rung", "latent_class")
    assert answer.code == 0, answer.err
    first = answer.out.splitlines()[1]
    assert first.split()[0] == "1"
    assert (
        "column 'low' holds -1, beside '=kind' = '=a': " in first or "column '=kind' holds '=a', beside 'low'" in first
    )


def test_a_rung_is_ranked_among_the_events_of_its_run(call: Call, run_folder: Path, new: str):
    words = ("score", str(run_folder), new, "--anomalies", "--rows")
    assert call(*words, "--rung", "gaussian").out == (
        call("score", str(run_folder / "rungs" / "gaussian"), new, "--anomalies", "--rows").out
    )


def test_a_run_without_its_events_asks_for_others(call: Call, new: str, tmp_path: Path, table_text: str):
    landmass.Ladder(["uniform_box", "gaussian"]).fit("table.csv").save(tmp_path / "saved")
    answer = call("score", "saved", new, "--anomalies")
    assert answer.code == 2
    assert "saved cannot tell tail probabilities: it was saved from Python, without its events; give" in answer.err
    assert "events that it has not learned from, with --held-out" in answer.err
    others = call("score", "saved", new, "--anomalies", "--held-out", "table.csv")
    assert others.code == 0 and "ranked among 200 held-out events" in others.out
    call("fit", "-", *QUICK, "--out", "piped", stdin=table_text)
    assert "its data came from standard input; give events" in call("score", "piped", new, "--anomalies").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--false-alarms", "0.1"), "--by, --false-alarms and --held-out are for --anomalies"),
        (("--anomalies", "--false-alarms", "2"), "false_alarms must be a number between 0 and 1, got 2.0"),
        (("--anomalies", "--rows", "--json"), "--rows prints CSV and --json one document"),
        (("--anomalies", "--held-out", "nowhere.csv"), "there is no file nowhere.csv"),
    ],
)
def test_anomalies_that_make_no_sense_are_refused(
    call: Call, run_folder: Path, new: str, words: tuple[str, ...], told: str
):
    answer = call("score", str(run_folder), new, *words)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_runs_that_share_their_held_out_events_are_compared_event_by_event(
    call: Call, run_folder: Path, tmp_path: Path
):
    source = str(run_folder.parent / "table.csv")
    call("fit", source, "--families", "gaussian,histogram", "--no-report", "--out", "second")
    answer = call("compare", str(run_folder), "second", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["paired"] is True and found["n"] == [20, 20]
    assert [rung["family"] for rung in found["rungs"]] == ["uniform_box", "gaussian", "stack", "histogram"]
    first, second = (landmass.load(run).recall(landmass.read(source)) for run in (run_folder, "second"))
    gain = second.test_scores_["stack"] - first.test_scores_["stack"]
    stack = next(rung for rung in found["rungs"] if rung["family"] == "stack")["difference"]
    assert stack == pytest.approx({"nats": gain.mean(), "se": gain.std(ddof=1) / np.sqrt(20)})
    assert found["answering"] == {"families": ["stack", "stack"], "difference": stack}
    assert next(rung for rung in found["rungs"] if rung["family"] == "histogram")["difference"] is None
    lines = call("compare", str(run_folder), "second").out.splitlines()
    assert lines[0].split() == ["rung", str(run_folder), "second", "second", "-", "first"]
    assert lines[2].endswith("+0.0000 ± 0.0000")
    assert "nats an event, paired over 20 events." in lines[-1]


def test_runs_held_against_different_events_are_compared_without_pairs(call: Call, run_folder: Path):
    call("fit", "table.csv", *QUICK, "--seed", "1", "--out", "other")
    answer = call("compare", str(run_folder), "other", "--json")
    assert "the runs were held against different events: differences are unpaired" in answer.err
    found = json.loads(answer.out)
    assert found["paired"] is False
    rungs = [landmass.load(run).ledger_.rung("gaussian") for run in (run_folder, "other")]
    assert found["rungs"][1]["difference"] == pytest.approx(
        {"nats": rungs[1].nats - rungs[0].nats, "se": np.hypot(rungs[0].se, rungs[1].se)}
    )


def test_run_that_cannot_be_recalled_is_compared_without_pairs(call: Call, run_folder: Path, table_text: str):
    call("fit", "-", *QUICK, "--out", "piped", stdin=table_text)
    answer = call("compare", str(run_folder), "piped")
    assert answer.code == 0
    assert "piped cannot be asked for the score of each event: its data came from standard input" in answer.err
    assert answer.out.splitlines()[-1].endswith("nats an event, unpaired.")


def test_runs_of_other_things_are_not_compared(call: Call, run_folder: Path, words_run: Path, tmp_path: Path):
    told = call("compare", str(run_folder), str(words_run))
    assert told.code == 2
    assert "their columns are 'height', 'weight', and '=kind', 'low', 'x'; fit both to the same columns" in told.err
    call("fit", "table.csv", "--families", "independent", "--column", "height:real", "--no-report", "--out", "kinds")
    call(
        "fit", "table.csv", "--families", "independent", "--column", "height:positive", "--no-report", "--out", "other"
    )
    assert "column 'height' is real in one and positive in the other" in call("compare", "kinds", "other").err
    assert "is a single rung, not a run" in call("compare", str(run_folder), str(run_folder / "rungs/gaussian")).err


def test_predictors_are_neither_compared_with_densities_nor_asked_for_anomalies(
    call: Call, words_run: Path, words_predictor: Path
):
    told = call("compare", str(words_run), str(words_predictor)).err
    assert f"{words_predictor} predictors of '=kind', whose scores cannot be compared" in told
    asked = call("score", str(words_predictor), str(words_run.parent / "words.csv"), "--anomalies")
    assert "is no density with a likelihood, and --anomalies asks for one" in asked.err
    same = call("compare", str(words_predictor), str(words_predictor), "--json")
    assert json.loads(same.out)["answering"]["difference"] == {"nats": 0.0, "se": 0.0}


def test_text_that_begins_like_a_formula_is_escaped_and_numbers_are_not():
    table = pa.table({"=name": [*FORMULAS, "plain", None], "low": [-1.5, *[2.0] * 8]})
    words = pa.table({"=name": table["=name"].dictionary_encode(), "low": table["low"]})
    for each in (table, words):
        head, *rows = csv.reader(io.StringIO(as_csv(each, escape=True).decode(), newline=""))
        assert head == ["'=name", "low"]
        assert [row[0] for row in rows] == [*(f"'{text}" for text in FORMULAS), "plain", ""]
        assert rows[0][1] == "-1.5"
    assert as_csv(table).decode().startswith('=name,low\n"=1+1",-1.5')


@pytest.mark.parametrize(
    "words",
    [("sample", "-n", "6"), ("conditional", "low=-1", "-n", "6"), ("impute", "holes.csv")],
    ids=["sample", "conditional", "impute"],
)
def test_commands_escape_formulas_on_request(call: Call, words_run: Path, tmp_path: Path, words: tuple[str, ...]):
    (tmp_path / "holes.csv").write_text("=kind,low,x\n=a,-2,\n@b,-1,0.2\n")
    command, *rest = words
    plain, escaped = (call(command, str(words_run), *rest, *how) for how in ((), ("--escape-formulas",)))
    assert escaped.code == 0, escaped.err
    rows, safe = (list(csv.reader(io.StringIO(answer.out))) for answer in (plain, escaped))
    assert [row[1:] for row in safe] == [row[1:] for row in rows]
    assert [row[0] for row in safe] == [f"'{row[0]}" for row in rows]
    refused = call(command, str(words_run), *rest, "--escape-formulas", "--out", "rows.parquet")
    assert "--escape-formulas is for CSV, and rows.parquet is none; leave it out" in refused.err


def test_predicted_text_is_escaped(call: Call, words_run: Path, words_predictor: Path):
    source = str(words_run.parent / "words.csv")
    found = [
        list(csv.reader(io.StringIO(call("predict", str(words_predictor), source, *how).out)))
        for how in ((), ("--escape-formulas",))
    ]
    assert found[0][0][0] == "=kind" and {row[0] for row in found[0][1:]} <= {"=a", "@b"}
    assert [row[0] for row in found[1]] == [f"'{row[0]}" for row in found[0]]
