"""Land or water: a classifier, and two densities with Bayes' rule, answer the same question.

A classifier is a discriminative model: it learns p(land | x) from places and their answers, and nothing else. The
other way is generative: learn where land is, p(x | land), and where the sea is, p(x | sea), each without knowing of
the other. Bayes' rule turns the two densities into the classifier's answer:

    log p(land | x) / p(sea | x)  =  log p(x | land) - log p(x | sea) + log p(land) / p(sea)

If both ways have learned well, their log-odds agree at places that neither has seen. The densities can do more: draw
new places, and say how strange a place is. The classifier never had to learn that.

    python examples/land_or_water.py
"""

from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, GREY, drawn, options

import landmass
from landmass.data.builtin.land import Land

SIDES = {"longitude": (-180.0, 180.0), "latitude": (-90.0, 90.0)}
MAP = landmass.Schema(
    tuple(landmass.Bounded(name=name, low=low, high=high, unit="degree") for name, (low, high) in SIDES.items())
)


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Answer for held-out places in both ways, and compare."""
    rest, held_out = landmass.examples("land_and_sea", n=6_000 if small else 90_000).split(test=1 / 6 if small else 0.1)
    places, is_land = np.column_stack(list(rest.inputs.columns.values())), rest.answers == "land"

    classifier = landmass.NeuralClassifier(waves=32, hidden=64 if small else 128, random_state=0)
    classifier.fit(places, rest.answers)
    land = landmass.KernelDensity(random_state=0).fit(landmass.Dataset(places[is_land], MAP))
    sea = landmass.KernelDensity(random_state=0).fit(landmass.Dataset(places[~is_land], MAP))

    def asked(x: np.ndarray) -> np.ndarray:
        """The classifier's log-odds of land."""
        return classifier.log_prob(x, np.full(len(x), "land")) - classifier.log_prob(x, np.full(len(x), "sea"))

    def by_bayes(x: np.ndarray) -> np.ndarray:
        """The same by Bayes' rule."""
        return land.score_samples(x) - sea.score_samples(x) + np.log(is_land.mean() / (1.0 - is_land.mean()))

    unseen, truth = np.column_stack(list(held_out.inputs.columns.values())), held_out.answers == "land"
    one, other = asked(unseen), by_bayes(unseen)
    found = {
        "classifier right": float(((one > 0.0) == truth).mean()),
        "densities right": float(((other > 0.0) == truth).mean()),
        "correlation": float(np.corrcoef(one, other)[0, 1]),
        "agreement": float(((one > 0.0) == (other > 0.0)).mean()),
    }

    step = 4.0 if small else 1.5
    longitude, latitude = np.arange(-180.0 + step / 2, 180.0, step), np.arange(-90.0 + step / 2, 90.0, step)
    grid = np.stack(np.meshgrid(longitude, latitude), axis=-1)
    with drawn(out / "land_or_water.png", 11.0, 3.1) as figure:
        figure.set_layout_engine("compressed")
        left, middle, right = figure.subplots(1, 3, width_ratios=(2.0, 2.0, 1.0))
        for axes, odds, name in ((left, asked, "a classifier"), (middle, by_bayes, "two densities and Bayes' rule")):
            chance = 1.0 / (1.0 + np.exp(-odds(grid.reshape(-1, 2)).clip(-50.0, 50.0)))
            chance = chance.reshape(grid.shape[:2])
            shown = axes.imshow(chance, origin="lower", extent=(-180, 180, -90, 90), cmap="cividis", vmin=0.0, vmax=1.0)
            for coast in Land().outline:
                axes.plot(*coast.T, color="white", linewidth=0.3, alpha=0.75)
            axes.set(title=name, xticks=[], yticks=[], xlim=(-180, 180), ylim=(-90, 90))
            axes.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=[left, middle], location="bottom", aspect=60, shrink=0.6, pad=0.03)
        bar.outline.set_visible(False)
        bar.set_label("probability of land")
        right.axline((0.0, 0.0), slope=1.0, color=GREY, linewidth=0.6)
        right.scatter(other, one, s=1.0, color=BLUE, alpha=0.4, linewidths=0)
        right.set(xlabel="log-odds by the densities", ylabel="by the classifier")
        right.set_title("held-out places")

    print(
        f"Of {len(truth):,} held-out places the classifier has {found['classifier right']:.1%} right and the two "
        f"densities {found['densities right']:.1%}; they agree on {found['agreement']:.1%}, and the correlation of "
        f"their log-odds is {found['correlation']:.2f}."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
