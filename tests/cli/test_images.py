"""Densities of images on the real command line: from pictures to bits, draws and scores."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import landmass
from landmass.cli import main
from landmass.cli.sources import FRESH_SEED
from landmass.data.builtin.drawn import DRAWN
from tests.cli.conftest import Call
from tests.cli.test_predictors import pictures


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of densities on pictures that have labels too."""
    folder = tmp_path_factory.mktemp("images")
    pictures(str(folder / "pictures"), n=60)
    words = ("fit", str(folder / "pictures"), "--families", "independent,uniform_box", "--out", str(folder / "run"))
    assert main(words) == 0
    return folder / "run"


def test_ledger_tells_bits_and_the_report_shows_what_is_drawn(run: Path):
    ledger = json.loads((run / "ledger.json").read_text())
    assert ledger["dimensions"] == 8 * 8 * 3
    assert [rung["family"] for rung in ledger["rungs"]] == ["uniform_box", "independent", "stack"]
    assert ledger["rungs"][0]["nats"] == pytest.approx(-192 * np.log(256.0))
    page = (run / "report.html").read_text()
    assert "coloured images of 8×8 pixels" in page
    assert "bits a dimension" in page
    assert {"images.png", "strange.png", "ledger.png"} <= {path.name for path in (run / "figures").iterdir()}


def test_report_made_anew_is_the_same(run: Path, call: Call):
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert call("report", str(run)).code == 0
    assert (run / "report.html").read_bytes() == page


def test_draws_go_to_one_picture_or_to_an_array(run: Path, call: Call, tmp_path: Path):
    assert call("sample", str(run), "-n", "5", "--out", "drawn.npz").code == 0
    drawn = np.load("drawn.npz")["images"]
    np.testing.assert_array_equal(drawn, landmass.load(run).sample(5, random_state=0))
    assert call("sample", str(run), "-n", "5", "--out", "drawn.png").code == 0
    sheet = np.asarray(Image.open("drawn.png"))
    assert sheet.shape == (16, 24, 3)
    np.testing.assert_array_equal(sheet[8:, 8:16], drawn[4])
    assert (sheet[8:, 16:] == 255).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "images have no form as text; say where they go: --out FILE.png"),
        (("--out", "drawn.csv"), "ends in .npz or .png"),
    ],
)
def test_draws_without_a_form_are_refused(run: Path, call: Call, words: tuple[str, ...], told: str):
    answer = call("sample", str(run), *words)
    assert answer.code == 2
    assert told in answer.err
    assert not answer.out
    assert not Path("drawn.csv").exists()


def test_scores_are_told_in_bits_too(run: Path, call: Call, tmp_path: Path):
    pictures("new", n=12, side=16)
    answer = call("score", str(run), "new", "--rung", "uniform_box")
    assert answer.code == 0
    assert "8.0000 bits a dimension" in answer.out
    rows = call("score", str(run), "new", "--rows").out.split()
    assert rows[0] == "log_density"
    assert len(rows) == 13


def test_pictures_without_labels_are_events(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("landmass.ladder.rungs.OF_IMAGES", {"independent": "Independent", "stack": "Stack"})
    np.save("images.npy", np.random.default_rng(0).integers(0, 4, (40, 5, 5), np.uint8))
    answer = call("fit", "images.npy", "--no-report")
    assert answer.code == 0
    assert "bits a dimension" in answer.out


def test_densities_of_rows_are_refused_for_pictures(call: Call):
    pictures()
    answer = call("fit", "pictures", "--families", "gaussian", "--out", "run")
    assert answer.code == 2
    assert "Gaussian is a density of rows, and pictures holds images" in answer.err
    assert not Path("run").exists()


def test_drawn_images_are_events_and_held_out_ones_are_others(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("landmass.cli.fit.OF_IMAGES", {"independent": "Independent", "stack": "Stack"})
    monkeypatch.setitem(DRAWN, "cylinders", replace(DRAWN["cylinders"], n=50))
    answer = call("fit", "cylinders", "--n", "40", "--size", "16", "--test", "cylinders", "--no-report", "--out", "run")
    assert answer.code == 0
    ledger = json.loads(Path("run/ledger.json").read_text())
    assert [rung["family"] for rung in ledger["rungs"]] == ["independent"]
    assert ledger["n"]["test"] == 50
    ladder = landmass.load("run")
    fresh = landmass.cylinders(30, size=16, seed=FRESH_SEED)
    told = json.loads(call("score", "run", "cylinders", "--n", "30", "--json").out)
    assert told["nats"] == pytest.approx(ladder.score(fresh))
    assert "learned from" in call("score", "run", "cylinders", "--n", "40", "--seed", "0").err


def test_faces_are_events_where_densities_are_named(call: Call):
    words = ("--families", "independent", "--n", "30", "--size", "16", "--no-report")
    assert "bits a dimension" in call("fit", "portraits", *words, "--out", "run").out
    assert json.loads(Path("run/source.json").read_text())["size"] == 16
    assert "is a density of events and predicts nothing" in call("fit", "digits", *words[:2]).err


def test_label_of_drawn_images_is_predicted(call: Call):
    sets = ("--set", "neural_regressor.max_steps=2", "--set", "neural_regressor.architecture=linear")
    words = ("--target", "radius", "--n", "40", "--size", "16", "--no-report", "--out", "run")
    assert call("fit", "cylinders", *words, *sets).code == 0
    answer = call("score", "run", "cylinders", "--n", "12")
    assert "12 events" in answer.out
    assert "learned from" not in answer.err
