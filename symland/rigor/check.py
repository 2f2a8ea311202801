"""Verify a certificate from its specification alone.

This module shares nothing with the code that makes certificates: it reads the JSON itself (ASCII, at most 10^7
characters), the activation by a grammar of its own (`check_activation`), and differentiates the loss by second-order
forward jets (value, gradient, Hessian) carried through every node, of which only what is not zero is held.

    node       s = sum_j W_ij a_j + b_i,    a = sigma(s):   da = sigma' ds,   d2a = sigma'' ds ds^T + sigma' d2s
    margins    softmax: u_i = z_i - z_c, i != c;   logistic: u = (1 - 2 y) z;   squared: u_i = z_i - y_i
    loss       ln(1 + sum exp u_i)  or  sum u_i^2:   d2l = sum l_i d2u_i + sum l_ij du_i du_j^T

Softmax margins do not feel one number added to W_ij, or to b_i, for all outputs i of the last layer. Where no penalty
holds such a set e (format 2, which names the sets), Krawczyk's test is made for E + sum (e . theta)^2 / 2, whose zeros
are the stationary points of E with e . theta = 0; E has as many eigenvalues 0 as there are sets.

With K(X) inside X the stationary point lies in K(X), a far smaller box: its eigenvalues are enclosed there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import add, mul
from typing import Any, NamedTuple

from flint import arb, arb_mat, ctx, fmpq, fmpz

from symland.records import Verdict
from symland.rigor.check_activation import GIVEN_UP, Refusal, Sigma, given_up, need, read_activation
from symland.rigor.check_matrices import approximate_inverse, eigenvalue_discs, row_sums

__all__ = ["CheckResult", "check_certificate"]

LONGEST_FILE = 10_000_000  # characters, all ASCII
LONGEST_REMARK = 1000  # characters
MOST_DIGITS = 25_000  # characters, and decimal exponent, of one number
LARGEST_WORK = 5 * 10**8  # P^2 times samples times nodes
SPARE_BITS = 160  # beyond those of the longest number
QUICK_BITS = 48  # of the first attempt, beyond those of the square of the small radius
LEAST_GAIN = 32  # bits by which the image of the small cube is narrower than the cube, and than the narrowest claim
NARROWER = 8  # discs so many times narrower than the narrowest claim need no improvement
LEAST_BITS = 53  # that a certificate may name
MOST_BITS = 2**15  # taken from a certificate that names them

_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d{1,6})?", re.ASCII)
_EXACT = re.compile(r"-?(0|[1-9]\d*)(/[1-9]\d*)?", re.ASCII)
_ZERO, _AROUND = arb(0), arb(0, 1)
_KEYS = "claims format inclusion_radius midpoint operator precision_bits reason seal spec spec_digest uniqueness_radius"
_SLICE_KEYS = _KEYS.replace("inclusion", "gauge inclusion", 1)
_SPEC_KEYS = "activation bias hidden inputs loss outputs penalised penalty targets"
_CLAIM_KEYS = "eigenvalues existence index loss uniqueness"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """CERTIFIED: every claim was proved again. REFUTED: the file is malformed or a claim is false. UNDECIDED: not
    proved here, or nothing is claimed. Only CERTIFIED is an acceptance."""

    verdict: Verdict
    reason: str


def _keys(values: Any, keys: str, name: str) -> None:
    need(isinstance(values, dict) and " ".join(sorted(values)) == keys, f"the keys are not those of {name}")


def check_certificate(source: str | bytes | Mapping[str, Any], spec: Mapping[str, Any] | None = None) -> CheckResult:
    """Verify the text or JSON values of a certificate, which must be about `spec`, canonical values, where given."""
    before = ctx.prec
    try:
        values = _read(source if isinstance(source, str | bytes) else json.dumps(source))
        need(spec is None or values["spec"] == json.loads(json.dumps(spec)), "it is about another specification")
        _verify(values)
    except Refusal as refusal:
        return CheckResult(reason=refusal.args[0], verdict=refusal.args[1])
    except GIVEN_UP as error:
        return CheckResult(verdict=Verdict.UNDECIDED, reason=given_up(error))
    except Exception as error:
        return CheckResult(verdict=Verdict.REFUTED, reason=f"malformed: {type(error).__name__}: {str(error)[:100]}")
    finally:
        ctx.prec = before
    of_slice = ", modulo the gauge" if "gauge" in values else ""
    held = f"existence, uniqueness, index, loss and eigenvalues hold{of_slice}"
    return CheckResult(verdict=Verdict.CERTIFIED, reason=held)


def _read(text: str | bytes) -> dict[str, Any]:
    """JSON with neither floats nor repeated keys, whose digests are right."""
    need(len(text) <= LONGEST_FILE, f"the file is longer than {LONGEST_FILE} characters")
    need(text.isascii(), "the file is not ASCII text")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def no_float(literal: str) -> Any:
        raise Refusal(f"a number must be text or an integer, got {literal[:20]}", Verdict.REFUTED)

    # As text: from bytes json would guess UTF-16 and UTF-32.
    text = text.decode("ascii") if isinstance(text, bytes) else text
    values = json.loads(text, object_pairs_hook=unique, parse_float=no_float, parse_constant=no_float)
    need(isinstance(values, dict), "the keys are not those of a certificate")
    _keys(values, _SLICE_KEYS if values.get("format") == "symland-certificate/2" else _KEYS, "a certificate")
    seal = values.pop("seal")
    need(seal == _digest(values), "the seal does not fit the content")
    need(values["spec_digest"] == _digest(values["spec"]), "the digest does not fit the specification")
    known = ("symland-certificate/1", "symland-certificate/2")
    need(values["format"] in known and values["operator"] == "krawczyk", "unknown format")
    need(_whole(values["precision_bits"], LEAST_BITS, 10**7), "malformed remarks: precision_bits")
    need(isinstance(values["reason"], str) and len(values["reason"]) <= LONGEST_REMARK, "malformed remarks: reason")
    return values


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _decimal(text: Any) -> fmpq:
    """The rational n 10^-k that a text says."""
    need(isinstance(text, str) and len(text) <= MOST_DIGITS and bool(_DECIMAL.fullmatch(text)), "not a decimal")
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or "0") - len(fraction)
    need(abs(shift) <= MOST_DIGITS, "a number has too many digits")
    return fmpz(whole + fraction) * fmpq(10) ** shift


def _rational(text: Any) -> Fraction:
    need(isinstance(text, str) and len(text) <= 5000 and bool(_EXACT.fullmatch(text)), "not an exact number")
    value = Fraction(text)
    need(str(value) == text, "an exact number is not in lowest terms")
    return value


def _magnitude(value: fmpq) -> int:
    """At least log2 of a positive number, and no more than 2 above it."""
    return int(value.p).bit_length() - int(value.q).bit_length() + 1


class _Network:
    """The question, read from its canonical values."""

    def __init__(self, spec: dict[str, Any]) -> None:
        _keys(spec, _SPEC_KEYS, "a specification")
        self.loss, self.bias, outputs, targets = (spec[k] for k in ("loss", "bias", "outputs", "targets"))
        self.inputs = [[_rational(x) for x in row] for row in spec["inputs"]]
        self.penalty = _rational(spec["penalty"])
        need({(type(r), len(r)) for r in spec["inputs"]} == {(list, len(self.inputs[0]))}, "an input is malformed")
        need(self.loss in ("softmax", "logistic", "squared") and self.penalty >= 0, "loss or penalty is malformed")
        need(type(self.bias) is bool and spec["penalised"] in ("all", "weights"), "bias or penalised is malformed")
        self.widths = [len(self.inputs[0]), *spec["hidden"], outputs]
        need(len(self.widths) > 2 and all(_whole(n, 1, 4096) for n in self.widths), "a width is out of range")
        need(isinstance(targets, list) and len(targets) == len(self.inputs), "targets and inputs differ in number")
        if self.loss == "squared":
            need(all(isinstance(row, list) and len(row) == outputs for row in targets), "a target is malformed")
            targets = [[_rational(y) for y in row] for row in targets]
        else:
            need((outputs == 1) == (self.loss == "logistic"), "the loss does not go with the number of outputs")
            need(all(_whole(c, 0, max(outputs, 2) - 1) for c in targets), "a label is out of range")
        self.targets, shapes = targets, list(pairwise(self.widths))
        weights = sum(m * n for m, n in shapes)
        self.size = weights + self.bias * sum(self.widths[1:])
        self.penalised = self.size if spec["penalised"] == "all" else weights
        need(self.size**2 * len(self.inputs) * sum(self.widths) <= LARGEST_WORK, "too large", Verdict.UNDECIDED)
        self.sigma = read_activation(spec["activation"])
        self.where = [
            (rows, sum(m * n for m, n in shapes[:k]), weights + sum(self.widths[1 : k + 1]))
            for k, (_, rows) in enumerate(shapes)
        ]
        rows, offset, end = self.where[-1]
        free, n = self.penalty == 0, self.widths[-2]
        self.shifts = [[offset + i * n + j for i in range(rows)] for j in range(n) if free]
        self.shifts += [[end + i for i in range(rows)]] if self.bias and (free or self.penalised == weights) else []
        if self.loss != "softmax":
            self.shifts = []

    def __call__(self, theta: list[arb]) -> tuple[arb, arb_mat, arb_mat]:
        """Loss, gradient (P, 1) and Hessian (P, P) over a box."""
        p, mean = self.size, 1 / arb(len(self.inputs))
        value, gradient, hessian = _ZERO, [_ZERO] * p, [[_ZERO] * p for _ in range(p)]
        left, right = list[list[arb]](), list[list[arb]]()
        for d, x in enumerate(self.inputs):
            u = self._margins(theta, x, self.targets[d])
            v, first, second = _head(self.loss, [m.value for m in u])
            value += mean * v
            slopes = [[m.gradient.get(k, _ZERO) for k in range(p)] for m in u]
            for i, m in enumerate(u):
                weight = mean * first[i]
                for k, slope in m.gradient.items():
                    gradient[k] += weight * slope
                for (k, q), curve in m.hessian.items():
                    hessian[k][q] = hessian[q][k] = hessian[k][q] + weight * curve
                left.append(slopes[i])
                right.append([mean * _sum(map(mul, second[i], column)) for column in zip(*slopes, strict=True)])
        penalty = _ball(self.penalty)
        for k in range(self.penalised):
            value += penalty * theta[k] * theta[k]
            gradient[k] += 2 * penalty * theta[k]
            hessian[k][k] += 2 * penalty
        return value, arb_mat(p, 1, gradient), arb_mat(hessian) + arb_mat(left).transpose() * arb_mat(right)

    def _margins(self, theta: list[arb], x: list[Fraction], target: Any) -> list[_Jet]:
        below = [_Jet(_ball(v), {}, {}) for v in x]
        for rows, offset, end in self.where[:-1]:
            nodes = [self._affine(theta, below, [(1, i)], offset, end) for i in range(rows)]
            below = [_activated(self.sigma, s) for s in nodes]
        rows, offset, end = self.where[-1]
        sums = [[(1, i)] for i in range(rows)]
        if self.loss != "squared":
            sums = [[(1, i), (-1, target)] for i in range(rows) if i != target] if rows > 1 else [[(1 - 2 * target, 0)]]
        margins = [self._affine(theta, below, signed, offset, end) for signed in sums]
        if self.loss == "squared":
            return [m._replace(value=m.value - _ball(target[i])) for i, m in enumerate(margins)]
        return margins

    def _affine(self, theta: list[arb], below: list[_Jet], rows: list[tuple[int, int]], offset: int, end: int) -> _Jet:
        """sum over the (sign, row) of sign (W_row a + b_row), as a jet."""
        value, n = _ZERO, len(below)
        gradient, hessian = dict[int, arb](), dict[tuple[int, int], arb]()
        for j, a in enumerate(below):
            weight = _sum(sign * theta[offset + i * n + j] for sign, i in rows)
            value += weight * a.value
            for k, slope in a.gradient.items():
                gradient[k] = gradient.get(k, _ZERO) + weight * slope
            for place, curve in a.hessian.items():
                hessian[place] = hessian.get(place, _ZERO) + weight * curve
            for sign, i in rows:
                k = offset + i * n + j
                gradient[k] = sign * a.value
                for q, slope in a.gradient.items():
                    hessian[max(k, q), min(k, q)] = sign * slope
        for sign, i in rows if self.bias else ():
            value += sign * theta[end + i]
            gradient[end + i] = arb(sign)
        return _Jet(value, gradient, hessian)


class _Jet(NamedTuple):
    """Value, and the derivatives by the parameters that it depends on; of the Hessian entries (k, q) with k >= q."""

    value: arb
    gradient: dict[int, arb]
    hessian: dict[tuple[int, int], arb]


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _sum(numbers: Iterable[arb]) -> arb:
    return sum(numbers, _ZERO)


def _head(loss: str, u: list[arb]) -> tuple[arb, list[arb], list[list[arb]]]:
    q = range(len(u))
    if loss == "squared":
        return _sum(m * m for m in u), [2 * m for m in u], [[arb(2 * (i == j)) for j in q] for i in q]
    logits = [_ZERO, *u]
    # p_i = 1 / sum_k exp(u_k - u_i): every difference stands once.
    p = [1 / (1 + _sum((m - own).exp() for k, m in enumerate(logits) if k != i)) for i, own in enumerate(logits)]
    value = _sum(m.exp() for m in u).log1p()
    rest = [_sum(p[:i] + p[i + 1 :]) for i in range(len(p))]
    second = [[p[i + 1] * rest[i + 1] if i == j else -p[i + 1] * p[j + 1] for j in q] for i in q]
    return value, p[1:], second


def _activated(sigma: Sigma, s: _Jet) -> _Jet:
    f, d, e = sigma(s.value)
    hessian = {place: d * curve for place, curve in s.hessian.items()}
    slopes = sorted(s.gradient.items())
    for n, (k, slope) in enumerate(slopes):
        bent = e * slope
        for q, other in slopes[: n + 1]:
            hessian[k, q] = hessian.get((k, q), _ZERO) + bent * other
    return _Jet(f, {k: d * slope for k, slope in slopes}, hessian)


def _verify(values: dict[str, Any]) -> None:
    network, claims, texts = _Network(values["spec"]), values["claims"], values["midpoint"]
    p = network.size
    _keys(claims, _CLAIM_KEYS, "the claims")
    index, loss, bounds = claims["index"], claims["loss"], claims["eigenvalues"]
    _keys(index, "value verdict", "an index")
    answers = {claims["existence"], claims["uniqueness"], index["verdict"]}
    need(answers <= {"certified", "refuted", "undecided"}, "unknown verdict")
    need(answers == {"certified"}, "it does not claim existence, uniqueness and index", Verdict.UNDECIDED)
    need(_whole(index["value"], 0, p), "the index is out of range")
    need(all(isinstance(x, list) and len(x) == p for x in (texts, bounds)), "midpoint or eigenvalues are not P long")
    need(all(isinstance(b, list) and len(b) == 2 for b in (loss, *bounds)), "a bound is not a pair")
    written = [*texts, values["inclusion_radius"], values["uniqueness_radius"], *loss, *(t for b in bounds for t in b)]
    numbers = [_decimal(t) for t in written]
    # A number of n characters with exponent k has at most n + |k| places.
    longest = max(len(t) + abs(int(t.partition("e")[2] or "0")) for t in written)
    full = SPARE_BITS + max(int(3.33 * longest), min(values["precision_bits"], MOST_BITS))
    need(bool(0 < numbers[p] <= numbers[p + 1]), "the radii are not in order")
    sets = values.get("gauge", [])
    need("gauge" not in values or (sets and sets == network.shifts), "the gauge is not that of the specification")
    # The loss is claimed to about the square of the small radius.
    quick = QUICK_BITS + 2 * max(_magnitude(1 / numbers[p]), 0)
    if quick < full:
        ctx.prec, gain, narrowest = quick, quick // 4, _narrowest(numbers, p)
        if narrowest > 0:
            gain = min(gain, LEAST_GAIN + max(_magnitude(numbers[p] / narrowest), 0))
        try:
            _prove(network, numbers, index["value"], sets, gain)
            return
        except (Refusal, ZeroDivisionError) as refusal:
            if isinstance(refusal, Refusal) and refusal.args[1] is Verdict.REFUTED:
                raise
    ctx.prec = full
    _prove(network, numbers, index["value"], sets, full // 4)


def _narrowest(numbers: list[fmpq], p: int) -> fmpq:
    """The width of the narrowest claim of an eigenvalue; 0 where all are exact."""
    ends = zip(numbers[p + 4 :: 2], numbers[p + 5 :: 2], strict=True)
    return min((high - low for low, high in ends if high > low), default=fmpq(0))


def _prove(network: _Network, numbers: list[fmpq], index: int, sets: list[list[int]], gain: int) -> None:
    """Every claim, at the precision that is set; refuses where one is false or open.

    The stationary point is looked for in a box smaller by `gain` bits than the small cube.
    """
    p = network.size
    network.sigma(_ZERO)  # every landscape begins at theta = 0: an activation is defined there
    value, box = _krawczyk(network, [arb(n) for n in numbers[:p]], arb(numbers[p]), arb(numbers[p + 1]), gain, sets)
    _inside(value, arb(numbers[p + 2]), arb(numbers[p + 3]), "the loss")
    # A disc that is far narrower than a claim seldom meets its ends.
    bounds = list(zip(numbers[p + 4 :: 2], numbers[p + 5 :: 2], strict=True))
    found = eigenvalue_discs(network(box)[2], arb(_narrowest(numbers, p) / NARROWER))
    # The discs around 0 hold the gauge's zeros: where they hold no more eigenvalues, these are all exactly 0.
    around = sum(bool(x.contains(0)) for x in found)
    need(around == len(sets), "the sign of an eigenvalue is open", Verdict.UNDECIDED)
    found = [_ZERO if bool(x.contains(0)) else x for x in found]
    need(sum(bool(x < 0) for x in found) == index, "the index is another")
    for x, (low, high) in zip(found, bounds, strict=True):
        _inside(x, arb(low), arb(high), "an eigenvalue")


def _sliced(network: _Network, theta: list[arb], sets: Sequence[list[int]]) -> tuple[arb, arb_mat, arb_mat]:
    """Loss, gradient and Hessian of E + sum (e . theta)^2 / 2 over a box."""
    value, gradient, hessian = network(theta)
    for places in sets:
        total = _sum(theta[k] for k in places)
        value += total * total / 2
        for k in places:
            gradient[k, 0] += total
            for q in places:
                hessian[k, q] += 1
    return value, gradient, hessian


def _krawczyk(
    network: _Network, middle: list[arb], inner: arb, outer: arb, gain: int, sets: Sequence[list[int]] = ()
) -> tuple[arb, list[arb]]:
    """If the test holds on both cubes: the loss at the zero, and a box smaller by `gain` bits that holds the zero."""
    value, gradient, at = _sliced(network, middle, sets)
    inverse, defects = approximate_inverse(at, gain)
    moved, p = inverse * gradient, network.size
    centre, sizes = at.mid(), arb_mat(p, p, [abs(x) for x in inverse.entries()])

    def image(radius: arb, name: str) -> tuple[list[arb], arb_mat]:
        _, _, over = _sliced(network, [m + radius * _AROUND for m in middle], sets)
        # Row sums of |I - Y H| are at most those of |I - Y C| and |Y| |H - C|: no product of matrices is needed.
        far = sizes * arb_mat(p, 1, row_sums((over - centre).tolist()))
        sums = list(map(add, defects, far.entries()))
        for attempt in range(2):
            if attempt:
                sums = row_sums((arb_mat(p, p, 1) - inverse * over).tolist())
            found = [radius * size * _AROUND - m for size, m in zip(sums, moved.entries(), strict=True)]
            if all(abs(x) < radius for x in found):
                return found, over
        need(not any(abs(x) > radius for x in found), f"no stationary point lies in the {name} cube")
        raise Refusal(f"Krawczyk's test fails on the {name} cube", Verdict.UNDECIDED)

    near, over = image(inner, "inclusion")
    image(outer, "uniqueness")
    # E(m) - E(theta) = d^T H d / 2 with d = m - theta in the cube, as the gradient vanishes at theta.
    return value + inner * inner * _AROUND / 2 * _sum(map(abs, over.entries())), list(map(add, middle, near))


def _inside(found: arb, low: arb, high: arb, name: str) -> None:
    need(not (found < low or found > high), f"{name} lies outside its bounds")
    need(bool(low <= found) and bool(found <= high), f"{name} is not proved to lie in its bounds", Verdict.UNDECIDED)
