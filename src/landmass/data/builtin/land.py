"""Land: places on the Earth's land, uniform per square degree of the longitude-latitude map."""

import math
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import numpy as np
from jaxtyping import Bool, Float, Int

from landmass.data.builtin.truth import Truth
from landmass.data.schema import Bounded, Schema

MAP_AREA = 360.0 * 180.0  # square degrees

_SLABS = 9_000  # of latitude, 0.02 degree each: about the height of a coast's edge
_BLOCK = 8_192  # points looked up at once: their edges stay in the processor's cache
_DRAW = 262_144  # the most candidates drawn at once


class Land(Truth):
    """Uniform density on land, as Natural Earth draws it at 1:50 million.

    Uniform on the map, not on the globe: a square degree near a pole is as likely as one on the equator. Ice
    shelves and lakes count as land, the Caspian as sea.

    Source: Natural Earth 4.1, public domain; `tools/make_land.py` makes the file that is read here.
    """

    @property
    def schema(self) -> Schema:
        """Longitude and latitude, in degrees."""
        return Schema(
            (
                Bounded(name="longitude", low=-180.0, high=180.0, unit="degree"),
                Bounded(name="latitude", low=-90.0, high=90.0, unit="degree"),
            )
        )

    @cached_property
    def rings(self) -> tuple[Float[np.ndarray, "_ 2"], ...]:
        """The coastlines in degrees, each an open polygon: land lies to the left, so holes run clockwise."""
        return tuple(vertices / self._coast.per_degree for vertices in self._coast.rings)

    @cached_property
    def area(self) -> float:
        """Square degrees of land, by the shoelace formula; exact, because it adds the stored integers."""
        twice = 0
        for vertices in self._coast.rings:
            x, y = vertices.T
            twice += int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
        return twice / 2 / self._coast.per_degree**2

    @property
    def share(self) -> float:
        """The part of the map that is land."""
        return self.area / MAP_AREA

    @property
    def entropy(self) -> float:
        """Log of the area, in nats."""
        return math.log(self.area)

    def contains(self, lonlat: Float[np.ndarray, "events 2"]) -> Bool[np.ndarray, " events"]:
        """Say of each place whether it is land: is an odd number of coasts crossed on the way due east?

        A coast's own points are decided so that polygons which share an edge neither overlap nor leave a gap.
        Longitudes 180 and -180 are the same meridian.

        Args:
            lonlat: longitude and latitude in degrees, one place a row; places off the map are not land.
        """
        longitude, latitude = np.asarray(lonlat, dtype=np.float64).T
        on_map = (np.abs(longitude) <= 180.0) & (np.abs(latitude) <= 90.0)
        longitude = np.where(longitude == 180.0, -180.0, longitude)
        inside = np.zeros(len(longitude), dtype=bool)
        for start in range(0, len(longitude), _BLOCK):
            block = slice(start, start + _BLOCK)
            inside[block] = self._index.crossings_east(longitude[block], latitude[block]) % 2 == 1
        return inside & on_map

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events 2"]:
        """Draw places on land: uniform ones between the outermost parallels of land, less those at sea.

        Args:
            n: number of places.
            rng: the source of randomness; it moves on.
        """
        south = min(float(ring[:, 1].min()) for ring in self.rings)
        north = max(float(ring[:, 1].max()) for ring in self.rings)
        accepted_share = self.area / (360.0 * (north - south))
        drawn = [np.empty((0, 2))]
        missing = n
        while missing > 0:
            candidates = min(math.ceil(1.05 * missing / accepted_share) + 16, _DRAW)
            places = rng.uniform((-180.0, south), (180.0, north), size=(candidates, 2))
            drawn.append(places[self.contains(places)][:missing])
            missing -= len(drawn[-1])
        return np.concatenate(drawn)

    @cached_property
    def outline(self) -> tuple[Float[np.ndarray, "_ 2"], ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The coastlines as polylines, without the cuts along the meridians ±180 and the parallel -90."""
        return tuple(line for ring in self.rings for line in _without_cuts(ring))

    def _log_prob(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        return np.where(self.contains(X), -self.entropy, -np.inf)

    @cached_property
    def _coast(self) -> "_Coast":
        return _Coast.load()

    @cached_property
    def _index(self) -> "_Slabs":
        return _Slabs.of(self.rings)


@dataclass(frozen=True, eq=False)
class _Coast:
    """The stored coast: rings in whole steps, `per_degree` of which make a degree."""

    rings: tuple[Int[np.ndarray, "_ 2"], ...]
    per_degree: int

    @classmethod
    def load(cls) -> "_Coast":
        """Read the file that is shipped beside this one."""
        with files("landmass.data.builtin").joinpath("land.npz").open("rb") as file, np.load(file) as stored:
            vertices = np.cumsum(stored["steps"], axis=1, dtype=np.int64).T
            rings = tuple(np.split(vertices, stored["ring_offsets"][1:-1]))
            return cls(rings, int(stored["per_degree"]))


@dataclass(frozen=True, eq=False)
class _Slabs:
    """The coast's edges by slab of latitude, so that a place meets only the edges near its own parallel.

    Edges point north; slab `s` holds the entries `offsets[s]` to `offsets[s + 1]` of the other arrays, and an
    edge that spans several slabs is held by each. Edges along a parallel are left out: no way
    east crosses them.
    """

    offsets: Int[np.ndarray, " slabs_and_one"]
    south: Float[np.ndarray, " entries"]
    north: Float[np.ndarray, " entries"]
    longitude: Float[np.ndarray, " entries"]  # at the southern end
    slope: Float[np.ndarray, " entries"]  # degrees east per degree north

    @classmethod
    def of(cls, rings: tuple[Float[np.ndarray, "_ 2"], ...]) -> "_Slabs":
        """Sort the rings' edges into slabs."""
        start = np.concatenate(rings)
        end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
        northward = (start[:, 1] < end[:, 1])[:, None]
        low, high = np.where(northward, start, end), np.where(northward, end, start)
        low, high = (ends[start[:, 1] != end[:, 1]] for ends in (low, high))

        first, last = cls.number(low[:, 1]), cls.number(high[:, 1])
        edge, nth = _expand(last - first + 1)
        slab = first[edge] + nth
        order = np.argsort(slab, kind="stable")
        low, high = low[edge[order]], high[edge[order]]
        return cls(
            offsets=np.concatenate([[0], np.cumsum(np.bincount(slab, minlength=_SLABS))]),
            south=low[:, 1],
            north=high[:, 1],
            longitude=low[:, 0],
            slope=(high[:, 0] - low[:, 0]) / (high[:, 1] - low[:, 1]),
        )

    @staticmethod
    def number(latitude: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The slab of each latitude."""
        return np.clip((latitude + 90.0) * (_SLABS / 180.0), 0, _SLABS - 1).astype(np.int64)

    def crossings_east(
        self, longitude: Float[np.ndarray, " n"], latitude: Float[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """Count the edges met on the way due east from each place."""
        slab = self.number(latitude)
        place, nth = _expand(self.offsets[slab + 1] - self.offsets[slab])
        entry = self.offsets[slab][place] + nth
        north_of_start = latitude[place] - self.south[entry]
        # Half open: an edge has its southern end and not its northern, so a vertex is met once, not twice.
        spans = (north_of_start >= 0.0) & (latitude[place] < self.north[entry])
        ahead = longitude[place] < self.longitude[entry] + self.slope[entry] * north_of_start
        return np.bincount(place[spans & ahead], minlength=len(longitude))


def _expand(counts: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " total"], Int[np.ndarray, " total"]]:
    """For counts (2, 0, 3): whose turn it is, (0, 0, 2, 2, 2), and the how-manieth, (0, 1, 0, 1, 2)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]


def _without_cuts(ring: Float[np.ndarray, "_ 2"]) -> list[Float[np.ndarray, "_ 2"]]:
    """Close a ring, then take out the edges that only the map's own border made."""
    following = np.roll(ring, -1, axis=0)
    same = ring == following
    cut = (same[:, 0] & (np.abs(ring[:, 0]) == 180.0)) | (same[:, 1] & (ring[:, 1] == -90.0))
    # Begin just after a cut, so that no coast is split where the ring happens to start.
    turn = int(np.argmax(cut)) + 1 if cut.any() else 0
    closed = np.roll(ring, -turn, axis=0)
    closed = np.concatenate([closed, closed[:1]])
    pieces = np.split(closed, np.flatnonzero(np.roll(cut, -turn)) + 1)
    return [piece for piece in pieces if len(piece) > 1]
