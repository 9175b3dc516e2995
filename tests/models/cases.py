"""What the families are fitted to in these tests, and at which settings: small enough to be quick."""

import numpy as np

import landmass
from landmass import Bounded, Circular, Dataset, GaussianMixture, Positive, Real, Schema, UniformBox
from landmass.catalog import FAMILIES, OF_TABLES, family

N = 500

# A family that is not named here is tested at its defaults.
QUICK = {
    "histogram": {"n_cells": 8},
    "gaussian_mixture": {"n_components": 3},
    "spline_flow": {"max_steps": 150, "members": 2, "hidden": 16, "n_bins": 8},
    "latent_class": {"n_components": 3, "cells": 12},
    "mixed_kernel_density": {"cells": 12},
    "autoregressive": {"max_steps": 150, "members": 2, "hidden": 16, "cells": 12},
    "mixed_spline_flow": {"max_steps": 150, "members": 2, "hidden": 16, "cells": 12, "n_bins": 6, "waves": 4},
    "vae": {"max_steps": 300, "hidden": 16, "latents": 2, "draws": 60, "learning_rate": 0.01},
    "auto_encoder": {"max_steps": 300, "hidden": 16, "latents": 2, "learning_rate": 0.01},
    "stack": {
        "estimators": {"uniform_box": UniformBox(), "gaussian_mixture": GaussianMixture(n_components=3, random_state=0)}
    },
}


def estimator(name):
    """A fresh estimator of a family, with a seed where it takes one."""
    fresh = family(name)(**QUICK.get(name, {}))
    return fresh.set_params(random_state=0) if "random_state" in fresh.get_params() else fresh


def data(name, n=N, seed=0):
    """Events of one of the sample spaces."""
    if name == "plane":
        return landmass.read("mixture", n=n, seed=seed)
    if name == "land":
        return landmass.read("land", n=n, seed=seed)
    rng = np.random.default_rng(seed)
    real = np.where(rng.random(n) < 0.4, rng.normal(-2.0, 0.5, n), rng.normal(1.0, 1.0, n))
    if name == "line":
        return Dataset(real[:, None], Schema.real(["x"]), name=name)
    columns = (
        Real(name="real"),
        Positive(name="positive"),
        Bounded(name="bounded", low=-3.0, high=7.0),
        Circular(name="hour", low=0.0, high=24.0),
    )
    values = (
        real,
        rng.lognormal(1.0 + 0.3 * real, 0.5),
        -3.0 + 10.0 * rng.beta(2.0, 3.0, n),
        np.mod(rng.normal(23.0, 3.0, n), 24.0),
    )
    return Dataset(np.column_stack(values), Schema(columns), name=name)


DATA = ("line", "plane", "land", "mixed")


def fits(*names):
    """Each family with each of some data sets; those of tables, which have a contract of their own, with two."""
    few = ("plane", "mixed")
    return [(family, name) for name in names for family in FAMILIES if family not in OF_TABLES or name in few]
