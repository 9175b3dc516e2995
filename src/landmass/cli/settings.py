"""`--families` and `--set`: words from the command line become estimators, checked against the families' fields."""

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from landmass.catalog import CONDITIONALS, FAMILIES, KNOWN, OF_IMAGES, OF_TABLES, USUAL, family, name_of
from landmass.cli.console import suggest
from landmass.errors import SettingError
from landmass.estimator.settings import spell
from landmass.models.stack import Stack


@dataclasses.dataclass(frozen=True)
class Setting:
    """A family's setting.

    Args:
        name: its name.
        kind: its type, as annotated.
        default: its default value.
        doc: what it means.
    """

    name: str
    kind: Any
    default: Any
    doc: str


def estimators(families: str | None, assignments: Sequence[str], *, predict: bool = False) -> dict[str, Any] | None:
    """Make the estimators that a command line asks for, from simple to rich.

    Args:
        families: names with commas between them; None takes every family of densities, or of predictors the one whose
            settings are given.
        assignments: texts of the form `family.setting=value`.
        predict: whether predictors are asked for.

    Returns:
        By name; None where nothing is said of predictors, and a ladder is to choose them.

    Raises:
        SettingError: a name or a value that no family knows; tells which there are.
    """
    found = [(text, *_assignment(text)) for text in assignments]
    unnamed = predict and families is None
    names = list(CONDITIONALS) if unnamed else names_of(families)
    wanted: dict[str, dict[str, Any]] = {name: {} for name in names}
    for text, name, setting, value in found:
        if name not in wanted:
            raise SettingError(f"--set {text}: {name} is not among the families to fit ({', '.join(names)})")
        wanted[name][setting] = value
    if unnamed:
        wanted = {name: settings for name, settings in wanted.items() if settings}
        if len(wanted) > 1:
            raise SettingError(f"--set speaks of {' and of '.join(wanted)}: say by --families which is to be fitted")
    made = {name: family(name)(**settings) for name, settings in wanted.items()}
    for estimator in made.values():
        estimator.check_settings()
    return made or None


def family_of(assignment: str) -> str:
    """The name of the family that a text of the form `family.setting=value` speaks of.

    Args:
        assignment: the text.

    Raises:
        SettingError: it is no such text, or there is no such family or setting.
    """
    return _assignment(assignment)[0]


def settings_of(cls: type) -> list[Setting]:
    """A family's settings: its own, then those that it shares with others.

    Args:
        cls: the family's class.
    """
    kinds, docs = get_type_hints(cls), _docs(cls)
    fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    own = sorted(fields, key=lambda field: field.name not in vars(cls).get("__annotations__", {}))
    return [Setting(field.name, kinds[field.name], field.default, docs.get(field.name, "")) for field in own]


def names_of(families: str | None) -> list[str]:
    """The names of families, from simple to rich.

    Args:
        families: names with commas between them; None takes every family of densities of rows.

    Raises:
        SettingError: one is unknown, or named twice; or there is none.
    """
    if families is None:
        return [name for name in USUAL if name != name_of(Stack())]
    given = [name.strip() for name in families.split(",") if name.strip()]
    names = [name_of(family(name)()) for name in given]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SettingError(f"--families names {twice[0]!r} twice")
    # The stack is every ladder's last rung and needs no naming.
    lists = (each for each in (OF_TABLES, OF_IMAGES) if set(names) <= set(each))
    order = list(next(lists, KNOWN))
    names = sorted((name for name in names if name != name_of(Stack())), key=order.index)
    if not names:
        raise SettingError(f"--families needs at least one family besides the stack (there are: {', '.join(FAMILIES)})")
    return names


def _assignment(text: str) -> tuple[str, str, Any]:
    found = re.fullmatch(r"\s*([\w-]+)\.([\w-]+)\s*=(.*)", text, re.DOTALL)
    if found is None:
        raise SettingError(f"--set needs family.setting=value, such as gaussian_mixture.n_components=5, got {text!r}")
    wanted, setting, value = found.groups()
    cls = family(wanted)
    known = {known.name: known for known in settings_of(cls)}
    name = name_of(cls())
    if cls is Stack:
        raise SettingError(f"--set {text}: the stack is made of the other rungs, and a command cannot set it")
    if setting not in known:
        has = f"its settings: {', '.join(known)}" if known else "it has none"
        raise SettingError(f"{name} has no setting {setting!r}{suggest(setting, known)} ({has})")
    return name, setting, _value(name, known[setting], value.strip())


def _value(name: str, setting: Setting, text: str) -> Any:
    try:
        return msgspec.convert(_literal(text), setting.kind)
    except msgspec.ValidationError as error:
        raise SettingError(f"{name}.{setting.name} must be {spell(setting.kind)}, got {text!r}") from error


def _literal(text: str) -> Any:
    """The value that a text is in JSON or in Python, or the text itself."""
    if text.lower() in ("none", "null"):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def _docs(cls: type) -> Mapping[str, str]:
    """What the `Args` of a class and of its bases say of each name; a class's own words win over its bases'."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, args = inspect.cleandoc(vars(base).get("__doc__") or "").partition("\nArgs:\n")
        block = re.split(r"\n(?=\S)", args)[0]
        for entry in re.split(r"\n(?= {4}\w)", "\n" + block)[1:]:
            name, _, meaning = entry.strip().partition(":")
            docs[name] = " ".join(meaning.split())
    return docs
