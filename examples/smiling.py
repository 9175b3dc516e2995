"""Smiling: from a folder of pictures to probabilities that can be trusted.

A convolutional network reads pictures and says how likely each label is. Three numbers judge it on pictures that it
has not seen: the mean log score says how good its probabilities are (0 is perfect, log 1/2 = -0.69 a coin's), the
area under the curve (AUC) how well it ranks, and the expected calibration error whether of the faces that it gives
80% four in five do smile. Without a folder, the faces are drawn: a bar hides the mouth of every eighth, and one label
in twenty is wrong, so that nobody can be right about all of them. How right one can be is known: it is the Bayes
classifier's AUC.

    python examples/smiling.py
    python examples/smiling.py my_photos --target smiling   # PNG or JPEG files, and labels.csv: file,smiling
"""

import csv
from pathlib import Path

import numpy as np
from _figures import BLUE, FIGURES, RED, drawn, options
from PIL import Image
from sklearn.metrics import roc_auc_score

import landmass


def main(
    small: bool = False, out: Path = FIGURES, folder: Path | None = None, target: str = "smiling"
) -> dict[str, float]:
    """Read the pictures, fit, judge, draw."""
    if folder is None:
        n = 300 if small else 2_400
        folder = draw_faces(out / f"portraits-{n}", n)
    pictures = landmass.examples(folder, target, size=32)
    rest, held_out = pictures.split(test=0.3)
    sizes = {"hidden": 4, "depth": 2, "max_steps": 60} if small else {}
    model = landmass.NeuralClassifier(augment=("flip", "shift"), random_state=0, **sizes).fit(rest)

    chances, calibration = model.predict_proba(held_out), landmass.evaluate.calibration(model, held_out)
    found = {
        "log score": float(model.log_prob(held_out).mean()),
        "right": model.score(held_out),
        "calibration error": calibration.error,
    }
    told = f"log score {found['log score']:.3f} nats, {found['right']:.1%} right, calibration error "
    told += f"{found['calibration error']:.3f}"
    if len(model.classes_) == 2:
        came = held_out.answers == model.classes_[1]
        found["AUC"] = float(roc_auc_score(came, chances[:, 1]))
        told += f", AUC {found['AUC']:.3f}"
        known = held_out.inputs.labels.get(f"{target}_chance")
        if known is not None:
            found["Bayes AUC"] = float(roc_auc_score(came, known))
            told += f" of the {found['Bayes AUC']:.3f} that can be had"

    # Of two classes the second one's probability, from small to large; of more, the likeliest one's.
    shown = np.ones(len(chances), int) if len(model.classes_) == 2 else chances.argmax(axis=1)
    probability = chances[np.arange(len(chances)), shown]
    chosen = np.argsort(probability)[np.linspace(0, len(chances) - 1, 32).round().astype(int)]
    with drawn(out / "smiling.png", 9.0, 5.4) as figure:
        for axes, i in zip(figure.subplots(4, 8).flat, chosen, strict=True):
            axes.imshow(held_out.inputs.X[i].squeeze(), cmap="gray", vmin=0, vmax=255)
            right = held_out.answers[i] == model.classes_[chances[i].argmax()]
            text = f"{model.classes_[shown[i]]} {probability[i]:.0%}"
            axes.set_title(text, fontsize=8.0, color=BLUE if right else RED, loc="center", pad=2.0)
            axes.set_axis_off()
        figure.suptitle(f"{target}? Held-out pictures; blue: right, orange: not the label", fontsize=10.0)

    print(calibration)
    print(f"On {len(held_out):,} held-out pictures: {told}.")
    return found


def draw_faces(folder: Path, n: int) -> Path:
    """Write faces as PNG files, and what is known of them to labels.csv."""
    faces = landmass.portraits(n, label_noise=0.05, occlusion=0.25)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "smiling", "smiling_chance"])
        for i, face in enumerate(faces.X):
            Image.fromarray(face).save(folder / f"{i:05}.png")
            rows.writerow([f"{i:05}.png", faces.labels["smiling"][i], faces.labels["smiling_chance"][i]])
    return folder


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="pictures with labels.csv, or with a folder a class")
    parser.add_argument("--target", default="smiling", help="the label to predict")
    main(**vars(parser.parse_args()))
