"""Krawczyk's test over a ball of data sets, around one point; `symland.rigor.persistence` states what it proves.

The branch is followed to third order: c(delta) = m + sum c_m delta^m, with the monomials of degree 1 to 3, is close
to theta*(x_0 + delta), and the box stands around it, theta = c(delta) + V v. Derivatives by theta and by the data are
Taylor models (`symland.program.taylor_model`) in e = delta / eps and v / r, all between -1 and 1:

    I - Y H V = N_0 + sum_k N_k e_k + sum_m N_m e^m + R,

with the monomials of higher degree or with a v in the second sum. The preconditioner may depend on the data. With
Z = I + sum_k N_k e_k what is linear in the data alone is undone, and

    I - Z Y H V = N_0 + sum_m N_m e^m + Z R + sum_k e_k N_k (N_0 + sum_l N_l e_l + sum_m N_m e^m)

is of second order. The sizes of its coefficients bound it, and Z multiplies all else.

Along c(t delta), t from 0 to 1, the gradient f obeys

    t df/dt = H (t dc/dt) + t F delta,    t dc/dt = sum_m |m| c_m (t delta)^m,

a polynomial in e whose monomials of degree j carry t^j, so that their coefficients divided by j bound
|Y (f(c(delta), x_0 + delta) - f(m, x_0))|. What multiplies one monomial is added before absolute values are taken.

Two softmax outputs, or more, enter the data's part of the loss by their differences alone. So that part of H is
C H C with C the projection that takes the mean over the outputs away from the last layer's parameters, and so is F:
Y C and C V stand in their places, and the rest of H does not reach directions that it cannot move (theorem T3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from math import comb, inf

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from symland.program.algebra import Evaluation, run
from symland.program.balls import evaluate_balls, exact_ball
from symland.program.derive import build_program
from symland.program.ir import Program
from symland.program.taylor_model import Monomials, TaylorModel, TaylorModelAlgebra, monomials, stacked
from symland.records import FloatArray
from symland.rigor.certificate import Certificate
from symland.rigor.decimals import outward_texts, parse_decimal, short_above
from symland.rigor.inertia import congruence_index, eigenvectors
from symland.rigor.krawczyk import gradient_program, hessian_over
from symland.rigor.matrices import approximate_inverse
from symland.rigor.persistence_record import Persistence
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.losses import LOSSES

__all__ = ["Trial", "fixed_point"]

DIGITS = 8
"""Significant decimal digits of V and of the branch's coefficients, which may be any numbers."""

ROOM = 1.01
"""All that moves is taken this many times larger: it leaves room for a reader whose enclosures are wider."""

SPARE = 0.002
"""The image of a box leaves this much room on every side, in units of the box's longest half edge, for a reader whose
enclosures are wide where ours cancel."""

INFLATION = 1.05
"""The box is this many times as large as the least that the test could accept, or more."""

SLOWING = 0.9
"""Boxes are grown no further once one outgrows the one before by more than this share of the growth before."""

LOSS_ROOM = 1e-11
"""Bounds of a loss of size 1 are this much wider, for a reader that rounds otherwise."""

FIRST_BOX = 1.5
"""First box tried, in units of the distance of theta* from its middle."""

MOST_BOXES = 8
"""Boxes tried for one eps."""

LEAST_BOX = 1e-18
"""Least half edge of a box, in the units of theta."""

NEAR = arb(2) ** -12
"""An eps at which the branch's coefficients are read off."""

ORDERS = ((8, 500), (6, 500), (4, 600), (3, 600), (2, 600), (1, 800))
"""Orders of Taylor models, and most coefficients of a number at each; beyond the last it is an interval."""

BRANCH_DEGREE = 5
"""Largest degree to which the branch is followed; it stays one below the order."""

ROUNDING = 2.0**-44
"""A bound of the relative rounding of three matrix products in float64."""

JOINED_DEGREE = 5
"""Terms of the gradient along the branch are added by monomials up to this degree; beyond, their sizes are added."""

