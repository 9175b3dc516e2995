"""The story of a ladder of predictors in plain sentences; every sentence has a measured number behind it."""

import numpy as np

from landmass.report import verdict
from landmass.report.answers import PIECES, Answered, Classified, Estimated, expected_error
from landmass.report.style import general, signed, title


def opening(m: Answered) -> list[str]:
    """What was fitted to what, and what came of it."""
    best, floor = m.ledger.rung(m.last), m.ledger.rungs[0]
    said = [f"Validation prefers the {title(best.family)}, which scores {verdict.nats(best)} nats an answer."]
    if best.family == floor.family:
        said = [
            f"Validation prefers the {title(best.family)}, which is told nothing of an event, to every other rung: no "
            "sign was found that the answers hang on what is given."
        ]
    elif best.nats is not None and floor.nats is not None:
        said.append(f"Who is told nothing of an event scores {verdict.nats(floor)}.")
        said += verdict.ratio(best, floor, "answer")
    return [verdict.parts(m, _events(m), taught=False), " ".join(said), *_figures(m), *_truth(m)]


def _events(m: Answered) -> str:
    """What the events are."""
    if m.columns is None:
        height, width, channels = m.shape
        return f"{'grey' if channels == 1 else 'colour'} images of {width} × {height} pixels, each with its {m.target}"
    return f"events of {verdict.columns(m.columns)}; each with its {m.target}"


def _figures(m: Answered) -> list[str]:
    """The shares that people know."""
    found, floor = m.ledger.rung(m.last).measures, m.ledger.rungs[0].measures
    said = []
    if "right" in found:
        text = f"The class that it thinks likeliest is the right one for {verdict.percent(found['right'])} of them"
        if m.last != m.ledger.rungs[0].family:
            often = verdict.percent(floor["right"])
            text += f"; always naming the class that is most frequent in training is right for {often}"
        said.append(f"{text}.")
    if "AUC" in found:
        said.append(
            f"Of all pairs of answers of different classes it ranks {verdict.percent(found['AUC'])} the right way (AUC "
            f"{found['AUC']:.3f})."
        )
    if "ECE" in found:
        said.append(f"Its probabilities are off by {found['ECE']:.3f} on average (expected calibration error).")
    if "R²" in found:
        said.append(
            f"Its expected answers explain {verdict.percent(found['R²'])} of the answers' variance (R² "
            f"{signed(found['R²'], 3)})."
            if found["R²"] > 0.0
            else f"Its expected answers explain nothing of the answers' variance (R² {signed(found['R²'], 3)})."
        )
    if "in 90%" in found:
        said.append(f"Its 90% intervals hold {verdict.percent(found['in 90%'])} of the answers.")
    return [" ".join(said)] if said else []


def _truth(m: Answered) -> list[str]:
    """How far from the truth the predictor is."""
    if m.ledger.true_entropy is None:
        return []
    best = m.ledger.rung(m.last)
    said = [
        f"No predictor can expect more than {signed(-m.ledger.true_entropy, 3)} nats an answer, which is minus the "
        "mean entropy of these answers, each given its event.",
        verdict.gaps(m, [best, m.ledger.rungs[0]]),
    ]
    if isinstance(m.answers, Classified) and m.answers.divergence is not None:
        said.append(
            "Averaged over all answers that could have come, and not only those that did, the "
            f"{title(best.family)} falls short by {m.answers.divergence:.3f} nats."
        )
    return [" ".join(part for part in said if part)]


def mistakes(m: Answered) -> list[str]:
    """How many answers are right, and what is taken for what most often."""
    found = m.answers
    if not isinstance(found, Classified):
        return []
    counts = found.confusion
    wrong = counts - np.diag(np.diag(counts))
    said = f"Of {len(found.true):,} held-out answers {int(found.right.sum()):,} are predicted right."
    if not wrong.any():
        return [said]
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    return [
        f"{said} The most frequent mistake is to take {found.classes[true]!r} for {found.classes[taken]!r}: "
        f"{wrong[true, taken]:,} of the {counts[true].sum():,} that came."
    ]


def sureness(m: Answered) -> list[str]:
    """Whether probabilities, or intervals, hold what they say."""
    found = m.answers
    if isinstance(found, Classified) and found.calibration is not None:
        many = len(found.calibration.count)
        bins = "one bin of all events" if many == 1 else f"{many} bins of about equally many events"
        return [
            f"Events of probability p should come with frequency p. In {bins} the two are "
            f"{found.calibration.error:.3f} apart on average; if every probability were right, chance alone would part "
            f"them by about {expected_error(found.calibration):.3f}."
        ]
    if isinstance(found, Estimated):
        low, high = found.interval(0.9).T
        n, even = len(found.actual), 1.0 / PIECES
        off = int(np.abs(found.pieces / n - even).argmax())
        return [
            f"The typical 90% interval is {general(float(f'{np.median(high - low):.3g}'))} wide, where the answers "
            f"alone spread over {general(float(f'{np.ptp(np.quantile(found.actual, [0.05, 0.95])):.3g}'))}. Were every "
            f"distribution right, {100 * even:g}% of the answers would fall into each twentieth of their own; the one "
            f"that is farthest from it, the {_ordinal(off + 1)}, holds {verdict.percent(found.pieces[off] / n)}."
        ]
    return []


def _ordinal(place: int) -> str:
    return f"{place}{'th' if place in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"
