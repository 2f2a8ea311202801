"""The gate of machine code: arrays in any layout are read as NumPy reads them, or refused in one line."""

from __future__ import annotations

import ctypes
import re
import tracemalloc
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symland.errors import KernelError
from symland.kernels import CompiledKernel, compile_kernel
from symland.kernels.kernel import THREAD_POINTS
from symland.kernels.single import evaluate_primitive
from symland.machine import gate
from symland.machine.gate import INTEGER, Entry, Port, fit, fresh
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.rigor.enumeration.emit import CompiledLanes, NumpyLanes
from symland.spec import load_spec
from tests.machine.layouts import LAYOUTS, numbers, shifted

layouts = st.sampled_from(sorted(LAYOUTS))
few = st.integers(0, 17)
draws = st.integers(0, 2**20).map(np.random.default_rng)


# -- a function whose every step is seen: it copies its input to its output, by address -----------------------------


def copier(**changes: Any) -> tuple[Entry, list[tuple[int, ...]]]:
    """An entry (n, in, out) over arrays (n, 3), and the calls that reached its code."""
    calls: list[tuple[int, ...]] = []

    def code(n: int, source: int, out: int) -> None:
        calls.append((n, source, out))
        assert source % 8 == out % 8 == 0
        ctypes.memmove(out, source, 8 * 3 * n)

    kept = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)(code)
    ports = (
        Port(name="the source", shape=lambda n: (n, 3), **changes),
        Port(name="the copy", shape=lambda n: (n, 3), written=True),
    )
    address = ctypes.cast(kept, ctypes.c_void_p).value or 0
    return Entry(address=address, n_sizes=1, ports=ports, owner=kept), calls


@given(layouts, few, draws)
def test_what_is_read_is_read_row_by_row_whatever_its_layout(layout: str, n: int, draw: np.random.Generator) -> None:
    entry, _ = copier()
    laid = LAYOUTS[layout](10 * draw.normal(size=(n, 3)))
    out = np.full((n, 3), np.nan)
    if layout == "list" and n == 0:
        laid = np.empty((0, 3))
    entry((n,), (laid, out))
    assert np.array_equal(out, numbers(laid).reshape(n, 3))


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"C", "a view of a subclass"}))
def test_what_is_written_is_never_a_copy(layout: str) -> None:
    entry, calls = copier()
    with pytest.raises(KernelError, match="the copy") as caught:
        entry((4,), (np.ones((4, 3)), LAYOUTS[layout](np.zeros((4, 3)))))
    assert "\n" not in str(caught.value)
    assert not calls


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (4, 2), (12,), (4, 3, 1), (3, 4)])
def test_arrays_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    entry, calls = copier()
    with pytest.raises(KernelError, match=r"the source has shape .*give shape \(4, 3\)"):
        entry((4,), (np.ones(shape), np.ones((4, 3))))
    with pytest.raises(KernelError, match=r"the copy has shape .* array of shape \(4, 3\)"):
        entry((4,), (np.ones((4, 3)), np.ones(shape)))
    assert not calls


@pytest.mark.parametrize(
    "values",
    [
        np.full((4, 3), 1j),
        np.full((4, 3), "1"),
        np.full((4, 3), None),
        np.full((4, 3), "2026-01-01", dtype="M8[D]"),
        [[1, 2, 3], [1, 2]],
        "text",
        bytearray(96),
        {},
    ],
    ids=str,
)
def test_what_is_no_rectangle_of_real_numbers_is_refused(values: object) -> None:
    entry, calls = copier()
    with pytest.raises(KernelError, match="the source") as caught:
        entry((4,), (values, np.ones((4, 3))))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not calls


