"""Losses on outliers: what each loss believes decides what it makes of answers that are far off.

One answer in ten comes from a broken sensor that reads too high. Squared error believes in a Gaussian, for which a
far answer is all but impossible: the curve is pulled towards the outliers to make them less so. Absolute error
believes in a Laplace distribution, whose middle is the median, and one in ten does not move a median far. With a
scale of each event's own, `gaussian` and `laplace` can also say where they are less sure, but not that there are two
kinds of answers. A mixture of Gaussians can, and puts a narrow bump on the curve and a wide one on the sensor.

A curve cannot show that; the held-out log score does. The truth is known here, so its score is the best there is.

    python examples/losses_on_outliers.py
"""

from pathlib import Path

import numpy as np
from _figures import COLOURS, FIGURES, GREY, INK, drawn, options
from scipy.stats import norm

import landmass

BROKEN, LOW, HIGH, NOISE = 0.1, 3.0, 6.0, 0.2
HEADS = ("squared_error", "absolute_error", "gaussian", "laplace", "mixture")


def curve(x: np.ndarray) -> np.ndarray:
    """What a working sensor reads, but for its noise."""
    return np.sin(2.0 * x)


def readings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places, and what the sensor reads there."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, n)
    broken = rng.random(n) < BROKEN
    return x[:, None], np.where(broken, rng.uniform(LOW, HIGH, n), rng.normal(curve(x), NOISE))


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Fit every head to the same readings."""
    (X, y), (X_new, y_new) = readings(1_000 if small else 5_000, seed=0), readings(5_000, seed=1)
    line = np.linspace(-2.95, 2.95, 240)
    truth = (1.0 - BROKEN) * norm.pdf(y_new, curve(X_new[:, 0]), NOISE)
    truth += BROKEN * ((y_new > LOW) & (y_new < HIGH)) / (HIGH - LOW)
    found = {"truth": float(np.log(truth).mean())}
    medians = {}
    for head in HEADS:
        model = landmass.NeuralRegressor(head=head, max_steps=300 if small else 1_500, random_state=0).fit(X, y)
        medians[head] = model.predict_quantiles(line[:, None], 0.5)[:, 0]
        found[head] = float(model.log_prob(X_new, y_new).mean())
        found[f"{head}: off"] = float(np.sqrt(np.mean((medians[head] - curve(line)) ** 2)))

    with drawn(out / "losses_on_outliers.png", 10.0, 3.6) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(2.0, 1.0))
        left.scatter(X[:1_000, 0], y[:1_000], s=4.0, color=GREY, alpha=0.35, linewidths=0)
        left.plot(line, curve(line), color=INK, linewidth=2.5, alpha=0.3, label="a working sensor")
        for head, colour in zip(HEADS, COLOURS, strict=False):
            left.plot(line, medians[head], color=colour, linewidth=1.2, label=head.replace("_", " "))
        left.set(title="readings, and the median of each fitted density", xlabel="x", ylabel="y", ylim=(-1.8, 8.3))
        left.legend(loc="upper center", ncols=3, frameon=False, fontsize=8.0)
        names = [*HEADS, "truth"]
        bars = right.barh(names, [found[name] for name in names], color=[*COLOURS[: len(HEADS)], GREY], height=0.6)
        right.bar_label(bars, fmt="%.2f", padding=3, fontsize=8.0)
        right.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        right.invert_yaxis()
        right.margins(x=0.2)
        right.set(title="held-out log score", xlabel="nats an answer; higher is better")

    told = ", ".join(f"{head} {found[head]:.2f} ({found[f'{head}: off']:.2f})" for head in HEADS)
    print(f"Held-out log score in nats, and distance from the curve: {told}; the truth scores {found['truth']:.2f}.")
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
