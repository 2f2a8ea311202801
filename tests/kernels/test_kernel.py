"""Compiled kernels against the reference's own numbers and against NumPy, in shape, batch and layout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symland.errors import KernelError
from symland.kernels import CompiledKernel, compile_kernel
from symland.machine.cache import read_entry
from symland.spec import LandscapeSpec, load_spec

EPS = np.finfo(float).eps

NETWORKS = [
    ("xor", {"hidden": (1,)}),
    ("xor", {"hidden": (2,)}),
    ("xor-pm", {"hidden": (5,), "bias": False}),
    ("xor", {"hidden": (9,)}),
    ("xor", {"hidden": (3, 4)}),
    ("iris", {"hidden": (3,)}),
    ("iris", {"hidden": (6, 5)}),
    ("parity3", {"hidden": (2, 3, 2)}),
]


def points(spec: LandscapeSpec, n: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, spec.n_parameters))


@pytest.fixture(scope="module")
def xor() -> CompiledKernel:
    return compile_kernel(load_spec("xor", penalty="1e-2"), cache=False)


def test_the_reference_vector_of_the_potential_mlpvb3(xor: CompiledKernel) -> None:
    # From the reference group's own binaries, inputs {0, 1}, two hidden nodes, theta = 0.1, 0.2, ..., 1.2.
    theta = np.arange(1, 13)[np.newaxis] / 10
    value, gradient, hessian = xor.value_gradient_hessian(theta)
    assert value[0] == pytest.approx(0.7793509399729033, rel=4 * EPS)
    assert np.linalg.norm(gradient) / np.sqrt(12) == pytest.approx(0.06747607907, rel=1e-9)
    spectrum = np.linalg.eigvalsh(hessian[0])
    assert spectrum[:2] == pytest.approx([-0.04722636116, -0.02330743308], rel=1e-9)
    assert np.log(spectrum[2:]).sum() == pytest.approx(-33.8943733522, rel=1e-11)


@pytest.mark.parametrize(("name", "changes"), NETWORKS)
def test_llvm_computes_what_numpy_computes(name: str, changes: dict[str, object]) -> None:
    spec = load_spec(name).with_(**changes)
    kernel = compile_kernel(spec, cache=False, verify=False)
    theta = points(spec, 11)
    wanted = compile_kernel(spec, engine="numpy", verify=False).value_gradient_hessian(theta)
    for got, expected in zip(kernel.value_gradient_hessian(theta), wanted, strict=True):
        assert np.abs(got - expected).max() <= 32 * EPS * np.abs(expected).max()


@pytest.mark.parametrize("n", [1, 3, 7, 8, 9, 16, 61])
def test_a_batch_of_any_length_gives_each_point_its_own_numbers(xor: CompiledKernel, n: int) -> None:
    theta = points(xor.spec, n)
    together = xor.value_gradient_hessian(theta)
    for k in range(n):
        for whole, single in zip(together, xor.value_gradient_hessian(theta[k : k + 1]), strict=True):
            assert np.array_equal(whole[k], single[0])


def test_the_gradient_alone_is_the_gradient_with_the_value(xor: CompiledKernel) -> None:
    theta = points(xor.spec, 20)
    value, gradient = xor.value_gradient(theta)
    assert xor.value(theta) == pytest.approx(value, rel=8 * EPS)
    assert np.abs(xor.gradient(theta) - gradient).max() <= 8 * EPS
    assert np.abs(xor.hessian(theta) - xor.value_gradient_hessian(theta)[2]).max() <= 8 * EPS


def test_both_triangles_of_the_hessian_are_the_same_bits(xor: CompiledKernel) -> None:
    for kernel in (xor, compile_kernel(load_spec("xor", hidden=(7,)), cache=False, verify=False)):
        hessian = kernel.hessian(points(kernel.spec, 9))
        assert np.array_equal(hessian, hessian.transpose(0, 2, 1))


def test_results_go_to_the_arrays_that_are_given(xor: CompiledKernel) -> None:
    theta = points(xor.spec, 5)
    value, gradient = np.empty(5), np.empty((5, 12))
    returned = xor.value_gradient(theta, out=(value, gradient))
    assert returned[0] is value
    assert returned[1] is gradient
    assert np.array_equal(gradient, xor.value_gradient(theta)[1])


def test_threads_give_the_same_bits(xor: CompiledKernel) -> None:
    theta = points(xor.spec, 5003)
    threaded = compile_kernel(xor.spec, cache=False, verify=False, threads=2)
    for one, two in zip(xor.value_gradient(theta), threaded.value_gradient(theta), strict=True):
        assert np.array_equal(one, two)


def test_no_points_give_empty_arrays(xor: CompiledKernel) -> None:
    assert [a.shape for a in xor.value_gradient_hessian(np.empty((0, 12)))] == [(0,), (0, 12), (0, 12, 12)]


def test_points_in_any_layout_are_taken(xor: CompiledKernel) -> None:
    theta = points(xor.spec, 10)
    expected = xor.gradient(theta)
    assert np.array_equal(xor.gradient(np.asfortranarray(theta)), expected)
    assert np.array_equal(xor.gradient(theta[::2]), expected[::2])


@pytest.mark.parametrize("theta", [np.zeros(12), np.zeros((3, 11)), np.zeros((2, 3, 12))])
def test_points_of_another_shape_are_refused_in_one_line(xor: CompiledKernel, theta: np.ndarray) -> None:
    with pytest.raises(KernelError, match="12 numbers") as caught:
        xor.value(theta)
    assert "\n" not in str(caught.value)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(KernelError, match="llvm, c, numpy"):
        compile_kernel(load_spec("xor"), engine="fortran")


class TestCache:
    def test_machine_code_is_kept_and_found_again(self, tmp_path: Path) -> None:
        spec = load_spec("xor")
        first = compile_kernel(spec, cache=tmp_path)
        assert not first.function(("value",)).cached
        again = compile_kernel(spec, cache=tmp_path)
        assert again.function(("value",)).cached
        assert np.array_equal(first.value(points(spec, 4)), again.value(points(spec, 4)))

    @pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
    def test_a_damaged_or_foreign_entry_is_built_again(self, tmp_path: Path, damage: str) -> None:
        spec = load_spec("xor")
        expected = compile_kernel(spec, cache=tmp_path).value(points(spec, 4))
        (entry,) = tmp_path.glob("*.o")
        content = bytearray(entry.read_bytes())
        if damage == "flip":
            content[len(content) // 2] ^= 1
        elif damage == "cut":
            content = content[:-7]
        elif damage == "empty":
            content = bytearray()
        else:
            line, _, code = bytes(content).partition(b"\n")
            head = json.loads(line)
            content = bytearray(json.dumps({**head, "key": "0" * 64}).encode() + b"\n" + code)
        entry.write_bytes(content)
        assert read_entry(tmp_path, entry.stem) is None
        kernel = compile_kernel(spec, cache=tmp_path)
        assert np.array_equal(kernel.value(points(spec, 4)), expected)
        assert not kernel.function(("value",)).cached
        assert read_entry(tmp_path, entry.stem) is not None

    def test_two_processes_may_race(self, tmp_path: Path) -> None:
        program = (
            "import numpy as np; from pathlib import Path; from symland import compile_kernel, load_spec;"
            f"k = compile_kernel(load_spec('xor'), cache=Path({str(tmp_path)!r}));"
            "print(k.value(np.zeros((1, 12)))[0].hex())"
        )
        racing = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in "ab"]
        printed = {runner.communicate(timeout=120)[0].strip() for runner in racing}
        assert {float.fromhex(text) for text in printed} == {float(np.log(2))}
        (entry,) = tmp_path.iterdir()
        assert read_entry(tmp_path, entry.stem) is not None

    def test_a_folder_that_cannot_be_written_does_no_harm(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("not a folder")
        assert compile_kernel(load_spec("xor"), cache=blocked).value(np.zeros((1, 12)))[0] == pytest.approx(np.log(2))


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
@pytest.mark.parametrize("points", [1, 5])
def test_a_fixed_call_computes_what_a_plain_one_does_as_often_as_it_is_called(engine: str, points: int) -> None:
    kernel = compile_kernel(load_spec("xor", penalty="1e-2"), engine=engine)
    rng = np.random.default_rng(points)
    first, product = kernel.fixed("hessian", "value", "gradient", points=points), kernel.fixed("product", points=points)
    wide = kernel.fixed("per_sample", points=points)
    for _ in range(3):
        theta, along = rng.normal(size=(2, points, kernel.n_parameters))
        first.theta[...], product.theta[...], product.direction[...], wide.theta[...] = theta, theta, along, theta
        for call in (first, product, wide):
            call()
        for got, expected in zip(
            (first.value, first.gradient, first.hessian), kernel.value_gradient_hessian(theta), strict=True
        ):
            assert np.array_equal(got, expected)
        assert np.array_equal(product.product, kernel.hessian_product(theta, along))
        assert np.array_equal(wide.per_sample, kernel.per_sample_gradient(theta))
        assert np.array_equal(first.theta, theta)
    with pytest.raises(AttributeError, match="ask for it"):
        _ = first.packed
    with pytest.raises(KernelError, match="at least"):
        kernel.fixed("value", points=0)
    with pytest.raises(KernelError, match="at least"):
        kernel.fixed()
    with pytest.raises(KernelError, match="'slope' is not known"):
        kernel.fixed("slope")


def test_two_fixed_calls_share_nothing() -> None:
    kernel = compile_kernel(load_spec("xor", hidden=(6,)))
    one, other = kernel.fixed("gradient"), kernel.fixed("gradient")
    rng = np.random.default_rng(0)
    one.theta[...], other.theta[...] = rng.normal(size=(2, 1, kernel.n_parameters))
    one()
    kept = one.gradient.copy()
    other()
    assert np.array_equal(one.gradient, kept)
    assert not np.array_equal(one.gradient, other.gradient)
