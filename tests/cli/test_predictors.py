"""Predictors on the real command line: from a folder of pictures, or a table, to answers; and what can go wrong."""

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import landmass
from landmass.cli import main
from tests.cli.conftest import Answer, Call

COMPILES = True

SETTINGS = tuple(f"--set=neural_classifier.{each}" for each in ("hidden=4", "depth=1", "max_steps=8"))
QUICK = ("--families", "neural_classifier", *SETTINGS, "--no-report")
TABLE = "colour,size,price\n" + "".join(f"{'red' if i % 2 else 'blue'},{i % 7},{i}\n" for i in range(60))


def pictures(folder: str = "pictures", n: int = 40, side: int = 8) -> None:
    """Pictures of noise, every other one bright, with two labels."""
    rng = np.random.default_rng(0)
    os.makedirs(folder)
    lines = ["file,bright,lens"]
    for i in range(n):
        pixels = np.clip(rng.normal(100 + 60 * (i % 2), 20, (side, side, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(f"{folder}/{i:02}.png")
        lines.append(f"{i:02}.png,{'yes' if i % 2 else 'no'},{i % 3}")
    Path(folder, "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a folder of pictures."""
    folder = tmp_path_factory.mktemp("predictor")
    before = os.getcwd()
    os.chdir(folder)
    try:
        pictures()
        assert main(["fit", "pictures", "--target", "bright", *QUICK, "--out", "run"]) == 0
    finally:
        os.chdir(before)
    return folder / "run"


def rows(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.out)))


def test_ledger_begins_with_the_rung_that_is_told_nothing(predictor: Path):
    ledger = json.loads((predictor / "ledger.json").read_text())
    assert [rung["family"] for rung in ledger["rungs"]] == ["constant", "neural_classifier"]
    assert ledger["unit"] == "class"
    assert ledger["rungs"][0]["nats"] == pytest.approx(np.log(0.5), abs=0.05)
    assert {"right", "AUC"} <= set(ledger["rungs"][1]["measures"])


def test_prediction_has_a_row_a_picture_with_probabilities(call: Call, predictor: Path):
    pictures("new", 6)
    answer = call("predict", str(predictor), "new", "--rung", "neural_classifier")
    assert answer.code == 0, answer.err
    found = rows(answer)
    assert [row["file"] for row in found] == [f"{i:02}.png" for i in range(6)]
    model = landmass.load(predictor).rungs_["neural_classifier"]
    expected = model.predict_proba(landmass.read_images(Path("new")))
    np.testing.assert_allclose([[float(row["p(no)"]), float(row["p(yes)"])] for row in found], expected, atol=1e-9)
    assert [row["bright"] for row in found] == model.predict(landmass.read_images(Path("new"))).tolist()
    one = call("predict", str(predictor), "new/03.png", "--rung", "neural_classifier")
    assert rows(one)[0]["p(yes)"] == found[3]["p(yes)"]


def test_pictures_of_another_size_are_brought_to_the_models(call: Call, predictor: Path):
    pictures("new", 6, 16)
    told = "new: 6 pictures were brought to 8×8 pixels (width × height)"
    for words in (("predict", str(predictor), "new"), ("score", str(predictor), "new")):
        answer = call(*words, "--rung", "neural_classifier")
        assert answer.code == 0, answer.err
        assert told in answer.err
    found = rows(call("predict", str(predictor), "new", "--rung", "neural_classifier"))
    small = (
        landmass.load(predictor).rungs_["neural_classifier"].predict_proba(landmass.read_images(Path("new"), size=8))
    )
    np.testing.assert_allclose([float(row["p(yes)"]) for row in found], small[:, 1], atol=1e-9)
    np.save("new.npy", landmass.read_images(Path("new"), size=8).X)
    again = rows(call("predict", str(predictor), "new.npy", "--rung", "neural_classifier"))
    assert [row["p(yes)"] for row in again] == [row["p(yes)"] for row in found]


def test_score_of_a_predictor_is_that_of_the_answers(call: Call, predictor: Path):
    pictures("new", 12)
    answer = call("score", str(predictor), "new", "--rung", "neural_classifier", "--json")
    chances = landmass.load(predictor).rungs_["neural_classifier"].predict_proba(landmass.read_images(Path("new")))
    assert json.loads(answer.out)["nats"] == pytest.approx(
        np.log(chances[range(12), np.arange(12) % 2]).mean(), abs=1e-5
    )


def test_score_of_a_set_that_has_no_other_events_says_that_they_were_learned_from(call: Call):
    fitted = call("fit", "digits", "--n", "200", *QUICK, "--out", "run")
    assert fitted.code == 0, fitted.err
    told = "digits: the run has learned from some of these very events"
    for words in ((), ("--n", "50"), ("--seed", "7", "--rows")):
        assert told in call("score", "run", "digits", *words).err


def test_table_with_a_number_to_predict(call: Call):
    Path("prices.csv").write_text(TABLE)
    assert (
        call(
            "fit", "prices.csv", "--target", "price", *(word.replace("classifier", "regressor") for word in QUICK)
        ).code
        == 0
    )
    ledger = json.loads(Path("runs/prices-1/ledger.json").read_text())
    assert [rung["family"] for rung in ledger["rungs"]] == ["constant", "neural_regressor"]
    assert {"R²", "in 90%"} == set(ledger["rungs"][0]["measures"])
    Path("new.csv").write_text("size,colour\n3,red\n4,blue\n")
    found = rows(call("predict", "runs/prices-1", "new.csv", "--rung", "neural_regressor"))
    assert list(found[0]) == ["price", "price_low", "price_middle", "price_high"]
    assert all(float(row["price_low"]) < float(row["price_middle"]) < float(row["price_high"]) for row in found)


@pytest.mark.parametrize(
    ("settings", "rungs"),
    [((), ["linear", "mlp"]), (("architecture=mlp",), ["linear", "mlp"]), (("architecture=linear",), ["linear"])],
    ids=["usual", "named", "linear"],
)
def test_settings_are_those_of_all_usual_predictors(call: Call, settings: tuple[str, ...], rungs: list[str]):
    Path("prices.csv").write_text(TABLE)
    given = [word for each in (*settings, "depth=1", "max_steps=3") for word in ("--set", f"neural_regressor.{each}")]
    if "architecture=mlp" in settings:
        pictures()
        source = ("pictures", "--target", "lens")
    else:
        source = ("prices.csv", "--target", "price")
    answer = call("fit", *source, *given, "--no-report", "--out", "run")
    assert answer.code == 0, answer.err
    found = landmass.load("run").rungs_
    assert list(found) == ["constant", *rungs]
    assert [found[name].max_steps for name in rungs] == [3] * len(rungs)
    assert [found[name].architecture for name in rungs] == rungs


def test_settings_of_a_family_choose_it_over_what_suits_the_answers(call: Call):
    Path("prices.csv").write_text(TABLE)
    assert call("fit", "prices.csv", "--target", "size", *SETTINGS, "--no-report", "--out", "run").code == 0
    assert list(landmass.load("run").rungs_["mlp"].classes_) == list(range(7))


def test_rung_that_is_told_nothing_says_so(call: Call, predictor: Path):
    pictures("new", 3)
    told = "constant answers: it is told nothing of an event, and says the same of all"
    assert told in call("predict", str(predictor), "new", "--rung", "constant").err
    assert told not in call("predict", str(predictor), "new", "--rung", "neural_classifier").err


def test_events_and_answers_come_from_standard_input_too(call: Call, tmp_path: Path):
    Path("prices.csv").write_text(TABLE)
    landmass.NeuralClassifier(hidden=2, max_steps=2).fit("prices.csv", "colour").save("model")
    for words in (("predict", "model", "-"), ("score", "model", "-", "--rows"), ("inspect", "model", "-")):
        piped = call(*words, stdin=TABLE)
        assert piped.code == 0, piped.err
        assert piped.out == call(*(word.replace("-", "prices.csv") if word == "-" else word for word in words)).out
    assert "stdin is empty" in call("predict", "model", "-").err


def test_inspection_of_a_model_without_a_record_shows_its_layers(call: Call):
    Path("prices.csv").write_text(TABLE)
    landmass.NeuralRegressor(hidden=2, max_steps=2).fit("prices.csv", "price").save("model")
    answer = call("inspect", "model")
    assert answer.code == 0
    assert "dense_1" in answer.out
    assert "model has no record of its training" in answer.err


def test_settings_of_predictors_are_told_in_words(call: Call):
    told = call("families", "neural_classifier").out
    assert "or a list, each a layer of landmass.nn or none" in told
    assert "collections" not in told


def test_killed_fit_of_a_predictor_goes_on_to_the_same_weights(call: Call, predictor: Path, monkeypatch):
    pictures()
    from landmass.train.checkpoint import Checkpoint

    saves = []

    class Stopped(BaseException):
        pass

    def save(self, *args):
        write(self, *args)
        saves.append(self)
        if len(saves) == 4:
            raise Stopped

    write = Checkpoint.save
    monkeypatch.setattr(Checkpoint, "due", property(lambda self: self.folder is not None))
    monkeypatch.setattr(Checkpoint, "save", save)
    with pytest.raises(Stopped):
        call("fit", "pictures", "--target", "bright", *QUICK, "--out", "run")
    monkeypatch.setattr(Checkpoint, "save", write)
    answer = call("fit", "--resume", "run", "--no-report")
    assert answer.code == 0, answer.err
    weights = "rungs/neural_classifier/weights.safetensors"
    assert Path("run", weights).read_bytes() == (predictor / weights).read_bytes()


def test_inspection_tells_of_layers_and_training(call: Call, predictor: Path):
    answer = call("inspect", str(predictor), "--rung", "neural_classifier")
    assert answer.code == 0, answer.err
    assert "conv_1" in answer.out
    assert "neural_classifier.watch=true" in answer.out
    pictures()
    watched = call("fit", "pictures", "--target", "bright", *QUICK, "--set", "neural_classifier.watch=true")
    assert watched.code == 0, watched.err
    told = call("inspect", "runs/pictures-1", "--rung", "neural_classifier").out
    assert "watch=true" not in told
    assert "median gradient" in told
    passed = call("inspect", "runs/pictures-1", "pictures", "--rung", "neural_classifier")
    assert "mean, sd in test mode" in passed.out


def broken() -> None:
    pictures()
    content = Path("pictures/07.png").read_bytes()
    Path("pictures/07.png").write_bytes(content[: len(content) // 2])


def of_two_sizes() -> None:
    pictures()
    Image.new("RGB", (9, 9)).save("pictures/07.png")


def relabelled(text: Callable[[str], str]) -> Callable[[], None]:
    def make() -> None:
        pictures()
        path = Path("pictures/labels.csv")
        path.write_text(text(path.read_text()))

    return make


def linked() -> None:
    pictures()
    Path("pictures/07.png").unlink()
    Path("pictures/07.png").symlink_to("/etc/hostname")


def bomb() -> None:
    with zipfile.ZipFile("pictures.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))


def broken_weights() -> None:
    """A run whose weights hold NaN under a hash that fits them."""
    landmass.NeuralClassifier(hidden=2, max_steps=1).fit([[0.0], [1.0], [2.0], [3.0]] * 5, [0, 1, 0, 1] * 5).save(
        "model"
    )
    import hashlib

    from safetensors.numpy import load_file, save_file

    arrays = load_file("model/weights.safetensors")
    save_file({name: np.full_like(array, np.nan) for name, array in arrays.items()}, "model/weights.safetensors")
    manifest = json.loads(Path("model/manifest.json").read_text())
    manifest["model"]["sha256"] = hashlib.sha256(Path("model/weights.safetensors").read_bytes()).hexdigest()
    Path("model/manifest.json").write_text(json.dumps(manifest))


FIT = ("fit", "pictures", "--target", "bright", *QUICK)

# The words of a command line, what its one line of error must contain, and how to make what it reads.
WRONG = {
    "broken picture": (FIT, ["07.png is a broken picture", "save it anew"], broken),
    "pictures of two sizes": (FIT, ["00.png is 8×8 and 07.png is 9×9", "--size"], of_two_sizes),
    "empty folder": (FIT, ["pictures is empty", "give a folder of pictures"], lambda: os.mkdir("pictures")),
    "one class": (FIT, ["'bright' has one class only: 'no'"], relabelled(lambda text: text.replace("yes", "no"))),
    "one number": (
        ("fit", "flat.csv", "--target", "price", *QUICK),
        ["the target 'price' is always 3.5 in all 60 rows", "add events with other answers"],
        lambda: Path("flat.csv").write_text("size,price\n" + "".join(f"{i},3.5\n" for i in range(60))),
    ),
    "label without picture": (FIT, ["'99.png' stands in labels.csv"], relabelled(lambda text: text + "99.png,no,1\n")),
    "picture without label": (
        FIT,
        ["'00.png' stands among the pictures and not in labels.csv"],
        relabelled(lambda text: text.replace("00.png,no,0\n", "")),
    ),
    "label missing": (
        FIT,
        ["the target 'bright' has no value in 1 of 40 rows", "fill these cells"],
        relabelled(lambda text: text.replace("02.png,no,2", "02.png,,2")),
    ),
    "label of no name": (("fit", "pictures", *QUICK), ["has the labels 'bright', 'lens'", "--target"], pictures),
    "label unknown": (("fit", "pictures", "--target", "brigt"), ["no column 'brigt'", "'bright', 'lens'"], pictures),
    "link out of the folder": (FIT, ["pictures/07.png is a link out of the folder"], linked),
    "bomb": (("fit", "pictures.zip", *QUICK), ["it looks like a bomb"], bomb),
    "too deep for the pictures": (
        (*FIT, "--set", "neural_classifier.depth=9"),
        ["images of 8×8 pixels can be halved 3 times", "give a smaller depth"],
        pictures,
    ),
    "density with a target": (
        ("fit", "pictures", "--target", "bright", "--families", "gaussian"),
        ["gaussian is a density of events and predicts nothing"],
        pictures,
    ),
    "setting of a density with a target": (
        ("fit", "pictures", "--target", "bright", "--set", "gaussian.shrinkage=0.5"),
        ["gaussian is not among the families to fit (neural_classifier, neural_regressor)"],
        pictures,
    ),
    "settings of two predictors": (
        ("fit", "pictures", "--target", "lens", *SETTINGS, "--set", "neural_regressor.hidden=3"),
        ["--set speaks of neural_classifier and of neural_regressor: say by --families"],
        pictures,
    ),
    "predictor without a target": (
        ("fit", "table.csv", "--families", "neural_classifier"),
        ["neural_classifier is a predictor", "--target"],
        None,
    ),
    "size of a table": (("fit", "table.csv", "--size", "8"), ["--size, --grey and --binary are for pictures"], None),
    "target of a table unknown": (("fit", "table.csv", "--target", "age"), ["no column 'age'", "'height'"], None),
    "test of what has no other events": (("fit", "digits", "--test", "digits"), ["digits is one set of 1,797"], None),
    "array of images of another size to predict": (
        ("predict", "RUN", "small.npy"),
        ["images are 4×4×3", "fitted to 8×8×3"],
        lambda: np.save("small.npy", np.zeros((2, 4, 4, 3), np.uint8)),
    ),
    "table to a predictor of pictures": (
        ("predict", "RUN", "table.csv"),
        ["fitted to images", "this is a table"],
        None,
    ),
    "draws of a predictor": (("sample", "RUN"), ["is a predictor and has no events to draw"], None),
    "inside of a density": (("inspect", "DENSITY"), ["is a density of events"], None),
    "weights that are no numbers": (
        ("predict", "model", "table.csv"),
        ["does not answer as when it was saved", "fit it again"],
        broken_weights,
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_one_line_with_the_remedy_and_leaves_nothing(
    call: Call, tmp_path: Path, predictor: Path, run_folder: Path, case: str
):
    words, needed, make = WRONG[case]
    if make is not None:
        make()
    before = sorted(tmp_path.rglob("*"))
    runs = {"RUN": str(predictor), "DENSITY": str(run_folder)}
    answer = call(*(runs.get(word, word) for word in words))
    assert answer.code == 2, answer.err
    assert answer.out == ""
    error = answer.err.splitlines()[-1]
    assert error.startswith("error: ")
    for piece in needed:
        assert piece in error
    assert sorted(tmp_path.rglob("*")) == before


def test_classes_that_are_whole_numbers_are_named_so(call: Call):
    Path("prices.csv").write_text(TABLE)
    weight = 'neural_classifier.class_weight={"1": 3}'
    answer = call("fit", "prices.csv", "--target", "size", *QUICK, "--set", weight)
    assert answer.code == 0, answer.err
    found = rows(call("predict", "runs/prices-1", "prices.csv", "--rung", "neural_classifier"))
    assert list(found[0]) == ["size", *(f"p({i})" for i in range(7))]
    assert found[0]["size"].isdigit()


def test_column_that_tells_nothing_is_told_of_everywhere(call: Call):
    Path("prices.csv").write_text("".join(f"{line},{'unit' if not i else 3}\n" for i, line in enumerate(TABLE.split())))
    answer = call("fit", "prices.csv", "--target", "colour", *QUICK[:-1])
    assert answer.code == 0, answer.err
    told = "left out column 'unit': it is 3 in every training row"
    assert f"prices: {told}" in answer.err
    assert json.loads(Path("runs/prices-1/ledger.json").read_text())["notes"] == [told]
    assert told.replace("'", "&#x27;") in Path("runs/prices-1/report.html").read_text()


def test_word_that_was_never_seen_is_named(call: Call):
    Path("prices.csv").write_text(TABLE)
    assert call("fit", "prices.csv", "--target", "colour", *QUICK).code == 0
    Path("new.csv").write_text("size,price\n3,2\n")
    assert call("predict", "runs/prices-1", "new.csv").code == 0
    assert call("fit", "prices.csv", "--target", "size", *QUICK).code == 0
    Path("new.csv").write_text("colour,price\ngreen,2\n")
    answer = call("predict", "runs/prices-2", "new.csv", "--rung", "neural_classifier")
    assert (answer.code, "column 'colour' holds 'green'" in answer.err) == (2, True)
