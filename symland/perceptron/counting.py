"""All weights in {-1, +1}^N that give every pattern its label, by split halves.

Patterns come with their labels multiplied in, so that w solves a set xi (P, N) if xi_mu . w > 0 for every mu. Both
halves of the weights are listed; for each pattern and each sum that the left half can have, the right halves that go
with it are a row of bits. A left half then costs P operations on rows of 2^(N/2) bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symland.errors import SpecError

__all__ = [
    "LARGEST_SIZE",
    "Solutions",
    "committee_solutions",
    "perceptron_solutions",
    "signs",
    "unit_sums",
    "wrong",
]

LARGEST_SIZE = 31
"""Weights of the largest perceptron whose solutions are counted."""

LARGEST_COMMITTEE = 27
"""Weights of the largest committee."""

MOST_LISTED = 20_000_000
"""Solutions up to which they are listed."""

CHUNK = 1 << 22
"""Words of bits that are held at once."""

Signs = NDArray[np.int8]
Codes = NDArray[np.int64]


_BITS = np.array([bin(k).count("1") for k in range(256)], dtype=np.uint8)


def _count_bits(words: NDArray[Any]) -> NDArray[np.int64]:
    """Set bits of each 64-bit word."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    found: NDArray[np.int64] = _BITS[octets].sum(axis=-1, dtype=np.int64)
    return found


def signs(codes: Codes, size: int) -> Signs:
    """Weights (n, N) of codes: bit i is 1 where weight i is +1."""
    return (2 * ((codes[:, None] >> np.arange(size)) & 1) - 1).astype(np.int8)


