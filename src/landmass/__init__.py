"""landmass: put the probability mass where the data is."""

from importlib import import_module
from typing import Any

# Public name -> where it lives. Families stand from simple to rich, which is the order of a ladder.
_DENSITIES = {
    "UniformBox": "landmass.models.uniform_box",
    "Independent": "landmass.models.independent",
    "Gaussian": "landmass.models.gaussian",
    "ProbabilisticPCA": "landmass.models.probabilistic_pca",
    "Histogram": "landmass.models.histogram",
    "GaussianMixture": "landmass.models.gaussian_mixture",
    "LatentClass": "landmass.models.latent_class",
    "KernelDensity": "landmass.models.kernel_density",
    "MixedKernelDensity": "landmass.models.mixed_kernel_density",
    "SplineFlow": "landmass.models.spline_flow",
    "MixedSplineFlow": "landmass.models.mixed_spline_flow",
    "Autoregressive": "landmass.models.autoregressive",
    "Stack": "landmass.models.stack",
}

# Of these densities of rows, and of tables, a ladder has only those that it is asked for.
_ON_REQUEST = (
    "Independent",
    "ProbabilisticPCA",
    "LatentClass",
    "MixedKernelDensity",
    "MixedSplineFlow",
    "Autoregressive",
)
_ON_REQUEST_OF_TABLES = ("MixedKernelDensity", "MixedSplineFlow")

_OF_TABLES = {
    "Independent": "landmass.models.independent",
    "LatentClass": "landmass.models.latent_class",
    "MixedKernelDensity": "landmass.models.mixed_kernel_density",
    "MixedSplineFlow": "landmass.models.mixed_spline_flow",
    "Autoregressive": "landmass.models.autoregressive",
    "Stack": "landmass.models.stack",
}

_OF_IMAGES = {
    "UniformBox": "landmass.models.uniform_box",
    "Independent": "landmass.models.independent",
    "ProbabilisticPCA": "landmass.models.probabilistic_pca",
    "VAE": "landmass.models.vae",
    "Stack": "landmass.models.stack",
}

# Without a likelihood there is no place in a ladder.
_WITHOUT_LIKELIHOOD = {
    "AutoEncoder": "landmass.models.auto_encoder",
}

_CONDITIONALS = {
    "NeuralClassifier": "landmass.models.neural_classifier",
    "NeuralRegressor": "landmass.models.neural_regressor",
}

_EXPORTS = {
    **_DENSITIES,
    **_OF_TABLES,
    **_OF_IMAGES,
    **_WITHOUT_LIKELIHOOD,
    **_CONDITIONALS,
    "OutlierDetector": "landmass.evaluate.outliers",
    "Ladder": "landmass.ladder",
    "load": "landmass.ladder",
    "read": "landmass.data.door",
    "pieces": "landmass.data.stream",
    "read_images": "landmass.data.images",
    "examples": "landmass.data.examples",
    "cylinders": "landmass.data.builtin.cylinders",
    "portraits": "landmass.data.builtin.portraits",
    "Dataset": "landmass.data.dataset",
    "Images": "landmass.data.images",
    "Examples": "landmass.data.examples",
    "Schema": "landmass.data.schema",
    "Real": "landmass.data.schema",
    "Positive": "landmass.data.schema",
    "Bounded": "landmass.data.schema",
    "Circular": "landmass.data.schema",
    "Grid": "landmass.data.schema",
    "Integer": "landmass.data.schema",
    "Datetime": "landmass.data.schema",
    "Category": "landmass.data.schema",
    "Boolean": "landmass.data.schema",
    "LandmassError": "landmass.errors",
    "DataError": "landmass.errors",
    "SettingError": "landmass.errors",
    "FitError": "landmass.errors",
    "StoreError": "landmass.errors",
}

__all__ = list(_EXPORTS)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in ("evaluate", "nn"):
        return import_module(f"landmass.{name}")
    if name not in _EXPORTS:
        raise AttributeError(f"module 'landmass' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
