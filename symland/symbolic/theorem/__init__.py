"""Theorems as records, the machine that decides their steps, and a second one that reads the saved proofs."""

from symland.symbolic.theorem.check import check_proof
from symland.symbolic.theorem.library import load_theorems, prove_all, theorem_files
from symland.symbolic.theorem.prove import prove
from symland.symbolic.theorem.record import (
    Count,
    Hypothesis,
    Identity,
    Method,
    Positive,
    ProofResult,
    SomePositive,
    Step,
    StepResult,
    Theorem,
)
from symland.symbolic.theorem.saved import save_proof
from symland.symbolic.theorem.smooth import at, partial, smooth

__all__ = [
    "Count",
    "Hypothesis",
    "Identity",
    "Method",
    "Positive",
    "ProofResult",
    "SomePositive",
    "Step",
    "StepResult",
    "Theorem",
    "at",
    "check_proof",
    "load_theorems",
    "partial",
    "prove",
    "prove_all",
    "save_proof",
    "smooth",
    "theorem_files",
]
