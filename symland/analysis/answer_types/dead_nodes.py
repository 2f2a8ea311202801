"""Options and answer: what becomes of a dead node."""

from __future__ import annotations

import msgspec

__all__ = ["DeadNode", "DeadNodes"]


class DeadNode(msgspec.Struct, frozen=True, kw_only=True, rename={"number": "class"}):
    """A dead node added to one class.

    Attributes
    ----------
    number, index : int
        The class and its index.
    order : int
        k, the smallest with sigma^(k)(0) != 0 and F_k != 0 for the residuals of the point; 0 where there is none.
    orientations : tuple of tuple of float
        Unit vectors of input weights, the bias last: the escape direction for k = 1, the lines that attract above.
    pull : float
        The largest singular value of sigma'(0) C for k = 1; the largest |F_k| of a line that attracts above.
    curvature : float
        The smallest eigenvalue of the node's block of the Hessian, from the block that C predicts.
    escapes : bool
        Whether the node leaves 0: the curvature is below 0, or there is no penalty and the order is above 1.
    error : float
        How far the Hessian of the wide network is from the predicted block.
    """

    number: int
    index: int
    order: int
    orientations: tuple[tuple[float, ...], ...]
    pull: float
    curvature: float
    escapes: bool
    error: float


class DeadNodes(msgspec.Struct, frozen=True, kw_only=True):
    """A dead node at every class.

    Attributes
    ----------
    nodes : tuple of DeadNode
    threshold : float
        2 lambda, which the pull must exceed.
    stationary : bool
        Whether dead nodes keep points stationary: sigma(0) = 0.
    """

    nodes: tuple[DeadNode, ...]
    threshold: float
    stationary: bool
