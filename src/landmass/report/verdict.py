"""Sentences that every page says of a ledger; every sentence has a measured number behind it."""

import math
from collections.abc import Sequence

from landmass.evaluate.ledger import Rung
from landmass.report.measures import Shown
from landmass.report.style import power, signed, title

# Columns that are named in a sentence.
MOST_NAMES = 6


def parts(m: Shown, events: str, taught: bool = True) -> str:
    """How the events were parted.

    Args:
        m: what is shown.
        events: what they are, in words.
        taught: whether rungs learned from the validation events, too, once these had chosen.
    """
    n = m.ledger.n
    chose = "chose among them and then taught them too" if taught and not m.ledger.in_pieces else "chose among them"
    return (
        f"{sum(n.values()):,} {events}. {n['train']:,} taught the rungs, {n['validation']:,} {chose}, and "
        f"{n['test']:,} were kept back for the scores below."
    )


def columns(names: Sequence[str]) -> str:
    """How many columns there are, and what the first are called."""
    many = len(names)
    more = f" and {many - MOST_NAMES} more" if many > MOST_NAMES else ""
    return f"{'one column' if many == 1 else f'{many} columns'}: {', '.join(names[:MOST_NAMES])}{more}"


def truth(m: Shown, rungs: list[Rung]) -> list[str]:
    """What no model can beat, and how far rungs are from it; nothing where it is not known."""
    if m.ledger.true_entropy is None:
        return []
    return [
        f"No model can expect more than {signed(-m.ledger.true_entropy, 3)}, which is minus the entropy of the "
        "distribution that the events were drawn from.",
        *filter(None, [gaps(m, rungs)]),
    ]


def gaps(m: Shown, rungs: list[Rung]) -> str:
    """How far rungs are from the truth, in one sentence; nothing where it is not known."""
    told = []
    for rung in {rung.family: rung for rung in rungs}.values():
        gap = m.ledger.gap(rung)
        if gap is not None and gap >= 0.0:
            told.append(f"the {title(rung.family)} falls short by {gap:.3f} nats")
        elif gap is not None:
            error = f" (standard error {rung.se:.3f})" if rung.se is not None and math.isfinite(rung.se) else ""
            told.append(f"the {title(rung.family)} scores {-gap:.3f} above it by the luck of these events{error}")
    if not told:
        return ""
    return f"Measured against it, {listed(told)}."


def ratio(rich: Rung, base: Rung, event: str = "event") -> list[str]:
    """How many times likelier events are under one rung than under another.

    Args:
        rich: the one that is preferred.
        base: what it is compared with.
        event: what the likelihood is of.
    """
    if rich.family == base.family:
        return []
    if rich.nats is not None and base.nats is None:
        return [
            f"The {title(base.family)} cannot be compared with it: {base.zero_density:,} of {base.n:,} held-out "
            f"{event}s have density zero there, and one such {event} makes the likelihood of all zero."
        ]
    # How far a number lies above a bound is not known.
    if rich.nats is None or base.nats is None or base.label == "lower_bound":
        return []
    least = "at least " if rich.label == "lower_bound" else ""
    gain = rich.nats - base.nats
    if gain <= 0.0:
        return [f"That is no better than the {title(base.family)}, which scores {nats(base)}."]
    return [
        f"A held-out {event} is typically {least}exp({gain:.2f}) = {_factor(gain)} times as likely under the "
        f"{title(rich.family)} as under the {title(base.family)}; all {rich.n:,} of them together, "
        f"{_power_of_ten(gain * rich.n)} times."
    ]


def troubles(m: Shown) -> list[str]:
    """What went wrong, and what the reader of the data left out."""
    ledger = m.ledger
    failed = [f"The {title(name)} could not be fitted: {reason}" for name, reason in ledger.failed.items()]
    zeros = [
        f"The {title(rung.family)} gives {rung.zero_density:,} of {rung.n:,} held-out events density zero, so that "
        "its score is −∞."
        for rung in ledger.rungs
        if rung.zero_density
    ]
    return [*failed, *zeros, *ledger.notes]


def gains(m: Shown) -> list[str]:
    """The greatest step of the ladder, and the stack's weights."""
    said = []
    steps = [rung for rung in m.ledger.rungs if rung.gain is not None and rung.gain_se is not None]
    if steps:
        top = max(steps, key=lambda rung: rung.gain or 0.0)
        if (top.gain or 0.0) > 2.0 * (top.gain_se or 0.0):
            said.append(
                f"The greatest step up is the {title(top.family)}: {signed(top.gain or 0.0, 3)} ± {top.gain_se:.3f} "
                "nats an event over the best rung below it, on the same events."
            )
        small = [title(rung.family) for rung in steps if abs(rung.gain or 0.0) <= 2.0 * (rung.gain_se or 0.0)]
        if small:
            verb = "differs from" if len(small) == 1 else "differ from"
            told = listed([f"the {name}" for name in small])
            said.append(f"{told[0].upper()}{told[1:]} {verb} the best rung below by less than two standard errors.")
    weights = [rung for rung in m.ledger.rungs if rung.weight is not None and rung.family != m.last]
    if len(weights) > 1:
        heavy = sorted(weights, key=lambda rung: -(rung.weight or 0.0))
        told = [f"{percent(rung.weight or 0.0)} {title(rung.family)}" for rung in heavy if (rung.weight or 0.0) >= 0.01]
        said.append(f"The stack is a mixture: {', '.join(told)}.")
    return [" ".join(said)] if said else []


def percent(share: float) -> str:
    """A share as a percentage with a digit that says something."""
    value = 100.0 * share
    return "less than 0.1%" if 0.0 < value < 0.05 else f"{value:.1f}%"


def nats(rung: Rung) -> str:
    """A rung's score with its standard error."""
    error = f" ± {rung.se:.3f}" if rung.se is not None and math.isfinite(rung.se) else ""
    return signed(rung.nats or 0.0, 3) + error


def listed(words: list[str]) -> str:
    """Words in a row, the last after an "and"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _factor(gain: float) -> str:
    return f"{math.exp(gain):,.1f}" if gain < math.log(1e6) else _power_of_ten(gain)


def _power_of_ten(gain: float) -> str:
    ten = gain / math.log(10.0)
    if ten < 4.0:
        return f"{math.exp(gain):,.1f}"
    factor, exponent = round(10.0 ** (ten - math.floor(ten))), math.floor(ten)
    return power(1, exponent + 1) if factor == 10 else power(factor, exponent)
