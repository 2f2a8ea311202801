"""Training of real networks from small initial weights, all seeds in one batch on the compiled kernel.

The networks are trained without penalty, which would draw small weights to 0 faster than powers of them grow, and with
the output biases held at 0, as the residual at zero weights is what the prediction is made from.

The normalised flow gives each node a clock of its own. At small weights nodes are decoupled and the energy of a node
is homogeneous in (w, a), so that the path of its orientation under the gradient flow does not depend on its length. So
each node first turns at its initial length, down the gradient of the real network, until all nodes stand still or are
aligned; then all are let go, each at a speed that is a fixed share of its length, until the loss has fallen.

Where the effective multiplicity k is above 2p, terms that are quadratic in the outputs have an order no higher than
that of the energy: they act between nodes and in a node on itself. They carry a further power of the output weights.
So the following method keeps the output weights at a small share of the input weights' length, and in the direction in
which the loss falls: what is left of the flow is the energy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symland.analysis.condensation.measure import incoming
from symland.errors import SpecError
from symland.kernels.kernel import CompiledKernel, compile_kernel
from symland.layout import Layout
from symland.records import FloatArray, read_only
from symland.spec import LandscapeSpec

__all__ = ["Method", "Run", "Snapshot", "Training", "train"]

STANDING = 1e-3
"""A node stands still where it turns by less than this share of the largest angle in a step."""

SMALL_SHARE = 1e-6
"""Length of a node's output weights in units of the initial standard deviation, for the following method."""

MOST_SEEDS = 10_000
"""Networks trained together."""


class Method(Enum):
    """How the weights move."""

    NORMALISED = "normalised"
    """Each node down its own gradient with a clock of its own: turned at its length first, then let go."""
    FOLLOWING = "following"
    """Input weights turn at their length; output weights stay small and follow the pull at once. The loss stays."""
    FLOW = "flow"
    """Gradient flow, by the package's stiff integrator."""
    DESCENT = "descent"
    """Gradient descent with a fixed rate."""
    ADAM = "adam"
    """Adam (Kingma and Ba, arXiv:1412.6980) with its usual constants."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How networks are trained.

    Attributes
    ----------
    method : Method
    std : float
        Standard deviation of all initial weights.
    rate : float or None
        Of a step; 0.03 of a node's length (normalised), 0.1 (descent), 5e-4 (Adam) by default.
    steps : int
        Most steps.
    loss_ratio : float or None
        The run ends where the loss is this share of what it was; 0.999 at order 1 and 0.99 above by default.
    alignment : float or None
        The run ends where every node is within this cosine of a predicted line; the normalised flow lets the nodes go
        there. None asks for nothing.
    residual : bool
        Whether every hidden layer behind the first is added to what it sees.
    """

    method: Method = Method.NORMALISED
    std: float = 1e-4
    rate: float | None = None
    steps: int = 5000
    loss_ratio: float | None = None
    alignment: float | None = 0.9995
    residual: bool = False

    def __post_init__(self) -> None:
        if not 1e-12 <= self.std <= 1:
            raise SpecError.at("--std", f"{self.std}", "write a small positive number, such as 1e-3")
        if self.rate is not None and not 0 < self.rate < 1e6:
            raise SpecError.at("--rate", f"{self.rate}", "write a positive number")
        if self.steps < 1:
            raise SpecError.at("--steps", f"{self.steps}", "write 1 or more")
        if self.loss_ratio is not None and not 0 < self.loss_ratio < 1:
            raise SpecError.at("--loss-ratio", f"{self.loss_ratio}", "write a number between 0 and 1, such as 0.99")
        if self.residual and self.method in (Method.FLOW, Method.FOLLOWING):
            raise SpecError.at("--method", f"{self.method.value} with --residual", "write normalised, descent or adam")

    @property
    def speed(self) -> float:
        """The rate, or its default."""
        return self.rate or {Method.ADAM: 5e-4, Method.DESCENT: 0.1}.get(self.method, 0.03)


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """All networks after some steps: theta (seeds, P), losses over those at the beginning (seeds,)."""

    step: int
    theta: FloatArray
    ratio: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """The networks at the end, and on the way.

    Attributes
    ----------
    theta : (seeds, P)
    ratio : (seeds,)
    stopped : tuple of str
    steps : tuple of int
    snapshots : tuple of Snapshot
    """

    theta: FloatArray
    ratio: FloatArray
    stopped: tuple[str, ...]
    steps: tuple[int, ...]
    snapshots: tuple[Snapshot, ...]


