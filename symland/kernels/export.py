"""Kernels to take away: a C99 library with a self-test, LLVM IR, or a NumPy module."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from symland.errors import KernelError, VerificationError
from symland.kernels import c99, inertia, llvm, numpy_text
from symland.kernels.c_project import project_files, stem_of
from symland.kernels.checks import Check, check_enclosure, directions
from symland.kernels.engines import Want, inline_code, record_code, workspace
from symland.kernels.kernel import compile_kernel, data_of
from symland.kernels.lanes import LANES, LaneCode
from symland.kernels.self_test import self_test
from symland.kernels.verify import verify_kernel
from symland.records import FloatArray, Verdict
from symland.spec import LandscapeSpec

__all__ = ["TARGETS", "export_kernel"]

TARGETS = ("c", "llvm", "numpy")

FUNCTIONS: dict[str, Want] = {
    "value": ("value",),
    "value_gradient": ("value", "gradient"),
    "hessian": ("hessian",),
    "packed_hessian": ("packed",),
    "hessian_product": ("product",),
    "per_sample_gradient": ("per_sample",),
    "pivots": inertia.OUTPUTS,
}
"""Functions of an export, and their outputs."""


def export_kernel(spec: LandscapeSpec, target: str, directory: str | Path, *, runtime_data: bool = False) -> list[Path]:
    """Verify a kernel and write it for use without symland.

    Parameters
    ----------
    target : "c", "llvm" or "numpy"
    directory : where the files go; it is made if it is not there
    runtime_data : bool
        Whether samples and penalty are arguments of the functions.

    Returns
    -------
    list of Path
        The files; the last one is the verification record, with the SHA-256 of the others.

    Raises
    ------
    KernelError
        If the target is not known or the directory cannot be written.
    VerificationError
        If the kernel fails a check; nothing is written then.
    """
    if target not in TARGETS:
        raise KernelError(f"target {target!r} is not known; write one of {', '.join(TARGETS)}")
    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise KernelError(f"{folder} is a file; give a directory")
    record = verify_kernel(compile_kernel(spec, engine=_engine(target), runtime_data=runtime_data))
    stem = stem_of(spec.name)
    texts = {"c": _c_texts, "llvm": _llvm_texts, "numpy": _numpy_texts}[target](spec, stem, runtime_data)
    if target == "numpy":
        record = replace(record, checks=(*record.checks, *_module_checks(spec, texts[f"{stem}.py"], runtime_data)))
    if record.verdict is Verdict.REFUTED:
        failed = next(c for c in record.checks if c.verdict is Verdict.REFUTED)
        raise VerificationError(f"the kernel fails the check {failed.name!r} ({failed.detail}); nothing was written")
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    texts[f"{stem}.verification.json"] = json.dumps({**record.to_dict(), "files": sums}, indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / name for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KernelError(f"{folder} cannot be written ({error.strerror}); give another directory") from None
    return paths


def _engine(target: str) -> str:
    """The engine that runs the lane code of a target: that of C where there is a compiler, else LLVM."""
    from symland.machine.library import compiler

    if target == "c":
        try:
            compiler()
        except KernelError:
            return "llvm"
    return target


def _module_checks(spec: LandscapeSpec, text: str, runtime_data: bool) -> list[Check]:
    """The functions of a NumPy module against enclosures."""
    from symland.program.derive import build_program

    module: dict[str, Any] = {}
    exec(compile(text, "<kernel>", "exec"), module)
    data = data_of(spec) if runtime_data else ()

    def outputs(name: str, *inputs: FloatArray) -> Sequence[FloatArray]:
        made = module[name](*data, *inputs)
        return made if isinstance(made, tuple) else (made,)

    checks: list[Check] = []
    for name, want in FUNCTIONS.items():
        if want in (("packed",), inertia.OUTPUTS):
            continue

        def evaluate(theta: FloatArray, name: str = name, want: Want = want) -> Sequence[FloatArray]:
            return outputs(name, theta, *([directions(theta)] if want == ("product",) else []))

        found = check_enclosure(spec, build_program(spec, want), evaluate, lanes=False)
        checks += [replace(c, name=f"module, {name}: {c.name}") for c in found]
    return checks


def _codes(spec: LandscapeSpec, runtime_data: bool) -> dict[str, LaneCode]:
    return {name: inline_code(record_code(spec, want, runtime_data)[1]) for name, want in FUNCTIONS.items()}


def _network(spec: LandscapeSpec) -> list[str]:
    """What the kernel computes, in words."""
    penalised = "all parameters" if spec.penalised.value == "all" else "all weights"
    # A name is text of the user's: nothing in it may end a comment.
    name = re.sub(r"[^\w .,:+()-]", "_", spec.name)
    lines = [
        f"{name}: a network of widths {', '.join(map(str, spec.widths))} with the activation {spec.activation},",
        f"mean {spec.loss.value} loss over {spec.n_samples} samples plus {spec.penalty} times the sum of squares of",
        f"{penalised}. P = {spec.n_parameters} parameters, in this order:",
    ]
    for block in spec.layout.blocks:
        shape = " x ".join(map(str, block.shape))
        order = ", row-major" if block.kind == "W" else ""
        lines.append(
            f"    theta[{block.offset}..{block.offset + block.size - 1}]  {block.kind}{block.layer} ({shape}{order})"
        )
    return lines


# -- C ------------------------------------------------------------------------------------------------------------


def _c_texts(spec: LandscapeSpec, stem: str, runtime_data: bool) -> dict[str, str]:
    codes = _codes(spec, runtime_data)
    guard = f"SYMLAND_{stem.upper()}_H"
    work = max(workspace(code) for code in codes.values())
    about = "\n".join(f" * {line}" for line in [*_network(spec), *_data_arguments(spec, runtime_data)])
    p, d = spec.n_parameters, spec.n_samples
    header = [
        f"/*\n{about}\n *",
        " * Every function takes n points, row-major (n, P), and writes value (n), gradient (n, P), hessian (n, P, P),",
        f" * packed (n, {p * (p + 1) // 2}; entries of row <= column), product (n, P; the Hessian times a direction),",
        f" * per_sample (n, {d}, P; without the penalty). pivots: how many pivots of L D L^T are negative, which is",
        f" * the index where smallest > {inertia.PIVOT_GUARD:g} largest; elsewhere take the eigenvalues.",
        f" * `work` is scratch space of {stem.upper()}_WORK doubles, one for each thread. No memory is allocated.",
        f" * {stem}_self_test returns how many outputs are wrong: call it once, from one thread, where flags for the",
        " * compiler may come from elsewhere.",
        f" * Specification {spec.digest}.",
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        f"#define {stem.upper()}_PARAMETERS {p}",
        f"#define {stem.upper()}_WORK {work}",
        "",
        *(f"{c99.signature(code, f'{stem}_{name}')};" for name, code in codes.items()),
        f"int {stem}_self_test(void);",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
        "",
    ]
    functions = [
        c99.function_text(code, f"{stem}_{name}", packed=name == "packed_hessian") for name, code in codes.items()
    ]
    return {
        f"{stem}.h": "\n".join(header),
        f"{stem}.c": "\n".join([f'#include "{stem}.h"\n', c99.PRELUDE, *functions]),
        f"{stem}_self_test.c": self_test(spec, stem, runtime_data),
        **project_files(spec, stem, codes["value_gradient"]),
    }


def _data_arguments(spec: LandscapeSpec, runtime_data: bool) -> list[str]:
    """What the data arguments are, in words."""
    if not runtime_data:
        return []
    from symland.program.derive import build_program
    from symland.program.ir import Role

    arrays = [a for a in build_program(spec, ("value",)).arrays.values() if a.role is Role.DATA]
    shapes = ", ".join(f"{a.name} ({', '.join(map(str, a.shape))})" for a in arrays)
    return [f"The numbers of the samples and the penalty are arguments, row-major: {shapes}."]


# -- LLVM and NumPy -----------------------------------------------------------------------------------------------


def _llvm_texts(spec: LandscapeSpec, stem: str, runtime_data: bool) -> dict[str, str]:
    import llvmlite
    from llvmlite.binding import llvm_version_info

    # Opaque pointers, `ptr`, came with LLVM 15.
    needs = [
        "LLVM 15 or later: llc -O3 -filetype=obj FILE, or clang -O3 -c FILE; no flag may allow sums to be reordered.",
        f"Checked with LLVM {'.'.join(map(str, llvm_version_info))} of llvmlite {llvmlite.__version__}.",
    ]
    out: dict[str, str] = {}
    for name, code in _codes(spec, runtime_data).items():
        head = [
            *_network(spec),
            *_data_arguments(spec, runtime_data),
            f"work: {workspace(code)} doubles, aligned to 64 bytes; strips of {LANES} points",
            *needs,
        ]
        text = llvm.print_llvm(code, f"{stem}_{name}", packed=name == "packed_hessian")
        out[f"{stem}_{name}.ll"] = "\n".join([*(f"; {line}" for line in head), text])
    return out


def _numpy_texts(spec: LandscapeSpec, stem: str, runtime_data: bool) -> dict[str, str]:
    codes = {
        name: record_code(spec, want, runtime_data)[1]
        for name, want in FUNCTIONS.items()
        if want not in (("packed",), inertia.OUTPUTS)
    }
    about = [*_network(spec), *_data_arguments(spec, runtime_data)]
    return {f"{stem}.py": numpy_text.print_numpy(codes, about)}