def unit_sums(patterns: Signs, weights: NDArray[Any], units: int = 1) -> NDArray[np.int64]:
    """The sums (..., P, K) of the units of a tree committee for weights (..., N): unit k sees its own N/K inputs."""
    count, size = patterns.shape
    parts = patterns.astype(np.int64).reshape(count, units, size // units)
    own = weights.astype(np.int64).reshape(*weights.shape[:-1], units, size // units)
    found: NDArray[np.int64] = np.einsum("pkj,...kj->...pk", parts, own)
    return found


def wrong(sums: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The patterns (..., P) that most units (..., P, K) answer wrongly."""
    found: NDArray[np.bool_] = (2 * (sums > 0) - 1).sum(axis=-1) <= 0
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Solutions:
    """The solutions of one instance.

    Attributes
    ----------
    size : int
        N.
    count : int
        Exact.
    codes : (count,) int64
        All of them; see `signs`.
    """

    size: int
    count: int
    codes: Codes

    def profile(self, code: int) -> NDArray[np.int64]:
        """How many solutions lie at each Hamming distance 0, ..., N from some weights."""
        away = _count_bits(self.codes ^ np.int64(code))
        return np.bincount(away, minlength=self.size + 1)

    @cached_property
    def isolated(self) -> int:
        """Solutions none of whose neighbours by one flip is a solution."""
        return int((self._neighbours == 0).sum())

    @cached_property
    def clusters(self) -> int:
        """Parts of the set of solutions that hang together by single flips."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self.count:
            return 0
        pairs = [self._flipped(bit) for bit in range(self.size)]
        rows = np.concatenate([r for r, _ in pairs])
        columns = np.concatenate([c for _, c in pairs])
        graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(self.count, self.count))
        return int(connected_components(graph, directed=False)[0])

    def _flipped(self, bit: int) -> tuple[Codes, Codes]:
        """Places of solutions that differ in one weight."""
        moved = self.codes ^ np.int64(1 << bit)
        places = np.searchsorted(self.codes, moved)
        places = np.minimum(places, self.count - 1)
        held = self.codes[places] == moved
        return np.flatnonzero(held), places[held]

    @cached_property
    def _neighbours(self) -> NDArray[np.int64]:
        found = np.zeros(self.count, dtype=np.int64)
        for bit in range(self.size) if self.count else ():
            found[self._flipped(bit)[0]] += 1
        return found


def perceptron_solutions(patterns: Signs) -> Solutions:
    """All w in {-1, +1}^N with patterns w > 0.

    Raises
    ------
    SpecError
        If N is even, where a sum may be 0, or too large.
    """
    count, size = patterns.shape
    _need_size(size, LARGEST_SIZE)
    left = size // 2
    right = size - left
    sums = [signs(np.arange(1 << k), k).astype(np.int16) @ part.T.astype(np.int16) for k, part in (
        (left, patterns[:, :left]), (right, patterns[:, left:]))]  # fmt: skip
    # rows[mu, t]: right halves whose sum is above -t, for every sum t of a left half.
    words = max(1, (1 << right) // 64)
    offset = left
    rows = np.zeros((count, 2 * left + 1, words), dtype=np.uint64)
    for mu in range(count):
        for t in range(-left, left + 1):
            packed = np.packbits(sums[1][:, mu] > -t, bitorder="little")
            rows[mu, t + offset] = np.frombuffer(packed.tobytes().ljust(8 * words, b"\0"), dtype="<u8")
    valid = np.packbits(np.ones(1 << right, dtype=bool), bitorder="little")
    every = np.frombuffer(valid.tobytes().ljust(8 * words, b"\0"), dtype="<u8")
    found: list[Codes] = []
    total, step = 0, max(1, CHUNK // (words * max(count, 1)))
    for start in range(0, 1 << left, step):
        part = sums[0][start : start + step]
        if count:
            kept = np.bitwise_and.reduce(rows[np.arange(count)[None], part + offset], axis=1)
        else:
            kept = np.broadcast_to(every, (len(part), words))
        total += int(_count_bits(kept).sum())
        if total > MOST_LISTED:
            raise _too_many()
        lefts, where = np.nonzero(kept)
        bits = np.unpackbits(kept[lefts, where].astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        row, bit = np.nonzero(bits)
        found.append((start + lefts[row]) | ((where[row] * 64 + bit) << left))
    codes = np.sort(np.concatenate(found).astype(np.int64))
    return Solutions(size=size, count=len(codes), codes=codes)


def committee_solutions(patterns: Signs, units: int = 3) -> Solutions:
    """All w of a tree committee of three units with as many inputs each: the sign of most units is that of the label.

    Unit k sees the inputs k N/3, ..., (k + 1) N/3 - 1. Labels are multiplied into the patterns: the units' signs are
    odd functions of them.

    Raises
    ------
    SpecError
        If the weights cannot be shared out in odd parts, or are too many.
    """
    count, size = patterns.shape
    share = size // units
    if units != 3 or size % 3 or share % 2 == 0 or size > LARGEST_COMMITTEE:
        raise SpecError.at(
            "--size", f"{size} weights", f"a committee takes 3 units of an odd number, to {LARGEST_COMMITTEE}"
        )
    every = signs(np.arange(1 << share), share).astype(np.int16)
    place = (1 << np.arange(count, dtype=np.uint64)) if count else np.zeros(0, dtype=np.uint64)
    answers = [((every @ patterns[:, k * share : (k + 1) * share].T.astype(np.int16)) > 0) @ place for k in range(3)]
    answers = [a.astype(np.uint64) for a in answers]
    all_right = np.uint64((1 << count) - 1)
    found: list[Codes] = []
    codes = np.arange(1 << share, dtype=np.int64)
    for first, a in zip(codes, answers[0], strict=True):
        b, c = answers[1][:, None], answers[2][None, :]
        right = ((a & b) | (a & c) | (b & c)) == all_right
        second, third = np.nonzero(right)
        found.append(first | (codes[second] << share) | (codes[third] << (2 * share)))
        if sum(map(len, found)) > MOST_LISTED:
            raise _too_many()
    listed = np.sort(np.concatenate(found))
    return Solutions(size=size, count=len(listed), codes=listed)


def _too_many() -> SpecError:
    return SpecError.at("--patterns", f"more than {MOST_LISTED} solutions", "take more patterns or fewer weights")


def _need_size(size: int, largest: int) -> None:
    if size < 3 or size % 2 == 0 or size > largest:
        raise SpecError.at(
            "--size",
            f"{size} weights",
            f"write an odd number from 3 to {largest}, or with --solver focusing-bp alone a larger odd one",
        )
