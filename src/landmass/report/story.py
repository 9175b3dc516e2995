"""The story of a ladder in plain sentences; every sentence has a measured number behind it."""

import math

from landmass.data.builtin.land import Land
from landmass.evaluate.ledger import Rung
from landmass.report.measures import Measures
from landmass.report.style import general, power, signed, title


def opening(m: Measures) -> list[str]:
    """What was fitted to what, and what came of it."""
    n, names = m.ledger.n, m.schema.names
    columns = "one column" if m.dim == 1 else f"{m.dim} columns"
    listed = ", ".join(names[:6]) + (f" and {m.dim - 6} more" if m.dim > 6 else "")
    return [
        f"{sum(n.values()):,} events of {columns}: {listed}. {n['train']:,} taught the rungs, {n['validation']:,} "
        f"chose among them and then taught them too, and {n['test']:,} were kept back for the scores below.",
        *_verdict(m),
        *_mass(m),
    ]


def _verdict(m: Measures) -> list[str]:
    """The scores of the simplest rung, the preferred one and the last one, and how far from the truth they are."""
    ledger, first = m.ledger, next(iter(m.rungs))
    best, base = ledger.rung(ledger.best), ledger.rung(first)
    said = []
    if best.nats is not None:
        said.append(f"Validation prefers the {title(best.family)}, which scores {_nats(best)} nats an event.")
    last = ledger.rung(m.last)
    if last.family != best.family and last.nats is not None:
        said.append(f"The {title(last.family)} of all rungs, each weighted by validation, scores {_nats(last)}.")
    if ledger.true_entropy is not None:
        said.append(
            f"No model can expect more than {signed(-ledger.true_entropy, 3)}, which is minus the entropy of the "
            "distribution that the events were drawn from."
        )
        said.append(_gaps(m, [last, best, base]))
    said += _ratio(best if best.nats is not None else last, base)
    return [" ".join(part for part in said if part)] if said else []


def _gaps(m: Measures, rungs: list[Rung]) -> str:
    """How far rungs are from the truth."""
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
    return f"Measured against it, {_listed(told)}."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _ratio(rich: Rung, base: Rung) -> list[str]:
    """How many times likelier events are under the preferred rung than under the first."""
    if rich.family == base.family:
        return []
    if rich.nats is not None and base.nats is None:
        return [
            f"The {title(base.family)} cannot be compared with it: {base.zero_density:,} of {base.n:,} held-out events "
            "have density zero there, and one such event makes the likelihood of all zero."
        ]
    if rich.nats is None or base.nats is None:
        return []
    gain = rich.nats - base.nats
    if gain <= 0.0:
        return [f"That is no better than the {title(base.family)}, which scores {_nats(base)}."]
    return [
        f"A held-out event is typically exp({gain:.2f}) = {_factor(gain)} times as likely under the "
        f"{title(rich.family)} as under the {title(base.family)}; all {rich.n:,} of them together, "
        f"{_power_of_ten(gain * rich.n)} times."
    ]


def _mass(m: Measures) -> list[str]:
    """Where the mass lies that the truth has none of."""
    if not m.empty:
        return []
    place = where(m)
    first = next(iter(m.empty))
    said = [f"{percent(m.empty[first].value)} of the {title(first)}'s mass is {place}."]
    others = [name for name in dict.fromkeys([m.ledger.best, m.last]) if name != first]
    if others:
        told = " and ".join(f"{percent(m.empty[name].value)} of the {title(name)}'s" for name in others)
        said.append(f"So is {told}.")
    return [" ".join(said)]


def where(m: Measures) -> str:
    """The places that the truth gives density zero, in words."""
    return "in the sea" if isinstance(m.truth, Land) else "where the truth has none"


def troubles(m: Measures) -> list[str]:
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


