import re

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.image import imread

import landmass
from landmass.report import write_report

COMPILES = True

CHEAP = ["uniform_box", "gaussian"]
HOSTILE = ["<script>alert(1)</script>", "a$b$ \"q\" & 'x'", "漢字 x\ny"]


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    ladder = landmass.Ladder([*CHEAP, landmass.Histogram(n_cells=8)]).fit(landmass.read("land", n=400))
    folder = tmp_path_factory.mktemp("land")
    return ladder, folder, write_report(ladder, folder).read_text()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    rng = np.random.default_rng(1)
    train = pa.table({name: rng.normal(size=200) for name in HOSTILE})
    test = pa.table({name: [*rng.normal(size=20), 50.0] for name in HOSTILE})
    ladder = landmass.Ladder([*CHEAP, landmass.Histogram(n_cells=4096)]).fit(train, test=test)
    folder = tmp_path_factory.mktemp("hostile")
    return ladder, folder, write_report(ladder, folder).read_text()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    rng = np.random.default_rng(0)
    ladder = landmass.Ladder(CHEAP).fit(rng.normal(size=(300, 1)))
    folder = tmp_path_factory.mktemp("one")
    return ladder, folder, write_report(ladder, folder).read_text()


@pytest.mark.parametrize("case", ["land", "hostile", "one"])
def test_page_needs_no_other_file_and_runs_no_script(case, request):
    page = request.getfixturevalue(case)[2]
    assert not re.search(r"https?://", page)
    assert "<script" not in page
    assert not re.search(r"<link[^>]*href=\"(?!data:)", page)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'(?:src|srcset)="([^"]*)"', page))


@pytest.mark.parametrize("case", ["land", "hostile", "one"])
def test_pictures_are_not_blank(case, request):
    pictures = sorted((request.getfixturevalue(case)[1] / "figures").glob("*.png"))
    assert len(pictures) >= 4
    for picture in pictures:
        pixels = imread(picture)[..., :3].reshape(-1, 3)[::53]
        colours = (255 * pixels).astype(int) @ [1, 256, 65_536]
        assert len(np.unique(colours)) > 10, picture.name


def test_every_picture_has_words_for_who_cannot_see_it(land):
    images = re.findall(r"<img [^>]*>", land[2])
    assert images and all(re.search(r'alt="[^"]{10,}"', image) for image in images)


def test_sea_is_told_with_its_share(land):
    # 360 · 180 square degrees, of which exp(entropy) are land.
    sea = 100.0 * (1.0 - np.exp(land[0].ledger_.true_entropy) / 64_800.0)
    told = re.search(r"([\d.]+)% of the uniform box&#x27;s mass is in the sea", land[2])
    assert told and float(told[1]) == pytest.approx(sea, abs=0.1)


def test_gap_to_the_truth_is_the_ledgers(land):
    ledger = land[0].ledger_
    assert f"the uniform box falls short by {ledger.gap(ledger.rung('uniform_box')):.3f} nats" in land[2]


def test_every_rung_has_a_line_in_the_ledger(land):
    for name in land[0].rungs_:
        assert f'<th scope="row">{name.replace("_", " ")}</th>' in land[2]


def test_hostile_names_are_escaped(hostile):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile[2]
    assert "a$b$ &quot;q&quot; &amp; &#x27;x&#x27;" in hostile[2]


def test_failed_rung_is_named_with_its_reason(hostile):
    assert hostile[0].failed_
    assert "The histogram could not be fitted: " in hostile[2]


def test_impossible_events_are_told(hostile):
    assert "The uniform box gives 1 of 21 held-out events density zero, so that its score is −∞." in hostile[2]


def test_unknown_truth_is_not_spoken_of(hostile):
    assert "entropy" not in hostile[2] and "the truth" not in hostile[2]


def test_one_column_is_drawn_as_a_line(one):
    assert (one[1] / "figures" / "rungs.png").is_file()
    assert "300 events of one column: x1." in one[2]


def test_product_is_told_beside_the_sum_of_logarithms(one):
    ladder = one[0]
    events = np.concatenate([part.X for part in (ladder.train_, ladder.validation_, ladder.test_)])
    log_likelihood = f"{ladder.score_samples(events).sum():.1f}".replace("-", "−")
    assert f"<td>{log_likelihood}</td>" in one[2]


def test_ladder_that_was_read_back_makes_a_report_without_its_events(land, tmp_path):
    land[0].save(tmp_path / "run")
    page = write_report(landmass.load(tmp_path / "run"), tmp_path / "report").read_text()
    assert "in the sea" in page and "likelihood of a data set" not in page


@pytest.mark.parametrize("apart", [False, True], ids=["of the same data", "given apart"])
def test_ladder_that_was_read_back_with_its_events_says_the_same(tmp_path, apart):
    rng = np.random.default_rng(0)
    events, test = rng.normal(size=(300, 1)), rng.normal(size=(100, 1)) if apart else None
    fitted = landmass.Ladder(CHEAP).fit(events, test=test)
    fitted.save(tmp_path / "run")
    loaded = landmass.load(tmp_path / "run").recall(events, test=test)
    pages = [write_report(each, tmp_path / "report").read_text() for each in (fitted, loaded)]
    sentences = r"<p[^>]*>([^<]*)</p>"
    assert re.findall(sentences, pages[0]) == re.findall(sentences, pages[1])
