"""What a user could pick instead: each gives value and gradient, or the Hessian, of the same loss at many points.

A peer that is not installed is left out and named in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from symland.spec import LandscapeSpec

Evaluate = Callable[[np.ndarray], Any]

LARGEST = {
    "sympy": {"gradient": 45, "hessian": 15},
    "symengine": {"gradient": 170, "hessian": 45},
    "casadi": {"gradient": 1000, "hessian": 90},
    "torch": {"gradient": 1000, "hessian": 90},
}
"""Parameters of the largest network whose derivatives these peers find within a minute and a few gigabytes."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library by name: the module that it needs, and how to make an evaluation."""

    name: str
    module: str
    make: Callable[[LandscapeSpec, str], Evaluate]

    @property
    def installed(self) -> bool:
        return find_spec(self.module) is not None


def _loss(spec: LandscapeSpec, theta: Any, tanh: Any, log: Any, exp: Any) -> Any:
    """The XOR network's loss, as a user would write it for two classes."""
    n = spec.hidden[0]
    w1, w2 = theta[: 2 * n], theta[2 * n : 4 * n]
    b, c = theta[4 * n : 5 * n], theta[5 * n :]
    total = 0
    for x, label in zip(spec.data.inputs, spec.data.labels, strict=True):
        h = [tanh(b[j] + w1[2 * j] * float(x[0]) + w1[2 * j + 1] * float(x[1])) for j in range(n)]
        z = [c[i] + sum(w2[i * n + j] * h[j] for j in range(n)) for i in range(2)]
        total = total + log(1 + exp(z[1 - label] - z[label]))
    penalty = float(spec.penalty) * sum(theta[k] * theta[k] for k in range(spec.n_parameters))
    return total / spec.n_samples + penalty


def _expandable(library: str, spec: LandscapeSpec, kind: str) -> None:
    if spec.n_parameters > LARGEST[library][kind]:
        raise MemoryError(f"left out at P = {spec.n_parameters}: it takes minutes or more memory than there is")


def _sympy(spec: LandscapeSpec, kind: str) -> Evaluate:
    import sympy

    _expandable("sympy", spec, kind)
    theta = list(sympy.symbols(f"t:{spec.n_parameters}"))
    loss = _loss(spec, theta, sympy.tanh, sympy.log, sympy.exp)
    gradient = [sympy.diff(loss, t) for t in theta]
    wanted = [loss, *gradient]
    if kind == "hessian":
        wanted = [sympy.diff(g, theta[j]) for i, g in enumerate(gradient) for j in range(i, len(theta))]
    function = sympy.lambdify(theta, wanted, "numpy", cse=True)
    return lambda points: function(*points.T)


def _symengine(spec: LandscapeSpec, kind: str) -> Evaluate:
    import symengine

    _expandable("symengine", spec, kind)
    theta = list(symengine.symbols(f"t:{spec.n_parameters}"))
    loss = _loss(spec, theta, symengine.tanh, symengine.log, symengine.exp)
    gradient = [loss.diff(t) for t in theta]
    wanted = [loss, *gradient]
    if kind == "hessian":
        wanted = [g.diff(theta[j]) for i, g in enumerate(gradient) for j in range(i, len(theta))]
    function = symengine.Lambdify(theta, wanted, backend="llvm", cse=True)
    out = {}

    def evaluate(points: np.ndarray) -> Any:
        held = out.setdefault(len(points), np.empty((len(points), len(wanted))))
        return function(points, out=held)

    return evaluate


def _casadi(spec: LandscapeSpec, kind: str) -> Evaluate:
    import os
    import tempfile

    import casadi

    _expandable("casadi", spec, kind)
    theta = casadi.SX.sym("theta", spec.n_parameters)
    loss = _loss(spec, [theta[k] for k in range(spec.n_parameters)], casadi.tanh, casadi.log, casadi.exp)
    outputs = [loss, casadi.gradient(loss, theta)] if kind == "gradient" else [casadi.hessian(loss, theta)[0]]
    function = casadi.Function("f", [theta], outputs)
    mapped: dict[int, Any] = {}

    def evaluate(points: np.ndarray) -> Any:
        n = len(points)
        if n not in mapped:
            folder, here = tempfile.mkdtemp(), Path.cwd()
            os.chdir(folder)
            try:
                whole = function.map(n)
                whole.generate("peer.c")
                os.system("cc -O2 -march=native -ffast-math -fPIC -shared peer.c -o peer.so -lm")
                made = casadi.external(whole.name(), f"{folder}/peer.so")
            finally:
                os.chdir(here)
            buffer, call = made.buffer()
            outs = [np.zeros((made.size2_out(k), made.size1_out(k))) for k in range(made.n_out())]
            for k, out in enumerate(outs):
                buffer.set_res(k, memoryview(out))
            mapped[n] = (buffer, call, outs)
        buffer, call, outs = mapped[n]
        buffer.set_arg(0, memoryview(points))
        call()
        return outs

    return evaluate


def _jax(spec: LandscapeSpec, kind: str) -> Evaluate:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x = jnp.array([[float(v) for v in row] for row in spec.data.inputs])
    y = jnp.array(spec.data.labels)
    n, penalty = spec.hidden[0], float(spec.penalty)

    def loss(theta: Any) -> Any:
        w1, w2 = theta[: 2 * n].reshape(n, 2), theta[2 * n : 4 * n].reshape(2, n)
        h = jnp.tanh(x @ w1.T + theta[4 * n : 5 * n])
        z = h @ w2.T + theta[5 * n :]
        chosen = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1)
        return -chosen.mean() + penalty * (theta @ theta)

    wanted = jax.value_and_grad(loss) if kind == "gradient" else jax.hessian(loss)
    function = jax.jit(jax.vmap(wanted))
    return lambda points: jax.block_until_ready(function(points))


def _torch(spec: LandscapeSpec, kind: str) -> Evaluate:
    import torch

    _expandable("torch", spec, kind)
    torch.set_num_threads(1)
    x = torch.tensor([[float(v) for v in row] for row in spec.data.inputs], dtype=torch.float64)
    y = torch.tensor(spec.data.labels)
    n, penalty = spec.hidden[0], float(spec.penalty)

    def loss(theta: Any) -> Any:
        w1, w2 = theta[: 2 * n].reshape(n, 2), theta[2 * n : 4 * n].reshape(2, n)
        h = torch.tanh(x @ w1.T + theta[4 * n : 5 * n])
        z = h @ w2.T + theta[5 * n :]
        return torch.nn.functional.cross_entropy(z, y) + penalty * (theta @ theta)

    wanted = torch.func.grad_and_value(loss) if kind == "gradient" else torch.func.hessian(loss)
    function = torch.func.vmap(wanted)
    return lambda points: function(torch.from_numpy(points))


PEERS = (
    Peer(name="SymPy lambdify", module="sympy", make=_sympy),
    Peer(name="SymEngine LLVM", module="symengine", make=_symengine),
    Peer(name="CasADi C, map", module="casadi", make=_casadi),
    Peer(name="JAX jit(vmap)", module="jax", make=_jax),
    Peer(name="torch.func vmap", module="torch", make=_torch),
)


def installed() -> Iterator[Peer]:
    return (peer for peer in PEERS if peer.installed)