@given(st.integers(1, 9), st.integers(-30, 30), draws)
@example(4, 0, np.random.default_rng(0))
def test_an_input_that_shares_memory_with_a_result_is_read_before_it_is_written(
    n: int, shift: int, draw: np.random.Generator
) -> None:
    entry, calls = copier()
    room = draw.normal(size=30 + 3 * n + 30)
    source = room[30 : 30 + 3 * n].reshape(n, 3)
    out = room[30 + shift : 30 + shift + 3 * n].reshape(n, 3)
    wanted = source.copy()
    entry((n,), (source, out))
    assert np.array_equal(out, wanted)
    ((_, read, written),) = calls
    assert abs(read - written) >= 24 * n


@given(st.integers(1, 5), st.integers(-20, 20))
def test_results_that_share_memory_are_refused(n: int, shift: int) -> None:
    ports = [Port(name=name, shape=lambda n: (n, 3), written=True) for name in ("one", "two")]
    room = np.empty(20 + 3 * n + 20)
    pair = [room[20 + k : 20 + k + 3 * n].reshape(n, 3) for k in (0, shift)]
    reached = []
    kept = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)(lambda *call: reached.append(call))
    address = ctypes.cast(kept, ctypes.c_void_p).value or 0
    entry = Entry(address=address, n_sizes=1, ports=ports, owner=kept)
    if abs(shift) < 3 * n:
        for order in (pair, pair[::-1]):
            with pytest.raises(KernelError, match="shares memory"):
                entry((n,), order)
            with pytest.raises(KernelError, match="shares memory"):
                fit(ports, (n,), order)
        assert not reached
    else:
        entry((n,), pair)
        assert len(reached) == 1


def test_numbers_of_another_type_are_read_as_the_type_of_the_port() -> None:
    entry, _ = copier(dtype=INTEGER)
    out = np.empty((2, 3))
    entry((2,), ([[1.0, 2, 3], [-4, 5, 6]], out))  # type: ignore[list-item]
    assert np.array_equal(out.view(np.int64), [[1, 2, 3], [-4, 5, 6]])


def test_a_call_with_too_few_arrays_is_refused() -> None:
    entry, calls = copier()
    with pytest.raises(KernelError, match="the source, the copy"):
        entry((1,), (np.ones((1, 3)),))
    assert not calls


def test_long_results_start_at_a_cache_line() -> None:
    for size in (255, 256, 257, 1000):
        made = fresh((size,))
        assert made.shape == (size,)
        assert size < 256 or made.ctypes.data % 64 == 0
    assert fresh((40, 3, 7)).shape == (40, 3, 7)
    assert fresh((0, 3)).shape == (0, 3)


def test_an_array_becomes_an_address_in_the_gate_only() -> None:
    root = Path(gate.__file__).parents[1]
    by_hand = re.compile(r"addressof|from_buffer|CFUNCTYPE|__array_interface__|\.ctypes\b|data_as|ndpointer")
    found = [file.relative_to(root).as_posix() for file in root.rglob("*.py") if by_hand.search(file.read_text())]
    assert found == ["machine/gate.py"]


# -- kernels --------------------------------------------------------------------------------------------------------

SPEC = load_spec("xor", hidden=(2,))
P = SPEC.n_parameters
ENGINES = ("llvm", "c", "numpy")
OUTPUTS = ("value", "gradient", "hessian")


@cache
def kernel_of(engine: str, threads: int = 1) -> CompiledKernel:
    return compile_kernel(SPEC, engine=engine, verify=False, threads=threads)


def reference(theta: np.ndarray) -> list[np.ndarray]:
    """Value, gradient and Hessian by a program over NumPy arrays of its own making."""
    return list(evaluate(build_program(SPEC), theta.reshape(-1, P)))


def agree(got: np.ndarray, wanted: np.ndarray) -> bool:
    return got.shape == wanted.shape and np.allclose(got, wanted, rtol=1e-12, atol=1e-13)


