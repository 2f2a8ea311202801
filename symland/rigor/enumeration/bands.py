r"""Bands: tanh and sech^2 over an interval lie between two parallel lines.

A band of f over [l, h] is f(a) in mid + slope a + [-half, half].  The slope is near that of the secant, which makes the
band nearly the narrowest (Chebyshev), and is then a number like any other: the proof bounds g(a) = f(a) - slope a.
Where f is concave a tangent at any c lies above it, so

    g(a) <= g(c) + (f'(c) - slope)(a - c),

whose largest value over the concave part is at one of its ends; and g is largest at an end of every part where f is
convex.  The lower bound is that of -f.  So c may be a guess; a good one is where f'(c) = slope.

- tanh is concave from 0 on and convex before it, with the slope sech^2 c = slope at tanh c = sqrt(1 - slope).
- sech^2 is concave where |a| <= INFLECTION, tanh INFLECTION = 1/sqrt 3, and convex beyond.  It is even, so that a
  rising secant is mirrored; with slope <= 0 g rises on the convex part before -INFLECTION.  With t = tanh c the slope
  is that of f where t - t^3 = -slope/2.

Source: Stolfi and de Figueiredo, Self-Validated Numerical Methods and Applications (1997), section 3.8 (Chebyshev
approximations of affine arithmetic).
"""

from __future__ import annotations

from dataclasses import dataclass

from symland.rigor.enumeration.lanes import (
    Lane,
    choose,
    larger,
    magnitude,
    root,
    rough_logarithm,
    smaller,
    tanh_jet,
)

__all__ = ["Band", "tanh_bands"]

INFLECTION = (0.6584789484624083, 0.6584789484624084)
"""Doubles around artanh(1/sqrt 3) = 0.658478948462408354..., where sech^2 turns from concave to convex."""
STEEPEST = 0.3849001794597505
"""max t - t^3 = 2 / (3 sqrt 3) (a guess)."""
NARROW = 1e-5
"""Width from below where the slope is the derivative at the middle."""
BAND_ERROR = 2.0**-36
"""Granted to a band: 16 JET_ERROR; see `_padded`."""


def _artanh(t: Lane) -> Lane:
    """A guess of artanh t for 0 <= t < 1."""
    t = smaller(t, 1.0 - 1e-12)
    return rough_logarithm((1.0 + t) / (1.0 - t)) * 0.5


def _clamped(c: Lane, low: Lane, high: Lane) -> Lane:
    return larger(low, smaller(high, c))


def _rise(slope: Lane, c: Lane, low: Lane, high: Lane) -> Lane:
    """max of slope (a - c) over a in [low, high]."""
    return larger(slope * (low - c), slope * (high - c))


def _padded(least: Lane, most: Lane, low: Lane, high: Lane, slope: Lane) -> tuple[Lane, Lane]:
    """Middle and half width of g, with room for what was rounded.

    A value of g is a value of f or of its derivative (times a distance), each off by JET_ERROR at the most, and a
    handful of products slope a: each off by 2^-52 |slope a|.
    """
    room = (larger(magnitude(low), magnitude(high)) * (magnitude(slope) + 1.0) + 1.0) * BAND_ERROR
    return (least + most) * 0.5, (most - least) * 0.5 + room


def _tanh_band(low: Lane, high: Lane, ends: tuple[Lane, Lane], slope: Lane) -> tuple[Lane, Lane]:
    values = ends[0] - slope * low, ends[1] - slope * high
    flat = _artanh(root(larger(1.0 - slope, 0.0)))
    found = []
    # Upper bound of g; then of its mirror image -g(-a) over [-high, -low].
    for a, b, first, last in ((low, high, *values), (-high, -low, -values[1], -values[0])):
        foot = larger(a, 0.0)
        c = _clamped(flat, foot, b)
        t, s = tanh_jet(c)
        tangent = t - slope * c + _rise(s - slope, c, foot, b)
        found.append(larger(larger(first, last), choose(b > 0.0, tangent, last)))
    return _padded(-found[1], found[0], low, high, slope)


def _sech_band(low: Lane, high: Lane, ends: tuple[Lane, Lane], slope: Lane) -> tuple[Lane, Lane]:
    """The band over a mirrored interval: slope <= 0."""
    first, last = ends[0] - slope * low, ends[1] - slope * high
    drop = smaller(slope * -0.5, STEEPEST)
    away = root((STEEPEST - drop) * 0.5773502691896258)
    places = []
    for t in (0.5773502691896258 - away, smaller(0.5773502691896258 + away, 1.0)):
        for _ in range(3):
            steep = 1.0 - t * t * 3.0
            t = t - (t - t * t * t - drop) / choose(magnitude(steep) < 1e-3, 1.0, steep)
        places.append(_artanh(_clamped(t, 0.0, 1.0)))
    found = []
    for c, (a, b) in zip(
        places,
        ((larger(low, -INFLECTION[1]), smaller(high, INFLECTION[1])), (larger(low, INFLECTION[0]), high)),
        strict=True,
    ):
        c = _clamped(c, a, b)
        t, s = tanh_jet(c)
        found.append((t, s, c, a, b))
    t, s, c, a, b = found[0]
    # The part where sech^2 is concave ends at INFLECTION; up to the next double it is as good as that.
    tangent = s - slope * c + _rise(t * s * -2.0 - slope, c, a, b)
    most = larger(larger(first, last), choose(a <= b, tangent, last))
    t, s, c, a, b = found[1]
    tangent = s - slope * c - _rise(slope + t * s * 2.0, c, a, b)
    least = smaller(smaller(first, last), choose(a <= b, tangent, last))
    return _padded(least, most, low, high, slope)


@dataclass(frozen=True, slots=True)
class Band:
    """f(a) in mid + slope a + [-half, half] over an interval of a."""

    slope: Lane
    mid: Lane
    half: Lane


def tanh_bands(low: Lane, high: Lane) -> tuple[Band, Band]:
    """The bands of tanh and of sech^2 over [low, high], |a| <= 300."""
    (t_low, s_low), (t_high, s_high) = tanh_jet(low), tanh_jet(high)
    width = high - low
    t_mid, s_mid = tanh_jet((low + high) * 0.5)
    narrow = width < NARROW
    over = 1.0 / larger(width, NARROW)
    slope = choose(narrow, s_mid, (t_high - t_low) * over)
    tanh = Band(slope, *_tanh_band(low, high, (t_low, t_high), slope))
    fall = choose(narrow, t_mid * s_mid * -2.0, (s_high - s_low) * over)
    rises = fall > 0.0
    turned = choose(rises, -high, low), choose(rises, -low, high)
    values = choose(rises, s_high, s_low), choose(rises, s_low, s_high)
    return tanh, Band(fall, *_sech_band(*turned, values, -magnitude(fall)))
