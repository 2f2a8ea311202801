r"""All equations of a box at once, made linear, and what multipliers prove of them.

A variable is middle + radius u with |u| <= 1: p_d, kappa, U_jk, v_j (see ``narrowing``; g = sum_d s_d p_d is put in).

*tanh over an interval.*  Take any c >= 0 and the slope s = sech^2 c.  h(x) = tanh x - s x rises between -c and c and
falls beyond.  It is odd, and concave on x >= 0, where h(c) is its largest value.  So over [a, b]

    h <= max(h(a), h(b) if b < c else h(c)),         h >= min(h(b), h(a) if a > -c else -h(c)):

the largest value over x < 0 is at a or below the one at 0, as h falls up to -c and rises then.  With c near the place
where tanh has the slope of the secant this is the narrowest strip of parallel lines.  Hence, with error symbols e,

    tanh a_jd = T0 + s sum_k x_dk U_jk' + h e_jd,  where ' is the deviation from the middle;  |deviation| <= R,
    tanh(t_d / 2) = m + (s s_d / 2)(sum_j v_j tanh a_jd + sum_i s_i p_i) + h e.

*kappa.*  With c its middle and kappa = c (1 + q), |q| at most its radius over c, p_d = (kappa/2)(1 - tanh(t_d/2)) reads
2 p_d / c = (1 + q)(1 - tanh(t_d/2)).  Where the linear form of tanh(t_d/2) has the middle H and differs from H
by H' in the box,

    2 p_d / c - 1 + tanh(t_d/2) - (1 - H) q + q H' = 0,     |q H'| <= |q| R_d,

R_d the larger distance from H to tanh(t_d/2) at the ends of t_d, at most 1 + |H|.  All samples share the one q.

*Products.*  tanh^2 = T0^2 + 2 T0 T' + T'^2 with T'^2 in [0, R^2], so S = sech^2 a = S0 - 2 T0 T' + (R^2/2) e, with
S0 = 1 - T0^2 - R^2/2.  The deviation of S is at most Q = 2 |T0| R + R^2/2.  For deviations v', P', S'

    v P S = v0 P0 S0 + P0 S0 v' + v0 S0 P' + v0 P0 S' + (v0 P' S' + P0 v' S' + S0 v' P' + v' P' S'),

and what is not linear has a symbol of its own, which the equations of U_j1, ..., U_jm share; the like of v T and P T.

*Multipliers.*  Every equation now reads 0 = F_i + sum_c A_ic u_c + r_i [-1, 1].  Whatever y is,

    |y.F| > sum_c |y.A_c| + sum_i |y_i| r_i      proves that nothing solves them in the box.

y = (A W A^T + R)^-1 F makes the right side small at y.F = 1 in the sense of least squares; weights W = 1/|y.A_c|, and R
like them, then make the sum of sizes smaller.

*Rounding.*  Let G_i be |F_i| + sum_c |A_ic| with every sum and product taken of sizes.  All entries are made of less
than 2^7 operations, the sums with y of less than 2^7 more, so that both sides are off by less than 2^8 2^-53 |y|.G
together.  r_i takes ROOM G_i for it, 2^5 times as much.  With B_x >= |x0| + |x'|, and B_T made like T0 and R of sizes,
G_i is at most

    2 B_U + sum_d |x_dk| B_v B_P (1 + B_T)^2,     B_v + sum_d B_P B_T,
    2 B_P/c + (1 + 2 |q|)(1 + |m| + h + (s/2)(sum_j B_v B_T + sum_d B_P))

for U_jk, v_j and t_d.  h takes BAND_ROOM (1 + c + max |x|): tanh is off by 2^-49, and s by 2^-47 in products with x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symland.rigor.enumeration_check.balls import TANH_ERROR, TINY, Doubles, near_tanh
from symland.rigor.enumeration_check.fields import Booleans, Fields, Integers, near_inverse
from symland.rigor.enumeration_check.narrowing import Narrowed, parts
from symland.rigor.enumeration_check.ranges import ROUND, meet

__all__ = ["Linear", "excluded", "linear", "solved", "strip"]

ROOM = 2.0**-40
BAND_ROOM = 2.0**-44
NARROW = 1e-6
"""Width from below where the slope is that at the middle."""
MULTIPLIERS = 3
"""Multipliers that are tried on a box, ..."""
LARGEST_MULTIPLIER = 1e100
"""... of which none is larger."""
LEAST_SHARE = 0.02
"""Added to |y.A_c| before it is divided by, in units of their mean."""
RIDGE = 1e-13
"""Added to the diagonal of a matrix that may be singular, in units of it."""
ERROR_WEIGHT = 2.0
"""Weight of the errors against the variables where a box is halved: they shrink with the square of its width."""
NOTHING = 1e-250
"""Added to divisors of which nothing is claimed."""


def strip(x: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Slope, middle and half width of a strip that holds tanh over ranges x."""
    ends, width, middle = near_tanh(x), x[1] - x[0], 0.5 * (x[0] + x[1])
    secant = np.clip((ends[1] - ends[0]) / np.fmax(width, NARROW), 0.0, 1.0)
    turn = np.where(width > NARROW, np.arctanh(np.sqrt(np.fmin(1.0 - secant, 1.0 - 1e-14))), np.abs(middle))
    peak = near_tanh(turn)
    slope = np.maximum((1.0 - peak) * (1.0 + peak), 0.0)
    peak -= slope * turn
    low, high = ends - slope * x
    most = np.maximum(low, np.where(x[1] < turn, high, peak))
    least = np.minimum(high, np.where(x[0] > -turn, low, -peak))
    room = (1.0 + turn + np.abs(x).max(axis=0)) * BAND_ROOM
    return slope, 0.5 * (least + most), 0.5 * (most - least) + room


