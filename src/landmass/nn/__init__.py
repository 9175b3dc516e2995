"""Networks: the layers that an architecture of one's own is made of."""

from landmass.nn.layers import (
    Activation,
    Attention,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    GroupNorm,
    Ignore,
    LayerNorm,
    Pool,
    Standardise,
    Waves,
)
from landmass.nn.network import Residual
from landmass.nn.shaping import Crop, Flatten, PixelShuffle, Reshape

__all__ = [
    "Activation",
    "Attention",
    "BatchNorm",
    "Conv",
    "Crop",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalMean",
    "GroupNorm",
    "Ignore",
    "LayerNorm",
    "PixelShuffle",
    "Pool",
    "Reshape",
    "Residual",
    "Standardise",
    "Waves",
]
