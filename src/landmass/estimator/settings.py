"""Settings of estimators: a check of their kinds, the kinds in words, and the values as a file holds them."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from sklearn.base import BaseEstimator

from landmass.errors import SettingError
from landmass.nn.base import Layer
from landmass.nn.layers import Activation
from landmass.nn.network import AnyLayer

WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", types.NoneType: "none"}


def check_kinds(estimator: BaseEstimator) -> None:
    """Refuse settings that are not of the kinds that their fields say.

    NumPy's numbers and texts count as Python's, and a random generator as its seed. Layers of one's own may stand in a
    network, though no file can hold them.

    Args:
        estimator: whose settings are looked at.

    Raises:
        SettingError: names the family, the setting, the value, and what is needed.
    """
    kinds = get_type_hints(type(estimator))
    for name, value in estimator.get_params(deep=False).items():
        layers = isinstance(value, list | tuple)
        known = [Activation() if isinstance(each, Layer) else each for each in value] if layers else value
        try:
            msgspec.convert(_plain(known), kinds[name])
        except (TypeError, OverflowError, msgspec.ValidationError) as error:
            family, needed = type(estimator).__name__, spell(kinds[name])
            raise SettingError(f"{family}: {name} must be {needed}, got {value!r}") from error


def kept_settings(estimator: BaseEstimator) -> dict[str, Any]:
    """An estimator's fields as JSON can hold them; in place of a random generator stands null.

    Args:
        estimator: whose settings are to be kept.

    Raises:
        SettingError: a field is nothing that can be read back.
    """
    kinds, kept = get_type_hints(type(estimator)), {}
    for name, value in estimator.get_params(deep=False).items():
        try:
            kept[name] = _plain(value)
            msgspec.convert(kept[name], kinds[name])
        except (TypeError, msgspec.ValidationError) as error:
            raise SettingError(
                f"{type(estimator).__name__}: {name}={value!r} cannot be kept in a file: {error}; set_params({name}=…) "
                "to what can be, and save again"
            ) from error
    return kept


def spell(kind: Any) -> str:
    """A type in words.

    Args:
        kind: an annotation.
    """
    if kind == AnyLayer:
        return "a layer of landmass.nn"
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(spell(part) for part in get_args(kind))
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if get_origin(kind) in (tuple, Sequence):
        return "a list, each " + spell(get_args(kind)[0])
    if get_origin(kind) is Mapping:
        return "a number for each, by name"
    return WORDS.get(kind, str(kind).replace("landmass.estimator.density.", ""))


def _plain(value: Any) -> Any:
    """A setting without NumPy's types and without estimators; keys become words, which is all that JSON has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if not isinstance(each, BaseEstimator)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return None if isinstance(value, np.random.RandomState) else msgspec.to_builtins(value)
