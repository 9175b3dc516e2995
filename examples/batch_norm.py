"""Batch norm: what keeps a deep network trainable at learning rates that are fatal without it.

Each layer of a network sees numbers that all layers before it have scaled. In a deep one, a step that is a little too
long for one layer changes what all the others see, until nothing passes through at all. Batch norm brings each unit
back to mean 0 and standard deviation 1 over the batch, layer by layer, and then lets the network scale and shift it
as it likes. At test time running averages of mean and variance stand for the batch's, so that an event's answer is
its own.

Here the same network with 12 hidden layers reads digits, with and without batch norm, under plain stochastic gradient
descent, at learning rates from small to large. Batch norm is no gain at every rate: at small ones this network is
better without it. What it allows is large steps, at which the plain network dies; and with these it learns best.

    python examples/batch_norm.py
"""

import math
from pathlib import Path

from _figures import BLUE, FIGURES, GREY, RED, drawn, name_lines, options

import landmass

# Where the loss curves are drawn.
RATE = 1.0


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Train at several learning rates, with and without."""
    rest, held_out = landmass.examples("digits").split(test=0.3)
    found: dict[tuple[bool, float], float] = {}
    curves = {}
    for rate in (RATE,) if small else (0.01, 0.03, 0.1, 0.3, RATE, 3.0):
        for batch_norm in (True, False):
            model = landmass.NeuralClassifier(
                architecture="mlp",
                depth=12,
                activation="relu",
                batch_norm=batch_norm,
                optimiser="sgd",
                learning_rate=rate,
                max_steps=200 if small else 1_000,
                patience=20,
                random_state=0,
            )
            try:
                model.fit(rest)
                found[batch_norm, rate] = -float(model.log_prob(held_out).mean())
            except landmass.FitError as error:
                # Numbers that are no longer finite are an outcome too.
                print(f"Learning rate {rate:g}, batch norm {batch_norm}: {error}")
                found[batch_norm, rate] = math.inf
            if rate == RATE:
                curves[batch_norm] = getattr(model, "history_", ())

    with drawn(out / "batch_norm.png", 9.0, 3.4) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for batch_norm, colour, name in ((True, BLUE, "with batch norm"), (False, RED, "without")):
            steps = [record.step for record in curves[batch_norm]]
            left.plot(steps, [record.loss for record in curves[batch_norm]], color=colour, label=f"{name}: training")
            scores = [-record.score for record in curves[batch_norm]]
            left.plot(steps, scores, color=colour, linestyle=":", label=f"{name}: validation")
            rates = [rate for with_it, rate in found if with_it == batch_norm]
            right.plot(rates, [found[batch_norm, rate] for rate in rates], "o-", color=colour, label=name, markersize=4)
        for axes in (left, right):
            axes.axhline(math.log(10.0), color=GREY, linewidth=0.6)
            axes.set_yscale("log")
        left.set(title=f"learning rate {RATE:g}", xlabel="steps", ylabel="cross-entropy (nats)", ylim=(1e-3, 5.0))
        right.set(title="held-out images, at each learning rate", xlabel="learning rate", xscale="log")
        right.text(0.02, 2.6, "all digits alike", color=GREY, transform=right.get_yaxis_transform())
        name_lines(left)
        name_lines(right)

    result = {"with batch norm": found[True, RATE], "without": found[False, RATE]}
    best = {
        name: min(nll for (w, _), nll in found.items() if w is w_) for name, w_ in (("with", True), ("without", False))
    }
    print(
        f"At a learning rate of {RATE:g} the negative log-likelihood of held-out digits is "
        f"{result['with batch norm']:.3f} nats with batch norm and {result['without']:.3f} without it (ten digits "
        f"alike: {math.log(10.0):.3f}); at the best of the rates it is {best['with']:.3f} and {best['without']:.3f}."
    )
    return result | {f"best {name}": nll for name, nll in best.items()}


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