def _groups(layout: Layout) -> NDArray[np.int64]:
    """The number of the node that each parameter belongs to, (P,).

    With one hidden layer a node has its input weights, bias and output weights; with several, the weights into it.
    """
    group = np.zeros(layout.size, dtype=np.int64)
    first = 0
    deep = layout.n_layers > 2
    for layer in range(1, layout.n_layers + 1):
        block, bias = layout.weight(layer), layout.biases(layer)
        rows, columns = block.shape
        if layer == layout.n_layers and not deep:
            group[block.slice] = np.tile(np.arange(columns), rows)
            continue
        group[block.slice] = first + np.repeat(np.arange(rows), columns)
        if bias is not None and layer < layout.n_layers:
            group[bias.slice] = first + np.arange(rows)
        first += rows
    return group


def start(spec: LandscapeSpec, seeds: int, std: float) -> FloatArray:
    """Normal initial weights of each seed, the output biases 0; seed s does not depend on how many there are."""
    theta = np.array([np.random.default_rng(s).normal(scale=std, size=spec.n_parameters) for s in range(seeds)])
    if bias := spec.layout.biases(spec.layout.n_layers):
        theta[:, bias.slice] = 0
    return theta


def train(spec: LandscapeSpec, lines: FloatArray, order: int, *, seeds: int, training: Training) -> Run:
    """Train networks of a specification from small weights.

    Parameters
    ----------
    spec : LandscapeSpec
        Its penalty is not used.
    lines : (q, n) float64
        The predicted unit vectors of the first layer, for the rule of alignment.
    order : int
        The effective multiplicity.
    seeds : int
        Networks 0, 1, ..., seeds - 1.

    Raises
    ------
    SpecError
        If the number of seeds is out of range.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise SpecError.at("--seeds", f"{seeds}", f"write an integer from 1 to {MOST_SEEDS}")
    if training.method is Method.FOLLOWING and len(spec.hidden) > 1:
        what = f"following with {len(spec.hidden)} hidden layers"
        raise SpecError.at("--method", what, "give one hidden layer, or write normalised")
    kernel: Slopes
    if training.residual:
        from symland.analysis.condensation.residual import ResidualNetwork

        kernel = ResidualNetwork(spec)
    else:
        kernel = compile_kernel(spec.with_(penalty=Fraction(0)) if spec.penalty else spec)
    target = training.loss_ratio or (0.999 if order == 1 else 0.99)
    stop = _Stop(spec=spec, lines=lines, training=training, target=target)
    theta = start(spec, seeds, training.std)
    if training.method is Method.FLOW and isinstance(kernel, CompiledKernel):
        return _flow(kernel, theta, stop)
    if training.method is Method.FOLLOWING:
        return _follow(kernel, theta, stop)
    return _steps(kernel, theta, stop)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stop:
    spec: LandscapeSpec
    lines: FloatArray
    training: Training
    target: float

    def aligned(self, theta: FloatArray) -> NDArray[np.bool_]:
        """The networks all of whose nodes are aligned."""
        if self.training.alignment is None or not len(self.lines):
            return np.zeros(len(theta), dtype=bool)
        w = incoming(self.spec.layout, theta, 1)
        length = np.maximum(np.linalg.norm(w, axis=-1), np.finfo(float).tiny)
        cosines = np.abs(w @ self.lines.T).max(axis=-1) / length
        return np.asarray((cosines >= self.training.alignment).all(axis=-1))

    def reasons(self, theta: FloatArray, ratio: FloatArray) -> list[str]:
        """Which rule ends each network here, or an empty text."""
        out = np.where(ratio <= self.target, "loss", "")
        if self.training.method is not Method.NORMALISED:
            out = np.where(self.aligned(theta), "alignment", out)
        return [str(reason) for reason in out]


def _moment(step: int) -> bool:
    """Whether a snapshot is taken after a step: about eight in every factor of ten."""
    return step < 8 or int(8 * np.log10(step)) != int(8 * np.log10(step - 1))


class Slopes(Protocol):
    """Losses and gradients of many networks."""

    def value(self, theta: FloatArray) -> FloatArray:
        """Losses (N,) at parameters (N, P)."""
        ...

    def value_gradient(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Losses (N,) and gradients (N, P)."""
        ...


