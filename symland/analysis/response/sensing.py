"""All that `symland sensitivity` says of a landscape: derivatives, radii and decisions, class by class."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from flint import arb

from symland.analysis.answer_types.sensitivity import ClassSensitivity, Sensitivity, SensitivityOptions
from symland.analysis.response.breaking import where_lost
from symland.analysis.response.decisions import TIE, as_array, decisions, outputs_at, probabilities
from symland.analysis.response.derivatives import (
    DataDerivatives,
    Numbers,
    enclose_derivatives,
    float_derivatives,
    numbers_of,
    sharp_box,
)
from symland.errors import SpecError
from symland.kernels.kernel import compile_kernel
from symland.program.balls import working_precision
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import FloatArray, Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.certify import certify
from symland.rigor.decimals import outward_texts, parse_decimal
from symland.rigor.persistence import Persistence, persistence_radii
from symland.rigor.robust import Norm, RobustRadius, RobustSearch
from symland.spec import LandscapeSpec
from symland.tables import Enclosed

if TYPE_CHECKING:
    from symland.landscape.landscape import Landscape
    from symland.listener import Listener

__all__ = ["parse_inputs", "sense"]

ROBUST_BITS = 96
"""Working precision at which the parameters enter the search for robust radii."""

PLACES = 25
"""Decimal places of printed enclosures."""

TOLERANCES = (1e-9, 0.5)
"""Least and largest tolerance of robust radii."""


def parse_inputs(text: str, spec: LandscapeSpec) -> tuple[tuple[int, int], ...] | None:
    """Pairs (sample, input) from "0.1,2.0"; None for an empty text.

    Raises
    ------
    SpecError
        Where the text says something else, or an input that is not there.
    """
    if not text.strip():
        return None
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\.(\d{1,6})\s*", part)
        advice = (
            f'write sample.input, such as "0.1": samples 0 to {spec.n_samples - 1}, inputs 0 to {spec.n_inputs - 1}'
        )
        if not match:
            raise SpecError.at("inputs", f"{part.strip()[:40]!r}", advice)
        pair = int(match[1]), int(match[2])
        if pair[0] >= spec.n_samples or pair[1] >= spec.n_inputs:
            raise SpecError.at("inputs", f"{part.strip()!r} is not there", advice)
        found.append(pair)
    return tuple(dict.fromkeys(found))


def sense(landscape: Landscape, options: SensitivityOptions, listener: Listener) -> Sensitivity:
    """The answer of the question."""
    spec = landscape.spec
    if not TOLERANCES[0] <= options.tolerance <= TOLERANCES[1]:
        raise SpecError.at("tolerance", f"{options.tolerance:g}", f"write {TOLERANCES[0]:g} to {TOLERANCES[1]:g}")
    moving = parse_inputs(options.inputs, spec)
    numbers = list(landscape.minima) if options.minima else list(range(len(landscape)))
    if not numbers:
        return Sensitivity(tolerance=options.tolerance, most_robust=None, classes=())
    theta = np.array([landscape.points[n].theta for n in numbers])
    rough = float_derivatives(compile_kernel(spec), theta)
    classes = []
    for place, number in enumerate(numbers):
        point = landscape.points[number]
        certificate = landscape.certificates.get(number) or certify(
            spec, landscape.refined.get(number) or point.theta.tolist()
        )
        classes.append(_class(number, landscape, certificate, rough[place], moving, options))
        listener.advance("classes", place + 1, len(numbers))
    radii = [(c.persistence_radius, -c.number) for c in classes if c.persistence_radius is not None]
    return Sensitivity(
        tolerance=options.tolerance, most_robust=-max(radii)[1] if radii else None, classes=tuple(classes)
    )


def _class(
    number: int,
    landscape: Landscape,
    certificate: Certificate,
    rough: DataDerivatives,
    moving: tuple[tuple[int, int], ...] | None,
    options: SensitivityOptions,
) -> ClassSensitivity:
    spec, point = landscape.spec, landscape.points[number]
    certified = certificate.verdict is Verdict.CERTIFIED and certificate.index == point.index
    exact = enclose_derivatives(certificate) if certified else None
    derivatives = exact or rough
    samples, n = spec.n_samples, spec.n_inputs
    theta = point.theta
    if certified:
        with working_precision(64):
            theta = np.array([float(arb(parse_decimal(t))) for t in certificate.midpoint])
    labelled = bool(spec.data.labels)
    outputs = outputs_at(spec, theta[None], as_array(spec.data)) if labelled else np.zeros((1, samples, 1))
    predicted, margins = decisions(outputs, spec.data.labels or [0] * samples)
    own = probabilities(outputs)[0]
    # The loss of a sample is -ln of the probability of its label; that of a regression comes from the program.
    losses = _sample_losses(spec, theta)
    right = labelled and bool((margins[0] > TIE).all())
    wide, kept = persistence_radii(certificate, moving, labels=right) if certified else (None, None)
    chosen = moving or tuple((d, k) for d in range(samples) for k in range(n))
    lost = where_lost(spec, theta, chosen) if certified else None
    robust = _robust(spec, certificate, predicted[0], margins[0], options.tolerance) if certified and labelled else {}
    by_input, by_weight = numbers_of(derivatives.theta_by_input), numbers_of(derivatives.theta_by_weight)
    twice = numbers_of(derivatives.twice)
    return ClassSensitivity(
        number=number,
        index=point.index,
        loss=point.loss,
        certified=exact is not None,
        dE_dx=_rows(numbers_of(derivatives.by_input), samples, n),
        dE_dx_proved=_proved(exact.by_input, samples, n) if exact else (),
        dE_dweight=tuple((losses / samples).tolist()),
        dtheta_dx_norm=_rows(np.linalg.norm(by_input, axis=0), samples, n),
        dtheta_dweight_norm=tuple(np.linalg.norm(by_weight, axis=0).tolist()),
        d2E_dx2_norm=_rows(np.linalg.norm(twice, axis=1), samples, n),
        dtheta_dx=_table(by_input.T) if options.full else (),
        dtheta_dweight=_table(by_weight.T) if options.full else (),
        d2E_dx2=_table(twice) if options.full else (),
        persistence_radius=None if wide is None else float(wide.radius),
        persistence_loss=None if wide is None else Enclosed(lower=wide.loss[0], upper=wide.loss[1]),
        persistence_lost=None if lost is None else lost.radius,
        persistence_lost_along=() if lost is None else _table(lost.shift),
        labels_radius=_labels_radius(labelled, right, kept),
        margins=tuple(margins[0].tolist()) if labelled else (),
        predicted=tuple(predicted[0].tolist()) if labelled else (),
        probabilities=tuple(own[range(samples), spec.data.labels].tolist()) if labelled else (),
        misclassified=tuple(np.flatnonzero(margins[0] <= TIE).tolist()) if labelled else (),
        robust_radius_max=_lower(robust, Norm.MAX),
        robust_radius_euclidean=_lower(robust, Norm.EUCLIDEAN),
        robust_upper_max=_upper(robust, Norm.MAX),
        robust_upper_euclidean=_upper(robust, Norm.EUCLIDEAN),
        certificates=tuple(found.to_json() for found in (wide, kept) if found is not None),
    )


def _labels_radius(labelled: bool, right: bool, kept: Persistence | None) -> float | None:
    if not labelled:
        return None
    if not right:
        return 0.0
    return None if kept is None else float(kept.radius)


def _sample_losses(spec: LandscapeSpec, theta: FloatArray) -> FloatArray:
    """ell_d of every sample (D,): the value of the same question with one sample and no penalty."""
    data, found = spec.data, []
    for d in range(spec.n_samples):
        row = slice(d, d + 1)
        one = replace(data, inputs=data.inputs[row], labels=data.labels[row], values=data.values[row])
        alone = spec.with_(data=one, penalty="0")
        found.append(float(evaluate(build_program(alone, ("value",)), theta[None])[0][0]))
    return np.array(found)


def _robust(
    spec: LandscapeSpec, certificate: Certificate, predicted: FloatArray, margins: FloatArray, tolerance: float
) -> dict[Norm, list[RobustRadius]]:
    with working_precision(ROBUST_BITS):
        search = RobustSearch(spec, sharp_box(certificate))
    labels = [int(label) for label in predicted]
    return {norm: search.radii(spec.data.inputs, labels, norm, tolerance=tolerance) for norm in Norm}


def _lower(robust: dict[Norm, list[RobustRadius]], norm: Norm) -> tuple[float | None, ...]:
    return tuple(r.lower if math.isfinite(r.lower) else None for r in robust.get(norm, []))


def _upper(robust: dict[Norm, list[RobustRadius]], norm: Norm) -> tuple[float | None, ...]:
    return tuple(r.upper if math.isfinite(r.upper) else None for r in robust.get(norm, []))


def _rows(values: FloatArray, samples: int, n: int) -> tuple[tuple[float, ...], ...]:
    return _table(np.asarray(values).reshape(samples, n))


def _table(values: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _proved(values: Numbers, samples: int, n: int) -> tuple[tuple[Enclosed, ...], ...]:
    assert not isinstance(values, np.ndarray)
    with working_precision(192):
        pairs = [outward_texts(x, PLACES) for x in values.entries()]
    cells = [Enclosed(lower=low, upper=high) for low, high in pairs]
    return tuple(tuple(cells[d * n : (d + 1) * n]) for d in range(samples))
