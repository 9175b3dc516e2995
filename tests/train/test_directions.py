"""Directions: against the closed forms of linear Gaussian codes.

Bounds on chance are five standard errors or more: one false alarm in a million.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from landmass.errors import DataError, SettingError
from landmass.train.directions import directions, shift

RNG = np.random.default_rng(0)
N = 2000
ROOT = RNG.normal(size=(4, 4))
COVARIANCE = ROOT @ ROOT.T
SLOPES = RNG.normal(size=(3, 4))


def with_covariance(covariance, n, seed=1):
    """Codes, and noise that is exactly uncorrelated with them, whose sample covariance is exactly the one given."""
    x = np.random.default_rng(seed).normal(size=(n, len(covariance) + 3))
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(n)
    z, noise = x[:, : len(covariance)], x[:, len(covariance) :]
    return z @ np.linalg.cholesky(covariance).T + 1.5, noise


CODES, REST = with_covariance(COVARIANCE, N)
# Three attributes, of which the codes tell 100%, 80% and 50%.
SHARES = np.array([1.0, 0.8, 0.5])
TOLD = np.sqrt(np.einsum("ai,ij,aj->a", SLOPES, COVARIANCE, SLOPES))
AMOUNTS = CODES @ SLOPES.T + REST * TOLD * np.sqrt(1.0 / SHARES - 1.0)
SDS = TOLD / np.sqrt(SHARES)
NAMES = ("smile", "width", "tilt")
LABELS = dict(zip(NAMES, AMOUNTS.T, strict=True))


def test_step_is_the_covariance_times_the_probe_by_one_standard_deviation():
    found = directions(CODES, LABELS)
    expected = SLOPES @ COVARIANCE * (SDS / TOLD**2)[:, None]
    assert found.matrix == pytest.approx(expected, rel=1e-4)
    assert found.weights == pytest.approx(SLOPES, rel=1e-4)
    assert found.units == pytest.approx(SDS)
    # Its length: one over the correlation of probe and attribute.
    assert found.cloud.lengths(found.matrix) == pytest.approx(1.0 / np.sqrt(SHARES), rel=1e-4)


def test_attributes_that_the_codes_tell_as_one_are_named():
    z, noise = with_covariance(np.eye(4), 500)
    labels = {
        "smile": z[:, 0],
        # What is told of it correlates with the smile by 1 / sqrt(1 + 0.3²) = 0.96; the next by 0.6.
        "grin": z[:, 0] + 0.3 * z[:, 1] + 0.3 * noise[:, 2],
        "width": 0.6 * z[:, 0] + 0.8 * z[:, 2],
        "frown": -z[:, 0] + 0.5 * noise[:, 0],
        "hat": noise[:, 1],
    }
    found = directions(z, labels)
    assert found.doubles == {"grin": "smile", "frown": "smile"}
    assert "The codes tell 'frown' as one with 'smile': neither can be held" in str(found)
    assert found.only("grin", "width").doubles == {}
    assert {found.names[place] for place in found.best} == {"smile", "grin", "width", "frown"}
    assert found.names[found.best[-1]] == "frown"


def test_step_in_plain_latents_is_the_shortest_there_and_longer_in_the_codes():
    found, plain = directions(CODES, LABELS), directions(CODES, LABELS, metric="latents")
    assert plain.matrix == pytest.approx(SLOPES * (SDS / (SLOPES**2).sum(axis=1))[:, None], rel=1e-4)
    assert (np.linalg.norm(plain.matrix, axis=1) < np.linalg.norm(found.matrix, axis=1)).all()
    assert (plain.cloud.lengths(plain.matrix) > plain.cloud.lengths(found.matrix)).all()


def test_default_step_is_not_misled_by_latents_that_hardly_vary():
    # 20 latents, of variances from 1 to 1e-4; the attribute is the widest, with noise, in 60 events.
    z = RNG.normal(size=(60, 20)) * np.logspace(0, -2, 20)
    labels = {"size": z[:, 0] + 0.3 * RNG.normal(size=60)}
    found, plain = directions(z, labels), directions(z, labels, metric="latents")
    # What a step does: it should change the widest latent by one standard deviation of the attribute, 1.04. Over many
    # draws the default's changes it by 1.00 ± 0.09, the plain one by 0.03 ± 0.02.
    assert found.matrix[0, 0] == pytest.approx(1.0, abs=0.45)
    assert plain.matrix[0, 0] < 0.25


def test_two_classes_are_two_steps_apart():
    hat = np.where(CODES @ SLOPES[0] + REST[:, 0] > 2.0, "yes", "no")
    found = directions(CODES, {"hat": hat})
    assert found.matrix[0] == pytest.approx((CODES[hat == "yes"].mean(0) - CODES[hat == "no"].mean(0)) / 2, rel=1e-4)
    assert found.classes == (("no", "yes"),)
    assert found.counts == (((hat == "no").sum(), (hat == "yes").sum()),)
    # However the classes are written; in the order of their numbers.
    for values in (hat == "yes", np.where(hat == "yes", 1, -1), np.where(hat == "yes", 1.0, 0.0)):
        assert directions(CODES, {"hat": values}).matrix == pytest.approx(found.matrix)


def test_attributes_may_be_a_table():
    table = pd.DataFrame({"smile": LABELS["smile"], 7: np.where(LABELS["width"] > 0.0, "yes", "no")})
    found = directions(CODES, table)
    assert found.names == ("smile", "7")
    np.testing.assert_array_equal(found.weights, directions(CODES, {**table}).weights)
    with pytest.raises(DataError, match="no attributes to learn"):
        directions(CODES, pd.DataFrame())


def kkt(covariance, weights, wanted):
    """The shortest step in a metric under linear constraints, by Lagrange multipliers."""
    m, k = len(covariance), len(weights)
    system = np.block([[np.linalg.inv(covariance), weights.T], [weights, np.zeros((k, k))]])
    return np.linalg.solve(system, np.r_[np.zeros(m), wanted])[:m]


@pytest.mark.parametrize("metric", ["codes", "latents"])
def test_orthogonal_step_is_the_shortest_that_leaves_other_probes_unchanged(metric):
    found = directions(CODES, {**LABELS, "tilt": LABELS["tilt"] > 0.0}, metric=metric)
    change = found.orthogonalised @ found.weights.T
    assert change == pytest.approx(np.diag(found.units), abs=1e-9)
    covariance = found.cloud.covariance if metric == "codes" else np.eye(4)
    for step, wanted in zip(found.orthogonalised, np.diag(found.units), strict=True):
        assert step == pytest.approx(kkt(covariance, found.weights, wanted), abs=1e-8)
    # The negative control: a step that does not hold the others changes them.
    assert np.abs(found.matrix @ found.weights.T - np.diag(found.units)).max() > 0.1


def test_shift_adds_up_steps():
    found = directions(CODES, LABELS)
    asked = {"smile": 2.0, "width": -1.0}
    both = shift(found, asked, hold="tilt")
    assert found.weights @ both == pytest.approx(found.units * [2.0, -1.0, 0.0], abs=1e-9)
    assert both == pytest.approx(2.0 * found.orthogonalised[0] - found.orthogonalised[1])
    assert shift(found, asked, orthogonal=False) == pytest.approx(2.0 * found.matrix[0] - found.matrix[1])
    assert (shift(found, {}) == 0.0).all()


def test_held_out_quality_is_that_of_the_closed_form():
    # R² of amounts is the share that the codes tell; ten standard errors.
    assert directions(CODES, LABELS).quality == pytest.approx(SHARES, abs=0.1)
    # Two Gaussians whose means are 1.5 apart: the area is Φ(1.5 / √2); a standard error is 0.009.
    hat = RNG.random(N) < 0.4
    z = RNG.normal(size=(N, 3)) + np.outer(hat, [1.5, 0.0, 0.0])
    assert directions(z, {"hat": hat}).quality[0] == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.05)


def test_attribute_that_codes_do_not_tell_is_said_to_be_chance():
    found = directions(RNG.normal(size=(N, 3)), {"hat": RNG.random(N) < 0.5, "age": RNG.normal(size=N)})
    assert found.quality == pytest.approx((0.5, 0.0), abs=0.08)
    assert "tell next to nothing of 'hat' (AUC" in str(found)
    assert "tell next to nothing of 'age' (R²" in str(found)
    assert "next to nothing" not in str(directions(CODES, LABELS))


def test_table_tells_how_long_a_step_is_alone_and_with_others_held():
    found = directions(CODES, {**LABELS, "hat": np.where(LABELS["smile"] > 0, "yes", "no")})
    lines = [line for line in str(found).splitlines() if not line.startswith("The codes tell ")]
    assert lines[0].split("  ")[0] == "attribute"
    assert lines[-1].split()[0] == "hat"
    assert "half from no to yes" in lines[-1]
    # Beside the smile the width is held; the tilt and the hat are told as one with it.
    alone = kkt(found.cloud.covariance, found.weights[:2], [found.units[0], 0.0])
    assert lines[1].endswith(f"{found.cloud.lengths(alone[None])[0]:.2f}")


def test_events_without_a_label_are_left_out():
    smile, hat = LABELS["smile"].copy(), np.where(LABELS["width"] > 0, "yes", "no").astype(object)
    smile[:700], hat[:300], hat[300:500] = np.nan, None, ""
    found = directions(CODES, {"smile": smile, "hat": hat})
    assert found.counts[0] == (1300,)
    assert sum(found.counts[1]) == 1500
    assert found.weights[0] == pytest.approx(SLOPES[0], rel=1e-4)


def test_unused_latents_get_no_step():
    z = np.column_stack([CODES, np.full(N, 0.1)])
    found = directions(z, LABELS)
    assert found.matrix[:, 4] == pytest.approx(np.zeros(3), abs=1e-12)
    assert found.matrix[:, :4] == pytest.approx(directions(CODES, LABELS).matrix)
    assert found.orthogonalised @ found.weights.T == pytest.approx(np.diag(found.units), abs=1e-9)


def test_twins_change_together_or_not_at_all():
    found = directions(CODES, {**LABELS, "grin": 3.0 * LABELS["smile"]})
    with pytest.raises(
        DataError, match=r"attribute 'smile' cannot change while the others stay.*hold fewer of them, with "
    ):
        shift(found, {"smile": 1.0}, hold="grin")
    step = shift(found, {"smile": 1.0, "grin": 1.0}, hold=["width", "tilt"])
    assert found.weights @ step == pytest.approx(found.units * [1, 0, 0, 1], abs=1e-6)
    step = shift(found, {"width": 1.0}, hold=["smile", "tilt", "grin"])
    assert found.weights @ step == pytest.approx(found.units * [0, 1, 0, 0], abs=1e-6)


def test_more_attributes_than_latents_are_held_in_part():
    found = directions(CODES, {**LABELS, "age": REST[:, 0], "hat": REST[:, 1] > 0.0})
    with pytest.raises(DataError, match="codes of 4 latents tell some of smile, width, tilt, age, hat"):
        shift(found, {"smile": 1.0}, hold=["width", "tilt", "age", "hat"])
    fewer = found.only("tilt", "smile")
    expected = directions(CODES, {"tilt": LABELS["tilt"], "smile": LABELS["smile"]})
    assert str(fewer) == str(expected)
    assert shift(fewer, {"smile": 1.0}) == pytest.approx(shift(expected, {"smile": 1.0}))


def test_only_what_codes_tell_by_itself_is_held_unless_others_are_named():
    z, noise = with_covariance(np.eye(4), N)
    labels = {"smile": z[:, 0], "width": 0.6 * z[:, 0] + 0.8 * z[:, 2], "tilt": z[:, 1]}
    told_as_one = {"smiling": np.where(z[:, 0] > 0.0, "yes", "no"), "grin": z[:, 0] + 0.2 * (z[:, 3] + noise[:, 0])}
    found = directions(z, {**labels, **told_as_one, "chance": np.random.default_rng(4).normal(size=N)})
    assert set(found.doubles) == {"smiling", "grin"}
    assert not found.told[5]
    for asked in ("smile", "smiling"):
        # Neither the others that are told as one with it, nor chance.
        assert set(found.held_beside([asked])) == {"width", "tilt"}
        place = [found.place(name) for name in (asked, "width", "tilt")]
        expected = kkt(found.cloud.covariance, found.weights[place], [found.units[place[0]], 0.0, 0.0])
        assert shift(found, {asked: 1.0}) == pytest.approx(expected, abs=1e-8)
    assert set(found.held_beside(["width"])) == {"smile", "tilt"}
    # The table tells how long these steps are.
    row = next(line for line in str(found).splitlines() if line.startswith("smiling "))
    assert row.endswith(f"{found.cloud.lengths(shift(found, {'smiling': 1.0})[None])[0]:.2f}")
    # To hold a double leads far away.
    far = shift(found, {"smiling": 1.0}, hold=["smile"])
    assert found.cloud.lengths(far[None])[0] > 5.0 * found.cloud.lengths(shift(found, {"smiling": 1.0})[None])[0]
    expected = found.only("smile", "chance").holding(np.array([1.0, 0.0]))
    np.testing.assert_array_equal(shift(found, {"smile": 1.0}, hold="chance"), expected)
    assert shift(found, {"smile": 1.0}, hold=()) == pytest.approx(found.matrix[0])


def test_what_is_to_change_is_not_held():
    found = directions(CODES, LABELS)
    with pytest.raises(SettingError, match="'smile' is to change and to stay"):
        shift(found, {"smile": 1.0}, hold=["width", "smile"])
    with pytest.raises(SettingError, match=r"orthogonal=False lets .* hold='width' keeps some"):
        shift(found, {"smile": 1.0}, orthogonal=False, hold="width")
    with pytest.raises(DataError, match="'wdith'; did you mean 'width'"):
        shift(found, {"smile": 1.0}, hold=["wdith"])


def test_unknown_attribute_is_refused_with_the_closest():
    with pytest.raises(DataError, match="no attribute is called 'smiel'; did you mean 'smile'"):
        shift(directions(CODES, LABELS), {"smiel": 1.0})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["yes"] * 100, "'hat' has one class only: it is 'yes' in all of 100"),
        ([None] * 81 + ["yes", "no"] * 9 + ["yes"], "'hat' has 19 labelled events, of which 20 are needed"),
        ([np.nan] * 100, "'hat' has 0 labelled events"),
        (["yes"] * 97 + ["no"] * 3, "'hat' has 3 events of class 'no'"),
        (["yes", "no", "both", "none"] * 25, "'hat' has 4 classes, both, no, none, yes"),
    ],
)
def test_attribute_without_a_direction_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        directions(CODES[:100], {"hat": values})


def test_codes_that_hold_nothing_are_refused():
    with pytest.raises(DataError, match="all 100 codes are the same"):
        directions(np.full((100, 2), 0.1), {"hat": ["yes", "no"] * 50})
    with pytest.raises(DataError, match="no attributes to learn"):
        directions(CODES, {})