def _middles(box: Doubles) -> tuple[Doubles, Doubles]:
    """Middles of boxes, and radii about them that reach to both ends."""
    low, high = box
    middle = 0.5 * (low + high)
    return middle, np.fmax(high - middle, middle - low) * (1.0 + ROOM) + TINY


@dataclass(slots=True)
class Linear:
    """0 = value + lead u + rest [-1, 1] in boxes, rows of (U_j, v_j) and then of t_d, and where the rest comes from.

    Columns are p_d, kappa, (U_j, v_j), then the errors of tanh a_jd, then those of v_j P_d sech^2 a_jd.

    Attributes
    ----------
    value, lead, rest : (k, R), (k, R, C) and (k, R).
    turn, output, pull : (k, n, D) shares of the error of v P sech^2 a which shrink with a, with v, with p.
    mixed, bent : (k, n, D) errors of P tanh a in the row of v_j, and of v tanh a in that of t_d.
    margin : (k, D) error of tanh(t_d/2) in the row of t_d.
    scale : (k, D) error of kappa tanh(t_d/2) in the row of t_d.
    share : (k, n, D, m) of the radius of a_jd that each weight makes.
    """

    value: Doubles
    lead: Doubles
    rest: Doubles
    turn: Doubles
    output: Doubles
    pull: Doubles
    mixed: Doubles
    bent: Doubles
    margin: Doubles
    scale: Doubles
    share: Doubles


