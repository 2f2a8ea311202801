"""A second reading of a saved proof, by code that shares nothing with the prover.

The expressions of `symland.theorems.saved` are brought to quotients of polynomials over the rationals in
atoms (symbols, exp, log, tanh and unknown smooth functions at canonical arguments). Derivatives and substitutions are
carried out here again. An inequality on a box is checked along the recorded bisection, an enumeration by a
recurrence instead of by enumeration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, partial
from itertools import product
from math import comb, factorial
from typing import Any

from flint import arb, fmpq

from symland.errors import ProofError
from symland.records import Verdict

__all__ = ["check_proof"]

FORMAT = "symland proof 2"

DEEPER = 9
"""Bisections of a recorded piece where these enclosures are wider than the prover's."""

Monomial = tuple[tuple[str, int], ...]
Polynomial = dict[Monomial, Fraction]
Quotient = tuple[Polynomial, Polynomial]
ONE: Polynomial = {(): Fraction(1)}
_AT_ZERO = {"cos": 1, "erf": 0, "sin": 0, "tanh": 0}


def _add(a: Polynomial, b: Polynomial, scale: int = 1) -> Polynomial:
    out = dict(a)
    for monomial, coefficient in b.items():
        more = coefficient if scale == 1 else scale * coefficient
        out[monomial] = out[monomial] + more if monomial in out else more
        if not out[monomial]:
            del out[monomial]
    return out


def _mul(a: Polynomial, b: Polynomial) -> Polynomial:
    if a is ONE or b is ONE:
        return b if a is ONE else a
    out: Polynomial = {}
    for left, p in a.items():
        for right, q in b.items():
            monomial = _merged(left, right) if left and right else left or right
            out[monomial] = out[monomial] + p * q if monomial in out else p * q
    return {monomial: c for monomial, c in out.items() if c}


