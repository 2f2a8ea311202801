"""How far the data may move: a ball of data sets over which a stationary point stays, proved by Krawczyk's test.

Let f(theta, x) be the gradient, m close to the point at the data x_0, and J any (P, n) matrix, best close to
d theta* / dx. For inputs x_0 + delta, |delta_k| <= eps, the zero is sought in the moving box m + J delta + u,
|u_i| <= r_i. With Y any matrix, H and F enclosures of the derivatives of f by theta and by x over all of these boxes,

    k_i = |Y f(m, x_0)|_i + eps sum_k |Y (H J + F)|_ik + sum_j |I - Y H|_ij r_j,

because f(m + J delta, x_0 + delta) - f(m, x_0) = (H J + F) delta on the segment from 0 to delta. If k_i < r_i for every
i then for *every* such data set the box holds exactly one stationary point, within k of m + J delta, and no matrix in H
is singular (Krawczyk 1969; Neumaier 1990, theorem 5.1.8). The set of data is connected, so the index is everywhere
that of the Hessian at m. To first order Y (H J + F) vanishes: the box need only be as large as eps^2.

Over the ball the loss of the point changes by at most eps sum_k |dE/dx_k|, as its derivative by theta vanishes, and a
margin of a sample by at most eps sum_k |d m / d theta J + d m / dx|_k + sum_i |d m / d theta|_i k_i.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from flint import arb, arb_mat

from symland.errors import SpecError
from symland.program.balls import evaluate_balls, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.records import Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import outward_texts, parse_decimal, short_above
from symland.rigor.inertia import congruence_index, eigenvectors
from symland.rigor.krawczyk import gradient_program, hessian_over
from symland.rigor.matrices import approximate_inverse, approximate_solution, identity
from symland.spec import LandscapeSpec, Loss

__all__ = ["FORMAT", "Persistence", "persistence_radius", "persistence_schema"]

FORMAT = "symland-persistence/1"

BITS = 96
"""Working precision of the test."""

SLOPE_DIGITS = 8
"""Significant decimal digits of the entries of J, which may be any numbers."""

INFLATION = 1.1
"""A box that failed is tried again with its image this many times larger."""

MOST_INFLATIONS = 8
"""Boxes tried for one eps."""

LEAST_BOX = 1e-18
"""Least half edge of a box, in the units of theta."""

LARGEST_CONTRACTION = 0.95
"""Largest k_i / r_i of a recorded box: it leaves room for a reader whose enclosures are wider."""

LABEL_ROOM = 1.05
"""A label is recorded as kept where its margin keeps its sign with the change taken this many times larger."""

FIRST_RADIUS = 1e-2
"""First eps tried, in the units of the inputs."""

LARGEST_RADIUS = 1e3
"""No larger eps is tried, in the units of the inputs."""

LEAST_RADIUS = 1e-9
"""No smaller eps is tried, in the units of the inputs."""

BISECTION = 1.01
"""The recorded eps and the least that failed differ by at most this factor."""


@lru_cache(maxsize=64)
def _slopes(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("hessian", "mixed", "by_input"))


@lru_cache(maxsize=64)
def _margins(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("margins", "margins_by_input", "margins_by_theta"))


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """A certificate that a stationary point stays for all data sets in a ball.

    Attributes
    ----------
    spec : LandscapeSpec
    midpoint : P decimal texts
    moving : pairs (sample, input)
        The inputs that may move; all others stay.
    slopes : P rows of texts, one for each moving input
        J.
    radius : str
        eps, in the units of the inputs, in the max norm.
    box : P decimal texts
        r.
    index : int
    loss : (lower, upper) texts
        Bounds of the loss of the point all over the ball.
    labels : bool
        Whether every training label is right all over the ball.
    """

    spec: LandscapeSpec
    midpoint: tuple[str, ...]
    moving: tuple[tuple[int, int], ...]
    slopes: tuple[tuple[str, ...], ...]
    radius: str
    box: tuple[str, ...]
    index: int
    loss: tuple[str, str]
    labels: bool

    def to_json(self) -> str:
        """The text of a certificate file, in the published schema; see `persistence_schema`."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "spec": self.spec.canonical(),
            "spec_digest": self.spec.digest,
            "midpoint": list(self.midpoint),
            "moving": [list(pair) for pair in self.moving],
            "slopes": [list(row) for row in self.slopes],
            "radius": self.radius,
            "box": list(self.box),
            "index": self.index,
            "loss": list(self.loss),
            "labels": self.labels,
        }
        body["seal"] = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        return json.dumps(body, indent=1) + "\n"


def persistence_schema() -> dict[str, Any]:
    """The JSON schema of a certificate file of this kind."""
    text = resources.files("symland.rigor").joinpath("persistence.schema.json").read_bytes()
    schema: dict[str, Any] = json.loads(text)
    return schema


