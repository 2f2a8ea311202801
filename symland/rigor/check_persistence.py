"""Verify a persistence certificate from its specification alone.

This module shares nothing with the code that makes such certificates. It reads the JSON itself, and differentiates the
loss of each sample by second-order forward jets in the parameters and the sample's own inputs, carried through every
node. Their numbers are polynomials with a rest (`check_polynomials`) over the ball of data and the moving box,

    theta = m + sum_a c_a delta^a + V v,   |delta_k| <= eps,   |v_i| <= r_i.

    affine       d2(W a) = W d2a + e_W da^T + da e_W^T
    activation   d2 sigma(s) = sigma'' ds ds^T + sigma' d2s,     with sigma, sigma', sigma'' from one power series
    loss         d2l = sum l_i d2u_i + sum l_ij du_i du_j^T

Then it carries out the test that `symland.rigor.persistence` states, with a matrix Y of its own. The gradient along
the branch is the integral over t of H dc/dt + F delta, so that a monomial of degree j of t (H dc/dt + F delta) is
divided by j.

The preconditioner is Z Y with Z = 1 - sum_k e_k L_k, where L_k is the coefficient of e_k = delta_k / eps in Y H V.

Where the loss is that of softmax, the data's part of it does not change when all outputs move together. With g a unit
vector of such a move, H g = 0 and g^T H = g^T F = 0 for that part: these components are left out of Y and of V.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Any, NamedTuple

import numpy as np
from flint import arb, arb_mat, ctx, fmpq
from numpy.typing import NDArray

from symland.records import Verdict
from symland.rigor.check import CheckResult, _ball, _decimal, _inside, _Network
from symland.rigor.check_activation import GIVEN_UP, Refusal, given_up, need
from symland.rigor.check_matrices import eigenvalue_discs
from symland.rigor.check_polynomials import Polynomial, Space, space
from symland.rigor.check_series import Series, exponential, logistic, read_series, reciprocal, soft
from symland.rigor.strict import Refusal as StrictRefusal
from symland.rigor.strict import digest, need_keys, read_sealed, whole_number

__all__ = ["check_persistence"]

LONGEST_FILE = 10_000_000  # characters
BITS = 160
LARGEST_WORK = 2 * 10**9  # coefficients of all second derivatives of all samples
WEIGHTS = (
    (8, 500),
    (6, 500),
    (4, 650),
    (3, 650),
    (2, 650),
    (1, 800),
)  # orders, and the most coefficients of a number at each
LONGEST_MONOMIAL = 6
SMALL = 2.0**-42  # relative rounding of a few matrix products in float64
KEYS = "basis box branch format index labels loss midpoint moving radius spec spec_digest"

Floats = NDArray[np.float64]
Key = tuple[int, ...]


def check_persistence(text: str | bytes) -> CheckResult:
    """Verify the text of a persistence certificate. Only CERTIFIED is an acceptance."""
    before = ctx.prec
    try:
        need(len(text) <= LONGEST_FILE, f"the file is longer than {LONGEST_FILE} characters")
        values = read_sealed(text)
        need_keys(values, KEYS, "a persistence certificate")
        need(values["format"] == "symland-persistence/2", "unknown format")
        need(values["spec_digest"] == digest(values["spec"]), "the digest does not fit the specification")
        ctx.prec = BITS
        with np.errstate(all="ignore"):
            _verify(values)
    except Refusal as refusal:
        return CheckResult(reason=refusal.args[0], verdict=refusal.args[1])
    except StrictRefusal as refusal:
        return CheckResult(reason=refusal.reason, verdict=refusal.verdict)
    except GIVEN_UP as error:
        return CheckResult(verdict=Verdict.UNDECIDED, reason=given_up(error))
    except Exception as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}: {str(error)[:100]}")
    finally:
        ctx.prec = before
    labels = ", labels" if values["labels"] else ""
    reason = f"it persists within {values['radius']}: existence, uniqueness, index{labels} and loss hold"
    return CheckResult(verdict=Verdict.CERTIFIED, reason=reason)


class _Claim(NamedTuple):
    """What the file says, as exact numbers."""

    moving: list[tuple[int, int]]
    middle: list[arb]
    branch: list[tuple[Key, list[arb]]]
    basis: arb_mat
    edges: list[arb]
    radius: arb


class _Jet(NamedTuple):
    """A value with its first and second derivatives (i <= j); what is not there is zero."""

    value: Polynomial
    first: dict[int, Polynomial]
    second: dict[tuple[int, int], Polynomial]


class _Sums(NamedTuple):
    """Over the boxes: the loss without its penalty, its Hessian, d^2E / d theta dx for moving inputs, and margins."""

    value: Polynomial
    hessian: dict[tuple[int, int], Polynomial]
    mixed: dict[tuple[int, int], Polynomial]
    margins: list[tuple[int, Polynomial]]


def _plus(into: dict[Any, Polynomial], key: Any, more: Polynomial) -> None:
    into[key] = into[key] + more if key in into else more


def _upper(
    left: dict[int, Polynomial], right: dict[int, Polynomial], highest: int
) -> dict[tuple[int, int], Polynomial]:
    """The entries i <= j of left right^T, but for pairs of inputs, whose places begin at `highest`."""
    return {(i, j): a * b for i, a in left.items() if i < highest for j, b in right.items() if i <= j}


class _Calculation:
    """The network over polynomials."""

    def __init__(self, net: _Network, activation: Series, claim: _Claim, among: Space, edges: Sequence[arb]) -> None:
        self.net, self.sigma, self.claim, self.space = net, activation, claim, among
        self.p, self.inputs = net.size, len(net.inputs[0])
        n = len(claim.moving)
        self.theta = []
        for i, m in enumerate(claim.middle):
            terms: dict[Key, arb] = {(): m}
            for key, row in claim.branch:
                terms[key] = row[i] * claim.radius ** len(key)
            for l, r in enumerate(edges):
                terms[(n + l,)] = claim.basis[i, l] * r
            self.theta.append(among.number(terms))
        self.one = among.number({(): arb(1)})

    def run(self) -> _Sums:
        """All samples."""
        net = self.net
        zero = self.space.number({})
        value, margins = zero, []
        hessian: dict[tuple[int, int], Polynomial] = {}
        mixed: dict[tuple[int, int], Polynomial] = {}
        own = {pair: k for k, pair in enumerate(self.claim.moving)}
        for d, row in enumerate(net.inputs):
            x = []
            for k, v in enumerate(row):
                terms: dict[Key, arb] = {(): _ball(v)}
                if (d, k) in own:
                    terms[(own[d, k],)] = self.claim.radius
                x.append(self.space.number(terms))
            u = self._margins(x, net.targets[d])
            margins += [(d, m.value) for m in u]
            loss = self._loss(u)
            value = value + loss.value
            for (i, j), h in loss.second.items():
                if j < self.p:
                    _plus(hessian, (i, j), h)
                elif (d, j - self.p) in own:
                    _plus(mixed, (i, own[d, j - self.p]), h)
        share = self.space.number({(): arb(fmpq(1, len(net.inputs)))})
        return _Sums(
            value * share,
            {key: h * share for key, h in hessian.items()},
            {key: h * share for key, h in mixed.items()},
            margins,
        )

    def _margins(self, x: list[Polynomial], target: Any) -> list[_Jet]:
        net = self.net
        below = [_Jet(v, {self.p + k: self.one}, {}) for k, v in enumerate(x)]
        for rows, offset, end in net.where[:-1]:
            below = [self._activated(self._affine(below, [(1, i)], offset, end)) for i in range(rows)]
        rows, offset, end = net.where[-1]
        sums = [[(1, i)] for i in range(rows)]
        if net.loss != "squared":
            sums = [[(1, i), (-1, target)] for i in range(rows) if i != target] if rows > 1 else [[(1 - 2 * target, 0)]]
        margins = [self._affine(below, signed, offset, end) for signed in sums]
        if net.loss == "squared":
            wanted = [self.space.number({(): _ball(y)}) for y in target]
            return [m._replace(value=m.value - y) for m, y in zip(margins, wanted, strict=True)]
        return margins

    def _affine(self, below: list[_Jet], rows: list[tuple[int, int]], offset: int, end: int) -> _Jet:
        value = self.space.number({})
        first: dict[int, Polynomial] = {}
        second: dict[tuple[int, int], Polynomial] = {}
        for j, a in enumerate(below):
            weight = self.space.number({})
            for sign, i in rows:
                place = offset + i * len(below) + j
                weight = weight + self.theta[place].scaled(sign)
                _plus(first, place, a.value.scaled(sign))
                for i2, g in a.first.items():
                    # A weight above does not stand in what is below.
                    _plus(second, (min(place, i2), max(place, i2)), g.scaled(sign))
            value = value + weight * a.value
            for i, g in a.first.items():
                _plus(first, i, weight * g)
            for key, h in a.second.items():
                _plus(second, key, weight * h)
        for sign, i in rows if self.net.bias else ():
            value = value + self.theta[end + i].scaled(sign)
            _plus(first, end + i, self.one.scaled(sign))
        return _Jet(value, first, second)

    def _activated(self, s: _Jet) -> _Jet:
        f = [s.value.under(_derived(self.sigma, order)) for order in range(3)]
        second = {key: f[1] * h for key, h in s.second.items()}
        for key, h in _upper({i: f[2] * g for i, g in s.first.items()}, s.first, self.p).items():
            _plus(second, key, h)
        return _Jet(f[0], {i: f[1] * g for i, g in s.first.items()}, second)

    def _loss(self, u: list[_Jet]) -> _Jet:
        """The loss of one sample from its margins."""
        value, slope, bend = self._head([m.value for m in u])
        second: dict[tuple[int, int], Polynomial] = {}
        for i, m in enumerate(u):
            for key, h in m.second.items():
                _plus(second, key, slope[i] * h)
            # sum_ij l_ij du_i du_j^T is symmetric: half of it is enough.
            turned: dict[int, Polynomial] = {}
            for j, n in enumerate(u):
                for k, g in n.first.items():
                    _plus(turned, k, bend[i][j] * g)
            for key, h in _upper(m.first, turned, self.p).items():
                _plus(second, key, h)
        return _Jet(value, {}, second)

    def _head(self, u: list[Polynomial]) -> tuple[Polynomial, list[Polynomial], list[list[Polynomial]]]:
        q, nothing = range(len(u)), self.space.number({})
        if self.net.loss == "squared":
            value = nothing
            for m in u:
                value = value + m * m
            two = self.one.scaled(2.0)
            return value, [m.scaled(2.0) for m in u], [[two if i == j else nothing for j in q] for i in q]
        if len(u) == 1:
            p = u[0].under(logistic)
            return u[0].under(soft), [p], [[p * u[0].scaled(-1.0).under(logistic)]]
        logits = [nothing, *u]
        shares = []
        for i, own in enumerate(logits):
            total = self.one
            for k, m in enumerate(logits):
                if k != i:
                    total = total + (m - own).under(exponential)
            shares.append(total.under(reciprocal))
        # -ln of the share of the label, whose logit is 0: ln(1 + sum e^u) = u_k - ln share_k with the largest u_k.
        top = max(range(len(logits)), key=lambda k: float(logits[k].c[0]))
        value = logits[top] + shares[top].under(_minus_log)
        first = shares[1:]
        second = [
            [a * (self.one - a) if i == j else (a * b).scaled(-1.0) for j, b in enumerate(first)]
            for i, a in enumerate(first)
        ]
        return value, first, second


def _minus_log(x: arb, count: int) -> list[arb]:
    """-ln x = -ln c - sum (-1)^(k + 1) ((x - c) / c)^k / k."""
    need(bool(x > 0), "a probability is not bounded away from 0", Verdict.UNDECIDED)
    return [-x.log(), *((-1) ** k / (k * x**k) for k in range(1, count))]


def _derived(series: Series, order: int) -> Series:
    """The series of a derivative, from that of the function."""

    def derived(x: arb, count: int) -> list[arb]:
        found = series(x, count + order)
        for _ in range(order):
            found = [k * c for k, c in enumerate(found)][1:]
        return found

    return derived


def _verify(values: dict[str, Any]) -> None:
    net = _Network(values["spec"])
    claim, low, high = _read(values, net)
    p, n = net.size, len(claim.moving)
    weight = next((w for w, most in WEIGHTS if comb(n + w, w) + p + n * p * (w > 1) <= most), 0)
    among = space(n, p, weight) if weight else space(0, 0, 0)
    work = len(among) * (p + len(net.inputs[0])) ** 2 * len(net.inputs) * sum(net.widths[1:])
    need(work <= LARGEST_WORK, "too large", Verdict.UNDECIDED)
    series = read_series(values["spec"]["activation"])
    _, gradient, hessian = net(claim.middle)
    inverse = (hessian * claim.basis).mid().inv().mid()
    y = np.array([[float(x) for x in row] for row in inverse.tolist()])
    image = np.array([float(x.abs_upper()) for x in (arb_mat(y.tolist()) * gradient).entries()])
    still = _Calculation(net, series, claim, among, [arb(0)] * p).run()
    over = _Calculation(net, series, claim, among, claim.edges)
    sums = over.run()
    test = _Test(net, claim, among, y)
    edges = np.array([float(r) * (1 + 2.0**-50) for r in claim.edges])
    spread, size = test.spread(sums)
    image = size @ (image + test.drift(still)) + spread @ edges
    need(bool((image * (1 + 2.0**-40) < edges * (1 - 2.0**-50)).all()), "Krawczyk's test fails", Verdict.UNDECIDED)
    signs = eigenvalue_discs(hessian)
    need(all(bool(x < 0) or bool(x > 0) for x in signs), "the sign of an eigenvalue is open", Verdict.UNDECIDED)
    need(sum(bool(x < 0) for x in signs) == values["index"], "the index is another")
    penalty, total = among.number({(): _ball(net.penalty)}), sums.value
    for t in over.theta[: net.penalised]:
        total = total + penalty * (t * t)
    _inside(total.bounds(), low, high, "the loss")
    if values["labels"]:
        need(net.loss != "squared", "there are no labels")
        for d, margin in sums.margins:
            found = margin.bounds()
            need(not found > 0, f"the label of sample {d} is wrong")
            need(bool(found < 0), f"the label of sample {d} is not proved to stay right", Verdict.UNDECIDED)


def _read(values: dict[str, Any], net: _Network) -> tuple[_Claim, arb, arb]:
    """The claim, and the bounds of the loss."""
    p, samples, inputs = net.size, len(net.inputs), len(net.inputs[0])
    pairs = values["moving"]
    good = isinstance(pairs, list) and 0 < len(pairs) <= samples * inputs
    need(good and all(isinstance(q, list) and len(q) == 2 for q in pairs), "the moving inputs are malformed")
    need(all(whole_number(d, 0, samples - 1) and whole_number(k, 0, inputs - 1) for d, k in pairs), "no such input")
    moving = [(d, k) for d, k in pairs]
    need(len(set(moving)) == len(moving), "an input moves twice")
    need(whole_number(values["index"], 0, p) and type(values["labels"]) is bool, "index or labels are malformed")

    def row(texts: Any, name: str) -> list[arb]:
        need(isinstance(texts, list) and len(texts) == p, f"{name} has not P numbers")
        return [arb(_decimal(t)) for t in texts]

    terms = values["branch"]
    need(isinstance(terms, list) and all(isinstance(t, list) and len(t) == 2 for t in terms), "the branch is malformed")
    branch = []
    for key, texts in terms:
        need(isinstance(key, list) and 0 < len(key) <= LONGEST_MONOMIAL, "a monomial is malformed")
        need(all(whole_number(k, 0, len(moving) - 1) for k in key), "a monomial has no such input")
        need(key == sorted(key), "a monomial is not sorted")
        branch.append((tuple(key), row(texts, "a coefficient of the branch")))
    need(len({key for key, _ in branch}) == len(branch), "a monomial stands twice")
    basis = values["basis"]
    need(isinstance(basis, list) and len(basis) == p, "the basis has not P rows")
    edges, radius = row(values["box"], "the box"), arb(_decimal(values["radius"]))
    need(bool(radius > 0) and all(bool(r > 0) for r in edges), "a radius is not positive")
    need(isinstance(values["loss"], list) and len(values["loss"]) == 2, "the loss is not a pair")
    low, high = (arb(_decimal(t)) for t in values["loss"])
    matrix = arb_mat([row(texts, "a row of the basis") for texts in basis])
    return _Claim(moving, row(values["midpoint"], "the midpoint"), branch, matrix, edges, radius), low, high


class _Test:
    """Krawczyk's test on matrices of polynomials; rounding in float64 is bounded by SMALL times the sizes."""

    def __init__(self, net: _Network, claim: _Claim, among: Space, y: Floats) -> None:
        self.claim, self.space, self.y = claim, among, y
        self.p, self.n = net.size, len(claim.moving)
        v = np.array([[float(x) for x in row] for row in claim.basis.tolist()])
        penalty = 2 * float(net.penalty)
        self.twice = np.array([penalty if k < net.penalised else 0.0 for k in range(self.p)])
        away = np.eye(self.p)
        rows, offset, end = net.where[-1]
        if net.loss == "softmax":
            width = net.widths[-2]
            moves = [[offset + i * width + j for i in range(rows)] for j in range(width)]
            moves += [[end + i for i in range(rows)]] if net.bias else []
            for places in moves:
                away[np.ix_(places, places)] -= 1.0 / rows
        self.away, self.left, self.right, self.v = away, y @ away, away @ v, v

    def _matrices(self, entries: dict[tuple[int, int], Polynomial], width: int, twin: bool) -> tuple[Floats, Floats]:
        """Coefficients (K, P, width) and rests (P, width)."""
        found, rests = np.zeros((len(self.space), self.p, width)), np.zeros((self.p, width))
        for (i, j), h in entries.items():
            for a, b in {(i, j), (j, i)} if twin else {(i, j)}:
                found[:, a, b], rests[a, b] = h.c, h.rest
        return found, rests

    def spread(self, sums: _Sums) -> tuple[Floats, Floats]:
        """|I - Z Y H V| and |Z| (P, P); Z = 1 where what is linear in delta is not kept."""
        hessian, rests = self._matrices(sums.hessian, self.p, True)
        turned = self.left @ hessian @ self.right
        turned[0] = turned[0] + (self.y * self.twice) @ self.v
        sizes = np.abs(self.left) @ np.abs(hessian).sum(axis=0) @ np.abs(self.right)
        sizes = sizes + (np.abs(self.y) * self.twice) @ np.abs(self.v) + 1.0
        rest = np.abs(self.left) @ rests @ np.abs(self.right) + SMALL * sizes
        if self.space.weight < 2:
            turned[0] = np.eye(self.p) - turned[0]
            return np.abs(turned).sum(axis=0) + rest, np.eye(self.p)
        # Z Y H V = Y H V - sum_k e_k L_k Y H V with L_k the coefficient of e_k; it should be I.
        product = turned.copy()
        size, beyond = np.eye(self.p), np.zeros((self.p, self.p))
        for k in range(self.n):
            linear = turned[self.space.where[(k,)]]
            size = size + np.abs(linear)
            for i, a in enumerate(self.space.exponents):
                term = linear @ turned[i]
                place = self.space.where.get(tuple(sorted((*a, k))))
                if place is None:
                    beyond += np.abs(term)
                else:
                    product[place] -= term
        product[0] = np.eye(self.p) - product[0]
        found: Floats = np.abs(product).sum(axis=0) + beyond + size @ rest
        return found + SMALL * (size @ np.abs(turned).sum(axis=0)), size

    def drift(self, sums: _Sums) -> Floats:
        """|Y (f(c(delta), x_0 + delta) - f(m, x_0))| (P,), from the sums for v = 0."""
        radius = float(self.claim.radius)
        hessian, rests = self._matrices(sums.hessian, self.p, True)
        mixed, more = self._matrices(sums.mixed, self.n, False)
        steps = np.array([[len(a) * float(x) * radius ** len(a) for x in row] for a, row in self.claim.branch])
        steps = steps.reshape(-1, self.p)
        first, second, names = _places(self.space, tuple(b for b, _ in self.claim.branch), self.n)
        total = np.zeros((len(names), self.p))
        reach = np.abs(steps).sum(axis=0)
        sizes = np.zeros(self.p)
        for k, a in enumerate(self.space.exponents):
            if a and a[-1] >= self.n:
                continue
            slopes = self.left @ hessian[k] @ self.away
            if not a:
                slopes = slopes + self.y * self.twice
            moved = slopes @ steps.T
            sizes += np.abs(self.left) @ (np.abs(hessian[k]) @ (np.abs(self.away) @ reach))
            pushed = radius * (self.left @ mixed[k])
            sizes += radius * (np.abs(self.left) @ np.abs(mixed[k])).sum(axis=1)
            # For one a the products a b are different monomials.
            total[first[k]] += moved.T
            total[second[k]] += pushed.T
        sizes += np.abs(self.y) @ (self.twice * reach)
        rest = np.abs(self.left) @ (rests @ (np.abs(self.away) @ reach) + radius * more.sum(axis=1)) + SMALL * sizes
        degrees = np.array([len(key) for key in names], dtype=np.float64)
        found: Floats = rest + (np.abs(total) / degrees[:, None]).sum(axis=0)
        return found


@lru_cache(maxsize=8)
def _places(among: Space, branch: tuple[Key, ...], n: int) -> tuple[list[list[int]], list[list[int]], list[Key]]:
    """For each exponent a without a v, the places of its products with the branch's monomials and with each delta."""
    names: dict[Key, int] = {}

    def places(a: Key, others: Sequence[Key]) -> list[int]:
        return [names.setdefault(tuple(sorted(a + b)), len(names)) for b in others]

    plain = [() if a and a[-1] >= n else (a,) for a in among.exponents]
    single = [(c,) for c in range(n)]
    first = [places(a[0], branch) if a else [] for a in plain]
    second = [places(a[0], single) if a else [] for a in plain]
    return first, second, list(names)
