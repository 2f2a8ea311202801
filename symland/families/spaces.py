"""Fixed spaces of isotropy groups, free of the gauge: where a branch lives, and where it may break.

The isotropy group of a stationary point is kept along its branch, so the branch lies in the vectors which that group
fixes; by the principle of symmetric criticality it may be followed there. The gauge directions add to the loss their
penalty only, hence every stationary point is orthogonal to them (T2). At a branch point the kernel of the Hessian is a
representation of the isotropy group, and the subgroups with a fixed line in it have branches along that line (the
equivariant branching lemma; Golubitsky, Stewart and Schaeffer 1988, theorem XIII.3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from symland.records import FloatArray
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["Axis", "axes", "blocks", "closure", "exact_basis", "isotropy", "projector"]

SAME_VECTOR = 1e-4
"""Difference below which two unit vectors, or a vector and its image, are the same."""

Rows = list[list[int]]
IntMatrix = NDArray[np.int_]


def closure(group: SymmetryGroup, generators: Sequence[GroupElement]) -> tuple[GroupElement, ...]:
    """All elements that some generate, the identity first."""
    found = {group.identity: None}
    front = [group.identity]
    while front:
        fresh = []
        for one in front:
            for generator in generators:
                product = group.compose(generator, one)
                if product not in found:
                    found[product] = None
                    fresh.append(product)
        front = fresh
    return tuple(found)


def isotropy(group: SymmetryGroup, theta: FloatArray, tolerance: float = SAME_VECTOR) -> tuple[GroupElement, ...]:
    """All elements that fix a point."""
    return closure(group, group.stabiliser(theta, tolerance)[1])


def projector(group: SymmetryGroup, elements: Sequence[GroupElement]) -> FloatArray:
    """(P, P) orthogonal projector on the vectors that are fixed by elements and orthogonal to the gauge."""
    basis = group.fixed_space(elements)
    fixed = basis @ basis.T
    # The gauge space is invariant, so that the two projectors commute.
    return fixed - fixed @ group.gauge @ group.gauge.T


def element_matrix(group: SymmetryGroup, element: GroupElement) -> FloatArray:
    index, sign = group.signed_permutation(element)
    matrix = np.zeros((len(index), len(index)))
    matrix[index, np.arange(len(index))] = sign
    return matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis:
    """A line in the kernel along which a branch may leave.

    Attributes
    ----------
    direction : (P,) unit vector
    kept : tuple of GroupElement
        The elements that fix it, which is the isotropy of the new branch.
    broken : GroupElement or None
        An element of the isotropy group that reverses it: then both ends of the line carry copies of one branch, and
        the event is a pitchfork.
    """

    direction: FloatArray
    kept: tuple[GroupElement, ...]
    broken: GroupElement | None


def axes(group: SymmetryGroup, elements: Sequence[GroupElement], kernel: FloatArray) -> list[Axis]:
    """The lines in a kernel (P, k), up to the isotropy group, that are the fixed space of a subgroup.

    The fixed spaces of single elements are intersected with one another until nothing new appears.
    """
    images = [kernel.T @ group.apply(element, kernel.T).T for element in elements]
    size = kernel.shape[1]
    spaces = [np.eye(size)]
    for image in images:
        for space in list(spaces):
            values, vectors = np.linalg.eigh(space.T @ (image + image.T) @ space / 2)
            kept = space @ vectors[:, values > 1 - SAME_VECTOR]
            if kept.shape[1] and not any(_same_space(kept, other) for other in spaces):
                spaces.append(kept)
    found: list[FloatArray] = []
    for space in spaces:
        if space.shape[1] != 1:
            continue
        line = space[:, 0]
        turned = [image @ other for image in images for other in found]
        if not any(1 - abs(float(line @ other)) < SAME_VECTOR for other in turned):
            found.append(line)
    result = []
    for line in found:
        kept = tuple(e for e, m in zip(elements, images, strict=True) if line @ m @ line > 1 - SAME_VECTOR)
        broken = [e for e, m in zip(elements, images, strict=True) if line @ m @ line < -1 + SAME_VECTOR]
        result.append(Axis(direction=kernel @ line, kept=kept, broken=broken[0] if broken else None))
    return result


def _same_space(a: FloatArray, b: FloatArray) -> bool:
    return a.shape == b.shape and float(np.abs(a @ a.T - b @ b.T).max()) < SAME_VECTOR


def exact_basis(
    group: SymmetryGroup, elements: Sequence[GroupElement], within: Sequence[GroupElement] | None = None
) -> Rows:
    """Integer vectors that span the fixed space of elements without the gauge.

    With `within`, a larger group: only the part of it that is orthogonal to the fixed space of that group.
    """
    size = group.layout.size
    rows: list[list[int]] = []
    for element in elements:
        change = element_matrix(group, element).astype(int) - np.eye(size, dtype=int)
        rows += [row for row in change.tolist() if any(row)]
    # The directions of the gauge are proportional to vectors of zeros and ones.
    rows += [[int(x != 0) for x in column] for column in group.gauge.T.tolist()]
    if within is not None:
        rows += exact_basis(group, within)
    return null_space(rows, size)


def blocks(group: SymmetryGroup, elements: Sequence[GroupElement]) -> list[Rows]:
    """Integer bases of spaces that the Hessian at a point with an isotropy group keeps, the fixed space left out.

    The Hessian commutes with the group, so it keeps the common eigenspaces of commuting involutions of it. These are
    taken as many as there are: an irreducible representation of dimension two then falls apart into its two axes.
    Together with the fixed space and the gauge the blocks make up everything.
    """
    size = group.layout.size
    unit = np.eye(size, dtype=int)
    chosen: list[IntMatrix] = []
    for element in elements:
        matrix = element_matrix(group, element).astype(int)
        involution = bool((matrix @ matrix == unit).all()) and not bool((matrix == unit).all())
        if involution and all(bool((matrix @ other == other @ matrix).all()) for other in chosen):
            chosen.append(matrix)
    rest = exact_basis(group, elements) + [[int(x != 0) for x in column] for column in group.gauge.T.tolist()]
    spaces: list[list[IntMatrix]] = [[]]
    for matrix in chosen:
        wider = [[*known, matrix - sign * unit] for known in spaces for sign in (1, -1)]
        spaces = [s for s in wider if null_space([r for m in s for r in m.tolist() if any(r)], size)]
    found = [null_space([r for m in s for r in m.tolist() if any(r)] + rest, size) for s in spaces]
    return [rows for rows in found if rows]


def null_space(rows: Rows, size: int) -> Rows:
    """Integer vectors that span the solutions of rows x = 0."""
    unique = [list(row) for row in dict.fromkeys(map(tuple, rows))]
    if not unique:
        return np.eye(size, dtype=int).tolist()
    reduced, rank = fmpq_mat(len(unique), size, [fmpq(x) for row in unique for x in row]).rref()
    table = reduced.tolist()[:rank]
    pivots = [next(k for k, x in enumerate(row) if x != 0) for row in table]
    found = []
    for free in (k for k in range(size) if k not in pivots):
        vector = [fmpq(0)] * size
        vector[free] = fmpq(1)
        for row, pivot in zip(table, pivots, strict=True):
            vector[pivot] = -row[free]
        scale = fmpq(1)
        for x in vector:
            scale = scale * (x * scale).q
        found.append([int((x * scale).p) for x in vector])
    return found
