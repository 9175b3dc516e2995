"""A run from the command line, from fit to sample: what is printed where, and what lies in its folder."""

import csv
import fcntl
import io
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet
import pytest

import landmass
from tests.cli.conftest import QUICK, Call

SLOW = ["--families", "uniform_box,spline_flow", "--set", "spline_flow.members=2", "--set", "spline_flow.hidden=16"]


def report_module(monkeypatch: pytest.MonkeyPatch, write_report: Callable[..., Path]) -> None:
    """Put a report in place that tells what it was given."""
    module = ModuleType("landmass.report.page")
    module.write_report = write_report  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "landmass.report.page", module)


def short_report(ladder: landmass.Ladder, folder: Path) -> Path:
    """A report that needs the ladder's events, and the histories of its rungs."""
    assert len(ladder.train_) + len(ladder.validation_) == sum(map(len, ladder.split_[:2]))
    assert [record.kind for record in ladder.rungs_["gaussian"].history_] == ["advanced"]
    for name, scores in ladder.test_scores_.items():
        np.testing.assert_allclose(scores.mean(), ladder.ledger_.rung(name).nats, atol=1e-6)
    (folder / "report.html").write_text("a report")
    return folder / "report.html"


def test_fit_prints_the_ledger_on_stdout_and_progress_on_stderr(call: Call, tmp_path: Path):
    answer = call("fit", "table.csv", *QUICK)
    assert answer.code == 0
    assert answer.err.splitlines()[0] == "table: left out column 'town': it holds String, not numbers"
    assert [line.split("  ")[0] for line in answer.err.splitlines()[1:]] == ["uniform box", "gaussian", "stack"]
    assert answer.out.startswith("rung ")
    assert answer.out.splitlines()[-2:] == ["Validation prefers: gaussian.", "Run: runs/table-1"]
    assert "\x1b" not in answer.out + answer.err


def test_rows_with_an_empty_cell_are_left_out_and_told(call: Call, tmp_path: Path, table_text: str):
    first, second, *rest = table_text.splitlines()
    cells = second.split(",")
    (tmp_path / "gaps.csv").write_text("\n".join([first, ",".join(["", *cells[1:]]), *rest]))
    answer = call("fit", "gaps.csv", "--test", "gaps.csv", "--families", "uniform_box,gaussian", "--json")
    assert answer.code == 0
    assert f"left out 1 of {len(rest) + 1} rows with an empty cell" in answer.err
    ledger = json.loads(answer.out)
    assert [rung["family"] for rung in ledger["rungs"]] == ["uniform_box", "gaussian", "stack"]
    assert call("report", "runs/gaps-1").code == 0


def test_run_folder_is_complete_and_loads(run_folder: Path):
    assert {path.name for path in run_folder.iterdir()} == {
        "ledger.json",
        "manifest.json",
        "progress.jsonl",
        "rungs",
        "source.json",
        "split.json",
    }
    source = json.loads((run_folder / "source.json").read_text())
    assert source["source"] == str(run_folder.parent / "table.csv")
    assert source["test"] is None
    records = [json.loads(line) for line in (run_folder / "progress.jsonl").read_text().splitlines()]
    assert not any("layers" in record for record in records)
    finished = [record["family"] for record in records if record["kind"] == "finished"]
    assert finished == list(landmass.load(run_folder).rungs_) == ["uniform_box", "gaussian", "stack"]


def test_runs_are_numbered(call: Call, tmp_path: Path):
    (tmp_path / "runs" / "table-1").mkdir(parents=True)
    words = ["fit", "table.csv", "--families", "uniform_box", "--no-report"]
    assert "Run: runs/table-2" in call(*words).out
    assert "Run: runs/table-3" in call(*words).out


def test_json_is_one_document_the_same_as_the_folder_holds(call: Call, tmp_path: Path):
    answer = call("fit", "table.csv", *QUICK, "--json", "--out", "run")
    ledger = json.loads(answer.out)
    assert ledger == json.loads((tmp_path / "run" / "ledger.json").read_text())
    assert ledger["schema_version"] == 1
    assert [rung["family"] for rung in ledger["rungs"]] == ["uniform_box", "gaussian", "stack"]
    assert "Run: run\n" in answer.err


