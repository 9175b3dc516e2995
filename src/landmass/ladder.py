"""Ladder: fit several families to one split of the data, compare them, choose, stack."""

import hashlib
import shutil
import time
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from landmass.catalog import FAMILIES, family, load_estimator, name_of
from landmass.data.batches import Split, split
from landmass.data.dataset import Dataset
from landmass.data.read import read
from landmass.errors import DataError, FitError, LandmassError, SettingError, StoreError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.ledger import Ledger, Rung, as_html, as_text, mean_and_error, paired_gain, prefer
from landmass.models.stack import Stack
from landmass.store import VERSION, below, make_folder, new_folder, read_json, refuse_existing, write_json
from landmass.train.checkpoint import Checkpoint
from landmass.train.progress import Listener, Progress, silent
from landmass.train.weights import mixture_log_prob
from landmass.types import LogDensities


class RunManifest(msgspec.Struct, forbid_unknown_fields=True):
    """What `manifest.json` says of a run folder.

    Args:
        rungs: the rungs' names, from simple to rich.
        data: what the data was called.
        random_state: the seed of everything.
        kind: tells a run from a single estimator.
        schema_version: of this form.
        landmass: the version that wrote it.
    """

    rungs: tuple[str, ...]
    data: str
    random_state: int
    kind: Literal["run"] = "run"
    schema_version: Literal[1] = 1
    landmass: str = VERSION


class SplitRows(msgspec.Struct, forbid_unknown_fields=True):
    """Row numbers of the parts; `test` is empty where the test events came on their own."""

    train: list[int]
    validation: list[int]
    test: list[int]


class Done(msgspec.Struct, forbid_unknown_fields=True):
    """What a begun run remembers of a rung that is done, beside its folder and its validation scores.

    Args:
        seconds: that it took.
        failed: why there is no such rung; empty if there is.
        history: its progress records.
    """

    seconds: float = 0.0
    failed: str = ""
    history: tuple[Progress, ...] = ()


class Begun(msgspec.Struct, forbid_unknown_fields=True):
    """What a begun run is of: the SHA-256 of its data, families and settings."""

    sha256: str


