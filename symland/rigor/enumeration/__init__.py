"""Complete enumeration: a proof that a list of stationary points is all of them, or the boxes where it is open.

The argument (theorems with proofs in :mod:`symland.rigor.enumeration.problem`).  Every stationary point of a
one-hidden-layer tanh network with two classes is a solution of a reduced system in the margins t_d and the states
(U_j, v_j) of the nodes, which lie in a box.

*At one penalty* (:mod:`symland.rigor.enumeration.choices`) boxes of all these variables together are followed in one
tree: each equation by itself narrows a box, a linear relaxation of all of them excludes it or narrows it further, and
what lies in the uniqueness box of a known point, which Arb proved, is dropped.  No box left proves the list complete.

*Over a slab of penalties* (:mod:`symland.rigor.enumeration.slabs`) kappa is one more variable of the relaxation.  What
lies in a region around a branch, which holds one point for each penalty, is dropped.  A choice waits for a narrower
slab where the range of kappa makes much of the bound, and where it does not reach into a region.

Each step only removes what provably is no unknown solution.  Anything else is reported as undecided.  Where theorem T9
speaks of the question it gives the same answer without boxes (:mod:`symland.rigor.enumeration.by_theorem`).

Source of the reduction: stationarity makes U_j a function of the residuals alone, as in the representer form of a
penalised network; the interval methods are in Neumaier, Interval Methods for Systems of Equations (1990), chapters 4
and 5.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "EnumerationResult",
    "Progress",
    "UndecidedBox",
    "certificate_text",
    "enumerate_by_theorem",
    "enumerate_points",
    "theorem_applies",
]


def __getattr__(name: str) -> Any:
    if name == "certificate_text":
        from symland.rigor.enumeration.writing import certificate_text

        return certificate_text
    if name == "theorem_applies":
        from symland.rigor.enumeration.by_theorem import theorem_applies

        return theorem_applies
    if name in __all__:
        from symland.rigor.enumeration import drive

        return getattr(drive, name)
    raise AttributeError(name)
