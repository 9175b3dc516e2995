"""Makers of examples with known chances: what a predictor should say of each is known exactly."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import expit

from landmass.data.builtin.land import Land
from landmass.data.builtin.portraits import portraits
from landmass.data.builtin.visitors import TITLES, VISITS, subscribing
from landmass.data.features import Table
from landmass.data.images import Images, from_array


class Made(NamedTuple):
    """Examples that were made.

    Args:
        inputs: what a predictor is given.
        answers: what it is to predict.
        chances: the exact probability of each class given the event, classes in sorted order; None if unknown.
    """

    inputs: Table | Images
    answers: Shaped[np.ndarray, " events"]
    chances: Float[np.ndarray, "events classes"] | None


def visitors(n: int, seed: int) -> Made:
    """Visitors of a site: their job title and number of visits, and whether they subscribe.

    They are those of the table of that name, whose other columns are not told. Neither tells anything alone: half of
    the titles subscribe as they come more often, the other half do not.

    Args:
        n: how many.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    title, visits = rng.integers(len(TITLES), size=n), rng.integers(VISITS, size=n)
    chance = expit(subscribing(title, visits))
    answers = np.where(rng.random(n) < chance, "yes", "no")
    table = Table({"job_title": np.array(TITLES, object)[title], "site_visits": visits.astype(float)})
    return Made(table, answers, np.column_stack([1.0 - chance, chance]))


def land_and_sea(n: int, seed: int) -> Made:
    """Places uniform on the world map, and whether there is land.

    Args:
        n: how many.
        seed: seed of the draw.
    """
    places = np.random.default_rng(seed).uniform((-180.0, -90.0), (180.0, 90.0), (n, 2))
    is_land = Land().contains(places)
    table = Table({"longitude": places[:, 0], "latitude": places[:, 1]})
    chances = np.column_stack([is_land, ~is_land]).astype(float)
    return Made(table, np.where(is_land, "land", "sea"), chances)


def smiles(n: int, seed: int) -> Made:
    """Drawn faces, a quarter of them partly hidden, and whether they smile, a twentieth of it told wrongly.

    Args:
        n: how many.
        seed: seed of the draw.
    """
    images = portraits(n, seed=seed, label_noise=0.05, occlusion=0.25)
    chance = np.asarray(images.labels["smiling_chance"])
    return Made(images, np.asarray(images.labels["smiling"]), np.column_stack([1.0 - chance, chance]))


def digits(n: int, seed: int) -> Made:
    """Handwritten digits of 8×8 pixels, from scikit-learn; random ones of its 1,797.

    Args:
        n: how many.
        seed: seed of the draw.
    """
    from sklearn.datasets import load_digits

    images, label = (np.asarray(part) for part in load_digits(return_X_y=True))
    chosen = np.random.default_rng(seed).permutation(len(label))[:n]
    grey = np.round(images[chosen].reshape(-1, 8, 8) * (255.0 / 16.0)).astype(np.uint8)
    return Made(from_array(grey, name="digits"), label[chosen], None)
