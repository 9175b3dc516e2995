"""Make src/landmass/data/builtin/land.npz, the coastline of the built-in data set "land".

Source: Natural Earth 4.1, 1:50m land (naturalearthdata.com). Licence: public domain.

    python tools/make_land.py PLANAR.npz [land.npz]

PLANAR.npz holds the coastline as plain polygons in degrees, already cut at the meridians ±180 and closed
along the parallel -90 where a polygon holds the pole:

    lonlat        (vertices, 2) float; longitude and latitude; rings are not closed by a repeated vertex
    ring_offsets  (rings + 1,) int; ring i is lonlat[ring_offsets[i]:ring_offsets[i + 1]]
    ring_is_hole  (rings,) bool; a lake or inland sea

land.npz holds the same rings, outer ones counter-clockwise and holes clockwise, in whole hundred-thousandths
of a degree (about one metre; the source's own grid is over a hundred times coarser). Each vertex is stored as
the step from the one before it, because small numbers compress. The same input and zlib give the same bytes.
"""

import sys
from pathlib import Path

import numpy as np

PER_DEGREE = 100_000
HOME = Path(__file__).parents[1] / "src" / "landmass" / "data" / "builtin" / "land.npz"


def tidy(ring: np.ndarray, is_hole: bool) -> np.ndarray:
    """Quantise a ring, drop vertices that repeat the one before, and turn it the right way round."""
    ring = np.round(ring.astype(np.float64) * PER_DEGREE).astype(np.int64)
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    x, y = ring.T
    counter_clockwise = (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0
    return ring if counter_clockwise != is_hole else ring[::-1]


def main(source: Path, target: Path) -> None:
    """Write `target` from the planar file `source`."""
    with np.load(source) as planar:
        offsets, is_hole = planar["ring_offsets"], planar["ring_is_hole"]
        rings = np.split(planar["lonlat"], offsets[1:-1])
    rings = [tidy(ring, hole) for ring, hole in zip(rings, is_hole, strict=True)]
    vertices = np.concatenate(rings)
    np.savez_compressed(
        target,
        # One column after the other: equal bytes lie closer together, which compresses better than pairs.
        steps=np.diff(vertices, axis=0, prepend=0).T.astype(np.int32).copy(),
        ring_offsets=np.cumsum([0, *map(len, rings)]).astype(np.int32),
        per_degree=np.int32(PER_DEGREE),
    )
    print(f"{target}: {len(rings)} rings, {len(vertices)} vertices, {target.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else HOME)
