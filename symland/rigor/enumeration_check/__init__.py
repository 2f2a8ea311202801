"""The independent checker of complete enumerations: from a certificate's question alone, with formulas of its own.

It shares no code with the search that makes certificates.  What it proves, and how:

1. ``question``: the smaller loss Psi whose stationary points are those asked for, its symmetries and bounds, in Arb.
2. ``points``: every point of the list exists, alone in a cube (Krawczyk's test in Arb), and no two are one.
3. ``tree``: the leaves tile the first box exactly, which holds all residuals that stationary points may have; each leaf
   has a reason, and says so if it met a point that lies in it.
4. No other point: boxes of residuals and of all nodes together (``narrowing``) are narrowed by each equation in ranges
   whose rounding is bounded (``ranges``), excluded by all equations together (``linear``), or halved (``follow``).
   Nodes that are zero are nodes like others, so one search finds all points.  What is left of a box must be a point of
   the list and no other (``joint``, in balls: ``balls``, with a tanh from a table made by Arb).  Either the whole first
   box is searched, with cuts of the checker's own, or each leaf of a random share.
5. A point that Newton's method finds, Arb proves and the list lacks refutes the certificate (``points``).
"""

from __future__ import annotations

from symland.rigor.enumeration_check.verify import FORMAT, CheckedEnumeration, check_enumeration

__all__ = ["FORMAT", "CheckedEnumeration", "check_enumeration"]
