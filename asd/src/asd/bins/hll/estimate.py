"""Cardinality estimates from sketches: counts, intersections, similarity.

Counts follow O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
section 4, the improved raw estimator. All costs are linear in the number of registers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aerospike_common.as_msgpack_walk import COMPILED
from asd.bins.hll import lanes
from asd.bins.hll import sketch as hll
from asd.bins.hll.lanes import RANK_BITS
from asd.bins.hll.registers import histogram
from asd.bins.hll.sketch import Sketch

_Q: Final = 64
"""Bits of the hash half that ranks are taken from."""

_ALPHA: Final[Mapping[int, float]] = MappingProxyType({16: 0.673, 32: 0.697, 64: 0.709})
"""Bias correction for few registers."""


def count(sketch: Sketch) -> int:
    """Estimated number of distinct elements; the cached count when there is one."""
    return sketch.cached_count or fresh_count(sketch)


def fresh_count(sketch: Sketch) -> int:
    """Estimated number of distinct elements, from the registers."""
    if COMPILED:
        width = RANK_BITS + sketch.minhash_bits
        return _estimate(histogram(sketch.packed, width, _Q), 1 << sketch.index_bits)
    return _of_ranks(sketch.ranks())


def _of_ranks(ranks: bytes) -> int:
    """The estimate from the rank of every register."""
    return _estimate(_histogram(ranks), len(ranks))


def _estimate(counts: Sequence[int], m: int) -> int:
    """The estimate from how many of `m` registers have each rank."""
    z = m * _tau(counts[_Q] / m)
    for rank in range(_Q, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += m * _sigma(counts[0] / m)
    return math.floor(_alpha(m) * m * m / z + 0.5)


def _histogram(ranks: bytes) -> list[int]:
    """How many registers have each rank. High ranks are rare: most often all are soon counted."""
    histogram = [0] * (_Q + 1)
    left = len(ranks)
    for rank in range(_Q + 1):
        if not left:
            break
        histogram[rank] = ranks.count(rank)
        left -= histogram[rank]
    return histogram


def union_count(sketches: Sequence[Sketch]) -> int:
    """Estimated size of the union, of whose registers only the ranks are needed."""
    index_bits = min(sketch.index_bits for sketch in sketches)
    ranks = [sketch.lanes(index_bits, minhash=False) for sketch in sketches]
    return _of_ranks(lanes.greatest(ranks).to_bytes())


def union(sketches: Sequence[Sketch]) -> Sketch:
    """The union in the smallest of the sizes; minhash is kept where all agree on it."""
    index_bits = min(sketch.index_bits for sketch in sketches)
    return hll.union(index_bits, common_minhash_bits(sketches), sketches)


def common_minhash_bits(sketches: Sequence[Sketch]) -> int:
    """The number of minhash bits all have; 0 when they differ."""
    bits = {sketch.minhash_bits for sketch in sketches}
    return bits.pop() if len(bits) == 1 else 0


def intersect_count(sketches: Sequence[Sketch]) -> int:
    """Estimated size of the intersection; without common minhash bits of at most three."""
    if common_minhash_bits(sketches):
        estimate = union_count(sketches) * similarity(sketches)
        return 0 if math.isnan(estimate) else math.floor(estimate + 0.5)
    total = sum(map(count, sketches))
    if len(sketches) == 2:
        return max(0, total - union_count(sketches))
    a, b, c = sketches
    pairs = intersect_count((a, b)) + intersect_count((b, c)) + intersect_count((a, c))
    return max(0, union_count(sketches) - (total - pairs))


def similarity(sketches: Sequence[Sketch]) -> float:
    """Estimated Jaccard index, size of the intersection by size of the union; NaN if all empty."""
    if not common_minhash_bits(sketches):
        return _divide(intersect_count(sketches), union_count(sketches))
    index_bits = min(sketch.index_bits for sketch in sketches)
    minhash_bits = sketches[0].minhash_bits
    counts = [count(sketch) for sketch in sketches]
    if not all(counts):
        return 0.0 if any(counts) else math.nan
    folded = [sketch.lanes(index_bits, minhash=True) for sketch in sketches]
    used, equal = lanes.used_and_equal(folded)
    expected = _expected_collisions(counts, index_bits, minhash_bits) if len(counts) == 2 else 0.0
    return max(0.0, (equal - expected) / used)


def _expected_collisions(counts: Sequence[int], index_bits: int, minhash_bits: int) -> float:
    """Registers of two disjoint sets expected to be equal by chance."""
    m = 1 << index_bits
    first, second = counts
    expected = 0.0
    for i in range(1, _Q + 1):
        b1 = 2.0**-i / m if i != _Q else 0.0
        b2 = 2.0 ** (-i + 1) / m
        expected += ((1 - b1) ** first - (1 - b2) ** first) * (
            (1 - b1) ** second - (1 - b2) ** second
        )
    return expected * m / 2.0**minhash_bits


def _divide(numerator: int, denominator: int) -> float:
    if denominator:
        return numerator / denominator
    # What 0.0 / 0.0 is on the processors this protocol's servers run on has its sign bit set.
    return math.inf if numerator else -math.nan


def _alpha(registers: int) -> float:
    return _ALPHA.get(registers) or 0.7213 / (1.0 + 1.079 / registers)


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z, previous = 1.0, x, -1.0
    while z != previous:
        previous = z
        x *= x
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, previous = 1.0, 1.0 - x, -1.0
    while z != previous:
        previous = z
        x = math.sqrt(x)
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
    return z / 3.0
