"""What pages say and show of models whose images have codes."""

import re

import numpy as np
import pytest
from matplotlib.image import imread

import landmass
from landmass.data.binary import as_binary
from landmass.data.images import from_array
from landmass.errors import DataError, SettingError
from landmass.report import image_densities, latent_story, write_report
from landmass.report.codes import Coded
from landmass.report.edit_table import edits_of
from landmass.report.latents import edits, interpolations, latent_map, reconstructions, traversals
from landmass.report.style import DARK
from landmass.train.directions import directions
from landmass.train.progress import Progress

COMPILES = True

RNG = np.random.default_rng(0)
SMALL = {"architecture": "mlp", "hidden": 8, "max_steps": 40, "batch_size": 64, "draws": 2, "random_state": 0}


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.fixture(scope="module")
def ladder():
    images = landmass.cylinders(240, size=16)
    radius, height = images.labels["radius"], images.labels["height"]
    wide = np.where(radius / height > np.median(radius / height), "wide", "narrow")
    labels = {**images.labels, "kind": wide, "breadth": 2.0 * radius, "colour": np.full(240, "grey")}
    images = from_array(images.X, labels, "cylinders")
    vae = landmass.VAE(latents=2, **SMALL)
    return landmass.Ladder(["uniform_box", landmass.ProbabilisticPCA(n_components=3), vae], random_state=0).fit(images)


