"""A taller cylinder: from a thousand pixels to two numbers and back.

Whoever draws a cylinder needs its radius and its height. A variational auto-encoder is given the pixels alone, and six
latent numbers to use as it likes: it uses two. Nobody told it of radius and height, yet a straight line from its two
numbers tells both, and moving along the line that is "height" makes the cylinder taller and leaves it as wide.

    python examples/taller.py
"""

from pathlib import Path

import numpy as np
from _figures import FIGURES, drawn, options
from sklearn.linear_model import LinearRegression

import landmass
from landmass.data.builtin.cylinders import measured

STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Learn two numbers from pixels, and move one of them."""
    n, hidden, steps = (600, 32, 300) if small else (5_000, 256, 2_500)
    pictures, held_out = landmass.cylinders(n), landmass.cylinders(200, seed=1)
    model = landmass.VAE(
        latents=6,
        prior="uniform",
        likelihood="gaussian",
        beta=40.0,
        warm_up=0.0,
        hidden=hidden,
        max_steps=steps,
        batch_size=128,
        learning_rate=0.01,
        random_state=0,
    ).fit(pictures)

    codes, new = model.encode(pictures), model.encode(held_out)
    used = landmass.evaluate.active_units(new)
    factors, told = (
        np.column_stack([part.labels[name] for name in ("radius", "height")]) for part in (pictures, held_out)
    )
    share = 1.0 - ((told - LinearRegression().fit(codes, factors).predict(new)) ** 2).mean(0) / told.var(0)
    directions = model.directions(pictures)

    # Those that can grow without leaving what was learned from, also where codes tell a little more than their height.
    asked = 0.25
    few = held_out.take(np.flatnonzero(told[:, 1] < told[:, 1].max() - 1.5 * asked)[: 20 if small else None])
    before = measured(model.reconstruct(few))
    after = measured(model.edit(few, height=asked / directions.units[directions.place("height")]))
    taller, wider = (after.height - before.height).mean(), (after.radius - before.radius).mean()

    # One of the middle.
    one = held_out.X[[np.argmin(((told - told.mean(0)) ** 2 / told.var(0)).sum(1))]]
    with drawn(out / "taller.png", 7.0, 3.4) as figure:
        rows = [(name, [model.edit(one, {name: step}) for step in STEPS]) for name in ("height", "radius")]
        for row, ((name, images), axes) in enumerate(zip(rows, figure.subplots(2, len(STEPS)), strict=True)):
            for image, step, each in zip(images, STEPS, axes, strict=True):
                each.imshow(image[0, ..., 0], cmap="gray", vmin=0, vmax=255)
                each.set(xticks=[], yticks=[])
                each.set_title(f"{name} {step:+g} sd" if step else ("as it is" if row == 0 else ""), fontsize=8.0)

    print(
        f"{int(used.active.sum())} of 6 latents are used; a straight line from them tells {share[0]:.1%} of the radius "
        f"and {share[1]:.1%} of the height of held-out cylinders, and those asked to be {asked} taller became "
        f"{taller:.3f} taller and {wider:+.3f} wider."
    )
    return {
        "used": float(used.active.sum()),
        "radius": float(share[0]),
        "height": float(share[1]),
        "taller": float(taller),
        "wider": float(wider),
    }


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
