import dataclasses
import math
import re
from html import unescape

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.image import imread
from scipy.stats import binom, binomtest, laplace, norm
from sklearn.metrics import confusion_matrix, r2_score, roc_auc_score

import landmass
from landmass.data.images import from_array
from landmass.evaluate.calibration import reliability
from landmass.report import classes, numbers, pictures, prediction_story, strange, write_report
from landmass.report.answers import LEVELS, Classified, Estimated, expected_error, measure_answers
from landmass.report.style import LIGHT, look

COMPILES = True

HOSTILE = ["<script>alert(1)</script>", "a$b$ \"q\" & 'x'", "漢字 x\ny", "Donaudampfschifffahrtsgesellschaft" * 3]


def page_of(tmp_path_factory, name, rung, data, **given):
    ladder = landmass.Ladder({"net": rung}).fit(data, **given)
    folder = tmp_path_factory.mktemp(name)
    return ladder, folder, write_report(ladder, folder).read_text()


@pytest.fixture(scope="module")
def visitors(tmp_path_factory):
    rung = landmass.NeuralClassifier(hidden=32, max_steps=150, learning_rate=0.02, watch=True)
    return page_of(tmp_path_factory, "visitors", rung, landmass.examples("visitors", n=1_500))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    rung = landmass.NeuralClassifier(architecture="linear", max_steps=60)
    return page_of(tmp_path_factory, "digits", rung, landmass.examples("digits", n=500))


@pytest.fixture(scope="module")
def price(tmp_path_factory):
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=600) for name in HOSTILE}
    target = 100.0 + 10.0 * columns[HOSTILE[0]] + rng.normal(size=600)
    rung = landmass.NeuralRegressor(architecture="linear", max_steps=150, learning_rate=0.05)
    return page_of(tmp_path_factory, "price", rung, pa.table({**columns, "<b>$p$": target}), target="<b>$p$")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    rng = np.random.default_rng(1)
    place = rng.integers(0, 4, 300)
    X = rng.normal(size=(300, 2)) + 3.0 * np.column_stack([place % 2, place // 2])
    train = landmass.Examples(landmass.examples(X, place).inputs, np.array(HOSTILE)[place], HOSTILE[0], HOSTILE[0])
    rung = landmass.NeuralClassifier(
        architecture="linear", max_steps=150, learning_rate=0.05, members=2, label_smoothing=0.1
    )
    # The last class never comes in the test part.
    return page_of(tmp_path_factory, "hostile", rung, train, test=train.take(np.nonzero(place != 3)[0][:60]))


CASES = ["visitors", "digits", "price", "hostile"]


def sentences(page):
    return [unescape(each) for each in re.findall(r"<p[^>]*>([^<]*)</p>", page)]


def rows_of(page, caption):
    """A table's rows of texts, its caption beginning so."""
    body = re.search(rf"<caption>{caption}.*?</table>", page, re.S)
    cells = re.findall(r"<tr[^>]*>(.*?)</tr>", body[0], re.S)
    return [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in cells]


@pytest.mark.parametrize("case", CASES)
def test_page_needs_no_other_file_and_runs_no_script(case, request):
    page = request.getfixturevalue(case)[2]
    assert not re.search(r"https?://", page)
    assert "<script" not in page and "<b>" not in page
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'(?:src|srcset)="([^"]*)"', page))
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", page))


@pytest.mark.parametrize("case", CASES)
def test_pictures_are_not_blank(case, request):
    pages = sorted((request.getfixturevalue(case)[1] / "figures").glob("*.png"))
    assert len(pages) >= 4
    for picture in pages:
        pixels = imread(picture)[..., :3].reshape(-1, 3)[::53]
        colours = (255 * pixels).astype(int) @ [1, 256, 65_536]
        assert len(np.unique(colours)) > 10, picture.name


@pytest.mark.parametrize("case", ["visitors", "digits", "hostile"])
def test_confusion_is_that_of_scikit_learn(case, request):
    ladder, _, page = request.getfixturevalue(case)
    test, classes_ = ladder.test_, ladder.last_.classes_
    counts = confusion_matrix(test.answers, ladder.predict(test.inputs), labels=classes_)
    found = measure_answers(ladder).answers
    assert isinstance(found, Classified)
    np.testing.assert_array_equal(found.confusion, counts)
    wrong = counts - np.diag(np.diag(counts))
    told = next(each for each in sentences(page) if each.startswith(f"Of {len(test)} held-out answers"))
    assert f" {np.trace(counts)} are predicted right" in told
    assert f": {wrong.max()} of the {counts[wrong.max(axis=1).argmax()].sum()} that came." in told


