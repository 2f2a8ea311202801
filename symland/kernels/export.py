"""Kernels to take away: C99 source and header with a self-test, LLVM IR, or a NumPy module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from symland.errors import KernelError, VerificationError
from symland.kernels import c99, llvm, numpy_text
from symland.kernels.engines import Want, inline_code, record_code, workspace
from symland.kernels.kernel import compile_kernel
from symland.kernels.lanes import LANES, LaneCode
from symland.kernels.verify import VerificationRecord, sample_points, verify_kernel
from symland.records import FloatArray, Verdict
from symland.spec import LandscapeSpec

__all__ = ["TARGETS", "export_kernel"]

TARGETS = ("c", "llvm", "numpy")

FUNCTIONS: dict[str, Want] = {
    "value": ("value",),
    "value_gradient": ("value", "gradient"),
    "hessian": ("hessian",),
}
"""Functions of an export, and their outputs."""

SELF_TEST_EPS = 4096
"""Difference from the exact numbers that the self-test of an export allows, in units of eps of the largest entry."""


def export_kernel(spec: LandscapeSpec, target: str, directory: str | Path) -> list[Path]:
    """Verify a kernel and write it for use without symland.

    Parameters
    ----------
    target : "c", "llvm" or "numpy"
    directory : where the files go; it is made if it is not there

    Returns
    -------
    list of Path
        The files; the last one is the verification record.

    Raises
    ------
    KernelError
        If the target is not known or the directory cannot be written.
    VerificationError
        If the kernel fails a check; nothing is written then.
    """
    if target not in TARGETS:
        raise KernelError(f"target {target!r} is not known; write one of {', '.join(TARGETS)}")
    record = verify_kernel(compile_kernel(spec, engine=target))
    if record.verdict is Verdict.REFUTED:
        failed = next(c for c in record.checks if c.verdict is Verdict.REFUTED)
        raise VerificationError(f"the kernel fails the check {failed.name!r} ({failed.detail}); nothing was written")
    stem = c99.plain(spec.name).lower() or "kernel"
    texts = {"c": _c_texts, "llvm": _llvm_texts, "numpy": _numpy_texts}[target](spec, stem)
    texts[f"{stem}.verification.json"] = json.dumps(_record(record), indent=1) + "\n"
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / name for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KernelError(f"{folder} cannot be written ({error.strerror}); give another directory") from None
    return paths


def _record(record: VerificationRecord) -> dict[str, Any]:
    return record.to_dict()


def _codes(spec: LandscapeSpec) -> dict[str, LaneCode]:
    return {name: inline_code(record_code(spec, want)[1]) for name, want in FUNCTIONS.items()}


def _network(spec: LandscapeSpec) -> list[str]:
    """What the kernel computes, in words."""
    penalised = "all parameters" if spec.penalised.value == "all" else "all weights"
    lines = [
        f"{spec.name}: a network of widths {', '.join(map(str, spec.widths))} with the activation {spec.activation},",
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


def _exact(spec: LandscapeSpec, theta: FloatArray) -> dict[str, list[float]]:
    """Value, gradient and Hessian to the last bit, from enclosures."""
    from symland.program.balls import evaluate_balls, exact_ball, working_precision
    from symland.program.derive import build_program

    with working_precision(256):
        out = evaluate_balls(build_program(spec), [exact_ball(float(t)) for t in theta])
        hessian = [float(h.mid()) for row in out.hessian for h in row]
        assert out.value is not None
        return {
            "value": [float(out.value.mid())],
            "gradient": [float(g.mid()) for g in out.gradient],
            "hessian": hessian,
        }


# -- C ------------------------------------------------------------------------------------------------------------


def _c_texts(spec: LandscapeSpec, stem: str) -> dict[str, str]:
    codes = _codes(spec)
    guard = f"SYMLAND_{stem.upper()}_H"
    work = max(workspace(code) for code in codes.values())
    size = spec.n_parameters
    about = "\n".join(f" * {line}" for line in _network(spec))
    header = [
        f"/*\n{about}\n *",
        " * Every function takes n points, row-major (n, P), and writes value (n), gradient (n, P), hessian (n, P, P).",
        f" * `work` is scratch space of {stem.upper()}_WORK doubles, one for each thread. No memory is allocated.",
        f" * Specification {spec.digest}.",
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stdint.h>",
        "",
        f"#define {stem.upper()}_PARAMETERS {size}",
        f"#define {stem.upper()}_WORK {work}",
        "",
        *(f"{c99.signature(code, f'{stem}_{name}')};" for name, code in codes.items()),
        "",
        "#endif",
        "",
    ]
    functions = [c99.function_text(code, f"{stem}_{name}") for name, code in codes.items()]
    source = "\n".join([f'#include "{stem}.h"\n', c99.PRELUDE, *functions, _self_test(spec, stem)])
    return {f"{stem}.h": "\n".join(header), f"{stem}.c": source}


def _self_test(spec: LandscapeSpec, stem: str) -> str:
    """A main program that compares with exact numbers at two points: 0 if all agree, else the number of those that do
    not."""
    p = spec.n_parameters
    theta = np.round(sample_points(spec)["random"][:2], 3)
    exact = [_exact(spec, t) for t in theta]
    rows = {name: [x for point in exact for x in point[name]] for name in ("value", "gradient", "hessian")}

    def array(name: str, values: list[float]) -> str:
        text = ", ".join(float(v).hex() for v in values)
        return f"static const double {name}[{len(values)}] = {{{text}}};"

    return f"""\
