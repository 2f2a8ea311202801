"""Verification: that a kernel computes the loss of its specification and its derivatives.

a  proof        SymPy: the program against `sympy.diff` of the whole loss, where the network is small;
                the formulas of the activation and the head at any size
b  identity     GF(2^61 - 1): the program against truncated Taylor arithmetic of the loss, at any size;
   recording    and the lane code that is printed against the program, with a random function for every primitive
c  enclosure    Arb: what the machine code returns against enclosures of the exact numbers, at random, saturated,
                tied and zero points, normwise and component by component, in units of eps = 2^-52
   calls        what every method gives in any number of points, layout, thread and bound kernel, against these points
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symland.kernels.calls import LARGEST_INDEX, check_calls, check_small_pivots
from symland.kernels.checks import (
    Check,
    Evaluate,
    check_enclosure,
    check_index,
    check_primitives,
    check_recording,
    directions,
    sample_points,
)
from symland.records import FloatArray, Verdict

if TYPE_CHECKING:
    from symland.kernels.kernel import CompiledKernel

__all__ = ["VerificationRecord", "verify_kernel"]


@dataclass(frozen=True, kw_only=True)
class VerificationRecord:
    """What was checked of a kernel.

    Attributes
    ----------
    spec, program : str
        Digests.
    engine : str
    checks : tuple of Check
    """

    spec: str
    program: str
    engine: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """REFUTED if any check failed; CERTIFIED if b and c passed, and a where it was carried out."""
        if any(c.verdict is Verdict.REFUTED for c in self.checks):
            return Verdict.REFUTED
        needed = [c for c in self.checks if c.kind != "a"]
        return Verdict.all(*(c.verdict for c in needed)) if needed else Verdict.UNDECIDED

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        checks = [{**asdict(c), "verdict": c.verdict.value} for c in self.checks]
        head = {"spec": self.spec, "program": self.program, "engine": self.engine}
        return {**head, "verdict": self.verdict.value, "checks": checks}


FUNCTIONS = (
    ("value",),
    ("gradient",),
    ("value", "gradient"),
    ("hessian",),
    ("value", "gradient", "hessian"),
    ("product",),
    ("per_sample",),
)
"""Outputs of the functions that are verified, as those of a program; packed Hessians and the index come on top."""


def verify_kernel(kernel: CompiledKernel, *, seed: int = 0) -> VerificationRecord:
    """Carry out every check on every function of a kernel.

    Returns
    -------
    VerificationRecord
        Its verdict is REFUTED where any check failed; nothing is raised.
    """
    from symland.kernels.record import record
    from symland.program.derive import build_program
    from symland.program.identity import check_identity
    from symland.program.proof import prove_program

    spec, engine = kernel.spec, kernel.engine.value
    program = build_program(spec)
    checks = [Check(kind="a", name=s.name, verdict=s.verdict, detail=s.detail) for s in prove_program(spec)]
    for want in (program.outputs, ("product",), ("per_sample",)):
        part = program if want == program.outputs else build_program(spec, want)
        identity = check_identity(spec, part, seed)
        name = f"identity of {' and '.join(want)}"
        checks.append(Check(kind="b", name=name, verdict=identity.verdict, detail=identity.detail))
    if engine == "llvm":
        checks += check_primitives(record(program))

    def product(theta: FloatArray) -> list[FloatArray]:
        return [kernel.hessian_product(theta, directions(theta))]

    for want in FUNCTIONS:
        part = build_program(spec, want)
        checks.append(check_recording(part, record(part), str(seed)))
        evaluate: Evaluate = product if want == ("product",) else kernel.evaluator(want)
        summed = kernel.over_samples(want, 1)
        found = check_enclosure(spec, part, evaluate, seed, lanes=engine != "numpy", alone=not summed)
        checks += [replace(c, name=f"{' and '.join(want)}: {c.name}") for c in found]
        if summed:
            found = check_enclosure(spec, part, _one_by_one(evaluate), seed, lanes=False)
            checks += [replace(c, name=f"{' and '.join(want)}, one point: {c.name}") for c in found]
    points = np.concatenate(list(sample_points(spec, seed).values()))
    hessian = build_program(spec, ("hessian",))
    checks.append(_check_packed(kernel, points))
    if spec.n_parameters <= LARGEST_INDEX:
        checks.append(check_index(hessian, points, kernel.index(points).tolist()))
        checks.append(check_small_pivots(kernel, seed))
    checks += check_calls(kernel, seed)
    return VerificationRecord(spec=spec.digest, program=program.digest, engine=engine, checks=tuple(checks))


def _one_by_one(evaluate: Evaluate) -> Evaluate:
    return lambda theta: [np.concatenate(parts) for parts in zip(*(evaluate(t[None]) for t in theta), strict=True)]


def _check_packed(kernel: CompiledKernel, points: FloatArray) -> Check:
    """Packed Hessians hold the bits of the full ones."""
    upper = np.triu_indices(kernel.n_parameters)
    same = np.array_equal(kernel.packed_hessian(points), kernel.hessian(points)[:, upper[0], upper[1]], equal_nan=True)
    return Check(kind="c", name="packed", verdict=Verdict.CERTIFIED if same else Verdict.REFUTED)
