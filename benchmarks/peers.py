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
    if library != "torch" and (kind == "product" or spec.data.name != "xor" or len(spec.hidden) != 1):
        raise NotImplementedError("written for value, gradient and Hessian of the XOR network")
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

    x = jnp.array([[float(v) for v in row] for row in spec.data.inputs])
    y = jnp.array(spec.data.labels)
    layout, penalty = spec.layout, float(spec.penalty)

    def loss(theta: Any) -> Any:
        signal = x
        for layer in range(1, layout.n_layers + 1):
            weight, bias = layout.weight(layer), layout.biases(layer)
            signal = signal @ theta[weight.slice].reshape(weight.shape).T + theta[bias.slice]
            if layer < layout.n_layers:
                signal = jnp.tanh(signal)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(signal), y[:, None], axis=1)
        return -chosen.mean() + penalty * (theta @ theta)

    def product(theta: Any) -> Any:
        return jax.jvp(jax.grad(loss), (theta,), (theta,))[1]

    wanted = {"gradient": jax.value_and_grad(loss), "hessian": jax.hessian(loss), "product": product}[kind]
    function = jax.jit(jax.vmap(wanted))
    single = jax.jit(wanted)

    def evaluate(points: np.ndarray) -> Any:
        # One point without vmap is faster.
        return jax.block_until_ready(single(points[0]) if len(points) == 1 else function(points))

    return evaluate


def _torch_by_hand(spec: LandscapeSpec, kind: str) -> Evaluate:
    """Backpropagation of a batch written out, for one hidden layer."""
    import torch

    if kind != "gradient" or len(spec.hidden) != 1:
        raise NotImplementedError("written for the gradient of one hidden layer")
    torch.set_num_threads(1)
    x = torch.tensor([[float(v) for v in row] for row in spec.data.inputs], dtype=torch.float64)
    y = torch.tensor(spec.data.labels)
    w1, w2, b1, b2 = (spec.layout.weight(1), spec.layout.weight(2), spec.layout.biases(1), spec.layout.biases(2))
    samples, penalty = spec.n_samples, float(spec.penalty)
    one_hot = torch.nn.functional.one_hot(y, spec.n_outputs).to(torch.float64)

    def evaluate(points: np.ndarray) -> Any:
        with torch.no_grad():
            theta = torch.from_numpy(points)
            n = len(theta)
            first, second = theta[:, w1.slice].view(n, *w1.shape), theta[:, w2.slice].view(n, *w2.shape)
            h = torch.tanh(x @ first.transpose(1, 2) + theta[:, None, b1.slice])
            z = h @ second.transpose(1, 2) + theta[:, None, b2.slice]
            logs = torch.log_softmax(z, dim=2)
            value = -(logs * one_hot).sum(dim=(1, 2)) / samples + penalty * (theta * theta).sum(dim=1)
            error = (logs.exp() - one_hot) / samples
            back = (error @ second) * (1 - h * h)
            matrices = [(back.transpose(1, 2) @ x).flatten(1), (error.transpose(1, 2) @ h).flatten(1)]
            return value, torch.cat([*matrices, back.sum(1), error.sum(1)], dim=1) + 2 * penalty * theta

    return evaluate


def _torch(spec: LandscapeSpec, kind: str) -> Evaluate:
    import torch

    _expandable("torch", spec, "hessian" if kind == "hessian" else "gradient")
    torch.set_num_threads(1)
    x = torch.tensor([[float(v) for v in row] for row in spec.data.inputs], dtype=torch.float64)
    y = torch.tensor(spec.data.labels)
    layout, penalty = spec.layout, float(spec.penalty)

    def loss(theta: Any) -> Any:
        signal = x
        for layer in range(1, layout.n_layers + 1):
            weight, bias = layout.weight(layer), layout.biases(layer)
            signal = signal @ theta[weight.slice].reshape(weight.shape).T + theta[bias.slice]
            if layer < layout.n_layers:
                signal = torch.tanh(signal)
        return torch.nn.functional.cross_entropy(signal, y) + penalty * (theta @ theta)

    def product(theta: Any) -> Any:
        return torch.func.jvp(torch.func.grad(loss), (theta,), (theta,))[1]

    value = torch.func.grad_and_value(loss)
    wanted = {"gradient": value, "hessian": torch.func.hessian(loss), "product": product}[kind]
    function = torch.func.vmap(wanted)
    return lambda points: function(torch.from_numpy(points))


PEERS = (
    Peer(name="SymPy lambdify", module="sympy", make=_sympy),
    Peer(name="SymEngine LLVM", module="symengine", make=_symengine),
    Peer(name="CasADi C, map", module="casadi", make=_casadi),
    Peer(name="JAX jit(vmap)", module="jax", make=_jax),
    Peer(name="torch by hand", module="torch", make=_torch_by_hand),
    Peer(name="torch.func vmap", module="torch", make=_torch),
)


def installed() -> Iterator[Peer]:
    return (peer for peer in PEERS if peer.installed)
