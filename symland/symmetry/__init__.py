"""The symmetry group of a landscape, acting on float64 parameter vectors."""

from __future__ import annotations

from symland.symmetry.elements import DataAutomorphism, GroupElement, Parity
from symland.symmetry.group import MATCH_TOLERANCE, SymmetryGroup

__all__ = ["MATCH_TOLERANCE", "DataAutomorphism", "GroupElement", "Parity", "SymmetryGroup"]
