"""How far the data may move: a ball of data sets over which a stationary point stays, proved by Krawczyk's test.

Let f(theta, x) be the gradient, m close to the point at the data x_0, J any (P, n) matrix, best close to d theta* / dx,
and V any (P, P) matrix, best the eigenvectors of the Hessian. For inputs x_0 + delta, |delta_k| <= eps, the zero is
sought in the moving box m + J delta + V v, |v_i| <= r_i. With Y any matrix, best (H V)^-1, and H and F enclosures of
the derivatives of f by theta and by x over all of these boxes,

    k_i = |Y f(m, x_0)|_i + eps sum_k |Y (H J + F)|_ik + sum_j |I - Y H V|_ij r_j,

because f(m + J delta, x_0 + delta) - f(m, x_0) = (H J + F) delta on the segment from 0 to delta. If k_i < r_i for every
i then for *every* such data set the box holds exactly one stationary point, with |v| <= k, and no matrix in H is
singular (Krawczyk 1969; Neumaier 1990, theorem 5.1.8). The set of data is connected, so the index is everywhere that of
the Hessian at m.

The enclosures are mean value forms. With H_k and F_k enclosures of the derivatives of H and F along the direction of
delta_k, which moves theta by J_k and the input by 1, and T_l those of H along V_l,

    |I - Y H V| <= |I - Y H(m) V| + eps sum_k |Y H_k V| + sum_l r_l |Y T_l V|,
    |Y (H J + F) delta| <= eps |Y (H(m) J + F(m))| 1 + eps^2 / 2 sum_k |Y (H_k J + F_k)| 1.

What moves together stays together: Y multiplies before absolute values are taken. To first order H J + F vanishes, so
that the box need only be as large as eps^2.

Over the ball the loss of the point changes by at most eps sum_k |dE/dx_k|, as its derivative by theta vanishes, and a
margin of a sample by at most eps sum_k |d m / d theta J + d m / dx|_k + sum_i |d m / d theta V|_i r_i.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from flint import arb, arb_mat

from symland.errors import SpecError
from symland.program.algebra import run
from symland.program.balls import evaluate_balls, exact_ball, working_precision
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.program.slopes import SlopeAlgebra, Sloped
from symland.records import FloatArray, Verdict
from symland.rigor.certificate import Certificate
from symland.rigor.check_persistence import check_persistence
from symland.rigor.decimals import outward_texts, parse_decimal, short_above
from symland.rigor.inertia import congruence_index, eigenvectors
from symland.rigor.krawczyk import gradient_program, hessian_over
from symland.rigor.matrices import approximate_inverse, approximate_solution, identity
from symland.spec import LandscapeSpec

__all__ = ["FORMAT", "Persistence", "persistence_radius", "persistence_schema"]

FORMAT = "symland-persistence/1"

BITS = 96
"""Working precision of the test."""

SLOPE_DIGITS = 8
"""Significant decimal digits of the entries of J, which may be any numbers."""

ROOM = 1.03
"""All that moves is taken this many times larger: it leaves room for a reader whose enclosures are wider."""

SPARE = 0.02
"""The image of a box leaves this much room on every side, in units of the box's longest half edge, for a reader whose
enclosures are wide where ours cancel."""

WIDTH_ROOM = 3.5
"""Enclosures of third derivatives are taken this many times as wide: a reader's may be wider than ours."""

INFLATION = 1.1
"""The box is this many times as large as the least that the test could accept, or more."""

MOST_BOXES = 4
"""Boxes tried for one eps."""

LEAST_BOX = 1e-18
"""Least half edge of a box, in the units of theta."""

MOST_DIRECTIONS = 80
"""Parameters and moving inputs together for which mean value forms are used; beyond, the Hessian is enclosed as it is.
"""

FIRST_RADIUS = 1e-3
"""First eps tried, in the units of the inputs."""

LARGEST_RADIUS = 1e3
"""No larger eps is tried, in the units of the inputs."""

LEAST_RADIUS = 1e-9
"""No smaller eps is tried, in the units of the inputs."""

