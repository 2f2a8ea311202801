"""Are the stationary points of a network stationary in the wider one, and what index do they have there?

The zero extension is proved for the architecture (`symland.analysis.extension_proof`), and then checked at each point
on a small box of Arb balls around it: the wide gradient encloses zero, with exact zeros in the new parameters; the
Hessian is block diagonal; its new block is the one predicted from the narrow network; and the index rises by the
predicted number. The wide network's gradient and Hessian come from the derivation program of the wide network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from symland.analysis.escape import Escape, follow_escape
from symland.analysis.extension import Extension, extend
from symland.analysis.extension_proof import prove_extension
from symland.analysis.inertia import Inertia, inertia
from symland.analysis.matching import find_class
from symland.analysis.prediction import BlockPrediction, predict_block
from symland.analysis.residuals import layer_residuals
from symland.errors import RefinementError
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray, StationaryPoint, Verdict, read_only
from symland.spec import LandscapeSpec
from symland.symbolic.theorem import ProofResult
from symland.symmetry import SymmetryGroup

__all__ = ["EmbeddedPoint", "EmbeddingReport", "check_embedding"]

PRECISION = 192
"""Bits of the balls."""

NEWTON_STEPS = 40
"""Steps that sharpen a float64 point; each gains the digits to which float64 inverts the Hessian."""

LARGEST_STEP = 1e3
"""A step above this, in the units of theta, ends the attempt."""

SINGULAR = 1e-11
"""Hessian eigenvalues below this part of the largest count as singular directions of a step."""

SHARP = 1e-30
"""Largest component of the last Newton step, relative to 1 + max |theta|, and half the box's width."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedPoint:
    """One stationary point in the wide network.

    Attributes
    ----------
    number : int
        Its place in the list that was given.
    loss : float
    index_before, index_after : int
        Negative Hessian eigenvalues, counted by LDL^T over balls.
    prediction : BlockPrediction
        What T5 says of each new node.
    predicted_index : int
        index_before plus the predicted rise of all new nodes.
    new_eigenvalues : ascending float64
        Of the new block of the wide Hessian, computed.
    eigenvalue_error : float
        Largest difference of computed and predicted eigenvalues; NaN where T5 predicts only signs (sigma(0) != 0).
    gradient_bound : float
        Largest upper bound of |gradient component| over the box.
    exact_zeros : int
        New components of the gradient that are exactly zero, radius included.
    stationary : Verdict
        CERTIFIED where the extension is proved, the box holds a zero of every component, and the new ones are exact
        (they are for sigma(0) = 0); REFUTED where some component is proved not to vanish.
    index_holds : Verdict
        Whether the computed index is the predicted one.
    wide_class : int or None
        Its class in the wide network's own list, if one was given and holds it.
    escape : Escape or None
        Where the most negative new direction leads.
    """

    number: int
    loss: float
    index_before: int
    index_after: int
    prediction: BlockPrediction
    predicted_index: int
    new_eigenvalues: FloatArray
    eigenvalue_error: float
    gradient_bound: float
    exact_zeros: int
    stationary: Verdict
    index_holds: Verdict
    wide_class: int | None = None
    escape: Escape | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "new_eigenvalues", read_only(self.new_eigenvalues, 1))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "number": self.number,
            "loss": self.loss,
            "index_before": self.index_before,
            "index_after": self.index_after,
            "predicted_index": self.predicted_index,
            "singular_values": self.prediction.singular_values.tolist(),
            "threshold": self.prediction.threshold,
            "predicted_eigenvalues": self.prediction.eigenvalues.tolist(),
            "new_eigenvalues": self.new_eigenvalues.tolist(),
            "eigenvalue_error": None if np.isnan(self.eigenvalue_error) else self.eigenvalue_error,
            "gradient_bound": self.gradient_bound,
            "exact_zeros": self.exact_zeros,
            "stationary": self.stationary.value,
            "index_holds": self.index_holds.value,
            "wide_class": self.wide_class,
            "escape": self.escape.to_dict() if self.escape else None,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingReport:
    """The proof for the architecture and every point."""

    extension: Extension
    proof: ProofResult
    points: tuple[EmbeddedPoint, ...]

    @property
    def verdict(self) -> Verdict:
        """CERTIFIED when the proof is and every point is stationary with the predicted index."""
        each = (v for point in self.points for v in (point.stationary, point.index_holds))
        return Verdict.all(self.proof.verdict, *each)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "narrow": self.extension.narrow.digest,
            "wide": self.extension.wide.digest,
            "hidden": list(self.extension.narrow.hidden),
            "hidden_wide": list(self.extension.wide.hidden),
            "layer": self.extension.layer,
            "nodes": self.extension.nodes,
            "verdict": self.verdict.value,
            "proof": self.proof.to_dict(),
            "points": [point.to_dict() for point in self.points],
        }


@lru_cache(maxsize=16)
def _program(digest: str, spec: LandscapeSpec) -> Program:
    return build_program(spec)


def _sharpened(program: Program, theta: FloatArray) -> list[arb]:
    """A box of half-width `SHARP` around the limit of Newton's method.

    Raises
    ------
    RefinementError
        If Newton's method does not settle, as at a degenerate point.
    """
    point = [arb(t) for t in theta]
    scale = SHARP * (1 + float(np.abs(theta).max(initial=0.0)))
    # The inverse need not be exact: each step multiplies the error by its relative error. Singular directions, such as
    # the gauge of a softmax whose biases are free, are left alone.
    inverse = np.linalg.pinv(_middle(evaluate_balls(program, point).hessian), rcond=SINGULAR, hermitian=True)
    for _ in range(NEWTON_STEPS):
        gradient = [g.mid() for g in evaluate_balls(program, point).gradient]
        moves = [sum((arb(y) * g for y, g in zip(row, gradient, strict=True)), arb(0)).mid() for row in inverse]
        point = [(t - m).mid() for t, m in zip(point, moves, strict=True)]
        size = max(abs(float(m)) for m in moves)
        if size <= scale:
            return [arb(t, scale) for t in point]
        if not size < LARGEST_STEP:
            break
    raise RefinementError("Newton's method does not settle here: the point is degenerate or not stationary")