@pytest.fixture(scope="module")
def page(ladder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cylinders")
    return write_report(ladder, folder).read_text(), folder / "figures"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Black and white images without labels, and a rung whose codes are one number each."""
    images = as_binary(landmass.cylinders(120, size=16), "threshold")
    images = landmass.Images(images.X, binary="yes")
    ladder = landmass.Ladder(["uniform_box", landmass.VAE(latents=1, **SMALL)], random_state=0).fit(images)
    folder = tmp_path_factory.mktemp("one")
    return ladder, write_report(ladder, folder).read_text(), folder / "figures"


class ByHand(landmass.ProbabilisticPCA):
    """Four latents: one moves all pixels a little, one is unused, one moves half of them widely, one hardly moves."""

    n_latents_ = 4

    def _posterior(self, Z):
        z = Z.reshape(len(Z), -1)[:, :4].astype(float) / 50.0 - 2.0
        return z * [1.0, 0.0, 1.0, 1.0], np.full((len(Z), 4), 0.1)

    def _means(self, codes):
        half = np.repeat([1.0, 0.0], 32)
        loadings = np.stack([np.full(64, 5.0), np.zeros(64), 40.0 * half, 0.5 * half])
        return np.clip(128.0 + codes @ loadings, 0.0, 255.0).reshape(-1, 8, 8, 1)


@pytest.fixture(scope="module")
def by_hand():
    X = RNG.integers(0, 200, (60, 8, 8, 1), np.uint8)
    return ByHand(n_components=1).fit(X), X


def test_strips_are_ordered_by_their_effect(by_hand):
    figure = traversals(*by_hand)
    names = [text for text in texts(figure) if text.startswith("latent_")]
    assert names == ["latent_2", "latent_0", "latent_3"]
    assert len(figure.axes[0].images) == 3 * 9
    assert "Unused, so that next to nothing changes along them: latent_1." in texts(figure)


def test_told_change_is_the_decoders(by_hand):
    coded = Coded.of(*by_hand)
    spread = np.sqrt(coded.means[:, 0].var() + 0.01)
    # Five greys for each unit of latent 0 on every pixel; bytes are rounded.
    expected = 5.0 * spread * np.sqrt((np.linspace(-2.0, 2.0, 9) ** 2).mean())
    assert coded.effects(coded.middle)[0] == pytest.approx(expected, abs=0.5)


def test_strip_goes_around_the_code_that_is_asked_for(by_hand):
    model, X = by_hand
    coded = Coded.of(model, X)
    which = int(coded.means[:, 0].argmax())
    middle, around = (traversals(model, X, DARK, around=i).axes[0].images[4].get_array() for i in (None, which))
    code = coded.means[which]
    code[2] = coded.middle[2]
    assert np.array_equal(around, model.decode(code[None])[0, ..., 0]) and not np.array_equal(around, middle)


def test_left_out_latents_are_counted():
    X = RNG.integers(0, 256, (80, 8, 8, 1), np.uint8)
    model = landmass.ProbabilisticPCA(n_components=12).fit(X)
    assert "Left out: 4 more latents, which change the image less." in texts(traversals(model, X))


def test_map_is_of_the_two_latents_that_matter_most(by_hand):
    figure = latent_map(*by_hand)
    axes, scatter = figure.axes
    assert axes.get_xlabel().startswith("latent_2") and axes.get_ylabel().startswith("latent_0")
    # The brightest picture of latent 2 stands at the right, that of latent 0 at the top.
    picture = axes.images[0].get_array()
    assert picture[-8:-4, -8:].mean() > picture[-8:-4, :8].mean() and picture[:8].mean() > picture[-8:].mean()
    assert len(scatter.collections[0].get_offsets()) == 60


def test_map_is_coloured_by_the_labels_that_it_tells_best(by_hand):
    model, X = by_hand
    codes = Coded.of(model, X).means
    labels = {"noise": RNG.normal(size=60), "size": codes[:, 2], "kind": np.where(codes[:, 0] > 0, "big", "small")}
    labels["size"][0] = np.nan
    figure = latent_map(model, X, labels=labels)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "where images lie, by size" in titles and "where images lie, by kind" in titles
    assert not any("noise" in each for each in titles)
    coloured = figure.axes[titles.index("where images lie, by size")].collections[0]
    assert np.array_equal(coloured.get_array(), labels["size"][1:])


def test_map_needs_two_latents(one):
    with pytest.raises(DataError, match="a map needs two latents that are used"):
        latent_map(one[0].rungs_["vae"], one[0].test_)


def test_figures_are_of_images_with_codes():
    rows = landmass.ProbabilisticPCA(n_components=1).fit(RNG.normal(size=(50, 3)))
    with pytest.raises(DataError, match="models of images with codes"):
        traversals(rows, RNG.normal(size=(50, 3)))


def test_colour_images_are_drawn_in_colour():
    X = (RNG.integers(0, 206, (60, 1, 1, 3)) + RNG.integers(0, 50, (60, 6, 9, 3))).astype(np.uint8)
    model = landmass.ProbabilisticPCA(n_components=3).fit(X)
    found = directions(model.encode(X), {"red": X[..., 0].mean((1, 2)), "blue": X[..., 2].mean((1, 2)) > 127})
    figures = [
        traversals(model, X),
        reconstructions(model, X[:5]),
        interpolations(model, [X[:2]]),
        edits(model, X, found),
    ]
    for figure in figures:
        assert all(image.get_array().shape == (6, 9, 3) for image in figure.axes[0].images)
    assert latent_map(model, X).axes[0].images[0].get_array().shape == (11 * 6, 11 * 9, 3)
    assert len(figures[1].axes[0].images) == 3 * 5


def test_edit_table_tells_what_came_and_what_came_along():
    colours = RNG.integers(40, 180, (600, 1, 1, 3))
    X = (colours + RNG.integers(0, 40, (600, 6, 6, 3))).astype(np.uint8)
    labels = {"red": colours[:, 0, 0, 0].astype(float), "blue": np.where(colours[:, 0, 0, 2] > 110, "much", "little")}
    images = from_array(X, labels, "colours")
    model = landmass.ProbabilisticPCA(n_components=3).fit(images)
    few = images.take(np.arange(150))
    edited = edits_of(Coded.of(model, few), directions(model.encode(images), labels), images.X, images.labels, {})
    # The model is linear, and so are the colours.
    place = edited.found.names.index("red")
    assert edited.changes["red"]["red"].mean == pytest.approx(edited.found.units[place], rel=0.15)
    assert abs(edited.changes["red"]["blue"].mean) < 0.05
    assert edited.changes["blue"]["blue"].mean > 0.2
    assert [row[0] for row in edited.rows()] == list(edited.found.names)
    assert all(other in row[4] for row, other in zip(edited.rows(), reversed(edited.found.names), strict=True))
    assert "seen as much" in edited.html()
    assert edits_of(Coded.of(model, images.take(np.arange(10))), edited.found, images.X, images.labels, {}) is None


def test_attributes_that_codes_do_not_tell_are_not_edited(by_hand):
    model, X = by_hand
    codes = model.encode(X)
    found = directions(codes, {"chance": RNG.normal(size=60), "size": codes[:, 2]})
    assert len(edits(model, X, found).axes[0].images) == 2 * 5
    with pytest.raises(DataError, match="the codes tell nothing of chance"):
        edits(model, X, found.only("chance"))


def test_ways_lead_from_one_image_to_the_other(by_hand):
    model, X = by_hand
    pictures = [image.get_array() for image in interpolations(model, [X[:2]]).axes[0].images]
    assert np.array_equal(pictures[0], X[0, ..., 0]) and np.array_equal(pictures[8], X[1, ..., 0])
    assert np.array_equal(pictures[4], np.round(X[:2].mean(0))[..., 0])
    assert np.array_equal(pictures[9], model.reconstruct(X[:1])[0, ..., 0])
    with pytest.raises(DataError, match="a pair holds 3"):
        interpolations(model, [X[:3]])


def test_edits_change_what_they_say(ladder):
    model, images = ladder.rungs_["probabilistic_pca"], ladder.train_
    found = directions(model.encode(images), {"height": images.labels["height"]})
    figure = edits(model, ladder.test_, found)
    rows = [image.get_array() for image in figure.axes[0].images]
    codes = model.encode(ladder.test_)[:1]
    assert len(rows) == 2 * 5 and np.array_equal(rows[2], model.decode(codes)[0, ..., 0])
    probe = [found.weights[0] @ model.encode(row.astype(np.uint8)[None, ..., None])[0] for row in rows[:5]]
    assert np.all(np.diff(probe) > 0.0)


def test_page_shows_each_rung_with_codes(page):
    for rung in ("probabilistic_pca", "vae"):
        for name in ("traversals", "reconstructions", "interpolations", "nearest", "edits"):
            picture = imread(page[1] / f"{rung}_{name}.png")[..., :3].reshape(-1, 3)[::53]
            assert len(np.unique((255 * picture).astype(int) @ [1, 256, 65_536])) > 10
    assert (page[1] / "probabilistic_pca_map.png").is_file()
    assert not (page[1] / "uniform_box_traversals.png").exists()


def test_page_says_what_codes_are_and_which_latents_are_used(ladder, page):
    assert "The probabilistic PCA describes an image by 3 numbers, the latents, in place of the 256" in page[0]
    model = ladder.rungs_["probabilistic_pca"]
    m, s = model.posterior(ladder.test_)
    nats = (0.5 * (m**2 + s**2 - 1.0) - np.log(s)).mean(0).sum()
    assert f"All 3 latents are used; they carry {nats:.3g} nats an image." in page[0]


def test_page_tells_whether_draws_are_copies(page):
    told = re.findall(r"(\d+) of 64 drawn images lie at least three times as near to one training image", page[0])
    assert len(told) == 2 and "no sign that the model knows training images by heart" in page[0]


def test_page_lists_directions_of_numbers_and_of_two_classes(ladder, page):
    assert not hasattr(ladder.rungs_["vae"], "directions_")
    for name in ("radius", "height", "kind"):
        assert re.search(rf'<th scope="row">{name}</th><td>(R²|AUC) [\d.−-]+</td>', page[0])
    assert "half from narrow to wide" in page[0] and '<th scope="row">colour</th>' not in page[0]
    assert re.search(
        "The codes tell .breadth. as one with .radius.: neither can be held", page[0].replace("&#x27;", "'")
    )
    assert '<th scope="row">breadth</th>' not in page[0]


def test_page_says_what_a_bound_is(page):
    assert "≥ marks a bound: the exact number is not known, only that it is no lower" in page[0]
    assert "8 bits say it without any model" in page[0]


def test_page_of_black_and_white_and_one_latent(one):
    _, page, figures = one
    assert "one of 2 values, and 1 bit says it without any model" in page and "black and white images" in page
    assert "describes an image by one number, a latent," in page
    assert "grey stands for how likely white is" in page
    assert "VAE, which scores at least" in page and "is typically at least exp(" in page
    assert (figures / "training.png").is_file()
    assert (figures / "vae_traversals.png").is_file() and not (figures / "vae_map.png").exists()
    assert "more of an attribute" not in page


def test_loss_that_weighs_its_parts_is_no_curve_of_log_likelihoods():
    looks = tuple(Progress("advanced", step=step, loss=9.0, score=-8.0) for step in (10, 20))
    for beta, train in ((1.0, [-9.0, -9.0]), (4.0, [np.nan, np.nan])):
        vae = landmass.VAE(beta=beta)
        vae.history_ = looks
        found = image_densities._curve(vae)
        np.testing.assert_array_equal(found.train, train)
        assert found.held_out.tolist() == [-8.0, -8.0]


def test_run_read_back_says_what_is_left_out(ladder, tmp_path):
    ladder.save(tmp_path / "run")
    loaded = landmass.load(tmp_path / "run")
    # Directions are saved with a model, and need no images to be shown.
    loaded.rungs_["probabilistic_pca"].directions(ladder.train_, {"tall": ladder.train_.labels["height"]})
    page, figures = write_report(loaded, tmp_path).read_text(), tmp_path / "figures"
    assert "The images that this run was fitted to are not at hand" in page and "drew itself" in page
    assert (figures / "vae_traversals.png").is_file() and not (figures / "vae_reconstructions.png").exists()
    assert "draw copies?" not in page and not (figures / "vae_edits.png").exists()
    assert '<th scope="row">tall</th>' in page and (figures / "probabilistic_pca_edits.png").is_file()


class Several(ByHand):
    @property
    def n_latents_(self):
        raise SettingError("there are 2 members, each with codes of its own")


def test_members_with_codes_of_their_own_are_told(tmp_path):
    told = latent_story.measure("several", Several(), None, None, {})
    assert latent_story.section(told, tmp_path) == "<p>there are 2 members, each with codes of its own.</p>"
