"""Linear or not: where only an interaction tells, a linear model knows nothing.

Visitors of a site subscribe or not. Half of the job titles subscribe as they come more often, the other half as they
come less often: neither the title nor the visits tell anything alone, only both together. Logistic regression, which
is a network without a hidden layer, adds up what each tells alone, and so cannot do better than a coin. A network
with two hidden layers finds the interaction by itself. The area under the curve (AUC) is the chance that a subscriber
is ranked above another visitor; no model can beat the one that knows the true probabilities, the Bayes classifier.

    python examples/linear_or_not.py
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from _figures import BLUE, FIGURES, RED, drawn, options
from sklearn.metrics import roc_auc_score

import landmass

VISITS = np.arange(21.0)


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Fit both, compare them with the truth on held-out visitors."""
    # Two draws, not a split: that would keep all copies of a visitor, of whom there are 210 kinds, on one side.
    rest, held_out = (landmass.examples("visitors", n=4_000 if small else 20_000, seed=seed) for seed in (0, 1))
    subscribes = held_out.answers == "yes"
    columns = held_out.inputs.columns
    titles = np.unique(columns["job_title"].astype(str))
    everyone = pa.table({"job_title": np.repeat(titles, len(VISITS)), "site_visits": np.tile(VISITS, len(titles))})

    # What happened and what was likely, for each title and number of visits.
    place = np.searchsorted(titles, columns["job_title"].astype(str)) * len(VISITS) + columns["site_visits"].astype(int)
    count = np.maximum(np.bincount(place, minlength=everyone.num_rows), 1)
    curves = {"held-out visitors": np.bincount(place, subscribes, everyone.num_rows) / count}
    found = {}
    for architecture in ("linear", "mlp"):
        model = landmass.NeuralClassifier(architecture=architecture, random_state=0).fit(rest)
        found[architecture] = float(roc_auc_score(subscribes, model.predict_proba(held_out)[:, 1]))
        curves[architecture] = model.predict_proba(everyone)[:, 1]
    found["Bayes"] = float(roc_auc_score(subscribes, held_out.chances[:, 1]))
    curves["the truth"] = np.bincount(place, held_out.chances[:, 1], everyone.num_rows) / count

    rises = curves["the truth"].reshape(len(titles), -1)[:, -1] > 0.5
    scores = {"linear": found["linear"], "mlp": found["mlp"], "the truth": found["Bayes"]}
    with drawn(out / "linear_or_not.png", 11.0, 3.0) as figure:
        panels = figure.subplots(1, 4, sharex=True, sharey=True)
        for axes, (name, curve) in zip(panels, curves.items(), strict=True):
            for title, line, up in zip(titles, curve.reshape(len(titles), -1), rises, strict=True):
                axes.plot(VISITS, line, color=BLUE if up else RED, linewidth=1.0, alpha=0.7, label=title)
            axes.set(title=name, xlabel="visits", ylim=(-0.03, 1.03))
            if name in scores:
                axes.set_title(f"AUC {scores[name]:.3f}", loc="right", fontsize=8.0)
        panels[0].set_ylabel("probability of subscribing")
        for up, colour, height in ((True, BLUE, 0.36), (False, RED, 0.14)):
            names = titles[rises == up].tolist()
            text = ", ".join(names[:3]) + ",\n" + ", ".join(names[3:])
            panels[1].text(0.05, height, text, color=colour, fontsize=8.0, transform=panels[1].transAxes, va="center")

    print(
        f"On {len(subscribes):,} held-out visitors the linear model's AUC is {found['linear']:.3f}, the network's "
        f"{found['mlp']:.4f}, and the most that can be had is {found['Bayes']:.4f}."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
