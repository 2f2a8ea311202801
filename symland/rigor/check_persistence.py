"""Verify a persistence certificate from its specification alone.

This module shares nothing with the code that makes such certificates. It reads the JSON itself and differentiates the
loss by third-order forward jets in the parameters and the inputs of each sample, carried through every node: value,
gradient g, Hessian H, and the derivative T of H along each of the directions w of the certificate,

    affine       d(W a) = W T_a + w_W H_a + e_W (H_a w)^T + (H_a w) e_W^T
    activation   T = s''' (g w) g g^T + s'' ((g w) H + (H w) g^T + g (H w)^T) + s' T_s
    loss         T = sum l_i T_i + sum l_ij ((g_j w) H_i + (H_i w) g_j^T + g_i (H_j w)^T) + sum l_ijk (g_k w) g_i g_j^T

Then it carries out the test that `symland.rigor.persistence` states, with a matrix Y of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

from flint import arb, arb_mat, ctx

from symland.records import Verdict
from symland.rigor.check import (
    CheckResult,
    _ball,
    _decimal,
    _eigenvalues,
    _head,
    _inside,
    _Network,
    _sum,
)
from symland.rigor.check_activation import Refusal, need
from symland.rigor.strict import Refusal as StrictRefusal
from symland.rigor.strict import digest, need_keys, read_sealed, whole_number

__all__ = ["check_persistence"]

LONGEST_FILE = 10_000_000  # characters
BITS = 160
LARGEST_WORK = 10**8  # directions times P^2 times samples times nodes
KEYS = "basis box format index labels loss midpoint moving radius slopes spec spec_digest"
_AROUND = arb(0, 1)

Four = tuple[arb, arb, arb, arb]


def check_persistence(text: str | bytes) -> CheckResult:
    """Verify the text of a persistence certificate. Only CERTIFIED is an acceptance."""
    before = ctx.prec
    try:
        need(len(text) <= LONGEST_FILE, f"the file is longer than {LONGEST_FILE} characters")
        values = read_sealed(text)
        need_keys(values, KEYS, "a persistence certificate")
        need(values["format"] == "symland-persistence/1", "unknown format")
        need(values["spec_digest"] == digest(values["spec"]), "the digest does not fit the specification")
        ctx.prec = BITS
        _verify(values)
    except Refusal as refusal:
        return CheckResult(reason=refusal.args[0], verdict=refusal.args[1])
    except StrictRefusal as refusal:
        return CheckResult(reason=refusal.reason, verdict=refusal.verdict)
    except ZeroDivisionError:
        return CheckResult(verdict=Verdict.UNDECIDED, reason="the Hessian cannot be inverted at the midpoint")
    except Exception as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}: {str(error)[:100]}")
    finally:
        ctx.prec = before
    labels = ", labels" if values["labels"] else ""
    reason = f"it persists within {values['radius']}: existence, uniqueness, index{labels} and loss hold"
    return CheckResult(verdict=Verdict.CERTIFIED, reason=reason)


class _Jet(NamedTuple):
    value: arb
    gradient: arb_mat
    hessian: arb_mat
    third: list[arb_mat]


class _Sums(NamedTuple):
    """Over a box: the loss, its gradient, Hessian and third derivatives by theta and moving inputs; each margin."""

    value: arb
    gradient: arb_mat
    hessian: arb_mat
    mixed: arb_mat
    by_input: list[arb]
    third: list[arb_mat]
    mixed_third: list[arb_mat]
    margins: list[tuple[int, arb, arb_mat]]


class _Question:
    """The network, the moving inputs, and the directions of a certificate."""

    def __init__(self, spec: dict[str, Any], moving: Sequence[tuple[int, int]], basis: arb_mat, slope: arb_mat) -> None:
        self.network = network = _Network(spec)
        self.sigma = _third_order(spec["activation"])
        self.moving, self.inputs = list(moving), len(network.inputs[0])
        self.size = network.size
        work = (self.size + len(moving)) * self.size**2 * len(network.inputs) * sum(network.widths)
        need(work <= LARGEST_WORK, "too large", Verdict.UNDECIDED)
        columns = [*basis.transpose().tolist(), *slope.transpose().tolist()]
        self.columns = columns

    def directions(self, d: int) -> list[arb_mat]:
        """The directions as seen by sample d: parameters, then its own inputs."""
        out = []
        for place, column in enumerate(self.columns):
            own = [arb(0)] * self.inputs
            number = place - self.size
            if number >= 0 and self.moving[number][0] == d:
                own[self.moving[number][1]] = arb(1)
            out.append(arb_mat(self.size + self.inputs, 1, [*column, *own]))
        return out

    def __call__(self, theta: list[arb], around: arb, third: bool) -> _Sums:
        """Everything over a box of parameters, the moving inputs being within `around` of the given ones."""
        net, p, n = self.network, self.size, len(self.moving)
        mean = 1 / arb(len(net.inputs))
        value, gradient, hessian = arb(0), arb_mat(p, 1), arb_mat(p, p)
        count = len(self.columns) if third else 0
        thirds, mixed_thirds = [arb_mat(p, p) for _ in range(count)], [arb_mat(p, n) for _ in range(count)]
        mixed, by_input = arb_mat(p, n), [arb(0)] * n
        margins = []
        for d, row in enumerate(net.inputs):
            x = [_ball(v) for v in row]
            for sample, k in self.moving:
                if sample == d:
                    x[k] = x[k] + around * _AROUND
            along = self.directions(d) if third else []
            u = self._margins(theta, x, net.targets[d], along)
            margins += [(d, m.value, m.gradient) for m in u]
            jet = _loss(net.loss, u, along)
            value += mean * jet.value
            for i in range(p):
                gradient[i, 0] += mean * jet.gradient[i, 0]
                for j in range(p):
                    hessian[i, j] += mean * jet.hessian[i, j]
                    for l in range(count):
                        thirds[l][i, j] += mean * jet.third[l][i, j]
                for column, (sample, k) in enumerate(self.moving):
                    if sample == d:
                        mixed[i, column] += mean * jet.hessian[i, p + k]
                        for l in range(count):
                            mixed_thirds[l][i, column] += mean * jet.third[l][i, p + k]
            for column, (sample, k) in enumerate(self.moving):
                if sample == d:
                    by_input[column] += mean * jet.gradient[p + k, 0]
        penalty = _ball(net.penalty)
        for k in range(net.penalised):
            value += penalty * theta[k] * theta[k]
            gradient[k, 0] += 2 * penalty * theta[k]
            hessian[k, k] += 2 * penalty
        return _Sums(value, gradient, hessian, mixed, by_input, thirds, mixed_thirds, margins)

    def _margins(self, theta: list[arb], x: list[arb], target: Any, along: list[arb_mat]) -> list[_Jet]:
        net, size = self.network, self.size + self.inputs
        below = []
        for k, v in enumerate(x):
            gradient = arb_mat(size, 1)
            gradient[self.size + k, 0] = 1
            below.append(_Jet(v, gradient, arb_mat(size, size), [arb_mat(size, size) for _ in along]))
        for rows, offset, end in net.where[:-1]:
            nodes = [self._affine(theta, below, [(1, i)], offset, end, along) for i in range(rows)]
            below = [self._activated(s, along) for s in nodes]
        rows, offset, end = net.where[-1]
        sums = [[(1, i)] for i in range(rows)]
        if net.loss != "squared":
            sums = [[(1, i), (-1, target)] for i in range(rows) if i != target] if rows > 1 else [[(1 - 2 * target, 0)]]
        margins = [self._affine(theta, below, signed, offset, end, along) for signed in sums]
        if net.loss == "squared":
            return [m._replace(value=m.value - _ball(target[i])) for i, m in enumerate(margins)]
        return margins

    def _affine(
        self,
        theta: list[arb],
        below: list[_Jet],
        rows: list[tuple[int, int]],
        offset: int,
        end: int,
        along: list[arb_mat],
    ) -> _Jet:
        size, n = self.size + self.inputs, len(below)
        value, gradient, hessian = arb(0), arb_mat(size, 1), arb_mat(size, size)
        third = [arb_mat(size, size) for _ in along]
        for j, a in enumerate(below):
            weight = _sum(sign * theta[offset + i * n + j] for sign, i in rows)
            value += weight * a.value
            gradient += weight * a.gradient
            hessian += weight * a.hessian
            turned = [a.hessian * w for w in along]
            for l, w in enumerate(along):
                moved = _sum(sign * w[offset + i * n + j, 0] for sign, i in rows)
                third[l] += weight * a.third[l] + moved * a.hessian
            for sign, i in rows:
                k = offset + i * n + j
                unit = arb_mat(size, 1)
                unit[k, 0] = sign
                gradient += a.value * unit
                hessian += unit * a.gradient.transpose() + a.gradient * unit.transpose()
                for l, vector in enumerate(turned):
                    third[l] += unit * vector.transpose() + vector * unit.transpose()
        for sign, i in rows if self.network.bias else ():
            value += sign * theta[end + i]
            gradient[end + i, 0] += sign
        return _Jet(value, gradient, hessian, third)

    def _activated(self, s: _Jet, along: list[arb_mat]) -> _Jet:
        f, d, e, t = self.sigma(s.value)
        g, h = s.gradient, s.hessian
        outer = g * g.transpose()
        third = []
        for l, w in enumerate(along):
            slope, turned = (g.transpose() * w)[0, 0], h * w
            bent = slope * h + turned * g.transpose() + g * turned.transpose()
            third.append(t * slope * outer + e * bent + d * s.third[l])
        return _Jet(f, d * g, e * outer + d * h, third)


def _loss(loss: str, u: list[_Jet], along: list[arb_mat]) -> _Jet:
    """The loss of one sample from the jets of its margins."""
    value, first, second = _head(loss, [m.value for m in u])
    size = u[0].gradient.nrows()
    gradient, hessian = arb_mat(size, 1), arb_mat(size, size)
    q = range(len(u))
    for i in q:
        gradient += first[i] * u[i].gradient
        hessian += first[i] * u[i].hessian
        for j in q:
            hessian += second[i][j] * u[i].gradient * u[j].gradient.transpose()
    third = []
    cubes = _third_head(loss, first, second)
    for l, w in enumerate(along):
        slopes = [(m.gradient.transpose() * w)[0, 0] for m in u]
        turned = [m.hessian * w for m in u]
        total = arb_mat(size, size)
        for i in q:
            total += first[i] * u[i].third[l]
            for j in q:
                bent = slopes[j] * u[i].hessian + turned[i] * u[j].gradient.transpose()
                total += second[i][j] * (bent + u[i].gradient * turned[j].transpose())
                outer = u[i].gradient * u[j].gradient.transpose()
                total += _sum(cubes[i, j, k] * slopes[k] for k in q) * outer
        third.append(total)
    return _Jet(value, gradient, hessian, third)


def _third_head(loss: str, p: list[arb], second: list[list[arb]]) -> dict[tuple[int, int, int], arb]:
    """Third derivatives of the head: those of ln(1 + sum exp u_i) are the third cumulants of the classes."""
    q = range(len(p))
    if loss == "squared":
        return {(i, j, k): arb(0) for i, j, k in product(q, repeat=3)}
    if len(p) == 1:
        return {(0, 0, 0): second[0][0] * (1 - 2 * p[0])}
    found = {}
    for i, j, k in product(q, repeat=3):
        # d(p_i 1_(i = j) - p_i p_j) / du_k with dp_i / du_k = second[i][k].
        same = second[i][k] if i == j else arb(0)
        found[i, j, k] = same - second[i][k] * p[j] - p[i] * second[j][k]
    return found


def _third_order(text: str) -> Callable[[arb], Four]:
    """sigma and three derivatives of a named activation over a ball."""
    known: dict[str, Callable[[arb], Four]] = {
        "tanh": _tanh,
        "sigmoid": _sigmoid,
        "softplus": lambda x: (x.lower().exp().log1p().union(x.upper().exp().log1p()), *_sigmoid(x)[:3]),
        "sin": lambda x: (x.sin(), x.cos(), -x.sin(), -x.cos()),
        "erf": _erf,
    }
    names = ", ".join(known)
    if text not in known:
        raise Refusal(f"third derivatives are known here of {names} alone", Verdict.UNDECIDED)
    return known[text]


def _tanh(x: arb) -> Four:
    t = x.lower().tanh().union(x.upper().tanh())
    least, most = (y.sech() ** 2 for y in (x.abs_upper(), x.abs_lower()))
    slope = least.union(most)
    return t, slope, -2 * t * slope, slope * (6 * _square(t) - 2)


def _sigmoid(x: arb) -> Four:
    g = (1 / (1 + (-x.lower()).exp())).union(1 / (1 + (-x.upper()).exp()))
    half = (x / 2).abs_lower(), (x / 2).abs_upper()
    slope = (half[0].sech() ** 2 / 4).union(half[1].sech() ** 2 / 4)
    t = 2 * g - 1
    return g, slope, -slope * t, slope * (3 * _square(t) - 1) / 2


def _erf(x: arb) -> Four:
    least, most = (2 * (-y * y).exp() / arb.pi().sqrt() for y in (x.abs_upper(), x.abs_lower()))
    bell = least.union(most)
    value = x.lower().erf().union(x.upper().erf())
    return value, bell, -2 * x * bell, bell * (4 * _square(x) - 2)


def _square(x: arb) -> arb:
    low, high = x.abs_lower(), x.abs_upper()
    return (low * low).union(high * high)


def _matrix(rows: Any, height: int, width: int, name: str) -> arb_mat:
    need(isinstance(rows, list) and len(rows) == height, f"{name} has not P rows")
    need(all(isinstance(row, list) and len(row) == width for row in rows), f"a row of {name} has another length")
    return arb_mat([[arb(_decimal(t)) for t in row] for row in rows])


def _verify(values: dict[str, Any]) -> None:
    net = _Network(values["spec"])
    p, samples, inputs = net.size, len(net.inputs), len(net.inputs[0])
    pairs = values["moving"]
    good = isinstance(pairs, list) and 0 < len(pairs) <= samples * inputs
    need(good and all(isinstance(q, list) and len(q) == 2 for q in pairs), "the moving inputs are malformed")
    need(all(whole_number(d, 0, samples - 1) and whole_number(k, 0, inputs - 1) for d, k in pairs), "no such input")
    moving = [(d, k) for d, k in pairs]
    need(len(set(moving)) == len(moving), "an input moves twice")
    need(whole_number(values["index"], 0, p) and type(values["labels"]) is bool, "index or labels are malformed")
    middle = [x[0] for x in _matrix([[t] for t in values["midpoint"]], p, 1, "the midpoint").tolist()]
    edges = [x[0] for x in _matrix([[t] for t in values["box"]], p, 1, "the box").tolist()]
    slope, basis = _matrix(values["slopes"], p, len(moving), "slopes"), _matrix(values["basis"], p, p, "the basis")
    radius = arb(_decimal(values["radius"]))
    need(bool(radius > 0) and all(bool(r > 0) for r in edges), "a radius is not positive")
    need(isinstance(values["loss"], list) and len(values["loss"]) == 2, "the loss is not a pair")
    low, high = (arb(_decimal(t)) for t in values["loss"])
    question = _Question(values["spec"], moving, basis, slope)
    question.sigma(arb(0))
    at = question(middle, arb(0), False)
    inverse = (at.hessian * basis).mid().inv().mid()
    hull = [
        m + radius * _AROUND * _sum(map(abs, js)) + _AROUND * _sum(abs(v) * r for v, r in zip(vs, edges, strict=True))
        for m, js, vs in zip(middle, slope.tolist(), basis.tolist(), strict=True)
    ]
    over = question(hull, radius, True)
    _contracts(question, at, over, inverse, basis, slope, radius, edges)
    signs = _eigenvalues(at.hessian)
    need(all(bool(x < 0) or bool(x > 0) for x in signs), "the sign of an eigenvalue is open", Verdict.UNDECIDED)
    need(sum(bool(x < 0) for x in signs) == values["index"], "the index is another")
    spread = radius * _sum(map(abs, over.by_input))
    for row, r in zip((basis.transpose() * over.hessian * basis).tolist(), edges, strict=True):
        spread += r * _sum(abs(x) * s for x, s in zip(row, edges, strict=True)) / 2
    _inside(at.value + spread * _AROUND, low, high, "the loss")
    if values["labels"]:
        need(net.loss != "squared", "there are no labels")
        _labels(question, at, over, basis, slope, radius, edges)


def _contracts(
    question: _Question,
    at: _Sums,
    over: _Sums,
    inverse: arb_mat,
    basis: arb_mat,
    slope: arb_mat,
    radius: arb,
    edges: list[arb],
) -> None:
    """Krawczyk's test with mean value forms."""
    p = question.size
    image = [abs(x) for x in (inverse * at.gradient).entries()]
    first = (inverse * (at.hessian * slope + at.mixed)).tolist()
    spread = [[abs(x) for x in row] for row in (arb_mat(p, p, 1) - inverse * at.hessian * basis).tolist()]
    for i in range(p):
        image[i] += radius * _sum(map(abs, first[i]))
    for l, third in enumerate(over.third):
        turned = inverse * third
        times = edges[l] if l < p else radius
        for i, row in enumerate((turned * basis).tolist()):
            for j, x in enumerate(row):
                spread[i][j] += times * abs(x)
        if l >= p:
            for i, row in enumerate((turned * slope + inverse * over.mixed_third[l]).tolist()):
                image[i] += radius * radius / 2 * _sum(map(abs, row))
    for i in range(p):
        image[i] += _sum(c * r for c, r in zip(spread[i], edges, strict=True))
    need(all(bool(k < r) for k, r in zip(image, edges, strict=True)), "Krawczyk's test fails", Verdict.UNDECIDED)


def _labels(
    question: _Question, at: _Sums, over: _Sums, basis: arb_mat, slope: arb_mat, radius: arb, edges: list[arb]
) -> None:
    """Every margin z_i - z_label is negative all over the ball."""
    p = question.size
    for (d, value, _), (_, _, gradient) in zip(at.margins, over.margins, strict=True):
        need(not value > 0, f"the label of sample {d} is wrong at the given data")
        by_theta = arb_mat(1, p, [gradient[i, 0] for i in range(p)])
        change = _sum(abs(x) * r for x, r in zip((by_theta * basis).entries(), edges, strict=True))
        for column, x in enumerate((by_theta * slope).entries()):
            sample, k = question.moving[column]
            change += radius * abs(x + gradient[p + k, 0] if sample == d else x)
        need(bool(value + change < 0), f"the label of sample {d} is not proved to stay right", Verdict.UNDECIDED)
