"""What the README shows, runs."""

import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import landmass

README = Path(__file__).parents[1] / "README.md"


def test_python_example_runs_as_it_stands_on_fewer_events(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert "n=10_000" in example
    names = {}
    exec(example.replace("n=10_000", "n=300"), names)
    assert names["ladder"].best_ in names["ladder"].rungs_
    assert (tmp_path / "runs" / "mine" / "ledger.json").is_file()


def test_pieces_and_weights_are_taken_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for month in range(1, 13):
        parquet.write_table(pa.table({"fare": rng.lognormal(size=40)}), f"taxi-{month:02}.parquet")
    (tmp_path / "rides").mkdir()
    table = pa.table({"fare": rng.lognormal(size=90), "zone": rng.choice(["north", "south"], 90).tolist()})
    parquet.write_table(table, tmp_path / "rides" / "one.parquet")
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    example = next(each for each in examples if "landmass.pieces" in each)
    exec(example, {"landmass": landmass, "X": rng.normal(size=(50, 1)), "counts": rng.integers(0, 3, 50)})


def test_folder_of_pictures_becomes_a_saved_model_in_ten_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    faces = landmass.portraits(300)
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(faces.X):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    Image.fromarray(faces.X[0]).resize((50, 40)).save(tmp_path / "new_face.png")
    lines = [f"{i}.png,{said}" for i, said in enumerate(faces.labels["smiling"])]
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(["file,smiling", *lines]))
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    example = next(each for each in examples if "NeuralClassifier" in each)
    assert len([line for line in example.splitlines() if line]) <= 10
    names = {}
    exec(example.replace("NeuralClassifier(", "NeuralClassifier(max_steps=5, hidden=4, depth=2, "), names)
    assert "expected calibration error of 'yes'" in capsys.readouterr().out
    again = landmass.load(tmp_path / "smiling").predict_proba(str(tmp_path / "new_face.png"))
    np.testing.assert_array_equal(again, names["model"].predict_proba("new_face.png"))
    assert again.shape == (1, 2)


def test_layers_of_ones_own_are_saved_with_the_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    example = next(each for each in examples if "architecture=" in each)
    faces = landmass.portraits(60)
    rest, _ = landmass.Examples(faces, np.array(faces.labels["smiling"]), "smiling").split()
    names = {"landmass": landmass, "rest": rest}
    exec(example.replace("architecture=layers", "architecture=layers, max_steps=2"), names)
    assert "batch_norm_1" in capsys.readouterr().out
    assert landmass.load("mine").architecture == names["layers"]


@pytest.mark.parametrize("layer", landmass.nn.__all__)
def test_every_layer_is_named(layer):
    assert re.search(rf"`{layer}`|from landmass.nn import.*\b{layer}\b", README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", ["make hello", "make test"])
def test_commands_of_the_readme_are_targets_of_the_makefile(command):
    assert command in README.read_text(encoding="utf-8")
    assert f"\n{command.split()[1]}:" in (README.parent / "Makefile").read_text(encoding="utf-8")


def test_cylinder_becomes_taller_as_shown(capsys):
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    example = next(each for each in examples if "landmass.VAE" in each)
    small = example.replace('"cylinders")', '"cylinders", n=200)').replace("hidden=256", "hidden=8, max_steps=20")
    names = {}
    with warnings.catch_warnings():
        # After so few steps an edit may lead anywhere.
        warnings.simplefilter("ignore", UserWarning)
        exec(small, names)
    assert names["codes"].shape == (200, 6)
    assert names["taller"].shape == (9, 32, 32, 1)
    told = capsys.readouterr().out
    assert "of 6 latents" in told
    assert "height" in told


def test_tables_answer_what_is_asked_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{rng.integers(28, 33)},{rng.choice(['Bonn', 'Rome', ''])},{rng.normal():.9f}" for _ in range(200)]
    (tmp_path / "people.csv").write_text("\n".join(["age,city,income", *rows]))
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(next(each for each in examples if "people.csv" in each), names)
    assert len(names["filled"]) == 20
    assert names["filled"][0]["city"].null_count == 0
    assert capsys.readouterr().out.count("30") > 4


def test_samples_are_judged_as_shown(capsys):
    rng = np.random.default_rng(0)
    train, test = (
        pa.table({"income": rng.choice(["low", "high"], 60), "age": rng.integers(18, 90, 60)}) for _ in range(2)
    )
    text = README.read_text(encoding="utf-8")
    example, shown = re.findall(r"```python\n([^`]*evaluate\.judge[^`]*)```\s+```\n(.*?)```", text, re.DOTALL)[0]
    # What is shown is of a network, which is no matter here.
    example = example.replace("Autoregressive", "Independent")
    exec(example, {"landmass": landmass, "train": train, "test": test})

    def measures(output):
        return [re.split(r" {2,}|,", line.strip())[0] for line in output.splitlines()[:10]]

    assert measures(capsys.readouterr().out) == measures(shown)
