"""What is unusual in a training, in sentences: each function looks for one thing, and gives nothing if it is not there.

The thresholds are bounds beyond which something is worth a look, wide enough that a healthy training stays within.
"""

import warnings

import numpy as np
from jaxtyping import Float, Integer

# A gradient explodes where its norm is more than this many times its median over the steps before, of which there must
# be a few.
EXPLODES, STEPS_BEFORE = 100.0, 3

# Gradients vanish where a first layer's norm is less than this share of the last layer's, both taken as medians.
VANISHES = 1e-3

# Activations shift where their mean moves by more than this many of their standard deviations at the first look.
SHIFTS = 1.0

# Share of a layer's units that may be dead.
DEAD_SHARE = 0.1

# How far batch norm's running means may be from the batch's, in standard deviations; and its running variances, as a
# factor or its inverse.
RUNNING_GAP, RUNNING_RATIO = 0.5, 2.0

# How much worse, in nats an event, the held-out loss may get after its best look; and how far above the training loss
# it may be there.
WORSE, GAP = 0.02, 0.1

# Nats an event that the last fifth of a training still gained, if more steps are worth a try.
GAINS, LAST_STEPS = 0.01, 0.2

Layers = tuple[str, ...]
Norms = Float[np.ndarray, "steps layers"]
OfLayers = Float[np.ndarray, "looks layers"]
Looks = Integer[np.ndarray, " looks"]
Losses = Float[np.ndarray, " looks"]


def exploding(layers: Layers, steps: Integer[np.ndarray, " steps"], norms: Norms) -> list[str]:
    """The first step at which a gradient is far larger than before, and the first at which one is not finite."""
    found = []
    for row in range(STEPS_BEFORE, len(norms)):
        with np.errstate(all="ignore"):
            times = norms[row] / _median(norms[:row])
        if (larger := np.isfinite(times) & (times > EXPLODES)).any():
            worst = int(np.where(larger, times, 0.0).argmax())
            found.append(
                f"Gradients explode: at step {steps[row]} the gradient norm of {layers[worst]} is "
                f"{norms[row, worst]:.3g}, {times[worst]:.3g} times its median over the steps before."
            )
            break
    broken = np.isinf(norms)
    if broken.any():
        row = int(broken.any(axis=1).argmax())
        before = norms[row - 1] if row else np.full(len(layers), np.nan)
        largest = ""
        if np.isfinite(before).any():
            worst = int(np.nanargmax(before))
            largest = f"; one step before, that of {layers[worst]} was the largest, {before[worst]:.3g}"
        names = [layer for layer, each in zip(layers, broken[row], strict=True) if each]
        found.append(
            f"Gradients explode: at step {steps[row]} the gradient norm of {_some(names)} is not finite{largest}. "
            "A smaller learning rate may help."
        )
    return found


def vanishing(layers: Layers, norms: Norms) -> list[str]:
    """The first layers, if they learn far more slowly than the last."""
    medians = _median(norms)
    known = np.flatnonzero(np.isfinite(medians))
    if not len(known) or medians[known[-1]] == 0.0:
        return []
    last = known[-1]
    shares = medians[known] / medians[last]
    count = int((shares >= VANISHES).argmax())
    if not count:
        return []
    first = known[0]
    return [
        f"Gradients vanish: the median gradient norm of {layers[first]} is {medians[first]:.3g}, {shares[0]:.2g} "
        f"times that of {layers[last]}; of {len(known)} layers with weights the first {count} "
        f"{'is' if count == 1 else 'are'} below {VANISHES:g}."
    ]


def covariate_shift(layers: Layers, looks: Looks, means: OfLayers, variances: OfLayers) -> list[str]:
    """The layer whose activations, which others build on, moved most from the first look to the last."""
    if len(looks) < 2 or len(layers) < 2:
        return []
    scale = np.sqrt(np.where(variances[0] > 0.0, variances[0], np.nan))
    # Nothing builds on the last layer: it moves because it learns.
    moved = (np.abs(means[-1] - means[0]) / scale)[:-1]
    if not (far := moved > SHIFTS).any():
        return []
    most = int(np.nanargmax(moved))
    return [
        f"Covariate shift: from step {looks[0]} to step {looks[-1]} the mean activation of {layers[most]} moved by "
        f"{moved[most]:.3g} standard deviations, from {means[0, most]:.3g} to {means[-1, most]:.3g}; of {len(moved)} "
        f"layers before the last {far.sum()} moved by more than {SHIFTS:g}."
    ]


