"""Coefficients of the polynomials and constants of the reductions.

All were found with 60 digits by interpolation at Chebyshev points, which comes within a factor of two of the smallest
largest error, and then rounded.
"""

from __future__ import annotations

from fractions import Fraction

__all__ = [
    "COS",
    "ERFCX",
    "ERF_SMALL",
    "EXP",
    "EXPM1_DOUBLE",
    "FAR",
    "HALF_PI",
    "LN2_HIGH",
    "LN2_LOW",
    "LOG",
    "LOG2E",
    "SIN",
    "TWO_OVER_PI",
    "TWO_OVER_ROOT_PI",
]


def _hex(*texts: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(float.fromhex(text)) for text in texts)


(LOG2E,) = _hex("0x1.71547652b82fep+0")
(LN2_HIGH,) = _hex("0x1.62e42fefa3800p-1")
"""ln 2 to 42 bits: its product with an integer below 2^11 is exact."""
(LN2_LOW,) = _hex("0x1.ef35793c76730p-45")
(TWO_OVER_PI,) = _hex("0x1.45f306dc9c883p-1")
(TWO_OVER_ROOT_PI,) = _hex("0x1.20dd750429b6dp+0")

HALF_PI = _hex("0x1.921fb54400000p+0", "0x1.0b4611a600000p-34", "0x1.3198a2e000000p-69", "0x1.b839a252049c1p-104")
"""pi/2 in three pieces of 33 bits and a rest: a piece times an integer below 2^20 is exact."""

FAR = 2**19
"""Largest |x| that sin and cos reduce by these pieces; beyond, the C library is called."""

EXP = _hex(
    "0x1.0000000000001p-1",
    "0x1.5555555555556p-3",
    "0x1.5555555553d05p-5",
    "0x1.1111111110996p-7",
    "0x1.6c16c178b0646p-10",
    "0x1.a01a01a7da98dp-13",
    "0x1.a019b87f7a6e9p-16",
    "0x1.71de0d573888bp-19",
    "0x1.28922d8c8d4fbp-22",
    "0x1.af39789bfd689p-26",
)
"""(e^r - 1 - r) / r^2 for |r| <= ln(2)/2."""

EXPM1_DOUBLE = _hex(
    "-0x1.0000000000000p+1",
    "0x1.0000000000005p+1",
    "-0x1.5555555555557p+0",
    "0x1.5555555551fd6p-1",
    "-0x1.111111111009cp-2",
    "0x1.6c16c17f7ee1dp-4",
    "-0x1.a01a01ac0a9eep-6",
    "0x1.a019a5aef5532p-8",
    "-0x1.71de01c3fc936p-10",
    "0x1.28a38365c4751p-12",
    "-0x1.af4ecd2129492p-15",
)
"""(e^{-2r} - 1) / r for |r| <= ln(2)/4."""

LOG = _hex(
    "0x1.5555555555558p-1",
    "0x1.99999999949d0p-2",
    "0x1.2492492eefe17p-2",
    "0x1.c71c61a40ddfbp-3",
    "0x1.74630f3e18fa7p-3",
    "0x1.39f2bba043e06p-3",
    "0x1.2be6c99b32a48p-3",
)
"""(ln((1 + s)/(1 - s)) - 2 s) / s^3 in s^2 for |s| <= 3 - 2 sqrt(2)."""

SIN = _hex(
    "-0x1.5555555555555p-3",
    "0x1.1111111110ba5p-7",
    "-0x1.a01a019e80693p-13",
    "0x1.71de379252004p-19",
    "-0x1.ae60069e53ef1p-26",
    "0x1.5e098556d302ep-33",
)
"""(sin r - r) / r^3 in r^2 for |r| <= pi/4."""

COS = _hex(
    "0x1.5555555555555p-5",
    "-0x1.6c16c16c16960p-10",
    "0x1.a01a019f4d0edp-16",
    "-0x1.27e4fa15bd814p-22",
    "0x1.1eeb66b683028p-29",
    "-0x1.907c0e63adbb6p-37",
)
"""(cos r - 1 + r^2/2) / r^4 in r^2 for |r| <= pi/4."""

ERF_SMALL = _hex(
    "0x1.06eba8214db68p-3",
    "-0x1.812746b037966p-2",
    "0x1.ce2f21a03c2e7p-4",
    "-0x1.b82ce31070b34p-6",
    "0x1.565bccb69554ep-8",
    "-0x1.c02da32e567f3p-11",
    "0x1.f9a123b1c535ep-14",
    "-0x1.f4aa9ce9b09efp-17",
    "0x1.b7eb5624cf151p-20",
    "-0x1.4f89e4c7e59f7p-23",
    "0x1.67c831aa15fe9p-27",
)
"""erf(x)/x - 1 in x^2 for |x| <= 7/8."""

ERFCX = _hex(
    "0x1.6e9827d229d2cp-3",
    "-0x1.4e102b9cf851bp-2",
    "0x1.f6ff204105a67p-3",
    "-0x1.336ffbef07f80p-3",
    "0x1.258b13b009c1fp-4",
    "-0x1.8fa58eb7301e4p-6",
    "0x1.17c839132180fp-8",
    "0x1.73102347f5a85p-11",
    "-0x1.390862ca8da17p-11",
    "0x1.7b9bfdfcb240cp-15",
    "0x1.0cb303c67f4c5p-14",
    "-0x1.aebf31d9fb937p-17",
    "-0x1.0c95bbb6c22e5p-17",
    "0x1.0b8519d1f6aefp-19",
    "0x1.4fc8eabaabe86p-20",
)
"""e^{x^2} erfc(x) in (x - 3)/(x + 3) for 7/8 <= x <= 6."""
