"""Edits on the real command line: which attributes stay, whose directions are followed, and what the help shows."""

import shlex
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import landmass
from landmass.data.builtin.drawn import DRAWN
from tests.cli.conftest import Call, cells, grey, printed, table

EVENTS = cells(table(200, 0))


def fitted() -> landmass.ProbabilisticPCA:
    rows = pd.DataFrame(EVENTS, columns=["a", "b", "c"])
    return landmass.ProbabilisticPCA(n_components=2, random_state=0).fit(rows)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of rows without directions."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted().save(folder)
    return folder


def labelled(**more: list[str]) -> None:
    """Write rows with an age and a make, and with further columns."""
    read = pd.DataFrame([line.split(",")[:5] for line in table(200, 2).splitlines()[1:]])
    read.columns = ["a", "b", "c", "age", "make"]
    for name, values in more.items():
        read[name] = values
    read.to_csv("labelled.csv", index=False)


def test_columns_that_nobody_asked_for_do_not_stop_an_edit(call: Call, saved: Path):
    labelled()
    expected = printed(call("edit", str(saved), "labelled.csv", "age=1"))[1]
    labelled(year=["1999"] * 200, sold=["yes"] * 198 + ["no"] * 2)
    np.testing.assert_array_equal(printed(call("edit", str(saved), "labelled.csv", "age=1"))[1], expected)
    asked = call("edit", str(saved), "labelled.csv", "year=1")
    assert asked.code == 2
    assert "attribute 'year' has one class only" in asked.err


def test_doubled_column_is_held_only_if_asked_for(call: Call, saved: Path):
    labelled()
    expected = printed(call("edit", str(saved), "labelled.csv", "age=1"))[1]
    ages = pd.read_csv("labelled.csv")["age"]
    labelled(months=[f"{12 * age}" if age == age else "" for age in ages])
    answer = call("edit", str(saved), "labelled.csv", "age=1")
    np.testing.assert_allclose(printed(answer)[1], expected, rtol=1e-6, atol=1e-6)
    assert "The codes tell 'months' as one with 'age'" in answer.err
    held = call("edit", str(saved), "labelled.csv", "age=1", "--hold", "months")
    assert held.code == 2
    assert "hold fewer of them, with --hold A,B, or none, with --free" in held.err
    assert "orthogonal" not in held.err
    both = call("edit", str(saved), "labelled.csv", "age=1", "--hold", "age,make")
    assert both.code == 2
    assert "attribute 'age' is to change and to stay" in both.err


def test_directions_that_were_saved_are_followed_where_events_have_no_labels(call: Call, tmp_path: Path):
    model = fitted()
    lines = [line.split(",") for line in table(200, 0).splitlines()[1:]]
    age = np.array([float(line[3]) if line[3] else np.nan for line in lines])
    found = model.directions(EVENTS, {"age": age, "make": np.array([line[4] for line in lines])})
    model.save(tmp_path / "model")
    np.savetxt("plain.csv", EVENTS[:30], delimiter=",", header="a,b,c", comments="")
    answer = call("edit", "model", "plain.csv", "age=1")
    assert "directions are those that were saved with the model" in answer.err
    assert str(found) in answer.err
    for words, settings in (([], {}), (["--free"], {"orthogonal": False}), (["--hold", "make"], {"hold": "make"})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = model.edit(EVENTS[:30], age=1.0, **settings).to_numpy()
        np.testing.assert_array_equal(printed(call("edit", "model", "plain.csv", "age=1", *words))[1], expected)
    unknown = call("edit", "model", "plain.csv", "aeg=1")
    assert unknown.code == 2
    assert "no attribute is called 'aeg'; did you mean 'age'?" in unknown.err
    # Labels at hand are learned from.
    labelled()
    assert "saved with the model" not in call("edit", "model", "labelled.csv", "age=1").err
    assert "saved with the model" in call("edit", "model", "plain.csv", "age=1").err


def test_labelled_pictures_become_black_and_white_as_those_to_edit(call: Call):
    pictures = grey(40)
    np.savez("grey.npz", **pictures)
    black = landmass.read("grey.npz", binary="threshold")
    landmass.VAE(latents=2, hidden=8, max_steps=2, random_state=0).fit(black).save("model")
    np.savez("new.npz", images=pictures["images"][:3])
    words = ("edit", "model", "new.npz", "level=1", "--attributes", "grey.npz", "--out", "edited.npz")
    assert "(on the shell: --binary)" in call(*words).err
    answer = call(*words, "--binary", "threshold")
    assert answer.code == 0, answer.err
    assert np.load("edited.npz")["images"].shape == (3, 8, 8, 1)


def test_examples_of_the_help_name_labels_that_there_are(call: Call):
    lines = [shlex.split(line) for line in call("edit", "--help").out.splitlines() if "landmass edit runs/" in line]
    drawn = [words for words in lines if words[3] in DRAWN]
    assert drawn
    for words in drawn:
        labels = landmass.read(words[3], n=1).labels
        steps = [word.split("=")[0] for word in words[4:] if "=" in word]
        held = words[words.index("--hold") + 1].split(",") if "--hold" in words else []
        assert steps
        assert {*steps, *held} <= set(labels)
