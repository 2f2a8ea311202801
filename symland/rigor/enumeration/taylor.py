"""g along a curve, as a power series over balls.

g are the sums over the samples of the node equations at kappa = 1 (:mod:`symland.rigor.enumeration.curved`). A jet is
c_0 + c_1 t + ... + c_n t^n.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from symland.rigor.enumeration.problem import ReducedProblem

__all__ = ["along"]

Jet = Sequence[arb]


def _times(a: Jet, b: Jet) -> list[arb]:
    return [sum((a[i] * b[n - i] for i in range(1, n + 1)), a[0] * b[n]) for n in range(len(a))]


def _plus(a: Jet, b: Jet) -> list[arb]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _scaled(a: Jet, factor: arb) -> list[arb]:
    return [x * factor for x in a]


def _tanh(a: Jet) -> tuple[list[arb], list[arb]]:
    """h = tanh a and e = 1 - h^2: n h_n = sum_k k a_k e_{n-k}, as h' = e a'."""
    h, e, slopes = [a[0].tanh()], [a[0].sech() ** 2], [k * x for k, x in enumerate(a)]
    for n in range(1, len(a)):
        h.append(sum((slopes[k] * e[n - k] for k in range(2, n + 1)), slopes[1] * e[n - 1]) / n)
        e.append(-sum((h[i] * h[n - i] for i in range(1, n + 1)), h[0] * h[n]))
    return h, e


def along(problem: ReducedProblem, curve: Sequence[Jet]) -> list[list[arb]]:
    """The jet of each component of g on a curve z(t), whose components are jets of one length."""
    m, m1, order = problem.inputs, problem.inputs + 1, len(curve[0])
    found = [[arb(0)] * order for _ in curve]
    for row, sign in zip(problem.design, problem.labels, strict=True):
        logit, nodes = list(curve[-1]), []
        for base in range(0, len(curve) - 1, m1):
            lean = [arb(0)] * order
            for k in range(m):
                if row[k]:
                    lean = _plus(lean, _scaled(curve[base + k], arb(row[k])))
            h, e = _tanh(lean)
            logit = _plus(logit, _times(curve[base + m], h))
            nodes.append((base, h, e))
        # s / (1 + exp(s Delta)) = (s - tanh(Delta / 2)) / 2
        half, _ = _tanh(_scaled(logit, arb(0.5)))
        pull = _scaled(half, arb(-0.5))
        pull[0] = pull[0] + arb(sign) / 2
        found[-1] = _plus(found[-1], pull)
        for base, h, e in nodes:
            drive = _times(_times(curve[base + m], pull), e)
            for k in range(m):
                if row[k]:
                    found[base + k] = _plus(found[base + k], _scaled(drive, arb(row[k])))
            found[base + m] = _plus(found[base + m], _times(pull, h))
    return found