Key = tuple[int, ...]

Both = tuple[Persistence | None, Persistence | None]
"""Certificates without and with regard to the labels."""

IntArray = NDArray[np.int64]


@lru_cache(maxsize=64)
def _everything(spec: LandscapeSpec) -> Program:
    labels = ("margins",) if spec.data.labels else ()
    return build_program(spec, ("value", "hessian", "mixed", *labels))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What does not depend on eps: everything at the midpoint, and the branch.

    `found` keeps what was proved for each eps, without and with regard to the labels.
    """

    certificate: Certificate
    moving: tuple[tuple[int, int], ...]
    index: int
    middle: list[arb]
    inputs: list[arb]
    inverse: FloatArray
    moved: FloatArray
    texts: tuple[tuple[str, ...], ...]
    basis: FloatArray
    branch: tuple[tuple[Key, tuple[str, ...]], ...]
    found: dict[str, Both] = field(default_factory=dict)

    @classmethod
    def at(cls, certificate: Certificate, moving: tuple[tuple[int, int], ...]) -> Trial | None:
        """At a certified point, in the basis of the Hessian's eigenvectors."""
        spec = certificate.spec
        middle = [arb(parse_decimal(t)) for t in certificate.midpoint]
        hessian = hessian_over(spec, middle)
        vectors = eigenvectors(hessian, 1)
        index = congruence_index(hessian, vectors)
        texts = tuple(tuple(_short(float(x.mid())) for x in row) for row in vectors.tolist())
        basis = np.array([[float(t) for t in row] for row in texts])
        inverse = approximate_inverse(hessian * arb_mat(basis.tolist()))
        if inverse is None or index is None or index != certificate.index:
            return None
        near = np.array([[float(x) for x in row] for row in inverse.tolist()])
        gradient = arb_mat(len(middle), 1, evaluate_balls(gradient_program(spec), middle).gradient)
        trial = cls(
            certificate=certificate,
            moving=moving,
            index=index,
            middle=middle,
            inputs=[exact_ball(v) for row in spec.data.inputs for v in row],
            inverse=near,
            moved=np.array([float(x.abs_upper()) for x in (arb_mat(near.tolist()) * gradient).entries()]),
            texts=texts,
            basis=basis,
            branch=(),
        )
        for degree in range(1, max(1, min(trial.order - 1, BRANCH_DEGREE)) + 1):
            trial = replace(trial, branch=trial.branch + trial._next(degree), found={})
        return trial

    @property
    def spec(self) -> LandscapeSpec:
        """The question."""
        return self.certificate.spec

    @cached_property
    def order(self) -> int:
        """Of the Taylor models: high for few moving inputs, 0 for very many."""
        n, size = len(self.moving), len(self.middle)
        for order, most in ORDERS:
            if comb(n + order, order) + size <= most:
                return order
        return 0

    @cached_property
    def _contrasts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """C, Y C and C V."""
        contrast = _contrast(self.spec)
        return contrast, self.inverse @ contrast, contrast @ self.basis

    @cached_property
    def _coefficients(self) -> FloatArray:
        """(P, N) coefficients of the branch."""
        return np.array([[float(t) for t in row] for _, row in self.branch]).reshape(-1, len(self.middle)).T

    @cached_property
    def _penalty(self) -> FloatArray:
        """(P,) second derivatives of the penalty."""
        twice = 2 * float(self.spec.penalty)
        return np.array([twice if _penalised(self.spec, k) else 0.0 for k in range(len(self.middle))])

    @property
    def all_right(self) -> bool:
        """Whether every training label is proved right at the given data."""
        if not self.spec.data.labels:
            return False
        return all(m < 0 for m in evaluate_balls(_everything(self.spec), self.middle).by_data["margins"])

    @cached_property
    def scale(self) -> float:
        """About the eps at which the first-order change of the Hessian could make it singular; infinity for none."""
        found, rest = self._distance(self._models(NEAR, np.zeros(len(self.middle))))
        spread = np.abs(found).sum(axis=0) + rest
        radius = np.abs(np.linalg.eigvals(spread)).max() if np.isfinite(spread).all() else inf
        return float(NEAR) / float(radius) if radius > 0 else inf

    def _next(self, degree: int) -> tuple[tuple[Key, tuple[str, ...]], ...]:
        """The branch's coefficients of one degree: what its lower ones leave of Y f, carried back by V."""
        scale = float(NEAR)
        keys, values, _ = self._along(self._models(NEAR, np.zeros(len(self.middle))), scale)
        rows = []
        for key, column in zip(keys, values, strict=True):
            if len(key) == degree:
                found = -(self.basis @ column) / scale**degree
                rows.append((key, tuple(_short(x) for x in found.tolist())))
        return tuple(rows)

    def proved(self, eps: float, labels: bool) -> Persistence | None:
        """The certificate for eps, rounded down to three digits; None where the test fails."""
        text = _below(eps)
        if text not in self.found:
            self.found[text] = self._proved(text)
        return self.found[text][int(labels)]

    def _proved(self, text: str) -> Both:
        radius = arb(parse_decimal(text))
        _, values, rest = self._along(self._models(radius, np.zeros(len(self.middle))), float(radius))
        start = self.moved + np.abs(values).sum(axis=0) + rest
        guess = np.maximum(FIRST_BOX * start, LEAST_BOX)
        before = inf
        for _ in range(MOST_BOXES):
            if not np.isfinite(guess).all():
                break
            edges = np.array([float(short_above(arb(g))) for g in guess.tolist()])
            models = self._models(radius, edges)
            spread, far = self._spread(models)
            moved = far @ start
            least = fixed_point(ROOM * moved, ROOM * spread)
            if least is not None:
                least = fixed_point(ROOM * moved + SPARE * least.max(), ROOM * spread)
            if least is None:
                break
            wanted = np.maximum(INFLATION * least, LEAST_BOX)
            if (wanted <= edges).all():
                return self._kept(text, models, moved, spread, [short_above(arb(w)) for w in wanted.tolist()])
            growth = float((wanted / edges).max())
            if growth > SLOWING * before:
                break
            guess, before = INFLATION * wanted, growth
        return None, None

    def _models(self, radius: arb, edges: FloatArray) -> Evaluation[TaylorModel]:
        """The program's outputs over the boxes."""
        n, size = len(self.moving), len(self.middle)
        algebra = TaylorModelAlgebra(monomials(n, size, self.order))
        keys = [*(key for key, _ in self.branch), *((n + l,) for l in range(size))]
        scales = np.array([float(radius) ** len(key) for key, _ in self.branch])
        rows = np.concatenate([self._coefficients * scales, self.basis * edges], axis=1)
        theta = [algebra.number(m, keys, row) for m, row in zip(self.middle, rows, strict=True)]
        inputs = [algebra.number(ball, [], np.empty(0)) for ball in self.inputs]
        for column, (d, k) in enumerate(self.moving):
            place = d * self.spec.n_inputs + k
            inputs[place] = algebra.number(self.inputs[place], [(column,)], np.array([float(radius)]))
        return run(_everything(self.spec), algebra, theta, {"x": inputs})

    def _hessian(self, ran: Evaluation[TaylorModel]) -> tuple[FloatArray, FloatArray]:
        """The data's part of H: coefficients (1 + M, P, P), the value first, and rests (P, P)."""
        size = len(self.middle)
        values, terms, rests = stacked([h for row in ran.hessian for h in row])
        found = np.concatenate([values[None], terms.T]).reshape(-1, size, size)
        found[0] = found[0] - np.diag(self._penalty)
        return found, rests.reshape(size, size) + ROUNDING * np.diag(self._penalty)

    def _along(self, ran: Evaluation[TaylorModel], radius: float) -> tuple[list[Key], FloatArray, FloatArray]:
        """Y (f(c(delta), x_0 + delta) - f(m, x_0)): monomials, their coefficients (N, P) and a rest (P,)."""
        n, size, spec = len(self.moving), len(self.middle), self.spec
        contrast, left, _ = self._contrasts
        hessian, rest = self._hessian(ran)
        starts = [(d * spec.n_inputs + k) * size for d, k in self.moving]
        values, terms, rests = stacked([ran.by_data["mixed"][s + i] for i in range(size) for s in starts])
        mixed = np.concatenate([values[None], terms.T]).reshape(-1, size, n)
        table = monomials(n, size, self.order)
        keys: list[Key] = [(), *table.keys[: table.plain]]
        slopes = left @ hessian[: len(keys)] @ contrast
        slopes[0] = slopes[0] + self.inverse * self._penalty
        # t dc/dt, and what it multiplies.
        scales = np.array([len(key) * radius ** len(key) for key, _ in self.branch])
        steps = (self._coefficients * scales).T
        products = np.concatenate([slopes @ steps.T, radius * (left @ mixed[: len(keys)])], axis=2)
        factors = [*(key for key, _ in self.branch), *((c,) for c in range(n))]
        low, names, places, high = _products(tuple(keys), tuple(factors))
        flat = products.transpose(1, 0, 2).reshape(size, -1)
        total = np.stack([np.bincount(places, weights=row, minlength=len(names)) for row in flat[:, low]], axis=1)
        degrees = np.array([len(key) for key in names], dtype=np.float64)
        far = np.abs(contrast) @ np.abs(steps).sum(axis=0)
        beyond = np.abs(flat) @ high
        more = beyond + np.abs(left) @ (rest @ far + radius * rests.reshape(size, n).sum(axis=1))
        sizes = np.abs(left) @ (np.abs(hessian[: len(keys)]).sum(axis=0) @ far) + np.abs(left) @ (
            radius * np.abs(mixed[: len(keys)]).sum(axis=(0, 2))
        )
        return names, total / degrees[:, None], more + ROUNDING * (sizes + np.abs(self.inverse) @ (self._penalty * far))

    def _distance(self, ran: Evaluation[TaylorModel]) -> tuple[FloatArray, FloatArray]:
        """I - Y H V: coefficients (1 + M, P, P), the value first, and rests (P, P)."""
        _, left, right = self._contrasts
        hessian, rest = self._hessian(ran)
        found = -(left @ hessian @ right)
        found[0] = np.eye(len(self.middle)) - (self.inverse * self._penalty) @ self.basis + found[0]
        rounded = np.abs(left) @ np.abs(hessian).sum(axis=0) @ np.abs(right)
        rounded = rounded + (np.abs(self.inverse) * self._penalty) @ np.abs(self.basis)
        return found, np.abs(left) @ rest @ np.abs(right) + ROUNDING * (1 + rounded)

    def _spread(self, ran: Evaluation[TaylorModel]) -> tuple[FloatArray, FloatArray]:
        """Bounds (P, P) of |I - Z Y H V| and of |Z|."""
        n, size = len(self.moving), len(self.middle)
        found, rest = self._distance(ran)
        if self.order < 2:
            return np.abs(found).sum(axis=0) + rest, np.eye(size)
        table = monomials(n, size, self.order)
        linear = found[1 : 1 + n].copy()
        along = np.abs(linear).sum(axis=0)
        far = np.eye(size) + along
        total = np.zeros_like(found)
        total[0], total[1 + n :] = found[0], found[1 + n :]
        beyond = np.zeros((size, size))
        for k, matrix in enumerate(linear):
            products = matrix @ found
            kept, places, over = _shifts(table, k)
            total[places] += products[kept]
            beyond += np.abs(products[over]).sum(axis=0)
        sizes = far @ np.abs(found).sum(axis=0)
        return np.abs(total).sum(axis=0) + beyond + far @ rest + ROUNDING * sizes, far

    def _kept(
        self,
        text: str,
        ran: Evaluation[TaylorModel],
        start: FloatArray,
        spread: FloatArray,
        texts: Sequence[str],
    ) -> Both:
        """The certificates if the test holds on a box inside that of the bounds."""
        edges = np.array([float(t) for t in texts])
        if not (ROOM * (start + spread @ edges) <= edges).all():
            return None, None
        right = bool(self.spec.data.labels) and all(m.range() < 0 for m in ran.by_data["margins"])
        assert ran.value is not None
        loss = ran.value.range()
        wide = Persistence(
            spec=self.spec,
            midpoint=self.certificate.midpoint,
            moving=self.moving,
            branch=self.branch,
            basis=self.texts,
            radius=text,
            box=tuple(texts),
            index=self.index,
            loss=outward_texts(loss + arb(0, (loss.rad() * (ROOM - 1) + LOSS_ROOM * (1 + abs(loss))).upper()), 20),
            labels=False,
        )
        return wide, replace(wide, labels=True) if right else None


