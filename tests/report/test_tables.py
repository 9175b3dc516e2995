import copy
import re
from dataclasses import replace

import equinox as eqx
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.special import logsumexp
from sklearn.metrics import mutual_info_score

import landmass
from landmass.data.dataset import Dataset
from landmass.data.schema import Boolean, Category, Datetime, Grid, Integer, Positive, Real, Schema
from landmass.report import table_figures, table_measures, tables, write_report
from landmass.report.style import LIGHT, look
from landmass.report.table_scales import Bars, Line, jittered

COMPILES = True

HOSTILE = "<script>alert(1)</script>"
LONG = "Donaudampfschifffahrtsgesellschaft" * 3
TOWNS = tuple(f"town {i:03d}" for i in range(1_000))
DAY = 18_262.0


def people(n, seed):
    """Rows of every kind of column; only who is old is widowed, and only who is young is single."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    status = np.where(age >= 65, 2, np.where(age < 35, 1, 0))
    job = rng.choice(3, n, p=[0.5, 0.4, 0.1])
    return Dataset(
        np.column_stack(
            [
                age,
                np.where(rng.random(n) < 0.9, status, 0),
                job,
                (job == 0) | (rng.random(n) < 0.2),
                np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(5.0, 2.5, n)),
                rng.normal(170.0, 9.0, n),
                np.where(rng.random(n) < 0.2, np.nan, DAY - rng.integers(0, 9_000, n)),
                np.rint(rng.gamma(3.0, 400.0, n)) * 0.01,
                np.where(rng.random(n) < 0.1, np.nan, rng.zipf(1.6, n) % 1_000),
            ]
        ),
        Schema(
            (
                Integer(name="age"),
                Category(name="status", levels=("Married", "Single", "Widowed")),
                Category(name=HOSTILE, levels=("clerk", LONG, "$a$ & 'b'")),
                Boolean(name="member"),
                Positive(name="gain", atoms=(0.0,)),
                Real(name="height", unit="cm"),
                Datetime(name="joined", nullable=True),
                Grid(name="price", step=0.01),
                Category(name="town", levels=TOWNS, nullable=True),
            )
        ),
        "people",
        incomplete=True,
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    held_out = people(60, seed=1)
    # A widow of 19, and rich.
    held_out.X[7] = [19.0, 2.0, 0.0, 1.0, 1e7, 170.0, np.nan, 12.0, 1.0]
    rungs = [
        landmass.Independent(smoothing=1.0),
        landmass.LatentClass(n_components=4, max_iter=40),
        landmass.Autoregressive(max_steps=60, members=1, hidden=8, depth=1),
    ]
    ladder = landmass.Ladder(rungs).fit(people(500, seed=0), test=held_out)
    folder = tmp_path_factory.mktemp("people")
    return ladder, folder, write_report(ladder, folder).read_text()


@pytest.fixture(scope="module")
def measured(fitted):
    return table_measures.measure(fitted[0])


@pytest.fixture
def quick(monkeypatch):
    """Figures are drawn, and not written as pictures, which takes most of the time."""
    monkeypatch.setattr("landmass.report.parts.png", lambda figure: b"")


def place_of(measured, name):
    return measured.schema.names.index(name)


@pytest.mark.parametrize("name", ["status", HOSTILE, "member"])
def test_words_cost_the_log_of_their_smoothed_frequency(fitted, measured, name):
    ladder, i = fitted[0], place_of(measured, name)
    taught = np.concatenate([ladder.train_.X[:, i], ladder.validation_.X[:, i]])
    levels = int(measured.schema.columns[i].high) + 1
    chances = (np.bincount(taught.astype(int), minlength=levels) + 1.0) / (len(taught) + levels)
    expected = np.log(chances[ladder.test_.X[:, i].astype(int)])
    assert measured.alone[:, i] == pytest.approx(expected, abs=1e-5)
    error = expected.std(ddof=1) / np.sqrt(len(expected))
    told = f"<td>{expected.mean():.3f} ± {error:.3f}</td>".replace("-", "−")
    assert told in fitted[2]


def test_column_that_others_make_likelier_shows_both_means(fitted, measured):
    i = place_of(measured, "status")
    mean, gain = measured.given[:, i].mean(), (measured.given - measured.alone)[:, i]
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    told = f"<td>{mean:.3f}</td><td>{gain.mean():.3f} ± {error:.3f}</td>".replace("-", "−")
    assert told in fitted[2]


def test_empty_cells_are_a_word_of_their_own(fitted, measured):
    ladder, i = fitted[0], place_of(measured, "joined")
    taught = np.concatenate([ladder.train_.X[:, i], ladder.validation_.X[:, i]])
    states = ladder.rungs_["independent"].space_.sizes[i]
    chance = (np.isnan(taught).sum() + 1.0) / (len(taught) + states)
    empty = np.isnan(ladder.test_.X[:, i])
    assert measured.alone[empty, i] == pytest.approx(np.log(chance), abs=1e-5)


def test_columns_alone_add_up_to_the_independent_rungs_score(fitted, measured):
    ladder = fitted[0]
    assert measured.alone.sum(1) == pytest.approx(ladder.test_scores_["independent"], abs=1e-3)
    assert f"add up to {ladder.ledger_.rung('independent').nats:.3f} nats".replace("-", "−") in fitted[2]


def test_cells_given_the_others_follow_from_bayes_rule(fitted, measured):
    ladder = fitted[0]
    rung, X = ladder.rungs_["latent_class"], ladder.test_.X
    weights, tables_of = (rung.parameters_[name] for name in ("weights", "probabilities"))
    codes, starts = rung.space_.forward(X)[0], np.cumsum([0, *rung.space_.sizes[:-1]])
    rows = np.log(tables_of)[starts + codes]
    joint = np.log(weights) + rows.sum(1)
    for i, cut in enumerate(rung.space_.cuts):
        expected = logsumexp(joint, axis=1) - logsumexp(joint - rows[:, i], axis=1) + cut.forward(X[:, i])[1]
        assert measured.given[:, i] == pytest.approx(expected, abs=1e-3)


def test_cells_given_the_others_are_what_the_rung_predicts(fitted, measured):
    ladder = fitted[0]
    chances = ladder.rungs_["latent_class"].predict_proba(ladder.test_, "status")
    came = ladder.test_.X[:, 1].astype(int)
    assert measured.given[:, 1] == pytest.approx(np.log(chances[np.arange(len(came)), came]), abs=1e-3)


def test_sureness_is_what_came_less_the_entropy_of_what_is_predicted(fitted, measured):
    chances = fitted[0].rungs_["latent_class"].predict_proba(fitted[0].test_, "status")
    came = np.log(chances[np.arange(len(chances)), fitted[0].test_.X[:, 1].astype(int)])
    assert measured.sureness[:, 1] == pytest.approx(came - (chances * np.log(chances)).sum(1), abs=1e-3)


def test_rung_is_as_sure_as_it_may_be_of_its_own_draws_and_a_sharper_one_is_too_sure(fitted):
    rung = copy.copy(fitted[0].rungs_["latent_class"])
    own = table_measures.sureness(rung, rung._draw(3_000, np.random.RandomState(0)))
    sharp = rung.model_.layout.log_softmax(2.0 * rung.model_.tables.T).T
    X, rung.model_ = rung._draw(3_000, np.random.RandomState(1)), eqx.tree_at(lambda m: m.tables, rung.model_, sharp)
    too_sure = table_measures.sureness(rung, X)
    for found, calibrated in ((own, True), (too_sure, False)):
        z = found.mean(0) / (found.std(0) / np.sqrt(len(found)))
        # Nine columns: false alarm 1e-6 in all.
        assert (np.abs(z) < 5.4).all() if calibrated else (z < -5.4).any()


def test_page_says_of_which_columns_the_classes_are_too_sure(measured):
    assert "Of no column they are too sure" in tables.costs(replace(measured, sureness=0.0 * measured.sureness))[-1]
    off = 0.0 * measured.sureness
    off[:, 0] = -0.2
    assert "They are too sure of age (−0.200 ± 0.000 nats)" in tables.costs(replace(measured, sureness=off))[-1]


def test_others_tell_of_a_column_that_depends_and_not_of_one_that_does_not(measured):
    gains = tables.gains_of(measured).mean(0)
    assert gains[place_of(measured, "status")] > 0.15
    assert abs(gains[place_of(measured, "height")]) < 0.1


def test_share_of_empty_cells_is_counted_over_all_events(fitted, measured):
    cells = np.concatenate([people(500, seed=0).X, fitted[0].test_.X])
    share = np.isnan(cells).mean(0)
    assert measured.empty == pytest.approx(share)
    assert f"<td>{100.0 * share[place_of(measured, 'joined')]:.1f}%</td>" in fitted[2]


def test_opening_says_what_the_columns_hold_and_who_is_preferred(fitted):
    ledger = fitted[0].ledger_
    assert "560 events of 9 columns: age, status" in fitted[2]
    assert "Columns by what they hold: 3 of words, 1 of whole numbers" in fitted[2]
    best = ledger.rung(ledger.best)
    assert f"which scores {best.nats:.3f} ± {best.se:.3f} nats an event".replace("-", "−") in fitted[2]


def test_density_is_told_per_unit_of_the_measured_columns_alone(fitted):
    assert "per unit of gain and cm." in fitted[2]
    assert tables.per(Schema((Integer(name="a"), Boolean(name="b")))) == "row of counted cells"
    assert "unit of each of the 3 columns" in tables.per(Schema.real(["a", "b", "c"]))


def test_strangest_row_is_told_by_the_cells_that_do_not_go_together(fitted):
    page = fitted[2]
    assert "<h2>The strangest rows</h2>" in page
    first, second = re.findall(r'<th scope="row">([^<]*)</th>', page.partition("strange cell")[2])[:2]
    assert first.startswith("gain 1e+07")
    assert second in ("age 19 given status Widowed", "status Widowed given age 19")


def test_strangest_rows_are_those_of_lowest_density(fitted, measured):
    ladder = fitted[0]
    lowest = np.sort(ladder.test_scores_[ladder.answering_])[:8]
    assert [each.nats for each in measured.strange] == pytest.approx(lowest.tolist())
    assert all(ladder.test_.X[each.row] == pytest.approx(each.event, nan_ok=True) for each in measured.strange)


def test_odd_cells_are_the_farthest_below_what_is_usual(measured):
    below = measured.given - measured.given.mean(0)
    for strange in measured.strange:
        places = [odd.column for odd in strange.odd]
        assert places == np.argsort(below[strange.row], kind="stable")[: len(places)].tolist()


def test_curves_are_in_the_units_of_the_data(fitted, measured):
    curve = measured.curves["autoregressive"]
    assert np.nanmax(curve.held_out) == pytest.approx(fitted[0].validation_scores_["autoregressive"].mean(), abs=2e-3)
    assert "<h2>How they learned</h2>" in fitted[2]


def test_dependence_is_mutual_information_less_its_bias():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 5_000)
    X = np.column_stack([first, np.where(rng.random(5_000) < 0.5, first, rng.integers(0, 3, 5_000)), first, first])
    X[:, 2] = rng.integers(0, 3, 5_000)
    X[:, 3] = rng.integers(0, 300, 5_000)
    columns = [Category(name=f"c{i}", levels=tuple(map(str, range(300)))) for i in range(4)]
    found = table_measures.dependence(Dataset(X.astype(float), Schema(tuple(columns))))
    assert found[0, 1] == pytest.approx(mutual_info_score(X[:, 0], X[:, 1]) - 4.0 / 10_000, abs=1e-12)
    # 2 n times the plug-in estimate of independent columns is chi-squared with 4 and 30 degrees of freedom: 1e-6.
    assert found[0, 2] < (34.4 - 4.0) / 10_000
    assert found[0, 3] < (89.1 - 30.0) / 10_000


def test_columns_that_depend_on_each_other_are_paired(measured):
    paired = {measured.schema.names[i] for i in measured.pairs}
    assert len(paired) == 4
    assert {HOSTILE, "member"} <= paired or {"age", "status"} <= paired


def test_page_needs_no_other_file_and_escapes_names(fitted):
    page = fitted[2]
    assert "<script" not in page and not re.search(r"https?://", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all(each.startswith("data:image/png;base64,") for each in re.findall(r'(?:src|srcset)="([^"]*)"', page))


def test_pictures_are_not_blank(fitted):
    names = ["columns", "ledger", "pairs", "training"]
    pictures = sorted((fitted[1] / "figures").glob("*.png"))
    assert [picture.stem for picture in pictures] == names
    for picture in pictures:
        pixels = imread(picture)[..., :3].reshape(-1, 3)[::53]
        assert len(np.unique((255 * pixels).astype(int) @ [1, 256, 65_536])) > 10, picture.name


def test_rare_words_are_drawn_together_and_empty_cells_apart():
    column = Category(name="town", levels=TOWNS, nullable=True)
    values = np.array([3.0] * 5 + [8.0] * 3 + [1.0, 2.0] + [np.nan] * 10)
    bars = Bars.of(column, values, 2)
    assert bars.names(20) == ["town 003", "town 008", "998 others", "empty"]
    assert bars.shares(values) == pytest.approx([0.25, 0.15, 0.1, 0.5])
    assert bars.places(np.array([999.0])).tolist() == [2]


def test_long_words_are_cut_and_formulae_are_none():
    bars = Bars.of(Category(name="x", levels=(LONG, "$a$")), np.array([0.0, 0.0, 1.0]), 12)
    assert bars.names(10) == ["Donaudamp…", r"\$a\$"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Integer(name="x"), [17, 18, 21, 90]),
        (Integer(name="x"), [0, 3]),
        (Integer(name="x"), [-5_000, 0, 70_000]),
        (Grid(name="x", step=0.25), [0.25, 0.5, 7.75]),
        (Datetime(name="x", tick="hour"), [438_288.0, 438_290.0, 438_400.0]),
    ],
)
def test_no_counted_value_stands_on_the_edge_of_a_bar(column, values):
    values = np.array(values, float)
    line = Line.of(column, values)
    edges, places = line.edges(), line.places(values)
    assert np.histogram(places, edges)[0].sum() == len(values)
    step = 1.0 / 24.0 if isinstance(column, Datetime) else getattr(column, "step", 1.0)
    assert np.abs(places[:, None] - edges[None]).min() >= 0.5 * step - 1e-9


def test_jitter_keeps_counted_values_apart():
    places = np.repeat(np.arange(5.0), 1_000)
    moved = jittered(Integer(name="x"), places, np.random.RandomState(0))
    assert (np.rint(moved) == places).all() and len(np.unique(moved)) > 4_000
    assert (jittered(Real(name="x"), places, np.random.RandomState(0)) == places).all()


@pytest.mark.parametrize("days", [1.5, 3.0, 45.0, 75.0, 420.0, 700.0, 5_000.0])
@pytest.mark.parametrize("most", [2, 3, 6])
def test_dates_of_any_range_have_a_few_ticks(days, most):
    axis = Figure().subplots().xaxis
    Line(Datetime(name="day"), DAY, DAY + days, 20).ticks(axis, most)
    assert 1 <= len(axis.get_majorticklocs()) <= most
    assert all(DAY <= place <= DAY + days for place in axis.get_majorticklocs())


def test_dates_beyond_the_calendar_are_drawn(measured):
    X = np.column_stack([np.linspace(-1e6, 5e6, 50), np.arange(50.0) % 2])
    schema = Schema((Datetime(name="when"), Boolean(name="b")))
    shown = {"schema": schema, "data": X, "draws": X, "pairs": [0, 1], "last": "stack"}
    m = table_measures.Tabled(
        ledger=measured.ledger,
        curves={},
        copies=None,
        empty=None,
        alone=None,
        given=None,
        sureness=None,
        strange=[],
        **shown,
    )
    with look(LIGHT):
        for draw in (table_figures.columns, table_figures.pairs):
            draw(m, LIGHT).canvas.draw()


def test_run_that_was_read_back_makes_a_page_without_its_events(fitted, tmp_path):
    fitted[0].save(tmp_path / "run")
    page = write_report(landmass.load(tmp_path / "run"), tmp_path / "report").read_text()
    assert "draws from the" in page and '<th scope="row">price</th>' in page
    assert "held-out events, blue" not in page and "strangest" not in page and "How they learned" not in page
    assert [each.stem for each in sorted((tmp_path / "report" / "figures").glob("*.png"))] == ["columns", "ledger"]


def test_what_only_absent_rungs_know_is_left_out(tmp_path, quick):
    rng = np.random.default_rng(0)
    words = rng.choice(["a", "b"], 60)
    ladder = landmass.Ladder([landmass.Autoregressive(max_steps=5, members=1, hidden=4)])
    page = write_report(ladder.fit(pd.DataFrame({"w": words, "n": rng.integers(0, 9, 60)})), tmp_path).read_text()
    assert "given the others" not in page and ">alone<" not in page
    assert '<th scope="col">w</th>' in page, "the strangest rows are shown by their cells"


def test_wide_table_says_what_it_leaves_out(tmp_path, quick):
    rng = np.random.default_rng(0)
    X = rng.choice(["a", "b", "c"], (80, 100))
    ladder = landmass.Ladder(["independent"]).fit(pd.DataFrame(X, columns=[f"c{i}" for i in range(100)]))
    page = write_report(ladder, tmp_path).read_text()
    assert "The columns (the first 30 of 100)." in page
    assert "One column at a time (the first 24 of 100)" in page
    assert "by mutual information (4 of 100)" in page


def test_one_column_has_no_pairs(tmp_path, quick):
    table = pd.DataFrame({"n": np.random.default_rng(0).integers(0, 300, 60)})
    ladder = landmass.Ladder(["independent"]).fit(table)
    page = write_report(ladder, tmp_path).read_text()
    assert "60 events of one column: n." in page
    assert not (tmp_path / "figures" / "pairs.png").exists()
