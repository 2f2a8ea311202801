"""Kernels to take away: strict C99 with a self-test, LLVM IR, a NumPy module, and the record beside them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from symland.errors import KernelError
from symland.kernels import compile_kernel, export_kernel
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.spec import LandscapeSpec, load_spec

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O0")

EXPORTED = [
    load_spec("xor"),
    load_spec("xor").with_(name="deep", hidden=(2, 2), activation="sin(z) + z/sqrt(1+z**2)"),
    load_spec("xor").with_(name="wide", hidden=(12,)),
]


@pytest.fixture(scope="module", params=EXPORTED, ids=lambda spec: spec.name)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LandscapeSpec, Path]:
    folder = tmp_path_factory.mktemp(request.param.name)
    paths = export_kernel(request.param, "c", folder)
    assert all(path.exists() for path in paths)
    return request.param, folder


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("extra", [(), ("-DSYMLAND_SCALAR",)], ids=["vectors", "scalars"])
def test_exported_c_compiles_without_a_warning_and_passes_its_self_test(
    exported: tuple[LandscapeSpec, Path], compiler: str, extra: tuple[str, ...]
) -> None:
    spec, folder = exported
    flags = [*STRICT, *extra, "-DSYMLAND_SELF_TEST"]
    command = [compiler, *flags, f"{spec.name}.c", "-lm", "-o", "self-test"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[:2000]
    ran = subprocess.run(["./self-test"], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_record_beside_the_kernel_says_certified(exported: tuple[LandscapeSpec, Path]) -> None:
    spec, folder = exported
    record = json.loads((folder / f"{spec.name}.verification.json").read_text())
    assert record["verdict"] == "certified"
    assert record["spec"] == spec.digest


def test_the_numpy_module_stands_alone(tmp_path: Path) -> None:
    for spec in EXPORTED:
        export_kernel(spec, "numpy", tmp_path)
        found = importlib.util.spec_from_file_location(spec.name, tmp_path / f"{spec.name}.py")
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        theta = np.random.default_rng(0).normal(size=(4, spec.n_parameters))
        value, gradient, hessian = evaluate(build_program(spec), theta)
        assert module.value(theta) == pytest.approx(value, rel=1e-13)
        assert np.abs(module.value_gradient(theta)[1] - gradient).max() <= 1e-13
        assert np.abs(module.hessian(theta) - hessian).max() <= 1e-12


def test_llvm_text_is_written_for_every_function(tmp_path: Path) -> None:
    names = {path.name for path in export_kernel(load_spec("xor"), "llvm", tmp_path)}
    assert names == {"xor_value.ll", "xor_value_gradient.ll", "xor_hessian.ll", "xor.verification.json"}


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="c, llvm, numpy"):
        export_kernel(load_spec("xor"), "fortran", tmp_path)


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
def test_the_c_engine_computes_what_the_llvm_engine_computes() -> None:
    for spec in EXPORTED:
        theta = np.random.default_rng(0).normal(size=(13, spec.n_parameters))
        by_llvm = compile_kernel(spec, cache=False, verify=False).value_gradient(theta)
        by_c = compile_kernel(spec, engine="c", cache=False, verify=False).value_gradient(theta)
        for one, two in zip(by_llvm, by_c, strict=True):
            assert np.abs(one - two).max() <= 1e-14 * max(1.0, np.abs(one).max())