@lru_cache(maxsize=256)
def _shifts(table: Monomials, k: int) -> tuple[IntArray, IntArray, IntArray]:
    """Of 1 and the monomials: those whose product with e_k is one of them, the places of these, and all others."""
    keys: list[Key] = [(), *table.keys]
    wanted = [table.place.get(tuple(sorted((*key, k)))) for key in keys]
    kept = [i for i, place in enumerate(wanted) if place is not None]
    places = [place + 1 for place in wanted if place is not None]
    return np.array(kept), np.array(places), np.array([i for i, place in enumerate(wanted) if place is None])


@lru_cache(maxsize=64)
def _products(left: tuple[Key, ...], right: tuple[Key, ...]) -> tuple[IntArray, list[Key], IntArray, FloatArray]:
    """Products of two lists of monomials, row-major: which have a low degree, their names and the place of each among
    these; and for all others one over the degree, 0 for those of low degree."""
    names: dict[Key, int] = {}
    low, places, high = [], [], []
    for number, (a, b) in enumerate((a, b) for a in left for b in right):
        degree = len(a) + len(b)
        high.append(0.0 if degree <= JOINED_DEGREE else 1 / degree)
        if degree <= JOINED_DEGREE:
            low.append(number)
            places.append(names.setdefault(tuple(sorted(a + b)), len(names)))
    return np.array(low, dtype=np.int64), list(names), np.array(places, dtype=np.int64), np.array(high)