@settings(max_examples=24)
@given(st.sampled_from(ENGINES), layouts, few, draws)
def test_kernels_read_points_in_any_layout(engine: str, layout: str, n: int, draw: np.random.Generator) -> None:
    kernel = kernel_of(engine)
    laid = LAYOUTS[layout](draw.normal(size=(n, P)))
    if layout == "list" and n == 0:
        laid = np.empty((0, P))
    theta = numbers(laid)
    value, gradient, hessian = reference(theta)
    assert agree(kernel.value(laid), value)
    assert agree(kernel.gradient(laid), gradient)
    assert agree(kernel.hessian(laid), hessian)
    for got, wanted in zip(kernel.value_gradient(laid), (value, gradient), strict=True):
        assert agree(got, wanted)
    for got, wanted in zip(kernel.value_gradient_hessian(laid), (value, gradient, hessian), strict=True):
        assert agree(got, wanted)
    for got, wanted in zip(kernel.evaluator(("value", "gradient"))(laid), (value, gradient), strict=True):
        assert agree(got, wanted)
    upper = np.triu_indices(P)
    assert agree(kernel.packed_hessian(laid), hessian[:, upper[0], upper[1]])
    for along in (laid, LAYOUTS["Fortran"](theta[:, ::-1])):
        assert agree(kernel.hessian_product(laid, along), np.einsum("nij,nj->ni", hessian, numbers(along)))
    shares = kernel.per_sample_gradient(laid)
    assert shares.shape == (n, SPEC.n_samples, P)
    weight = 2 * float(SPEC.penalty)
    assert agree(shares.mean(axis=1) + weight * theta, gradient)
    spectrum = np.linalg.eigvalsh(hessian)
    plain = (np.abs(spectrum) > 1e-9).all(axis=1)
    assert np.array_equal(kernel.index(laid)[plain], (spectrum < 0).sum(axis=1)[plain])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 17, 20, 4097])
def test_a_result_may_go_where_an_input_lies(engine: str, n: int) -> None:
    kernel, draw = kernel_of(engine), np.random.default_rng(n)
    theta, along = draw.normal(size=(n, P)), draw.normal(size=(n, P))
    gradient, product = kernel.gradient(theta).copy(), kernel.hessian_product(theta, along).copy()
    place = theta.copy()
    assert kernel.gradient(place, out=place) is place
    assert np.array_equal(place, gradient)
    place = along.copy()
    assert np.array_equal(kernel.hessian_product(theta, place, out=place), product)
    place = theta.copy()
    assert np.array_equal(kernel.hessian_product(place, along, out=place), product)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [3, 9, 20, 2 * THREAD_POINTS + 5])
@pytest.mark.parametrize("shift", [1, -1, 5, P, -P, 8 * P, -8 * P - 3])
def test_a_result_may_overlap_an_input(engine: str, threads: int, n: int, shift: int) -> None:
    kernel = kernel_of(engine, threads)
    draw = np.random.default_rng(0)
    theta, along = draw.normal(size=(n, P)), draw.normal(size=(n, P))
    gradient, product = kernel.gradient(theta).copy(), kernel.hessian_product(theta, along).copy()
    for points, wanted in ((theta, gradient), (along, product)):
        room = np.zeros((n + 20) * P)
        first = 10 * P
        source = room[first : first + n * P].reshape(n, P)
        out = room[first + shift : first + shift + n * P].reshape(n, P)
        source[...] = points
        if points is theta:
            kernel.gradient(source, out=out)
        else:
            kernel.hessian_product(theta, source, out=out)
        assert np.array_equal(out, wanted)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n", "threads"), [(0, 1), (5, 1), (2 * THREAD_POINTS, 2)])
