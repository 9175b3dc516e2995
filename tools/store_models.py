"""Store a small model of every family under tests/stored/<version>: once a release, so that it keeps loading."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import landmass
from landmass.catalog import CONDITIONALS, FAMILIES, KNOWN, family
from landmass.store import VERSION, new_folder, write_json

SMALL = {
    "histogram": {"n_cells": 4},
    "gaussian_mixture": {"n_components": 2},
    "spline_flow": {"max_steps": 50, "members": 2, "hidden": 4, "depth": 1, "n_bins": 4, "waves": 2},
    "vae": {"max_steps": 50, "hidden": 4, "depth": 1, "latents": 2, "draws": 3, "prior": "mixture", "bells": 2},
    "auto_encoder": {"max_steps": 50, "hidden": 4, "depth": 1, "latents": 2, "batch_norm": True},
    "stack": {"estimators": {"uniform_box": landmass.UniformBox(), "gaussian": landmass.Gaussian()}},
    "latent_class": {"n_components": 3},
    "autoregressive": {"max_steps": 20, "hidden": 4, "members": 2},
    "mixed_spline_flow": {"max_steps": 20, "hidden": 4, "members": 2, "n_bins": 4, "waves": 2},
    # Both have running statistics, and the classifier's classes are numbers, which are words in JSON's keys.
    "neural_classifier": {"max_steps": 50, "hidden": 2, "depth": 1, "batch_norm": True, "class_weight": {1: 2.0}},
    "neural_regressor": {"max_steps": 50, "hidden": 4, "batch_norm": True, "waves": 2, "members": 2, "head": "mixture"},
}

# Events of each predictor whose answers are stored beside it.
ASKED = 12


def main() -> None:
    """Fit and store what is not there yet."""
    folder = Path(__file__).parents[1] / "tests" / "stored" / VERSION
    for name in KNOWN:
        if (folder / name).exists():
            continue
        model = family(name)(**SMALL.get(name, {}))
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        if name in ("latent_class", "mixed_kernel_density", "mixed_spline_flow", "autoregressive"):
            model.fit(goods()[0]).save(folder / name)
            continue
        if name in FAMILIES:
            model.fit(landmass.read("moons", n=60)).save(folder / name)
            continue
        if name not in CONDITIONALS:
            model.fit(pictures()[0] // 64).save(folder / name)
            continue
        X, y = pictures() if name == "neural_classifier" else goods()
        model.fit(X, y)
        with new_folder(folder / name) as made:
            model.save_into(made)
            write_json(made / "expected.json", answers(model, X[:ASKED], y[:ASKED]))


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Dark and bright pictures of 6×6 grey pixels, and which they are: 0 or 1."""
    rng = np.random.default_rng(0)
    light = rng.uniform(60.0, 180.0, 80)
    pixels = light[:, None, None, None] + 20.0 * rng.standard_normal((80, 6, 6, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8), (light > 120.0).astype(int)


def goods() -> tuple[pa.Table, np.ndarray]:
    """A word and a number, some of each missing, and the price that both decide."""
    rng = np.random.default_rng(0)
    kind, size = rng.choice(["bread", "milk", "wine"], 80), rng.normal(3.0, 1.0, 80)
    price = 2.0 + 5.0 * (kind == "wine") + size + 0.3 * rng.standard_normal(80)
    given = rng.random((80, 2)) > 0.1
    words = [word if there else None for word, there in zip(kind.tolist(), given[:, 0], strict=True)]
    numbers = [number if there else None for number, there in zip(size.tolist(), given[:, 1], strict=True)]
    return pa.table({"kind": words, "size": numbers}), price


def answers(model: Any, X: Any, y: np.ndarray) -> dict[str, Any]:
    """Events, and what a predictor says of them by each of its methods."""
    methods = ("predict", "predict_proba", "predict_quantiles")
    said = {name: getattr(model, name)(X).tolist() for name in methods if hasattr(model, name)}
    events = X.to_pydict() if isinstance(X, pa.Table) else X.tolist()
    return {"X": events, "y": y.tolist(), "log_prob": model.log_prob(X, y).tolist(), **said}


if __name__ == "__main__":
    main()
