"""Verify a certified event, a fold or a pitchfork in the penalty, from its question alone.

Nothing here is shared with the code that makes such certificates: the loss is written again over power series of balls,
E(theta + t u) = sum_k t^k D^kE[u, ..., u] / k!, and mixed derivatives come by polarisation,

    2 D^2[a, b] = D^2(a + b) - D^2(a) - D^2(b),
    6 D^3[a, b, c] = D^3(a + b + c) - D^3(a + b) - D^3(a + c) - D^3(b + c) + D^3(a) + D^3(b) + D^3(c).

What is verified, in this order:

1. every element named maps the samples onto themselves, and flips nodes only where the activation is odd;
2. the rows B span all vectors that the elements fix and that are orthogonal to the gauge, the rows C (at a pitchfork)
   those that the kept elements fix, orthogonal to B and to the gauge: ranks over the rationals;
3. Krawczyk's test for ( B grad E, C H v, l . w - 1 ) at theta = B^T z, v = C^T w in the cube that is given;
4. the two numbers that exclude a degenerate event do not vanish, with the signs that are claimed;
5. H + sum (g v)(g v)^T has no zero eigenvalue and as many negative ones as claimed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import factorial
from typing import Any

from flint import arb, arb_mat, arb_series, ctx, fmpq, fmpq_mat

from symland.records import Verdict
from symland.rigor.check import CheckResult
from symland.rigor.check_activation import GIVEN_UP, Refusal, given_up, need
from symland.rigor.strict import digest

__all__ = ["FORMAT", "check_event", "check_followed"]

FORMAT = "symland-event/1"

SPARE_BITS = 80
"""Bits beyond those of the longest number."""

MOST_CHARACTERS = 2000
"""Of one number."""

MOST_PARAMETERS = 200
MOST_SAMPLES = 2000

_KEYS = {
    "format",
    "spec",
    "kind",
    "elements",
    "kept",
    "inside",
    "across",
    "row",
    "z",
    "w",
    "penalty",
    "radius",
    "value",
    "index",
    "degree",
    "transversal",
    "seal",
}

Series = Callable[[arb_series], arb_series]


def _tanh(s: arb_series) -> arb_series:
    return 1 - 2 / ((2 * s).exp() + 1)


def _sigmoid(s: arb_series) -> arb_series:
    return 1 / ((-s).exp() + 1)


_ACTIVATIONS: dict[str, tuple[Series, bool]] = {
    "tanh": (_tanh, True),
    "sigmoid": (_sigmoid, False),
    "softplus": (lambda s: (s.exp() + 1).log(), False),
    "sin": (lambda s: s.sin(), True),
    "erf": (lambda s: s.erf(), True),
}
"""Each activation over power series, and whether it is odd."""


def _number(text: Any) -> Fraction:
    need(isinstance(text, str) and len(text) <= MOST_CHARACTERS, "a number is no text")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise Refusal("a number cannot be read", Verdict.REFUTED) from None


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def whole_rows(rows: Any, size: int) -> list[list[int]]:
    good = isinstance(rows, list) and all(
        isinstance(r, list) and len(r) == size and all(type(x) is int and abs(x) < 10**6 for x in r) for r in rows
    )
    need(good, "a basis is not made of rows of integers")
    return [list(r) for r in rows]


class Question:
    """The network and its data, read from the specification; one hidden layer or more, softmax or logistic."""

    def __init__(self, spec: Any) -> None:
        need(isinstance(spec, dict), "the specification is missing")
        need(spec.get("penalised") == "all", "only a penalty on every parameter is known here", Verdict.UNDECIDED)
        need(spec.get("loss") == "softmax", "only the loss softmax is known here", Verdict.UNDECIDED)
        need(spec.get("activation") in _ACTIVATIONS, "the activation is not known here", Verdict.UNDECIDED)
        need(spec.get("bias") is True, "only networks with biases are known here", Verdict.UNDECIDED)
        self.sigma, self.odd = _ACTIVATIONS[spec["activation"]]
        self.x = [[_number(cell) for cell in row] for row in spec["inputs"]]
        self.labels = list(spec["targets"])
        self.outputs = spec["outputs"]
        self.widths = [len(self.x[0]), *spec["hidden"], self.outputs]
        need(all(type(n) is int and 0 < n < 1000 for n in self.widths), "a width is not a positive integer")
        need(0 < len(self.x) <= MOST_SAMPLES and len(self.labels) == len(self.x), "the samples do not fit")
        need(all(len(r) == self.widths[0] for r in self.x), "the samples do not fit")
        need(all(type(c) is int and 0 <= c < self.outputs for c in self.labels), "a label is out of range")
        pairs = list(zip(self.widths, self.widths[1:], strict=False))
        self.weights, at = [], 0
        for n, m in pairs:
            self.weights.append(at)
            at += n * m
        self.biases = []
        for _, m in pairs:
            self.biases.append(at)
            at += m
        self.size = at
        need(self.size <= MOST_PARAMETERS, "the network is too large for this check", Verdict.UNDECIDED)

    def along(self, theta: list[arb], u: list[arb], order: int) -> list[arb]:
        """E without the penalty: D^kE[u, ..., u] for k = 0 ... order."""
        line = [arb_series([a, b], prec=order + 1) for a, b in zip(theta, u, strict=True)]
        total = arb_series([0], prec=order + 1)
        last = len(self.widths) - 2
        for x, label in zip(self.x, self.labels, strict=True):
            a = [arb_series([_ball(cell)], prec=order + 1) for cell in x]
            for layer, start in enumerate(self.weights):
                n, m = self.widths[layer], self.widths[layer + 1]
                s = []
                for j in range(m):
                    here = line[self.biases[layer] + j]
                    for k in range(n):
                        here = here + line[start + j * n + k] * a[k]
                    s.append(here)
                a = s if layer == last else [self.sigma(y) for y in s]
            odds = arb_series([1], prec=order + 1)
            for i, z in enumerate(a):
                if i != label:
                    odds = odds + (z - a[label]).exp()
            total = total + odds.log()
        count = len(self.x)
        found = [c / count for c in total.coeffs()]
        found += [arb(0)] * (order + 1 - len(found))
        return [factorial(k) * c for k, c in enumerate(found)]

    def permutation(self, element: Any) -> list[tuple[int, int]]:
        """(place, sign) of every parameter under an element, which must be a symmetry of the loss."""
        keys = {"inputs", "input_signs", "outputs", "output_signs", "places", "signs"}
        need(isinstance(element, dict) and set(element) == keys, "the keys are not those of an element")
        lists = [element["inputs"], *element["places"], element["outputs"]]
        signs = [element["input_signs"], *element["signs"], element["output_signs"]]
        need(len(lists) == len(self.widths) == len(signs), "an element does not fit the layers")
        for places, flips, n in zip(lists, signs, self.widths, strict=True):
            need(sorted(places) == list(range(n)) and len(flips) == n, "an element is no permutation")
            need(all(type(p) is int for p in places) and all(s in (1, -1) for s in flips), "an element has no signs")
        need(all(s == 1 for s in signs[-1]), "softmax outputs cannot be flipped")
        need(self.odd or all(s == 1 for flips in signs[1:-1] for s in flips), "a node of no odd activation is flipped")
        moved = []
        for row, label in zip(self.x, self.labels, strict=True):
            image = [Fraction(0)] * self.widths[0]
            for k, value in enumerate(row):
                image[lists[0][k]] = signs[0][k] * value
            moved.append((tuple(image), lists[-1][label]))
        need(sorted(moved) == sorted((tuple(r), c) for r, c in zip(self.x, self.labels, strict=True)), "the data move")
        found = [(0, 0)] * self.size
        for layer, start in enumerate(self.weights):
            n, m = self.widths[layer], self.widths[layer + 1]
            for j in range(m):
                to, sign = lists[layer + 1][j], signs[layer + 1][j]
                for k in range(n):
                    found[start + j * n + k] = (start + to * n + lists[layer][k], sign * signs[layer][k])
                found[self.biases[layer] + j] = (self.biases[layer] + to, sign)
        return found

    def gauge(self) -> list[list[int]]:
        """The directions that add one number to all outputs."""
        n, start, rows = self.widths[-2], self.weights[-1], []
        for k in range(n):
            rows.append(
                [int(p >= start and p < start + n * self.outputs and (p - start) % n == k) for p in range(self.size)]
            )
        first = self.biases[-1]
        rows.append([int(first <= p < first + self.outputs) for p in range(self.size)])
        return rows


def fixed_rows(moves: Sequence[list[tuple[int, int]]], size: int) -> list[list[int]]:
    """Rows whose common kernel is what the elements fix."""
    rows = []
    for move in moves:
        for p, (place, sign) in enumerate(move):
            row = [0] * size
            row[place] += 1
            row[p] -= sign
            if any(row):
                rows.append(row)
    return rows


def _rank(rows: list[list[int]], size: int) -> int:
    return int(fmpq_mat(len(rows), size, [fmpq(x) for r in rows for x in r]).rank()) if rows else 0


def need_span(basis: list[list[int]], conditions: list[list[int]], size: int, name: str) -> None:
    """The basis spans exactly the kernel of the conditions."""
    for row in basis:
        need(all(sum(a * b for a, b in zip(row, c, strict=True)) == 0 for c in conditions), f"{name} leaves its space")
    need(_rank(basis, size) == len(basis), f"{name} is dependent")
    need(len(basis) == size - _rank(conditions, size), f"{name} does not span its space")


class _Derivatives:
    """Derivatives of the whole loss at one box, by polarisation."""

    def __init__(self, question: Question, theta: list[arb], penalty: arb) -> None:
        self.question, self.theta, self.penalty = question, theta, penalty

    def first(self, a: list[arb]) -> arb:
        return self.question.along(self.theta, a, 1)[1] + 2 * self.penalty * _dot(self.theta, a)

    def gradients(self, rows: list[list[arb]]) -> list[arb]:
        return [self.first(a) for a in rows]

    def forms(self, rows: list[list[arb]], order: int, *fixed: list[arb]) -> list[list[arb]]:
        """D^order[fixed ..., a, b] of the data term for all rows a, b; order 2 or 3."""
        cache: dict[tuple[int, ...], arb] = {}
        pool = [*rows, *fixed]

        def power(*which: int) -> arb:
            key = tuple(sorted(which))
            if key not in cache:
                u = [sum((pool[k][p] for k in key), arb(0)) for p in range(self.question.size)]
                cache[key] = self.question.along(self.theta, u, order)[order]
            return cache[key]

        n = len(rows)
        table = [[arb(0)] * n for _ in range(n)]
        for i in range(n):
            for j in range(i, n):
                if order == 2:
                    value = (power(i, j) - power(i) - power(j)) / 2
                else:
                    pairs = power(i, j) + power(i, n) + power(j, n)
                    value = (power(i, j, n) - pairs + power(i) + power(j) + power(n)) / 6
                table[i][j] = table[j][i] = value
        return table

    def hessian(self, rows: list[list[arb]]) -> list[list[arb]]:
        data = self.forms(rows, 2)
        return [[data[i][j] + 2 * self.penalty * _dot(a, b) for j, b in enumerate(rows)] for i, a in enumerate(rows)]


def _dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    return sum((x * y for x, y in zip(a, b, strict=True)), arb(0))


def _combine(rows: list[list[int]], numbers: list[arb], size: int) -> list[arb]:
    return [sum((n * r[p] for n, r in zip(numbers, rows, strict=True)), arb(0)) for p in range(size)]


def check_event(values: Any) -> CheckResult:
    """Whether a certificate of an event holds; REFUTED for what is malformed or false, UNDECIDED for what is open."""
    before = ctx.prec
    try:
        _verify(values)
    except Refusal as refusal:
        reason, verdict = refusal.args
        return CheckResult(verdict=verdict, reason=str(reason))
    except GIVEN_UP as error:
        return CheckResult(verdict=Verdict.UNDECIDED, reason=given_up(error))
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError) as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}")
    finally:
        ctx.prec = before
    return CheckResult(verdict=Verdict.CERTIFIED, reason="the event is proved")


def _verify(values: Any) -> None:
    need(isinstance(values, dict) and set(values) == _KEYS, "the keys are not those of an event")
    need(values["format"] == FORMAT, "unknown format")
    content = {key: value for key, value in values.items() if key != "seal"}
    need(values["seal"] == digest(content), "the seal does not fit the content")
    need(values["kind"] in ("fold", "pitchfork"), "only folds and pitchforks are known here", Verdict.UNDECIDED)
    question, fold = Question(values["spec"]), values["kind"] == "fold"
    size = question.size
    moves = [question.permutation(e) for e in values["elements"]]
    kept = values["kept"]
    need(all(type(k) is int and 0 <= k < len(moves) for k in kept), "a kept element is not named")
    inside, across = whole_rows(values["inside"], size), whole_rows(values["across"], size)
    need_span(inside, fixed_rows(moves, size) + question.gauge(), size, "the fixed space")
    if fold:
        need(across == inside, "a fold has one space")
    else:
        conditions = fixed_rows([moves[k] for k in kept], size) + question.gauge() + inside
        need_span(across, conditions, size, "the broken space")
    texts = [*values["z"], *values["w"], values["penalty"]]
    need(len(values["z"]) == len(inside) and len(values["w"]) == len(across) == len(values["row"]), "the sizes differ")
    longest = max(len(t) for t in [*texts, *values["row"], values["radius"]])
    ctx.prec = int(3.33 * longest) + SPARE_BITS
    middle = [_ball(_number(t)) for t in texts]
    row = [_ball(_number(t)) for t in values["row"]]
    radius, penalty = _number(values["radius"]), _number(values["penalty"])
    need(radius > 0 and penalty > radius, "the box is not one of positive penalties")
    low, high = (_number(t) for t in values["value"])
    need(low <= penalty - radius and penalty + radius <= high, "the value does not hold the box")
    _krawczyk(question, inside, across, row, middle, _ball(radius))
    box = [m + arb(0, 1) * _ball(radius) for m in middle]
    _nondegenerate(question, values, moves, inside, across, box)


def _parts(
    inside: list[list[int]], across: list[list[int]], u: list[arb], size: int
) -> tuple[list[arb], list[arb], list[arb]]:
    d = len(inside)
    return _combine(inside, u[:d], size), _combine(across, u[d:-1], size), u[d:-1]


def _krawczyk(
    question: Question,
    inside: list[list[int]],
    across: list[list[int]],
    row: list[arb],
    middle: list[arb],
    radius: arb,
) -> None:
    d, k, size = len(inside), len(across), question.size
    b = [[arb(x) for x in r] for r in inside]
    c = [[arb(x) for x in r] for r in across]

    def slope(u: list[arb]) -> arb_mat:
        theta, v, _ = _parts(inside, across, u, size)
        at = _Derivatives(question, theta, u[-1])
        rows = [*b, *c]
        second, third = at.hessian(rows), at.forms(rows, 3, v)
        table = [[*second[i][:d], *[arb(0)] * k, 2 * _dot(theta, b[i])] for i in range(d)]
        table += [[*third[d + i][:d], *second[d + i][d:], 2 * _dot(v, c[i])] for i in range(k)]
        return arb_mat([*table, [*[arb(0)] * d, *row, arb(0)]])

    theta, v, w = _parts(inside, across, middle, size)
    at = _Derivatives(question, theta, middle[-1])
    bent = at.hessian([*c, v])
    value = [*at.gradients(b), *[bent[i][k] for i in range(k)], _dot(row, w) - 1]
    inverse = slope(middle).mid().inv().mid()
    moved = inverse * arb_mat(len(value), 1, value)
    change = slope([m + arb(0, 1) * radius for m in middle])
    defect = arb_mat(len(value), len(value), 1) - inverse * change
    for i, line in enumerate(defect.tolist()):
        reach = abs(moved[i, 0]) + radius * sum((abs(x) for x in line), arb(0))
        need(bool(reach < radius), "Krawczyk's test does not hold", Verdict.UNDECIDED)


def _nondegenerate(
    question: Question,
    values: dict[str, Any],
    moves: list[list[tuple[int, int]]],
    inside: list[list[int]],
    across: list[list[int]],
    box: list[arb],
) -> None:
    size = question.size
    theta, v, _ = _parts(inside, across, box, size)
    length = _dot(v, v).sqrt()
    v = [x / length for x in v]
    at = _Derivatives(question, theta, box[-1])
    b = [[arb(x) for x in r] for r in inside]
    if values["kind"] == "fold":
        degree, transversal = question.along(theta, v, 3)[3], 2 * _dot(theta, v)
    else:
        degree, transversal = question.along(theta, v, 4)[4], arb(2)
        if b:
            inner = arb_mat(at.hessian(b))
            squares = [_mixed(question, theta, v, a) for a in b]
            push = arb_mat(len(b), 1, [2 * _dot(theta, a) for a in b])
            bend = arb_mat(len(b), 1, squares)
            transversal = transversal - _dot(inner.solve(push).entries(), squares)
            degree = degree - 3 * _dot(inner.solve(bend).entries(), squares)
    for name, found in (("degree", degree), ("transversal", transversal)):
        low, high = (_number(t) for t in values[name])
        need(low * high > 0, f"the {name} that is claimed holds 0")
        need(bool(found > 0) or bool(found < 0), f"the {name} is not proved to differ from 0", Verdict.UNDECIDED)
        need(bool(found > 0) == (low > 0), f"the {name} has the other sign")
        need(not (found < _ball(low) or found > _ball(high)), f"the {name} is not the one claimed")
    unit = [[arb(int(p == q)) for q in range(size)] for p in range(size)]
    whole = arb_mat(at.hessian(unit))
    images = set()
    for move in [[(p, 1) for p in range(size)], *moves]:
        key = tuple(move)
        if key not in images:
            images.add(key)
            image = [arb(0)] * size
            for p, (place, sign) in enumerate(move):
                image[place] = sign * v[p]
            column = arb_mat(size, 1, image)
            whole = whole + column * column.transpose()
    # All roots of det(x - A) are real: by Descartes the positive ones are as many as its changes of sign.
    signs = [c > 0 for c in _signed(whole.charpoly().coeffs())]
    positive = sum(a != b for a, b in pairwise(signs))
    need(size - positive == values["index"], "the index is another")


def _signed(coefficients: list[arb]) -> list[arb]:
    need(all(c > 0 or c < 0 for c in coefficients), "a coefficient has no sign", Verdict.UNDECIDED)
    return coefficients


def _mixed(question: Question, theta: list[arb], v: list[arb], a: list[arb]) -> arb:
    """D^3E[v, v, a] = (D^3(a + v) + D^3(a - v) - 2 D^3(a)) / 6."""
    plus = question.along(theta, [x + y for x, y in zip(a, v, strict=True)], 3)[3]
    minus = question.along(theta, [x - y for x, y in zip(a, v, strict=True)], 3)[3]
    return (plus + minus - 2 * question.along(theta, a, 3)[3]) / 6


def check_followed(text: str | bytes) -> CheckResult:
    """Whether every event of a `symland follow --json` document is proved by the certificate that stands in it."""
    try:
        events = json.loads(text)["events"]
        need(isinstance(events, list), "the events are no list")
        held = 0
        for event in events:
            certificate = event["certificate"]
            if certificate is None:
                claimed = event["certified"] is True
                need(not claimed, "an event is claimed without a certificate", Verdict.UNDECIDED)
                continue
            result = check_event(certificate)
            need(result.verdict is Verdict.CERTIFIED, f"event at {event['value']}: {result.reason}", result.verdict)
            need(event["certified"] is True and event["kind"] == certificate["kind"], "an event is of another kind")
            need(event["index"] == certificate["index"], "an event has another index")
            low, high = (_number(t) for t in certificate["value"])
            digits = event["digits"]
            need(type(digits) is int and 0 < digits < MOST_CHARACTERS, "an event has no digits")
            unit = high / 10 ** (digits - 1)
            need(low - unit <= _number(event["value"]) <= high + unit, "an event has another value")
            held += 1
    except Refusal as refusal:
        reason, verdict = refusal.args
        return CheckResult(verdict=verdict, reason=str(reason))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}")
    verdict = Verdict.CERTIFIED if held == len(events) else Verdict.UNDECIDED
    return CheckResult(verdict=verdict, reason=f"{held} of {len(events)} events are proved")