class Ladder(DensityMixin, BaseEstimator):
    """Several densities on one split of the data, from simple to rich, compared in one ledger.

    The data is split once: 0.8 to train, 0.1 to choose on, 0.1 to report on; or 0.9 and 0.1 where the test events
    are given apart. The last rung is a stack of all others, and it answers for the ladder.

    Args:
        families: names or estimators; None takes every family.
        random_state: seed of the split and of every fit.

    Example:
        >>> ladder = Ladder(["uniform_box", "gaussian"]).fit("moons")
        >>> ladder.best_
        'gaussian'
    """

    def __init__(self, families: Iterable[str | DensityEstimator] | None = None, *, random_state: int = 0) -> None:
        self.families = families
        self.random_state = random_state

    def fit(self, X: Any, test: Any = None, *, listen: Listener = silent, folder: str | Path | None = None) -> Self:
        """Fit every rung, from simple to rich, and the stack.

        Args:
            X: events, in any form that `landmass.read` takes.
            test: held-out events of the same columns; None keeps a tenth of X.
            listen: hears the progress records of every rung.
            folder: where to save the run, step by step while it is fitted: after a crash the same call goes on from
                what it finds there, and ends with the same bits.

        Raises:
            DataError: the data cannot be modelled at all, or by none of the families.
            FitError: not a single family could be fitted, because training diverged.
            StoreError: the folder cannot be written, or holds something else.
        """
        data = read(X)
        if data.weight is not None:
            raise DataError(
                "a ladder's events have no weights, as not all of its families can honour them; give copies"
            )
        data.check_fit()
        rungs = self._rungs()
        self.split_ = split(data, self.random_state, test=0.1 if test is None else 0.0)
        train, validation = data.take(self.split_.train), data.take(self.split_.validation)
        held_out = data.take(self.split_.test) if test is None else same_columns(read(test), data)
        if min(len(validation), len(held_out)) < 2:
            raise DataError(
                f"{len(data)} events are too few for a ladder, which keeps some to choose by and some to report on; "
                "give at least 20"
            )
        self.train_, self.validation_, self.test_ = train, validation, held_out
        self.rungs_, self.failed_, self.test_scores_, seconds = {}, {}, {}, {}
        self.validation_scores_, self._diverged = {}, False
        run = None if folder is None else Path(folder)
        if run is not None and (run / "manifest.json").exists():
            refuse_existing(run)
        checkpoint = Checkpoint(None if run is None else run / "checkpoint")
        _check_begun(checkpoint, self._fingerprint(rungs))
        for name, rung in rungs.items():
            seconds[name] = self._climb(name, rung, _named(listen, name), run, checkpoint.inside(name))
        if not self.rungs_:
            told = "; ".join(f"{name}: {why}" for name, why in self.failed_.items())
            raise (FitError if self._diverged else DataError)(f"no family could be fitted: {told}")
        self.best_ = prefer(self.validation_scores_, validation.copies())
        self._stack(self.validation_scores_, seconds, listen)
        self.ledger_ = self._ledger(data, seconds)
        if run is not None:
            self.save_into(run)
        return self

    def score_samples(self, X: Any) -> LogDensities:
        """Log-density of each event under the last rung, the stack, in nats, in the units of the data."""
        check_is_fitted(self, "rungs_")
        return self.last_.score_samples(X)

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean log-density of events under the stack, in nats."""
        return float(np.mean(self.score_samples(X)))

    def sample(self, n_samples: int = 1, *, random_state: int | None = None) -> Any:
        """Draw events from the stack, in the container that `fit` was given."""
        check_is_fitted(self, "rungs_")
        return self.last_.sample(n_samples, random_state=random_state)

    @property
    def last_(self) -> DensityEstimator:
        """The rung that answers for the ladder: the stack, or the only rung there is."""
        return list(self.rungs_.values())[-1]

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
        write_json(folder / "manifest.json", RunManifest(tuple(self.rungs_), self.ledger_.data, self.random_state))
        # What a begun run needed, and what a killed process had not finished writing.
        for done_with in (folder / "checkpoint", *(folder / "rungs").glob(".*")):
            shutil.rmtree(done_with, ignore_errors=True)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The ledger as text, once there is one."""
        return as_text(self.ledger_) if hasattr(self, "ledger_") else super().__repr__(N_CHAR_MAX)

    def _repr_html_(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The ledger as a table in a notebook."""
        return as_html(self.ledger_) if hasattr(self, "ledger_") else f"<pre>{escape(repr(self))}</pre>"

    def _rungs(self) -> dict[str, DensityEstimator]:
        """A fresh estimator for each family asked for, by name, with the ladder's seed where none is set."""
        rungs: dict[str, DensityEstimator] = {}
        for wanted in FAMILIES if self.families is None else self.families:
            rung = family(wanted)() if isinstance(wanted, str) else wanted.fresh()
            if isinstance(rung, Stack):
                continue
            if rung.get_params().get("random_state", 0) is None:
                rung.set_params(random_state=self.random_state)
            name, copy = name_of(rung), 1
            while name in rungs:
                copy += 1
                name = f"{name_of(rung)}_{copy}"
            rungs[name] = rung
        if not rungs:
            raise SettingError(f"a ladder needs at least one family; there are: {', '.join(FAMILIES)}")
        return rungs

    def _climb(
        self, name: str, rung: DensityEstimator, listen: Listener, run: Path | None, checkpoint: Checkpoint
    ) -> float:
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
                vars(rung).update(data_=self.train_.take(np.arange(0)), history_=done.history)
                self.rungs_[name], self.validation_scores_[name] = rung, arrays["validation"]
        if done.failed:
            self.failed_[name] = done.failed
            listen(Progress("failed", message=done.failed))
        else:
            self.test_scores_[name] = self.rungs_[name].score_samples(self.test_)
            listen(Progress("finished", score=float(self.test_scores_[name].mean()), seconds=done.seconds))
        return done.seconds

    def _fit_rung(self, name: str, rung: DensityEstimator, listen: Listener, checkpoint: Checkpoint) -> Done:
        try:
            rung.fit_parts(self.train_, self.validation_, listen, checkpoint.inside("fit"))
            scores = rung.score_samples(self.validation_)
            # What validation chose is settled; the cheap families now learn from its events too.
            whole = replace(self.train_, X=np.concatenate([self.train_.X, self.validation_.X]))
            rung.refit(whole, checkpoint.inside("refit"))
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

    def _fingerprint(self, rungs: dict[str, DensityEstimator]) -> str:
        """Of all that decides what a fit gives."""
        found = hashlib.sha256(repr([(name, rung.get_params()) for name, rung in rungs.items()]).encode())
        for part in (self.train_, self.validation_, self.test_):
            found.update(repr(part.schema).encode())
            found.update(np.ascontiguousarray(part.X).tobytes())
        return found.hexdigest()

    def _stack(self, scores: dict[str, LogDensities], seconds: dict[str, float], listen: Listener) -> None:
        if len(self.rungs_) < 2:
            return
        began = time.perf_counter()
        stack = Stack.of(self.rungs_, scores, self.validation_.copies())
        each = np.column_stack([self.test_scores_[name] for name in self.rungs_])
        self.rungs_["stack"], self.test_scores_["stack"] = stack, mixture_log_prob(each, stack.weights_)
        seconds["stack"] = time.perf_counter() - began
        listen(Progress("finished", "stack", seconds=seconds["stack"]))

    def _ledger(self, data: Dataset, seconds: dict[str, float]) -> Ledger:
        weights = self.rungs_["stack"].parameters_["weights"] if "stack" in self.rungs_ else np.ones(1)
        weight = dict(zip(self.rungs_, weights.tolist(), strict=False))
        lines, below, copies = [], None, self.test_.copies()
        for name, rung in self.rungs_.items():
            scores = self.test_scores_[name]
            zeros = int(np.isneginf(scores).sum())
            nats, se = (None, None) if zeros else mean_and_error(scores, copies)
            gain, gain_se = (
                (None, None) if zeros or below is None else paired_gain(scores, self.test_scores_[below], copies)
            )
            line = Rung(
                family=name,
                label=rung.likelihood_,
                nats=nats,
                se=se,
                gain=gain,
                gain_se=gain_se,
                parameters=rung.n_parameters_,
                seconds=seconds[name],
                n=len(scores),
                zero_density=zeros,
                weight=weight.get(name),
            )
            lines.append(line)
            if not zeros and (below is None or scores.mean() > self.test_scores_[below].mean()):
                below = name
        units = [column.unit or f"unit of {column.name}" for column in data.schema.columns]
        return Ledger(
            data=data.name,
            n={
                "train": len(self.split_.train),
                "validation": len(self.split_.validation),
                "test": len(self.test_),
            },
            true_entropy=None if data.truth is None else data.truth.entropy,
            unit=" · ".join(units),
            rungs=tuple(lines),
            best=self.best_,
            failed=self.failed_,
            notes=(*data.notes, *data.repeats()),
        )


def load(path: str | Path) -> Any:
    """Read a run folder or a saved estimator; no code in it is ever executed.

    Args:
        path: what `save` or `landmass fit` wrote.

    Returns:
        A `Ladder` (without its events), or the estimator.

    Raises:
        StoreError: the folder does not hold what its manifest says.
    """
    path = Path(path)
    if not (path / "manifest.json").is_file():
        raise StoreError(f"{path} is not a run or model folder: it has no manifest.json")
    if not (path / "ledger.json").is_file():
        return load_estimator(path)
    manifest = read_json(path / "manifest.json", RunManifest)
    if not manifest.rungs or any(not name.isidentifier() for name in manifest.rungs):
        raise StoreError(f"{path}: the manifest's rungs {list(manifest.rungs)} are not names of rungs")
    rows, ledger = read_json(path / "split.json", SplitRows), read_json(path / "ledger.json", Ledger)
    ladder = Ladder(random_state=manifest.random_state)
    ladder.rungs_ = {name: load_estimator(below(path, "rungs", name)) for name in manifest.rungs}
    ladder.split_ = Split(*(np.array(part, int) for part in (rows.train, rows.validation, rows.test)))
    ladder.ledger_, ladder.best_, ladder.failed_ = ledger, ledger.best, ledger.failed
    return ladder


def _check_begun(checkpoint: Checkpoint, sha256: str) -> None:
    """Refuse to go on with a run of something else."""
    begun = checkpoint.load(Begun)
    if begun is None:
        checkpoint.save(Begun(sha256), {})
    elif begun[0].sha256 != sha256:
        raise StoreError(f"{checkpoint.folder} is of a fit with other data, families or settings; give another folder")


def same_columns(test: Dataset, data: Dataset) -> Dataset:
    """Test events in the sample space of the training events; named columns may come in another order."""
    names, found = data.schema.names, test.schema.names
    if sorted(found) != sorted(names):
        raise DataError(f"the test events have columns {found}, the others {names}; give them the same columns")
    # Whole rows are enough for a mean.
    return replace(test, X=test.X[:, [found.index(name) for name in names]], schema=data.schema, gaps="")


def _named(listen: Listener, name: str) -> Listener:
    return lambda progress: listen(replace(progress, family=name))