@lru_cache(maxsize=64)
def _contrast(spec: LandscapeSpec) -> FloatArray:
    """C: the projection that takes the mean over the outputs away from the last layer; I for other losses."""
    size = spec.n_parameters
    found = np.eye(size)
    if not LOSSES[spec.loss].shift_invariant:
        return found
    top = max(block.layer for block in spec.layout.blocks)
    for block in spec.layout.blocks:
        if block.layer != top:
            continue
        q, below = block.shape[0], block.size // block.shape[0]
        for i in range(q):
            for j in range(q):
                for k in range(below):
                    found[block.offset + i * below + k, block.offset + j * below + k] -= 1 / q
    return found


def _penalised(spec: LandscapeSpec, k: int) -> bool:
    if spec.penalised is Penalised.ALL:
        return True
    return any(b.kind == "W" and b.offset <= k < b.offset + b.size for b in spec.layout.blocks)


def fixed_point(start: FloatArray, matrix: FloatArray) -> FloatArray | None:
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


def _short(x: float) -> str:
    """A decimal text close to a number, of DIGITS digits."""
    mantissa, _, exponent = f"{x:.{DIGITS - 1}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _below(eps: float) -> str:
    """A decimal text of three digits, at most eps and at least 0.99 eps."""
    mantissa, _, exponent = f"{eps:.12e}".partition("e")
    return f"{mantissa[:4]}e{int(exponent)}"
