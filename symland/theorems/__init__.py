"""Theorems as records, the machine that decides their steps, and a second one that reads the saved proofs."""

from symland.theorems.check import check_proof
from symland.theorems.library import load_theorems, prove_all, select_theorems, theorem_files
from symland.theorems.prove import prove
from symland.theorems.record import (
    Count,
    Fact,
    Hypothesis,
    Identity,
    Method,
    Notation,
    Positive,
    ProofResult,
    SomePositive,
    Step,
    StepResult,
    Theorem,
)
from symland.theorems.references import Reference, cited, references
from symland.theorems.saved import save_proof
from symland.theorems.smooth import at, partial, smooth

__all__ = [
    "Count",
    "Fact",
    "Hypothesis",
    "Identity",
    "Method",
    "Notation",
    "Positive",
    "ProofResult",
    "Reference",
    "SomePositive",
    "Step",
    "StepResult",
    "Theorem",
    "at",
    "check_proof",
    "cited",
    "load_theorems",
    "partial",
    "prove",
    "prove_all",
    "references",
    "save_proof",
    "select_theorems",
    "smooth",
    "theorem_files",
]