def test_fit_reads_standard_input(call: Call, table_text: str):
    answer = call("fit", "-", *QUICK, stdin=table_text)
    assert answer.code == 0
    assert "Run: runs/stdin-1" in answer.out


def test_same_seed_gives_the_same_ledger(call: Call):
    def nats(seed: str) -> list[float]:
        out = call("fit", "table.csv", *QUICK, "--json", "--seed", seed).out
        return [rung["nats"] for rung in json.loads(out)["rungs"]]

    assert nats("3") == nats("3") != nats("4")


def test_held_out_events_of_a_built_in_data_set_are_fresh(call: Call, tmp_path: Path):
    answer = call("fit", "moons", "--n", "500", *QUICK, "--test", "moons", "--json", "--out", "run")
    assert json.loads(answer.out)["n"] == {"train": 450, "validation": 50, "test": 20_000}
    sources = json.loads((tmp_path / "run" / "source.json").read_text())
    learned, held_out = (landmass.read("moons", n=500, seed=source["seed"]).X for source in (sources, sources["test"]))
    assert not np.isin(learned, held_out).any()


def test_a_setting_reaches_the_fit(call: Call, tmp_path: Path):
    call("fit", "table.csv", *QUICK, "--set", "uniform_box.margin=0.5", "--out", "run")
    assert landmass.load(tmp_path / "run").rungs_["uniform_box"].get_params() == {"margin": 0.5}


def test_a_family_that_fails_is_told_and_the_rest_is_saved(call: Call, tmp_path: Path):
    (tmp_path / "line.csv").write_text("a,b\n" + "".join(f"{i},{2 * i}\n" for i in range(100)))
    answer = call("fit", "line.csv", *QUICK, "--out", "run")
    assert answer.code == 1
    assert answer.err.splitlines()[1].startswith("gaussian     failed: column ")
    assert "is a linear combination" in answer.err
    assert list(landmass.load(tmp_path / "run").rungs_) == ["uniform_box"]


def test_a_fit_in_which_every_family_fails_leaves_nothing(call: Call, tmp_path: Path):
    (tmp_path / "line.csv").write_text("a,b\n" + "".join(f"{i},{2 * i}\n" for i in range(100)))
    answer = call("fit", "line.csv", "--families", "gaussian")
    assert answer.code == 2
    assert "error: no family could be fitted" in answer.err
    assert not (tmp_path / "runs").exists()


def test_score_is_the_mean_of_the_rows(call: Call, run_folder: Path):
    text = call("score", str(run_folder), "table.csv").out
    mean = json.loads(call("score", str(run_folder), "table.csv", "--json").out)
    header, *rows = call("score", str(run_folder), "table.csv", "--rows").out.splitlines()
    expected = landmass.load(run_folder).score_samples(landmass.read("table.csv"))
    assert header == "log_density"
    np.testing.assert_array_equal(np.array(rows, float), expected)
    assert mean["nats"] == pytest.approx(expected.mean())
    assert mean["se"] == pytest.approx(expected.std(ddof=1) / np.sqrt(200))
    assert text == f"{mean['nats']:.4f} ± {mean['se']:.4f} nats an event: stack, 200 events\n"


def test_score_of_events_that_were_learned_from_says_so(call: Call, run_folder: Path, tmp_path: Path, table_text: str):
    told = f"learned from some of these very events, which makes their score too good; `landmass report {run_folder}`"
    for run in (run_folder, run_folder / "rungs" / "gaussian"):
        assert told in call("score", str(run), "table.csv", "--json").err
    (tmp_path / "new.csv").write_text(table_text + "1,2,x\n")
    assert "learned" not in call("score", str(run_folder), "new.csv").err
    call("fit", "moons", "--n", "60", "--families", "uniform_box", "--no-report", "--out", "moons_run")
    assert "learned" in call("score", "moons_run", "moons", "--n", "60", "--seed", "0").err
    assert "learned" not in call("score", "moons_run", "moons", "--n", "60").err


