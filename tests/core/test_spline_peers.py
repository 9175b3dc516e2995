"""The spline beside those of zuko and FlowJAX: the same knots and slopes, the same map both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass.core.spline import Spline

END, BINS = 5.0, 8

# Spread of the peers' unconstrained numbers: nearly the identity, usual, and wild.
SPREADS = (0.1, 1.0, 3.0)

evaluate = jax.jit(jax.vmap(Spline.__call__, in_axes=(None, 0)))
invert = jax.jit(jax.vmap(Spline.inverse, in_axes=(None, 0)))


def zuko_spline(rng, spread):
    """One of zuko's, made by zuko of random numbers: its knots, values and slopes, and both its directions."""
    torch = pytest.importorskip("torch", reason="the peer zuko needs PyTorch")
    transforms = pytest.importorskip("zuko.transforms", reason="zuko is the peer here")
    raw = (torch.tensor(spread * rng.standard_normal(count)) for count in (BINS, BINS, BINS - 1))
    spline = transforms.MonotonicRQSTransform(*raw, bound=END)

    def forward(x):
        return tuple(each.numpy() for each in spline.call_and_ladj(torch.tensor(x)))

    def inverse(y):
        x = spline.inv(torch.tensor(y))
        return x.numpy(), -spline.log_abs_det_jacobian(x, None).numpy()

    return *(each.numpy() for each in (spline.horizontal, spline.vertical, spline.derivatives)), forward, inverse


def flowjax_spline(rng, spread):
    """One of FlowJAX's likewise; its slopes at the ends are free."""
    bijections = pytest.importorskip("flowjax.bijections", reason="FlowJAX is the peer here")
    paramax = pytest.importorskip("paramax", reason="FlowJAX is the peer here")
    fresh = bijections.RationalQuadraticSpline(knots=BINS - 1, interval=(-END, END))
    drawn = jax.tree.map(
        lambda leaf: leaf + spread * rng.standard_normal(leaf.shape) if isinstance(leaf, jax.Array) else leaf, fresh
    )
    spline = paramax.unwrap(drawn)

    def direction(one):
        return lambda values: tuple(map(np.asarray, jax.jit(jax.vmap(one))(jnp.asarray(values))))

    knots = map(np.asarray, (spline.x_pos, spline.y_pos, spline.derivatives))
    return *knots, direction(spline.transform_and_log_det), direction(spline.inverse_and_log_det)


def ours(x, y, slopes):
    """Our spline through the same knots; it keeps slopes as what the softplus makes them of."""
    raw = np.log(np.expm1(slopes)) - np.log(np.e - 1.0)
    ends = (x[0], x[-1], np.diff(x), np.diff(y), raw, slopes[0], slopes[-1])
    return Spline(*map(jnp.asarray, ends), smallest=0.0)


@pytest.mark.parametrize("make", [zuko_spline, flowjax_spline], ids=["zuko", "FlowJAX"])
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("seed", range(2))
def test_map_and_its_log_slopes_are_the_peers_in_both_directions(make, spread, seed):
    rng = np.random.default_rng(seed)
    # FlowJAX promotes and broadcasts as JAX does by default.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        x, y, slopes, forward, inverse = make(rng, spread)
        spline = ours(x, y, slopes)
        # Beyond the ends both go on as the identity where the slopes there are 1.
        reach = 2.0 * END if slopes[0] == slopes[-1] == 1.0 else END
        between = np.linspace(-reach, reach, 400)
        for knots, one, peer in ((x, evaluate, forward), (y, invert, inverse)):
            at = np.concatenate([knots[1:-1], between])
            value, log_slope = one(spline, jnp.asarray(at))
            expected, expected_log_slope = peer(at)
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(log_slope, expected_log_slope, rtol=1e-8, atol=1e-8)
