"""The face of models with codes: encode, decode, interpolate, edit by attribute, and what is refused."""

import warnings

import jaxtyping
import numpy as np
import pytest
from sklearn.decomposition import PCA

import landmass
from landmass import Bounded, DataError, Dataset, Images, Positive, Real, Schema, SettingError
from landmass.estimator.latent import between

RNG = np.random.default_rng(0)


def rows(n, seed=0):
    """Five columns that two hidden numbers make, with a little noise; and these numbers."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    mix = np.array([[1.0, 0.5, 0.0, -1.0, 2.0], [0.0, 1.0, -2.0, 0.5, 0.3]])
    return hidden @ mix + 0.05 * rng.normal(size=(n, 5)), hidden


X, HIDDEN = rows(800)
NEW, NEW_HIDDEN = rows(100, seed=1)


@pytest.fixture(scope="module", params=["probabilistic_pca", "vae", "auto_encoder"])
def model(request):
    if request.param == "probabilistic_pca":
        return landmass.ProbabilisticPCA(n_components=2, random_state=0).fit(X)
    kind = landmass.VAE if request.param == "vae" else landmass.AutoEncoder
    return kind(latents=2, hidden=32, max_steps=1500, learning_rate=0.01, random_state=0).fit(X)


def test_codes_keep_what_events_are_made_of(model):
    codes = model.encode(NEW)
    assert codes.shape == (100, 2)
    design = np.column_stack([codes, np.ones(100)])
    left = NEW_HIDDEN - design @ np.linalg.lstsq(design, NEW_HIDDEN, rcond=None)[0]
    assert (left.var(0) < 0.05 * NEW_HIDDEN.var(0)).all()
    again = model.decode(codes)
    np.testing.assert_array_equal(again, model.reconstruct(NEW))
    # PCA of two components is the best linear map, and leaves the noise alone.
    best = PCA(2).fit(X)
    least = ((NEW - best.inverse_transform(best.transform(NEW))) ** 2).mean()
    assert ((NEW - again) ** 2).mean() < 20.0 * least


def test_decoded_is_the_mean_of_real_columns_and_the_median_of_positive_ones():
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=(2000, 1))
    noisy = hidden + 0.8 * rng.normal(size=(2000, 2))
    events = np.column_stack([np.exp(noisy[:, 0]), noisy[:, 1]])
    schema = Schema((Positive(name="weight"), Real(name="x")))
    model = landmass.ProbabilisticPCA(n_components=1, random_state=0).fit(Dataset(events, schema))
    # Events and codes as the model has them together; those of the codes near to 1.
    drawn = model.sample(200_000, random_state=0)
    near = drawn[np.abs(model.encode(drawn, draw=True, random_state=1)[:, 0] - 1.0) < 0.05]
    weight, x = model.decode([[1.0]])[0]
    # Five standard errors: a median's is √(π/2) times a mean's, of numbers that vary by less than 1.
    error = 5.0 / np.sqrt(len(near))
    assert x == pytest.approx(near[:, 1].mean(), abs=error)
    assert np.log(weight) == pytest.approx(np.log(np.median(near[:, 0])), abs=np.sqrt(np.pi / 2) * error)
    # The control: the mean is another.
    assert near[:, 0].mean() > 1.2 * weight


def test_an_event_is_encoded_and_decoded_the_same_in_any_company(model):
    np.testing.assert_array_equal(model.encode(NEW)[7:9], model.encode(NEW[7:9]))
    codes = model.encode(NEW)
    np.testing.assert_array_equal(model.decode(codes)[7:9], model.decode(codes[7:9]))


def test_draws_of_codes_are_as_wide_as_the_posterior(model):
    mean, scale = model.posterior(NEW[:1])
    drawn = model.encode(np.repeat(NEW[:1], 4000, axis=0), draw=True, random_state=0)
    np.testing.assert_allclose(drawn.mean(0), mean[0], atol=6.0 * scale.max() / np.sqrt(4000) + 1e-9)
    np.testing.assert_allclose(drawn.std(0), scale[0], rtol=0.1, atol=1e-9)


def test_edit_moves_an_attribute_as_asked_and_leaves_the_other(model):
    found = model.directions(X, {"first": HIDDEN[:, 0], "second": HIDDEN[:, 1]})
    assert min(found.quality) > 0.95
    # The first column is the first hidden number, the third is minus twice the second.
    before, after = model.reconstruct(NEW), model.edit(NEW, first=1.0)
    unit = HIDDEN[:, 0].std()
    assert (after - before)[:, 0].mean() == pytest.approx(unit, rel=0.1)
    assert abs((after - before)[:, 2].mean()) < 0.1 * 2.0 * unit
    np.testing.assert_allclose(model.edit(NEW, {"first": 0.0}), before, rtol=1e-6, atol=1e-6)


def test_doubles_are_held_only_if_asked_for(model):
    smiling = np.where(HIDDEN[:, 0] > 0.0, "yes", "no")
    model.directions(X, {"smile": HIDDEN[:, 0], "smiling": smiling, "width": HIDDEN[:, 1]})
    before, after = model.reconstruct(NEW), model.edit(NEW, smiling=1.0)
    # Half of the way between the mean codes of a normal number's two signs: √(2/π) of its deviation.
    assert (after - before)[:, 0].mean() == pytest.approx(np.sqrt(2.0 / np.pi) * HIDDEN[:, 0].std(), rel=0.15)
    np.testing.assert_array_equal(model.edit(NEW, smiling=1.0, hold=["width"]), after)
    with pytest.raises(DataError, match=r"hold fewer of them, with hold=\[…\], or none, with orthogonal=False"):
        model.edit(NEW, smiling=1.0, hold=["smile", "width"])


def test_far_edits_are_warned_of_with_their_distance(model):
    model.directions(X, {"first": HIDDEN[:, 0]})
    with pytest.warns(UserWarning, match="times as far from the middle as the training codes"):
        model.edit(NEW[:3], first=40.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        middle = np.argsort((NEW_HIDDEN**2).sum(1))[:3]
        model.edit(NEW[middle], first=0.5)


def test_names_and_directions_come_back(model, tmp_path):
    found = model.directions(X, {"first": HIDDEN[:, 0], "large": np.where(HIDDEN[:, 1] > 0, "yes", "no")})
    model.name_latents({1: "width"})
    model.save(tmp_path / "model")
    read = landmass.load(tmp_path / "model")
    assert read.latent_names_ == ("latent_0", "width")
    np.testing.assert_array_equal(read.directions_.matrix, found.matrix)
    assert str(read.directions_) == str(found)
    np.testing.assert_array_equal(read.edit(NEW[:5], large=1), model.edit(NEW[:5], large=1))


def test_latents_are_named_by_their_numbers_with_words_that_differ(model, monkeypatch):
    # As users have it: the tests' own type checks would refuse some of these first.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model.name_latents({np.int64(1): np.str_("width")})
    assert model.latent_names_ == ("latent_0", "width")
    for wrong, told in (
        ({2: "x"}, r"counted from 0 to 1, got names for \[2\]"),
        (["a", "b", "c"], r"counted from 0 to 1, got names for \[0, 1, 2\]"),
        ({"latent_0": "w"}, r"counted from 0 to 1, got names for \['latent_0'\]; give their numbers"),
        ({0: 5}, r"words, got \[5, 'width'\]"),
        ({0: ""}, "words, got"),
        ({0: " "}, "words, got"),
        ({0: None}, "words, got"),
        ({0: "width"}, "names that differ"),
        ("ab", "got the one word 'ab'"),
    ):
        with pytest.raises(SettingError, match=told):
            model.name_latents(wrong)
    assert model.latent_names_ == ("latent_0", "width")


def test_events_outside_the_sample_space_have_no_code():
    events = np.column_stack([np.exp(X[:, 0]), np.tanh(X[:, 1]), X[:, 2]])
    schema = Schema((Positive(name="weight"), Bounded(name="share", low=-1.0, high=1.0), Real(name="x")))
    model = landmass.ProbabilisticPCA(n_components=1, random_state=0).fit(Dataset(events, schema))
    assert np.isfinite(model.encode(events)).all()
    for column, value, told in (
        (0, -5.0, r"'weight' holds -5 \(row 3, .* allows numbers above 0"),
        (0, 0.0, r"'weight' holds 0 \(row 3"),
        (1, 1.5, r"'share' holds 1\.5 \(row 3, counted from 0; 1 such values\), but its schema allows -1 to 1"),
    ):
        wrong = events[:5].copy()
        wrong[3, column] = value
        for question in (model.encode, model.posterior, model.reconstruct):
            with pytest.raises(DataError, match=told):
                question(wrong)


def test_interpolation_begins_and_ends_at_the_events(model):
    way = model.interpolate(NEW[:1], NEW[1:2], 5)
    np.testing.assert_allclose(way[[0, -1]], model.reconstruct(NEW[:2]), rtol=1e-5, atol=1e-5)
    codes = model.encode(NEW[:2])
    np.testing.assert_allclose(way[2], model.decode(codes.mean(0)[None])[0], rtol=1e-5, atol=1e-5)


def test_spherical_way_turns_evenly():
    first, last = np.array([2.0, 0.0]), np.array([0.0, 4.0])
    way = between(first, last, 5, "spherical")
    angle = np.arctan2(way[:, 1], way[:, 0])
    np.testing.assert_allclose(angle, np.linspace(0.0, np.pi / 2, 5), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), [2.0, 2.5, 3.0, 3.5, 4.0])
    np.testing.assert_allclose(between(first, 2 * first, 3, "spherical"), [[2, 0], [3, 0], [4, 0]])


def test_spherical_way_from_a_code_of_zeros_is_straight():
    zero, code = np.zeros(2), np.array([0.0, 4.0])
    np.testing.assert_array_equal(between(zero, code, 3, "spherical"), [[0, 0], [0, 2], [0, 4]])
    np.testing.assert_array_equal(between(code, zero, 3, "spherical"), [[0, 4], [0, 2], [0, 0]])


def test_unknown_way_is_refused(model, monkeypatch):
    # As users have it: the tests' own type checks would refuse the word first.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(SettingError, match="how must be one of straight, spherical, got 'linear'"):
        model.interpolate(NEW[:1], NEW[1:2], 5, how="linear")


def test_what_cannot_be_coded_is_refused(model):
    with pytest.raises(DataError, match=r"codes have shape \(events, 2\) here, found \(3, 5\)"):
        model.decode(np.zeros((3, 5)))
    model.name_latents({1: "width"})
    with pytest.raises(DataError, match=r"latent 1 \('width'\) of row 2 is nan .* 1 such values"):
        model.decode(np.array([[0.0, 1.0], [0.0, 2.0], [0.0, np.nan]]))
    for words in ([["0", "much"]], [[0.0, 1.0], [2.0]], [[None, {}]]):
        with pytest.raises(DataError, match="codes are numbers, as many in each row"):
            model.decode(words)
    with pytest.raises(DataError, match="there are 2 and 1"):
        model.interpolate(NEW[:2], NEW[:1])
    with pytest.raises(SettingError, match="n must be at least 2"):
        model.interpolate(NEW[:1], NEW[:1], 1)
    with pytest.raises(DataError, match="is expecting 5"):
        model.encode(NEW[:, :3])
    with pytest.raises(DataError, match="has 19 labelled events, of which 20 are needed"):
        model.directions(X[:19], {"first": HIDDEN[:19, 0]})
    with pytest.raises(DataError, match="one class"):
        model.directions(X, {"all": np.full(800, "yes")})
    with pytest.raises(DataError, match="give attributes="):
        model.directions(X)
    model.directions(X, {"first": HIDDEN[:, 0]})
    with pytest.raises(DataError, match="did you mean 'first'"):
        model.edit(NEW, frist=1)


def test_edit_needs_directions_and_codes_a_single_member():
    fresh = landmass.ProbabilisticPCA(n_components=1, random_state=0).fit(X)
    with pytest.raises(SettingError, match="call directions"):
        fresh.edit(NEW, first=1)
    several = landmass.VAE(latents=2, hidden=4, max_steps=2, members=2, random_state=0).fit(X)
    assert np.isfinite(several.score_samples(NEW)).all()
    for question in (several.encode, several.reconstruct, lambda x: several.directions(x, {"a": HIDDEN[:100, 0]})):
        with pytest.raises(SettingError, match="has 2 members, each with codes of its own"):
            question(NEW)


def test_labels_that_images_come_with_are_the_attributes():
    X = RNG.integers(0, 256, (60, 2, 2, 1), np.uint8)
    labels = {"bright": X[:, 0, 0, 0].astype(float), "side": np.where(X[:, 0, 1, 0] > 99, "left", "right")}
    images = Images(X, {**labels, "file": np.array([f"{i}.png" for i in range(60)])})
    model = landmass.ProbabilisticPCA(n_components=3, random_state=0).fit(images)
    assert model.directions(images).names == ("bright", "side")
    # Those of which nothing can be learned are left out.
    rare = np.array(["yes"] * 57 + ["no"] * 3)
    more = Images(X, {**labels, "year": np.full(60, 1999.0), "rare": rare, "gap": np.full(60, np.nan)})
    assert model.directions(more).names == ("bright", "side")
    with pytest.raises(DataError, match="no direction can be learned of bright, side; give attributes="):
        model.directions(Images(X[:9], {name: values[:9] for name, values in labels.items()}))
    edited = model.edit(images, bright=1.0)
    assert edited.shape == (60, 2, 2, 1)
    assert edited.dtype == np.uint8
