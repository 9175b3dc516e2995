"""The ladder: several families on one split of the data, compared in one ledger."""

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from landmass.catalog import OF_IMAGES, load_estimator
from landmass.data.batches import Split
from landmass.data.dataset import Dataset
from landmass.data.examples import Examples
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.data.read import read_as
from landmass.errors import DataError, FitError, LandmassError, StoreError
from landmass.evaluate.ledger import Ledger, as_html, as_text, line_of, prefer
from landmass.evaluate.predictions import measures
from landmass.ladder.events import read_events
from landmass.ladder.form import Done, RunManifest, SplitRows, check_begun
from landmass.ladder.parts import Events, Parts, parted, recalled
from landmass.ladder.rungs import Wanted, densities, predictors
from landmass.models.stack import Stack
from landmass.store import make_folder, new_folder, refuse_existing, write_json
from landmass.train.checkpoint import Checkpoint
from landmass.train.progress import Listener, Progress, silent
from landmass.train.weights import mixture_log_prob
from landmass.types import LogDensities


def _answers(question: str) -> Callable[["Ladder"], bool]:
    """Whether the rung that answers for a ladder knows a question; before a fit nobody can tell."""
    return lambda ladder: not hasattr(ladder, "rungs_") or hasattr(ladder.last_, question)


