"""Proving a theorem: deciding each obligation of each step."""

from __future__ import annotations

import time
from collections.abc import Callable

from symland.records import Verdict
from symland.theorems.decide import decide
from symland.theorems.record import ProofResult, Step, StepResult, Theorem

__all__ = ["prove"]


def _prove_step(theorem: Theorem, step: Step, clock: Callable[[], float]) -> StepResult:
    rules, positive = theorem.granted(step)
    start = clock()
    decided = [decide(obligation, rules, positive) for obligation in step.obligations]
    return StepResult(
        name=step.name,
        claim=step.claim,
        methods=tuple(obligation.method for obligation in step.obligations),
        verdict=Verdict.all(*(verdict for verdict, _, _ in decided)),
        seconds=clock() - start,
        detail="; ".join(detail for _, detail, _ in decided if detail),
        witnesses=tuple(witness for _, _, witness in decided),
    )


def prove(theorem: Theorem, *, clock: Callable[[], float] = time.process_time) -> ProofResult:
    """Decide every step of a theorem; nothing is certified that the machine did not decide."""
    return ProofResult(theorem=theorem, steps=tuple(_prove_step(theorem, step, clock) for step in theorem.steps))