def test_ranking_is_that_of_scikit_learn(visitors):
    ladder, _, page = visitors
    area = roc_auc_score(ladder.test_.answers == "yes", ladder.predict_proba(ladder.test_.inputs)[:, 1])
    assert f"(AUC {area:.3f})" in page


def test_variance_explained_is_that_of_scikit_learn(price):
    ladder, _, page = price
    share = r2_score(ladder.test_.answers, ladder.predict(ladder.test_.inputs))
    assert share > 0.9 and f"explain {100 * share:.1f}% of the answers' variance (R² {share:.3f})" in unescape(page)


def test_factor_is_the_exponential_of_the_gain(visitors):
    ladder, _, page = visitors
    gain = (ladder.test_scores_["net"] - ladder.test_scores_["constant"]).mean()
    assert gain > 0.1
    assert f"typically exp({gain:.2f}) = {math.exp(gain):.1f} times as likely under the net as under" in page


def test_distance_from_the_truth_is_over_all_answers(visitors):
    ladder, _, page = visitors
    exact, said = ladder.test_.chances, ladder.predict_proba(ladder.test_.inputs)
    divergence = (exact * np.log(exact / said)).sum(axis=1).mean()
    assert f"the net falls short by {divergence:.3f} nats." in sentences(page)[3]
    assert f"the net falls short by {ladder.ledger_.gap(ladder.ledger_.rung('net')):.3f} nats" in sentences(page)[3]


def test_unknown_truth_is_not_spoken_of(digits, price):
    for _, folder, page in (digits, price):
        assert "entropy" not in page and "the truth" not in page and not (folder / "figures/truth.png").exists()


def test_layers_are_the_networks(digits):
    rows = rows_of(digits[2], "The network")
    assert rows[1] == ["input", "8 × 8 × 1", ""]
    assert rows[-1] == ["in all", "", f"{64 * 10 + 10:,}"]


def test_what_happened_inside_is_drawn_where_it_was_recorded(visitors, digits):
    ladder, folder, page = visitors
    assert (folder / "figures" / "layers.png").exists()
    assert set(landmass.evaluate.diagnose(ladder.rungs_["net"]).sentences) <= set(sentences(page))
    assert not (digits[1] / "figures" / "layers.png").exists()
    assert any("watch=True" in said for said in sentences(digits[2]))


def test_members_are_told(hostile):
    assert "The net is 2 networks of 12 learned numbers each, 24 in all." in hostile[2]


@pytest.mark.parametrize("case", ["visitors", "price", "hostile"])
def test_strangest_answers_have_the_lowest_log_density(case, request):
    ladder, _, page = request.getfixturevalue(case)
    scores = ladder.log_prob(ladder.test_)
    order = np.argsort(scores)[:10]
    apart = len(ladder.split_.test) == 0
    rows = rows_of(page, "The held-out answers of least probability")[1:]
    assert [row[0] for row in rows] == [f"{i if apart else ladder.split_.test[i]:,}" for i in order]
    if case == "price":
        assert [float(row[-1].replace("−", "-")) for row in rows] == pytest.approx(scores[order], abs=0.006)
    else:
        told = [float(row[-1].removesuffix("%")) for row in rows]
        assert told == pytest.approx(100.0 * np.exp(scores[order]), abs=0.06)


def test_surest_images_are_the_likeliest(digits):
    ladder = digits[0]
    chances, answers = ladder.predict_proba(ladder.test_.inputs), ladder.test_.answers
    rows = pictures.chosen_images(measure_answers(ladder))
    taken, sure = chances.argmax(axis=1), chances.max(axis=1)
    assert (taken == answers)[rows["surest and right"]].all() and not (taken == answers)[rows["surest and wrong"]].any()
    assert sure[rows["surest and right"]].min() >= np.sort(sure[taken == answers])[-8]
    assert sure[rows["surest and wrong"]].min() >= np.sort(sure[taken != answers])[-8:].min()
    assert sure[rows["least sure"]].max() <= np.sort(sure)[7]


def test_images_of_a_regressor_are_drawn_in_colour(digits):
    m = measure_answers(digits[0])
    n = len(m.scores)
    colour = from_array(np.random.default_rng(0).integers(0, 256, (n, 6, 9, 3)))
    answers = Estimated(actual=np.zeros(n), expected=np.zeros(n), quantiles=np.tile(norm.ppf(LEVELS), (n, 1)))
    m = dataclasses.replace(m, answers=answers, events=dataclasses.replace(m.events, inputs=colour))
    with look(LIGHT):
        figure = pictures.images(m, LIGHT)
    assert list(pictures.chosen_images(m)) == ["likeliest answers", "strangest answers", "least sure"]
    shown = figure.subfigs[0].axes[0]
    assert shown.images[0].get_interpolation() == "nearest" and shown.images[0].get_array().shape == (6, 9, 3)
    assert shown.get_xlabel() == "−1.64 to 1.64\nis 0"


