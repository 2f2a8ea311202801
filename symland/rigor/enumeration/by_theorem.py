"""Completeness by theorem: where T9 holds, the origin is the only stationary point, whatever the width.

T9-xor (``proofs/t9_origin_alone.py``) is decided afresh in each process: the general theorem T9-origin-alone, and those
steps of T9-xor that concern the inputs in question.  Nothing is taken from a record of an earlier proof.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from symland.errors import ProofError, SpecError
from symland.records import Verdict
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.spec import LandscapeSpec
from symland.theorems import Theorem, load_theorems, prove, save_proof, theorem_files

SHARED_STEPS = ("largest g", "g far away", "near zero")
"""Steps of T9-xor that both encodings rest on."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Inputs of a class-1 sample to the first penalty and the step of T9-xor that covers them."""

    inputs: frozenset[tuple[Fraction, ...]]
    positive: frozenset[tuple[Fraction, ...]]
    penalty: Fraction
    step: str


def _encoding(low: int, penalty: str, step: str) -> Encoding:
    pair = (Fraction(low), Fraction(1))
    return Encoding(
        inputs=frozenset((a, b) for a in pair for b in pair),
        positive=frozenset((a, b) for a in pair for b in pair if a != b),
        penalty=Fraction(penalty),
        step=step,
    )


ENCODINGS = (_encoding(0, "0.048", "inputs 0 and 1"), _encoding(-1, "0.075", "inputs -1 and +1"))


@dataclass(frozen=True, kw_only=True)
class OriginAlone:
    """What the theorem gives: its verdict for this question, its name, and SHA-256 of the saved proofs."""

    verdict: Verdict
    theorem: str
    digest: str


def _encoded(problem: ReducedProblem) -> Encoding | None:
    """The encoding of these data, whatever the penalty."""
    rows = [tuple(Fraction(cell) for cell in row[:-1]) for row in problem.design]
    positive = frozenset(row for row, label in zip(rows, problem.labels, strict=True) if label > 0)
    for encoding in ENCODINGS:
        same = len(rows) == 4 and frozenset(rows) == encoding.inputs
        # Exchanging the two classes exchanges the outputs: the same landscape.
        if same and positive in (encoding.positive, encoding.inputs - encoding.positive):
            return encoding
    return None


def _applies(problem: ReducedProblem) -> Encoding | None:
    encoding = _encoded(problem)
    return encoding if encoding is not None and problem.penalty >= encoding.penalty else None


def first_penalty(problem: ReducedProblem) -> Fraction | None:
    """The penalty from which T9 speaks of these data; None where it does not."""
    encoding = _encoded(problem)
    return None if encoding is None else encoding.penalty


def theorem_applies(spec: LandscapeSpec) -> bool:
    """Whether T9 speaks of this network, data and penalty."""
    try:
        return _applies(reduced_problem(spec)) is not None
    except SpecError:
        return False


def _theorems() -> dict[str, Theorem]:
    files = [path for path in theorem_files() if path.stem == "t9_origin_alone"]
    if not files:
        raise ProofError("the theorem file t9_origin_alone.py is missing; install symland again")
    return {theorem.identifier: theorem for theorem in load_theorems(files[0])}


def _timeless(proof: str) -> str:
    """A saved proof without the time that it took."""
    record = json.loads(proof)
    for part in (record, *record["steps"]):
        del part["seconds"]
    return json.dumps(record, sort_keys=True)


def origin_alone(spec: LandscapeSpec) -> OriginAlone:
    """Prove that the origin is the only stationary point.

    Raises
    ------
    SpecError
        If T9 does not speak of this question.
    """
    encoding = _applies(reduced_problem(spec))
    if encoding is None:
        bounds = ", ".join(f"{e.penalty} ({e.step})" for e in ENCODINGS)
        raise SpecError.at(
            "loss.penalty",
            f"{spec.penalty}: T9 speaks of XOR from {bounds} upwards",
            "use the box search, or a larger penalty",
        )
    return _decide(encoding)


@lru_cache(maxsize=len(ENCODINGS))
def _decide(encoding: Encoding) -> OriginAlone:
    found = _theorems()
    special = found["T9-xor"]
    wanted = (*SHARED_STEPS, encoding.step)
    steps = tuple(step for step in special.steps if step.name in wanted)
    if {step.name for step in steps} != set(wanted) or str(float(encoding.penalty)) not in special.conclusion:
        raise ProofError(f"T9-xor does not have the steps {', '.join(wanted)}; install symland again")
    results = [prove(found["T9-origin-alone"]), prove(special.only(steps))]
    text = "\n".join(_timeless(save_proof(result)) for result in results)
    return OriginAlone(
        verdict=Verdict.all(*(result.verdict for result in results)),
        theorem=special.identifier,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
