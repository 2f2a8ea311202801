"""Checks of the call layer: what lies between a caller's arrays and machine code that was checked at nine points.

The reference is what a kernel gives at the points of `check_enclosure`, all at once: those numbers are held against
exact arithmetic. Every public method must give them again for any number of points, shared out among threads, from and
into arrays in any layout; a bound kernel must compute the other specification; and an index must be right where a pivot
is too small to trust.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from symland.errors import KernelError
from symland.kernels import inertia
from symland.kernels.checks import Check, check_enclosure, check_index, directions, sample_points
from symland.kernels.engines import Engine
from symland.kernels.kernel import SANE_ERROR, THREAD_POINTS, CompiledKernel
from symland.kernels.matrices import in_lines, streamed_points
from symland.program.derive import build_program
from symland.records import FloatArray, Verdict
from symland.spec import LandscapeSpec

__all__ = ["LARGEST_INDEX", "METHODS", "check_calls", "check_small_pivots", "other_numbers", "small_pivots"]

METHODS = (
    "value",
    "gradient",
    "value_gradient",
    "hessian",
    "value_gradient_hessian",
    "packed_hessian",
    "hessian_product",
    "per_sample_gradient",
)
"""Public methods of a kernel; `index` comes on top where the network is small."""

MATRICES = ("hessian", "value_gradient_hessian", "packed_hessian")
"""Those of them that give symmetric matrices."""

OUTPUTS_OF = {
    "value": ("value",),
    "gradient": ("gradient",),
    "value_gradient": ("value", "gradient"),
    "hessian_product": ("product",),
}
"""The outputs of the methods that may sum over lanes of samples."""

LARGEST_INDEX = 100
"""Parameters of the largest network whose index is checked."""

MOST_POINTS = 17
"""Points of the longest short call: two strips and one."""

LONG_ENTRIES = 500_000
"""Entries of the largest result of a long call."""

ROUNDS = 8
"""Long calls of each method that two threads of machine code share: they disturb each other only while both run."""

PIVOT_POINTS = 8
"""Points with a small pivot that are looked for, ..."""

PAIRS = 32
"""... and pairs of points between which they are looked for."""

BISECTIONS = 60
"""Halvings of the way between two points: enough for every bit of a double."""

Numbers = list[FloatArray]


def call(kernel: CompiledKernel, method: str, theta: Any, out: Any = None, along: Any = None) -> Numbers:
    """The results of a method, along the directions of the checks."""
    points = [theta]
    if method == "hessian_product":
        points.append(directions(np.asarray(theta)) if along is None else along)
    made = getattr(kernel, method)(*points) if out is None else getattr(kernel, method)(*points, out=out)
    return list(made) if isinstance(made, tuple) else [made]


class _Reference:
    """What each method gives at the points of the enclosures, and the comparison with it."""

    def __init__(self, kernel: CompiledKernel, seed: int) -> None:
        self.batch = np.concatenate(list(sample_points(kernel.spec, seed).values()))
        self.exact_bits = kernel.engine is not Engine.NUMPY
        self.numbers = {method: call(kernel, method, self.batch) for method in METHODS}
        hessian = self.numbers["hessian"][0]
        if kernel.n_parameters <= LARGEST_INDEX and np.isfinite(hessian).all():
            self.numbers["index"] = call(kernel, "index", self.batch)

    def points(self, n: int) -> FloatArray:
        """The points of the batch in turn."""
        return self.batch[np.arange(n) % len(self.batch)]

    def differs(
        self, kernel: CompiledKernel, method: str, theta: FloatArray, out: Any = None, along: Any = None
    ) -> bool:
        """Whether a method gives other numbers at `points`, in whatever layout they come."""
        try:
            made = call(kernel, method, theta, out, along)
        except (KernelError, np.linalg.LinAlgError):
            return True
        got = made if out is None else list(out) if isinstance(out, tuple) else [out]
        # NumPy's own loops do not promise the same bits in any company, nor do sums over lanes of samples.
        exact = self.exact_bits and not kernel.over_samples(OUTPUTS_OF.get(method, ()), len(theta))
        return any(
            self._other(a, b, exact or method == "index") for a, b in zip(got, self.numbers[method], strict=True)
        )

    def _other(self, got: FloatArray, numbers: FloatArray, exact: bool) -> bool:
        wanted = numbers[np.arange(len(got)) % len(numbers)]
        if exact:
            return not np.array_equal(got, wanted, equal_nan=True)
        return not np.max(np.abs(got - wanted), initial=0.0) <= SANE_ERROR * np.max(np.abs(wanted), initial=0.0)


def check_calls(kernel: CompiledKernel, seed: int = 0) -> list[Check]:
    """The checks of the call layer of a kernel whose machine code was held against enclosures."""
    reference = _Reference(kernel, seed)
    pair = kernel.like(threads=2, thread_points=1)
    found = [
        _told("any number of points", _counts(kernel, reference)),
        _told("two threads", [*_counts(pair, reference), *_long_calls(kernel, reference)]),
        _told("past the cache", _past_the_cache(kernel, reference)),
        _told("layouts", _layouts(kernel, reference)),
        _told("shared memory", [*_overlaps(kernel, reference), *_overlaps(pair, reference)]),
        *_bound(kernel, seed),
    ]
    # Whoever else calls the same machine code, the kernel itself gives what it gave.
    return [*found, _told("unchanged", _counts(kernel, reference))]


def _told(name: str, wrong: list[str]) -> Check:
    verdict = Verdict.REFUTED if wrong else Verdict.CERTIFIED
    detail = f"{len(wrong)} calls differ: {wrong[0]}" if wrong else ""
    return Check(kind="c", name=f"calls: {name}", verdict=verdict, detail=detail)


def _counts(kernel: CompiledKernel, reference: _Reference) -> list[str]:
    return [
        f"{method} at {n} points"
        for method in reference.numbers
        for n in range(1, MOST_POINTS + 1)
        if reference.differs(kernel, method, reference.points(n))
    ]


def _long_calls(kernel: CompiledKernel, reference: _Reference) -> list[str]:
    wrong = []
    for method in reference.numbers:
        largest = max(out[0].size for out in reference.numbers[method])
        n = min(2 * THREAD_POINTS + 5, max(2 * MOST_POINTS, LONG_ENTRIES // max(largest, kernel.n_parameters)))
        shared = kernel.like(threads=2, thread_points=n // 2)
        points = reference.points(n)
        rounds = ROUNDS if reference.exact_bits else 1
        if any(reference.differs(shared, method, points) for _ in range(rounds)):
            wrong.append(f"{method} at {n} points")
    return wrong


def _past_the_cache(kernel: CompiledKernel, reference: _Reference) -> list[str]:
    """Results so large that machine code writes them past the cache; the last strip is moved back."""
    if kernel.engine is not Engine.LLVM or not in_lines(kernel.n_parameters**2):
        return []
    sizes = {method: max(out[0].size for out in reference.numbers[method]) for method in MATRICES}
    points = {method: streamed_points(size) + MOST_POINTS for method, size in sizes.items()}
    return [
        f"{method} at {n} points"
        for method, n in points.items()
        if reference.differs(kernel, method, reference.points(n))
    ]


def _laid(points: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """The same points in other layouts."""
    n, p = points.shape
    apart = np.full((2 * n, 2 * p), np.nan)
    apart[::2, 1::2] = points
    shifted = np.empty(points.nbytes + 1, dtype=np.uint8)[1:].view(np.float64).reshape(n, p)
    shifted[...] = points
    frozen = points.copy()
    frozen.flags.writeable = False
    yield "column-major", np.asfortranarray(points)
    yield "strided", apart[::2, 1::2]
    yield "backwards", points[::-1, ::-1].copy()[::-1, ::-1]
    yield "misaligned", shifted
    yield "read-only", frozen
    yield "in the other order of bytes", points.astype(points.dtype.newbyteorder())


def _layouts(kernel: CompiledKernel, reference: _Reference) -> list[str]:
    points = reference.points(MOST_POINTS)
    along = dict(_laid(directions(points)))
    wrong = []
    for method in reference.numbers:
        for layout, laid in _laid(points):
            if reference.differs(kernel, method, laid, along=along[layout]):
                wrong.append(f"{method} of {layout} points")
        if method == "index":
            continue
        out = [np.full((len(points), *made.shape[1:]), np.nan) for made in reference.numbers[method]]
        if reference.differs(kernel, method, points, out=tuple(out) if len(out) > 1 else out[0]):
            wrong.append(f"{method} into given arrays")
    return wrong


def _overlaps(kernel: CompiledKernel, reference: _Reference) -> list[str]:
    """Results that go where an input lies, or a little before or behind it."""
    points = reference.points(MOST_POINTS)
    wrong = []
    for shift in (0, 1, points.shape[1], -points.shape[1]):
        for method, moved in (("gradient", points), ("hessian_product", points), ("hessian_product", None)):
            source = directions(points) if moved is None else points
            room = np.empty(3 * source.size)
            place, out = (room[source.size + k :][: source.size].reshape(source.shape) for k in (0, shift))
            place[...] = source
            theta, along = (points, place) if moved is None else (place, directions(points))
            if reference.differs(kernel, method, theta, out=out, along=along):
                wrong.append(f"{method} into memory {shift} entries behind its input")
    return wrong


def other_numbers(spec: LandscapeSpec) -> LandscapeSpec:
    """A specification that differs only in the numbers of its samples and its penalty."""
    data = spec.data
    inputs = tuple(tuple(x * Fraction(3, 4) + Fraction(k + 1, 8) for k, x in enumerate(row)) for row in data.inputs)
    changed = replace(
        data,
        inputs=inputs,
        labels=data.labels and data.labels[1:] + data.labels[:1],
        values=data.values and tuple(tuple(x / 2 + Fraction(1, 3) for x in row) for row in data.values),
    )
    return spec.with_(data=changed, penalty=spec.penalty * Fraction(3, 2) + Fraction(1, 64))


def _bound(kernel: CompiledKernel, seed: int) -> list[Check]:
    """A kernel that is bound to other numbers computes the loss of those."""
    other = other_numbers(kernel.spec)
    bound = (kernel if kernel.runtime_data else kernel.like(runtime_data=True)).bind(other)
    want = ("value", "gradient", "hessian")
    found = check_enclosure(other, build_program(other, want), bound.evaluator(want), seed, lanes=False)
    return [replace(c, name=f"calls: bound, {c.name}") for c in found]


def small_pivots(kernel: CompiledKernel, seed: int = 0) -> FloatArray:
    """Points where a leading minor of the Hessian vanishes to rounding, so that its L D L^T has a small pivot.

    Between two points at which the minor has opposite signs it has a zero: halve the way. Those come first where the
    signs of the pivots, which are not to be trusted there, are indeed not those of the eigenvalues.
    """
    draw, p = np.random.default_rng(seed), kernel.n_parameters
    low, high = draw.normal(size=(2, PAIRS, p))
    signs = _minor_signs(kernel.hessian(low))
    changed = (signs != _minor_signs(kernel.hessian(high)))[:, :-1]
    pairs = np.flatnonzero(changed.any(axis=1))
    minors = np.array([draw.choice(np.flatnonzero(changed[k])) for k in pairs], dtype=np.intp)
    low, high, sign = low[pairs], high[pairs], signs[pairs, minors]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        blocks = [h[: k + 1, : k + 1] for h, k in zip(kernel.hessian(middle), minors, strict=True)]
        before = np.array([np.linalg.slogdet(block)[0] for block in blocks]) == sign
        low, high = np.where(before[:, np.newaxis], middle, low), np.where(before[:, np.newaxis], high, middle)
    negative, smallest, _ = kernel.evaluator(inertia.OUTPUTS)(low)
    wrong = (negative != (np.linalg.eigvalsh(kernel.hessian(low)) < 0).sum(axis=1)) & (smallest > 0)
    return low[np.argsort(~wrong, kind="stable")[:PIVOT_POINTS]]


def _minor_signs(hessians: FloatArray) -> FloatArray:
    """The signs (n, P) of the leading minors of matrices (n, P, P)."""
    sizes = range(1, hessians.shape[1] + 1)
    return np.stack([np.linalg.slogdet(hessians[:, :k, :k])[0] for k in sizes], axis=1)


def check_small_pivots(kernel: CompiledKernel, seed: int = 0) -> Check:
    """The index where a pivot is too small to trust, among points where none is."""
    name = "index, small pivots"
    try:
        with np.errstate(all="ignore"):
            small = small_pivots(kernel, seed)
        plain = sample_points(kernel.spec, seed)["random"]
        points = np.concatenate([plain[:1], small[::2], plain[1:], small[1::2]])
        index = kernel.index(points)
    except (KernelError, np.linalg.LinAlgError) as error:
        return Check(kind="c", name=name, verdict=Verdict.REFUTED, detail=str(error))
    found = check_index(build_program(kernel.spec, ("hessian",)), points, index.tolist())
    return replace(found, name=name, detail=f"{len(small)} points with a small pivot; {found.detail}")
