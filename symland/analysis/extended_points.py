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

from symland.analysis.answer_types.embedding import EmbeddedPoint, Embedding, Successor
from symland.analysis.escape import follow_escapes
from symland.analysis.extension import Extension, extend
from symland.analysis.extension_proof import prove_extension
from symland.analysis.prediction import BlockPrediction, predict_block
from symland.analysis.residuals import layer_residuals
from symland.errors import RefinementError
from symland.explore.following import follow
from symland.explore.newton import newton
from symland.kernels import compile_kernel
from symland.landscape.landscape import Landscape
from symland.program.balls import evaluate_balls, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import FloatArray, StationaryPoint, Verdict, read_only
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import parse_decimal
from symland.rigor.gauge import gauge_sets
from symland.rigor.inertia import Inertia, inertia
from symland.rigor.krawczyk import cube
from symland.spec import LandscapeSpec
from symland.symbolic.activation import Z, derive_activation
from symland.tolerances import count_signs

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
    selective = not (vanishing or prediction.shear or prediction.applies)
    if any(not g.contains(0) for g in (after.gradient if sharp else [after.gradient[p] for p in new])):
        stationary = Verdict.REFUTED
    else:
        exact = _exactly_stationary(extension, box) if selective else True
        exact = exact and (not vanishing or all(after.gradient[p] == 0 for p in new))
        stationary = Verdict.CERTIFIED if proof is Verdict.CERTIFIED and sharp and exact else Verdict.UNDECIDED
    slope, predicted_slope = _slopes(extension, box, after.gradient, residuals.sigma) if selective else (None, None)
    point = EmbeddedPoint(
        number=number,
        loss=float(after.value.mid()) if after.value is not None else float("nan"),
        index_before=old.negative,
        index_after=whole.negative,
        predicted_index=old.negative + rise if prediction.applies else None,
        singular_values=prediction.singular_values,
        threshold=prediction.threshold,
        predicted_eigenvalues=prediction.eigenvalues,
        new_eigenvalues=computed,
        eigenvalue_error=float(np.abs(computed - predicted).max()) if prediction.applies else None,
        gradient_bound=max(float(abs(g).upper()) for g in after.gradient),
        exact_zeros=sum(after.gradient[p] == 0 for p in new),
        stationary=stationary,
        index_holds=_index_holds(old, whole, prediction, extension),
        slope=slope,
        predicted_slope=predicted_slope,
    )
    return point, prediction


def _exactly_stationary(extension: Extension, box: Sequence[arb]) -> bool:
    """Whether the box holds the origin and the origin's extension is stationary to the last digit.

    Elsewhere no box tells a gradient of zero from a small one. At the origin the slopes of the last weights are
    those of the last biases times sigma(0), which need not be an exact number.
    """
    if not all(t.contains(0) for t in box):
        return False
    wide = extension.wide
    gradient = evaluate_balls(_program(wide.digest, wide), [arb(0)] * wide.n_parameters).gradient
    last = wide.layout.weight(wide.layout.n_layers)
    skipped = range(last.offset, last.offset + last.size) if wide.bias else range(0)
    return all(g == 0 for p, g in enumerate(gradient) if p not in skipped)


def _slopes(
    extension: Extension, box: Sequence[arb], gradient: Sequence[arb], sigma: arb
) -> tuple[float, float | None]:
    """The largest slope along the outgoing weights of a new node, and what T5-nonvanishing says of it."""
    node = extension.outgoing[0]
    largest = max(range(len(node)), key=lambda i: abs(float(gradient[node[i]].mid())))
    bias = extension.narrow.layout.biases(extension.layer + 1)
    said = None
    if bias is not None:
        said = float((-2 * exact_ball(extension.narrow.penalty) * sigma * box[bias.offset + largest]).mid())
    return float(gradient[node[largest]].mid()), said


def _successor(extension: Extension, theta: FloatArray, index: int) -> Successor | None:
    """The end of a search for `index` from the shifted extension of a point that does not extend; None without one."""
    narrow, wide, layer = extension.narrow.layout, extension.wide, extension.layer
    bias = narrow.biases(layer + 1)
    start = np.array(extension.embed(theta.tolist(), 0.0))
    if bias is not None:
        sigma = float(derive_activation(wide.activation).expression.subs(Z, 0))
        share = 1.0 / (1.0 + extension.nodes * sigma**2)
        held = theta[bias.slice]
        start[list(extension.next_biases)] = share * held
        for node in extension.outgoing:
            start[list(node)] = share * sigma * held
    kernel = compile_kernel(wide)
    ends, settled = newton(kernel, follow(kernel, start[None], np.array([index]))[0])
    if not settled[0]:
        return None
    value, gradient, hessian = (part[0] for part in kernel.value_gradient_hessian(ends))
    return Successor(
        theta=ends[0],
        loss=float(value),
        gradient_norm=float(np.abs(gradient).max()),
        index=count_signs(np.linalg.eigvalsh(hessian))[0],
        distance=float(np.linalg.norm(ends[0] - start)),
    )


def _index_holds(old: Inertia, whole: Inertia, prediction: BlockPrediction, extension: Extension) -> Verdict:
    # The eigenvalues of the gauge are zero, so that balls leave them open: with no other one the rest is decided.
    known = old.open <= len(gauge_sets(extension.narrow))
    if whole.negative > old.negative + old.open + prediction.rise * extension.nodes and known:
        return Verdict.REFUTED if prediction.verdict is Verdict.CERTIFIED else Verdict.UNDECIDED
    if not known or prediction.verdict is not Verdict.CERTIFIED:
        return Verdict.UNDECIDED
    # A flat direction of the extension is an eigenvalue that balls leave open; no other may be.
    if whole.open > prediction.flat * extension.nodes + len(gauge_sets(extension.wide)):
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
    leaving: dict[int, tuple[FloatArray, BlockPrediction]] = {}
    for number, point in enumerate(points):
        theta = _theta(point)
        if theta.shape != (spec.n_parameters,):
            raise ValueError(f"point {number} has {theta.size} parameters, the network {spec.n_parameters}")
        with working_precision(PRECISION):
            found, prediction = _check_point(number, theta, extension, proof.verdict, boxes[number] if boxes else None)
        embedded = np.array(extension.embed(theta.tolist(), 0.0))
        if escapes and prediction.rise and found.stationary is not Verdict.REFUTED:
            leaving[number] = embedded, prediction
        where = None if wide is None else wide.find(embedded)
        gone = escapes and found.slope is not None and found.stationary is Verdict.REFUTED
        checked.append(
            msgspec.structs.replace(
                found,
                wide_class=where,
                successor=_successor(extension, theta, found.index_before) if gone else None,
            )
        )
        if progress:
            progress(number + 1, len(points))
    starts, predictions = [start for start, _ in leaving.values()], [prediction for _, prediction in leaving.values()]
    for number, escape in zip(leaving, follow_escapes(extension, starts, predictions, wide), strict=True):
        checked[number] = msgspec.structs.replace(checked[number], escape=escape)
    return Embedding(
        narrow=spec.digest,
        wide=extension.wide.digest,
        hidden=spec.hidden,
        hidden_wide=extension.wide.hidden,
        layer=layer,
        nodes=nodes,
        verdict=Verdict.all(proof.verdict, *(_asked(point) for point in checked)),
        proof=proof.to_dict(),
        points=tuple(checked),
    )


def _asked(point: EmbeddedPoint) -> Verdict:
    """Stationary with the predicted index; where no index is predicted, stationary."""
    return point.stationary if point.slope is not None else point.verdict


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
