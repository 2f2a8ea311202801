"""The self-test of exported C: a function that compares every output with exact numbers, at two points in turn."""

from __future__ import annotations

import numpy as np

from symland.kernels.c99 import PRECISE
from symland.kernels.checks import directions, sample_points
from symland.kernels.kernel import data_of
from symland.kernels.lanes import LANES
from symland.records import FloatArray
from symland.spec import LandscapeSpec

__all__ = ["self_test"]

SELF_TEST_EPS = 4096
"""Difference from the exact numbers that the self-test of an export allows, in units of eps of the largest entry."""

POINTS = 2 * LANES + 3
"""Of a call: two whole strips, and a part of one."""


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
    """A source text with the function `STEM_self_test`: how many outputs are wrong, so 0 if all is well.

    It stands in a file of its own, so that a library carries the numbers only where they are asked for.
    """
    theta = np.round(sample_points(spec)["random"][:2], 3)
    exact = [_exact(spec, t) for t in theta]
    rows = {name: [x for point in exact for x in point[name]] for name in exact[0]}
    sizes = {name: len(exact[0][name]) for name in rows}
    data = [f"data{k}" for k in range(len(data_of(spec)))] if runtime_data else []
    p = spec.n_parameters

    def array(name: str, values: list[float]) -> str:
        text = ", ".join(float(v).hex() for v in values)
        return f"static const double {name}[{len(values)}] = {{{text}}};"

    constants = [
        *(array(name, list(values)) for name, values in zip(data, data_of(spec), strict=False)),
        array("two_thetas", list(theta.ravel())),
        array("two_directions", list(directions(theta).ravel())),
        *(array(f"exact_{name}", values) for name, values in rows.items()),
    ]
    room = [f"got_{name}[POINTS * {size}]" for name, size in sizes.items()]
    calls = []
    for function, inputs, outputs in (
        ("value", "theta", ("value",)),
        ("value_gradient", "theta", ("value", "gradient")),
        ("hessian", "theta", ("hessian",)),
        ("packed_hessian", "theta", ("packed",)),
        # The order of the inputs is that of the signature.
        ("hessian_product", "theta, direction", ("product",)),
        ("per_sample_gradient", "theta", ("per_sample",)),
    ):
        arguments = ", ".join(["POINTS", "work", *data, inputs, *(f"got_{name}" for name in outputs)])
        calls.append(f"    {stem}_{function}({arguments});")
        calls += [f"    wrong += differs(got_{name}, exact_{name}, {sizes[name]});" for name in outputs]
    pivots = ", ".join(["POINTS", "work", *data, "theta", "got_negative", "smallest", "largest"])
    lines = "\n".join
    return f"""\
#include "{stem}.h"

{PRECISE}
#define POINTS {POINTS}

{lines(constants)}

static double work[{stem.upper()}_WORK], theta[POINTS * {p}], direction[POINTS * {p}];
static double {", ".join(room)}, smallest[POINTS], largest[POINTS];

/* Whether an output of `size` numbers a point is further from the exact numbers than rounding explains. */
static int differs(const double *got, const double *exact, int size) {{
    double most = 0.0;
    for (int k = 0; k < 2 * size; k++)
        most = fmax(most, fabs(exact[k]));
    const double allowed = {SELF_TEST_EPS} * DBL_EPSILON * (most > 0.0 ? most : 1.0);
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < size; k++)
            if (!(fabs(got[i * size + k] - exact[i % 2 * size + k]) <= allowed))
                return 1;
    return 0;
}}

int {stem}_self_test(void) {{
    int wrong = 0;
    for (int i = 0; i < POINTS * {p}; i++) {{
        theta[i] = two_thetas[i % {2 * p}];
        direction[i] = two_directions[i % {2 * p}];
    }}
{lines(calls)}
    {stem}_pivots({pivots});
    for (int i = 0; i < POINTS; i++)
        if (exact_negative[i % 2] >= 0.0 && got_negative[i] != exact_negative[i % 2])
            return wrong + 1;
    return wrong;
}}
"""
