"""How a training went: sentences that name what is unusual, layer and step, and the numbers behind them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Integer
from sklearn.utils.validation import check_is_fitted

from landmass.errors import DataError, SettingError
from landmass.evaluate import findings
from landmass.text import table
from landmass.train.progress import LayerRecord, Progress, histories

HEAD = ("layer", "median gradient", "greatest", "mean, first and last", "sd, first and last", "dead", "running gap")


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """How a training went; printed, sentences first, and then a table of the layers.

    Steps that were rolled back are among those with gradients, and so come twice. Everything but gradients was seen
    where the validation score was looked at. NaN stands for what there is not, such as gradients of layers without
    weights; if the layers were not watched, there are none.

    Args:
        layers: their names, in order.
        steps: the step of each row of gradients.
        gradients: gradient norm of each layer; infinite where it was not finite.
        looks: the steps of the looks.
        means: of each layer's activations, in train mode on the same training events.
        variances: of these.
        dead: share of an activation's units that give all events the same.
        running_gap: of batch norm: how far the running mean of the worst unit is from the batch's, in the batch's
            standard deviations.
        running_ratio: of batch norm: running variance over the batch's, of the unit where it is farthest from 1.
        train: mean training loss over the steps before each look, in nats an event; in the units of the data where the
            records know them, as is `held_out`.
        held_out: minus the validation score at each look, in nats an event.
        max_steps: the most steps that training was to take.
        family: of the network; empty if that is not known, None if its layers cannot be watched.
    """

    layers: tuple[str, ...]
    steps: Integer[np.ndarray, " steps"]
    gradients: Float[np.ndarray, "steps layers"]
    looks: Integer[np.ndarray, " looks"]
    means: Float[np.ndarray, "looks layers"]
    variances: Float[np.ndarray, "looks layers"]
    dead: Float[np.ndarray, "looks layers"]
    running_gap: Float[np.ndarray, "looks layers"]
    running_ratio: Float[np.ndarray, "looks layers"]
    train: Float[np.ndarray, " looks"]
    held_out: Float[np.ndarray, " looks"]
    max_steps: int = 0
    family: str | None = ""

    @property
    def generalisation(self) -> Float[np.ndarray, " looks"]:
        """Validation score minus training score: below zero where held-out events are told worse.

        It says something of generalisation where the loss is minus the log-density, without dropout or class weights.
        """
        return self.train - self.held_out

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is unusual, or that nothing is; and how to see more."""
        found = [
            *findings.exploding(self.layers, self.steps, self.gradients),
            *findings.vanishing(self.layers, self.gradients),
            *findings.covariate_shift(self.layers, self.looks, self.means, self.variances),
            *findings.dead_units(self.layers, self.looks, self.dead),
            *findings.running_statistics(self.layers, self.running_gap, self.running_ratio),
            *findings.generalisation(self.looks, self.train, self.held_out),
            *findings.unfinished(self.looks, self.held_out, self.max_steps),
        ]
        found = found or [findings.nothing_unusual(self.looks, self.train, self.held_out)]
        if self.layers or self.family is None:
            return tuple(found)
        return *found, (
            "What happens inside the layers was not recorded: networks tell it when they are fitted with `watch=True`, "
            f"on the command line with `--set {self.family or 'FAMILY'}.watch=true`."
        )

    def __str__(self) -> str:
        rows = [HEAD, *(self._row(i) for i in range(len(self.layers)))]
        return "\n".join(self.sentences) + (f"\n\n{table(rows)}" if self.layers else "")

    def _row(self, i: int) -> tuple[str, ...]:
        norms, ends = self.gradients[:, i], slice(None, None, max(len(self.looks) - 1, 1))
        known = norms[~np.isnan(norms)]
        greatest = ("", "") if not len(known) else (f"{np.median(known):.3g}", f"{known.max():.3g}")
        spread = (self.means[ends, i], np.sqrt(self.variances[ends, i]))
        both = ("  ".join(f"{each:9.3g}" for each in pair if not np.isnan(each)) for pair in spread)
        last = ((self.dead[-1:, i], ".1%"), (self.running_gap[-1:, i], ".3g"))
        kinds = (f"{each[0]:{form}}" if len(each) and not np.isnan(each[0]) else "" for each, form in last)
        return self.layers[i], *greatest, *both, *kinds