#ifdef SYMLAND_SELF_TEST
/* cc -std=c99 -O2 -DSYMLAND_SELF_TEST {stem}.c -lm && ./a.out */
#include <float.h>
#include <stdio.h>

{array("test_theta", [float(t) for t in theta.ravel()])}
{array("exact_value", rows["value"])}
{array("exact_gradient", rows["gradient"])}
{array("exact_hessian", rows["hessian"])}

static double test_work[{stem.upper()}_WORK];
static double test_value[2], test_gradient[2 * {p}], test_hessian[2 * {p} * {p}];

static int differ(const char *name, const double *got, const double *exact, int count) {{
    double largest = 0.0, worst = 0.0;
    for (int k = 0; k < count; k++) {{
        largest = fmax(largest, fabs(exact[k]));
        worst = fmax(worst, fabs(got[k] - exact[k]));
    }}
    const double units = worst / (DBL_EPSILON * (largest > 0.0 ? largest : 1.0));
    printf("%s: %.2f eps\\n", name, units);
    return !(units <= {SELF_TEST_EPS});
}}

int main(void) {{
    int wrong = 0;
    {stem}_value(2, test_work, test_theta, test_value);
    wrong += differ("value", test_value, exact_value, 2);
    {stem}_value_gradient(2, test_work, test_theta, test_value, test_gradient);
    wrong += differ("value with gradient", test_value, exact_value, 2);
    wrong += differ("gradient", test_gradient, exact_gradient, 2 * {p});
    {stem}_hessian(2, test_work, test_theta, test_hessian);
    wrong += differ("hessian", test_hessian, exact_hessian, 2 * {p} * {p});
    return wrong;
}}
#endif
"""


# -- LLVM and NumPy -----------------------------------------------------------------------------------------------


def _llvm_texts(spec: LandscapeSpec, stem: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, code in _codes(spec).items():
        head = [*_network(spec), f"work: {workspace(code)} doubles, aligned to 64 bytes; strips of {LANES} points"]
        out[f"{stem}_{name}.ll"] = "\n".join([*(f"; {line}" for line in head), llvm.print_llvm(code, f"{stem}_{name}")])
    return out


def _numpy_texts(spec: LandscapeSpec, stem: str) -> dict[str, str]:
    codes = {name: record_code(spec, want)[1] for name, want in FUNCTIONS.items()}
    return {f"{stem}.py": numpy_text.print_numpy(codes, _network(spec))}
