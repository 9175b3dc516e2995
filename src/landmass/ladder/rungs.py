"""The rungs of a ladder, by name, from simple to rich: densities, or predictors of a target."""

from collections.abc import Iterable, Mapping
from typing import Any

from landmass.catalog import CONDITIONALS, FAMILIES, OF_IMAGES, OF_TABLES, USUAL, USUAL_OF_TABLES, family, name_of
from landmass.data.dataset import Dataset
from landmass.data.examples import Examples, is_number
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.data.schema import Boolean, Category
from landmass.errors import SettingError
from landmass.estimator.base import Estimator
from landmass.estimator.conditional import ConditionalEstimator
from landmass.estimator.density import DensityEstimator
from landmass.models.mixed_spline_flow import MixedSplineFlow
from landmass.models.neural_classifier import NeuralClassifier
from landmass.models.neural_regressor import NeuralRegressor
from landmass.models.stack import Stack

Wanted = Iterable[str | Estimator] | Mapping[str, Estimator] | None
"""Families by name or as estimators, or estimators by the names of their rungs; None is all there are."""

# A table of so many rows, at least half of whose columns are numbers, is worth the time that splines take.
MANY_ROWS = 5_000
SPLINES = name_of(MixedSplineFlow())


def usual_of_tables(data: Dataset | Pieces) -> list[str]:
    """The families of tables that a ladder has unless others are asked for.

    Args:
        data: the rows.
    """
    numbers = [not isinstance(column, Category | Boolean) for column in data.schema.columns]
    n = data.n if isinstance(data, Pieces) else len(data)
    splines = n >= MANY_ROWS and 2 * sum(numbers) >= len(numbers)
    return [name for name in OF_TABLES if name in USUAL_OF_TABLES or (splines and name == SPLINES)]


def are_densities(wanted: Wanted) -> bool:
    """Whether families are asked for, and all of them are densities.

    Args:
        wanted: which.
    """
    if wanted is None:
        return False
    each = [*(wanted.values() if isinstance(wanted, Mapping) else wanted)]
    return all(not issubclass(family(one) if isinstance(one, str) else type(one), ConditionalEstimator) for one in each)


def take_tables(wanted: Wanted) -> bool:
    """Whether all families that are asked for take rows of any columns; so do the usual ones, which suit the rows.

    Args:
        wanted: which.
    """
    each = [] if wanted is None else [*(wanted.values() if isinstance(wanted, Mapping) else wanted)]
    classes = [family(one) if isinstance(one, str) else type(one) for one in each]
    return all(issubclass(cls, DensityEstimator) and "table" in cls._takes for cls in classes)


def densities(wanted: Wanted, data: Dataset | Images | Pieces, random_state: int) -> dict[str, DensityEstimator]:
    """Fresh estimators of densities.

    Args:
        wanted: which; None is the usual ones for such events.
        data: the events.
        random_state: their seed, where none is set.

    Raises:
        SettingError: one of them predicts, or there are none.
    """
    usual = OF_IMAGES if isinstance(data, Images) else USUAL if data.schema.plain else usual_of_tables(data)
    rungs = _fresh(usual if wanted is None else wanted, random_state)
    found = {name: rung for name, rung in rungs.items() if not isinstance(rung, Stack)}
    for name, rung in found.items():
        if not isinstance(rung, DensityEstimator):
            raise SettingError(f"{name} is a predictor: say what it is to predict (target=…, or --target on the shell)")
        if not rung._is_density:
            raise SettingError(
                f"{name} has no likelihood, by which a ladder compares its rungs; fit it by itself, in Python: "
                f"landmass.{type(rung).__name__}().fit(…).save(folder), a folder that `landmass encode` takes too"
            )
    if not found:
        some = OF_IMAGES if isinstance(data, Images) else FAMILIES if data.schema.plain else OF_TABLES
        raise SettingError(f"a ladder needs at least one family; there are: {', '.join(some)}")
    return found  # pyright: ignore[reportReturnType]


def predictors(wanted: Wanted, examples: Examples, random_state: int) -> dict[str, ConditionalEstimator]:
    """Fresh estimators of the answers given the events; the first is told nothing of an event, as all must beat it.

    Args:
        wanted: which; None is a linear network, and one that suits the events.
        examples: what they are to learn from.
        random_state: their seed, where none is set.

    Raises:
        SettingError: one of them predicts nothing.
    """
    rungs = _fresh(usual_predictors(examples) if wanted is None else wanted, random_state)
    for name, rung in rungs.items():
        if not isinstance(rung, ConditionalEstimator):
            raise SettingError(
                f"{name} is a density of events and predicts nothing; give predictors ({', '.join(CONDITIONALS)}), or "
                "no target"
            )
    if not rungs:
        raise SettingError(f"a ladder needs at least one family; there are: {', '.join(CONDITIONALS)}")
    floor = type(next(iter(rungs.values())))(architecture="constant", random_state=random_state)  # pyright: ignore[reportCallIssue]
    return {"constant": floor, **rungs}  # pyright: ignore[reportReturnType]


def usual_predictors(
    examples: Examples, like: NeuralClassifier | NeuralRegressor | None = None
) -> dict[str, ConditionalEstimator]:
    """A linear network, and one that suits the events.

    Args:
        examples: what they are to learn from.
        like: a predictor with the settings of both, and the architecture of the second; None takes what suits.
    """
    if like is None:
        like = NeuralRegressor() if is_number(examples.answers) else NeuralClassifier()
    suits = like.architecture or ("cnn" if isinstance(examples.inputs, Images) else "mlp")
    wanted = {"linear": "linear", suits if isinstance(suits, str) else name_of(like): suits}
    return {name: like.fresh().set_params(architecture=each) for name, each in wanted.items()}


def _fresh(wanted: Iterable[Any] | Mapping[str, Any], random_state: int) -> dict[str, Estimator]:
    rungs: dict[str, Estimator] = {}
    given = wanted.items() if isinstance(wanted, Mapping) else [(None, each) for each in wanted]
    for name, each in given:
        rung = family(each)() if isinstance(each, str) else each.fresh()
        if rung.get_params().get("random_state", 0) is None:
            rung.set_params(random_state=random_state)
        if name is not None and not (name.isidentifier() and (name != "stack" or isinstance(rung, Stack))):
            raise SettingError(
                f"a rung cannot be called {name!r}, as its folder is, too; take a name of letters, digits and "
                "underscores other than stack"
            )
        name, copy = name or name_of(rung), 1
        stem = name
        while name in rungs:
            copy += 1
            name = f"{stem}_{copy}"
        rungs[name] = rung
    return rungs