def test_score_tells_events_of_density_zero(call: Call, run_folder: Path, tmp_path: Path):
    (tmp_path / "far.csv").write_text("height,weight\n10,10\n1000,10\n")
    words = ["score", str(run_folder), "far.csv", "--rung", "uniform_box"]
    assert call(*words).out.startswith("-inf (1 of 2 events have density zero)")
    found = json.loads(call(*words, "--json").out)
    assert found == {"rung": "uniform_box", "label": "exact", "n": 2, "nats": None, "se": None, "zero_density": 1}


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_sample_gives_the_same_rows_to_a_file_and_to_stdout(call: Call, run_folder: Path, tmp_path: Path, name: str):
    printed = call("sample", str(run_folder), "-n", "5", "--seed", "3").out
    rows = list(csv.reader(io.StringIO(printed)))
    assert call("sample", str(run_folder), "-n", "5", "--seed", "3", "--out", name).out == ""
    assert rows[0] == ["height", "weight"]
    read = landmass.read(tmp_path / name)
    np.testing.assert_array_equal(read.X, np.array(rows[1:], float))
    assert call("sample", str(run_folder), "--out", name).code == 2


def test_one_rung_can_be_asked(call: Call, run_folder: Path):
    whole = call("sample", str(run_folder), "--rung", "gaussian").out
    assert whole == call("sample", str(run_folder / "rungs" / "gaussian")).out
    wrong = call("sample", str(run_folder), "--rung", "gausian")
    assert wrong.code == 2
    assert "did you mean 'gaussian'?" in wrong.err