def test_results_that_overlap_or_are_not_fit_are_refused(engine: str, n: int, threads: int) -> None:
    kernel = kernel_of(engine, threads)
    theta = np.zeros((n, P))
    if n:
        place = np.empty((n, P))
        with pytest.raises(KernelError, match="shares memory"):
            kernel.value_gradient(theta, out=(place.ravel()[:n], place))
    bad: Sequence[Any] = [
        np.empty((n + 1, P)),
        np.empty((n, P), dtype=np.float32),
        np.empty((n, P), dtype=">f8"),
        [[0.0] * P] * n,
        *([shifted(np.empty((n, P))), np.empty((n, P))[:, ::-1]] if n else []),
    ]
    for out in bad:
        with pytest.raises(KernelError, match="out for the gradient") as caught:
            kernel.gradient(theta, out=out)
        assert "\n" not in str(caught.value)
    frozen = np.empty((n, P))
    frozen.flags.writeable = False
    with pytest.raises(KernelError, match="out for the gradient is read-only"):
        kernel.gradient(theta, out=frozen)


def test_a_bound_kernel_reads_points_in_any_layout_too() -> None:
    theta = np.random.default_rng(0).normal(size=(9, P))
    for engine in ENGINES:
        bound = compile_kernel(SPEC, engine=engine, runtime_data=True, verify=False).bind(SPEC.with_(penalty="1e-2"))
        wanted = compile_kernel(SPEC.with_(penalty="1e-2"), engine="numpy").gradient(theta)
        assert agree(bound.gradient(np.asfortranarray(theta)), wanted)
        assert agree(bound.gradient(theta, out=theta.copy()), wanted)


@settings(max_examples=24)
@given(layouts.filter(lambda name: name != "list"), few, draws)
def test_one_primitive_function_reads_arguments_in_any_layout(layout: str, n: int, draw: np.random.Generator) -> None:
    laid = LAYOUTS[layout](draw.normal(size=(n, 1)))
    assert agree(evaluate_primitive("tanh", laid), np.tanh(numbers(laid)[:, 0]))


# -- lane programs --------------------------------------------------------------------------------------------------


def mixed(lanes: Sequence[Any]) -> list[Any]:
    a, b, c = lanes
    return [a * b - c, a / b + 1.0, a, c - b * b]


MIXED, MIXED_NUMPY = CompiledLanes("mixed", mixed, 3), NumpyLanes(mixed, 3)


@given(layouts, st.integers(0, 70), draws)
def test_lane_programs_read_lanes_in_any_layout(layout: str, n: int, draw: np.random.Generator) -> None:
    laid = LAYOUTS[layout](1.0 + draw.integers(1, 9, size=(3, n)) / 4)
    lanes = numbers(laid).reshape(3, n)
    assert MIXED(laid).tobytes() == MIXED_NUMPY(lanes).tobytes()


@pytest.mark.parametrize("shape", [(2, 8), (4, 8), (8,), (3, 8, 1), (8, 3)])
def test_lanes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(KernelError, match="3 rows"):
        MIXED(np.ones(shape))


def test_a_fixed_call_takes_no_array_that_would_have_to_be_copied() -> None:
    entry = MIXED._entry
    fit_in, fit_out = np.ones((3, 8)), np.empty((4, 8))
    call = entry.fixed((1, 8), (fit_in, fit_out))
    fit_in[:] = 2.0
    call()
    assert np.array_equal(fit_out, MIXED(fit_in))
    for lanes in (np.ones((3, 16))[:, ::2], np.asfortranarray(np.ones((3, 8))), np.ones((3, 8), dtype=np.float32)):
        with pytest.raises(KernelError, match="would be copied"):
            entry.fixed((1, 8), (lanes, fit_out))
    room = np.ones((7, 8))
    with pytest.raises(KernelError, match="would be copied"):
        entry.fixed((1, 8), (room[1:4], room[:4]))
    with pytest.raises(KernelError, match="no points"):
        entry.fixed((0, 0), (np.ones((3, 0)), np.empty((4, 0))))


def test_a_large_result_takes_its_room_once() -> None:
    """A second array that is thrown away makes the system fetch the pages of the first anew at each call."""
    tracemalloc.start()
    try:
        room = fresh((1000, 12, 12))
        assert tracemalloc.get_traced_memory()[1] < 1.5 * room.nbytes
    finally:
        tracemalloc.stop()