BISECTION = 1.02
"""The largest eps that was proved and the least that failed differ by at most this factor."""

BETTER = 1.1
"""Another basis is searched where it reaches this many times as far."""

READING = 0.8
"""An eps that the independent checker does not accept is multiplied by this, ..."""

MOST_READINGS = 4
"""... so many times at most."""


@lru_cache(maxsize=64)
def _slopes(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("hessian", "mixed", "by_input"))


@lru_cache(maxsize=64)
def _second_order(spec: LandscapeSpec) -> Program:
    return build_program(spec, ("hessian", "mixed"))


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
    basis : P rows of P texts
        V.
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
    basis: tuple[tuple[str, ...], ...]
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
            "basis": [list(row) for row in self.basis],
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
    certificate: Certificate,
    moving: Sequence[tuple[int, int]] | None = None,
    *,
    labels: bool = False,
    within: Persistence | None = None,
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
    within : Persistence, optional
        That of the point without regard to labels: where labels are right all over its ball, none larger is looked for.

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
    if labels and not spec.data.labels:
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
        best, found = None, 0.0
        for turned in (True, False):
            trial = _Trial.at(certificate, chosen, turned)
            if trial is None:
                return None
            if within is not None:
                same = trial.proved(float(within.radius), labels)
                if same is not None and check_persistence(same.to_json()).verdict is Verdict.CERTIFIED:
                    return same
            # A basis is searched only where it reaches beyond the other.
            if best is None or trial.proved(BETTER * found, labels) is not None:
                following = _largest(trial, labels, max(found, FIRST_RADIUS))
                if following is not None and float(following.radius) > found:
                    best, found = following, float(following.radius)
        return best


