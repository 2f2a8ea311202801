"""The self-test of exported C: a main program with exact numbers at two points."""

from __future__ import annotations

import numpy as np

from symland.kernels.checks import directions, sample_points
from symland.kernels.kernel import data_of
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["self_test"]

SELF_TEST_EPS = 4096
"""Difference from the exact numbers that the self-test of an export allows, in units of eps of the largest entry."""


def _exact(spec: LandscapeSpec, theta: FloatArray) -> dict[str, list[float]]:
    """Every output to the last bit, from enclosures."""
    from flint import arb_mat

    from symland.program.algebra import run
    from symland.program.balls import BallAlgebra, exact_ball, working_precision
    from symland.program.derive import build_program
    from symland.rigor.inertia import pivot_index

    program = build_program(spec, ("value", "gradient", "hessian", "product", "per_sample"))
    with working_precision(256):
        along = [exact_ball(float(v)) for v in directions(theta[np.newaxis])[0]]
        out = run(program, BallAlgebra(), [exact_ball(float(t)) for t in theta], direction=along)
        index = pivot_index(arb_mat(out.hessian))
        balls = {
            "value": [out.value],
            "gradient": out.gradient,
            "hessian": [h for row in out.hessian for h in row],
            "packed": [h for k, row in enumerate(out.hessian) for h in row[k:]],
            "product": out.product,
            "per_sample": [g for row in out.per_sample for g in row],
        }
        made = {name: [float(b.mid()) for b in entries] for name, entries in balls.items()}
        return {**made, "negative": [float(-1 if index is None else index)]}


def self_test(spec: LandscapeSpec, stem: str, runtime_data: bool = False) -> str:
    """A main program that compares with exact numbers: it returns 0 if all outputs agree, else how many do not."""
    theta = np.round(sample_points(spec)["random"][:2], 3)
    exact = [_exact(spec, t) for t in theta]
    rows = {name: [x for point in exact for x in point[name]] for name in exact[0]}
    data = [f"test_data{k}" for k in range(len(data_of(spec)))] if runtime_data else []

    def array(name: str, values: list[float]) -> str:
        text = ", ".join(float(v).hex() for v in values)
        return f"static const double {name}[{len(values)}] = {{{text}}};"

    constants = [
        *(array(name, list(values)) for name, values in zip(data, data_of(spec), strict=False)),
        array("test_theta", list(theta.ravel())),
        array("test_direction", list(directions(theta).ravel())),
        *(array(f"exact_{name}", values) for name, values in rows.items()),
    ]
    room = [f"got_{name}[{len(values)}]" for name, values in rows.items()]
    calls = []
    for function, inputs, outputs in (
        ("value", "test_theta", ("value",)),
        ("value_gradient", "test_theta", ("value", "gradient")),
        ("hessian", "test_theta", ("hessian",)),
        ("packed_hessian", "test_theta", ("packed",)),
        # The order of the inputs is that of the signature.
        ("hessian_product", "test_theta, test_direction", ("product",)),
        ("per_sample_gradient", "test_theta", ("per_sample",)),
    ):
        arguments = ", ".join(["2", "test_work", *data, inputs, *(f"got_{name}" for name in outputs)])
        calls.append(f"    {stem}_{function}({arguments});")
        calls += [f'    wrong += differ("{name}", got_{name}, exact_{name}, {len(rows[name])});' for name in outputs]
    pivots = ", ".join(["2", "test_work", *data, "test_theta", "got_negative", "smallest", "largest"])
    lines = "\n".join
    return f"""\
#ifdef SYMLAND_SELF_TEST
/* cc -std=c99 -O2 -DSYMLAND_SELF_TEST {stem}.c -lm && ./a.out */
#include <float.h>
#include <stdio.h>

{lines(constants)}

static double test_work[{stem.upper()}_WORK];
static double {", ".join(room)}, smallest[2], largest[2];

static int differ(const char *name, const double *got, const double *exact, int count) {{
    double most = 0.0, worst = 0.0;
    for (int k = 0; k < count; k++) {{
        most = fmax(most, fabs(exact[k]));
        worst = fmax(worst, fabs(got[k] - exact[k]));
    }}
    const double units = worst / (DBL_EPSILON * (most > 0.0 ? most : 1.0));
    printf("%s: %.2f eps\\n", name, units);
    return !(units <= {SELF_TEST_EPS});
}}

int main(void) {{
    int wrong = 0;
{lines(calls)}
    {stem}_pivots({pivots});
    for (int k = 0; k < 2; k++)
        wrong += exact_negative[k] >= 0.0 && got_negative[k] != exact_negative[k];
    return wrong;
}}
#endif
"""
