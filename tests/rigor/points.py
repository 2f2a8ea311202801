"""Stationary points for the tests, found by damped Newton steps; nothing is claimed about them."""

from __future__ import annotations

from functools import cache

import numpy as np

from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import FloatArray
from symland.spec import LandscapeSpec, builtin

LONGEST_STEP = 0.5
STEPS = 120


def newton_points(spec: LandscapeSpec, starts: FloatArray) -> FloatArray:
    """Points with a gradient below 1e-11, one for each spectrum seen."""
    program = build_program(spec)
    theta = np.array(starts)
    arrived = [theta[:0]]
    for _ in range(STEPS):
        _, gradient, hessian = evaluate(program, theta)
        good = np.isfinite(hessian).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
        theta, gradient, hessian = theta[good], gradient[good], hessian[good]
        values, vectors = np.linalg.eigh(hessian)
        values = np.where(np.abs(values) < 1e-9, 1e-9, values)
        step = np.einsum("nij,nj->ni", vectors, np.einsum("nji,nj->ni", vectors, gradient) / values)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        theta = theta - step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-300))
        there = np.abs(gradient).max(axis=1, initial=0.0) < 1e-12
        arrived.append(theta[there])
        theta = theta[~there]
        if not len(theta):
            break
    theta = np.concatenate([*arrived, theta])
    value, gradient, hessian = evaluate(program, theta)
    good = (np.abs(gradient).max(axis=1, initial=0.0) < 1e-11) & (np.abs(theta).max(axis=1, initial=0.0) < 1e3)
    if not good.any():
        return theta[:0]
    key = np.round(np.column_stack((value[good], np.linalg.eigvalsh(hessian[good]))), 7)
    _, first = np.unique(key, axis=0, return_index=True)
    return theta[good][first]


@cache
def xor(hidden: int, penalty: str) -> LandscapeSpec:
    return builtin("xor").with_(hidden=(hidden,), penalty=penalty)


@cache
def xor_points(hidden: int, penalty: str, starts: int = 150) -> tuple[tuple[float, ...], ...]:
    """Some stationary points of the XOR network, the origin among them."""
    spec = xor(hidden, penalty)
    rng = np.random.default_rng(7)
    scales = np.repeat((0.3, 1.0, 3.0), starts // 3)[:, None]
    drawn = rng.normal(size=(len(scales), spec.n_parameters)) * scales
    found = newton_points(spec, np.vstack((np.zeros(spec.n_parameters), drawn)))
    return tuple(tuple(map(float, point)) for point in found)
