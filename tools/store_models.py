"""Store a small model of every family under tests/stored/<version>: once a release, so that it keeps loading."""

from pathlib import Path

import landmass
from landmass.catalog import FAMILIES, family
from landmass.store import VERSION

SMALL = {
    "histogram": {"n_cells": 4},
    "gaussian_mixture": {"n_components": 2},
    "spline_flow": {"max_steps": 50, "members": 2, "hidden": 4, "depth": 1, "n_bins": 4, "waves": 2},
    "stack": {"estimators": {"uniform_box": landmass.UniformBox(), "gaussian": landmass.Gaussian()}},
}


def main() -> None:
    """Fit and store what is not there yet."""
    folder = Path(__file__).parents[1] / "tests" / "stored" / VERSION
    for name in FAMILIES:
        if not (folder / name).exists():
            model = family(name)(**SMALL.get(name, {}))
            if "random_state" in model.get_params():
                model.set_params(random_state=0)
            model.fit(landmass.read("moons", n=60)).save(folder / name)


if __name__ == "__main__":
    main()