def _largest(trial: _Trial, labels: bool, start: float) -> Persistence | None:
    """The largest eps of one basis, by doubling and bisection; what a reader does not accept is made smaller."""
    best, low, high = trial.proved(start, labels), start, 0.0
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
    for _ in range(MOST_READINGS):
        if best is None or check_persistence(best.to_json()).verdict is Verdict.CERTIFIED:
            return best
        low = low * READING
        best = trial.proved(low, labels)
    return None


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
    texts: tuple[tuple[str, ...], ...]
    basis: arb_mat
    reach: list[arb]
    margins: list[arb]
    drift: arb_mat
    offset: arb_mat
    bend: list[float]

    @classmethod
    def at(cls, certificate: Certificate, moving: tuple[tuple[int, int], ...], turned: bool) -> _Trial | None:
        """At a certified point, in the basis of the Hessian's eigenvectors (turned) or of the parameters."""
        spec = certificate.spec
        middle = [arb(parse_decimal(t)) for t in certificate.midpoint]
        inputs = [exact_ball(v) for row in spec.data.inputs for v in row]
        hessian = hessian_over(spec, middle)
        vectors = eigenvectors(hessian, 1)
        index = congruence_index(hessian, vectors)
        columns = vectors if turned else identity(len(middle))
        texts = tuple(tuple(_short(x) for x in row) for row in columns.tolist())
        basis = arb_mat([[arb(parse_decimal(t)) for t in row] for row in texts])
        inverse = approximate_inverse(hessian * basis)
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
        if spec.data.labels:
            margins = evaluate_balls(_margins(spec), middle).by_data["margins"]
        mixed = _columns(spec, ran.by_data["mixed"], moving)
        found = cls(
            certificate=certificate,
            moving=moving,
            index=index,
            middle=middle,
            inputs=inputs,
            inverse=inverse,
            moved=moved,
            slopes=slopes,
            slope=slope,
            texts=texts,
            basis=basis,
            reach=reach,
            margins=margins,
            drift=inverse * (hessian * slope + mixed),
            offset=identity(len(middle)) - inverse * hessian * basis,
            bend=[0.0] * len(middle),
        )
        if found._many:
            return found
        # How far theta* bends away from m + J delta, to second order: the first guess of a box.
        bent = found._bounds(middle, {"x": inputs}, arb(1), [arb(0)] * len(middle))[0]
        return replace(found, bend=[float(b) for b in bent])

    @property
    def _many(self) -> bool:
        return len(self.middle) + len(self.moving) > MOST_DIRECTIONS

    def _bounds(
        self, hull: list[arb], data: dict[str, list[arb]], radius: arb, edges: Sequence[arb]
    ) -> tuple[list[arb], list[list[arb]]]:
        """Bounds of |Y (f(m + J delta, x_0 + delta) - f(m, x_0))| (P,) and of |I - Y H| (P, P), over a hull."""
        if self._many:
            return self._plain_bounds(hull, data, radius)
        spec, size, n = self.certificate.spec, len(self.middle), len(self.moving)
        total = size + n

        joined = [a + b for a, b in zip(self.basis.tolist(), self.slope.tolist(), strict=True)]
        theta = [Sloped(ball, arb_mat(1, total, row)) for ball, row in zip(hull, joined, strict=True)]
        inputs = [Sloped(ball) for ball in data["x"]]
        for column, (d, k) in enumerate(self.moving):
            place = d * spec.n_inputs + k
            row = arb_mat(1, total)
            row[0, size + column] = 1
            inputs[place] = Sloped(inputs[place].value, row)
        ran = run(_second_order(spec), SlopeAlgebra(), theta, {"x": inputs})
        nothing = arb_mat(1, total)

        def along(numbers: Sequence[Sloped]) -> list[list[arb]]:
            """For each direction the derivatives of all numbers."""
            rows = [(nothing if x.slope is None else x.slope).entries() for x in numbers]
            return [list(column) for column in zip(*rows, strict=True)]

        by_direction = along([h for row in ran.hessian for h in row])
        starts = [(d * spec.n_inputs + k) * size for d, k in self.moving]
        mixed = along([ran.by_data["mixed"][start + i] for i in range(size) for start in starts])
        drift = [radius * sum((x.abs_upper() for x in row), arb(0)) for row in self.drift.tolist()]
        spread = [[x.abs_upper() for x in row] for row in self.offset.tolist()]
        for k in range(total):
            if k < size and edges[k] == 0:
                continue
            turned = self.inverse * arb_mat(size, size, by_direction[k])
            _add(spread, turned * self.basis, edges[k] if k < size else radius)
            if k >= size:
                bent = turned * self.slope + self.inverse * arb_mat(size, n, mixed[k])
                for i, row in enumerate(bent.tolist()):
                    drift[i] = drift[i] + radius * radius * sum((_size(x) for x in row), arb(0)) / 2
        return drift, spread

    def _plain_bounds(
        self, hull: list[arb], data: dict[str, list[arb]], radius: arb
    ) -> tuple[list[arb], list[list[arb]]]:
        """The same from the Hessian's own enclosure."""
        spec = self.certificate.spec
        ran = evaluate_balls(_slopes(spec), hull, data)
        hessian = arb_mat(ran.hessian)
        drift = (self.inverse * (hessian * self.slope + _columns(spec, ran.by_data["mixed"], self.moving))).tolist()
        rest = (identity(len(hull)) - self.inverse * hessian * self.basis).tolist()
        return (
            [radius * sum((x.abs_upper() for x in row), arb(0)) for row in drift],
            [[x.abs_upper() for x in row] for row in rest],
        )

    def proved(self, eps: float, labels: bool) -> Persistence | None:
        """The certificate for eps, rounded down to three digits; None where the test fails."""
        text = _below(eps)
        radius = arb(parse_decimal(text))
        data = self._data(radius)
        guess = [max(2 * eps * eps * b + 2 * float(m), LEAST_BOX) for b, m in zip(self.bend, self.moved, strict=True)]
        for _ in range(MOST_BOXES):
            texts = [short_above(arb(g)) for g in guess]
            edges = [arb(parse_decimal(t)) for t in texts]
            hull = self._hull(radius, edges)
            drift, spread = self._bounds(hull, data, radius, edges)
            start = np.array([float(m) + float(s) for m, s in zip(self.moved, drift, strict=True)])
            matrix = np.array([[float(c) for c in row] for row in spread])
            least = _fixed_point(ROOM * start, ROOM * matrix)
            if least is not None:
                least = _fixed_point(ROOM * start + SPARE * least.max(), ROOM * matrix)
            if least is None:
                return None
            wanted = np.maximum(INFLATION * least, LEAST_BOX)
            if (wanted <= np.array([float(e) for e in edges])).all():
                return self._kept(
                    text, radius, hull, data, drift, spread, [short_above(arb(w)) for w in wanted], labels
                )
            guess = (2 * wanted).tolist()
        return None

    def _kept(
        self,
        text: str,
        radius: arb,
        hull: list[arb],
        data: dict[str, list[arb]],
        drift: Sequence[arb],
        spread: Sequence[Sequence[arb]],
        texts: Sequence[str],
        labels: bool,
    ) -> Persistence | None:
        """The certificate if the test holds on a box inside that of the bounds."""
        edges = [arb(parse_decimal(t)) for t in texts]
        for i, row in enumerate(spread):
            image = self.moved[i] + drift[i] + sum((c * r for c, r in zip(row, edges, strict=True)), arb(0))
            if not ROOM * image <= edges[i]:
                return None
        if labels and not self._labels_kept(hull, data, radius, edges):
            return None
        ran = evaluate_balls(_slopes(self.certificate.spec), hull, data)
        return self._certificate(text, radius, texts, edges, ran.by_data["by_input"], arb_mat(ran.hessian), labels)

    def _hull(self, radius: arb, edges: Sequence[arb]) -> list[arb]:
        """Balls that hold all boxes."""
        turned = [
            sum((x.abs_upper() * r for x, r in zip(row, edges, strict=True)), arb(0)) for row in self.basis.tolist()
        ]
        reach = zip(self.middle, self.reach, turned, strict=True)
        return [m + arb(0, (a * radius + r).upper()) for m, a, r in reach]

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
            turned = (arb_mat(1, p, by_theta) * self.basis).entries()
            change = sum((x.abs_upper() * r for x, r in zip(turned, edges, strict=True)), arb(0))
            for column, (sample, k) in enumerate(self.moving):
                total = along[column] + by_input[k] if sample == d else along[column]
                change = change + radius * total.abs_upper()
            if not margin + ROOM * change < 0:
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
        # E(m) - E(theta*) = v^T V^T H V v / 2, and the gradient by theta vanishes along the branch.
        spread = radius * sum((by_input[d * n + k].abs_upper() for d, k in self.moving), arb(0))
        for row, r in zip((self.basis.transpose() * hessian * self.basis).tolist(), edges, strict=True):
            spread = spread + r * sum((x.abs_upper() * s for x, s in zip(row, edges, strict=True)), arb(0)) / 2
        return Persistence(
            spec=spec,
            midpoint=self.certificate.midpoint,
            moving=self.moving,
            slopes=self.slopes,
            basis=self.texts,
            radius=text,
            box=tuple(texts),
            index=self.index,
            loss=outward_texts(value + arb(0, (ROOM * spread).upper()), 20),
            labels=labels,
        )


def _add(total: list[list[arb]], matrix: arb_mat, times: arb) -> None:
    """Add the absolute values of a matrix, multiplied."""
    for row, more in zip(total, matrix.tolist(), strict=True):
        for j, x in enumerate(more):
            row[j] = row[j] + times * _size(x)


def _size(x: arb) -> arb:
    """A bound of |x| for balls that are up to WIDTH_ROOM times as wide."""
    return (abs(x.mid()) + WIDTH_ROOM * x.rad()).upper()


def _fixed_point(start: FloatArray, matrix: FloatArray) -> FloatArray | None:
    """The solution of r = s + C r with r >= 0, which is the least box; None where there is none."""
    if not (np.isfinite(start).all() and np.isfinite(matrix).all()):
        return None
    try:
        found: FloatArray = np.asarray(np.linalg.solve(np.eye(len(start)) - matrix, start), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(found).all() and (found >= 0).all()):
        return None
    # A solution with r >= 0 belongs to a contraction only where C^n falls.
    return found if np.abs(np.linalg.eigvals(matrix)).max() < 1 else None


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
