r"""All nodes of a point together: boxes of z = (U_1, v_1, ..., U_n, v_n, g) against the gradient of Psi.

The Hessian of Psi (see ``question``) is J = diag(2, ..., 2, 1) + G^T W G - sum_d P_d D2_d, row d of G the gradient of
Delta_d, W = diag(w).

*At most one.*  Two points z, z' of one box have z - z' = (I - C J~) (z - z') for any real C and some
J~ in the range of J over the box, which is convex.
If |I - C J~| r < r in every row, r the half widths, they are equal.  So a box whose hull with a little more room
passes, and which has in that room a point that is in the list, holds nothing but this point.
"""

from __future__ import annotations

import numpy as np

from symland.rigor.enumeration_check.balls import Balls, Doubles
from symland.rigor.enumeration_check.fields import SLACK, Booleans, Fields, near_inverse

__all__ = ["gradient", "hessian", "regular"]


def split(fields: Fields, z: Balls) -> tuple[Balls, Balls, Balls]:
    """U (k, n, m), v (k, n), g (k,) of z (k, n (m + 1) + 1)."""
    m = fields.question.width
    nodes = z[:, :-1].reshaped(len(z.mid), fields.nodes, m + 1)
    return nodes[:, :, :m], nodes[:, :, m], z[:, -1]


def _logits(output: Balls, value: Balls, bias: Balls) -> Balls:
    return (output[:, :, None] * value).sum(axis=1) + bias[:, None]


def _columns(weights: Balls, outputs: Balls, bias: Balls) -> Balls:
    """z again."""
    k = len(bias.mid)

    def join(u: Doubles, v: Doubles, g: Doubles) -> Doubles:
        return np.concatenate(
            [np.concatenate([u, v[:, :, None]], axis=2).reshape(k, u.shape[1] * (u.shape[2] + 1)), g[:, None]], axis=1
        )

    return Balls(join(weights.mid, outputs.mid, bias.mid), join(weights.rad, outputs.rad, bias.rad))


def gradient(fields: Fields, centre: Doubles) -> Balls:
    """grad Psi at points (k, size)."""
    weights, output, bias = split(fields, Balls.exact(centre))
    jet = fields.jet(weights)
    pull = fields.pulls(_logits(output, jet.value, bias))[0]
    each = pull[:, None]
    lean = (each * jet.slope) @ Balls.exact(fields.design)
    return _columns(
        fields.weighed(weights).scaled(2.0) - output[:, :, None] * lean,
        fields.weighed(output) - (each * jet.value).sum(axis=2),
        fields.weighed(bias) - pull.sum(axis=1),
    )


def hessian(fields: Fields, z: Balls) -> Balls:
    """J over boxes, balls (k, size, size)."""
    m, d = fields.question.width, fields.question.samples
    weights, output, bias = split(fields, z)
    k, n = output.mid.shape
    jet = fields.jet(weights)
    pull, slope = fields.pulls(_logits(output, jet.value, bias))
    each = pull[:, None]
    # Rows of G: v sech^2(a) x, tanh a, for each node, and 1.
    lever = output[:, :, None] * jet.slope
    lever = lever[:, :, :, None] * Balls.exact(fields.design)

    def rows(lead: Doubles, value: Doubles, last: float) -> Doubles:
        block = np.concatenate([lead, value[:, :, :, None]], axis=3)
        return np.concatenate([np.swapaxes(block, 1, 2).reshape(k, d, n * (m + 1)), np.full((k, d, 1), last)], axis=2)

    first = Balls(rows(lever.mid, jet.value.mid, 1.0), rows(lever.rad, jet.value.rad, 0.0))
    bend = (each * jet.curve * output[:, :, None]) @ fields.squares
    lean = (each * jet.slope) @ Balls.exact(fields.design)
    size = n * (m + 1) + 1
    mid, rad = np.zeros((k, size, size)), np.zeros((k, size, size))
    for whole, block, edge in ((mid, bend.mid, lean.mid), (rad, bend.rad, lean.rad)):
        for j in range(n):
            at = j * (m + 1)
            whole[:, at : at + m, at : at + m] = block[:, j].reshape(k, m, m)
            whole[:, at : at + m, at + m] = whole[:, at + m, at : at + m] = edge[:, j]
    plain = fields.weighed(Balls.exact(np.diag(([2.0] * m + [1.0]) * n + [1.0])))
    return plain + first.turned() @ (first * slope[:, :, None]) - Balls(mid, rad)


def regular(fields: Fields, z: Doubles) -> Booleans:
    """Which boxes (2, k, size) hold one stationary point of Psi at the most."""
    box = Balls.between(*z)
    over = hessian(fields, box)
    rest = Balls.exact(np.eye(box.mid.shape[1])) - Balls.exact(near_inverse(over.mid)) @ over
    return np.asarray(((rest.size @ box.rad[:, :, None])[:, :, 0] * SLACK < box.rad).all(axis=1))