class Ladder(DensityMixin, BaseEstimator):
    """Several densities, or several predictors, on one split of the data, from simple to rich, in one ledger.

    The data is split once: 0.8 to train, 0.1 to choose on, 0.1 to report on; or 0.9 and 0.1 where the test events
    are given apart. Of densities the last rung is a stack of all others that are exact, and it answers for the ladder
    unless validation prefers a bound. Of predictors the first rung is told nothing of an event, and the one that
    validation prefers answers for the ladder.

    Args:
        families: names or estimators, or estimators by the names of their rungs; None takes the usual densities, or a
            linear predictor and one that suits the events.
        random_state: seed of the split and of every fit.

    Example:
        >>> ladder = Ladder(["uniform_box", "gaussian"]).fit("moons")
        >>> ladder.best_
        'gaussian'
    """

    def __init__(self, families: Wanted = None, *, random_state: int = 0) -> None:
        self.families = families
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        test: Any = None,
        *,
        target: Any = None,
        listen: Listener = silent,
        folder: str | Path | None = None,
    ) -> Self:
        """Fit every rung, from simple to rich, and the stack.

        Args:
            X: events, in any form that `landmass.read` takes, or `Pieces`, of which rungs that cannot read them learn
                from 100,000 random events; or `Examples`, or what they can be made of.
            test: held-out events of the same columns, or a pair of them and their answers; None keeps a tenth of X.
            target: what to predict: the name of a column or label, or the answers; None fits densities, except to
                `Examples`, which know their answers, and to images with one label, unless all families are densities.
            listen: hears the progress records of every rung.
            folder: where to save the run, step by step while it is fitted: after a crash the same call goes on from
                what it finds there, and ends with the same bits.

        Raises:
            DataError: the data cannot be modelled at all, or by none of the families.
            FitError: not a single family could be fitted, because training diverged.
            StoreError: the folder cannot be written, or holds something else.
        """
        data = read_events(X, target, self.families)
        rungs = self._rungs(data)
        self.target_ = data.target if isinstance(data, Examples) else None
        parts = parted(data, test, self.random_state, rungs)
        self._take(parts)
        # Of answers the entropy differs from event to event.
        self.entropy_ = parts.test.entropy if isinstance(data, Examples) else parts.train.entropy
        self.rungs_, self.failed_, self.test_scores_, seconds = {}, {}, {}, {}
        self.validation_scores_, self._diverged = {}, False
        for rung in rungs.values():
            rung.check_for(parts.train)
        run = None if folder is None else Path(folder)
        if run is not None and (run / "manifest.json").exists():
            refuse_existing(run)
        checkpoint = Checkpoint(None if run is None else run / "checkpoint")
        check_begun(checkpoint, self._fingerprint(rungs))
        for name, rung in rungs.items():
            seconds[name] = self._climb(name, rung, _named(listen, name), run, checkpoint.inside(name))
        if not self.rungs_:
            told = "; ".join(f"{name}: {why}" for name, why in self.failed_.items())
            raise (FitError if self._diverged else DataError)(f"no family could be fitted: {told}")
        self.best_ = prefer(self.validation_scores_, parts.validation.copies())
        if self.target_ is None:
            self._stack(self.validation_scores_, seconds, listen)
        self.ledger_ = self._ledger(data, seconds)
        self._pieces = None
        if run is not None:
            self.save_into(run)
        return self

    def recall(self, X: Any, test: Any = None) -> Self:
        """Give a ladder that was read back its events, so that a report can show what they tell.

        Args:
            X: the events that it was fitted to, as `fit` takes them.
            test: the held-out events, if `fit` was given such.

        Raises:
            DataError: they are others.
        """
        check_is_fitted(self, "rungs_")
        # Images without a target are those of densities.
        families = list(OF_IMAGES) if self.target_ is None else None
        schema = self.last_.data_.schema
        if self.target_ is None and not schema.plain and not isinstance(X, Pieces):
            data: Dataset | Images | Examples | Pieces = read_as(X, schema)
        else:
            data = read_events(X, None if isinstance(X, Examples) else self.target_, families)
        if isinstance(data, Examples) != (self.target_ is not None):
            needed = "landmass.read" if self.target_ is None else "landmass.examples"
            raise DataError(f"the ladder was fitted to other events; give those, as {needed}(…) reads them")
        self._take(recalled(data, test, self.random_state, self.split_, self.ledger_)._replace(pieces=None))
        self.test_scores_ = {name: rung.log_densities(self.test_) for name, rung in self.rungs_.items()}
        return self

    @available_if(_answers("score_samples"))
    def score_samples(self, X: Any) -> LogDensities:
        """Log-density of each event under the last rung, the stack, in nats, in the units of the data."""
        return self.last_.score_samples(X)

    @available_if(_answers("log_prob"))
    def log_prob(self, X: Any, y: Any = None) -> LogDensities:
        """Log p(y | x) of each event under the predictor that answers for the ladder, in nats."""
        return self.last_.log_prob(X, y)

    @available_if(_answers("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """The answer to each event: its likeliest class, or the expected number."""
        return self.last_.predict(X)

    @available_if(_answers("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `last_.classes_`, shape (events, classes)."""
        return self.last_.predict_proba(X)

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean log-density of events, or of their answers, under the rung that answers for the ladder, in nats."""
        return float(np.mean(self.score_samples(X) if hasattr(self.last_, "score_samples") else self.log_prob(X, y)))

    @available_if(_answers("sample"))
    def sample(self, n_samples: int = 1, *, random_state: int | None = None) -> Any:
        """Draw events from the stack, in the container that `fit` was given."""
        return self.last_.sample(n_samples, random_state=random_state)

    @property
    def answering_(self) -> str:
        """The name of the rung that answers for the ladder: the stack, unless a rung that cannot be stacked is best.

        Of predictors, and where there is no stack, the best one answers.
        """
        check_is_fitted(self, "rungs_")
        stacked = "stack" in self.rungs_ and self.rungs_[self.best_].likelihood_ == "exact"
        return "stack" if stacked else self.best_

    @property
    def last_(self) -> Any:
        """The rung that answers for the ladder."""
        name = self.answering_
        return self.rungs_[name]

    def names_for(self, data: Events | Pieces) -> list[str]:
        """The names of the rungs that a fit to some data will have, from simple to rich."""
        names = list(self._rungs(data))
        return [*names, "stack"] if len(names) > 1 and not isinstance(data, Examples) else names

    @property
    def table_(self) -> pa.Table:
        """The ledger's rungs as an Arrow table, from simple to rich; `gap` is the distance to the true entropy."""
        rows = [{**msgspec.structs.asdict(rung), "gap": self.ledger_.gap(rung)} for rung in self.ledger_.rungs]
        return pa.Table.from_pylist(rows)

    def save(self, path: str | Path) -> None:
        """Save the run to a new folder; `landmass.load` reads it.

        Raises:
            StoreError: something stands there already, or nothing can be written there.
        """
        check_is_fitted(self, "rungs_")
        with new_folder(Path(path)) as folder:
            self.save_into(folder)

    def save_into(self, folder: Path) -> None:
        """Save the run into a folder that is there already; the manifest comes last."""
        make_folder(folder / "rungs")
        for name, rung in self.rungs_.items():
            if not (folder / "rungs" / name).exists():
                rung.save(folder / "rungs" / name)
        write_json(folder / "split.json", SplitRows(*(rows.tolist() for rows in self.split_)))
        write_json(folder / "ledger.json", self.ledger_)
        manifest = RunManifest(tuple(self.rungs_), self.ledger_.data, self.random_state, self.target_)
        write_json(folder / "manifest.json", manifest)
        # What a begun run needed, and what a killed process had not finished writing.
        for done_with in (folder / "checkpoint", *(folder / "rungs").glob(".*")):
            shutil.rmtree(done_with, ignore_errors=True)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The ledger as text, once there is one."""
        return as_text(self.ledger_) if hasattr(self, "ledger_") else super().__repr__(N_CHAR_MAX)

    def _repr_html_(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The ledger as a table in a notebook."""
        return as_html(self.ledger_) if hasattr(self, "ledger_") else f"<pre>{escape(repr(self))}</pre>"

    def _rungs(self, data: Events | Pieces) -> dict[str, Any]:
        if isinstance(data, Examples):
            return predictors(self.families, data, self.random_state)
        return densities(self.families, data, self.random_state)

    def _said_of(self, data: Pieces) -> tuple[str, ...]:
        """What was left out of events in pieces, and which rungs learned from those at hand alone."""
        few = [name for name, rung in self.rungs_.items() if not (rung._reads_pieces or isinstance(rung, Stack))]
        learned = f"{', '.join(few)} learned from {len(self.train_):,} random events, as they do not read pieces"
        return (*data.told, learned) if few else data.told

    def _take(self, parts: Parts) -> None:
        """Keep the parts of the data."""
        self.split_: Split = parts.rows
        self.train_: Any = parts.train
        self.validation_: Any = parts.validation
        self.test_: Any = parts.test
        self._pieces = parts.pieces

    def _climb(self, name: str, rung: Any, listen: Listener, run: Path | None, checkpoint: Checkpoint) -> float:
        """Fit a rung, or take it from a begun run; returns the seconds that it took."""
        before, began = checkpoint.seconds, time.perf_counter()
        known = checkpoint.inside("done").load(Done)
        if known is None:
            done = self._fit_rung(name, rung, listen, checkpoint)
            done.seconds = before + time.perf_counter() - began
            if run is not None:
                self._remember(name, done, run, checkpoint)
        else:
            done, arrays = known
            if run is not None and not done.failed:
                rung = load_estimator(run / "rungs" / name)
                if not isinstance(self.train_, Examples):
                    rung.data_ = self.train_.nothing()
                rung.history_ = done.history
                self.rungs_[name], self.validation_scores_[name] = rung, arrays["validation"]
        if done.failed:
            self.failed_[name] = done.failed
            listen(Progress("failed", message=done.failed))
        else:
            self.test_scores_[name] = self.rungs_[name].log_densities(self.test_)
            listen(Progress("finished", score=float(self.test_scores_[name].mean()), seconds=done.seconds))
        return done.seconds

    def _fit_rung(self, name: str, rung: Any, listen: Listener, checkpoint: Checkpoint) -> Done:
        try:
            in_pieces = self._pieces is not None and rung._reads_pieces
            train = self._pieces if in_pieces else self.train_
            rung.fit_parts(train, self.validation_, listen, checkpoint.inside("fit"))
            scores = rung.log_densities(self.validation_)
            if self._pieces is None and not isinstance(self.train_, Examples):
                # What validation chose is settled; the cheap families now learn from its events too.
                rung.refit(self.train_.joined(self.validation_), checkpoint.inside("refit"))
        except StoreError:
            raise
        except LandmassError as error:
            self._diverged |= isinstance(error, FitError)
            return Done(failed=str(error))
        self.rungs_[name], self.validation_scores_[name] = rung, scores
        return Done(history=tuple(getattr(rung, "history_", ())))

    def _remember(self, name: str, done: Done, run: Path, checkpoint: Checkpoint) -> None:
        """Save a rung that is done, in place of its checkpoints."""
        if not done.failed:
            # A rung that was saved by a process that then died knows nothing of its validation scores.
            shutil.rmtree(run / "rungs" / name, ignore_errors=True)
            self.rungs_[name].save(run / "rungs" / name)
        scores = {} if done.failed else {"validation": self.validation_scores_[name]}
        checkpoint.inside("done").save(done, scores)
        checkpoint.inside("fit").remove()
        checkpoint.inside("refit").remove()

    def _fingerprint(self, rungs: dict[str, Any]) -> str:
        """Of all that decides what a fit gives."""
        found = hashlib.sha256(repr([(name, rung.get_params()) for name, rung in rungs.items()]).encode())
        for part in (self.train_, self.validation_, self.test_):
            found.update(repr(part.target if isinstance(part, Examples) else part.schema).encode())
            found.update(part.sha256().encode())
        return found.hexdigest()

    def _stack(self, scores: dict[str, LogDensities], seconds: dict[str, float], listen: Listener) -> None:
        exact = {name: rung for name, rung in self.rungs_.items() if rung.likelihood_ == "exact"}
        if len(exact) < 2:
            return
        began = time.perf_counter()
        stack = Stack.of(exact, scores, self.validation_.copies())
        each = np.column_stack([self.test_scores_[name] for name in exact])
        self.rungs_["stack"], self.test_scores_["stack"] = stack, mixture_log_prob(each, stack.weights_)
        seconds["stack"] = time.perf_counter() - began
        listen(Progress("finished", "stack", seconds=seconds["stack"]))

    def _ledger(self, data: Events | Pieces, seconds: dict[str, float]) -> Ledger:
        stack = self.rungs_.get("stack")
        weight = {} if stack is None else dict(zip(stack.parts_, stack.weights_.tolist(), strict=True))
        lines, below, copies = [], None, self.test_.copies()
        if isinstance(data, Examples):
            notes = (*data.notes, *next(iter(self.rungs_.values())).inputs_.notes)
        else:
            notes = self._said_of(data) if isinstance(data, Pieces) else (*data.notes, *data.repeats())
        for name, rung in self.rungs_.items():
            scores = self.test_scores_[name]
            line = line_of(
                scores,
                None if below is None else self.test_scores_[below],
                copies,
                family=name,
                label=rung.likelihood_,
                parameters=rung.n_parameters_,
                seconds=seconds[name],
                weight=weight.get(name),
                measures=measures(rung, self.test_),
            )
            lines.append(line)
            if not line.zero_density and (below is None or scores.mean() > self.test_scores_[below].mean()):
                below = name
        return Ledger(
            data=data.name,
            n={
                "train": len(self.train_) if self._pieces is None else self._pieces.n,
                "validation": len(self.validation_),
                "test": len(self.test_),
            },
            true_entropy=self.entropy_,
            unit=self.train_.unit,
            rungs=tuple(lines),
            best=self.best_,
            failed=self.failed_,
            notes=notes,
            dimensions=data.schema.dimensions if isinstance(data, Images) else None,
            in_pieces=self._pieces is not None,
        )


def _named(listen: Listener, name: str) -> Listener:
    return lambda progress: listen(replace(progress, family=name))
