"""Derivatives of stationary points with respect to inputs and to the weights of samples, exact up to rounding.

At a stationary point theta*(x) of E(theta, x), with H = E_theta,theta and F = E_theta,x:

    dE*/dx    = E_x                       the envelope theorem
    dtheta*/dx = -H^-1 F                  the implicit function theorem
    d2E*/dx2  = E_xx - F^T H^-1 F

Let w_d weigh the loss of sample d, E = (1/D) sum_d w_d ell_d + penalty, with w_d = 1 as given. Then
dE*/dw_d = ell_d / D and dtheta*/dw_d = -(1/D) H^-1 d ell_d / d theta.

Where no penalty holds a shift of the outputs, theta* is the point in the slice of `symland.rigor.gauge`, and H that of
E_s: the right-hand sides have no part along the shift, so that theta* stays in the slice.

All of it comes from one run of the derivation program: over balls that hold the point where it is certified, so that
what comes out encloses the exact derivatives; over float64 otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from flint import arb, arb_mat, ctx

from symland.kernels.kernel import CompiledKernel
from symland.program.balls import evaluate_balls, working_precision
from symland.program.derive import build_program
from symland.records import FloatArray
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import parse_decimal
from symland.rigor.gauge import gauge_sets, raised
from symland.rigor.krawczyk import (
    contraction,
    contracts,
    cube,
    newton_polish,
    preconditioned_midpoint,
    sliced_hessian,
)
from symland.spec import LandscapeSpec

__all__ = ["DataDerivatives", "enclose_derivatives", "float_derivatives", "numbers_of", "sharp_box"]

WANTED = ("hessian", "per_sample", "by_input", "by_input_twice", "mixed")
"""Outputs of the derivation program that the derivatives are made of."""

BITS = 192
"""Working precision of enclosures."""

MOST_STEPS = 12
"""Newton steps that sharpen the box of a certified point."""

Numbers: TypeAlias = FloatArray | arb_mat
"""Float64 arrays, or matrices of balls."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataDerivatives:
    """Derivatives of one stationary point; inputs are numbered d n_0 + k, for input k of sample d.

    Attributes
    ----------
    by_input : (D n_0, 1)
        dE*/dx.
    theta_by_input : (P, D n_0)
    theta_by_weight : (P, D)
        Weights multiply the losses of the samples.
    twice : (D n_0, D n_0)
        d2E*/dx2.
    """

    by_input: Numbers
    theta_by_input: Numbers
    theta_by_weight: Numbers
    twice: Numbers


def enclose_derivatives(certificate: Certificate) -> DataDerivatives | None:
    """Enclosures of the derivatives of a certified point; None where the Hessian's enclosure cannot be inverted."""
    spec = certificate.spec
    p, n, samples = spec.n_parameters, spec.n_samples * spec.n_inputs, spec.n_samples
    with working_precision(BITS):
        box = sharp_box(certificate)
        ran = evaluate_balls(build_program(spec, WANTED), box)
        mixed = arb_mat(n, p, ran.by_data["mixed"])
        losses = arb_mat(samples, p, [g for row in ran.per_sample for g in row])
        try:
            solved = raised(spec, arb_mat(ran.hessian)).solve(_beside(mixed.transpose(), losses.transpose() / samples))
        except ZeroDivisionError:
            return None
        rows = (-solved).tolist()
        by_theta = arb_mat([row[:n] for row in rows])
        return DataDerivatives(
            by_input=arb_mat(n, 1, ran.by_data["by_input"]),
            theta_by_input=by_theta,
            theta_by_weight=arb_mat([row[n:] for row in rows]),
            twice=_blocks(ran.by_data["by_input_twice"], spec) + mixed * by_theta,
        )


def sharp_box(certificate: Certificate) -> list[arb]:
    """A box that holds a certified point, about as small as the working precision allows.

    Newton's steps from the certificate's midpoint, and Krawczyk's test again on a smaller cube inside the cube in which
    the point is the only one; the certificate's own cube where that fails.
    """
    assert certificate.inclusion_radius is not None
    assert certificate.uniqueness_radius is not None
    spec = certificate.spec
    middle = [arb(parse_decimal(t)) for t in certificate.midpoint]
    outer = cube(middle, arb(parse_decimal(certificate.inclusion_radius)))
    polished = newton_polish(spec, middle, MOST_STEPS)
    point = None if polished is None else preconditioned_midpoint(spec, [b.mid() for b in polished], ctx.prec)
    if point is None:
        return outer
    radius = (2 * point.shift).max(arb(2) ** (-ctx.prec // 2)).upper()
    box = cube(point.balls, radius)
    wide = cube(middle, arb(parse_decimal(certificate.uniqueness_radius)))
    inside = all(w.contains(b) for w, b in zip(wide, box, strict=True))
    return (
        box
        if inside and contracts(point.shift, contraction(point.inverse, sliced_hessian(spec, box)), radius)
        else outer
    )


def _beside(left: arb_mat, right: arb_mat) -> arb_mat:
    return arb_mat([a + b for a, b in zip(left.tolist(), right.tolist(), strict=True)])


def _blocks(entries: Sequence[arb], spec: LandscapeSpec) -> arb_mat:
    """The block diagonal matrix of (D, n_0, n_0) entries."""
    n, size = spec.n_inputs, spec.n_samples * spec.n_inputs
    out = arb_mat(size, size)
    for number, entry in enumerate(entries):
        d, place = divmod(number, n * n)
        k, l = divmod(place, n)
        out[d * n + k, d * n + l] = entry
    return out


def float_derivatives(kernel: CompiledKernel, theta: FloatArray) -> list[DataDerivatives]:
    """The derivatives at stationary points theta (m, P) in float64, by compiled code for all points at once.

    A Hessian that cannot be inverted gives numbers that are not finite.
    """
    spec = kernel.spec
    m, p = theta.shape
    n, samples = spec.n_samples * spec.n_inputs, spec.n_samples
    hessian, losses, by_input, twice, mixed = kernel.evaluator(WANTED)(theta)
    mixed = mixed.reshape(m, n, p)
    for places in gauge_sets(spec):
        hessian[:, np.array(places)[:, None], places] += 1.0
    right = np.concatenate([mixed.transpose(0, 2, 1), losses.transpose(0, 2, 1) / samples], axis=2)
    found = []
    for k in range(m):
        try:
            solved = -np.linalg.solve(hessian[k], right[k])
        except np.linalg.LinAlgError:
            solved = np.full((p, n + samples), np.nan)
        square = np.zeros((n, n))
        for d in range(samples):
            rows = slice(d * spec.n_inputs, (d + 1) * spec.n_inputs)
            square[rows, rows] = twice[k, d]
        found.append(
            DataDerivatives(
                by_input=by_input[k].reshape(n, 1),
                theta_by_input=solved[:, :n],
                theta_by_weight=solved[:, n:],
                twice=square + mixed[k] @ solved[:, :n],
            )
        )
    return found


def numbers_of(numbers: Numbers) -> FloatArray:
    """The midpoints as float64, of the same shape."""
    if isinstance(numbers, np.ndarray):
        return numbers
    return np.array([float(x.mid()) for x in numbers.entries()]).reshape(numbers.nrows(), numbers.ncols())
