"""The lessons run at small size, draw what they say, and teach what they claim."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.lesson

EXAMPLES = Path(__file__).parents[1] / "examples"
LESSONS = sorted(path.stem for path in EXAMPLES.glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


def lesson(name):
    """The script as a module, which finds its helper beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        spec = importlib.util.spec_from_file_location(f"lesson_{name}", EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def learn(figures):
    """Runs a lesson once, and says what it measured."""
    return functools.cache(lambda name: lesson(name).main(small=True, out=figures))


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_draws_a_figure_that_is_not_blank(name, learn, figures):
    measured = learn(name)
    assert all(np.isfinite(list(measured.values())))
    with Image.open(figures / f"{name}.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert min(pixels.shape) > 300
    # Paper alone, or an empty frame on it, is of one grey nearly everywhere.
    assert (pixels != np.bincount(pixels.ravel()).argmax()).mean() > 0.01


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_is_listed_in_the_readme(name):
    assert f"[{name}.py]({name}.py)" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_classifier_and_densities_agree_on_land(learn):
    found = learn("land_or_water")
    assert min(found["classifier right"], found["densities right"]) > 0.9
    assert found["agreement"] > 0.92
    assert found["correlation"] > 0.7


def test_only_the_network_sees_the_interaction(learn):
    found = learn("linear_or_not")
    assert abs(found["linear"] - 0.5) < 0.05
    assert found["mlp"] > found["linear"] + 0.4
    assert found["Bayes"] - 0.02 < found["mlp"] < found["Bayes"] + 0.005


def test_without_batch_norm_the_deep_network_is_twice_as_bad(learn):
    found = learn("batch_norm")
    assert found["without"] > 2.0 * found["with batch norm"]


def test_dropout_halves_the_gap_and_betters_the_held_out_score(learn):
    found = learn("dropout")
    assert found["gap, with"] < 0.5 * found["gap, without"]
    assert found["held out, with"] < found["held out, without"]


def test_losses_are_minus_log_densities_but_for_a_factor_and_a_constant(learn):
    found = learn("losses_are_likelihoods")
    assert found["classifier"] == pytest.approx(found["log_loss"], abs=1e-5)
    for head in ("squared_error", "absolute_error"):
        assert found[f"{head}: off the line"] < 1e-4
        assert found[f"{head}: off"] < 1e-4


def test_heavy_tails_resist_outliers_and_a_mixture_finds_them(learn):
    found = learn("losses_on_outliers")
    assert found["absolute_error: off"] < 0.3 * found["squared_error: off"]
    assert found["squared_error"] < found["absolute_error"] < found["mixture"] < found["truth"]


def test_optimisers_all_go_downhill(learn):
    found = learn("optimisers")
    # Land or sea by its share of the map alone: 0.635 nats.
    assert max(found.values()) < 0.55


def test_smiles_are_judged_against_what_can_be_known(learn):
    # So few faces and steps teach nothing yet: only the judging is tested.
    found = learn("smiling")
    assert 0.85 < found["Bayes AUC"] < 1.0
    assert found["AUC"] < found["Bayes AUC"]


def test_folder_of_ones_own_may_hold_any_classes_and_no_chances(tmp_path):
    shade = {"dark": 40, "middle": 120, "light": 220}
    rng = np.random.default_rng(0)
    for name, grey in shade.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(40):
            pixels = np.clip(rng.normal(grey, 20.0, (32, 32)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    found = lesson("smiling").main(small=True, out=tmp_path / "figures", folder=tmp_path / "photos", target="class")
    assert found["right"] > 0.9
    assert "Bayes AUC" not in found
    assert (tmp_path / "figures" / "smiling.png").is_file()


def test_three_ways_end_at_one_maximum(learn):
    found = learn("three_ways_to_the_maximum")
    assert found["EM"] == pytest.approx(found["closed form"], abs=0.02)
    assert found["gradient"] == pytest.approx(found["closed form"], abs=0.02)
    assert max(found.values()) < found["closed form"] + 1e-4


def test_ghosts_stand_between_pictures_and_none_between_codes(learn):
    found = learn("between")
    assert found["pixels: more unlike"] > 3.0
    assert found["codes: more unlike"] < 0.5 * found["pixels: more unlike"]


def test_dear_codes_tell_less(learn):
    found = learn("beta")
    nats, errors = ([found[f"{beta}: {name}"] for beta in (0, 1, 8)] for name in ("nats of the code", "error"))
    assert nats == sorted(nats, reverse=True)
    assert errors == sorted(errors)


def test_cylinders_grow_when_asked(learn):
    found = learn("taller")
    assert 1.0 <= found["used"] <= 6.0
    assert found["radius"] > 0.5
    assert found["taller"] > 0.02


def test_faces_change_where_asked(learn):
    found = learn("hair_width_smile")
    assert found["hair_colour"] > 0.3
    assert found["hair_colour: others"] < 0.1
