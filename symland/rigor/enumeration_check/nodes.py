r"""What one node can be while the residuals lie in a box.

Given P a node X = (U, v) that is not zero solves f(X; P) = 0,

    f = (2 U - v sum_d P_d sech^2(U.x_d) x_d,  v - sum_d P_d tanh(U.x_d)),

the gradient of phi(X) = |U|^2 + v^2/2 - v sum_d P_d tanh(U.x_d).  f is linear in P: f = diag(2, ..., 2, 1) X - M(X) P,
where column d of M is (v sech^2(a_d) x_d, tanh a_d), a_d = U.x_d.  Its Hessian is

    H(X; P) = [[2 I - v sum P_d tanh''(a_d) x_d x_d^T,  -y], [-y^T, 1]],       y = sum_d P_d sech^2(a_d) x_d.

With the centre c of a box of X, the middle p of the box of P, and the mean value theorem along the segment from c to X,
row by row,

    0 = f(X; P) = f(c; p) - M(c) (P - p) + H~ (X - c),        H~ in the range of H over both boxes,

so for all real matrices C and B

    X - c = -C f(c; p) + C M(c) (P - p) + (I - C H~) (X - c),
    P - p =  B f(c; p) + B H~ (X - c) + (I - B M(c)) (P - p).

*Only the zero node.*  f(0; P) = 0, so in a box about 0 with half widths r a node has X = (I - C H~) X; where
|I - C H~| r < r in every row, X = 0 in the norm max |X_i|/r_i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import SLACK, Booleans, Fields, Jet, empty, meet, near_inverse

__all__ = ["Contracted", "contract_nodes", "only_zero"]

THICKER = 0.25
"""Half width of a flat box about 0, in shares of its widest, when it is tested for holding the zero node only."""


@dataclass(slots=True)
class Contracted:
    """Lanes after a contraction.

    Attributes
    ----------
    states, reach : (2, k, m + 1) and (2, k, D + 1).
    dead : lanes that hold no node.
    loose : (k,) what the width of the node leaves open in it, in units of (U, v).
    drive : (k, D) what the width of each P moves it.
    share : balls (k, D) of v tanh(U.x_d), over the box as it came.
    """

    states: Doubles
    reach: Doubles
    dead: Booleans
    loose: Doubles
    drive: Doubles
    share: Balls


def _hessian(fields: Fields, jet: Jet, output: Balls, pulls: Balls) -> Balls:
    """H over boxes, balls (k, m + 1, m + 1)."""
    m = fields.question.width
    bend = ((pulls * jet.curve * output[:, None]) @ fields.squares).reshaped(len(output.mid), m, m)
    lean = (pulls * jet.slope) @ Balls.exact(fields.design)
    mid, rad = (np.zeros((len(bend.mid), m + 1, m + 1)) for _ in range(2))
    for whole, block, edge in ((mid, bend.mid, lean.mid), (rad, bend.rad, lean.rad)):
        whole[:, :m, :m] = block
        whole[:, :m, m] = whole[:, m, :m] = edge
    return Balls.exact(np.diag([2.0] * m + [1.0])) - Balls(mid, rad)


def _moves(fields: Fields, jet: Jet, output: Balls) -> Balls:
    """M, balls (k, m + 1, D)."""
    k, d = jet.value.mid.shape
    lever = (output[:, None] * jet.slope)[:, None] * Balls.exact(fields.design.T)
    return Balls(
        np.concatenate([lever.mid, jet.value.mid.reshape(k, 1, d)], axis=1),
        np.concatenate([lever.rad, jet.value.rad.reshape(k, 1, d)], axis=1),
    )


def contract_nodes(fields: Fields, states: Doubles, reach: Doubles) -> Contracted:
    """Boxes (2, k, m + 1) of nodes and (2, k, D + 1) of residuals without what holds no node."""
    m, d = fields.question.width, fields.question.samples
    pulls = Balls.between(*reach[:, :, :d])
    jet = fields.jet(Balls.between(*states[:, :, :m]))
    states = states.copy()
    states[:, :, m] = meet(states[:, :, m], (pulls * jet.value).sum(axis=1))
    output = Balls.between(*states[:, :, m])
    lean = (pulls * jet.slope) @ Balls.exact(fields.design)
    states[:, :, :m] = meet(states[:, :, :m], (output[:, None] * lean).scaled(0.5))
    dead = empty(states)

    box = Balls.between(*states)
    centre, middle = Balls.exact(box.mid), Balls.exact(pulls.mid)
    step, swing = (Balls(np.zeros_like(b.mid), b.rad)[:, :, None] for b in (box, pulls))
    over = _hessian(fields, jet, output, pulls)
    moves = _moves(fields, fields.jet(centre[:, :m]), centre[:, m])
    value = centre * Balls.exact(np.array([2.0] * m + [1.0])) - (moves @ middle[:, :, None])[:, :, 0]
    value = value[:, :, None]
    inverse = Balls.exact(near_inverse(over.mid))
    loose = (Balls.exact(np.eye(m + 1)) - inverse @ over) @ step
    along = inverse @ moves
    moved = centre - (inverse @ value)[:, :, 0] + (along @ swing)[:, :, 0] + loose[:, :, 0]
    states = meet(states, moved)

    mid = moves.mid
    square = np.swapaxes(mid, 1, 2) @ mid
    damp = 1e-6 * np.trace(square, axis1=1, axis2=2)[:, None, None] / d + 1e-30
    solve = Balls.exact(near_inverse(square + damp * np.eye(d)) @ np.swapaxes(mid, 1, 2))
    rest = (Balls.exact(np.eye(d)) - solve @ moves) @ swing
    found = middle + (solve @ value)[:, :, 0] + ((solve @ over) @ step)[:, :, 0] + rest[:, :, 0]
    reach = np.concatenate([meet(reach[:, :, :d], found), reach[:, :, d:]], axis=2)
    return Contracted(
        states=states,
        reach=reach,
        dead=dead | empty(states) | empty(reach),
        loose=loose.rad[:, :, 0].max(axis=1),
        drive=(np.abs(along.mid) * pulls.rad[:, None]).max(axis=1),
        share=output[:, None] * jet.value,
    )


def only_zero(fields: Fields, states: Doubles, reach: Doubles) -> Booleans:
    """Which boxes about 0 hold no node but the zero node, whatever the residuals in ``reach``."""
    m, d = fields.question.width, fields.question.samples
    size = np.abs(states).max(axis=0)
    size = np.maximum(size, size.max(axis=1, keepdims=True) * THICKER) * SLACK + 1e-12
    box = Balls(np.zeros_like(size), size)
    over = _hessian(fields, fields.jet(box[:, :m]), box[:, m], Balls.between(*reach[:, :, :d]))
    rest = Balls.exact(np.eye(m + 1)) - Balls.exact(near_inverse(over.mid)) @ over
    found: Booleans = ((rest.size @ size[:, :, None])[:, :, 0] * SLACK < size).all(axis=1)
    return found