def _merged(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, n in right:
        powers[atom] = powers.get(atom, 0) + n
    return tuple(sorted(powers.items()))


def _number(value: Fraction | int) -> Quotient:
    return (ONE if value == 1 else {(): Fraction(value)} if value else {}), ONE


def _sum(a: Quotient, b: Quotient) -> Quotient:
    if a[1] == b[1]:
        return _add(a[0], b[0]), a[1]
    return _add(_mul(a[0], b[1]), _mul(b[0], a[1])), _mul(a[1], b[1])


def _times(a: Quotient, b: Quotient) -> Quotient:
    return _mul(a[0], b[0]), _mul(a[1], b[1])


def _power(a: Quotient, n: int) -> Quotient:
    if n < 0:
        if not a[0]:
            raise ProofError("a saved expression divides by zero")
        a, n = (a[1], a[0]), -n
    out = _number(1)
    for _ in range(n):
        out = _times(out, a)
    return out


def _text(a: Quotient) -> str:
    # Scaling the denominator's last coefficient to 1 makes equal polynomials over constants read alike.
    unit = a[1][max(a[1])]
    return "|".join(";".join(f"{c / unit}:{m}" for m, c in sorted(p.items())) for p in a)


class _Algebra:
    """Atoms met so far, by name: what each was made of."""

    def __init__(self) -> None:
        self.made: dict[str, tuple[str, Any, tuple[Quotient, ...]]] = {}

    def atom(self, head: str, detail: Any, arguments: tuple[Quotient, ...]) -> Quotient:
        name = f"{head}{detail}({','.join(map(_text, arguments))})"
        self.made[name] = (head, detail, arguments)
        return {((name, 1),): Fraction(1)}, ONE

    def apply(self, head: str, detail: Any, arguments: tuple[Quotient, ...]) -> Quotient:
        if head != "F":
            (a,) = arguments
            if head in _AT_ZERO and not a[0]:
                return _number(_AT_ZERO[head])
            if head == "log" and a[0] == a[1]:
                return _number(0)
            if head == "exp" and set(a[1]) == {()}:
                # exp(sum_k c_k m_k) = prod_k exp(m_k / q_k)^(p_k), c_k = p_k / q_k: sums split into factors.
                out = _number(1)
                for monomial, c in a[0].items():
                    c = c / a[1][()]
                    part = self.atom("exp", "", (({monomial: Fraction(1, c.denominator)}, ONE),))
                    out = _times(out, _power(part, c.numerator))
                return out
        return self.atom(head, detail, arguments)

    def read(self, tree: Any) -> Quotient:
        if isinstance(tree, str):
            return {((tree, 1),): Fraction(1)}, ONE
        head, *rest = tree
        match head:
            case "q":
                return _number(Fraction(rest[0]))
            case "+":
                total = _number(0)
                for part in rest:
                    total = _sum(total, self.read(part))
                return total
            case "*":
                total = _number(1)
                for part in rest:
                    total = _times(total, self.read(part))
                return total
            case "^":
                return _power(self.read(rest[0]), rest[1])
            case "exp" | "log" | "tanh" | "sin" | "cos" | "erf" | "sqrt":
                return self.apply(head, "", (self.read(rest[0]),))
            case "F":
                letter, orders, *arguments = rest
                return self.apply("F", (letter, tuple(orders)), tuple(map(self.read, arguments)))
            case "D":
                value = self.read(rest[0])
                for variable in rest[1:]:
                    value = self.derivative(value, variable)
                return value
            case "at":
                return self.replace(self.read(rest[0]), {name: self.read(value) for name, value in rest[1:]})
        raise ProofError(f"a saved expression has the unknown head {head!r}")

    def derivative(self, a: Quotient, variable: str) -> Quotient:
        top, bottom = (self._slope(part, variable) for part in a)
        if not bottom[0]:
            return _times(top, (ONE, a[1]))
        rise = _sum(_times(top, (a[1], ONE)), _times(_number(-1), _times(bottom, (a[0], ONE))))
        return _times(rise, (ONE, _mul(a[1], a[1])))

    def _slope(self, polynomial: Polynomial, variable: str) -> Quotient:
        total = _number(0)
        for monomial, c in polynomial.items():
            for k, (atom, n) in enumerate(monomial):
                inner = self._atom_slope(atom, variable)
                if inner[0]:
                    rest = dict(monomial[:k] + monomial[k + 1 :] + (((atom, n - 1),) if n > 1 else ()))
                    total = _sum(total, _times(({tuple(sorted(rest.items())): c * n}, ONE), inner))
        return total

    def _atom_slope(self, atom: str, variable: str) -> Quotient:
        if atom not in self.made:
            return _number(int(atom == variable))
        head, detail, arguments = self.made[atom]
        itself: Quotient = ({((atom, 1),): Fraction(1)}, ONE)
        total = _number(0)
        for k, argument in enumerate(arguments):
            inner = self.derivative(argument, variable)
            if not inner[0]:
                continue
            if head == "exp":
                outer = itself
            elif head == "log":
                outer = _power(argument, -1)
            elif head == "tanh":
                outer = _sum(_number(1), _times(_number(-1), _power(itself, 2)))
            elif head != "F":
                raise ProofError(f"the checker does not differentiate {head}")
            else:
                letter, orders = detail
                raised = tuple(n + (i == k) for i, n in enumerate(orders))
                outer = self.apply("F", (letter, raised), arguments)
            total = _sum(total, _times(outer, inner))
        return total

    def replace(self, a: Quotient, images: Mapping[str, Quotient]) -> Quotient:
        done: dict[str, Quotient | None] = dict(images)

        def image(atom: str) -> Quotient | None:
            """What an atom becomes; None where it stays."""
            if atom not in done:
                done[atom] = None
                if atom in self.made:
                    head, detail, arguments = self.made[atom]
                    made = self.apply(head, detail, tuple(self.replace(b, images) for b in arguments))
                    done[atom] = None if made == ({((atom, 1),): Fraction(1)}, ONE) else made
            return done[atom]

        parts = []
        for polynomial in a:
            total = _number(0)
            for monomial, c in polynomial.items():
                term: Quotient = {tuple(power for power in monomial if image(power[0]) is None): c}, ONE
                for atom, n in monomial:
                    becomes = image(atom)
                    if becomes is not None:
                        term = _times(term, _power(becomes, n))
                total = _sum(total, term)
            parts.append(total)
        return _times(parts[0], _power(parts[1], -1))

    def rewrite(self, a: Quotient, rules: list[Any]) -> Quotient:
        for left, right in rules:
            numerator, denominator = self.read(left)
            if denominator != ONE or len(numerator) != 1:
                raise ProofError(f"a rule rewrites {left!r}, which is not one atom")
            ((monomial, coefficient),) = numerator.items()
            if coefficient != 1 or len(monomial) != 1 or monomial[0][1] != 1:
                raise ProofError(f"a rule rewrites {left!r}, which is not one atom")
            a = self.replace(a, {monomial[0][0]: self.read(right)})
        return a


def _one_sign(polynomial: Polynomial, algebra: _Algebra, positive: set[str]) -> int:
    def certain(atom: str) -> bool:
        return atom in positive or algebra.made.get(atom, ("",))[0] == "exp"

    signs = {1 if c > 0 else -1 for c in polynomial.values()}
    loose = any(n % 2 and not certain(atom) for monomial in polynomial for atom, n in monomial)
    strict = any(all(certain(atom) for atom, _ in monomial) for monomial in polynomial)
    return signs.pop() if len(signs) == 1 and strict and not loose else 0


def _ball(value: Fraction) -> Any:
    return arb(fmpq(value.numerator, value.denominator))


def _join(low: Any, high: Any) -> Any:
    return low.union(high)


_OUTER: dict[str, Any] = {
    # Each function with its derivative in terms of the argument x and the value f.
    "tanh": (lambda x: _join(x.lower().tanh(), x.upper().tanh()), lambda x, f: 1 - _square(f)),
    "exp": (lambda x: _join(x.lower().exp(), x.upper().exp()), lambda x, f: f),
    "sqrt": (lambda x: _join(x.lower().max(arb(0)).sqrt(), x.upper().max(arb(0)).sqrt()), lambda x, f: 1 / (2 * f)),
}


def _square(x: Any) -> Any:
    size = abs(x)
    return _join(size.lower().max(arb(0)) ** 2, size.upper() ** 2)


def _forward(tree: Any, point: Mapping[str, Any], seeds: Mapping[str, int]) -> tuple[Any, list[Any]]:
    """Enclosures of an expression and of its derivatives by the symbols in `seeds`, carried along together."""
    count = len(seeds)
    if isinstance(tree, str):
        return point[tree], [arb(int(seeds.get(tree) == k)) for k in range(count)]
    head, *rest = tree
    if head == "q":
        return _ball(Fraction(rest[0])), [arb(0)] * count
    value, slopes = _forward(rest[0], point, seeds)
    if head == "abs":
        turn = arb(1) if value > 0 else arb(-1) if value < 0 else arb(0, 1)
        return abs(value), [turn * s for s in slopes]
    if head == "^":
        n = rest[1]
        power = _square(value) if n == 2 else value**n
        return power, [n * value ** (n - 1) * s for s in slopes]
    if head in _OUTER:
        outer, slope = _OUTER[head]
        result = outer(value)
        return result, [slope(value, result) * s for s in slopes]
    if head not in ("+", "*"):
        raise ProofError(f"no enclosure of the head {head!r}")
    for part in rest[1:]:
        other, others = _forward(part, point, seeds)
        if head == "+":
            value, slopes = value + other, [s + o for s, o in zip(slopes, others, strict=True)]
        else:
            slopes = [s * other + value * o for s, o in zip(slopes, others, strict=True)]
            value = value * other
    return value, slopes


def _proved_positive(tree: Any, point: Mapping[str, Any]) -> bool:
    if _forward(tree, point, {})[0] > 0:
        return True
    slopes = _forward(tree, point, {name: k for k, name in enumerate(point)})[1]
    # f(w) = f(middle) + sum_k f_k(w') (w_k - middle_k) for some w' in the box.
    value = _forward(tree, {name: x.mid() for name, x in point.items()}, {})[0]
    for x, slope in zip(point.values(), slopes, strict=True):
        value = value + slope * (x - x.mid())
    return bool(value > 0)


def _holds(tree: Any, names: list[str], piece: list[tuple[Fraction, Fraction]], depth: int) -> bool:
    point = {n: _join(_ball(a), _ball(b)) for n, (a, b) in zip(names, piece, strict=True)}
    if _proved_positive(tree, point):
        return True
    if depth == 0:
        return False
    side = max(range(len(piece)), key=lambda k: piece[k][1] - piece[k][0])
    low, high = piece[side]
    middle = (low + high) / 2
    halves = ((low, middle), (middle, high))
    return all(_holds(tree, names, [*piece[:side], half, *piece[side + 1 :]], depth - 1) for half in halves)


def _check_boxes(saved: Mapping[str, Any]) -> Verdict:
    names = [name for name, _, _ in saved["box"]]
    pieces = [[(Fraction(low), Fraction(high)) for _, low, high in saved["box"]]]
    for letter in saved["witness"] or "":
        if not pieces:
            return Verdict.UNDECIDED
        piece = pieces.pop()
        if letter.isdigit():
            if not _holds(saved["alternatives"][int(letter)], names, piece, DEEPER):
                return Verdict.UNDECIDED
            continue
        side = ord(letter) - ord("a")
        low, high = piece[side]
        middle = (low + high) / 2
        pieces += [[*piece[:side], half, *piece[side + 1 :]] for half in ((middle, high), (low, middle))]
    return Verdict.UNDECIDED if pieces else Verdict.CERTIFIED


@cache
def _onto(kinds: int, elements: int) -> int:
    # The last element either joins a kind that the others already cover, or covers the only kind that they miss.
    if elements == 0:
        return int(kinds == 0)
    return kinds * (_onto(kinds, elements - 1) + _onto(kinds - 1, elements - 1)) if kinds > 0 else 0


@cache
def _groupings(elements: int) -> int:
    if elements == 0:
        return 1
    return sum(comb(elements - 1, k) * _groupings(k) for k in range(elements))


def _named_groupings(names: int, elements: int) -> int:
    return sum(
        _onto(groups, elements) // factorial(groups) * factorial(groups) // factorial(groups - names)
        for groups in range(names, elements + 1)
    )


def _automorphisms(points: list[list[int]], labels: list[int], *, kept: bool = False) -> int:
    """Orthogonal integer matrices that map labelled points to themselves, with labels renamed, or `kept`."""
    size = len(points[0])
    label_of = dict(zip(map(tuple, points), labels, strict=True))
    found = 0
    for entries in product((-1, 0, 1), repeat=size * size):
        rows = [entries[k * size : (k + 1) * size] for k in range(size)]
        gram = [[sum(a * b for a, b in zip(r, s, strict=True)) for s in rows] for r in rows]
        if gram != [[int(i == j) for j in range(size)] for i in range(size)]:
            continue
        images = [tuple(sum(a * b for a, b in zip(r, x, strict=True)) for r in rows) for x in points]
        if set(images) != set(label_of):
            continue
        pairs = {(label, label_of[image]) for image, label in zip(images, labels, strict=True)}
        renamed = len(pairs) == len(set(labels)) == len({new for _, new in pairs})
        found += all(old == new for old, new in pairs) if kept else renamed
    return found


_COUNTS = {
    "automorphisms": _automorphisms,
    "automorphisms that keep labels": partial(_automorphisms, kept=True),
    "choices": lambda chosen, elements: comb(elements, chosen),
    "named partitions": _named_groupings,
    "set partitions": _groupings,
    "surjections": _onto,
}


def _check_obligation(saved: Mapping[str, Any], rules: list[Any], positive: set[str]) -> Verdict:
    kind = saved["kind"]
    if kind == "some positive":
        return _check_boxes(saved)
    if kind == "count":
        found = _COUNTS[saved["what"]](*saved["arguments"])  # type: ignore[operator]
        return Verdict.CERTIFIED if found == saved["value"] else Verdict.REFUTED
    algebra = _Algebra()
    if kind == "identity":
        difference = algebra.read(["+", saved["left"], ["*", ["q", "-1"], saved["right"]]])
        return Verdict.UNDECIDED if algebra.rewrite(difference, rules)[0] else Verdict.CERTIFIED
    if kind == "positive":
        parts = algebra.rewrite(algebra.read(saved["expression"]), rules)
        signs = [_one_sign(part, algebra, positive) for part in parts]
        return Verdict.CERTIFIED if signs[0] * signs[1] > 0 else Verdict.UNDECIDED
    raise ProofError(f"a saved step has an obligation of the unknown kind {kind!r}")


def check_proof(text: str) -> dict[str, Verdict]:
    """The verdict of each step of a saved proof, decided anew; what the file says of them is not believed.

    Parameters
    ----------
    text : str
        What `save_proof` wrote.

    Raises
    ------
    ProofError
        If the text is no saved proof.
    """
    try:
        record = json.loads(text)
        if record["format"] != FORMAT:
            raise ProofError(f"the proof has format {record['format']!r}: this checker reads {FORMAT!r}")
        verdicts = {}
        for step in record["steps"]:
            answers = [_check_obligation(saved, step["rules"], set(step["positive"])) for saved in step["obligations"]]
            verdicts[step["name"]] = Verdict.all(*answers) if answers else Verdict.UNDECIDED
        return verdicts
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProofError(f"not a saved proof ({type(error).__name__}: {error}): write it with save_proof") from None
