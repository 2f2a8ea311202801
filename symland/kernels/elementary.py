"""The primitive functions as polynomials in elementary lane operations.

Besides add, sub, mul, div, neg, sqrt, the elementary operations are

    abs, copysign(a, b)         |a|, and |a| with the sign of b
    least(a, b), most(a, b)     a if a < b (a > b), else b: a NaN in b stays
    less(a, b), equal(a, b)     masks
    select(mask, a, b)          a where the mask holds, else b
    shift52(a)                  the number whose bits are those of a shifted left by 52
    octave(a), reduced(a)       the integer k and a / 2^k with a / 2^k in [sqrt(1/2), sqrt(2)), for a normal a > 0
    high(a)                     a with the lower 27 bits of its fraction set to zero
    bit0(a), bit1(a)            masks: the lowest bits of a, taken as an integer, are set
    far_sin(x, a), far_cos(x, a)    a, but the C library's sin x or cos x where FAR < |x|

Arguments are reduced as by Cody and Waite; the coefficients are near-minimax, found with 60 digits. Powers of two are
made by adding 1.5 * 2^52 + b to an integer k, which leaves k + b in the low bits, and shifting these into the exponent;
where k + b = 0 the result is zero, so results below 2^-1018 may be flushed to zero. Bounds in units in the last
place are in `BOUNDS` and are tested against mpmath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from symland.kernels.coefficients import (
    COS,
    ERF_SMALL,
    ERFCX,
    EXP,
    EXPM1_DOUBLE,
    HALF_PI,
    LN2_HIGH,
    LN2_LOW,
    LOG,
    LOG2E,
    SIN,
    TWO_OVER_PI,
    TWO_OVER_ROOT_PI,
)
from symland.kernels.lanes import LaneCode, Let
from symland.kernels.recorder import Recorder
from symland.kernels.rewrite import Rewriter

__all__ = ["BOUNDS", "inline"]

BOUNDS: Mapping[str, float] = {
    "exp": 1.5,
    "log": 1.5,
    "tanh": 2.5,
    "sech2": 4.0,
    "logistic": 2.5,
    "softplus": 2.0,
    "sin": 1.5,
    "cos": 1.5,
    "erf": 2.0,
    "gauss": 2.5,
    "lse0": 2.5,
    "softmax0": 4.5,
}
"""Largest error in units in the last place for finite arguments, where the result is at least 2^-1018; for lse0
and softmax0 times 1 + max |m_i|, because their condition number grows so."""


_ELEMENTARY = frozenset(("sqrt", "abs", "less", "least", "most", "select", "infinity"))

SHIFT = Fraction(3 * 2**51)
"""1.5 * 2^52: a double of its size holds integers only."""


SPLIT = 5
"""Coefficients of the shortest polynomial that is evaluated as two."""


class _Functions:
    """The primitive functions, recorded into `rec`."""

    def __init__(self, rec: Recorder) -> None:
        self.rec = rec

    # -- shorthand ------------------------------------------------------------------------------------------------

    def c(self, value: Fraction | float | int) -> int:
        return self.rec.constant(Fraction(value))

    def polynomial(self, coefficients: Sequence[Fraction], x: int) -> int:
        """Horner's rule, with two chains of half the length for all but the last step, which decides the rounding."""
        if len(coefficients) < SPLIT:
            return self.horner(coefficients, x)
        rec = self.rec
        square = rec.mul(x, x)
        odd = rec.mul(self.horner(coefficients[2::2], square), x)
        rest = rec.add(odd, self.horner(coefficients[1::2], square))
        return rec.add(rec.mul(rest, x), self.c(coefficients[0]))

    def horner(self, coefficients: Sequence[Fraction], x: int) -> int:
        total = self.c(coefficients[-1])
        for a in reversed(coefficients[:-1]):
            total = self.rec.add(self.rec.mul(total, x), self.c(a))
        return total

    def sum(self, *parts: int) -> int:
        total = parts[0]
        for part in parts[1:]:
            total = self.rec.add(total, part)
        return total

    def op(self, name: str, *args: int) -> int:
        return self.rec.op(name, *args)

    # -- exponential ----------------------------------------------------------------------------------------------

    def _exp_parts(self, y: int, bias: int, rest: int | None = None) -> tuple[int, int]:
        """2^(k + bias - 1023) and e^r - 1 where y + rest = k ln 2 + r, for y that keeps k + bias in 0..2046."""
        rec = self.rec
        shift = self.c(SHIFT + bias)
        moved = rec.add(rec.mul(y, self.c(LOG2E)), shift)
        k = rec.sub(moved, shift)
        r = rec.sub(rec.sub(y, rec.mul(k, self.c(LN2_HIGH))), rec.mul(k, self.c(LN2_LOW)))
        if rest is not None:
            r = rec.add(r, rest)
        p = rec.add(rec.mul(rec.mul(r, r), self.polynomial(EXP, r)), r)
        return self.op("shift52", moved), p

    def exp(self, x: int) -> int:
        # The scale 2^(k-1) stays finite up to k = 1024; the result is doubled.
        rec = self.rec
        y = self.op("least", self.c(710), self.op("most", self.c(Fraction(-7084, 10)), x))
        scale, p = self._exp_parts(y, 1022)
        return rec.mul(self.c(2), rec.add(rec.mul(scale, p), scale))

    def falling(self, t: int) -> int:
        """e^{-t} for t >= 0."""
        y = self.rec.neg(self.op("least", self.c(709), t))
        scale, p = self._exp_parts(y, 1023)
        return self.rec.add(self.rec.mul(scale, p), scale)

    def gauss(self, x: int) -> int:
        # x^2 = h^2 + (x - h)(x + h) with h^2 exact: the rounding of x^2 would cost x^2 units in the last place.
        rec = self.rec
        t = self.op("least", self.c(27), self.op("abs", x))
        return rec.mul(self.c(TWO_OVER_ROOT_PI), self._bell(t))

    def _bell(self, t: int) -> int:
        """e^{-t^2} for 0 <= t <= 27."""
        rec = self.rec
        h = self.op("high", t)
        rest = rec.mul(rec.sub(h, t), rec.add(h, t))
        y = self.op("most", self.c(-709), rec.neg(rec.mul(h, h)))
        scale, p = self._exp_parts(y, 1023, rest)
        return rec.add(rec.mul(scale, p), scale)

    # -- tanh and its derivative ----------------------------------------------------------------------------------

    def _tanh_parts(self, x: int) -> tuple[int, int, int]:
        """(1 - e)/4, e/4 and 4/(1 + e) for e = e^{-2|x|}.

        -2|x| = k ln 2 - 2 r; with s = 2^k / 4 and p = e^{-2r} - 1 all three are s p + a simple function of s, and
        1 - e keeps its relative precision for small |x|, where k = 0.
        """
        rec = self.rec
        t = self.op("least", self.c(Fraction(1416, 4)), self.op("abs", x))
        shift = self.c(SHIFT + 1021)
        moved = rec.sub(shift, rec.mul(t, self.c(2 * LOG2E)))
        k = rec.sub(moved, shift)
        r = rec.add(rec.add(t, rec.mul(k, self.c(LN2_HIGH / 2))), rec.mul(k, self.c(LN2_LOW / 2)))
        p = rec.mul(r, self.polynomial(EXPM1_DOUBLE, r))
        s = self.op("shift52", moved)
        sp = rec.mul(s, p)
        quarter = self.c(Fraction(1, 4))
        over = rec.div(self.c(1), rec.add(sp, rec.add(s, quarter)))
        return rec.sub(rec.sub(quarter, s), sp), rec.add(sp, s), over

    def tanh(self, x: int) -> int:
        top, _, over = self._tanh_parts(x)
        return self.op("copysign", self.rec.mul(top, over), x)

    def sech2(self, x: int) -> int:
        # 4 e / (1 + e)^2
        _, e, over = self._tanh_parts(x)
        return self.rec.mul(self.rec.mul(e, over), over)

    # -- the logistic function and its integral -------------------------------------------------------------------

    def _logistic_parts(self, x: int) -> tuple[int, int]:
        """e = e^{-|x|} and 1 / (1 + e)."""
        e = self.falling(self.op("abs", self._unsigned(x)))
        return e, self.rec.div(self.c(1), self.rec.add(e, self.c(1)))

    def _unsigned(self, x: int) -> int:
        return self.rec.argument_of_neg(x)

    def logistic(self, x: int) -> int:
        rec = self.rec
        plain = self._unsigned(x)
        e, over = self._logistic_parts(x)
        small = rec.mul(e, over)
        below = self.op("less", plain, self.c(0))
        first, second = (small, over) if plain == x else (over, small)
        return self.op("select", below, first, second)

    def softplus(self, x: int) -> int:
        e, _ = self._logistic_parts(x)
        return self.rec.add(self.op("most", self.c(0), x), self._log1p_unit(e))

    # -- logarithm ------------------------------------------------------------------------------------------------

    def _log_near_one(self, f: int) -> int:
        """ln(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)): with s = f/(2 + f), 2 s + s R = f - s (f - R)."""
        rec = self.rec
        s = rec.div(f, rec.add(f, self.c(2)))
        z = rec.mul(s, s)
        r = rec.mul(z, self.polynomial(LOG, z))
        return rec.sub(f, rec.mul(s, rec.sub(f, r)))

    def _log1p_unit(self, e: int) -> int:
        """ln(1 + e) for e in [0, 1]: where 1 + e > sqrt(2), ln 2 + ln(1 + (e - 1)/2)."""
        rec = self.rec
        big = self.op("less", self.c(Fraction(float.fromhex("0x1.a827999fcef32p-2"))), e)
        f = self.op("select", big, rec.sub(rec.mul(e, self.c(Fraction(1, 2))), self.c(Fraction(1, 2))), e)
        near = self._log_near_one(f)
        return rec.add(near, self.op("select", big, self.c(LN2_HIGH + LN2_LOW), self.c(0)))

    def _log_octaves(self, k: int, f: int) -> int:
        rec = self.rec
        low = rec.add(rec.mul(k, self.c(LN2_LOW)), self._log_near_one(f))
        return rec.add(rec.mul(k, self.c(LN2_HIGH)), low)

    def log1p(self, y: int) -> int:
        """ln(1 + y) for y >= 0, finite."""
        rec = self.rec
        u = rec.add(y, self.c(1))
        k = self.op("octave", u)
        f = self.op("select", self.op("equal", k, self.c(0)), y, rec.sub(self.op("reduced", u), self.c(1)))
        return self._log_octaves(k, f)

    def log(self, x: int) -> int:
        rec = self.rec
        # Subnormal arguments are scaled up by 2^54.
        tiny = self.op("less", x, self.c(Fraction(1, 2**1022)))
        y = self.op("select", tiny, rec.mul(x, self.c(2**54)), x)
        k = rec.sub(self.op("octave", y), self.op("select", tiny, self.c(54), self.c(0)))
        value = self._log_octaves(k, rec.sub(self.op("reduced", y), self.c(1)))
        # ln x = x - x = NaN for x < 0, -1/0 at zero, x itself where x is infinite or NaN.
        zero, infinite = self.c(0), self.op("infinity")
        value = self.op("select", self.op("less", zero, x), value, rec.op("sub", infinite, infinite))
        value = self.op("select", self.op("equal", x, zero), rec.neg(infinite), value)
        return self.op("select", self.op("less", x, infinite), value, rec.op("add", x, x))

    # -- several classes ------------------------------------------------------------------------------------------

    def _softmax_parts(self, margins: Sequence[int]) -> tuple[int, list[int], int]:
        """The largest of 0 and the margins, and e^{m_i - top} for i = 0, 1, ... with m_0 = 0, and their sum less 1.

        Where 0 is the largest, e^0 - 1 is exactly zero, and the sum of the others keeps its relative precision.
        """
        rec = self.rec
        top = self.c(0)
        for m in margins:
            top = self.op("most", top, m)
        parts = [self.falling(top), *(self.falling(rec.sub(top, m)) for m in margins)]
        return top, parts, self.sum(rec.sub(parts[0], self.c(1)), *parts[1:])

    def lse0(self, *margins: int) -> int:
        top, _, rest = self._softmax_parts(margins)
        return self.rec.add(top, self.log1p(rest))

    def softmax0(self, number: int, margins: Sequence[int]) -> int:
        _, parts, rest = self._softmax_parts(margins)
        over = self.rec.div(self.c(1), self.rec.add(rest, self.c(1)))
        return self.rec.mul(parts[number], over)

    # -- sine, cosine and the error function ----------------------------------------------------------------------

    def _quarter_turns(self, x: int) -> tuple[int, int]:
        """1.5 * 2^52 + k and r with x = k pi/2 + r.

        x - k P1 is exact; what k P2 leaves behind is found by a compensated difference and goes with k P3.
        """
        rec = self.rec
        shift = self.c(SHIFT)
        moved = rec.add(rec.mul(x, self.c(TWO_OVER_PI)), shift)
        k = rec.sub(moved, shift)
        p1, p2, p3, p4 = (rec.mul(k, self.c(p)) for p in HALF_PI)
        first = rec.sub(x, p1)
        second = rec.sub(first, p2)
        lost = rec.sub(rec.sub(first, second), p2)
        return moved, rec.sub(second, rec.add(rec.sub(p3, lost), p4))

    def _sine(self, r: int) -> int:
        rec = self.rec
        z = rec.mul(r, r)
        return rec.add(rec.mul(rec.mul(r, z), self.polynomial(SIN, z)), r)

    def _cosine(self, r: int) -> int:
        # 1 - z/2 is rounded to w; what is lost is (1 - w) - z/2.
        rec = self.rec
        z, one = rec.mul(r, r), self.c(1)
        half = rec.mul(z, self.c(Fraction(1, 2)))
        w = rec.sub(one, half)
        lost = rec.sub(rec.sub(one, w), half)
        return rec.add(rec.add(rec.mul(rec.mul(z, z), self.polynomial(COS, z)), lost), w)

    def sin(self, x: int) -> int:
        moved, r = self._quarter_turns(x)
        near = self.op("select", self.op("bit0", moved), self._cosine(r), self._sine(r))
        near = self.op("select", self.op("bit1", moved), self.op("neg", near), near)
        return self.op("far_sin", x, near)

    def cos(self, x: int) -> int:
        # cos x = sin(x + pi/2)
        moved, r = self._quarter_turns(x)
        near = self.op("select", self.op("bit0", moved), self._sine(r), self._cosine(r))
        turned = self.op("bit1", self.rec.add(moved, self.c(1)))
        near = self.op("select", turned, self.op("neg", near), near)
        return self.op("far_cos", x, near)

    def erf(self, x: int) -> int:
        rec = self.rec
        plain = self.op("abs", x)
        z = rec.mul(x, x)
        near = rec.add(rec.mul(x, self.polynomial(ERF_SMALL, z)), x)
        t = self.op("least", self.c(6), plain)
        s = rec.div(rec.sub(t, self.c(3)), rec.add(t, self.c(3)))
        rest = rec.mul(self._bell(self.op("least", self.c(27), plain)), self.polynomial(ERFCX, s))
        beyond = self.op("copysign", rec.sub(self.c(1), rest), x)
        return self.op("select", self.op("less", plain, self.c(Fraction(7, 8))), near, beyond)

    # -- the rest -------------------------------------------------------------------------------------------------

    def power(self, x: int, exponent: int) -> int:
        """x^exponent for exponent > 0 by squaring."""
        total: int | None = None
        while exponent:
            if exponent & 1:
                total = x if total is None else self.rec.mul(total, x)
            exponent >>= 1
            x = self.rec.mul(x, x) if exponent else x
        assert total is not None
        return total

    def primitive(self, let: Let, args: Sequence[int]) -> int:
        if let.op == "power":
            return self.power(args[0], int(let.value or 0))
        if let.op == "softmax0":
            return self.softmax0(int(let.value or 0), args)
        if let.op in _ELEMENTARY:
            return self.op(let.op, *args)
        function: Callable[..., int] = getattr(self, let.op)
        return function(*args)


def inline(code: LaneCode) -> LaneCode:
    """The code with every primitive function written out; functions of one argument share what they have in common."""
    return _Inline(code).rewritten()


class _Inline(Rewriter):
    def __init__(self, code: LaneCode) -> None:
        super().__init__(code)
        self.functions = _Functions(self.rec)

    def primitive(self, item: Let, args: list[int]) -> int:
        return self.functions.primitive(item, args)