def _follow(kernel: Slopes, theta: FloatArray, stop: _Stop) -> Run:
    """Input weights up the pull of their own node at a fixed length, output weights small and along that pull."""
    layout, training = stop.spec.layout, stop.training
    weight, bias, outgoing = layout.weight(1), layout.biases(1), layout.weight(2)
    begin, count = kernel.value(theta), len(theta)
    size = np.linalg.norm(incoming(layout, theta, 1), axis=-1, keepdims=True)
    stopped, steps, open_lanes = ["steps"] * count, np.full(count, training.steps), np.ones(count, dtype=bool)
    snapshots = [Snapshot(step=0, theta=read_only(theta, 2), ratio=read_only(np.ones(count), 1))]
    for step in range(1, training.steps + 1):
        pull = -outgoing.of(kernel.value_gradient(theta)[1])
        length = np.linalg.norm(pull, axis=1, keepdims=True)
        follow = np.divide(pull, length, out=np.zeros_like(pull), where=length > 0) * SMALL_SHARE * training.std
        theta[:, outgoing.slice] = np.where(open_lanes[:, None], follow.reshape(count, -1), theta[:, outgoing.slice])
        slope = incoming(layout, kernel.value_gradient(theta)[1], 1)
        steep = np.linalg.norm(slope, axis=-1, keepdims=True)
        w = incoming(layout, theta, 1)
        turned = w - training.speed * size * np.divide(slope, steep, out=np.zeros_like(slope), where=steep > 0)
        turned *= size / np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), np.finfo(float).tiny)
        still = np.linalg.norm(turned - w, axis=-1) <= STANDING * training.speed * size[..., 0]
        turned = np.where(open_lanes[:, None, None], turned, w)
        theta[:, weight.slice] = turned[..., : stop.spec.n_inputs].reshape(count, -1)
        if bias is not None:
            theta[:, bias.slice] = turned[..., -1]
        aligned = stop.aligned(theta)
        for lane in np.flatnonzero(open_lanes & (still.all(axis=1) | aligned)):
            stopped[lane], steps[lane] = "alignment" if aligned[lane] else "standing", step
            open_lanes[lane] = False
        if _moment(step) or not open_lanes.any():
            ratio = kernel.value(theta) / begin
            snapshots.append(Snapshot(step=step, theta=read_only(theta, 2), ratio=read_only(ratio, 1)))
        if not open_lanes.any():
            break
    return Run(
        theta=read_only(theta, 2),
        ratio=read_only(kernel.value(theta) / begin, 1),
        stopped=tuple(stopped),
        steps=tuple(int(s) for s in steps),
        snapshots=tuple(snapshots),
    )


