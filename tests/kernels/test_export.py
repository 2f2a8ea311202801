"""Kernels to take away: strict C99 with a self-test, LLVM IR, a NumPy module, and the record beside them."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symland.datasets import Dataset
from symland.errors import KernelError, VerificationError
from symland.kernels import c99, compile_kernel, export_kernel, numpy_text, verify_kernel
from symland.kernels.engines import inline_code, record_code, workspace
from symland.kernels.export import FUNCTIONS
from symland.kernels.kernel import data_of
from symland.kernels.verify import VerificationRecord
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.spec import LandscapeSpec, load_spec
from tests.once import made_once

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O0")

ONE = Dataset(name="one", inputs=((Fraction(1),),), labels=(0,))
SMALL = LandscapeSpec(name="small", hidden=(1,), bias=False, data=ONE, penalty=Fraction(1, 8))

EXPORTED = [
    (load_spec("xor"), False),
    (load_spec("xor").with_(name="deep", hidden=(1, 1), activation="sin(z) + z/sqrt(1+z**2)"), True),
    (load_spec("xor").with_(name="wide", hidden=(9,)), False),
]


@pytest.fixture(scope="module")
def record() -> VerificationRecord:
    return verify_kernel(compile_kernel(SMALL, engine="numpy"))


def as_if_verified(patch: pytest.MonkeyPatch, record: VerificationRecord) -> None:
    """What is written does not depend on the checks before it, except for the record."""
    patch.setattr("symland.kernels.export.compile_kernel", lambda *_, **__: None)
    patch.setattr("symland.kernels.export.verify_kernel", lambda _: record)


@pytest.fixture
def verified(record: VerificationRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_verified(monkeypatch, record)


@pytest.fixture(scope="module", params=EXPORTED, ids=lambda case: case[0].name)
def exported(
    request: pytest.FixtureRequest, record: VerificationRecord, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LandscapeSpec, Path]:
    spec, runtime_data = request.param

    def export(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if spec.name == "wide":
                as_if_verified(patch, record)
            paths = export_kernel(spec, "c", folder, runtime_data=runtime_data)
        assert all(path.exists() for path in paths)

    return spec, made_once(tmp_path_factory, f"kernel-{spec.name}", export)


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
    command = [compiler, *STRICT, *extra, "main.c", f"{spec.name}.c", f"{spec.name}_self_test.c", *how]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[:2000]
    if run:
        ran = subprocess.run(["./self-test"], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
        assert ran.stdout.endswith("self-test: 0 outputs are wrong\n")


def test_the_record_beside_the_kernel_says_certified(exported: tuple[LandscapeSpec, Path]) -> None:
    spec, folder = exported
    record = json.loads((folder / f"{spec.name}.verification.json").read_text())
    assert record["verdict"] == "certified"
    assert record["spec"] == (SMALL if spec.name == "wide" else spec).digest
    for name, digest in record["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
def test_the_compile_line_of_main_is_one_that_works_and_prints_the_loss(
    exported: tuple[LandscapeSpec, Path], tmp_path: Path
) -> None:
    spec, folder = exported
    if spec.name == "wide":
        pytest.skip("it takes a compiler long")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = re.search(r"^ +cc -std=c99 -O2 (.*) -lm -o (\w+) && ", (tmp_path / "main.c").read_text(), re.M)
    assert found is not None
    command = [COMPILERS[0], "-std=c99", "-O1", "-DSYMLAND_SCALAR", *found[1].split(), "-lm", "-o", found[2]]
    subprocess.run(command, cwd=tmp_path, check=True)
    said = subprocess.run([f"./{found[2]}"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    theta = 0.1 * np.arange(1, spec.n_parameters + 1)[np.newaxis]
    value, gradient, _ = evaluate(build_program(spec), theta)
    numbers = [float(line.split()[1]) for line in said.splitlines()[:-1]]
    assert numbers == pytest.approx([*value, *gradient[0]], rel=1e-12, abs=1e-13)


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_the_header_is_read_by_c_plus_plus_too(exported: tuple[LandscapeSpec, Path], tmp_path: Path) -> None:
    spec, folder = exported
    program = f'#include "{spec.name}.h"\nint main() {{ return {spec.name}_self_test(); }}\n'
    (tmp_path / "main.cc").write_text(program)
    made = ["g++", "-Wall", "-Wextra", "-pedantic", "-Werror", "-c", "main.cc", "-I", str(folder)]
    subprocess.run(made, cwd=tmp_path, check=True)
    names = subprocess.run(["nm", "main.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert f"U {spec.name}_self_test" in names


@pytest.mark.usefixtures("verified")
@pytest.mark.skipif(not (COMPILERS and shutil.which("cmake")), reason="no CMake")
def test_cmake_builds_tests_and_installs_the_library(tmp_path: Path) -> None:
    export_kernel(SMALL, "c", tmp_path / "source")
    for command in (
        ["cmake", "-S", "source", "-B", "build"],
        ["cmake", "--build", "build"],
        ["ctest", "--test-dir", "build"],
        ["cmake", "--install", "build", "--prefix", "installed"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "installed/include/small.h").exists()
    if shutil.which("pkg-config"):
        found = {"PKG_CONFIG_PATH": str(tmp_path / "installed/lib/pkgconfig")}
        said = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "small"], env=found, capture_output=True, text=True, check=True
        ).stdout.split()
        command = [COMPILERS[0], "source/main.c", *said, "-o", "main"]
        subprocess.run(command, cwd=tmp_path, check=True)
        subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.usefixtures("verified")
def test_a_name_is_never_code_and_never_another_files(tmp_path: Path) -> None:
    for name, stem in (
        ('x */ int y; /* """ \\" + 1', "x_int_y_1"),
        ("Größe", "gr_e"),
        ("2-2", "kernel_2_2"),
        ("math", "kernel_math"),
        ("main", "kernel_main"),
        ("λ", "kernel"),
    ):
        for target, suffix in (("c", ".h"), ("numpy", ".py")):
            assert {p.name for p in export_kernel(SMALL.with_(name=name), target, tmp_path / stem)} >= {stem + suffix}
        header = (tmp_path / stem / f"{stem}.h").read_text(encoding="utf-8")
        assert header.count("*/") == 1
        assert "int y" not in header.partition("*/")[2]


