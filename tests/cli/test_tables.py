"""A built-in table on the command line: its columns are known, and so is how far its rungs are from the truth."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

import landmass
from landmass.cli.events import FRESH_SEED
from landmass.cli.questions import _best
from landmass.data.builtin import truth
from landmass.ladder import events, parts
from tests.cli.conftest import Call

QUICK = ("--n", "300", "--out", "run")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch):
    """One family of tables, the quickest, where none is named."""
    monkeypatch.setattr("landmass.cli.fit.usual_of_tables", lambda data: ["independent"])


@pytest.fixture
def fitted(call: Call, few: None):
    return call("fit", "visitors", *QUICK, "--test", "visitors", "--no-report")


def test_table_is_fitted_by_families_of_tables_and_held_against_the_truth(fitted):
    assert fitted.code == 0, fitted.err
    assert "gap to truth" in fitted.out
    ledger = json.loads(Path("run/ledger.json").read_text())
    assert [rung["family"] for rung in ledger["rungs"]] == ["independent"]
    assert ledger["true_entropy"] == truth("visitors").entropy
    assert ledger["n"] == {"train": 270, "validation": 30, "test": 20_000}
    # Independent columns lose what the columns tell of each other: more than a nat.
    assert -ledger["rungs"][0]["nats"] > ledger["true_entropy"] + 1.0


def test_questions_are_answered_of_other_rows_than_those_learned_from(call: Call, fitted):
    told = json.loads(call("score", "run", "visitors", "--n", "50", "--json").out)
    fresh = landmass.read("visitors", n=50, seed=FRESH_SEED)
    assert told["nats"] == pytest.approx(landmass.load("run").score(fresh))
    answer = call("conditional", "run", "job_title=nurse", "rating=", "-n", "4", "--out", "rows.csv")
    assert answer.code == 0, answer.err
    rows = pyarrow.csv.read_csv("rows.csv", convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
    assert rows.column_names == truth("visitors").schema.names
    assert rows["job_title"].to_pylist() == ["nurse"] * 4
    assert rows["rating"].null_count == 4
    assert call("impute", "run", "visitors", "--out", "filled.csv").code == 0
    assert pyarrow.csv.read_csv("filled.csv")["rating"].null_count == 0


def test_report_is_made_anew_of_rows_with_empty_cells(call: Call, fitted):
    answer = call("report", "run")
    assert answer.code == 0, answer.err
    told = f"{-truth('visitors').entropy:.3f}, which is minus the entropy".replace("-", "−")
    assert f"No model can expect more than {told}" in Path("run/report.html").read_text()


def test_schema_of_a_table_is_told(call: Call):
    lines = call("schema", "visitors").out.splitlines()
    assert [line.split()[0] for line in lines] == ["column", *truth("visitors").schema.names]
    assert "circular" in next(line for line in lines if line.startswith("hour"))
    assert "atoms = [0.0]" in call("schema", "visitors", "--toml").out


def test_table_brings_its_own_columns(call: Call):
    assert "'visitors' brings its own schema" in call("fit", "visitors", *QUICK, "--drop", "hour").err


def test_one_of_its_columns_is_predicted_where_it_is_named(call: Call):
    sets = ("--set", "neural_classifier.max_steps=2", "--set", "neural_classifier.architecture=linear")
    answer = call("fit", "visitors", "--target", "subscribes", *QUICK, *sets, "--no-report")
    assert answer.code == 0, answer.err
    assert landmass.load("run").target_ == "subscribes"
    answer = call("score", "run", "visitors", "--n", "20", "--rung", "linear")
    assert "nats an event: linear, 20 events" in answer.out


def test_folder_of_tables_is_fitted_piece_by_piece(call: Call, few: None, monkeypatch: pytest.MonkeyPatch):
    for module in (events, parts):
        monkeypatch.setattr(module, "MOST_AT_HAND", 500)
    Path("rides").mkdir()
    for i in range(3):
        data = landmass.read("visitors", n=400, seed=i)
        pyarrow.parquet.write_table(data.wrap(data.X), f"rides/{i}.parquet")
    assert "job_title" in call("schema", "rides").out
    answer = call("fit", "rides", "--out", "run", "--no-report")
    assert answer.code == 0, answer.err
    ledger = json.loads(Path("run/ledger.json").read_text())
    assert [rung["family"] for rung in ledger["rungs"]] == ["independent"]
    assert sum(ledger["n"].values()) == 1_200
    again = call("report", "run")
    assert again.code == 0, again.err
    page = Path("run/report.html").read_text()
    assert ("chose among them, and" in page, "taught them too" in page) == (True, False)
    assert ("One row has the log-density" in page, "counted from 0" in page) == (True, False)
    assert "learned from some of these very events" in call("score", "run", "rides/1.parquet").err
    Path("run/report.html").unlink()
    Path("rides/2.parquet").unlink()
    gone = call("report", "run")
    assert (gone.code, "has changed since the run was fitted" in gone.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("rides", "--target", "a"), "a folder of tables, or a file with --pieces, is read piece by piece"),
        (("visitors", "--pieces"), "or give one file without --pieces"),
        (("table.csv", "--pieces"), "cannot be read in pieces"),
        (("rides",), "do not hold the same columns: from row 1 on they are ['b'], before ['a']"),
    ],
)
def test_what_cannot_be_read_in_pieces_is_refused(call: Call, words: tuple[str, ...], why: str):
    Path("rides").mkdir()
    Path("rides/0.csv").write_text("a\n1\n")
    Path("rides/1.csv").write_text("b\n2\n")
    answer = call("fit", *words)
    assert (answer.code, answer.out) == (2, "")
    assert why in answer.err
    assert not Path("runs").exists()


def town(seed: int, n: int) -> pyarrow.Table:
    """Rows of words, dates and numbers; of few of them most words differ."""
    rng = np.random.default_rng(seed)
    day = (np.datetime64("2024-01-01") + rng.integers(0, 90, n)).astype("datetime64[s]")
    day = day + rng.integers(0, 86_400, n) if n > 50 else day
    street = np.char.add("street ", rng.integers(0, 40, n).astype(str))
    return pyarrow.table({"id": np.arange(n) + 7, "day": day, "street": street, "rent": rng.normal(9.0, 1.0, n)})


def test_held_out_rows_hold_what_the_columns_of_the_others_do(call: Call, few: None):
    """Of twelve rows streets would name rows, and times that are midnight would be days."""
    pyarrow.parquet.write_table(town(0, 400), "rents.parquet")
    pyarrow.parquet.write_table(town(1, 12).drop(["id"]), "later.parquet")
    words = ("--drop", "id", "--out", "run", "--no-report")
    answer = call("fit", "rents.parquet", "--test", "later.parquet", *words)
    assert answer.code == 0, answer.err
    assert json.loads(Path("run/ledger.json").read_text())["n"]["test"] == 12
    told = json.loads(call("score", "run", "later.parquet", "--json").out)
    assert told["nats"] == pytest.approx(json.loads(Path("run/ledger.json").read_text())["rungs"][0]["nats"])
    assert call("report", "run").code == 0


def test_columns_that_are_left_out_are_declared_in_a_file(call: Call, few: None):
    pyarrow.parquet.write_table(town(0, 400), "rents.parquet")
    Path("rents.toml").write_text(call("schema", "rents.parquet", "--drop", "id", "--toml").out)
    answer = call("fit", "rents.parquet", "--schema", "rents.toml", "--out", "run", "--no-report")
    assert answer.code == 0, answer.err
    assert landmass.load("run").rungs_["independent"].data_.schema.names == ["day", "street", "rent"]
    for text, remedy in {"drop = 3": "write a list, such as drop", "columns = 3": "write a table for each"}.items():
        Path("wrong.toml").write_text(text)
        answer = call("fit", "rents.parquet", "--schema", "wrong.toml")
        assert (answer.code, remedy in answer.err) == (2, True)


def test_decimal_commas_are_numbers_for_schema_too(call: Call):
    Path("rents.csv").write_text("rent;rooms\n" + "".join(f"{i},5;{i % 4}\n" for i in range(40)) + "x;2\n")
    for command in ("schema", "fit"):
        answer = call(command, "rents.csv")
        assert answer.code == 2
        assert "'rent' holds text among its numbers: 'x'" in answer.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("conditional", "run", "hour=3", "hour=4"), "'hour' is given twice"),
        (("conditional", "run", "hour=3", "-n", "999999999999"), "more than half of this machine's"),
        (("impute", "run", "visitors", "--draws", "999999999"), "more than half of this machine's"),
        (("score", "run", "rows.csv", "--n", "3"), "--n counts events of a built-in data set"),
        (("score", "run", "-", "--out", "scores"), "for scores of files, and - is none"),
    ],
)
def test_questions_that_make_no_sense_are_refused(call: Call, fitted, words: tuple[str, ...], why: str):
    data = landmass.read("visitors", n=20)
    pyarrow.csv.write_csv(data.wrap(data.X), "rows.csv")
    answer = call(*words)
    assert (answer.code, answer.out) == (2, "")
    assert why in answer.err
    assert not Path("scores").exists()


def test_built_in_events_are_not_ranked_among_themselves(call: Call, fitted):
    same = ("--anomalies", "--held-out", "visitors", "--n", "500", "--json")
    told = json.loads(call("score", "run", "visitors", *same).out)
    assert told["held_out"] == 10_000
    fresh = landmass.OutlierDetector(landmass.load("run").rungs_["independent"])
    kept = landmass.read("visitors", n=10_000, seed=FRESH_SEED + 1)
    expected = fresh.calibrate(kept).tail_probability(landmass.read("visitors", n=500, seed=FRESH_SEED))
    assert told["strangest"][0]["tail_probability"] == pytest.approx(expected.min())


def test_built_in_data_wins_over_a_folder_of_its_name(call: Call):
    Path("moons").mkdir()
    Path("moons/0.csv").write_text("a\n1\n")
    answer = call("fit", "moons", "--n", "100", "--families", "gaussian", "--no-report", "--out", "run")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("more", [-0.5, 0.25])
def test_exact_answers_are_preferred_and_a_better_rung_is_told(more: float, capsys: pytest.CaptureFixture[str]):
    exact = landmass.Independent().fit(pyarrow.table({"a": ["x", "y"] * 20, "b": [1, 2, 2, 2] * 10}))
    network = landmass.Autoregressive()
    network.model_ = None
    nats = {"independent": -2.0, "autoregressive": -2.0 + more}
    ladder = landmass.Ladder()
    ladder.rungs_ = {"independent": exact, "autoregressive": network}
    ladder.ledger_ = SimpleNamespace(rung=lambda name: SimpleNamespace(nats=nats[name]))
    assert _best(ladder) == "independent"
    told = capsys.readouterr().err
    assert ("autoregressive scores 0.250 nats an event more" in told, "--rung autoregressive" in told) == (
        more > 0,
    ) * 2
