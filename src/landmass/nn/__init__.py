"""Networks: the layers that an architecture of one's own is made of."""

from landmass.nn.layers import (
    Activation,
    Attention,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalMean,
    GroupNorm,
    Ignore,
    LayerNorm,
    PixelShuffle,
    Pool,
    Standardise,
    Waves,
)
from landmass.nn.network import Residual

__all__ = [
    "Activation",
    "Attention",
    "BatchNorm",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalMean",
    "GroupNorm",
    "Ignore",
    "LayerNorm",
    "PixelShuffle",
    "Pool",
    "Residual",
    "Standardise",
    "Waves",
]
