"""Convolution of images, events last: a product of gathered patches on a CPU, as the device has it elsewhere."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Images = Float[Array, "channels height width events"]
Kernel = Float[Array, "side side channels outputs"]
Sums = Float[Array, "outputs rows columns events"]


def convolve(x: Images, kernel: Kernel, stride: int = 1) -> Sums:
    """Sums over the neighbourhood of every `stride`-th pixel, zeros beyond the edges.

    Args:
        x: images.
        kernel: weights of a neighbourhood; its middle lies on the pixel, or just behind it where the side is even.
        stride: pixels from one sum to the next.

    Returns:
        Shape (outputs, height / stride, width / stride, events), rounded up.
    """
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: _by_patches(x, kernel, stride),
        default=lambda x, kernel: _native(x, kernel, stride),
    )


def _native(x: Images, kernel: Kernel, stride: int) -> Sums:
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=("CHWN", "HWIO", "CHWN"))


def _by_patches(x: Images, kernel: Kernel, stride: int) -> Sums:
    """Within a compiled loop on a CPU, the native operation takes ten times as long as this product."""
    side, _, channels, outputs = kernel.shape
    _, height, width, events = x.shape
    out = -(-height // stride), -(-width // stride)
    # What SAME means: as much before as behind, and one more behind if it is odd.
    more = [max((n - 1) * stride + side - size, 0) for n, size in zip(out, (height, width), strict=True)]
    x = jnp.pad(x, ((0, 0), *((m // 2, m - m // 2) for m in more), (0, 0)))
    ends = [(n - 1) * stride + 1 for n in out]
    near = [x[:, i : i + ends[0] : stride, j : j + ends[1] : stride] for i in range(side) for j in range(side)]
    patches = jnp.concatenate(near).reshape(side * side * channels, -1)
    return (kernel.reshape(-1, outputs).T @ patches).reshape(outputs, *out, events)
