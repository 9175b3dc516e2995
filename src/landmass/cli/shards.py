"""Scores of more rows than memory holds: written shard by shard, and gone on with after a kill."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import typer
from pyarrow import parquet

from landmass.cli.console import tell
from landmass.cli.files import write_table
from landmass.data.stream import files_of, in_tables
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.ledger import MARKS
from landmass.store import make_folder, read_json, write_json
from landmass.text import title

# Rows of a shard.
ROWS = 262_144

# Who reads a folder of Parquet files leaves out files whose name begins so.
MANIFEST = "_manifest.json"


class Work(msgspec.Struct, forbid_unknown_fields=True):
    """What is scored by whom: another source, or another run, would make shards that do not belong together.

    Args:
        source: the file or folder.
        files: name, bytes and time of the last change of each file.
        run: SHA-256 of the manifests of the run and of its rungs, which tell their weights.
        rung: the rung's name.
        rows: of a shard.
    """

    source: str
    files: list[tuple[str, int, int]]
    run: str
    rung: str
    rows: int


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """The folder's manifest.

    Args:
        work: what is scored.
        n: rows in all, once all are written; None before.
        nats: their mean log-density; None if one of them has density zero.
        se: its standard error; None of a single row.
        zero_density: rows of density zero.
    """

    work: Work
    n: int | None = None
    nats: float | None = None
    se: float | None = None
    zero_density: int = 0


def score_in_shards(run: Path, name: str, model: Any, source: str, out: Path) -> None:
    """Write the log-density of each row of a file or folder into a folder of Parquet files, in the rows' order.

    A shard is there in full or not at all; the same call goes on where an earlier one was stopped.

    Args:
        run: the run's folder.
        name: the rung's.
        model: the rung.
        source: path of a file, or of a folder of files.
        out: the folder; made if it is not there.

    Raises:
        DataError: a row cannot be scored.
        StoreError: the folder holds something else, or cannot be written.
    """
    if not isinstance(model, DensityEstimator) or model.data_.schema.image is not None:
        raise SettingError(
            f"--out {out} is a folder, for scores of rows; {name} is of none: write to a .csv or .parquet"
        )
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files_of(Path(source))]
    work = Work(
        str(Path(source).absolute()),
        files,
        hashlib.sha256(b"".join(path.read_bytes() for path in sorted(run.rglob("manifest.json")))).hexdigest(),
        name,
        ROWS,
    )
    if not out.exists() and next(in_tables(source), None) is None:
        raise DataError(f"{source} has columns and no rows; add rows")
    done = _begin(out, work)
    if done:
        tell(f"{out}: {done * ROWS:,} rows are scored already; going on with row {done * ROWS:,}")
    shard = done
    for table in _full(in_tables(source, first=done * ROWS)):
        first = shard * ROWS
        try:
            scores = model.score_samples(table)
        except DataError as error:
            raise DataError(
                f"{source}, rows from {first:,} on (their numbers below are counted from there): {error}"
            ) from error
        rows = pa.array(np.arange(first, first + len(scores)))
        write_table(pa.table({"row": rows, "log_density": scores}), out / _named(shard))
        shard += 1
    written = _summary(out, shard, work)
    write_json(out / MANIFEST, written)
    if written.nats is None:
        mean = f"-inf ({written.zero_density:,} of {written.n:,} events have density zero)"
    else:
        error = "" if written.se is None else f" ± {written.se:.4f}"
        mean = f"{MARKS[model.likelihood_]}{written.nats:.4f}{error}"
    typer.echo(f"{mean} nats an event: {title(name)}, {written.n:,} events in {shard} shards in {out}")


def _named(shard: int) -> str:
    return f"part-{shard:06}.parquet"


def _begin(out: Path, work: Work) -> int:
    """Make the folder, or see how many shards an earlier call has left in it."""
    if not out.exists():
        make_folder(out)
    if not out.is_dir():
        raise StoreError(f"{out} is there already, and no folder; remove it or choose another name")
    # Left by a process that was killed while it wrote.
    unwritten = [*out.glob(f".{MANIFEST}.*")]
    if not (out / MANIFEST).exists():
        if any(each not in unwritten for each in out.iterdir()):
            raise StoreError(f"the folder {out} holds something else; remove it or choose another name")
        for rest in unwritten:
            rest.unlink()
        write_json(out / MANIFEST, Written(work))
        return 0
    written = read_json(out / MANIFEST, Written)
    if written.work != work:
        raise StoreError(f"{out} was begun for other rows, or another run; remove it or choose another name")
    if written.n is not None:
        raise StoreError(f"{out} holds all scores of these rows already; remove it or choose another name")
    for rest in (*out.glob(".part-*"), *unwritten):
        rest.unlink()
    done = 0
    while (out / _named(done)).exists():
        done += 1
    return done


def _full(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Tables of so many rows as a shard has; the last has what is left."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(each.num_rows for each in held) >= ROWS:
            joined = pa.concat_tables(held, promote_options="permissive")
            yield joined.slice(0, ROWS)
            held = [joined.slice(ROWS)]
    if sum(each.num_rows for each in held):
        yield pa.concat_tables(held, promote_options="permissive")


def _summary(out: Path, shards: int, work: Work) -> Written:
    """What all shards tell together."""
    n, total, squares, zeros = 0, 0.0, 0.0, 0
    for shard in range(shards):
        scores = parquet.read_table(out / _named(shard), columns=["log_density"])["log_density"].to_numpy()
        zeros += int(np.isneginf(scores).sum())
        n, total, squares = n + len(scores), total + float(scores.sum()), squares + float((scores**2).sum())
    if zeros or not n:
        return Written(work, n, zero_density=zeros)
    mean = total / n
    return Written(work, n, mean, math.sqrt(max(squares / n - mean**2, 0.0) / (n - 1)) if n > 1 else None)