def _blocks(matrix: Sequence[Sequence[arb]], places: Sequence[int]) -> list[list[arb]]:
    return [[matrix[p][q] for q in places] for p in places]


def _middle(matrix: Sequence[Sequence[arb]]) -> FloatArray:
    return np.array([[float(entry.mid()) for entry in row] for row in matrix])


def _check_point(
    number: int, theta: FloatArray, extension: Extension, proof: Verdict, box: Sequence[arb] | None
) -> EmbeddedPoint:
    spec, wide = extension.narrow, extension.wide
    program = _program(spec.digest, spec)
    sharp = True
    if box is None:
        try:
            box = _sharpened(program, theta)
        except RefinementError:
            box, sharp = [arb(t) for t in theta], False
    before = evaluate_balls(program, box)
    after = evaluate_balls(_program(wide.digest, wide), extension.embed(box, arb(0)))
    residuals = layer_residuals(spec, box, extension.layer)
    prediction = predict_block(spec, residuals)
    new = extension.new_places
    new_block = _blocks(after.hessian, new)
    vanishing = residuals.sigma == 0
    computed: FloatArray = np.linalg.eigvalsh(_middle(new_block)).astype(np.float64)
    predicted = np.sort(np.tile(prediction.eigenvalues, extension.nodes))
    old, whole = inertia(before.hessian), inertia(after.hessian)
    rise = prediction.rise * extension.nodes
    if any(not g.contains(0) for g in (after.gradient if sharp else [after.gradient[p] for p in new])):
        stationary = Verdict.REFUTED
    else:
        exact = not vanishing or all(after.gradient[p] == 0 for p in new)
        stationary = Verdict.CERTIFIED if proof is Verdict.CERTIFIED and sharp and exact else Verdict.UNDECIDED
    return EmbeddedPoint(
        number=number,
        loss=float(after.value.mid()) if after.value is not None else float("nan"),
        index_before=old.negative,
        index_after=whole.negative,
        prediction=prediction,
        predicted_index=old.negative + rise,
        new_eigenvalues=computed,
        eigenvalue_error=float(np.abs(computed - predicted).max()) if vanishing else float("nan"),
        gradient_bound=max(float(abs(g).upper()) for g in after.gradient),
        exact_zeros=sum(after.gradient[p] == 0 for p in new),
        stationary=stationary,
        index_holds=_index_holds(old, whole, prediction, extension),
    )


def _index_holds(old: Inertia, whole: Inertia, prediction: BlockPrediction, extension: Extension) -> Verdict:
    if whole.negative > old.negative + old.open + prediction.rise * extension.nodes and old.decided:
        return Verdict.REFUTED if prediction.verdict is Verdict.CERTIFIED else Verdict.UNDECIDED
    if not old.decided or prediction.verdict is not Verdict.CERTIFIED:
        return Verdict.UNDECIDED
    # A flat direction of the extension is an eigenvalue that balls leave open; no other may be.
    if whole.open > prediction.flat * extension.nodes:
        return Verdict.UNDECIDED
    same = whole.negative == old.negative + prediction.rise * extension.nodes
    return Verdict.CERTIFIED if same else Verdict.REFUTED


def _theta(point: StationaryPoint | ArrayLike) -> FloatArray:
    return point.theta if isinstance(point, StationaryPoint) else read_only(point, 1)


def check_embedding(
    spec: LandscapeSpec,
    points: Sequence[StationaryPoint | ArrayLike],
    *,
    layer: int = 1,
    nodes: int = 1,
    boxes: Sequence[Sequence[arb]] | None = None,
    wide_points: Sequence[StationaryPoint] = (),
    wide_group: SymmetryGroup | None = None,
    escapes: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> EmbeddingReport:
    """Prove and check the extension of stationary points by `nodes` zero nodes in hidden layer `layer`.

    Parameters
    ----------
    spec : LandscapeSpec
    points : stationary points, or parameter vectors (P,)
    boxes : for each point a box of balls that holds exactly one stationary point
        By default Newton's method over balls gives a box of half-width `SHARP`.
    wide_points, wide_group
        The wide network's own list and symmetry group, in which the embedded points and the ends of the escapes are
        looked up.
    escapes : bool
        Whether to follow the escape directions downhill.
    progress : callable
        Called with (points done, points in all).

    Raises
    ------
    SpecError
        If there is no such layer.
    ValueError
        If a point has the wrong number of parameters.
    """
    extension = extend(spec, layer, nodes)
    proof = prove_extension(spec, layer, nodes)
    checked: list[EmbeddedPoint] = []
    for number, point in enumerate(points):
        theta = _theta(point)
        if theta.shape != (spec.n_parameters,):
            raise ValueError(f"point {number} has {theta.size} parameters, the network {spec.n_parameters}")
        with working_precision(PRECISION):
            found = _check_point(number, theta, extension, proof.verdict, boxes[number] if boxes else None)
        embedded = np.array(extension.embed(theta.tolist(), 0.0))
        escape = None
        if escapes and found.prediction.rise:
            escape = follow_escape(extension, embedded, found.prediction, wide_points, wide_group)
        where = find_class(embedded, wide_points, wide_group)
        checked.append(replace(found, wide_class=where, escape=escape))
        if progress:
            progress(number + 1, len(points))
    return EmbeddingReport(extension=extension, proof=proof, points=tuple(checked))
