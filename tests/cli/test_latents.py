"""Codes on the real command line: encode, decode, edit by attribute; black and white; missing cells; refusals."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import landmass
from landmass.cli import main
from landmass.cli.sources import FRESH_SEED
from tests.cli.conftest import Call, cells, grey, printed, table

TINY = ("--set", "vae.max_steps=30", "--set", "vae.hidden=8", "--set", "vae.architecture=mlp")
PCA = ("--set", "probabilistic_pca.n_components=2")


@pytest.fixture(scope="module")
def rows_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on rows whose stack answers for it, and two rungs of which have codes."""
    folder = tmp_path_factory.mktemp("rows")
    np.savetxt(folder / "rows.csv", cells(table(200, 0)), delimiter=",", header="a,b,c", comments="")
    families = ("--families", "gaussian,vae,probabilistic_pca", *PCA, "--set", "vae.latents=2", *TINY)
    assert main(["fit", str(folder / "rows.csv"), *families, "--no-report", "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def pictures_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on drawn pictures, both rungs of which have codes and bounds."""
    folder = tmp_path_factory.mktemp("pictures")
    families = ("--families", "vae,probabilistic_pca", *PCA, "--set", "vae.latents=6", "--set", "vae.beta=100", *TINY)
    assert main(["fit", "cylinders", "--n", "60", "--size", "16", *families, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def binary_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on grey pictures that are drawn black and white."""
    folder = tmp_path_factory.mktemp("binary")
    np.savez(folder / "grey.npz", **grey())
    words = ("--binary", "draw", "--families", "independent,vae", *TINY, "--no-report")
    assert main(["fit", str(folder / "grey.npz"), *words, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_codes_are_columns_by_the_latents_names(call: Call, rows_run: Path):
    Path("new.csv").write_text(table(20, 1))
    events = landmass.read(cells(table(20, 1)))
    answer = call("encode", str(rows_run), "new.csv", "--rung", "probabilistic_pca")
    assert answer.code == 2
    assert "left out 3 of 20 rows with an empty cell in 'age'" in answer.err
    np.savetxt("new.csv", events.X, delimiter=",", header="a,b,c", comments="")
    model = landmass.load(rows_run).rungs_["probabilistic_pca"]
    head, codes = printed(call("encode", str(rows_run), "new.csv", "--rung", "probabilistic_pca"))
    assert head == ["latent_0", "latent_1"]
    np.testing.assert_array_equal(codes, model.encode(events))
    drawn = printed(call("encode", str(rows_run), "new.csv", "--rung", "probabilistic_pca", "--draw", "--seed", "3"))[1]
    np.testing.assert_array_equal(drawn, model.encode(events, draw=True, random_state=3))
    assert call("encode", str(rows_run), "new.csv", "--rung", "probabilistic_pca", "--out", "codes.parquet").out == ""
    np.testing.assert_array_equal(landmass.read("codes.parquet").X, codes)


def test_richest_rung_with_codes_answers_where_the_stack_has_none(call: Call, rows_run: Path):
    Path("new.csv").write_text("c,b,a\n1,2,3\n-1,0,1\n")
    answer = call("encode", str(rows_run), "new.csv")
    assert answer.err == "stack has no codes: VAE answers, the richest rung that has (--rung asks another)\n"
    expected = landmass.load(rows_run).rungs_["vae"].encode(np.array([[3.0, 2.0, 1.0], [1.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(printed(answer)[1], expected)
    alone = call("encode", str(rows_run / "rungs" / "vae"), "new.csv")
    assert (alone.out, alone.err) == (answer.out, "")


def test_decoded_codes_are_the_expected_rows(call: Call, rows_run: Path):
    codes = np.array([[0.5, -1.25], [2.0, 0.0]])
    expected = landmass.load(rows_run).rungs_["probabilistic_pca"].decode(codes).to_pandas().to_numpy()
    text = "latent_1,latent_0\n-1.25,0.5\n0.0,2.0\n"
    head, found = printed(call("decode", str(rows_run), "-", "--rung", "probabilistic_pca", stdin=text))
    assert head == ["a", "b", "c"]
    np.testing.assert_array_equal(found, expected)
    Path("codes.csv").write_text(text)
    words = ("decode", str(rows_run), "codes.csv", "--rung", "probabilistic_pca", "--out", "rows.csv")
    assert call(*words).code == 0
    np.testing.assert_array_equal(landmass.read("rows.csv").X, expected)


def test_edited_rows_move_as_asked(call: Call, rows_run: Path):
    Path("labelled.csv").write_text(table(300, 2))
    words = ("edit", str(rows_run), "labelled.csv", "--rung", "probabilistic_pca")
    answer = call(*words, "age=+1", "make=-2")
    head, edited = printed(answer)
    assert head == ["a", "b", "c"]
    assert "held out" in answer.err
    model = landmass.load(rows_run).rungs_["probabilistic_pca"]
    events = cells(table(300, 2))
    lines = [line.split(",") for line in table(300, 2).splitlines()[1:]]
    labels = {
        "age": np.array([float(line[3]) if line[3] else np.nan for line in lines]),
        "make": np.array([line[4] for line in lines]),
    }
    found = model.directions(events, labels)
    assert str(found) in answer.err
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = model.edit(events, age=1.0, make=-2.0).to_pandas().to_numpy()
    np.testing.assert_array_equal(edited, expected)
    assert [line for line in answer.err.splitlines() if line.startswith("warning: ")] == [
        f"warning: {each.message}" for each in caught
    ]
    # Labels of others, none held: the same as directions of the one attribute.
    np.savetxt("plain.csv", events, delimiter=",", header="a,b,c", comments="")
    free = call("edit", str(rows_run), "plain.csv", "age=1", *words[3:], "--attributes", "labelled.csv", "--free")
    model.directions(events, {"age": labels["age"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.edit(events, age=1.0, orthogonal=False).to_pandas().to_numpy()
    np.testing.assert_array_equal(printed(free)[1], expected)


def test_far_edits_are_warned_of(call: Call, rows_run: Path):
    Path("labelled.csv").write_text(table(100, 2))
    answer = call("edit", str(rows_run), "labelled.csv", "age=40", "--rung", "probabilistic_pca", "--out", "far.csv")
    assert answer.code == 0
    assert "warning: 100 of 100 edited events lie far from what was learned from" in answer.err
    assert len(landmass.read("far.csv")) == 100


def test_pictures_are_decoded_to_a_sheet_or_an_array(call: Call, pictures_run: Path):
    run, rung = str(pictures_run), ("--rung", "vae")
    head, codes = printed(call("encode", run, "cylinders", "--n", "5", *rung))
    assert head == [f"latent_{i}" for i in range(6)]
    model = landmass.load(pictures_run).rungs_["vae"]
    images = landmass.cylinders(5, size=16, seed=FRESH_SEED)
    np.testing.assert_array_equal(codes, model.encode(images))
    text = call("encode", run, "cylinders", "--n", "5", *rung).out
    assert call("decode", run, "-", *rung, "--out", "new.npz", stdin=text).code == 0
    decoded = np.load("new.npz")["images"]
    np.testing.assert_array_equal(decoded, model.decode(codes))
    assert call("decode", run, "-", *rung, "--out", "new.png", stdin=text).code == 0
    np.testing.assert_array_equal(np.asarray(Image.open("new.png"))[:16, 16:32], decoded[1, ..., 0])


def test_edited_pictures_follow_their_labels(call: Call, pictures_run: Path):
    words = ("edit", str(pictures_run), "cylinders", "radius=+1", "--rung", "probabilistic_pca")
    held = call(*words, "--n", "25", "--hold", "height", "--out", "held.npz")
    assert held.code == 0, held.err
    model = landmass.load(pictures_run).rungs_["probabilistic_pca"]
    images = landmass.cylinders(25, size=16, seed=FRESH_SEED)
    model.directions(images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.edit(images, radius=1, hold=["height"])
    np.testing.assert_array_equal(np.load("held.npz")["images"], expected)
    few = call(*words, "--n", "9", "--out", "few.npz")
    assert few.code == 2
    assert "attribute 'radius' has 9 labelled events, of which 20 are needed" in few.err


def test_names_are_written_as_people_write_them(call: Call, pictures_run: Path):
    ledger = call("report", str(pictures_run)).out
    page = (pictures_run / "report.html").read_text()
    for text in (ledger, page):
        assert "probabilistic PCA" in text
        assert "VAE" in text
        assert "probabilistic pca" not in text
    assert "≥ " in ledger
    score = call("score", str(pictures_run), "cylinders", "--n", "5", "--rung", "vae").out
    assert score.startswith("≥ ")
    assert ", ≤ " in score
    assert score.endswith("VAE, 5 events\n")
    told = json.loads(call("score", str(pictures_run), "cylinders", "--n", "5", "--rung", "vae", "--json").out)
    assert told["label"] == "lower_bound"


def test_grey_pictures_become_black_and_white_as_in_the_run(call: Call, binary_run: Path):
    assert json.loads((binary_run / "source.json").read_text())["binary"] == "draw"
    np.savez("more.npz", **grey(12))
    ladder = landmass.load(binary_run)
    drawn = landmass.read("more.npz", binary="draw")
    for run in (binary_run, binary_run / "rungs" / "vae"):
        answer = call("score", str(run), "more.npz", *(("--rung", "vae") if run == binary_run else ()), "--json")
        assert "more.npz: grey becomes black or white (--binary draw)" in answer.err
        assert json.loads(answer.out)["nats"] == pytest.approx(ladder.rungs_["vae"].score(drawn))
    cut = landmass.read("more.npz", binary="threshold")
    codes = printed(call("encode", str(binary_run), "more.npz", "--rung", "vae", "--binary", "threshold"))[1]
    np.testing.assert_array_equal(codes, ladder.rungs_["vae"].encode(cut))
    np.savez("black.npz", images=cut.X)
    assert "grey" not in call("score", str(binary_run), "black.npz").err
    edited = call("edit", str(binary_run), "more.npz", "level=1", "--rung", "vae", "--out", "edited.png")
    assert "has 12 labelled events" in edited.err


def test_black_and_white_asks_for_densities_though_there_are_labels(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("landmass.cli.fit.OF_IMAGES", {"uniform_box": "UniformBox", "stack": "Stack"})
    np.savez("grey.npz", **grey(30))
    assert call("fit", "grey.npz", "--binary", "threshold", "--no-report", "--out", "run").code == 0
    assert landmass.load("run").last_.score(np.zeros((1, 8, 8), np.uint8)) == pytest.approx(-64 * np.log(2.0))


def test_setting_of_a_density_of_images_asks_for_densities(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("landmass.cli.fit.OF_IMAGES", {"probabilistic_pca": "ProbabilisticPCA", "stack": "Stack"})
    np.savez("grey.npz", **grey(30))
    assert call("fit", "grey.npz", *PCA, "--no-report", "--out", "run").code == 0
    assert landmass.load("run").last_.n_latents_ == 2


def test_rows_with_empty_cells_are_kept_if_asked_for(call: Call):
    lines = table(80, 3).splitlines()
    Path("gaps.csv").write_text("\n".join(",".join(line.split(",")[:4]) for line in lines) + "\n")
    answer = call("fit", "gaps.csv", "--missing", "--set", "probabilistic_pca.n_components=1", "--out", "run")
    assert answer.code == 0, answer.err
    assert "no report is written: its figures are of complete rows" in answer.err
    ladder = landmass.load("run")
    assert list(ladder.rungs_) == ["probabilistic_pca"]
    scores = printed(call("score", "run", "gaps.csv", "--rows"))[1]
    expected = ladder.score_samples(landmass.read("gaps.csv", missing=True))
    np.testing.assert_array_equal(scores[:, 0], expected)
    assert len(printed(call("encode", "run", "gaps.csv"))[1]) == 80
    assert "none can be made: its figures would be of complete rows" in call("report", "run").err


def test_families_are_listed_by_what_they_are_of(call: Call):
    lines = call("families").out.splitlines()
    heads = [i for i, line in enumerate(lines) if line.endswith(":")]
    parts = [[line.split()[0] for line in lines[i + 2 : i + 10] if line.strip()] for i in heads]
    assert "probabilistic_pca*" in parts[0]
    assert "gaussian" in parts[0]
    assert parts[1][:4] == ["independent", "latent_class", "mixed_kernel_density*", "mixed_spline_flow"]
    assert parts[2][0] == "vae"
    assert parts[3][0] == "auto_encoder"
    assert parts[4][:2] == ["neural_classifier", "neural_regressor"]
    assert "--set" not in call("families", "auto_encoder").out


# The words of a command line, and what its one line of error must contain.
WRONG = {
    "no rung of the name": (["encode", "ROWS", "rows.csv", "--rung", "vea"], ["no rung 'vea'", "did you mean 'vae'?"]),
    "rung without codes": (
        ["encode", "ROWS", "rows.csv", "--rung", "gaussian"],
        ["gaussian has no codes, and these rungs have: probabilistic_pca, vae"],
    ),
    "no rung with codes": (["encode", "PLAIN", "rows.csv"], ["no rung of", "probabilistic_pca, or vae with members=1"]),
    "codes of pictures by a run of rows": (["encode", "ROWS", "cylinders"], ["no rows of the columns 'a', 'b', 'c'"]),
    "number of pictures in a file": (["encode", "PICTURES", "grey.npz", "--n", "5"], ["--n counts images"]),
    "form of codes": (["encode", "ROWS", "rows.csv", "--out", "codes.npz"], [".csv or .parquet"]),
    "codes that are there": (["encode", "ROWS", "rows.csv", "--out", "rows.csv"], ["rows.csv exists already"]),
    "latents missing": (
        ["decode", "ROWS", "codes.csv", "--rung", "vae"],
        ["'latent_0', 'latent_1', and codes lacks 'latent_1' and has 'x', 'file' besides"],
    ),
    "codes that are words": (["decode", "ROWS", "words.csv"], ["column 'latent_1' of words holds words"]),
    "codes with a gap": (["decode", "ROWS", "gap.csv"], ["column 'latent_0' of gap holds empty cells"]),
    "no codes": (["decode", "ROWS", "cdoes.csv"], ["did you mean 'codes.csv'?"]),
    "pictures for codes": (["decode", "ROWS", "grey.npz"], ["lacks 'latent_0', 'latent_1'"]),
    "pictures on a terminal": (["decode", "PICTURES", "codes.csv"], ["--out FILE.png", "FILE.npz"]),
    "pictures as a table": (["decode", "PICTURES", "codes.csv", "--out", "x.csv"], [".npz or .png"]),
    "rows as pictures": (["edit", "ROWS", "rows.csv", "age=1", "--out", "x.png"], [".csv or .parquet"]),
    "no steps": (["edit", "ROWS", "rows.csv"], ["NAME=NUMBER"]),
    "steps without a number": (["edit", "ROWS", "rows.csv", "age"], ["NAME=NUMBER such as smile=+2; got 'age'"]),
    "steps that are a word": (["edit", "ROWS", "rows.csv", "age=much"], ["got 'age=much'"]),
    "steps without end": (["edit", "ROWS", "rows.csv", "age=inf"], ["got 'age=inf'"]),
    "steps of nothing": (["edit", "ROWS", "rows.csv", "=1"], ["got '=1'"]),
    "attribute twice": (["edit", "ROWS", "rows.csv", "age=1", "age=2"], ["'age' is asked for twice"]),
    "no labels": (
        ["edit", "ROWS", "rows.csv", "age=1"],
        ["rows.csv has no label 'age'", "--attributes names labelled"],
    ),
    "label unknown": (["edit", "ROWS", "labelled.csv", "aeg=1"], ["'aeg'; did you mean 'age'?", "age, make, place"]),
    "label held unknown": (["edit", "ROWS", "labelled.csv", "age=1", "--hold", "mak"], ["did you mean 'make'?"]),
    "label of many classes": (["edit", "ROWS", "labelled.csv", "place=1"], ["attribute 'place' has"]),
    "held and free": (["edit", "ROWS", "rows.csv", "age=1", "--hold", "make", "--free"], ["--free", "--hold"]),
    "no rows to edit": (["edit", "ROWS", "codes.csv", "x=1"], ["codes has no column 'a', 'b', 'c'"]),
    "nothing labelled": (
        ["edit", "ROWS", "rows.csv", "age=1", "--attributes", "labeled.csv"],
        ["did you mean 'labelled.csv'?"],
    ),
    "labels of a drawn table": (
        ["edit", "ROWS", "rows.csv", "age=1", "--attributes", "moons"],
        ["moons has no label 'age'"],
    ),
    "binary of a grey run": (
        ["encode", "PICTURES", "cylinders", "--binary", "draw"],
        ["--binary is for rungs of black"],
    ),
    "binary of rows": (["fit", "rows.csv", "--binary", "draw"], ["--binary are for pictures", "rows.csv holds none"]),
    "binary to predict": (
        ["fit", "grey.npz", "--binary", "draw", "--target", "bright"],
        ["--binary is for densities of pictures", "--families (uniform_box, independent"],
    ),
    "binary of another kind": (["fit", "grey.npz", "--binary", "half"], ["'half'", "threshold"]),
    "missing of pictures": (
        ["fit", "grey.npz", "--missing", "--families", "vae"],
        ["--missing is for densities of rows"],
    ),
    "missing to predict": (
        ["fit", "labelled.csv", "--missing", "--target", "age"],
        ["predictors take them as they are"],
    ),
    "missing with whole rows": (["fit", "gap.csv", "--missing", "--families", "gaussian"], ["needs complete rows"]),
    "no likelihood": (
        ["fit", "grey.npz", "--families", "auto_encoder"],
        ["auto_encoder has no likelihood", "in Python: landmass.AutoEncoder().fit(…)"],
    ),
    "no likelihood to score by": (["score", "CODER", "rows.csv"], ["auto_encoder has no likelihood to score"]),
}


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An auto-encoder that was saved from Python."""
    folder = tmp_path_factory.mktemp("coder") / "model"
    landmass.AutoEncoder(latents=2, hidden=8, max_steps=2, random_state=0).fit(cells(table(50, 0))).save(folder)
    return folder


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_one_line_with_the_remedy_and_writes_nothing(
    call: Call, tmp_path: Path, rows_run: Path, pictures_run: Path, run_folder: Path, coder: Path, case: str
):
    np.savetxt("rows.csv", cells(table(60, 1)), delimiter=",", header="a,b,c", comments="")
    Path("labelled.csv").write_text(table(60, 1))
    Path("codes.csv").write_text("latent_0,x,file\n1,2,z\n")
    Path("words.csv").write_text("latent_0,latent_1\n1,one\n")
    Path("gap.csv").write_text("latent_0,latent_1\n,2\n" + "".join(f"{i},{i * i}\n" for i in range(40)))
    np.savez("grey.npz", **grey())
    before = sorted(tmp_path.rglob("*"))
    runs = {"ROWS": rows_run, "PICTURES": pictures_run, "PLAIN": run_folder, "CODER": coder}
    words, needed = WRONG[case]
    answer = call(*(str(runs.get(word, word)) for word in words))
    assert answer.code == 2, answer.out
    assert answer.out == ""
    error = answer.err.splitlines()[-1]
    assert error.startswith("error: ")
    for text in needed:
        assert text in error
    assert sorted(tmp_path.rglob("*")) == before


def test_an_auto_encoder_that_python_saved_is_asked_for_codes(call: Call, coder: Path):
    Path("new.csv").write_text("x1,x2,x3\n1,2,3\n")
    found = printed(call("encode", str(coder), "new.csv"))[1]
    np.testing.assert_array_equal(found, landmass.load(coder).encode(np.array([[1.0, 2.0, 3.0]])))