def persistence_radius(
    certificate: Certificate, moving: Sequence[tuple[int, int]] | None = None, *, labels: bool = False
) -> Persistence | None:
    """The largest ball of data sets, found by bisection, over which a certified point is proved to stay.

    Parameters
    ----------
    certificate : Certificate
        Of the point; existence, uniqueness and index must be certified.
    moving : pairs (sample, input)
        The inputs that may move; by default all.
    labels : bool
        Whether every training label must be right all over the ball too.

    Returns
    -------
    Persistence or None
        None where nothing is proved for any eps above LEAST_RADIUS: labels that are wrong already, for example.

    Raises
    ------
    SpecError
        If an input that moves is not there, or labels are asked for where there are none.
    """
    spec = certificate.spec
    if labels and spec.loss is Loss.SQUARED:
        raise SpecError.at("labels", "the targets are numbers", "ask for the persistence alone")
    chosen = tuple(moving) if moving is not None else _all_inputs(spec)
    for d, k in chosen:
        if not (0 <= d < spec.n_samples and 0 <= k < spec.n_inputs):
            raise SpecError.at(
                "moving", f"input {k} of sample {d}", f"write 0 to {spec.n_samples - 1} and 0 to {spec.n_inputs - 1}"
            )
    if certificate.verdict is not Verdict.CERTIFIED or certificate.index is None or not chosen:
        return None
    with working_precision(BITS):
        trial = _Trial.at(certificate, chosen)
        if trial is None:
            return None
        best, low, high = trial.proved(FIRST_RADIUS, labels), FIRST_RADIUS, 0.0
        while best is not None and low < LARGEST_RADIUS:
            wider = trial.proved(2 * low, labels)
            if wider is None:
                high = 2 * low
                break
            best, low = wider, 2 * low
        while best is None and low > LEAST_RADIUS:
            high, low = low, low / 4
            best = trial.proved(low, labels)
        while best is not None and high > BISECTION * low:
            middle = (low * high) ** 0.5
            found = trial.proved(middle, labels)
            if found is None:
                high = middle
            else:
                best, low = found, middle
        return best