def linear(fields: Fields, found: Narrowed) -> Linear:
    """The linear equations of narrowed boxes."""
    x, signs = fields.design, fields.signs
    d, m, n, count = fields.question.samples, fields.question.width, fields.nodes, found.box.shape[1]
    middle, radius = _middles(found.box)
    p0, kappa, weight0, v0, _ = parts(fields, middle)
    p1, kappa1, weight1, v1, _ = parts(fields, radius)
    q = kappa1 / kappa
    v0, v1, pull0, pull1 = v0[..., None], v1[..., None], (p0 * signs)[:, None], p1[:, None]

    slope, t0, error = strip(found.argument)
    t0 += slope * (weight0 @ x.T)
    away = slope * (weight1 @ np.abs(x.T)) + error
    curve = 0.5 * away * away
    s0 = 1.0 - t0 * t0 - curve
    leaning = 2.0 * np.abs(t0) * away + curve
    # v P sech^2: what is not linear, by what makes it.
    once, by_pull, by_output = np.abs(v0 * pull0) * curve, np.abs(v0) * pull1 * leaning, v1 * np.abs(pull0) * leaning
    by_both, by_all = v1 * pull1 * np.abs(s0), v1 * pull1 * leaning / 3.0
    turn = once + 0.5 * (by_pull + by_output) + by_all
    output, pull = 0.5 * (by_output + by_both) + by_all, 0.5 * (by_pull + by_both) + by_all
    mixed = pull1 * away

    half_slope, middle_t, margin = strip(0.5 * found.margin)
    half_slope *= 0.5
    bent = half_slope[:, None] * v1 * away
    tilt = half_slope * signs
    h0 = middle_t + tilt * ((v0 * t0).sum(axis=1) + pull0.sum(axis=2))
    scale = q * (np.abs(near_tanh(0.5 * found.margin) - h0).max(axis=0) + TANH_ERROR)

    # The same with sizes.
    most_t = slope * ((np.abs(weight0) + weight1) @ np.abs(x.T)) + np.abs(t0) + away
    most_p, most_v = np.abs(pull0) + pull1, np.abs(v0) + v1
    size = np.concatenate(
        [
            np.concatenate(
                [
                    2.0 * (np.abs(weight0) + weight1) + (most_v * most_p * (1.0 + most_t) ** 2) @ np.abs(x),
                    most_v + (most_p * most_t).sum(axis=2, keepdims=True),
                ],
                axis=2,
            ).reshape(count, n * (m + 1)),
            (half_slope * ((most_v * most_t).sum(axis=1) + most_p.sum(axis=2)) + (1.0 + np.abs(middle_t) + margin))
            * (1.0 + 2.0 * q)
            + 2.0 * most_p[:, 0] / kappa,
        ],
        axis=1,
    )

    rows, variables = n * (m + 1) + d, d + 1 + n * (m + 1)
    value, rest = np.zeros((count, rows)), size * ROOM + TINY
    lead = np.zeros((count, rows, variables + 2 * n * d))
    last = slice(n * (m + 1), None)
    along = np.arange(d)
    steep = -2.0 * t0 * v0 * pull0
    for j in range(n):
        row, own = slice(j * (m + 1), j * (m + 1) + m), j * (m + 1) + m
        weights, column = slice(d + 1 + row.start, d + 1 + row.stop), d + 1 + own
        tanhs = slice(variables + j * d, variables + (j + 1) * d)
        products = slice(tanhs.start + n * d, tanhs.stop + n * d)
        # 2 U - sum x v P sech^2 a
        value[:, row] = 2.0 * weight0[:, j] - (v0 * pull0 * s0)[:, j] @ x
        turned = ((steep * slope)[:, j] @ fields.squares.mid).reshape(count, m, m)
        lead[:, row, weights] = (2.0 * np.eye(m) - turned) * weight1[:, j, None]
        lead[:, row, column] = -((v1 * pull0 * s0)[:, j] @ x)
        lead[:, row, :d] = -(v0[:, j] * s0[:, j] * signs * p1)[:, None] * x.T
        lead[:, row, tanhs] = -(steep * error)[:, j, None] * x.T
        lead[:, row, products] = -(turn + output + pull)[:, j, None] * x.T
        # v - sum P tanh a
        value[:, own] = v0[:, j, 0] - (pull0 * t0)[:, j].sum(axis=1)
        lead[:, own, column] = v1[:, j, 0]
        lead[:, own, weights] = -((pull0 * slope)[:, j] @ x) * weight1[:, j]
        lead[:, own, :d] = -t0[:, j] * signs * p1
        lead[:, own, tanhs] = -(pull0 * error)[:, j]
        rest[:, own] += mixed[:, j].sum(axis=1)
        # (s s_d / 2) v tanh a
        lever = tilt * v0[:, j]
        lead[:, last, weights] = (lever * slope[:, j])[:, :, None] * x * weight1[:, j, None]
        lead[:, last, column] = tilt * t0[:, j] * v1[:, j]
        lead[:, n * (m + 1) + along, tanhs.start + along] = lever * error[:, j]
    value[:, last] += h0 - 1.0 + 2.0 * p0 / kappa
    lead[:, last, :d] = tilt[:, :, None] * (signs * p1)[:, None]
    lead[:, n * (m + 1) + along, along] += 2.0 * p1 / kappa
    lead[:, last, d] = (h0 - 1.0) * q
    rest[:, last] += margin + bent.sum(axis=1) + scale
    share = weight1[:, :, None] * np.abs(x)
    share /= share.sum(axis=3, keepdims=True) + NOTHING
    return Linear(value, lead, rest, turn, output, pull, mixed, bent, margin, scale, share)