def dead_units(layers: Layers, looks: Looks, dead: OfLayers) -> list[str]:
    """The layers many of whose units give all events the same at the last look."""
    if not len(looks):
        return []
    names = [f"{layer} ({each:.1%})" for layer, each in zip(layers, dead[-1], strict=True) if each > DEAD_SHARE]
    return [f"Dead units: at step {looks[-1]} units give all events the same, in {_some(names)}."] if names else []


def running_statistics(layers: Layers, gap: OfLayers, ratio: OfLayers) -> list[str]:
    """The batch norm that differs most between train mode and test mode at the last look."""
    if not len(gap) or np.isnan(gap[-1]).all():
        return []
    off = np.abs(np.log(np.where(ratio[-1] > 0.0, ratio[-1], np.nan)))
    if not ((gap[-1] > RUNNING_GAP) | (off > np.log(RUNNING_RATIO))).any():
        return []
    worst = int(np.nanargmax(np.fmax(gap[-1] / RUNNING_GAP, off / np.log(RUNNING_RATIO))))
    return [
        f"Batch norm: {layers[worst]} does not do in test mode what it did in train mode: a unit's running mean is "
        f"{gap[-1, worst]:.3g} standard deviations from the batch's, a unit's running variance is "
        f"{ratio[-1, worst]:.3g} times the batch's."
    ]


def generalisation(looks: Looks, train: Losses, held_out: Losses) -> list[str]:
    """Whether the held-out score got worse again, and how far it is from the training score; told are minus losses."""
    if not np.isfinite(held_out).any():
        return []
    best, found = int(np.nanargmin(held_out)), []
    if held_out[-1] - held_out[best] > WORSE:
        falls = train[-1] < train[best]
        also = "while the training score rose" if falls else "and so did the training score"
        found.append(
            f"{'Overfitting' if falls else 'Instability'}: after step {looks[best]} the held-out log-likelihood fell, "
            f"from {-held_out[best]:.4g} to {-held_out[-1]:.4g} nats at step {looks[-1]}, {also}, from "
            f"{-train[best]:.4g} to {-train[-1]:.4g}."
        )
    if held_out[best] - train[best] > GAP:
        later = (
            f"; at step {looks[-1]} they are {-held_out[-1]:.4g} and {-train[-1]:.4g}" if best < len(looks) - 1 else ""
        )
        found.append(
            f"Generalisation gap: at the best look, step {looks[best]}, the held-out log-likelihood is "
            f"{-held_out[best]:.4g} nats, and the training score {-train[best]:.4g}{later}."
        )
    return found


def unfinished(looks: Looks, held_out: Losses, max_steps: int) -> list[str]:
    """Whether the held-out score still rose when the steps that were allowed came to their end."""
    if not np.isfinite(held_out).all() or not len(looks) or looks[-1] < max_steps or held_out.argmin() < len(looks) - 1:
        return []
    before = int(np.searchsorted(looks, (1.0 - LAST_STEPS) * looks[-1], side="right")) - 1
    if before < 0 or held_out[before] - held_out[-1] < GAINS:
        return []
    return [
        f"Still improving at the last step: from step {looks[before]} to step {looks[-1]} the held-out log-likelihood "
        f"rose by {held_out[before] - held_out[-1]:.2g}, to {-held_out[-1]:.4g} nats; a larger max_steps may help."
    ]


def nothing_unusual(looks: Looks, train: Losses, held_out: Losses) -> str:
    """That nothing was found, and how well the training did."""
    if not np.isfinite(held_out).any():
        return f"Nothing unusual in {max(looks, default=0)} steps."
    best = int(np.nanargmin(held_out))
    return (
        f"Nothing unusual in {looks[-1]} steps: at the best look, step {looks[best]}, the held-out log-likelihood is "
        f"{-held_out[best]:.4g} nats, and the training score {-train[best]:.4g}."
    )


def _median(norms: Norms) -> Float[np.ndarray, " layers"]:
    """Of the finite norms of each layer; NaN where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(np.where(np.isfinite(norms), norms, np.nan), axis=0)


def _some(names: list[str], most: int = 3) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