def _all_inputs(spec: LandscapeSpec) -> tuple[tuple[int, int], ...]:
    return tuple((d, k) for d in range(spec.n_samples) for k in range(spec.n_inputs))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trial:
    """What does not depend on eps: everything at the midpoint."""

    certificate: Certificate
    moving: tuple[tuple[int, int], ...]
    index: int
    middle: list[arb]
    inputs: list[arb]
    inverse: arb_mat
    moved: list[arb]
    slopes: tuple[tuple[str, ...], ...]
    slope: arb_mat
    reach: list[arb]
    margins: list[arb]

    @classmethod
    def at(cls, certificate: Certificate, moving: tuple[tuple[int, int], ...]) -> _Trial | None:
        spec = certificate.spec
        middle = [arb(parse_decimal(t)) for t in certificate.midpoint]
        inputs = [exact_ball(v) for row in spec.data.inputs for v in row]
        hessian = hessian_over(spec, middle)
        inverse = approximate_inverse(hessian)
        index = congruence_index(hessian, eigenvectors(hessian, 1))
        if inverse is None or index is None or index != certificate.index:
            return None
        ran = evaluate_balls(_slopes(spec), middle)
        solved = approximate_solution(hessian, _columns(spec, ran.by_data["mixed"], moving))
        if solved is None:
            return None
        slopes = tuple(tuple(_short(-x) for x in row) for row in solved.tolist())
        slope = arb_mat([[arb(parse_decimal(t)) for t in row] for row in slopes])
        gradient = evaluate_balls(gradient_program(spec), middle).gradient
        moved = [x.abs_upper() for x in (inverse * arb_mat(len(middle), 1, gradient)).entries()]
        reach = [sum((x.abs_upper() for x in row), arb(0)).upper() for row in slope.tolist()]
        margins: list[arb] = []
        if spec.loss is not Loss.SQUARED:
            margins = evaluate_balls(_margins(spec), middle).by_data["margins"]
        return cls(
            certificate=certificate,
            moving=moving,
            index=index,
            middle=middle,
            inputs=inputs,
            inverse=inverse,
            moved=moved,
            slopes=slopes,
            slope=slope,
            reach=reach,
            margins=margins,
        )

    def proved(self, eps: float, labels: bool) -> Persistence | None:
        """The certificate for eps, rounded down to three digits; None where the test fails."""
        text = _below(eps)
        radius = arb(parse_decimal(text))
        size = len(self.middle)
        box = [x.max(arb(LEAST_BOX)) for x in self.moved]
        for _ in range(MOST_INFLATIONS):
            texts = [short_above(x * INFLATION) for x in box]
            edges = [arb(parse_decimal(t)) for t in texts]
            hull = [
                m + arb(0, (a * radius + r).upper()) for m, a, r in zip(self.middle, self.reach, edges, strict=True)
            ]
            data = self._data(radius)
            ran = evaluate_balls(_slopes(self.certificate.spec), hull, data)
            hessian = arb_mat(ran.hessian)
            mixed = _columns(self.certificate.spec, ran.by_data["mixed"], self.moving)
            drift = (self.inverse * (hessian * self.slope + mixed)).tolist()
            rest = (identity(size) - self.inverse * hessian).tolist()
            image = [
                self.moved[i]
                + radius * sum((x.abs_upper() for x in drift[i]), arb(0))
                + sum((x.abs_upper() * r for x, r in zip(rest[i], edges, strict=True)), arb(0))
                for i in range(size)
            ]
            if not all(k.is_finite() for k in image):
                return None
            if all(k < LARGEST_CONTRACTION * r for k, r in zip(image, edges, strict=True)):
                if labels and not self._labels_kept(hull, data, radius, edges):
                    return None
                return self._certificate(text, radius, texts, edges, ran.by_data["by_input"], hessian, labels)
            box = [k.upper() for k in image]
        return None

    def _data(self, radius: arb) -> dict[str, list[arb]]:
        n = self.certificate.spec.n_inputs
        inputs = list(self.inputs)
        for d, k in self.moving:
            inputs[d * n + k] = inputs[d * n + k] + arb(0, radius)
        return {"x": inputs}

    def _labels_kept(self, hull: list[arb], data: dict[str, list[arb]], radius: arb, edges: list[arb]) -> bool:
        """Whether every margin z_i - z_label is negative all over the ball."""
        spec = self.certificate.spec
        if any(not m < 0 for m in self.margins):
            return False
        p, n = spec.n_parameters, spec.n_inputs
        q = len(self.margins) // spec.n_samples
        ran = evaluate_balls(_margins(spec), hull, data).by_data
        for number, margin in enumerate(self.margins):
            d = number // q
            by_theta = ran["margins_by_theta"][number * p : (number + 1) * p]
            by_input = ran["margins_by_input"][number * n : (number + 1) * n]
            along = (arb_mat(1, p, by_theta) * self.slope).entries()
            change = sum((x.abs_upper() * r for x, r in zip(by_theta, edges, strict=True)), arb(0))
            for column, (sample, k) in enumerate(self.moving):
                total = along[column] + by_input[k] if sample == d else along[column]
                change = change + radius * total.abs_upper()
            if not margin + LABEL_ROOM * change < 0:
                return False
        return True

    def _certificate(
        self,
        text: str,
        radius: arb,
        texts: Sequence[str],
        edges: Sequence[arb],
        by_input: Sequence[arb],
        hessian: arb_mat,
        labels: bool,
    ) -> Persistence:
        spec = self.certificate.spec
        n = spec.n_inputs
        value = evaluate_balls(gradient_program(spec), self.middle).value
        assert value is not None
        # E(m) - E(theta*) = u^T H u / 2, and the gradient by theta vanishes along the branch.
        spread = radius * sum((by_input[d * n + k].abs_upper() for d, k in self.moving), arb(0))
        for row, r in zip(hessian.tolist(), edges, strict=True):
            spread = spread + r * sum((x.abs_upper() * s for x, s in zip(row, edges, strict=True)), arb(0)) / 2
        # Room for a reader with wider enclosures.
        return Persistence(
            spec=spec,
            midpoint=self.certificate.midpoint,
            moving=self.moving,
            slopes=self.slopes,
            radius=text,
            box=tuple(texts),
            index=self.index,
            loss=outward_texts(value + arb(0, (LABEL_ROOM * spread).upper()), 20),
            labels=labels,
        )


def _columns(spec: LandscapeSpec, mixed: Sequence[arb], moving: Sequence[tuple[int, int]]) -> arb_mat:
    """(P, n) columns of d^2E / d theta dx for the inputs that move."""
    p, n = spec.n_parameters, spec.n_inputs
    starts = [(d * n + k) * p for d, k in moving]
    return arb_mat([[mixed[start + i] for start in starts] for i in range(p)])


def _short(x: arb) -> str:
    """A decimal text close to a number, of SLOPE_DIGITS digits."""
    mantissa, _, exponent = f"{float(x.mid()):.{SLOPE_DIGITS - 1}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _below(eps: float) -> str:
    """A decimal text of three digits, at most eps and at least 0.99 eps."""
    mantissa, _, exponent = f"{eps:.12e}".partition("e")
    return f"{mantissa[:4]}e{int(exponent)}"
