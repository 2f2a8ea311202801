r"""The question of an enumeration, from its canonical values: the smaller loss, its symmetries, bounds of its points.

One hidden layer of N tanh nodes, two softmax outputs, lambda on every parameter.  With Delta = z_1 - z_0, s_d = 1 for
class 1 and -1 for class 0, the loss is E = (1/D) sum_d softplus(-s_d Delta_d) + lambda |theta|^2.

*The smaller loss.*  Write W2[0,j] = r_j - v_j/2, W2[1,j] = r_j + v_j/2, c_0 = r_0 - g/2, c_1 = r_0 + g/2: orthogonal
coordinates, in which |theta|^2 has r only as 2 sum r^2 and the data term does not know r.  So r = 0 at a stationary
point, and the others are stationary for Psi = E/lambda.  With U_j = (W1[j], b_j), x_d = (inputs, 1),
kappa = 1/(lambda D):

    Psi(z) = sum_j |U_j|^2 + (sum_j v_j^2 + g^2)/2 + kappa sum_d softplus(-s_d Delta_d),
    Delta_d = sum_j v_j tanh(U_j.x_d) + g,        z = (U_1, v_1, ..., U_N, v_N, g).

With P_d = kappa s_d/(1 + exp(s_d Delta_d)) = (kappa/2)(s_d - tanh(Delta_d/2)) its gradient is zero where

    2 U_j = v_j sum_d P_d sech^2(U_j.x_d) x_d,     v_j = sum_d P_d tanh(U_j.x_d),     g = sum_d P_d.

A node is zero (U = 0, v = 0) if v = 0 or if U = 0; a point with zero nodes is a point of the network without them, and
the other way round.  (U_j, v_j) -> -(U_j, v_j) and exchanges of nodes keep Psi: v_j >= 0 from here on.

*Automorphisms.*  Let Q be a signed permutation of the inputs that leaves the constant 1, with Q x_d = x_p(d) and
s_p(d) = e s_d for all d, e = 1 or -1.  Then z' = (Q^T U_j, e v_j, e g) has Delta'_d = e Delta_p(d), so Psi(z') = Psi(z)
and, with q_d = |P_d|/kappa, q'_d = q_p(d).  Each orbit has a point whose vector q is the lexicographically largest; at
the first place i that p moves it has q_i >= q_p(i).  Only such points are looked for.

*Bounds.*  Multiply the last two equations by v_j and g and add: sum v_j^2 + g^2 = sum_d P_d Delta_d.  With
t = s_d Delta_d a term is kappa t/(1 + e^t), largest where (t - 1) e^(t-1) = 1/e, so at t = 1 + w with w e^w = 1/e,
where
it is kappa e^-t = kappa w.  Hence sum v_j^2 + g^2 <= w/lambda, and by Cauchy-Schwarz |Delta_d| < L, L^2 = (N + 1)
w/lambda.
Multiply the first by U_j: |U_j|^2 = (v_j/2) sum_d P_d a sech^2 a with a = U_j.x_d; cosh^2 a >= 1 + a^2 >= 2 |a|, so
|U_j|^2 <= (v_j/4) sum_d |P_d| < v_j/(4 lambda).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product
from typing import Any

from flint import arb, arb_mat, ctx, fmpq

from symland.records import Verdict
from symland.rigor.strict import need, need_keys, whole_number

__all__ = ["Element", "Question", "ball", "krawczyk", "read_question", "residuals"]

MOST_SAMPLES, MOST_INPUTS, MOST_NODES = 8, 3, 4
"""What the checker takes; the rest is UNDECIDED."""
LARGEST_INPUT = 2**20
SMALLEST_PENALTY, LARGEST_PENALTY = Fraction(1, 2**20), Fraction(2**20)
PRECISION = 128
"""Bits of the Arb arithmetic."""

_EXACT = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?", re.ASCII)
_SPEC_KEYS = "activation bias hidden inputs loss outputs penalised penalty targets"

Point = tuple[float, ...]
"""z as doubles: U_1, v_1, ..., U_n, v_n, g."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """An automorphism of the data: (Q x)_k = signs_k x_places_k, Q x_d = x_order_d, labels times ``sign``."""

    order: tuple[int, ...]
    places: tuple[int, ...]
    signs: tuple[int, ...]
    sign: int

    def image(self, point: Point, width: int) -> Point:
        """(Q^T U, e v, e g), every node turned so that v >= 0."""
        out: list[float] = []
        for start in range(0, len(point) - 1, width + 1):
            node = [0.0] * (width + 1)
            for k, (place, sign) in enumerate(zip(self.places, self.signs, strict=True)):
                node[place] = sign * point[start + k]
            node[width] = self.sign * point[start + width]
            out += [-x for x in node] if node[width] < 0.0 else node
        return (*out, self.sign * point[-1])


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes
    ----------
    design : x_d, inputs with a 1 appended; doubles hold them exactly.
    signs : s_d, 1 or -1.
    penalty : lambda.
    nodes : N.
    group : the automorphisms of the data, the identity among them.
    """

    design: tuple[tuple[Fraction, ...], ...]
    signs: tuple[int, ...]
    penalty: Fraction
    nodes: int
    group: tuple[Element, ...]

    @property
    def samples(self) -> int:
        """D."""
        return len(self.design)

    @property
    def width(self) -> int:
        """Inputs with the constant."""
        return len(self.design[0])

    @property
    def scale(self) -> Fraction:
        """kappa."""
        return 1 / (self.penalty * self.samples)

    @property
    def kappa(self) -> arb:
        """kappa as a ball."""
        return ball(self.scale)

    @property
    def orders(self) -> tuple[tuple[int, int], ...]:
        """Pairs (i, k): q_i >= q_k at the member of each orbit that is looked for."""
        pairs = {next(((i, k) for i, k in enumerate(g.order) if i != k), None) for g in self.group}
        return tuple(sorted(pair for pair in pairs if pair is not None))

    def energy(self) -> arb:
        """An upper bound of sum v^2 + g^2: w/lambda."""
        return ((-arb(1)).exp().lambertw() / ball(self.penalty)).upper()

    def largest_logit(self) -> arb:
        """L."""
        return ((self.nodes + 1) * self.energy()).sqrt().upper()

    def needed_box(self) -> list[tuple[arb, arb]]:
        """Bounds of P_1, ..., P_D, g that every stationary point obeys."""
        least = 1 / (1 + self.largest_logit().exp())
        kappa = ball(self.scale)
        bias = self.energy().sqrt().upper()
        ends = [(kappa * least).lower(), (kappa * (1 - least)).upper()]
        return [*((ends[0], ends[1]) if s > 0 else (-ends[1], -ends[0]) for s in self.signs), (-bias, bias)]


def ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _rational(text: Any) -> Fraction:
    need(isinstance(text, str) and len(text) <= 1000 and bool(_EXACT.fullmatch(text)), "a number is not exact text")
    value = Fraction(text)
    need(str(value) == text, "an exact number is not in lowest terms")
    return value


def read_question(spec: Any) -> Question:
    """The question of canonical values.

    Raises
    ------
    Refusal
        REFUTED for what is no specification, UNDECIDED for one of another kind than this checker knows.
    """
    need_keys(spec, _SPEC_KEYS, "a specification")
    hidden, inputs, targets = spec["hidden"], spec["inputs"], spec["targets"]
    need(isinstance(hidden, list) and all(whole_number(n, 1, 10**6) for n in hidden), "hidden is malformed")
    need(isinstance(inputs, list) and isinstance(targets, list) and bool(inputs), "inputs or targets are malformed")
    need(len(inputs) == len(targets), "targets and inputs differ in number")
    kind = (spec["activation"], spec["bias"], spec["outputs"], spec["loss"], spec["penalised"])
    open_ = Verdict.UNDECIDED
    need(kind == ("tanh", True, 2, "softmax", "all") and len(hidden) == 1, "this checker knows other networks", open_)
    need(all(whole_number(c, 0, 1) for c in targets), "a label is not 0 or 1")
    need(
        len(inputs) <= MOST_SAMPLES and hidden[0] <= MOST_NODES, "more samples or nodes than this checker takes", open_
    )
    need(all(isinstance(row, list) and len(row) == len(inputs[0]) for row in inputs), "an input is malformed")
    need(1 <= len(inputs[0]) <= MOST_INPUTS, "more inputs than this checker takes", open_)
    rows = tuple((*(_rational(x) for x in row), Fraction(1)) for row in inputs)
    need(all(abs(x) <= LARGEST_INPUT for row in rows for x in row), "an input is too large for this checker", open_)
    need(all(Fraction(float(x)) == x for row in rows for x in row), "an input is not a double", open_)
    need(len(set(rows)) == len(rows), "two samples have the same inputs", open_)
    penalty = _rational(spec["penalty"])
    need(penalty > 0, "without a penalty there are no isolated points", open_)
    need(SMALLEST_PENALTY <= penalty <= LARGEST_PENALTY, "the penalty is out of this checker's range", open_)
    signs = tuple(1 if c else -1 for c in targets)
    return Question(design=rows, signs=signs, penalty=penalty, nodes=hidden[0], group=_automorphisms(rows, signs))


