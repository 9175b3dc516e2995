"""Hair, width, smile: what has a name is a direction of the codes.

A face is drawn here with 3,072 bytes. A variational auto-encoder learns a code of 32 numbers for it, without a label.
Labels come afterwards, and only give names to directions: the step of a code along which hair grows, a face widens, a
mouth curves, while whatever else has a name is held. What really changed is read off the pixels, before and after, by a
network that was taught with other faces and never saw a code.

    python examples/hair_width_smile.py
"""

from pathlib import Path

import numpy as np
from _figures import FIGURES, drawn, options

import landmass
from landmass.data.builtin.portraits import RANGES
from landmass.evaluate import Reader, what_changed
from landmass.evaluate.edits import Changes

EDITED = ("hair_colour", "hair_length", "face_width", "smile")
STEPS = (-1.5, -0.75, 0.0, 0.75, 1.5)


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Learn codes, name directions, move along them, and read what changed."""
    n, hidden, steps = (600, 32, 200) if small else (10_000, 512, 3_500)
    faces, others, held_out = (landmass.portraits(m, seed=i) for i, m in enumerate((n, n, 500)))
    model = landmass.VAE(
        latents=32,
        likelihood="gaussian",
        scales="one",
        hidden=hidden,
        max_steps=steps,
        batch_size=128,
        learning_rate=0.003,
        random_state=0,
    ).fit(faces)
    directions = model.directions(faces, {name: faces.labels[name] for name in RANGES})
    read = Reader(others.X, {name: others.labels[name] for name in RANGES})

    changes = {name: changed(model, held_out, read, name) for name in EDITED}
    told = np.column_stack([held_out.labels[name] for name in RANGES])
    one = held_out.X[[np.argmin(((told - told.mean(0)) ** 2 / told.var(0)).sum(1))]]
    with drawn(out / "hair_width_smile.png", 7.0, 6.0) as figure:
        for name, axes in zip(EDITED, figure.subplots(len(EDITED), len(STEPS)), strict=True):
            for step, each in zip(STEPS, axes, strict=True):
                each.imshow(model.edit(one, {name: step})[0])
                each.set(xticks=[], yticks=[])
                each.set_title(f"{name} {step:+g} sd" if step else "as it is", fontsize=8.0)

    print(directions)
    found: dict[str, float] = {}
    for name, each in changes.items():
        print(f"\nasked: {name} +1 sd, of faces that have less of it than the middle\n{each}")
        found[name] = each[name].in_sds
        found[f"{name}: others"] = max(abs(each[other].of_range) for other in RANGES if other != name)
    sentence = "; ".join(
        f"{name} changed by {found[name]:.2f} and no other by more than {found[f'{name}: others']:.1%} of its range"
        for name in EDITED
    )
    print(f"\nOf each standard deviation more, asked of held-out faces that have less than the middle: {sentence}.")
    return found


def changed(model: landmass.VAE, faces: landmass.Images, read: Reader, name: str) -> Changes:
    """What changes if faces that have less of an attribute than the middle get a standard deviation more."""
    told = np.asarray(faces.labels[name])
    few = faces.take(np.flatnonzero(told < np.median(told)))
    return what_changed(read(model.reconstruct(few)), read(model.edit(few, {name: 1.0})), name, reference=faces.labels)


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
