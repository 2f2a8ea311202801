"""g along a straight line, to third order, over balls.

g are the sums over the samples of the node equations at kappa = 1 (:mod:`symland.rigor.enumeration.curved`). A jet is
c_0 + c_1 t + c_2 t^2 + c_3 t^3.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from symland.rigor.enumeration.problem import ReducedProblem

__all__ = ["along"]

ORDER = 4
"""Coefficients of a jet."""

Jet = list[arb]


def _times(a: Jet, b: Jet) -> Jet:
    return [sum((a[i] * b[n - i] for i in range(n + 1)), arb(0)) for n in range(ORDER)]


def _plus(a: Jet, b: Jet) -> Jet:
    return [x + y for x, y in zip(a, b, strict=True)]


def _scaled(a: Jet, factor: arb) -> Jet:
    return [x * factor for x in a]


def _tanh(a: Jet) -> tuple[Jet, Jet]:
    """h = tanh a and e = 1 - h^2: n h_n = sum_k k a_k e_{n-k}, as h' = e a'."""
    h, e = [a[0].tanh()], [a[0].sech() ** 2]
    for n in range(1, ORDER):
        h.append(sum((k * a[k] * e[n - k] for k in range(1, n + 1)), arb(0)) / n)
        e.append(-sum((h[i] * h[n - i] for i in range(n + 1)), arb(0)))
    return h, e


def along(problem: ReducedProblem, z: Sequence[arb], direction: Sequence[arb]) -> list[Jet]:
    """The jet in t of each component of g(z + t direction). z and direction may be balls."""
    m, m1 = problem.inputs, problem.inputs + 1
    lines = [[a, b, arb(0), arb(0)] for a, b in zip(z, direction, strict=True)]
    found = [[arb(0)] * ORDER for _ in z]
    for row, sign in zip(problem.design, problem.labels, strict=True):
        logit, nodes = lines[-1], []
        for base in range(0, len(z) - 1, m1):
            lean = [arb(0)] * ORDER
            for k in range(m):
                if row[k]:
                    lean = _plus(lean, _scaled(lines[base + k], arb(row[k])))
            h, e = _tanh(lean)
            logit = _plus(logit, _times(lines[base + m], h))
            nodes.append((base, h, e))
        # s / (1 + exp(s Delta)) = (s - tanh(Delta / 2)) / 2
        half, _ = _tanh(_scaled(logit, arb(0.5)))
        pull = _scaled(half, arb(-0.5))
        pull[0] = pull[0] + arb(sign) / 2
        found[-1] = _plus(found[-1], pull)
        for base, h, e in nodes:
            drive = _times(_times(lines[base + m], pull), e)
            for k in range(m):
                if row[k]:
                    found[base + k] = _plus(found[base + k], _scaled(drive, arb(row[k])))
            found[base + m] = _plus(found[base + m], _times(pull, h))
    return found
