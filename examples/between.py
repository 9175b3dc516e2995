"""Why codes are smooth: the way from one picture to another, through pixels and through codes.

Half of one cylinder laid over half of another is no cylinder: the mean of two pictures shows two ghosts, for the
pixels of a thin cylinder and those of a wide one are far apart, and nothing that was drawn lies between them. The
mean of two codes is the code of a cylinder between both. How unlike any cylinder a picture is can be measured here,
because it is known how they are drawn: radius and height of the most similar one are looked for, and the greys that
are left over told.

    python examples/between.py
"""

from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, RED, drawn, name_lines, options

import landmass
from landmass.data.builtin.cylinders import measured

SHARES = np.linspace(0.0, 1.0, 7)


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Learn codes, and go both ways between pairs of held-out pictures."""
    n, hidden, steps, pairs = (600, 32, 300, 10) if small else (5_000, 256, 2_500, 100)
    settings = {"prior": "uniform", "likelihood": "gaussian", "beta": 40.0, "warm_up": 0.0, "learning_rate": 0.01}
    model = landmass.VAE(latents=6, hidden=hidden, max_steps=steps, batch_size=128, random_state=0, **settings)
    model.fit(landmass.cylinders(n))
    held_out = landmass.cylinders(2 * pairs, seed=1)
    # The lowest with the highest, and so on.
    order = np.argsort(held_out.labels["height"])
    held_out = held_out.take(np.concatenate([order[:pairs], order[: pairs - 1 : -1]]))
    first, last = held_out.X[:pairs].astype(float), held_out.X[pairs:].astype(float)

    codes = model.encode(held_out)
    through = {"pixels": [], "codes": []}
    for share in SHARES:
        through["pixels"].append(np.round((1.0 - share) * first + share * last).astype(np.uint8))
        through["codes"].append(model.decode((1.0 - share) * codes[:pairs] + share * codes[pairs:]))
    unlike = {name: [float(measured(each).misfit.mean()) for each in images] for name, images in through.items()}
    middle = {name: measured(images[len(SHARES) // 2]) for name, images in through.items()}
    factors = np.column_stack([held_out.labels["radius"], held_out.labels["height"]])
    halfway = 0.5 * (factors[:pairs] + factors[pairs:])
    off = {name: np.column_stack([each.radius, each.height]) - halfway for name, each in middle.items()}

    # The pair that differs most.
    far = int(np.abs((factors[:pairs] - factors[pairs:]) / factors.std(0)).min(axis=1).argmax())
    with drawn(out / "between.png", 9.0, 3.2) as figure:
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 2))[0]
        axes = left.subplots()
        rows = [np.concatenate([each[far, ..., 0] for each in images], axis=1) for images in through.values()]
        axes.imshow(np.concatenate(rows), cmap="gray", vmin=0, vmax=255)
        side = rows[0].shape[0]
        axes.set_xticks(side * (np.arange(len(SHARES)) + 0.5), [f"{share:.0%}" for share in SHARES])
        axes.set_yticks(side * (np.arange(2) + 0.5), [f"through {name}" for name in through])
        axes.tick_params(length=0.0)
        axes = right.subplots()
        for (name, values), colour in zip(unlike.items(), (RED, BLUE), strict=True):
            axes.plot(SHARES, values, "o-", color=colour, label=f"through {name}")
        axes.set(xlabel="share of the way", ylim=(0.0, None))
        axes.set_title("unlike any cylinder (greys)", fontsize=8.0, loc="left")
        name_lines(axes)

    ends = {name: 0.5 * (each[0] + each[-1]) for name, each in unlike.items()}
    found = {f"{name}: more unlike": unlike[name][len(SHARES) // 2] - ends[name] for name in through}
    found |= {f"{name}: off in height": float(np.abs(each[:, 1]).mean()) for name, each in off.items()}
    print(
        f"Half way through pixels, a picture is {found['pixels: more unlike']:.1f} greys more unlike any cylinder than "
        f"at both ends, through codes {found['codes: more unlike']:.1f}; its height is off the middle by "
        f"{found['pixels: off in height']:.2f} and {found['codes: off in height']:.2f}, of a range of 1."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