def _automorphisms(rows: tuple[tuple[Fraction, ...], ...], signs: tuple[int, ...]) -> tuple[Element, ...]:
    number = {row: d for d, row in enumerate(rows)}
    inputs = len(rows[0]) - 1
    found = []
    for places in permutations(range(inputs)):
        for flips in product((1, -1), repeat=inputs):
            moved = [
                number.get((*(f * row[p] for f, p in zip(flips, places, strict=True)), Fraction(1))) for row in rows
            ]
            order = tuple(d for d in moved if d is not None)
            changes = {signs[k] * s for k, s in zip(order, signs, strict=False)}
            if len(order) == len(rows) and len(changes) == 1:
                found.append(Element(order=order, places=(*places, inputs), signs=(*flips, 1), sign=changes.pop()))
    return tuple(found)


def _parts(question: Question, z: Sequence[arb]) -> tuple[list[list[arb]], list[arb], list[arb]]:
    """tanh(U_j.x_d) by node and sample, P_d, and w_d = -dP_d/dDelta_d = (kappa/4)(1 - tanh^2(Delta_d/2))."""
    m, kappa = question.width, question.kappa
    x = [[ball(c) for c in row] for row in question.design]
    t = [
        [sum((z[at + k] * c for k, c in enumerate(row)), arb(0)).tanh() for row in x]
        for at in range(0, len(z) - 1, m + 1)
    ]
    pulls, slopes = [], []
    for d, sign in enumerate(question.signs):
        half = (sum((z[j * (m + 1) + m] * t[j][d] for j in range(len(t))), z[-1]) / 2).tanh()
        pulls.append(kappa / 2 * (sign - half))
        slopes.append(kappa / 4 * (1 - half * half))
    return t, pulls, slopes


def residuals(question: Question, z: Sequence[arb]) -> list[arb]:
    """P at a point of the network with as many nodes as z has."""
    return _parts(question, z)[1]


def gradient(question: Question, z: Sequence[arb]) -> arb_mat:
    """The gradient of Psi, a column."""
    m = question.width
    t, pulls, _ = _parts(question, z)
    out = []
    for j, row in enumerate(t):
        at, v = j * (m + 1), z[j * (m + 1) + m]
        for k in range(m):
            pull = sum(
                (p * (1 - h * h) * ball(x[k]) for p, h, x in zip(pulls, row, question.design, strict=True)), arb(0)
            )
            out.append(2 * z[at + k] - v * pull)
        out.append(v - sum((p * h for p, h in zip(pulls, row, strict=True)), arb(0)))
    out.append(z[-1] - sum(pulls, arb(0)))
    return arb_mat(len(out), 1, out)


def hessian(question: Question, z: Sequence[arb]) -> arb_mat:
    """The Hessian of Psi: diag(2, ..., 2, 1, ..., 1) + sum_d w_d D_d D_d^T - sum_d P_d D2_d, D and D2 of Delta_d."""
    m, size = question.width, len(z)
    t, pulls, slopes = _parts(question, z)
    out = [[arb(0)] * size for _ in range(size)]
    for i in range(size - 1):
        out[i][i] += 1 if i % (m + 1) == m else 2
    out[-1][-1] += 1
    for d, row in enumerate(question.design):
        first: list[arb] = []
        for j, h in enumerate(t):
            at, bell = j * (m + 1), 1 - h[d] * h[d]
            v = z[at + m]
            x = [ball(c) for c in row]
            first += [*(v * bell * c for c in x), h[d]]
            for k in range(m):
                cross = pulls[d] * bell * x[k]
                out[at + k][at + m] -= cross
                out[at + m][at + k] -= cross
                for n in range(m):
                    out[at + k][at + n] += 2 * pulls[d] * v * h[d] * bell * x[k] * x[n]
        first.append(arb(1))
        for i in range(size):
            for k in range(size):
                out[i][k] += slopes[d] * first[i] * first[k]
    return arb_mat(out)


def krawczyk(question: Question, centre: Sequence[float], radius: float) -> bool:
    """Whether exactly one stationary point of Psi lies in the cube: Krawczyk's operator maps it into its interior."""
    before, ctx.prec = ctx.prec, PRECISION
    try:
        middle = [arb(c) for c in centre]
        size = len(middle)
        inverse = hessian(question, middle).mid().inv().mid()
        rest = arb_mat(size, size, 1) - inverse * hessian(question, [arb(c, radius) for c in centre])
        move = rest * arb_mat(size, 1, [arb(0, radius)] * size) - inverse * gradient(question, middle)
        return all(bool(abs(x) < radius) for x in move.entries())
    except ZeroDivisionError:
        return False
    finally:
        ctx.prec = before
