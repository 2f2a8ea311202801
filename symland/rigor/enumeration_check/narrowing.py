r"""Boxes narrowed by each equation for itself.

A *box* holds ranges of p_d = |P_d|, of kappa, of all (U_j, v_j) and of g: kappa may be a number or an interval.  With
the margins t_d = s_d Delta_d and a_jd = U_j.x_d the equations of ``question`` are

    p_d = (kappa/2)(1 - tanh(t_d/2)),     g = sum_d s_d p_d,     s_d t_d = sum_j v_j tanh a_jd + g,
    v_j = sum_d s_d p_d tanh a_jd,        2 U_j = v_j sum_d s_d p_d sech^2(a_jd) x_d,
    sum_j v_j^2 + g^2 = sum_d p_d t_d.

Each is solved for each of its terms, the first one for kappa, too.  Looked for are points with p_i >= p_k for the
``orders`` of the question, v_j >= 0 and v_1 >= v_2 >= ...: automorphisms make the first of every point, then signs and
the order of the nodes the others, which leave all P alone.  Zero nodes are nodes like others here, so points with fewer
nodes are found, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symland.rigor.enumeration_check import ranges
from symland.rigor.enumeration_check.balls import TINY, Doubles
from symland.rigor.enumeration_check.fields import Booleans, Fields
from symland.rigor.enumeration_check.ranges import ROUND, meet

__all__ = ["Narrowed", "first_boxes", "narrow", "parts"]

SLACK = 2.0**-40
"""Relative slack of the energy, a sum of at most 16 terms."""


@dataclass(slots=True)
class Narrowed:
    """Narrower boxes (2, k, D + n (m + 1) + 2), and their ranges of a (2, k, n, D) and of t (2, k, D)."""

    box: Doubles
    argument: Doubles
    margin: Doubles

    def take(self, which: Booleans) -> Narrowed:
        return Narrowed(self.box[:, which], self.argument[:, which], self.margin[:, which])


def parts(fields: Fields, box: Doubles) -> tuple[Doubles, Doubles, Doubles, Doubles, Doubles]:
    """p (..., D), kappa (..., 1), U (..., n, m), v (..., n), g (..., 1) of boxes, or of their middles or radii."""
    d, m = fields.question.samples, fields.question.width
    nodes = box[..., d + 1 : -1].reshape(*box.shape[:-1], fields.nodes, m + 1)
    return box[..., :d], box[..., d : d + 1], nodes[..., :m], nodes[..., m], box[..., -1:]


def first_boxes(fields: Fields, cells: Doubles) -> Doubles:
    """All that points can be whose (P, g) lies in cells (2, k, D + 1)."""
    d, n, count = fields.question.samples, fields.nodes, cells.shape[1]
    pull = np.clip(ranges.signed(cells[:, :, :d], fields.signs), 0.0, fields.scale[1])
    bias = fields.energy**0.5 * (1.0 + SLACK)
    state = np.concatenate([fields.scale[:, None], np.tile(fields.first_state(fields.energy), n)], axis=1)
    edge = np.fmax(cells[0, :, d:], -bias), np.fmin(cells[1, :, d:], bias)
    return np.concatenate([pull, np.repeat(state[:, None], count, axis=1), np.stack(edge)], axis=2)


def _least_size(x: Doubles) -> Doubles:
    """A lower bound of |x|."""
    return np.where((x[0] > 0.0) | (x[1] < 0.0), np.abs(x).min(axis=0), 0.0)


def _ordered(fields: Fields, pull: Doubles, output: Doubles) -> None:
    """The orders of p and of v; in place."""
    for big, small in fields.question.orders:
        pull[1, :, small] = np.fmin(pull[1, :, small], pull[1, :, big])
        pull[0, :, big] = np.fmax(pull[0, :, big], pull[0, :, small])
    for j in range(fields.nodes - 1):
        output[0, :, j] = np.fmax(output[0, :, j], output[0, :, j + 1])
        output[1, :, j + 1] = np.fmin(output[1, :, j + 1], output[1, :, j])


def _margins(fields: Fields, pull: Doubles, kappa: Doubles) -> Doubles:
    """t of p and kappa, within the bound of all logits."""
    share = ranges.over(2.0 * pull, kappa)
    t = 2.0 * ranges.artanh(np.stack([1.0 - share[1] - ROUND, 1.0 - share[0] + ROUND]))
    most = fields.largest_logit
    return meet(t, np.stack([np.full(t.shape[1:], -most), np.full(t.shape[1:], most)]))


def _capped(fields: Fields, pull: Doubles, margin: Doubles, output: Doubles, bias: Doubles) -> Booleans:
    """Cut outputs with the energy, in place; which boxes have none for them."""
    work = np.fmin(ranges.times(pull, margin)[1], fields.largest_term)
    least, squares = _least_size(bias)[:, 0] ** 2, output[0] ** 2
    spent = squares.sum(axis=1)
    spare = work.sum(axis=1) - least - spent + (np.abs(work).sum(axis=1) + least + spent) * SLACK
    # A sum of squares less one of them errs by less than the slack that it has already.
    room = np.fmax(spare[:, None] + squares, 0.0)
    output[1] = np.fmin(output[1], np.sqrt(room) * (1.0 + SLACK))
    dead: Booleans = spare < 0.0
    return dead


def _least_outputs(weight: Doubles, half_lead: Doubles) -> Doubles:
    """A lower bound (k, n) of v where U = v y, v >= 0: a weight away from 0 needs a y of its sign."""
    rise = np.where(weight[0] > 0.0, weight[0] / np.fmax(half_lead[1], TINY), 0.0)
    fall = np.where(weight[1] < 0.0, -weight[1] / np.fmax(-half_lead[0], TINY), 0.0)
    bound: Doubles = np.fmax(rise, fall).max(axis=2) * (1.0 - SLACK)
    return bound


def _slopes(fields: Fields, pull: Doubles, lead: Doubles, slope: Doubles) -> Doubles:
    """sech^2 (2, k, n, D) from sum_d s_d p_d sech^2(a_d) x_d = ``lead``, for p (2, k, 1, D)."""
    for k, column in enumerate(fields.design.T):
        used = np.flatnonzero(column)
        factor, size = column[used] * fields.signs[used], pull[..., used]
        terms = ranges.signed(ranges.times(size, slope[..., used]), factor)
        rest = ranges.minus(lead[..., k, None], ranges.others(terms, 3))
        slope[..., used] = meet(slope[..., used], ranges.over(ranges.signed(rest, 1.0 / factor), size))
    return slope


def _weights(fields: Fields, argument: Doubles, weight: Doubles) -> Doubles:
    """U from a = U.x."""
    for d, row in enumerate(fields.design):
        used = np.flatnonzero(row)
        terms = ranges.signed(weight[..., used], row[used])
        rest = ranges.minus(argument[..., d, None], ranges.others(terms, 3))
        weight[..., used] = meet(weight[..., used], ranges.signed(rest, 1.0 / row[used]))
    return weight


def narrow(fields: Fields, box: Doubles) -> tuple[Narrowed, Booleans]:
    """Boxes (2, k, size) narrowed once, there and back, and which of them hold nothing."""
    signs = fields.signs
    pull, kappa, weight, output, bias = (part.copy() for part in parts(fields, box))
    _ordered(fields, pull, output)
    terms = ranges.signed(pull, signs)
    bias = meet(bias, ranges.total(terms, 2)[:, :, None])
    pull = meet(pull, ranges.signed(ranges.minus(bias, ranges.others(terms, 2)), signs))
    margin = _margins(fields, pull, kappa)
    dead = _capped(fields, pull, margin, output, bias)

    # Forward: tanh a, then v, and the logits; each term of a logit is what the others leave.
    each = pull[:, :, None]
    argument = ranges.combined(weight, fields.design.T)
    value = ranges.tanh(argument)
    shares = ranges.signed(ranges.times(each, value), signs)
    output = meet(output, ranges.total(shares, 3))
    output[0] = np.fmax(output[0], 0.0)
    products = ranges.times(output[..., None], value)
    together = ranges.total(products, 2)
    margin = meet(margin, ranges.signed(ranges.plus(together, bias), signs))
    logit = ranges.signed(margin, signs)
    rest = ranges.minus(logit, together)
    bias = meet(bias, np.stack([rest[0].max(axis=1), rest[1].min(axis=1)])[..., None])
    rest = ranges.minus(ranges.minus(logit, bias)[:, :, None], ranges.others(products, 2))
    value = meet(value, ranges.over(rest, output[..., None]))

    # Backward: tanh a and sech^2 a from the equations of the nodes, then a, then U.
    rest = ranges.minus(output[..., None], ranges.others(shares, 3))
    value = meet(value, ranges.over(ranges.signed(rest, signs), each))
    slope = ranges.sech2(value)
    half_lead = 0.5 * ranges.combined(ranges.signed(ranges.times(each, slope), signs), fields.design)
    weight = meet(weight, ranges.times(output[..., None], half_lead))
    output[0] = np.fmax(output[0], _least_outputs(weight, half_lead))
    slope = _slopes(fields, each, ranges.over(2.0 * weight, output[..., None]), slope)
    value = meet(value, ranges.sech2_room(slope))
    argument = meet(argument, ranges.artanh(value))
    weight = _weights(fields, argument, weight)
    half = ranges.tanh(0.5 * margin)
    share = np.stack([np.fmax(1.0 - half[1] - ROUND, 0.0), 1.0 - half[0] + ROUND])
    pull = meet(pull, 0.5 * ranges.times(share, kappa))
    pull[0] = np.fmax(pull[0], 0.0)
    scales = ranges.over(2.0 * pull, share)
    kappa = meet(kappa, np.stack([scales[0].max(axis=1), scales[1].min(axis=1)])[..., None])
    nodes = np.concatenate([weight, output[..., None]], axis=3)
    box = np.concatenate([pull, kappa, nodes.reshape(2, len(dead), nodes.shape[2] * nodes.shape[3]), bias], axis=2)
    for found in (slope, value, argument, margin, box):
        dead |= (found[0] > found[1]).any(axis=tuple(range(1, found.ndim - 1)))
    return Narrowed(box, argument, margin), dead