def _multipliers(lead: Doubles, rest: Doubles, value: Doubles, weights: Doubles) -> Doubles:
    """Some y near (A W A^T + R)^-1 F; what they are is no matter of proof."""
    columns = lead.shape[2]
    matrix = (lead * weights[:, None, :columns]) @ np.swapaxes(lead, 1, 2)
    diagonal = np.einsum("kii->ki", matrix)
    diagonal += rest * rest * weights[:, columns:] + diagonal * RIDGE + NOTHING
    try:
        y = np.linalg.solve(matrix, value[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        y = value / diagonal
    return np.where(np.abs(y) < LARGEST_MULTIPLIER, y, 0.0)


def excluded(fields: Fields, found: Linear) -> tuple[Booleans, Doubles]:
    """Which boxes hold nothing, and for all others each variable's part of the bound, (k', D + 1 + n (m + 1))."""
    lead, rest, value = found.lead, found.rest, found.value
    left, gone = np.arange(len(value)), np.zeros(len(value), dtype=bool)
    weights = np.ones((len(value), lead.shape[1] + lead.shape[2]))
    for _ in range(MULTIPLIERS):
        y = _multipliers(lead, rest, value, weights)
        spans = np.concatenate([np.abs((y[:, None] @ lead)[:, 0]), np.abs(y) * rest], axis=1)
        out = np.abs((y * value).sum(axis=1)) > spans.sum(axis=1) * (1.0 + ROOM) + TINY
        gone[left[out]] = True
        left, y, spans = left[~out], y[~out], spans[~out]
        lead, rest, value = lead[~out], rest[~out], value[~out]
        weights = 1.0 / (spans + LEAST_SHARE * spans.mean(axis=1, keepdims=True) + NOTHING)
    return gone, _scores(fields, found, left, spans, np.abs(y))


def solved(fields: Fields, found: Linear, box: Doubles, which: Booleans) -> Doubles:
    """Boxes narrowed by multipliers which leave nearly one variable each: p, U and v, and g = sum_d s_d p_d.

    Whatever C is, C (F + A u + r e) = 0 gives T u = -C F - C r e + (T - C A) u for the deviations T u.  C is near T
    times the inverse of the columns of p, U and v.
    """
    d = fields.question.samples
    lead, rest, value, box = found.lead[which], found.rest[which], found.value[which], box[:, which]
    count, size = value.shape
    own = np.delete(np.arange(size + 1), d)
    middle, radius = _middles(box[:, :, own])
    wanted = np.zeros((count, size + 1, lead.shape[2]))
    wanted[:, np.arange(size), own] = radius
    wanted[:, size, :d] = radius[:, :d] * fields.signs
    multipliers = wanted[:, :, own] @ near_inverse(lead[:, :, own])
    multipliers = np.where(np.abs(multipliers) < LARGEST_MULTIPLIER, multipliers, 0.0)
    off = np.abs(wanted - multipliers @ lead).sum(axis=2) + (np.abs(multipliers) @ rest[:, :, None])[:, :, 0]
    move = -(multipliers @ value[:, :, None])[:, :, 0]
    middle = np.concatenate([middle, (middle[:, :d] * fields.signs).sum(axis=1, keepdims=True)], axis=1)
    sizes = np.concatenate([np.abs(middle[:, :-1]), np.abs(middle[:, :d]).sum(axis=1, keepdims=True)], axis=1)
    off = off * (1.0 + ROOM) + (sizes + np.abs(move)) * ROUND + TINY
    centre = middle + move
    places = np.append(own, size + 1)
    out = box.copy()
    out[:, :, places] = meet(box[:, :, places], np.stack([centre - off, centre + off]))
    return out


def _scores(fields: Fields, found: Linear, left: Integers, spans: Doubles, y: Doubles) -> Doubles:
    """The sizes of the columns of variables, with what shrinks with each of them of the errors."""
    d, m, n, count = fields.question.samples, fields.question.width, fields.nodes, len(left)
    variables = d + 1 + n * (m + 1)
    nodes = y[:, : n * (m + 1)].reshape(count, n, m + 1)
    tanhs, products = (spans[:, at : at + n * d].reshape(count, n, d) for at in (variables, variables + n * d))
    products = products / ((found.turn + found.output + found.pull)[left] + NOTHING)
    mixed, bent = 0.5 * nodes[..., m:] * found.mixed[left], 0.5 * y[:, None, n * (m + 1) :] * found.bent[left]
    turn = tanhs + products * found.turn[left] + mixed + bent
    output = products * found.output[left] + bent
    scale = 0.5 * y[:, n * (m + 1) :] * found.scale[left]
    pull = (products * found.pull[left] + mixed).sum(axis=1) + y[:, n * (m + 1) :] * found.margin[left] + scale
    state = np.concatenate(
        [(turn[..., None] * found.share[left]).sum(axis=2), output.sum(axis=2, keepdims=True)], axis=2
    )
    errors = np.concatenate([pull, scale.sum(axis=1, keepdims=True), state.reshape(count, n * (m + 1))], axis=1)
    scores: Doubles = spans[:, :variables] + ERROR_WEIGHT * errors
    return scores
