"""Optimisers: six ways down the same slope.

All take the same steps on the same batches from the same weights; they differ in what they make of a gradient. `sgd`
follows it as it is. `momentum` follows a running sum, which shortens the zigzag through narrow valleys. `adam`
divides each weight's step by how large its gradients have been, so that rare signals count, and `adamw` shrinks the
weights besides. `lion` takes only the sign of a running average, a step of equal length for each weight. `muon` turns
a whole matrix of steps into one that stretches no direction more than another.

Each has the learning rate that the library gives it, so this shows defaults at work on one problem, land or sea, and
is no verdict: with a search for the best learning rate of each, the order may change.

    python examples/optimisers.py
"""

from pathlib import Path

from _figures import COLOURS, FIGURES, drawn, name_lines, options

import landmass
from landmass.train.optimisers import OPTIMISERS


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Train the same network by each."""
    rest, held_out = landmass.examples("land_and_sea", n=3_000 if small else 30_000).split(test=1 / 3)
    found, curves = {}, {}
    for name in OPTIMISERS:
        model = landmass.NeuralClassifier(
            optimiser=name, max_steps=200 if small else 2_000, patience=20, random_state=0
        ).fit(rest)
        found[name] = -float(model.log_prob(held_out).mean())
        curves[name] = [(record.step, -record.score) for record in model.history_]

    with drawn(out / "optimisers.png", 7.0, 3.8) as figure:
        axes = figure.subplots()
        for (name, curve), colour in zip(curves.items(), COLOURS, strict=True):
            # All but hides adam.
            style = "--" if name == "adamw" else "-"
            axes.plot(*zip(*curve, strict=True), style, color=colour, label=f"{name}: {found[name]:.3f}")
        axes.set(xlabel="steps", ylabel="cross-entropy (nats)", yscale="log")
        axes.set_title("land or sea: validation by step; beside the names, held-out places")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="y", which="minor", labelsize=8.0)
        name_lines(axes)

    print("optimiser  learning rate  held-out negative log-likelihood")
    for name, nll in sorted(found.items(), key=lambda item: item[1]):
        print(f"{name:<10} {OPTIMISERS[name].learning_rate:13g}  {nll:.4f}")
    best, worst = min(found, key=lambda name: found[name]), max(found, key=lambda name: found[name])
    print(
        f"After {curves[best][-1][0]:,} steps each, {best} is best with {found[best]:.3f} nats on held-out places and "
        f"{worst} last with {found[worst]:.3f}."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
