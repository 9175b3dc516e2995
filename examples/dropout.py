"""Dropout: a network that cannot rely on any one unit cannot learn events by heart.

With 300 images and 85,000 weights a network can memorise every training image, its label included, even where the
label is wrong: its training loss goes to zero, and it is sure of itself where it has no right to be. Dropout sets
each hidden number to zero at random in every training step and scales the others up, so that no unit can count on
another one being there; at test time nothing is dropped. What is learned is then spread over many units, and fits the
rule rather than the event. It does not last for ever: trained for longer, the network with dropout overfits too.

A fifth of the labels are drawn at random here, as some labels are wrong in most collections. Early stopping and a
temperature chosen on validation would hide the overfitting, so the curves show the networks as they are while they
train. Each training is run twice, to the same bits, and watched once on its own images and once on those it never
sees.

    python examples/dropout.py
"""

from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, RED, drawn, name_lines, options

import landmass

IMAGES, WRONG, DROPPED = 300, 0.2, 0.7


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Train with and without dropout, all else equal."""
    digits = landmass.examples("digits")
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(len(digits)) < WRONG, rng.integers(0, 10, len(digits)), digits.answers)
    told = landmass.Examples(digits.inputs, labels, "digit")
    train, held_out = told.take(np.arange(IMAGES)), told.take(np.arange(IMAGES, len(told)))

    curves = {}
    for dropout in (0.0, DROPPED):
        for name, watched in (("train", train), ("held out", held_out)):
            model = landmass.NeuralClassifier(
                architecture="mlp",
                hidden=256,
                dropout=dropout,
                activation="relu",
                max_steps=200 if small else 400,
                batch_size=64,
                patience=20,
                random_state=0,
            ).fit_parts(train, watched)
            # The score is that of the network in test mode, before any temperature.
            curves[dropout, name] = [(record.step, -record.score) for record in model.history_]

    with drawn(out / "dropout.png", 6.5, 3.6) as figure:
        axes = figure.subplots()
        for dropout, colour in ((0.0, RED), (DROPPED, BLUE)):
            for name, style in (("train", ":"), ("held out", "-")):
                label = f"dropout {dropout:g}: {name}"
                axes.plot(*zip(*curves[dropout, name], strict=True), color=colour, linestyle=style, label=label)
        axes.set(xlabel="steps", ylabel="cross-entropy (nats)", ylim=(0.0, 3.1))
        axes.set_title(f"{IMAGES} digits, a fifth of the labels drawn at random")
        name_lines(axes, columns=2)

    found = {}
    for dropout, name in ((0.0, "without"), (DROPPED, "with")):
        found[f"held out, {name}"] = curves[dropout, "held out"][-1][1]
        found[f"gap, {name}"] = found[f"held out, {name}"] - curves[dropout, "train"][-1][1]
    print(
        f"After {curves[0.0, 'train'][-1][0]} steps on {IMAGES} images the negative log-likelihood of held-out images "
        f"is {found['held out, without']:.2f} nats without dropout and {found['held out, with']:.2f} with it; the gap "
        f"to that of training images is {found['gap, without']:.2f} and {found['gap, with']:.2f}."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
