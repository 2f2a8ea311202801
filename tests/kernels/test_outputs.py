"""Packed Hessians, products, gradients of samples, the index, and data given at run time; on every engine."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from symland.errors import KernelError
from symland.kernels import CompiledKernel, compile_kernel
from symland.spec import LandscapeSpec, load_spec

ENGINES = ["llvm", "numpy", *(["c"] if shutil.which("cc") else [])]
NETWORKS = [("xor", (2,)), ("xor", (6,)), ("xor", (3, 3)), ("iris", (2,))]


def points(spec: LandscapeSpec, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, spec.n_parameters))


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def kernel(request: pytest.FixtureRequest) -> CompiledKernel:
    name, hidden = request.param
    return compile_kernel(load_spec(name, hidden=hidden), cache=False)


def test_packed_entries_are_the_upper_triangle(kernel: CompiledKernel) -> None:
    theta = points(kernel.spec, 11)
    rows, columns = np.triu_indices(kernel.n_parameters)
    assert np.array_equal(kernel.packed_hessian(theta), kernel.hessian(theta)[:, rows, columns])


def test_the_product_is_the_hessian_times_the_direction(kernel: CompiledKernel) -> None:
    theta, v = points(kernel.spec, 11), points(kernel.spec, 11, seed=1)
    expected = np.einsum("npq,nq->np", kernel.hessian(theta), v)
    assert np.abs(kernel.hessian_product(theta, v) - expected).max() <= 1e-13 * np.abs(expected).max()


def test_the_samples_and_the_penalty_make_the_gradient(kernel: CompiledKernel) -> None:
    theta = points(kernel.spec, 11)
    expected = kernel.gradient(theta) - 2 * float(kernel.spec.penalty) * theta
    assert np.abs(kernel.per_sample_gradient(theta).mean(axis=1) - expected).max() <= 1e-14


def test_the_index_is_the_number_of_negative_eigenvalues(kernel: CompiledKernel) -> None:
    theta = points(kernel.spec, 200)
    expected = (np.linalg.eigvalsh(kernel.hessian(theta)) < 0).sum(axis=1)
    assert len(set(expected)) > 1
    assert np.array_equal(kernel.index(theta), expected)


def test_a_pivot_that_vanishes_falls_back_on_the_eigenvalues() -> None:
    # Without a penalty the origin is degenerate: rows of zeros, so pivots that are exactly zero.
    kernel = compile_kernel(load_spec("xor", penalty="0"), cache=False)
    theta = np.concatenate([np.zeros((1, 12)), points(kernel.spec, 9)])
    spectra = np.linalg.eigvalsh(kernel.hessian(theta))
    assert np.array_equal(kernel.index(theta), (spectra < -1e-14).sum(axis=1))


def test_a_point_without_a_hessian_has_no_index() -> None:
    theta = np.zeros((3, 12))
    theta[1] = np.nan
    with pytest.raises(KernelError, match="point 1 is not finite"):
        compile_kernel(load_spec("xor"), cache=False).index(theta)


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_and_penalty_can_be_given_at_run_time(engine: str) -> None:
    zero_one, plus_minus = load_spec("xor"), load_spec("xor-pm", penalty="1e-2")
    free = compile_kernel(zero_one, engine=engine, cache=False, runtime_data=True)
    bound = free.bind(plus_minus)
    theta = points(zero_one, 9)
    for spec, variable in ((zero_one, free), (plus_minus, bound)):
        baked = compile_kernel(spec, engine="numpy")
        for got, expected in zip(
            variable.value_gradient_hessian(theta), baked.value_gradient_hessian(theta), strict=True
        ):
            assert np.abs(got - expected).max() <= 1e-13


def test_what_cannot_be_bound_is_refused() -> None:
    free = compile_kernel(load_spec("xor"), engine="numpy", runtime_data=True)
    with pytest.raises(KernelError, match="more than the numbers"):
        free.bind(load_spec("xor", hidden=(3,)))
    with pytest.raises(KernelError, match="runtime_data"):
        compile_kernel(load_spec("xor"), engine="numpy").bind(load_spec("xor-pm"))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_every_output(engine: str) -> None:
    spec = load_spec("xor", hidden=(3,))
    kernel, oracle = compile_kernel(spec, engine=engine, cache=False), compile_kernel(spec, engine="numpy")
    theta, v = points(spec, 9), points(spec, 9, seed=1)
    pairs = [
        (kernel.packed_hessian(theta), oracle.packed_hessian(theta)),
        (kernel.hessian_product(theta, v), oracle.hessian_product(theta, v)),
        (kernel.per_sample_gradient(theta), oracle.per_sample_gradient(theta)),
        (kernel.index(theta), oracle.index(theta)),
    ]
    for got, expected in pairs:
        assert np.abs(got - expected).max() <= 1e-13


def test_as_many_directions_as_points_are_wanted() -> None:
    kernel = compile_kernel(load_spec("xor"), engine="numpy")
    with pytest.raises(KernelError, match="2 directions came for 3 points"):
        kernel.hessian_product(np.zeros((3, 12)), np.zeros((2, 12)))
