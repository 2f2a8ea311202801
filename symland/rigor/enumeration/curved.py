"""The reduced equations and their first and second derivatives over balls, in any frame.

F(z, kappa) = A z - kappa g(z) in z = (U_1, v_1, ..., U_N, v_N, gamma), with A = diag(2, ..., 2, 1, ..., 1) and, at
kappa = 1, g the sums over the samples of the node equations. F is the gradient of the reduced loss divided by lambda.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb, arb_mat

from symland.rigor.enumeration.problem import ReducedProblem

__all__ = ["Derivatives", "derivatives", "weights"]

Columns = Sequence[Sequence[arb]]


def weights(problem: ReducedProblem) -> list[int]:
    """The diagonal of A."""
    return [*([2] * problem.inputs + [1]) * problem.nodes, 1]


class Derivatives:
    """g, its derivatives along the columns of a frame, and the second ones.

    Attributes
    ----------
    value : g, (n,)
    first : first[i] = g'[c_i], (n,) each
    second : second[i][j] = g''[c_i, c_j] for j <= i; empty where not asked for
    """

    def __init__(self, value: list[arb], first: list[list[arb]], second: list[list[list[arb]]]) -> None:
        self.value, self.first, self.second = value, first, second


def derivatives(problem: ReducedProblem, z: Sequence[arb], frame: Columns, curved: bool = False) -> Derivatives:
    """g and its derivatives at z, which may be balls, along the columns of a frame, which may be, too.

    With a = U . x, h = tanh a, e = sech^2 a: h' = e, h'' = -2 h e, e' = -2 h e, e'' = -2 e (e - 2 h^2). With
    q = 1 / (1 + exp(s Delta)) and P = s q: P' = -q (1 - q), P'' = s q (1 - q) (1 - 2 q).
    """
    m, m1, size = problem.inputs, problem.inputs + 1, len(z)
    bases, count = range(0, size - 1, m1), range(len(frame))
    value = [arb(0)] * size
    first = [[arb(0)] * size for _ in count]
    second = [[[arb(0)] * size for _ in range(i + 1)] for i in count] if curved else []
    for row, sign in zip(problem.design, problem.labels, strict=True):
        places = [k for k in range(m) if row[k]]
        x = [arb(cell) for cell in row]
        nodes = []
        logit, lead = z[-1], [c[-1] for c in frame]
        for base in bases:
            a = sum((x[k] * z[base + k] for k in places), arb(0))
            h, e = a.tanh(), a.sech() ** 2
            v = z[base + m]
            alpha = [sum((x[k] * c[base + k] for k in places), arb(0)) for c in frame]
            beta = [c[base + m] for c in frame]
            h1 = [e * b for b in alpha]
            e1 = [-2 * h * b for b in h1]
            logit = logit + v * h
            lead = [p + v * q + b * h for p, q, b in zip(lead, h1, beta, strict=True)]
            nodes.append((base, v, h, e, alpha, beta, h1, e1))
        q = 1 / (1 + (sign * logit).exp())
        pull, once = sign * q, -q * (1 - q)
        twice = sign * q * (1 - q) * (1 - 2 * q)
        pull1 = [once * p for p in lead]
        value[-1] += pull
        for base, v, h, e, _, _, _, _ in nodes:
            drive = v * pull * e
            for k in places:
                value[base + k] += x[k] * drive
            value[base + m] += pull * h
        for i in count:
            first[i][-1] += pull1[i]
            for base, v, h, e, _, beta, h1, e1 in nodes:
                drive = beta[i] * pull * e + v * (pull1[i] * e + pull * e1[i])
                for k in places:
                    first[i][base + k] += x[k] * drive
                first[i][base + m] += pull1[i] * h + pull * h1[i]
        if not curved:
            continue
        for i in count:
            for j in range(i + 1):
                out = second[i][j]
                lead2, bends = arb(0), []
                for _, v, h, e, alpha, beta, h1, _ in nodes:
                    both = alpha[i] * alpha[j]
                    h2 = -2 * h * e * both
                    lead2 += v * h2 + beta[i] * h1[j] + beta[j] * h1[i]
                    bends.append((h2, -2 * e * (e - 2 * h * h) * both))
                pull2 = once * lead2 + twice * lead[i] * lead[j]
                out[-1] += pull2
                for (base, v, h, e, _, beta, h1, e1), (h2, e2) in zip(nodes, bends, strict=True):
                    drive = v * (pull2 * e + pull * e2 + pull1[i] * e1[j] + pull1[j] * e1[i])
                    drive += beta[i] * (pull1[j] * e + pull * e1[j]) + beta[j] * (pull1[i] * e + pull * e1[i])
                    for k in places:
                        out[base + k] += x[k] * drive
                    out[base + m] += pull2 * h + pull * h2 + pull1[i] * h1[j] + pull1[j] * h1[i]
    return Derivatives(value, first, second)


def columns_of(matrix: arb_mat) -> list[list[arb]]:
    """The columns of a matrix."""
    return [list(column) for column in matrix.transpose().tolist()]