def gains(m: Measures) -> list[str]:
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
            told = _listed([f"the {name}" for name in small])
            said.append(f"{told[0].upper()}{told[1:]} {verb} the best rung below by less than two standard errors.")
    weights = [rung for rung in m.ledger.rungs if rung.weight is not None and rung.family != m.last]
    if len(weights) > 1:
        heavy = sorted(weights, key=lambda rung: -(rung.weight or 0.0))
        told = [f"{percent(rung.weight or 0.0)} {title(rung.family)}" for rung in heavy if (rung.weight or 0.0) >= 0.01]
        said.append(f"The stack is a mixture: {', '.join(told)}.")
    return [" ".join(said)] if said else []


def product(m: Measures) -> list[str]:
    """What becomes of the product of all densities, and of the sum of their logarithms."""
    if not m.products:
        return []
    first, found = m.last, m.products[m.last]
    total = sum(m.ledger.n.values())
    some = f"the first {found.n:,} of {total:,} events" if found.n < total else f"all {found.n:,} events"
    if found.n <= m.ledger.n["train"] + m.ledger.n["validation"]:
        some += ", all of which the rungs learned from,"
    said = f"The likelihood of a data set is the product of its events' densities. For {some} under the {title(first)} "
    if not math.isfinite(found.log_likelihood):
        said += f"it is zero: after {found.ended:,} events came one that the model holds impossible."
    elif found.ended is None:
        said += f"it is {found.value:.3g}, whose logarithm is {signed(found.log_likelihood, 1)} nats."
    else:
        end = "0.0" if found.value == 0.0 else "inf"
        said += (
            f"a computer finds {end}: float64 gives up after {found.ended:,} events. The sum of the logarithms is "
            f"{signed(found.log_likelihood, 1)} nats, and keeps every digit; that is why the ledger counts in nats."
        )
    return [said]


def integrals(m: Measures) -> list[str]:
    """Whether the densities integrate to one."""
    known = {name: each for name, each in m.integrals.items() if each is not None}
    if not known:
        return []
    worst = max(known, key=lambda name: abs(known[name].value - 1.0))
    way = "on a fine grid" if m.dim <= 2 else "by importance sampling"
    return [
        "A density may exceed one, but its integral over the sample space must be one. Added up "
        f"{way}, the one farthest from it is the {title(worst)}'s: {known[worst].value:.4f} ± {known[worst].error:.4f}."
    ]


def peaks(m: Measures) -> list[str]:
    """Where the likelihood surfaces have their peaks."""
    said = []
    for name, found in m.surfaces.items():
        some = f"{found.n:,} events that the rungs learned from"
        at = " and ".join(f"{label} {general(value)}" for label, value in zip(found.labels, found.peak, strict=True))
        text = (
            f"{title(name).capitalize()}: vary two of its numbers and keep the rest, and {some} are likeliest at {at}."
        )
        if "edge" in found.labels[0]:
            text += (
                " A box that ends inside the outermost event makes the data impossible (−∞); one that ends "
                "farther out spreads its mass thinner."
            )
            x, y = found.axes
            if not (x[0] <= found.fitted[0] <= x[-1] and y[0] <= found.fitted[1] <= y[-1]):
                ends = " and ".join(map(general, found.fitted))
                text += f" The ladder's box ends at {ends}, off this picture."
        said.append(text)
    return said


def percent(share: float) -> str:
    """A share as a percentage with a digit that says something."""
    value = 100.0 * share
    return "less than 0.1%" if 0.0 < value < 0.05 else f"{value:.1f}%"


def _nats(rung: Rung) -> str:
    error = f" ± {rung.se:.3f}" if rung.se is not None and math.isfinite(rung.se) else ""
    return signed(rung.nats or 0.0, 3) + error


def _factor(gain: float) -> str:
    return f"{math.exp(gain):,.1f}" if gain < math.log(1e6) else _power_of_ten(gain)


def _power_of_ten(nats: float) -> str:
    ten = nats / math.log(10.0)
    if ten < 4.0:
        return f"{math.exp(nats):,.1f}"
    factor, exponent = round(10.0 ** (ten - math.floor(ten))), math.floor(ten)
    return power(1, exponent + 1) if factor == 10 else power(factor, exponent)
