"""Are the stationary points of a network stationary in the wider one, and what index do they have there?

The zero extension is proved for the architecture (`symland.analysis.extension_proof`), and then checked at each point
on a small box of Arb balls around it: the wide gradient encloses zero, with exact zeros in the new parameters; the
Hessian is block diagonal; its new block is the one predicted from the narrow network; and the index rises by the
predicted number. The wide network's gradient and Hessian come from the derivation program of the wide network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from symland.analysis.embedding import EmbeddedPoint, Embedding
from symland.analysis.escape import follow_escape
from symland.analysis.extension import Extension, extend
from symland.analysis.extension_proof import prove_extension
from symland.analysis.prediction import BlockPrediction, predict_block
from symland.analysis.residuals import layer_residuals
from symland.errors import RefinementError
from symland.landscape.landscape import Landscape
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray, StationaryPoint, Verdict, read_only
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import parse_decimal
from symland.rigor.inertia import Inertia, inertia
from symland.rigor.krawczyk import cube
from symland.spec import LandscapeSpec

__all__ = ["certified_cubes", "check_embedding"]

PRECISION = 192
"""Bits of the balls."""

CUBE_BITS = 256
"""Bits of the balls that hold a certificate's cube."""

NEWTON_STEPS = 40
"""Steps that sharpen a float64 point; each gains the digits to which float64 inverts the Hessian."""

LARGEST_STEP = 1e3
"""A step above this, in the units of theta, ends the attempt."""

SINGULAR = 1e-11
"""Hessian eigenvalues below this part of the largest count as singular directions of a step."""

SHARP = 1e-30
"""Largest component of the last Newton step, relative to 1 + max |theta|, and half the box's width."""


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


def _middle(matrix: Sequence[Sequence[arb]]) -> FloatArray:
    return np.array([[float(entry.mid()) for entry in row] for row in matrix])


def _sheared_block(hessian: Sequence[Sequence[arb]], extension: Extension, shear: float) -> FloatArray:
    """The Hessian on the new parameters, in the variables with c - shear sum_a v_a for the next layer's biases c."""
    turned = _middle(hessian)
    for node in extension.outgoing if shear else ():
        turned[:, node] -= shear * turned[:, extension.next_biases]
        turned[node, :] -= shear * turned[extension.next_biases, :]
    return turned[np.ix_(extension.new_places, extension.new_places)]


def _check_point(
    number: int, theta: FloatArray, extension: Extension, proof: Verdict, box: Sequence[arb] | None
) -> tuple[EmbeddedPoint, BlockPrediction]:
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
    vanishing = residuals.sigma == 0
    computed = np.linalg.eigvalsh(_sheared_block(after.hessian, extension, prediction.shear)).astype(np.float64)
    predicted = np.sort(np.tile(prediction.eigenvalues, extension.nodes))
    old, whole = inertia(before.hessian), inertia(after.hessian)
    rise = prediction.rise * extension.nodes
    if any(not g.contains(0) for g in (after.gradient if sharp else [after.gradient[p] for p in new])):
        stationary = Verdict.REFUTED
    else:
        exact = not vanishing or all(after.gradient[p] == 0 for p in new)
        stationary = Verdict.CERTIFIED if proof is Verdict.CERTIFIED and sharp and exact else Verdict.UNDECIDED
    point = EmbeddedPoint(
        number=number,
        loss=float(after.value.mid()) if after.value is not None else float("nan"),
        index_before=old.negative,
        index_after=whole.negative,
        predicted_index=old.negative + rise,
        singular_values=prediction.singular_values,
        threshold=prediction.threshold,
        predicted_eigenvalues=prediction.eigenvalues,
        new_eigenvalues=computed,
        eigenvalue_error=float(np.abs(computed - predicted).max()) if prediction.applies else None,
        gradient_bound=max(float(abs(g).upper()) for g in after.gradient),
        exact_zeros=sum(after.gradient[p] == 0 for p in new),
        stationary=stationary,
        index_holds=_index_holds(old, whole, prediction, extension),
    )
    return point, prediction


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
    wide: Landscape | None = None,
    escapes: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Embedding:
    """Prove and check the extension of stationary points by `nodes` zero nodes in hidden layer `layer`.

    Parameters
    ----------
    spec : LandscapeSpec
    points : stationary points, or parameter vectors (P,)
    boxes : for each point a box of balls that holds exactly one stationary point
        By default Newton's method over balls gives a box of half-width `SHARP`.
    wide : Landscape
        The wide network's own, in which the embedded points and the ends of the escapes are
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
            found, prediction = _check_point(number, theta, extension, proof.verdict, boxes[number] if boxes else None)
        embedded = np.array(extension.embed(theta.tolist(), 0.0))
        escape = None
        if escapes and prediction.rise:
            escape = follow_escape(extension, embedded, prediction, wide)
        where = None if wide is None else wide.find(embedded)
        checked.append(msgspec.structs.replace(found, wide_class=where, escape=escape))
        if progress:
            progress(number + 1, len(points))
    return Embedding(
        narrow=spec.digest,
        wide=extension.wide.digest,
        hidden=spec.hidden,
        hidden_wide=extension.wide.hidden,
        layer=layer,
        nodes=nodes,
        verdict=Verdict.all(proof.verdict, *(point.verdict for point in checked)),
        proof=proof.to_dict(),
        points=tuple(checked),
    )


def certified_cubes(certificates: Iterable[Certificate | None]) -> list[list[arb]] | None:
    """The inclusion cubes of certificates, or None where one is missing."""
    cubes = []
    with working_precision(CUBE_BITS):
        for certificate in certificates:
            if certificate is None or certificate.inclusion_radius is None:
                return None
            midpoint = [arb(parse_decimal(text)) for text in certificate.midpoint]
            cubes.append(cube(midpoint, arb(parse_decimal(certificate.inclusion_radius))))
    return cubes
