"""Complete enumeration: a proof that a list of stationary points is all of them, or the boxes where it is open.

The argument (theorems with proofs in :mod:`symland.rigor.enumeration.problem`).  Every stationary point of a
one-hidden-layer
tanh network with two classes is a solution of a reduced system in which the nodes meet only through the residuals
P and the
output bias gamma.  A *task* is a box of (P, gamma) with a list of boxes that hold every non-zero state which a
single node can
have there; the zero node is always allowed besides.  One examination

1. shrinks (P, gamma) by the energy identity, gamma = sum P and the order of a fundamental domain of the symmetries;
2. shrinks each node box by propagation, by the node equations solved for P, and by a preconditioned mean value
   step for
   (U, v); a box near 0 that provably holds no node but the zero node is dropped;
3. forms the multisets of N nodes (the zero node included), and drops those whose residuals do not meet, or whose
   logits do not
   give these residuals back; with affine forms of the nodes the logits become D interval linear equations in P;
4. drops the multisets that lie in the uniqueness box of a known point, which Arb proved.

No multiset left closes the task; otherwise node boxes or the residual box are halved.  Each step only removes what
provably is no
unknown solution, so an empty queue proves the list complete.  Anything else is reported as undecided.

Source of the decoupling: stationarity makes U_j a function of the residuals alone, as in the representer form of a
penalised
network; the interval methods are in Neumaier, Interval Methods for Systems of Equations (1990), chapters 4 and 5.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EnumerationResult", "Progress", "UndecidedBox", "audit", "enumerate_points"]


def __getattr__(name: str) -> Any:
    if name == "audit":
        from symland.rigor.enumeration.auditing import audit

        return audit
    if name in __all__:
        from symland.rigor.enumeration import drive

        return getattr(drive, name)
    raise AttributeError(name)
