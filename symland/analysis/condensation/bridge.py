"""Dead nodes at stationary points: the orientation that a point's residuals give, held against the wide Hessian."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from symland.analysis.answer_types.dead_nodes import DeadNode, DeadNodes
from symland.analysis.condensation.balls import attracts
from symland.analysis.condensation.critical import critical_lines
from symland.analysis.condensation.energy import Energy, independent, weight_names
from symland.analysis.condensation.multiplicity import HIGHEST_ORDER, Multiplicity, find_multiplicity
from symland.analysis.extension import extend
from symland.errors import SpecError
from symland.kernels.kernel import CompiledKernel, compile_kernel
from symland.landscape.landscape import Landscape
from symland.records import FloatArray, StationaryPoint, Verdict
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.losses import LOSSES

__all__ = ["dead_nodes"]

VANISHING = 1e-6
"""A form counts as 0 where it is this much smaller than the sum of its terms."""


def dead_nodes(landscape: Landscape) -> DeadNodes:
    """A dead node at every class of a network with one hidden layer.

    Raises
    ------
    SpecError
        If there are several hidden layers.
    """
    spec = landscape.spec
    if len(spec.hidden) > 1:
        raise SpecError.at("network.hidden", f"{len(spec.hidden)} hidden layers", "ask it of a network with one")
    multiplicity = find_multiplicity(spec.activation)
    biased = compile_kernel(spec if spec.bias else spec.with_(bias=True, penalty=Fraction(0)))
    wide = extend(spec, 1, 1)
    wide_kernel = compile_kernel(wide.wide)
    nodes = []
    for number, point in enumerate(landscape.explored().points):
        hessian = wide_kernel.hessian(np.array(wide.embed(point.theta.tolist(), 0.0))[None])[0]
        places = [*wide.incoming[0], *wide.outgoing[0]]
        block = hessian[np.ix_(places, places)]
        nodes.append(_dead_node(spec, multiplicity, number, point, _residuals(biased, spec, point), block))
    return DeadNodes(nodes=tuple(nodes), threshold=2 * float(spec.penalty), stationary=bool(multiplicity.at_zero == 0))


def _residuals(kernel: CompiledKernel, spec: LandscapeSpec, point: StationaryPoint) -> FloatArray:
    """e_d (D, K): the gradient of a sample's loss by the output biases, zeros where the network has none."""
    layout = kernel.spec.layout
    theta = np.zeros(layout.size)
    # Biases stand behind all weights.
    theta[: point.theta.size] = point.theta
    held = layout.biases(layout.n_layers)
    assert held is not None
    return kernel.per_sample_gradient(theta[None])[0][:, held.slice]


def _dead_node(
    spec: LandscapeSpec,
    multiplicity: Multiplicity,
    number: int,
    point: StationaryPoint,
    residuals: FloatArray,
    hessian: FloatArray,
) -> DeadNode:
    x = np.array([[float(v) for v in row] for row in spec.data.inputs])
    if spec.bias:
        x = np.hstack([x, np.ones((len(x), 1))])
    n, outputs = x.shape[1], spec.n_outputs
    slope = float(multiplicity.derivative) if multiplicity.order == 1 else 0.0
    matrix = slope * residuals.T @ x / len(x)
    penalties = np.full(n + outputs, 2 * float(spec.penalty))
    if spec.bias and spec.penalised is not Penalised.ALL:
        penalties[n - 1] = 0
    block = np.diag(penalties)
    block[n:, :n], block[:n, n:] = matrix, matrix.T
    spectrum, vectors = np.linalg.eigh(block)
    error = np.abs(hessian - block).max() / max(1.0, np.abs(block).max())
    order, energy = _energy(spec, multiplicity, residuals)
    if order == 1:
        incoming = vectors[:n, 0]
        orientations: tuple[tuple[float, ...], ...] = (_unit(incoming),)
        pull = float(np.linalg.svd(matrix, compute_uv=False)[0])
    else:
        lines = () if energy is None else critical_lines(energy).lines
        single = energy is not None and energy.single
        chosen = [
            line for line in lines if attracts(line.value, line.maximum, line.minimum and single) is Verdict.CERTIFIED
        ]
        orientations = tuple(tuple(float(v.mid()) for v in line.unit) for line in chosen)
        pull = max((abs(float(line.value.mid())) for line in chosen), default=0.0)
    return DeadNode(
        number=number,
        index=point.index,
        order=order,
        orientations=orientations,
        pull=pull,
        curvature=float(spectrum[0]),
        escapes=bool(spectrum[0] < 0 if order == 1 else order > 0 and not spec.penalty),
        error=float(error),
    )


def _unit(vector: FloatArray) -> tuple[float, ...]:
    first = vector[np.argmax(np.abs(vector) > VANISHING)]
    return tuple((vector / np.linalg.norm(vector) * np.sign(first)).tolist())


def _energy(spec: LandscapeSpec, multiplicity: Multiplicity, residuals: FloatArray) -> tuple[int, Energy | None]:
    """The order that decides for these residuals, and its energy with the residuals taken exactly as they stand."""
    vectors = tuple((*x, Fraction(1)) if spec.bias else tuple(x) for x in spec.data.inputs)
    exact = [[Fraction(float(v)) for v in row] for row in residuals]
    if LOSSES[spec.loss].shift_invariant:
        # Residuals of a softmax sum to 0, which rounding must not hide.
        exact = [[-sum(row[1:], Fraction(0)), *row[1:]] for row in exact]
    x = np.array([[float(v) for v in row] for row in vectors])
    inner = x @ x.T
    for k in range(multiplicity.order, HIGHEST_ORDER + 1):
        if multiplicity.derivative_at(k) == 0:
            continue
        size = np.sqrt(np.maximum(np.einsum("dk,de,ek->k", residuals, inner**k, residuals), 0)).max()
        terms = (np.abs(residuals).max(axis=1) * np.linalg.norm(x, axis=1) ** k).sum()
        if size <= VANISHING * terms:
            continue
        moments, outgoing = independent(exact, k, vectors)
        names = weight_names(spec.n_inputs, spec.bias)
        return k, Energy(order=k, vectors=vectors, moments=moments, outgoing=outgoing, names=names)
    return 0, None