def _steps(kernel: Slopes, theta: FloatArray, stop: _Stop) -> Run:
    spec, training = stop.spec, stop.training
    count = len(theta)
    held = spec.layout.biases(spec.layout.n_layers)
    group = _groups(spec.layout)
    members = np.eye(group.max() + 1)[group]
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    value, gradient = kernel.value_gradient(theta)
    begin, ratio = value.copy(), np.ones(count)
    stopped, steps = ["steps"] * count, np.full(count, training.steps)
    active, loose = np.arange(count), np.zeros(count, dtype=bool)
    snapshots = [Snapshot(step=0, theta=read_only(theta, 2), ratio=read_only(ratio, 1))]
    for step in range(1, training.steps + 1):
        here, g = theta[active], gradient
        if held is not None:
            g[:, held.slice] = 0
        match training.method:
            case Method.NORMALISED:
                size, slope = (np.sqrt(v**2 @ members) for v in (here, g))
                pace = np.divide(size, slope, out=np.zeros_like(size), where=slope > 0)
                turned = here - training.speed * pace[:, group] * g
                new = np.sqrt(turned**2 @ members)
                kept = np.divide(size, new, out=np.ones_like(size), where=new > 0)
                tight = ~loose[active]
                turned[tight] *= kept[tight][:, group]
                still = np.sqrt((turned - here) ** 2 @ members) <= STANDING * training.speed * size
                loose[active] |= still.all(axis=1) | stop.aligned(turned) | (2 * step > training.steps)
                here = turned
            case Method.ADAM:
                mean[active] = 0.9 * mean[active] + 0.1 * g
                square[active] = 0.999 * square[active] + 0.001 * g**2
                spread = np.sqrt(square[active] / (1 - 0.999**step)) + 1e-8
                here = here - training.speed * mean[active] / (1 - 0.9**step) / spread
            case _:
                here = here - training.speed * g
        value, gradient = kernel.value_gradient(here)
        good = np.isfinite(value)
        theta[active[good]] = here[good]
        ratio[active[good]] = value[good] / begin[active[good]]
        reasons = stop.reasons(theta[active], ratio[active])
        if _moment(step):
            snapshots.append(Snapshot(step=step, theta=read_only(theta, 2), ratio=read_only(ratio, 1)))
        going = good.copy()
        for k, (lane, reason) in enumerate(zip(active, reasons, strict=True)):
            if reason or not good[k]:
                stopped[lane], steps[lane], going[k] = reason or "overflow", step, False
        active, gradient = active[going], gradient[going]
        if not active.size:
            break
    snapshots.append(Snapshot(step=int(steps.max()), theta=read_only(theta, 2), ratio=read_only(ratio, 1)))
    return Run(
        theta=read_only(theta, 2),
        ratio=read_only(ratio, 1),
        stopped=tuple(stopped),
        steps=tuple(int(s) for s in steps),
        snapshots=tuple(snapshots),
    )


FLOW_ERROR = 1e-2
"""Error of a step of the gradient flow, in units of the initial standard deviation."""


def _flow(kernel: CompiledKernel, theta: FloatArray, stop: _Stop) -> Run:
    from symland.explore.flow import gradient_flow

    training, layout = stop.training, stop.spec.layout
    free = np.ones(layout.size)
    if held := layout.biases(layout.n_layers):
        free[held.slice] = 0
    projectors = np.repeat(np.diag(free)[None], len(theta), axis=0)
    flow = gradient_flow(
        kernel, theta, projectors, error=FLOW_ERROR * training.std, steps=min(training.steps, 1000), keep_track=True
    )
    begin = kernel.value(theta)
    end, ratio = theta.copy(), np.ones(len(theta))
    stopped, steps = ["steps"] * len(theta), np.full(len(theta), len(flow.track) - 1)
    open_lanes = np.ones(len(theta), dtype=bool)
    snapshots = []
    for step, track in enumerate(flow.track):
        end[open_lanes] = track[open_lanes]
        ratio[open_lanes] = (kernel.value(track) / begin)[open_lanes]
        for lane, reason in enumerate(stop.reasons(end, ratio)):
            if open_lanes[lane] and reason and step:
                stopped[lane], steps[lane], open_lanes[lane] = reason, step, False
        if _moment(step) or not open_lanes.any():
            snapshots.append(Snapshot(step=step, theta=read_only(end, 2), ratio=read_only(ratio, 1)))
        if not open_lanes.any():
            break
    return Run(
        theta=read_only(end, 2),
        ratio=read_only(ratio, 1),
        stopped=tuple(stopped),
        steps=tuple(int(s) for s in steps),
        snapshots=tuple(snapshots),
    )
