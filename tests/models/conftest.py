"""Fits that the tests of all families share."""

import functools

import pytest

from tests.models.cases import data, estimator
from tests.models.table_cases import MAKERS, fresh


@pytest.fixture(scope="session")
def fitted():
    """Gives the fit of a family to one of the data sets; each is fitted once."""
    return functools.cache(lambda family, name: estimator(family).fit(data(name)))


@pytest.fixture(scope="session")
def plane():
    """Five hundred events of the known mixture."""
    return data("plane").X


@pytest.fixture(scope="session")
def fitted_table():
    """A family fitted to one of the small tables, made once."""
    return functools.cache(lambda family, name: fresh(family).fit(MAKERS[name](500)))