def test_pieces_are_those_of_the_normal_distribution_over_its_floor(price):
    ladder = price[0]
    middle = ladder.last_.predict(ladder.test_.inputs)
    # The height of the density at its middle tells the width of the bump over the floor.
    floor, spread = float(ladder.last_.model_.components.floor.numbers[0]), ladder.last_.space_.scale[0]
    height = np.exp(ladder.last_.log_prob(ladder.test_.inputs, middle)) - floor / (2.0 * spread)
    bump = norm(middle, (1.0 - floor) / height / np.sqrt(2.0 * np.pi))
    wide = laplace(middle, spread)
    below = (1.0 - floor) * bump.cdf(ladder.test_.answers) + floor * wide.cdf(ladder.test_.answers)
    found = measure_answers(ladder).answers
    assert isinstance(found, Estimated)
    np.testing.assert_array_equal(found.pieces, np.histogram(below, np.linspace(0.0, 1.0, 21))[0])
    assert found.inside(0.5).mean() == np.mean((below >= 0.25) & (below <= 0.75))


def test_calibration_error_of_chance_is_the_binomials():
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=60)
    of = reliability(probability, rng.uniform(size=60) < probability, "it", 15)
    count = np.arange(5)
    each = [binom.pmf(count, 4, p) @ np.abs(count / 4 - p) for p in of.probability]
    assert expected_error(of) == pytest.approx(np.mean(each))


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 9), (40, 40)])
def test_intervals_of_shares_are_wilsons(k, n):
    low, high = classes.wilson(np.array([k / n]), np.array([n]))
    known = binomtest(k, n).proportion_ci(norm.cdf(2.0) - norm.cdf(-2.0), method="wilson")
    assert (low[0], high[0]) == pytest.approx((known.low, known.high), abs=1e-12)


def test_classes_beyond_the_most_are_left_to_the_most_frequent():
    true = np.repeat(np.arange(60), np.arange(1, 61))
    chances = np.eye(60)[true]
    found = Classified(classes=tuple(map(str, range(60))), chances=chances, true=true, known=None, calibration=None)
    np.testing.assert_array_equal(classes.shown_classes(found), np.arange(10, 60))


def test_rung_that_is_told_nothing_can_be_shown(price):
    m = measure_answers(price[0])
    assert isinstance(m.answers, Estimated)
    same = dataclasses.replace(m.answers, expected=np.full_like(m.answers.expected, 7.0))
    with look(LIGHT):
        axes = numbers.answers(dataclasses.replace(m, answers=same), LIGHT).axes[0]
    low, high = axes.get_xlim()
    assert low < 7.0 < high
    told = prediction_story.opening(dataclasses.replace(m, last="constant"))
    assert "no sign was found that the answers hang on what is given" in told[1]


def test_events_fewer_than_bins_are_not_called_calibrated(digits):
    m = measure_answers(digits[0])
    m = dataclasses.replace(m, answers=dataclasses.replace(m.answers, calibration=None))
    assert prediction_story.sureness(m) == [] and classes.calibration(m, LIGHT) is None


def test_hostile_names_are_escaped(price, hostile):
    for _, _, page in (price, hostile):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "a$b$ &quot;q&quot; &amp; &#x27;x&#x27;" in page


def test_class_that_never_comes_has_its_row(hostile):
    found = measure_answers(hostile[0]).answers
    assert isinstance(found, Classified)
    assert found.confusion.shape == (4, 4) and 0 in found.confusion.sum(axis=1)


def test_training_loss_that_is_no_likelihood_is_not_drawn(hostile, visitors):
    assert not np.isfinite(measure_answers(hostile[0]).curves["net"].train).any()
    assert np.isfinite(measure_answers(visitors[0]).curves["net"].train).all()


def test_ladder_that_was_read_back_makes_a_page_without_its_events(visitors, tmp_path):
    visitors[0].save(tmp_path / "run")
    page = write_report(landmass.load(tmp_path / "run"), tmp_path / "report").read_text()
    assert sentences(page)[:3] == sentences(visitors[2])[:3]
    assert "The strangest answers" not in page and "How they learned" not in page
    assert [path.name for path in (tmp_path / "report" / "figures").iterdir()] == ["ledger.png"]


def test_ladder_that_was_read_back_with_its_events_says_the_same(visitors, tmp_path):
    visitors[0].save(tmp_path / "run")
    m = measure_answers(landmass.load(tmp_path / "run").recall(landmass.examples("visitors", n=1_500)))
    told = [*prediction_story.opening(m), *prediction_story.mistakes(m), *prediction_story.sureness(m)]
    assert set(told) <= set(sentences(visitors[2])) and strange.section(m) in visitors[2]
