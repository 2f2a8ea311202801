"""The checks of a kernel: what was recorded, and what machine code returns, against exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np

from symland.kernels.interpret import interpret
from symland.kernels.lanes import Kind, LaneCode
from symland.program.algebra import Algebra, Evaluation, run
from symland.program.ir import Program, Role
from symland.records import FloatArray, Verdict
from symland.spec import LandscapeSpec

__all__ = [
    "COMPONENT_EPS",
    "NORMWISE_EPS",
    "Check",
    "check_enclosure",
    "check_index",
    "check_primitives",
    "check_recording",
    "directions",
    "sample_points",
]

NORMWISE_EPS = 16.0
"""Largest error of an output, over its largest entry at that point, in units of eps."""

COMPONENT_EPS = 1e6
"""Largest relative error of one component of the gradient or the Hessian, in units of eps."""

NEGLIGIBLE = 2.0**-900
"""Components below this times the largest are not compared one by one: factors of them may have been flushed to
zero."""

FLUSHED = 2.0**-1000
"""Differences below this come from results that are flushed to zero."""

ENCLOSURE_BITS = 256
"""Working precision of the enclosures."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: its kind (a, b, c), what was compared, and what came out.

    `measured` and `budget` are in units of eps; None where the check is exact.
    """

    kind: str
    name: str
    verdict: Verdict
    detail: str = ""
    measured: float | None = None
    budget: float | None = None


# -- b: the field -------------------------------------------------------------------------------------------------


class _RandomFunctions(Algebra[Any]):
    """GF(2^61 - 1) with every primitive function a random one: a hash of its name and arguments."""

    def __init__(self, seed: str) -> None:
        from flint import nmod

        from symland.program.identity import PRIME

        self.nmod, self.prime = nmod, PRIME
        self.seed = seed

    def constant(self, value: Fraction) -> Any:
        return self.nmod(value.numerator, self.prime) / self.nmod(value.denominator, self.prime)

    def primitive(self, op: str, args: Sequence[Any], value: Fraction | None) -> Any:
        if op == "div":
            return args[0] / args[1]
        text = f"{self.seed}:{op}:{value}:{','.join(str(int(a)) for a in args)}"
        return self.nmod(int.from_bytes(blake2b(text.encode(), digest_size=16).digest()), self.prime)


def check_recording(program: Program, code: LaneCode, seed: str = "0") -> Check:
    """The identity test of lane code in primitive functions against the program it was recorded from.

    Both run over the field with random theta and data. A difference of two polynomials of degree n that is not zero
    vanishes at a random point with a probability of at most n / 2^61.
    """
    algebra, title = _RandomFunctions(seed + program.digest), f"recording of {' and '.join(program.outputs)}"

    def draw(name: str, size: int) -> list[Any]:
        return [algebra.primitive(name, (), Fraction(k)) for k in range(size)]

    inputs = {a.name: draw(a.name, a.size) for a in program.arrays.values() if _base(a, Role.INPUT)}
    given = {b.name: draw(b.name, b.size) for b in code.named(Kind.DATA)}
    expected = run(program, algebra, inputs["theta"], given, inputs.get("direction", ()))
    got = interpret(code, algebra, {**inputs, **given})
    wanted: dict[str, list[Any]] = {}
    if expected.value is not None:
        wanted["value"] = [expected.value]
    if expected.gradient:
        wanted["gradient"] = expected.gradient
    p = program.n_parameters
    places = {"hessian": [i * p + j for i in range(p) for j in range(i, p)]}
    if expected.hessian:
        wanted["hessian"] = [h for row in expected.hessian for h in row]
    if expected.product:
        wanted["product"] = expected.product
    if expected.per_sample:
        wanted["per_sample"] = [g for row in expected.per_sample for g in row]
    wanted |= expected.by_data
    for name, entries in wanted.items():
        at = places.get(name, range(len(entries)))
        wrong = sum(entries[k] != got[name][k] for k in at)
        if wrong:
            detail = f"{wrong} entries of the {name} differ"
            return Check(kind="b", name=title, verdict=Verdict.REFUTED, detail=detail)
    return Check(kind="b", name=title, verdict=Verdict.CERTIFIED)


def _base(array: Any, role: Role) -> bool:
    return array.role is role and array.base == array.name


# -- c: enclosures ------------------------------------------------------------------------------------------------


def sample_points(spec: LandscapeSpec, seed: int = 0) -> dict[str, FloatArray]:
    """Points of each kind: random, saturated (scale 6), tied (equal nodes and equal entries), zero."""
    draw = np.random.default_rng(seed)
    p = spec.n_parameters
    tied = draw.normal(size=(2, p))
    for block in spec.layout.blocks:
        part = block.of(tied)[0]
        part[...] = part[:1]
        tied[1, block.slice] = tied[1, block.offset]
    return {
        "random": draw.normal(size=(3, p)),
        "saturated": 6 * draw.normal(size=(3, p)),
        "tied": tied,
        "zero": np.zeros((1, p)),
    }


def directions(points: FloatArray) -> FloatArray:
    """The directions in which Hessian-vector products are checked, one for each point."""
    return 1 - points[:, ::-1]


Evaluate = Callable[[FloatArray], Sequence[FloatArray]]


def check_enclosure(
    spec: LandscapeSpec, program: Program, evaluate: Evaluate, seed: int = 0, *, lanes: bool = True, alone: bool = True
) -> list[Check]:
    """Machine code against Arb, one check for each output, kind of point and measure.

    An error is within its budget if it is within so many eps of the entry (or of the largest entry), or, where terms
    cancel, within what rounding alone can do to the program at that point; see `symland.kernels.rounding`.

    Parameters
    ----------
    evaluate : callable
        Outputs of the machine code at theta (n, P), in the order of the program's outputs; Hessians full, or only their
        entries of row <= column. Products are taken along `directions`.
    lanes : bool
        Whether a point must give the same bits in any company. NumPy's own loops do not promise that.
    alone : bool
        Whether it must give them by itself, too.
    """
    kinds = sample_points(spec, seed)
    batch = np.concatenate(list(kinds.values()))
    outputs = evaluate(batch)
    checks = [_check_lanes(batch, outputs, evaluate, alone)] if lanes else []
    first = 0
    for kind, points in kinds.items():
        rows = slice(first, first + len(points))
        first += len(points)
        got = {name: out[rows] for name, out in zip(program.outputs, outputs, strict=True)}
        worst: dict[tuple[str, str], tuple[float, bool]] = {}
        for number, theta in enumerate(points):
            for name, (exact, slack) in _reference(program, theta).items():
                if got[name][number].size < len(exact):
                    rows_columns = np.triu_indices(program.n_parameters)
                    kept = np.ravel_multi_index(rows_columns, (program.n_parameters,) * 2)
                    exact, slack = [exact[k] for k in kept], slack[kept]
                for measure, error, passed in _errors(exact, slack, np.ravel(got[name][number])):
                    before = worst.get((name, measure), (0.0, True))
                    worst[name, measure] = max(before[0], error), before[1] and passed
        for (name, measure), (error, passed) in worst.items():
            checks.append(
                Check(
                    kind="c",
                    name=f"{name}, {kind}, {measure}",
                    verdict=Verdict.CERTIFIED if passed else Verdict.REFUTED,
                    measured=error,
                    budget=NORMWISE_EPS if measure == "normwise" else COMPONENT_EPS,
                )
            )
    return checks


def _check_lanes(batch: FloatArray, outputs: Sequence[FloatArray], evaluate: Evaluate, alone: bool) -> Check:
    """Every point gives the same bits in every lane, in any company and alone."""
    wrong = 0
    for shift in range(1, len(batch)):
        turned = evaluate(np.roll(batch, shift, axis=0))
        wrong += sum(not np.array_equal(np.roll(t, -shift, axis=0), o) for t, o in zip(turned, outputs, strict=True))
    for k in range(len(batch) if alone else 0):
        wrong += sum(not np.array_equal(a[0], o[k]) for a, o in zip(evaluate(batch[k : k + 1]), outputs, strict=True))
    verdict = Verdict.REFUTED if wrong else Verdict.CERTIFIED
    return Check(kind="c", name="lanes", verdict=verdict, detail=f"{wrong} outputs differ" if wrong else "")


def check_primitives(code: LaneCode, evaluate: Callable[[str, FloatArray], FloatArray] | None = None) -> list[Check]:
    """The polynomials of the primitive functions that lane code uses, against Arb within `BOUNDS`.

    Parameters
    ----------
    evaluate : callable
        Results of a function, named, at arguments (n, 1); by default the compiled polynomial.
    """
    from symland.kernels.elementary import BOUNDS
    from symland.kernels.single import evaluate_primitive
    from symland.program.balls import BallAlgebra, exact_ball, working_precision

    x = np.concatenate([np.linspace(-9, 9, 1201), np.exp2(np.linspace(-40, 4, 200))])
    algebra, checks = BallAlgebra(), []
    for op in sorted(set(code.counts) & set(BOUNDS) - {"lse0", "softmax0"}):
        arguments = x[x > 0] if op == "log" else x
        got = (evaluate or evaluate_primitive)(op, arguments[:, np.newaxis])
        with working_precision(ENCLOSURE_BITS):
            exact = [algebra.primitive(op, [exact_ball(float(a))], None) for a in arguments]
            units = [
                float(abs(exact_ball(float(g)) - e).upper()) / float(np.spacing(abs(float(e.mid()))))
                for g, e in zip(got, exact, strict=True)
            ]
        worst = max(units) if np.isfinite(got).all() else float("inf")
        verdict = Verdict.CERTIFIED if worst <= BOUNDS[op] else Verdict.REFUTED
        checks.append(
            Check(kind="c", name=f"{op}, in its own ulps", verdict=verdict, measured=worst, budget=BOUNDS[op])
        )
    return checks


Reference = Mapping[str, tuple[Sequence[Any], FloatArray]]


def _reference(program: Program, theta: FloatArray) -> Reference:
    """For each output its enclosures, and how far rounding alone may move each entry."""
    from symland.kernels.rounding import Rounded, RoundingAlgebra
    from symland.program.balls import BallAlgebra, exact_ball, working_precision

    with working_precision(ENCLOSURE_BITS):
        balls = [exact_ball(float(t)) for t in theta]
        along: list[Any] = []
        if "direction" in program.arrays:
            along = [exact_ball(float(v)) for v in directions(theta[np.newaxis])[0]]
        exact = run(program, BallAlgebra(), balls, direction=along)
        rounded = run(program, RoundingAlgebra(), [Rounded(b) for b in balls], direction=[Rounded(b) for b in along])
        out = {}
        for name in program.outputs:
            radii = [float(r.ball.rad()) for r in _flatten(rounded, name)]
            out[name] = _flatten(exact, name), np.array(radii)
        return out


def _flatten(ran: Evaluation[Any], name: str) -> list[Any]:
    if name == "value":
        return [ran.value]
    if name in ran.by_data:
        return ran.by_data[name]
    entries = getattr(ran, name)
    return [x for row in entries for x in row] if name in ("hessian", "per_sample") else list(entries)


def _errors(exact: Sequence[Any], slack: FloatArray, got: FloatArray) -> list[tuple[str, float, bool]]:
    """Measure, error in units of eps and whether it is within the budget: normwise, and the worst component."""
    from flint import arb

    eps = float(np.finfo(np.float64).eps)
    if not np.isfinite(got).all():
        return [("normwise", float("inf"), False), ("by component", float("inf"), False)]
    mids = np.array([float(e.mid()) for e in exact])
    largest = float(np.abs(mids).max())
    differences = np.array([float(abs(arb(float(g)) - e).upper()) for g, e in zip(got, exact, strict=True)])
    differences[differences < FLUSHED] = 0.0
    normwise = float(differences.max()) / eps / (largest or 1.0)
    small = differences <= NORMWISE_EPS * eps * largest
    kept = (differences > 0) & (np.abs(mids) > NEGLIGIBLE * largest)
    relative = differences[kept] / np.abs(mids[kept]) / eps
    within = (relative <= COMPONENT_EPS) | (differences[kept] <= slack[kept])
    return [
        ("normwise", normwise, bool((small | (differences <= slack)).all())),
        ("by component", float(np.max(relative, initial=0.0)), bool(within.all())),
    ]


def check_index(program: Program, points: FloatArray, index: Sequence[int]) -> Check:
    """The index at each point against the pivots of the enclosed Hessian, where none of them holds zero."""
    from flint import arb_mat

    from symland.program.balls import evaluate_balls, exact_ball, working_precision
    from symland.rigor.inertia import pivot_index

    wrong = decided = 0
    for theta, got in zip(points, index, strict=True):
        with working_precision(ENCLOSURE_BITS):
            exact = pivot_index(arb_mat(evaluate_balls(program, [exact_ball(float(t)) for t in theta]).hessian))
        decided += exact is not None
        wrong += exact is not None and exact != got
    detail = f"{wrong} of {decided} differ" if wrong else f"{decided} of {len(points)} points decided"
    return Check(kind="c", name="index", verdict=Verdict.REFUTED if wrong else Verdict.CERTIFIED, detail=detail)