STRIPS = 17
"""Points: every number modulo the lane width, with none and with one and two whole strips before."""


@pytest.mark.skipif(not COMPILERS, reason="no C compiler")
def test_exported_functions_are_right_at_every_number_of_samples_and_points(tmp_path: Path) -> None:
    specs = {d: _with_samples(d) for d in (1, 2, 3, 7, 8, 9)}
    want = ("value", "gradient")
    codes = {d: inline_code(record_code(spec, want)[1]) for d, spec in specs.items()}
    functions = [c99.function_text(code, f"of_{d}_samples") for d, code in codes.items()]
    (tmp_path / "all.c").write_text("\n".join([c99.PRELUDE, *functions]))
    command = [COMPILERS[0], "-std=c99", "-O1", "-shared", "-fPIC", "-o", "all.so", "all.c", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    for d, spec in specs.items():
        function = getattr(library, f"of_{d}_samples")
        for n in range(STRIPS + 1):
            theta = np.random.default_rng(n).normal(size=(n, spec.n_parameters))
            value, gradient = np.full(n + 1, 7.0), np.full((n + 1, spec.n_parameters), 7.0)
            arrays = (np.empty(workspace(codes[d])), theta, value, gradient)
            function(ctypes.c_int64(n), *(ctypes.c_void_p(array.ctypes.data) for array in arrays))
            # What lies behind the last point is left alone.
            assert value[n] == 7.0
            assert (gradient[n] == 7.0).all()
            if n:
                known, slope, _ = evaluate(build_program(spec), theta)
                assert value[:n] == pytest.approx(known, rel=1e-13)
                assert np.abs(gradient[:n] - slope).max() < 1e-13


def _with_samples(count: int) -> LandscapeSpec:
    inputs = tuple((Fraction(k, 3), Fraction(k * k % 5)) for k in range(count))
    data = Dataset(name="counted", inputs=inputs, labels=tuple(k % 2 for k in range(count)))
    return LandscapeSpec(name="counted", hidden=(1,), data=data, penalty=Fraction(1, 100))


def load_module(spec: LandscapeSpec, folder: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(spec.name, folder / f"{spec.name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("verified")
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


@pytest.mark.usefixtures("verified")
def test_the_numpy_module_refuses_arrays_of_another_shape(tmp_path: Path) -> None:
    for runtime_data in (False, True):
        export_kernel(SMALL, "numpy", tmp_path, runtime_data=runtime_data)
        module, data = load_module(SMALL, tmp_path), data_of(SMALL) if runtime_data else ()
        for theta in (np.zeros(3), np.zeros((3, 2)), np.zeros((1, 4)), np.zeros((1, 1, 3)), 0.0):
            for name in ("value", "value_gradient", "hessian", "packed_hessian", "per_sample_gradient", "index"):
                with pytest.raises(ValueError, match=r"theta has shape .* give one row of 3 numbers for each point"):
                    getattr(module, name)(*data, theta)
        with pytest.raises(ValueError, match="give one for each"):
            module.hessian_product(*data, np.zeros((3, 3)), np.zeros((1, 3)))
        assert module.value(*data, [[0, 0, 0]]) == pytest.approx(np.log(2))
    for k in range(len(data)):
        with pytest.raises(ValueError, match="numbers; give"):
            module.value(*data[:k], np.zeros(77), *data[k + 1 :], np.zeros((1, 3)))


@pytest.mark.usefixtures("verified")
def test_a_numpy_module_with_a_fault_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = numpy_text.print_numpy
    monkeypatch.setattr(numpy_text, "print_numpy", lambda *given: sound(*given).replace("4 * e", "4.0000000001 * e"))
    with pytest.raises(VerificationError, match="module"):
        export_kernel(load_spec("xor"), "numpy", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("verified")
def test_llvm_text_is_written_for_every_function(tmp_path: Path) -> None:
    names = {path.name for path in export_kernel(load_spec("xor"), "llvm", tmp_path)}
    assert names == {*(f"xor_{function}.ll" for function in FUNCTIONS), "xor.verification.json"}
    for path in tmp_path.glob("*.ll"):
        head = [line for line in path.read_text().splitlines() if line.startswith(";")]
        assert any("LLVM 15 or later" in line for line in head)


def test_c_is_exported_where_there_is_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[str, ...]:
        raise KernelError("none")

    monkeypatch.setattr("symland.machine.library.compiler", none)
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
