"""What columns hold: declared on the command line or in a TOML file, and `landmass schema`."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from landmass.data.builtin import DATASETS
from landmass.data.kinds import Declared, Found
from landmass.data.read import draw, looked_at
from landmass.data.schema import AnyColumn, kind_of
from landmass.data.stream import holds_tables, in_tables
from landmass.data.witnesses import witnesses
from landmass.errors import DataError, SettingError


def declared_columns(columns: Sequence[str], schema: str | None) -> dict[str, Declared]:
    """What columns are declared to hold, by name.

    Args:
        columns: texts of the form `name:kind`; they win over the file.
        schema: the path of a TOML file with a table `[columns.NAME]` for each column.

    Raises:
        DataError: the file cannot be read, or declares what no column can hold.
        SettingError: a text is of another form.
    """
    found: dict[str, Declared] = {} if schema is None else _from_toml(Path(schema))
    for text in columns:
        name, mark, kind = text.rpartition(":")
        if not (name and mark and kind):
            raise SettingError(f"--column needs name:kind, such as age:integer, got {text!r}")
        found[name] = kind
    return found


def dropped_columns(drop: Sequence[str], schema: str | None) -> tuple[str, ...]:
    """Columns to leave out, by name.

    Args:
        drop: names.
        schema: the path of a TOML file that may name more of them, as `drop = ["NAME"]`.

    Raises:
        DataError: the file cannot be read, or names them in another way.
    """
    named = [] if schema is None else _parsed(Path(schema)).get("drop", [])
    if not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise DataError(f'{schema} names columns to leave out by {named!r}; write a list, such as drop = ["id"]')
    return tuple(dict.fromkeys((*drop, *named)))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}") from error


def _from_toml(path: Path) -> dict[str, Declared]:
    parsed = _parsed(path)
    tables = parsed.get("columns", {})
    of_tables = isinstance(tables, dict) and all(isinstance(each, dict) for each in tables.values())
    if not of_tables or not (tables or "drop" in parsed):
        raise DataError(
            f'{path} declares no column; write a table for each, such as [columns.age] and kind = "integer"'
        )
    try:
        # The name of a kind alone leaves its details to be found.
        return {
            name: each["kind"] if set(each) == {"kind"} else msgspec.convert({"name": name, **each}, AnyColumn)
            for name, each in tables.items()
        }
    except (msgspec.ValidationError, KeyError, DataError) as error:
        raise DataError(f"{path} declares what no column can hold: {error}") from error


def as_toml(columns: dict[str, AnyColumn], drop: Sequence[str] = ()) -> str:
    """A file that declares columns, as `--schema` reads it.

    Args:
        columns: by name.
        drop: names of columns to leave out.
    """
    lines = [f"drop = {_value(list(drop))}", ""] if drop else []
    for name, column in columns.items():
        lines += [f"[columns.{_quoted(name)}]", f'kind = "{kind_of(column)}"']
        for setting, value in msgspec.to_builtins(column).items():
            if setting not in ("kind", "name"):
                lines.append(f"{setting} = {_value(value)}")
        lines.append("")
    return "\n".join(lines)


def show(source: str, columns: Sequence[str], drop: Sequence[str], schema: str | None, toml: bool) -> None:
    """Print what each column of a table holds, and why that is thought.

    Args:
        source: the path of a table or of a folder of such, "-" for CSV on standard input, or the name of a built-in
            data set.
        columns: what columns are declared to hold, as `name:kind`.
        drop: columns to leave out.
        schema: the path of a TOML file that declares columns.
        toml: whether to print such a file instead.
    """
    declared, table = declared_columns(columns, schema), None
    if source in DATASETS:
        data = draw(source)
        declared = {**dict(zip(data.schema.names, data.schema.columns, strict=True)), **declared}
        table = data.wrap(data.X)
    elif holds_tables(Path(source)):
        table = witnesses(in_tables(source))
    drop = dropped_columns(drop, schema)
    found = looked_at(source if table is None else table, declared, drop)
    if toml:
        kept = {name: each.column for name, each in found.items() if isinstance(each, Found)}
        typer.echo(as_toml(kept, drop), nl=False)
        return
    rows = [("column", "kind", "per", "why")]
    for name, each in found.items():
        if isinstance(each, str):
            rows.append((name, "left out", "", each))
            continue
        counted = each.column.plain or kind_of(each.column) in ("real", "positive", "bounded", "circular")
        kind = kind_of(each.column) + (", may be empty" if each.column.nullable else "")
        rows.append((name, kind, (each.column.unit or "unit") if counted else "count", each.why))
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    typer.echo("\n".join("  ".join([*(c.ljust(w) for c, w in zip(row, wide, strict=False)), row[3]]) for row in rows))


def _quoted(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else msgspec.json.encode(name).decode()


def _value(value: Any) -> str:
    return msgspec.json.encode(value).decode()