def diagnose(fit: Any, rung: str | None = None) -> Diagnosis:
    """Say how a training went: whether gradients exploded or vanished, units died, or the network overfitted.

    Args:
        fit: a fitted estimator, or one whose fit has failed; the path of a run's folder or of its `progress.jsonl`, of
            a fit that still goes on too; or progress records. Layers are told of if they were watched: see the setting
            `watch`.
        rung: which fit of a run; needed only if there are several.

    Raises:
        DataError: there are no training steps to tell of.
        SettingError: there are several fits, and none was chosen.
    """
    family: str | None = ""
    if isinstance(fit, str | Path):
        history = _of_run(Path(fit), rung)
    elif isinstance(fit, Sequence):
        history = tuple(fit)
    else:
        family = type(fit).__module__.rpartition(".")[2] if hasattr(fit, "watch") else None
        if not hasattr(fit, "history_"):
            check_is_fitted(fit)
        history = tuple(getattr(fit, "history_", ()))
    records = [record for record in history if record.layers or (record.kind == "advanced" and record.loss is not None)]
    if not records:
        raise DataError(
            "there are no training steps to tell of: the model was read from a file, or needs none; diagnose the run's "
            "folder, or fit it again"
        )
    return replace(_diagnosis(records), family=family)


def _of_run(path: Path, rung: str | None) -> tuple[Progress, ...]:
    found = {name: history for name, history in histories(path).items() if history}
    watched = {name: history for name, history in found.items() if any(record.layers for record in history)}
    choice = found if rung is not None else watched or found
    if rung is None and len(choice) > 1:
        raise SettingError(f"{path} holds several fits; choose one of them by rung=: {', '.join(choice)}")
    if rung is not None and rung not in choice:
        raise SettingError(f"{path} tells of no training of {rung!r} (there are: {', '.join(choice) or 'none'})")
    return choice[rung] if rung is not None else next(iter(choice.values()), ())


def _diagnosis(records: Sequence[Progress]) -> Diagnosis:
    names = next((tuple(layer.name for layer in record.layers) for record in records if record.layers), ())
    looks = [record for record in records if record.kind == "advanced"]
    watched = [record for record in records if record.layers]
    blocks = [_gradients(record.layers) for record in watched]
    firsts = [
        record.step - len(block) * (record.kind == "advanced") for record, block in zip(watched, blocks, strict=True)
    ]
    steps = [first + 1 + np.arange(len(block)) for first, block in zip(firsts, blocks, strict=True)]

    def of_layers(number: Callable[[LayerRecord], float | None]) -> Float[np.ndarray, "looks layers"]:
        seen = [[number(layer) for layer in record.layers] or [None] * len(names) for record in looks]
        return _numbers(seen).reshape(len(looks), len(names))

    return Diagnosis(
        names,
        np.concatenate([np.zeros(0, int), *steps]),
        np.concatenate([np.zeros((0, len(names))), *blocks]),
        np.array([record.step for record in looks], int),
        of_layers(lambda layer: layer.mean),
        of_layers(lambda layer: layer.variance),
        of_layers(lambda layer: layer.dead),
        of_layers(lambda layer: layer.running_gap),
        of_layers(lambda layer: layer.running_ratio),
        -_numbers([record.training_score for record in looks]),
        -_numbers([record.held_out_score for record in looks]),
        records[-1].max_steps,
    )


def _gradients(layers: Iterable[LayerRecord]) -> Float[np.ndarray, "steps layers"]:
    """Gradient norms: infinite where they were not finite, NaN for layers without weights."""
    columns = [[np.inf if norm is None else norm for norm in layer.gradients] for layer in layers]
    steps = max(map(len, columns))
    return np.array([column or [np.nan] * steps for column in columns]).T


def _numbers(values: Sequence[Any]) -> Float[np.ndarray, "..."]:
    return cast(Any, np.array(values, dtype=float))
