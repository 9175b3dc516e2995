"""Losses are likelihoods: cross-entropy, squared and absolute error are minus a log-density in disguise.

Whoever minimises a loss believes in a distribution, whether they know it or not. Cross-entropy is minus the log-
probability of the right class. Squared error is minus the log-density of a Gaussian of one width σ for all events,
and absolute error that of a Laplace distribution of one width b, but for a factor and a constant:

    -log N(y | f, σ)        =  (y - f)² / 2σ²  +  log √(2πσ²)
    -log Laplace(y | f, b)  =  |y - f| / b     +  log 2b

The network f that minimises the left side minimises the right side too. The width is what a bare loss leaves out:
without it there is no density, no interval and no comparison between models in one unit. Here it is chosen on
validation.

    python examples/losses_are_likelihoods.py
"""

from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, INK, drawn, options
from sklearn.datasets import load_diabetes
from sklearn.metrics import log_loss

import landmass


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Compare log-densities of held-out answers with losses worked out by hand."""
    steps = 100 if small else 1_000
    rest, digits = landmass.examples("digits").split(test=0.3)
    classifier = landmass.NeuralClassifier(architecture="mlp", max_steps=steps, random_state=0).fit(rest)
    chances, nll = classifier.predict_proba(digits), -classifier.log_prob(digits)
    found = {"classifier": float(nll.mean()), "log_loss": float(log_loss(digits.answers, chances))}

    # How far diabetes has advanced a year later, from ten measurements.
    X, y = (np.asarray(part) for part in load_diabetes(return_X_y=True))
    rest, patients = landmass.examples(X, y).split(test=0.3)
    lines = {}
    for head in ("squared_error", "absolute_error"):
        model = landmass.NeuralRegressor(head=head, dropout=0.3, max_steps=steps, random_state=0).fit(rest)
        error = np.abs(patients.answers - model.predict(patients))
        loss, minus_log_density = (error**2 if head == "squared_error" else error), -model.log_prob(patients)
        slope, constant = np.polyfit(loss, minus_log_density, 1)
        # The width that the slope stands for, and the constant that the formula then asks for.
        width = (2.0 * slope) ** -0.5 if head == "squared_error" else 1.0 / slope
        asked = np.log(np.sqrt(2.0 * np.pi) * width) if head == "squared_error" else np.log(2.0 * width)
        found |= {f"{head}: width": float(width), f"{head}: off": float(abs(constant - asked))}
        found[f"{head}: off the line"] = float(np.abs(minus_log_density - slope * loss - constant).max())
        lines[head] = loss, minus_log_density, slope, constant

    with drawn(out / "losses_are_likelihoods.png", 11.0, 3.4) as figure:
        left, middle, right = figure.subplots(1, 3)
        p = np.linspace(1e-3, 1.0, 500)
        left.plot(p, -np.log(p), color=INK, linewidth=0.8)
        right_class = chances[np.arange(len(nll)), np.searchsorted(classifier.classes_, digits.answers)]
        left.scatter(right_class, nll, s=9.0, color=BLUE, alpha=0.6, linewidths=0)
        left.set(title="digits: cross-entropy", xlabel="probability of the right class p", ylabel="−log_prob (nats)")
        left.text(0.2, 2.0, "−log p")
        for axes, head, formula in (
            (middle, "squared_error", "{slope:.3g} · error² + {constant:.2f}\nso σ = {width:.0f}"),
            (right, "absolute_error", "{slope:.3g} · |error| + {constant:.2f}\nso b = {width:.0f}"),
        ):
            loss, minus_log_density, slope, constant = lines[head]
            ends = np.array([0.0, loss.max()])
            axes.plot(ends, slope * ends + constant, color=INK, linewidth=0.8)
            axes.scatter(loss, minus_log_density, s=9.0, color=BLUE, alpha=0.6, linewidths=0)
            axes.set(title=f"diabetes: {head.replace('_', ' ')}", xlabel=head.replace("_", " "))
            text = formula.format(slope=slope, constant=constant, width=found[f"{head}: width"])
            axes.text(0.05, 0.82, text, transform=axes.transAxes)

    print(
        f"The classifier's mean -log_prob is {found['classifier']:.6f}, scikit-learn's log_loss "
        f"{found['log_loss']:.6f}; the regressors' -log_prob lies on a line of the squared error within "
        f"{found['squared_error: off the line']:.0e} (σ = {found['squared_error: width']:.1f}) and of the absolute "
        f"error within {found['absolute_error: off the line']:.0e} (b = {found['absolute_error: width']:.1f}), and the "
        f"lines' constants are the formulae's within "
        f"{max(found['squared_error: off'], found['absolute_error: off']):.0e}."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
