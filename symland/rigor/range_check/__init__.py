"""The independent checker of ranges of penalties: from the question in a certificate alone, with methods of its own.

A certificate lists slabs of penalties, the points in the middle of each, folds and pitchforks. What is proved here:

1. The slabs join to the range; a slab of an event lies between two others. The counts that are claimed for each
   interval between events are those of every slab in it, change at a fold by its two points and at a pitchfork by its
   pair, and their Morse sum is 1.
2. ``middles``: every point exists, alone in a cube (Krawczyk's test in Arb); no two are one up to symmetry; their
   indices (Gershgorin's discs) and labelled copies (orbits) are counted. A point that Newton's method finds, Arb
   proves and the list lacks refutes the certificate.
3. ``folds``: a zero of the equations of Moore and Spence in a tiny cube gives the fold. Around it the curve of zeros is
   a function of its coordinate along the null vector, kappa an unknown like the others: kappa'' has one sign where
   kappa' may vanish, and at both ends the curve has left the slab. The search that makes certificates reduces to one
   equation in x and kappa instead.
4. ``forks``: a pitchfork is a zero, in a tiny cube, of equations that are divided by the amplitude of the pair; the
   pair is a curve of their zeros, along which kappa is strictly monotone.
5. ``search``: each slab is searched again, for all penalties of it at once: boxes of the residuals, kappa and all nodes
   together are followed by the checker of one penalty. What is left of them lies in regions around points that Newton's
   method finds anew (``homes``), or has such a point in it and room for no other. Above the slabs the same is done down
   to kappa = 0, where the certificate rests on a theorem.

Formulas, boxes, balls and symmetries are those of the checker of enumerations (:mod:`symland.rigor.enumeration_check`).
"""

from __future__ import annotations

from symland.rigor.range_check.verify import FORMAT, CheckedRange, check_range

__all__ = ["FORMAT", "CheckedRange", "check_range"]
