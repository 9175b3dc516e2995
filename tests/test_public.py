"""The public names: each resolves, is documented, and costs nothing until it is used."""

import subprocess
import sys

import pytest

import landmass


@pytest.mark.parametrize("name", landmass.__all__)
def test_public_name_resolves_and_is_documented(name):
    thing = getattr(landmass, name)
    assert thing.__name__ == name
    assert (thing.__doc__ or "").split("\n")[0].rstrip().endswith(".")


def test_every_layer_that_can_be_saved_is_public():
    from landmass.nn.network import AnyLayer

    assert {layer.__name__ for layer in AnyLayer.__args__} == set(landmass.nn.__all__)


def test_dir_lists_the_public_names():
    assert set(landmass.__all__) <= set(dir(landmass))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'landmass' has no attribute 'Colour'"):
        _ = landmass.Colour


def test_import_starts_neither_jax_nor_numpy():
    heavy = "{'jax', 'numpy', 'scipy', 'sklearn', 'pyarrow', 'matplotlib', 'equinox'}"
    code = f"import sys, landmass; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("kind", ["DataError", "SettingError", "FitError", "StoreError"])
def test_every_error_can_be_caught_as_one(kind):
    assert issubclass(getattr(landmass, kind), landmass.LandmassError)


@pytest.mark.parametrize(
    "kind, usual",
    [("DataError", ValueError), ("SettingError", ValueError), ("FitError", RuntimeError), ("StoreError", OSError)],
)
def test_each_error_is_also_the_usual_one(kind, usual):
    assert issubclass(getattr(landmass, kind), usual)
