"""Portraits: what codes tell of known factors, and whether an edit of the smile leaves everything else as it is.

    python benchmarks/portraits_codes.py             # three quarters of an hour on two cores
    python benchmarks/portraits_codes.py --seeds 1

For each seed, drawn portraits of 32×32 teach a variational auto-encoder, one with a penalty of the total correlation,
and probabilistic principal components, all of as many latents. A table tells how well the codes of others recover the
factors. Then held-out faces that frown are made to smile. What came is read off the decoded pictures, before and after,
by networks of scikit-learn that never saw a code: one multi-layer regression of all factors that are numbers, and a
classifier each of the smile and the glasses.
"""

import argparse
import time

import numpy as np
from _timing import machine

import landmass
from landmass.data.builtin.portraits import RANGES
from landmass.evaluate import Reader, compare, recovery, what_changed

LATENTS = 32
TAUGHT = {"batch_size": 128, "max_steps": 6_000, "learning_rate": 0.003, "patience": 20}
SETTINGS = {"latents": LATENTS, "likelihood": "gaussian", "scales": "one", **TAUGHT}
MODELS = {
    "VAE": lambda seed: landmass.VAE(**SETTINGS, random_state=seed),
    "TC-VAE": lambda seed: landmass.VAE(**SETTINGS, total_correlation=5.0, random_state=seed),
    "PCA": lambda seed: landmass.ProbabilisticPCA(n_components=LATENTS, random_state=seed),
}
FACTORS = (*RANGES, "glasses")
READ = (*FACTORS, "smiling")

# Faces that are edited, and how many standard deviations more of a smile they get.
EDITED, STEPS = 500, 2.0


def edits(model: landmass.VAE, train: landmass.Images, test: landmass.Images, read: Reader) -> None:
    """Make faces that frown smile, and print what changed."""
    found = model.directions(train, {name: train.labels[name] for name in FACTORS})
    smile = np.asarray(test.labels["smile"])
    few = test.take(np.flatnonzero(smile < 0.0)[:EDITED])
    asked = STEPS * found.units[found.place("smile")]
    before, after = read(model.reconstruct(few)), read(model.edit(few, smile=STEPS))
    reference = dict(test.labels) | {"smiling": (smile > 0.0).astype(float)}
    changes = what_changed(before, after, ("smile", "smiling"), reference=reference)
    print(
        f"  frowning faces, asked for {asked:+.2f} of smile: {changes['smile'].mean:+.2f} came, "
        f"{changes['smile'].mean / asked:.0%} of it; {(before['smiling'] > 0.5).mean():.1%} were seen to smile before, "
        f"{(after['smiling'] > 0.5).mean():.1%} after"
    )
    others = {name: changes[name].of_range for name in FACTORS if name != "smile"}
    sizes = {name: np.abs(after[name] - before[name]).mean() / np.ptp(reference[name].astype(float)) for name in others}
    worst, largest = max(others, key=lambda name: abs(others[name])), max(sizes, key=lambda name: sizes[name])
    print(
        f"  of the others {worst} changed most on average, by {others[worst]:+.1%} of its range, and {largest} in mean "
        f"size, by {sizes[largest]:.1%}\n{changes}",
        flush=True,
    )


def main() -> None:
    """Print the edits of each seed, and after each the table of all so far."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--faces", type=int, default=10_000)
    options.add_argument("--models", default=",".join(MODELS))
    chosen = options.parse_args()
    print(machine("scikit-learn"))
    began = time.perf_counter()
    teachers, judged = landmass.portraits(10_000, seed=100), landmass.portraits(2_000, seed=101)
    read = Reader(teachers.X, {name: teachers.labels[name] for name in READ})
    scores = [f"{name} {score:.4f}" for name, score in read.quality(judged.X, judged.labels).items()]
    took = time.perf_counter() - began
    print(f"readers ({took:.0f} s) on faces as drawn (R², AUC of classes): {', '.join(scores)}", flush=True)
    rows = []
    for seed in range(chosen.seeds):
        train, test = landmass.portraits(chosen.faces, seed=seed), landmass.portraits(4_000, seed=1_000 + seed)
        for name in chosen.models.split(","):
            began = time.perf_counter()
            model = MODELS[name](seed).fit(train)
            took = time.perf_counter() - began
            codes = model.encode(test)
            rows.append((name, recovery(codes, {each: test.labels[each] for each in FACTORS}, seed)))
            print(f"seed {seed}, {name}: {took:.0f} s", flush=True)
            edits(model, train, test, read)
        print(f"{seed + 1} seeds\n{compare(rows)}", flush=True)


if __name__ == "__main__":
    main()
