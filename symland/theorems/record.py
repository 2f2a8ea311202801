"""Theorems as data: setting, hypotheses, conclusion, and steps with what a machine must decide for each.

What a step may use is *granted* to it: a hypothesis is assumed, notation defines a symbol, a fact follows from earlier
steps by a standard theorem that is named. A grant acts only through what it lets the machine do: rewrite an atom (a
*rule*) or know a sign. A step names the grants that it uses, so that leaving one out (`Theorem.without`) leaves its
rules out as well and the proof must break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Any, final

import sympy as sp

from symland.errors import ProofError
from symland.records import Verdict

__all__ = [
    "Count",
    "Fact",
    "Hypothesis",
    "Identity",
    "Method",
    "Notation",
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
class _Grant:
    """What a step may use.

    Attributes
    ----------
    name : str
    statement : str
        LaTeX.
    rules : tuple of (atom, expression)
        What may be rewritten, one rule after the other; derivatives on the right side are carried out.
    positive : tuple of symbols
        What is known to be positive.
    """

    name: str
    statement: str
    rules: tuple[tuple[Any, Any], ...] = ()
    positive: tuple[sp.Symbol, ...] = ()

    def __post_init__(self) -> None:
        if not self.rules and not self.positive:
            kind = type(self).__name__.lower()
            raise ProofError(f"{kind} {self.name!r} says nothing to the machine: give it a rule or a sign")


@final
@dataclass(frozen=True, kw_only=True)
class Hypothesis(_Grant):
    """What the theorem assumes."""


@final
@dataclass(frozen=True, kw_only=True)
class Notation(_Grant):
    """What a symbol stands for: a definition, or the parameter by which a case is described."""


@final
@dataclass(frozen=True, kw_only=True)
class Fact(_Grant):
    """What follows from earlier steps, or from another theorem, by a standard theorem that the machine does not know.

    Attributes
    ----------
    after : tuple of str
        Earlier steps by name, or theorems by identifier.
    by : str
        The standard theorem; LaTeX.
    """

    after: tuple[str, ...] = ()
    by: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.by:
            raise ProofError(f"fact {self.name!r} follows by nothing: name the standard theorem")


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
        Names of hypotheses, notation and facts.
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
    setting : str
        LaTeX: the objects that the conclusion speaks of, so that it can be read by itself.
    hypotheses : tuple of Hypothesis
    notation : tuple of Notation
    facts : tuple of Fact
    conclusion : str
        LaTeX: what is proved, and nothing else.
    variables : tuple of (LaTeX, meaning)
        Symbols of the steps.
    steps : tuple of Step
    rests_on : tuple of str
        Standard facts and theorems that join the steps and that the machine takes as known.
    remarks : tuple of str
        LaTeX: what is not proved here, such as what was computed.
    source : str
        LaTeX: where the theorem was first stated, as far as known; cites keys of the bibliography.
    """

    identifier: str
    title: str
    setting: str = ""
    hypotheses: tuple[Hypothesis, ...] = ()
    notation: tuple[Notation, ...] = ()
    facts: tuple[Fact, ...] = ()
    conclusion: str
    variables: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...]
    rests_on: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not self.steps:
            raise ProofError(f"theorem {self.identifier!r} has no steps: a statement alone proves nothing")
        for kind, items in (("assumptions", self.grants), ("steps", self.steps)):
            if len({item.name for item in items}) != len(items):
                raise ProofError(f"theorem {self.identifier!r} has two {kind} of one name: rename one")
        known = {grant.name for grant in self.grants}
        used = {name for step in self.steps for name in step.uses}
        if used - known:
            raise ProofError(f"theorem {self.identifier!r} uses {sorted(used - known)}, which it does not assume")
        if known - used:
            raise ProofError(f"theorem {self.identifier!r} assumes {sorted(known - used)} and never uses it")
        names = [step.name for step in self.steps]
        for fact in self.facts:
            first = next(k for k, step in enumerate(self.steps) if fact.name in step.uses)
            if late := [name for name in fact.after if name in names[first:]]:
                raise ProofError(f"theorem {self.identifier!r}: {fact.name!r} is used before {late}: move the step")

    @property
    def grants(self) -> tuple[Hypothesis | Notation | Fact, ...]:
        """Hypotheses, notation and facts."""
        return (*self.hypotheses, *self.notation, *self.facts)

    def without(self, name: str) -> Theorem:
        """The same claim with the hypothesis, notation or fact called `name` dropped.

        Raises
        ------
        ProofError
            If there is none of this name.
        """
        if all(grant.name != name for grant in self.grants):
            raise ProofError(f"theorem {self.identifier!r} has no hypothesis {name!r}")
        return replace(
            self,
            hypotheses=tuple(h for h in self.hypotheses if h.name != name),
            notation=tuple(n for n in self.notation if n.name != name),
            facts=tuple(f for f in self.facts if f.name != name),
            steps=tuple(replace(s, uses=tuple(u for u in s.uses if u != name)) for s in self.steps),
        )

    def only(self, steps: tuple[Step, ...]) -> Theorem:
        """The same theorem with some of its steps, and what they use."""
        used = {name for step in steps for name in step.uses}
        return replace(
            self,
            steps=steps,
            hypotheses=tuple(h for h in self.hypotheses if h.name in used),
            notation=tuple(n for n in self.notation if n.name in used),
            facts=tuple(f for f in self.facts if f.name in used),
        )

    def granted(self, step: Step) -> tuple[tuple[tuple[Any, Any], ...], frozenset[sp.Symbol]]:
        """The rules and the positive symbols that a step may use, in the order in which the step names their grants."""
        named = {grant.name: grant for grant in self.grants}
        used = [named[name] for name in step.uses]
        rules = tuple(rule for grant in used for rule in grant.rules)
        return rules, frozenset(symbol for grant in used for symbol in grant.positive)


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
        """Theorem, steps and verdicts as JSON values; `saved.save_proof` adds the expressions."""
        theorem = self.theorem
        return {
            "identifier": theorem.identifier,
            "title": theorem.title,
            "setting": theorem.setting,
            "hypotheses": [{"name": h.name, "statement": h.statement} for h in theorem.hypotheses],
            "notation": [{"name": n.name, "statement": n.statement} for n in theorem.notation],
            "facts": [
                {"name": f.name, "statement": f.statement, "after": list(f.after), "by": f.by} for f in theorem.facts
            ],
            "conclusion": theorem.conclusion,
            "variables": [list(pair) for pair in theorem.variables],
            "rests_on": list(theorem.rests_on),
            "remarks": list(theorem.remarks),
            "source": theorem.source,
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
