"""The identity test: the program over GF(2^61 - 1) against truncated Taylor arithmetic of the loss alone.

Over the field the activation is a random polynomial and the head another, so the loss is a polynomial in theta and the
data. Its first and second derivatives along random directions v and w are the coefficients of e1, e2 and e1 e2 in

    E(theta + e1 v + e2 w),   e1^2 = e2^2 = 0,

found from the network's definition with arithmetic on four coefficients, without any derivative being written down. By
Schwartz and Zippel a program that differs passes one trial with a probability of at most degree / (2^61 - 1), where
the degree of the compared polynomials is at most about 3 * 3^(L+1) for L hidden layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from flint import nmod

from symland.program.algebra import Algebra, run
from symland.program.ir import Formula, Program, Role
from symland.program.proof import Claim
from symland.records import Verdict
from symland.spec import LandscapeSpec, Penalised

__all__ = ["PRIME", "FieldAlgebra", "check_identity"]

PRIME = 2**61 - 1
"""A Mersenne prime."""

DEGREE = 3
"""Degree of the random polynomials that stand for the activation and for the head; at least 3, so that second
derivatives vary."""


def _constant(value: Fraction) -> nmod:
    return nmod(value.numerator % PRIME, PRIME) / nmod(value.denominator % PRIME, PRIME)


@dataclass(frozen=True)
class _Jet:
    """a + b e1 + c e2 + f e1 e2 over the field, with e1^2 = e2^2 = 0."""

    a: nmod
    b: nmod
    c: nmod
    f: nmod

    def __add__(self, other: _Jet) -> _Jet:
        return _Jet(self.a + other.a, self.b + other.b, self.c + other.c, self.f + other.f)

    def __mul__(self, other: _Jet) -> _Jet:
        s, o = self, other
        return _Jet(
            s.a * o.a, s.a * o.b + s.b * o.a, s.a * o.c + s.c * o.a, s.a * o.f + s.f * o.a + s.b * o.c + s.c * o.b
        )

    @classmethod
    def of(cls, value: nmod) -> _Jet:
        zero = nmod(0, PRIME)
        return cls(value, zero, zero, zero)


class _Polynomials:
    """A random activation of one variable and a random head of q variables, as coefficient tables.

    The head is sum_k L_k(m)^DEGREE with random affine forms L_k: all its second derivatives vary.
    """

    def __init__(self, draw: Random, q: int) -> None:
        self.sigma = [nmod(draw.randrange(PRIME), PRIME) for _ in range(DEGREE + 1)]
        self.forms = [[nmod(draw.randrange(PRIME), PRIME) for _ in range(q + 1)] for _ in range(2 * q + 2)]


class FieldAlgebra(Algebra[nmod]):
    """Numbers of GF(2^61 - 1); the activation and the head are polynomials with derivatives written down here."""

    def __init__(self, polynomials: _Polynomials) -> None:
        self.polynomials = polynomials

    def constant(self, value: Fraction) -> nmod:
        return _constant(value)

    def primitive(self, op: str, args: Sequence[nmod], value: Fraction | None) -> nmod:
        raise ValueError(f"{op} has no meaning in a finite field")

    def apply(self, formula: Formula, args: Sequence[nmod]) -> Sequence[nmod]:
        n = len(formula.outputs)
        return self._activation(args[0], n) if formula.name == "activation" else self._head(args, n)

    def _activation(self, s: nmod, n: int) -> list[nmod]:
        c = self.polynomials.sigma
        jet = [
            sum((c[k] * s**k for k in range(DEGREE + 1)), nmod(0, PRIME)),
            sum((c[k] * k * s ** (k - 1) for k in range(1, DEGREE + 1)), nmod(0, PRIME)),
            sum((c[k] * (k * (k - 1)) * s ** (k - 2) for k in range(2, DEGREE + 1)), nmod(0, PRIME)),
        ]
        return jet[:n]

    def _head(self, m: Sequence[nmod], n: int) -> list[nmod]:
        q, zero = len(m), nmod(0, PRIME)
        forms = self.polynomials.forms
        values = [f[q] + sum((a * b for a, b in zip(f, m, strict=False)), zero) for f in forms]
        out = [sum((v**DEGREE for v in values), zero)]
        out += [
            sum((v ** (DEGREE - 1) * f[i] * DEGREE for f, v in zip(forms, values, strict=True)), zero) for i in range(q)
        ]
        scale = DEGREE * (DEGREE - 1)
        out += [
            sum((v ** (DEGREE - 2) * f[i] * f[j] * scale for f, v in zip(forms, values, strict=True)), zero)
            for i in range(q)
            for j in range(q)
        ]
        return out[:n]


def check_identity(spec: LandscapeSpec, program: Program, seed: int = 0, trials: int = 1) -> Claim:
    """The identity test of a program, of any size, with its own number of samples and random data.

    Returns
    -------
    Claim
        CERTIFIED here means: passed every trial, each with the error probability above.
    """
    for trial in range(trials):
        fault = _trial(spec, program, Random(f"{seed}:{trial}:{program.digest}"))
        if fault:
            return Claim(name="identity", verdict=Verdict.REFUTED, detail=fault)
    return Claim(name="identity", verdict=Verdict.CERTIFIED)


def _trial(spec: LandscapeSpec, program: Program, draw: Random) -> str:
    p = program.n_parameters

    def random(n: int) -> list[nmod]:
        return [nmod(draw.randrange(PRIME), PRIME) for _ in range(n)]

    data = {a.name: random(a.size) for a in program.arrays.values() if a.role is Role.DATA and a.name != "B"}
    theta, v, w = random(p), random(p), random(p)
    q = program.formulas["head"].arity
    polynomials = _Polynomials(draw, q)
    directed = "direction" in program.arrays
    ran = run(program, FieldAlgebra(polynomials), theta, data, w if directed else ())
    zero = nmod(0, PRIME)
    point = [_Jet(a, b, c, zero) for a, b, c in zip(theta, v, w, strict=True)]
    losses = _losses(spec, point, data, polynomials, q)
    loss = _total(spec, losses, point, data["penalty"][0])
    if ran.value is not None and ran.value != loss.a:
        return "the value differs"
    if ran.gradient:
        for direction, wanted in ((v, loss.b), (w, loss.c)):
            if _inner(ran.gradient, direction) != wanted:
                return "the gradient differs"
    if ran.hessian and _inner([_inner(row, w) for row in ran.hessian], v) != loss.f:
        return "the Hessian differs"
    if ran.product and _inner(ran.product, v) != loss.f:
        return "the product differs"
    for d, row in enumerate(ran.per_sample):
        if (_inner(row, v), _inner(row, w)) != (losses[d].b, losses[d].c):
            return f"the gradient of sample {d} differs"
    return _data_fault(spec, ran.by_data, polynomials, theta, data, draw) if ran.by_data else ""


def _data_fault(
    spec: LandscapeSpec,
    outputs: dict[str, list[nmod]],
    polynomials: _Polynomials,
    theta: list[nmod],
    data: dict[str, list[nmod]],
    draw: Random,
) -> str:
    """Which output about the data differs: the same Taylor arithmetic with directions of theta and of the inputs."""
    zero, p, samples = nmod(0, PRIME), len(theta), spec.n_samples

    def random(n: int) -> list[nmod]:
        return [nmod(draw.randrange(PRIME), PRIME) for _ in range(n)]

    v, a, b = random(p), random(len(data["x"])), random(len(data["x"]))
    q = len(polynomials.forms[0]) - 1
    inputs = spec.n_inputs

    def jets(along_theta: list[nmod], first: list[nmod], second: list[nmod]) -> tuple[list[_Jet], list[list[_Jet]]]:
        point = [_Jet(t, w, zero, zero) for t, w in zip(theta, along_theta, strict=True)]
        x = [_Jet(t, w, y, zero) for t, w, y in zip(data["x"], first, second, strict=True)]
        moved = {**data, "x": x}
        return _losses(spec, point, moved, polynomials, q), _margins(spec, point, moved, polynomials, q)

    scale = _constant(Fraction(1, samples))
    nothing = [zero] * len(data["x"])
    mixed, by_theta = jets(v, nothing, b)
    twice, _ = jets([zero] * p, a, b)
    for d in range(samples):
        rows = slice(d * inputs, (d + 1) * inputs)
        x1, x2 = a[rows], b[rows]
        bilinear = [i * j for i in x1 for j in x2]
        cross = [i * j for i in x2 for j in v]
        got = {
            "by_input": (x2, scale * mixed[d].c),
            "by_input_twice": (bilinear, scale * twice[d].f),
            "mixed": (cross, scale * mixed[d].f),
        }
        for name, (direction, wanted) in got.items():
            n = len(direction)
            if name in outputs and _inner(outputs[name][d * n : (d + 1) * n], direction) != wanted:
                return f"the output {name} of sample {d} differs"
        for i, margin in enumerate(by_theta[d]):
            k = d * q + i
            one = [nmod(1, PRIME)]
            parts = {
                "margins": (one, margin.a),
                "margins_by_input": (x2, margin.c),
                "margins_by_theta": (v, margin.b),
            }
            for name, (direction, wanted) in parts.items():
                n = len(direction)
                if name in outputs and _inner(outputs[name][k * n : (k + 1) * n], direction) != wanted:
                    return f"the output {name} of sample {d} differs"
    return ""


def _inner(left: Sequence[nmod], right: Sequence[nmod]) -> nmod:
    return sum((a * b for a, b in zip(left, right, strict=True)), nmod(0, PRIME))


def _losses(
    spec: LandscapeSpec, theta: list[_Jet], data: Mapping[str, Sequence[Any]], polynomials: _Polynomials, q: int
) -> list[_Jet]:
    """The loss of each sample at a point with Taylor coefficients: the head at its margins."""
    losses = []
    for margins in _margins(spec, theta, data, polynomials, q):
        total = _Jet.of(nmod(0, PRIME))
        for form in polynomials.forms:
            value = _dot([_Jet.of(c) for c in form[:q]], margins) + _Jet.of(form[q])
            power = value
            for _ in range(DEGREE - 1):
                power = power * value
            total = total + power
        losses.append(total)
    return losses


def _margins(
    spec: LandscapeSpec, theta: list[_Jet], data: Mapping[str, Sequence[Any]], polynomials: _Polynomials, q: int
) -> list[list[_Jet]]:
    """The margins of each sample at a point with Taylor coefficients, from the network's definition."""
    layout, widths = spec.layout, spec.widths
    found = []
    for d in range(spec.n_samples):
        row = data["x"][d * widths[0] : (d + 1) * widths[0]]
        signal = [x if isinstance(x, _Jet) else _Jet.of(x) for x in row]
        for layer in range(1, layout.n_layers + 1):
            weight, bias = layout.weight(layer), layout.biases(layer)
            rows, columns = weight.shape
            out = []
            for i in range(rows):
                s = theta[bias.offset + i] if bias else _Jet.of(nmod(0, PRIME))
                for j in range(columns):
                    s = s + theta[weight.offset + i * columns + j] * signal[j]
                out.append(s)
            signal = [_horner(polynomials.sigma, s) for s in out] if layer < layout.n_layers else out
        if len(signal) > q:
            minus = _Jet.of(nmod(PRIME - 1, PRIME))
            signal = [z + minus * signal[0] for z in signal[1:]]
        if "S" in data:
            turn = data["S"][d * q * q : (d + 1) * q * q]
            signal = [_dot([_Jet.of(s) for s in turn[i * q : (i + 1) * q]], signal) for i in range(q)]
        if "t" in data:
            signal = [m + _Jet.of(-t) for m, t in zip(signal, data["t"][d * q : (d + 1) * q], strict=True)]
        found.append(signal)
    return found


def _total(spec: LandscapeSpec, losses: list[_Jet], theta: list[_Jet], penalty: nmod) -> _Jet:
    """E: the mean over the samples and the penalty."""
    total = _Jet.of(nmod(0, PRIME))
    for loss in losses:
        total = total + loss
    weights = sum(b.size for b in spec.layout.blocks if b.kind == "W")
    held = theta if spec.penalised is Penalised.ALL else theta[:weights]
    return total * _Jet.of(_constant(Fraction(1, spec.n_samples))) + _Jet.of(penalty) * _dot(held, held)


def _horner(coefficients: Sequence[nmod], s: _Jet) -> _Jet:
    out = _Jet.of(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        out = out * s + _Jet.of(c)
    return out


def _dot(left: Sequence[_Jet], right: Sequence[_Jet]) -> _Jet:
    out = _Jet.of(nmod(0, PRIME))
    for a, b in zip(left, right, strict=True):
        out = out + a * b
    return out
