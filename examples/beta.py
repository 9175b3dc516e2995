"""β from 0 to 8: what a variational auto-encoder pays for its codes, and what it gets.

It lowers the error of what it draws from a code, plus β times what the code tells of its event, both in nats. With β
= 0 codes are free: digits come back best, but nobody knows where their codes lie, and what is drawn from a code of
the prior is hardly a digit. With β = 1 the sum is minus a bound on the log-likelihood. With β = 4 a code is dear:
what is not worth four times its nats is not told, and digits come back as others. With β = 8 no latent is worth its
price: all posteriors collapse to the prior, and one grey digit is left.

    python examples/beta.py
"""

from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, drawn, options

import landmass
from landmass.evaluate import active_units
from landmass.evaluate.latents import divergences

BETAS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
LATENTS, SHOWN, GAP = 10, 6, 1


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Fit the digits once for each β, and put them side by side."""
    digits = landmass.examples("digits")
    rest, held_out = digits.split(test=0.2)
    n, hidden, steps = (300, 32, 120) if small else (len(rest), 256, 3_000)
    train, test = rest.inputs.take(np.arange(n)), held_out.inputs
    found, rows = {}, []
    betas = (0.0, 1.0, 8.0) if small else BETAS
    for beta in betas:
        model = landmass.VAE(
            latents=LATENTS,
            likelihood="gaussian",
            beta=beta,
            hidden=hidden,
            max_steps=steps,
            batch_size=128,
            patience=20,
            random_state=0,
        ).fit(train)
        mean, scale = model.posterior(test)
        back = model.decode(mean)
        found[f"{beta:g}: nats of the code"] = float(divergences(mean, scale).sum(1).mean())
        found[f"{beta:g}: error"] = float(np.sqrt(((back.astype(float) - test.X) ** 2).mean()))
        found[f"{beta:g}: used"] = float(active_units(mean).active.sum())
        found[f"{beta:g}: bits"] = -model.score(test) / (np.log(2.0) * test.X[0].size)
        fresh = model.decode(np.random.default_rng(0).standard_normal((SHOWN, LATENTS)))
        rows.append([*back[:SHOWN], *fresh])

    nothing = [np.full_like(test.X[0], 255)] * SHOWN
    with drawn(out / "beta.png", 10.0, 5.0) as figure:
        pictures, curves = figure.subfigures(1, 2, squeeze=False, width_ratios=(3, 1))[0]
        axes = pictures.subplots()
        axes.imshow(sheet([[*test.X[:SHOWN], *nothing], *rows]), cmap="gray", vmin=0, vmax=255)
        side = len(test.X[0]) + GAP
        names = ["held out", *(f"β = {beta:g}" for beta in betas)]
        axes.set_yticks(side * (np.arange(len(names)) + 0.5), names)
        axes.set_xticks(side * SHOWN * np.array([0.5, 1.5]), ["from their own codes", "from codes of the prior"])
        axes.tick_params(length=0.0)
        axes.spines[:].set_visible(False)
        values = {
            "root mean square error (greys)": "error",
            "nats that a code tells": "nats of the code",
            "latents used": "used",
        }
        for axes, (title, name) in zip(curves.subplots(3, 1, sharex=True), values.items(), strict=True):
            axes.plot([f"{beta:g}" for beta in betas], [found[f"{beta:g}: {name}"] for beta in betas], "o-", color=BLUE)
            axes.set_title(title, fontsize=8.0, loc="left")
            axes.set(ylim=(0.0, None))
        axes.set_xlabel("β")

    best = min(betas, key=lambda beta: found[f"{beta:g}: bits"])
    print(
        f"From β = 0 to 8 the digits come back worse, {found['0: error']:.0f} to {found['8: error']:.0f} greys off; a "
        f"code tells {found['0: nats of the code']:.0f} to {found['8: nats of the code']:.1f} nats, and "
        f"{found['0: used']:.0f} to {found['8: used']:.0f} of {LATENTS} latents are used. The likelihood is best at "
        f"β = {best:g}."
    )
    return found


def sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Pictures in rows, with white between them."""
    framed = [[np.pad(each[..., 0], (0, GAP), constant_values=255) for each in row] for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in framed])


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
