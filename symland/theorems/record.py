"""Theorems as data: hypotheses, steps, and what a machine must decide for each step.

A hypothesis acts only through what it lets the machine do: rewrite an atom (a *rule*) or know a sign. A step names
the hypotheses that it uses, so that leaving one out (`Theorem.without`) leaves its rules out as well and the proof
must break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Any

import sympy as sp

from symland.errors import ProofError
from symland.records import Verdict

__all__ = [
    "Count",
    "Hypothesis",
    "Identity",
    "Method",
    "Obligation",
    "Positive",
    "ProofResult",
    "SomePositive",
    "Step",
    "StepResult",
    "Theorem",
]


class Method(Enum):
    """How the machine decides; the value is what a reader of a proof is told."""

    IDENTITY = "exact identity of rational functions in independent atoms"
    POSITIVE = "sign read off a sum of terms of one sign"
    ENCLOSURE = "ball arithmetic on a subdivided box"
    COUNT = "finite enumeration"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """left = right, as rational functions of atoms that are taken as independent.

    Atoms are symbols, `smooth` functions at distinct arguments, and exp, log, tanh. Equality in independent atoms
    implies equality; a difference that does not vanish is a refutation only where the atoms really are independent.
    """

    left: Any
    right: Any = 0

    method = Method.IDENTITY


@dataclass(frozen=True, kw_only=True)
class Positive:
    """expression > 0 wherever the symbols that the hypotheses call positive are so."""

    expression: Any

    method = Method.POSITIVE


@dataclass(frozen=True, kw_only=True)
class SomePositive:
    """At every point of a box at least one of the alternatives is positive.

    Attributes
    ----------
    alternatives : tuple of expressions
        Built from rationals, the box's symbols, + * **, sqrt, Abs, exp, tanh.
    box : mapping of symbol to (Fraction, Fraction)
    deepest : int
        Bisections of one box before the question is left undecided.
    """

    alternatives: tuple[Any, ...]
    box: Mapping[sp.Symbol, tuple[Fraction, Fraction]]
    deepest: int = 60

    method = Method.ENCLOSURE


@dataclass(frozen=True, kw_only=True)
class Count:
    """A finite enumeration gives `value`; the kinds are those of `symland.theorems.counting`."""

    kind: str
    arguments: tuple[Any, ...]
    value: Any

    method = Method.COUNT


Obligation = Identity | Positive | SomePositive | Count


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A named assumption.

    Attributes
    ----------
    name : str
    statement : str
        LaTeX.
    rules : tuple of (atom, expression)
        What the assumption allows to be rewritten.
    positive : tuple of symbols
        What it makes positive.
    """

    name: str
    statement: str
    rules: tuple[tuple[Any, Any], ...] = ()
    positive: tuple[sp.Symbol, ...] = ()

    def __post_init__(self) -> None:
        if not self.rules and not self.positive:
            raise ProofError(f"hypothesis {self.name!r} says nothing to the machine: give it a rule or a sign")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One link of a proof.

    Attributes
    ----------
    name : str
    claim : str
        LaTeX: what follows, and why, from what the machine decides here.
    obligations : tuple of Obligation
    uses : tuple of str
        Names of hypotheses.
    """

    name: str
    claim: str
    obligations: tuple[Obligation, ...]
    uses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.obligations:
            raise ProofError(f"step {self.name!r} leaves nothing to decide: give it an obligation")


@dataclass(frozen=True, kw_only=True)
class Theorem:
    """A statement, its hypotheses and its proof.

    Attributes
    ----------
    identifier : str
        Short, unique: "T5-spectrum".
    title : str
    statement : str
        LaTeX.
    variables : tuple of (LaTeX, meaning)
    hypotheses : tuple of Hypothesis
    steps : tuple of Step
    source : str
        Where the statement was first made, as far as known.
    rests_on : tuple of str
        Standard facts that join the steps and that the machine takes as known.
    """

    identifier: str
    title: str
    statement: str
    variables: tuple[tuple[str, str], ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    steps: tuple[Step, ...]
    source: str = ""
    rests_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps:
            raise ProofError(f"theorem {self.identifier!r} has no steps: a statement alone proves nothing")
        for kind, names in (("hypotheses", self.hypotheses), ("steps", self.steps)):
            if len({item.name for item in names}) != len(names):
                raise ProofError(f"theorem {self.identifier!r} has two {kind} of one name: rename one")
        known = {hypothesis.name for hypothesis in self.hypotheses}
        used = {name for step in self.steps for name in step.uses}
        if used - known:
            raise ProofError(f"theorem {self.identifier!r} uses {sorted(used - known)}, which it does not assume")
        if known - used:
            raise ProofError(f"theorem {self.identifier!r} assumes {sorted(known - used)} and never uses it")

    def without(self, name: str) -> Theorem:
        """The same claim with the hypothesis called `name` dropped.

        Raises
        ------
        ProofError
            If no hypothesis has this name.
        """
        if all(hypothesis.name != name for hypothesis in self.hypotheses):
            raise ProofError(f"theorem {self.identifier!r} has no hypothesis {name!r}")
        return replace(
            self,
            hypotheses=tuple(h for h in self.hypotheses if h.name != name),
            steps=tuple(replace(s, uses=tuple(u for u in s.uses if u != name)) for s in self.steps),
        )

    def granted(self, step: Step) -> tuple[tuple[tuple[Any, Any], ...], frozenset[sp.Symbol]]:
        """The rules and the positive symbols that a step may use."""
        used = [hypothesis for hypothesis in self.hypotheses if hypothesis.name in step.uses]
        rules = tuple(rule for hypothesis in used for rule in hypothesis.rules)
        return rules, frozenset(symbol for hypothesis in used for symbol in hypothesis.positive)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What the machine said of one step.

    Attributes
    ----------
    name, claim : str
    methods : tuple of Method
    verdict : Verdict
    seconds : float
        By the clock that `prove` was given.
    detail : str
        What is left over when it is not certified.
    witnesses : tuple
        For each obligation what a checker needs beside the claim: the subdivision of a box, or None.
    """

    name: str
    claim: str
    methods: tuple[Method, ...]
    verdict: Verdict
    seconds: float
    detail: str
    witnesses: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class ProofResult:
    """A theorem with the verdict of each of its steps."""

    theorem: Theorem
    steps: tuple[StepResult, ...]

    @property
    def identifier(self) -> str:
        return self.theorem.identifier

    @property
    def verdict(self) -> Verdict:
        """CERTIFIED when every step is."""
        return Verdict.all(*(step.verdict for step in self.steps))

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Statement, steps and verdicts as JSON values; `saved.save_proof` adds the expressions."""
        theorem = self.theorem
        return {
            "identifier": theorem.identifier,
            "title": theorem.title,
            "statement": theorem.statement,
            "variables": [list(pair) for pair in theorem.variables],
            "hypotheses": [{"name": h.name, "statement": h.statement} for h in theorem.hypotheses],
            "source": theorem.source,
            "rests_on": list(theorem.rests_on),
            "verdict": self.verdict.value,
            "seconds": self.seconds,
            "steps": [
                {
                    "name": step.name,
                    "claim": step.claim,
                    "methods": sorted({method.value for method in step.methods}),
                    "verdict": step.verdict.value,
                    "seconds": step.seconds,
                    "detail": step.detail,
                }
                for step in self.steps
            ],
        }