def test_score_writes_rows_to_a_file(call: Call, run_folder: Path, tmp_path: Path):
    call("score", str(run_folder), "table.csv", "--out", "scores.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "scores.parquet").column_names == ["log_density"]


def test_report_is_written_by_fit(call: Call, monkeypatch: pytest.MonkeyPatch):
    report_module(monkeypatch, short_report)
    answer = call("fit", "table.csv", *QUICK[:2])
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "Report: runs/table-1/report.html"


def test_a_report_that_fails_is_told_and_the_run_is_saved(call: Call, monkeypatch: pytest.MonkeyPatch):
    def broken(ladder: landmass.Ladder, folder: Path) -> Path:
        raise RuntimeError("no ink")

    report_module(monkeypatch, broken)
    answer = call("fit", "table.csv", *QUICK[:2])
    assert answer.code == 1
    assert "the report could not be made (RuntimeError: no ink); the run itself is saved" in answer.err
    assert landmass.load("runs/table-1").best_ == "gaussian"


@pytest.mark.parametrize("test", [(), ("--test", "table.csv")], ids=["of the same data", "given apart"])
def test_a_missing_report_is_made_anew(call: Call, monkeypatch: pytest.MonkeyPatch, test: tuple[str, ...]):
    report_module(monkeypatch, short_report)
    fitted = call("fit", "table.csv", *QUICK, *test)
    first, second = call("report", "runs/table-1"), call("report", "runs/table-1")
    assert first.code == second.code == 0
    assert first.out == second.out
    assert first.out.splitlines()[-1] == "Report: runs/table-1/report.html"
    assert first.out.splitlines()[:-1] == fitted.out.splitlines()[:-1]


def test_no_report_is_made_of_data_that_has_changed(call: Call, tmp_path: Path):
    call("fit", "table.csv", *QUICK, "--out", "run")
    with (tmp_path / "table.csv").open("a") as file:
        file.write("1,2,x\n")
    answer = call("report", "run")
    assert answer.code == 2
    assert "table.csv has changed since the run was fitted" in answer.err
    assert answer.out.startswith("rung ")


def test_no_report_is_made_of_standard_input(call: Call, table_text: str):
    call("fit", "-", *QUICK, "--out", "run", stdin=table_text)
    assert "its data came from standard input" in call("report", "run").err


def test_hello_tells_the_puzzle_and_the_gaps(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    report_module(monkeypatch, lambda ladder, folder: folder / "report.html")
    monkeypatch.setattr("landmass.cli.settings.names_of", lambda families: ["uniform_box", "gaussian"])
    answer = call("hello", "--n", "500")
    assert answer.code == 0
    assert answer.out.startswith("The land puzzle: 500 pairs of numbers")
    box = next(line for line in answer.err.splitlines() if line.startswith("uniform box"))
    # Both in closed form: the map's area is 64,800 square degrees, of which exp(9.972) are land.
    assert f"gap {np.log(64_800) - 9.972:.3f}" in box
    assert f"{1 - np.exp(9.972) / 64_800:.0%} in the sea" in box
    assert answer.out.splitlines()[-1] == "Report: runs/hello-1/report.html"


def test_ctrl_c_ends_with_130_and_the_command_it_prints_goes_on(start, call: Call, tmp_path: Path):
    fit = start("fit", "table.csv", *SLOW, "--set", "spline_flow.max_steps=400")
    for line in fit.stderr:
        if line.startswith("uniform box"):
            break
    time.sleep(2.0)
    fit.send_signal(signal.SIGINT)
    out, err = fit.communicate(timeout=60)
    assert fit.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "interrupted: go on with `landmass fit --resume runs/table-1`"
    assert not (tmp_path / "runs/table-1/manifest.json").exists()
    assert isinstance(landmass.load(tmp_path / "runs/table-1/rungs/uniform_box"), landmass.UniformBox)
    resumed = call("fit", "--resume", "runs/table-1")
    assert resumed.code == 0
    assert list(landmass.load("runs/table-1").rungs_) == ["uniform_box", "spline_flow", "stack"]


def test_ctrl_c_before_a_rung_is_done_leaves_a_run_to_resume(call: Call, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*anything: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("landmass.models.uniform_box.UniformBox._learner", interrupt)
        answer = call("fit", "table.csv", *QUICK, "--seed", "5", "--set", "uniform_box.margin=0.5")
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "interrupted: go on with `landmass fit --resume runs/table-1`"
    assert "is not finished" in call("score", "runs/table-1", "table.csv").err
    resumed = call("fit", "--resume", "runs/table-1", "--no-report", "--json")
    fresh = call("fit", "table.csv", *QUICK, "--seed", "5", "--set", "uniform_box.margin=0.5", "--json")
    assert without_seconds(resumed.out) == without_seconds(fresh.out)


def without_seconds(text: str) -> dict[str, object]:
    """A ledger but for the times."""
    ledger = json.loads(text)
    return {**ledger, "rungs": [{**rung, "seconds": None} for rung in ledger["rungs"]]}


RESUMES = {
    "a source with it": (["table.csv"], "--resume goes on with a run as it was begun; give no SOURCE"),
    "a setting with it": (["--set", "gaussian.x=1"], "--resume goes on with a run as it was begun"),
    "a finished run": ([], "is finished already; `landmass report"),
}


@pytest.mark.parametrize("case", RESUMES)
def test_resume_is_refused(call: Call, run_folder: Path, case: str):
    words, message = RESUMES[case]
    answer = call("fit", "--resume", str(run_folder), *words)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_resume_of_what_cannot_go_on_is_refused(call: Call, tmp_path: Path, table_text: str):
    (tmp_path / "runs").mkdir()
    assert "has no source.json" in call("fit", "--resume", "runs").err
    assert "there is no run folder runs/x" in call("fit", "--resume", "runs/x").err
    call("fit", "-", *QUICK, stdin=table_text)
    (tmp_path / "runs/stdin-1/manifest.json").unlink()
    assert "its data came from standard input" in call("fit", "--resume", "runs/stdin-1").err
    call("fit", "table.csv", *QUICK)
    (tmp_path / "runs/table-1/manifest.json").unlink()
    (tmp_path / "table.csv").write_text(table_text + "1,2,x\n")
    assert "has changed since the run was fitted" in call("fit", "--resume", "runs/table-1").err


def test_a_run_that_is_being_fitted_is_left_alone(call: Call, tmp_path: Path):
    call("fit", "table.csv", *QUICK)
    (tmp_path / "runs/table-1/manifest.json").unlink()
    with (tmp_path / "runs/table-1/progress.jsonl").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        answer = call("fit", "--resume", "runs/table-1")
    assert answer.code == 2
    assert "another process is fitting runs/table-1" in answer.err
