"""Kernels to take away: strict C99 with a self-test, LLVM IR, a NumPy module, and the record beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symland.errors import KernelError, VerificationError
from symland.kernels import compile_kernel, export_kernel, numpy_text
from symland.kernels.export import FUNCTIONS
from symland.kernels.kernel import data_of
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.spec import LandscapeSpec, load_spec

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O0")

EXPORTED = [
    (load_spec("xor"), False),
    (load_spec("xor").with_(name="deep", hidden=(1, 1), activation="sin(z) + z/sqrt(1+z**2)"), True),
    (load_spec("xor").with_(name="wide", hidden=(9,)), False),
]


@pytest.fixture(scope="module", params=EXPORTED, ids=lambda case: case[0].name)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LandscapeSpec, Path]:
    spec, runtime_data = request.param
    folder = tmp_path_factory.mktemp(spec.name)
    paths = export_kernel(spec, "c", folder, runtime_data=runtime_data)
    assert all(path.exists() for path in paths)
    return spec, folder


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("extra", [(), ("-DSYMLAND_SCALAR",)], ids=["vectors", "scalars"])
def test_exported_c_compiles_without_a_warning_and_passes_its_self_test(
    exported: tuple[LandscapeSpec, Path], compiler: str, extra: tuple[str, ...]
) -> None:
    spec, folder = exported
    # Vectors without optimisation take a compiler long: of most networks the text is only read.
    run = bool(extra) or (spec.name, compiler) == ("xor", "clang")
    how = ["-lm", "-o", "self-test"] if run else ["-fsyntax-only"]
    command = [compiler, *STRICT, *extra, "-DSYMLAND_SELF_TEST", f"{spec.name}.c", *how]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[:2000]
    if run:
        ran = subprocess.run(["./self-test"], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout


def test_the_record_beside_the_kernel_says_certified(exported: tuple[LandscapeSpec, Path]) -> None:
    spec, folder = exported
    record = json.loads((folder / f"{spec.name}.verification.json").read_text())
    assert record["verdict"] == "certified"
    assert record["spec"] == spec.digest
    for name, digest in record["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def load_module(spec: LandscapeSpec, folder: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(spec.name, folder / f"{spec.name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_numpy_module_stands_alone(tmp_path: Path) -> None:
    for spec, runtime_data in EXPORTED[:2]:
        export_kernel(spec, "numpy", tmp_path, runtime_data=runtime_data)
        module = load_module(spec, tmp_path)
        data = data_of(spec) if runtime_data else ()
        theta = np.random.default_rng(0).normal(size=(4, spec.n_parameters))
        value, gradient, hessian = evaluate(build_program(spec), theta)
        rows, columns = np.triu_indices(spec.n_parameters)
        assert module.value(*data, theta) == pytest.approx(value, rel=1e-13)
        assert np.abs(module.value_gradient(*data, theta)[1] - gradient).max() <= 1e-13
        assert np.abs(module.hessian(*data, theta) - hessian).max() <= 1e-12
        assert np.abs(module.packed_hessian(*data, theta) - hessian[:, rows, columns]).max() <= 1e-12
        product = np.einsum("npq,nq->np", hessian, theta)
        assert np.abs(module.hessian_product(*data, theta, theta) - product).max() <= 1e-12
        means = module.per_sample_gradient(*data, theta).mean(axis=1)
        assert np.abs(means - gradient + 2 * float(spec.penalty) * theta).max() <= 1e-13
        assert np.array_equal(module.index(*data, theta), (np.linalg.eigvalsh(hessian) < 0).sum(axis=1))


def test_a_numpy_module_with_a_fault_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = numpy_text.print_numpy
    monkeypatch.setattr(numpy_text, "print_numpy", lambda *given: sound(*given).replace("4 * e", "4.0000000001 * e"))
    with pytest.raises(VerificationError, match="module"):
        export_kernel(load_spec("xor"), "numpy", tmp_path)
    assert not list(tmp_path.iterdir())


def test_llvm_text_is_written_for_every_function(tmp_path: Path) -> None:
    names = {path.name for path in export_kernel(load_spec("xor"), "llvm", tmp_path)}
    assert names == {*(f"xor_{function}.ll" for function in FUNCTIONS), "xor.verification.json"}


def test_c_is_exported_where_there_is_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[str, ...]:
        raise KernelError("none")

    monkeypatch.setattr("symland.kernels.build.library.compiler", none)
    export_kernel(load_spec("xor", hidden=(1,)), "c", tmp_path)
    assert json.loads((tmp_path / "xor.verification.json").read_text())["engine"] == "llvm"


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="c, llvm, numpy"):
        export_kernel(load_spec("xor"), "fortran", tmp_path)


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
def test_the_c_engine_computes_what_the_llvm_engine_computes() -> None:
    for spec, _ in EXPORTED:
        theta = np.random.default_rng(0).normal(size=(13, spec.n_parameters))
        by_llvm = compile_kernel(spec, cache=False, verify=False).value_gradient(theta)
        by_c = compile_kernel(spec, engine="c", cache=False, verify=False).value_gradient(theta)
        for one, two in zip(by_llvm, by_c, strict=True):
            assert np.abs(one - two).max() <= 1e-14 * max(1.0, np.abs(one).max())
