"""The independent checker of complete enumerations: from a certificate's question alone, with formulas of its own.

It shares no code with the search that makes certificates.  What it proves, and how:

1. ``question``: the smaller loss Psi whose stationary points are those asked for, its symmetries and bounds, in Arb.
2. ``points``: every point of the list exists, alone in a cube (Krawczyk's test in Arb), and no two are one.
3. ``tree``: the leaves tile the first box exactly, which holds all residuals that stationary points may have; each leaf
   has a reason, and says so if it met a point that lies in it.
4. No other point: branch and prune with balls in doubles (``balls``, whose rounding is bounded there, and whose tanh
   comes from a table made by Arb).  Points with at most one node are looked for in z itself (``joint``, ``follow``);
   those with more in boxes of residuals, under which each node is by itself (``nodes``, ``cells``).  What is left of a
   box must be a point of the list and no other.  Either the whole first box is searched, with cuts of the checker's
   own, or each leaf of a random share.
5. A point that Newton's method finds, Arb proves and the list lacks refutes the certificate (``points``).
"""

from __future__ import annotations

from symland.rigor.enumeration_check.verify import FORMAT, CheckedEnumeration, check_enumeration

__all__ = ["FORMAT", "CheckedEnumeration", "check_enumeration"]
