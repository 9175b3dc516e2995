"""`landmass inspect`: what happened inside a predictor's network in training, and what it makes of events."""

from dataclasses import replace
from pathlib import Path

import typer

from landmass.catalog import name_of
from landmass.cli.ask import rung_of
from landmass.cli.console import tell
from landmass.cli.folder import load_run
from landmass.cli.sources import read_to_predict
from landmass.errors import SettingError
from landmass.estimator.conditional import ConditionalEstimator
from landmass.evaluate import diagnose, trace
from landmass.ladder import Ladder


def inspect(run: Path, source: str | None, rung: str | None) -> None:
    """Print a predictor's layers and how its training went; or what its layers make of events.

    Args:
        run: the run's folder.
        source: the events to pass through the network; None tells of the training.
        rung: the rung to look into; None takes the one that answers for the ladder.

    Raises:
        SettingError: the rung has no network.
    """
    loaded = load_run(run)
    name, model = rung_of(loaded, rung)
    if not isinstance(model, ConditionalEstimator):
        raise SettingError(f"{name} is a density of events; networks that predict can be looked into")
    if source is not None:
        typer.echo(str(trace(model, read_to_predict(source, model))))
        return
    typer.echo(f"{model.network_}\n")
    if not isinstance(loaded, Ladder) or not (run / "progress.jsonl").exists():
        tell(f"{run} has no record of its training: only the folder of a run that `landmass fit` has made keeps one")
        return
    typer.echo(str(replace(diagnose(run, name), family=name_of(model))))
