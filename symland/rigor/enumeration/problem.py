r"""The reduced problem: a one-hidden-layer tanh network with two classes, all parameters penalised.

Theorem (reduction).  Let W2 be 2 x N, ell = softplus(-s_d Delta_d) with Delta_d = z_1 - z_0 and s_d = +1 for class 1,
-1 for class 0.  At a stationary point with lambda > 0 the two rows of W2 and the two output biases are opposite (the
loss sees only the difference; along the sum the gradient is that of the penalty).  With v_j = W2[1,j] - W2[0,j],
gamma = c_1 - c_0, U_j = (W1[j], b_j), x_d = (inputs, 1) and

    P_d = s_d kappa q_d,   q_d = 1/(1 + e^{s_d Delta_d}) in (0, 1),   kappa = 1/(lambda D),

the stationary points are in bijection with the solutions of

    v_j = sum_d P_d h_jd,   U_j = (v_j / 2) sum_d P_d tanh'(U_j.x_d) x_d,   gamma = sum_d P_d,          (nodes, bias)
    Delta_d = sum_j v_j h_jd + gamma,   h_jd = tanh(U_j.x_d).                                           (logits)

Proof: dE/dW2[1,j] = -(1/D) sum_d s_d q_d h_jd + 2 lambda (v_j / 2) = 0 and likewise for c_1; dE/dU_j =
-(1/D) sum_d s_d q_d v_j tanh'(.) x_d + 2 lambda U_j = 0.  Multiply by kappa D = 1/lambda.

Theorem (decoupling).  Given P, each node solves the same m + 1 equations by itself; the nodes meet only in the logits.
v_j = 0 iff U_j = 0 (both follow from the node equations), and (U_j, v_j) -> -(U_j, v_j) is a symmetry, so v_j >= 0.

Theorem (bounds).  Multiply the logits by P_d and sum over d: sum_j v_j^2 + gamma^2 = sum_d P_d Delta_d =
kappa sum_d q_d t_d with t_d = s_d Delta_d = -logit(q_d), and q t <= max_t t/(1 + e^t) = 0.278464542761...
Multiply the node equation by U_j: |U_j|^2 = (v_j / 2) sum_d P_d a_d sech^2 a_d with |a sech^2 a| <= 0.44774...
By Cauchy-Schwarz |Delta_d| <= |gamma| + sum_j v_j <= sqrt((N + 1)(gamma^2 + sum_j v_j^2)).

Theorem (symmetry).  A signed permutation of the inputs which maps the data to themselves, labels kept (sign = 1) or
all exchanged (sign = -1), maps solutions to solutions: P_{pi(d)} = sign P_d, U -> Q U, v -> sign v,
gamma -> sign gamma.  Every orbit has a member with q_b >= q_d for all d in the orbit of b, and so on along a chain of
stabilisers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from symland.errors import SpecError
from symland.spec import LandscapeSpec, Loss, Penalised

Doubles = npt.NDArray[np.float64]
Design = tuple[tuple[float, ...], ...]
"""Inputs with a 1 appended, one row a sample; exact doubles."""

MARGIN_PEAK = 0.2784645428
"""Upper bound of max_t t / (1 + e^t) = W(1/e) = 0.27846454276107..."""
LARGEST_INPUT = 2.0**64
"""Size of an input up to which no product in the search overflows: determinants hold ten inputs at most."""
TWIST_PEAK = 0.44775
"""Upper bound of max_a |a| sech^2 a = 0.4477433..."""


@dataclass(frozen=True, kw_only=True)
class Automorphism:
    """x_{order[d]} = Q x_d for a signed permutation Q of the m components (bias fixed); labels times ``sign``."""

    order: tuple[int, ...]
    places: tuple[int, ...]
    signs: tuple[int, ...]
    sign: int


@dataclass(frozen=True, kw_only=True)
class ReducedProblem:
    """Exact data of the reduced problem.

    Attributes
    ----------
    design : inputs with a 1 appended, exact doubles, shape (D, m).
    labels : s_d = +1 or -1.
    penalty : lambda, or the lower end of a slab of penalties.
    nodes : N.
    group : the verified data automorphisms, the identity first.
    upper : the upper end of a slab of penalties; None for one penalty.
    """

    design: Design
    labels: tuple[int, ...]
    penalty: Fraction
    nodes: int
    group: tuple[Automorphism, ...]
    upper: Fraction | None = None

    @property
    def samples(self) -> int:
        """D."""
        return len(self.design)

    @property
    def inputs(self) -> int:
        """m, the inputs with the constant 1."""
        return len(self.design[0])

    @property
    def scale(self) -> Fraction:
        """kappa = 1 / (lambda D), the largest of a slab."""
        return 1 / (self.penalty * self.samples)

    @property
    def highest(self) -> Fraction:
        """The largest lambda."""
        return self.penalty if self.upper is None else self.upper

    @property
    def middle(self) -> Fraction:
        """The middle of a slab."""
        return (self.penalty + self.highest) / 2

    @property
    def slack(self) -> float:
        """Relative width of a slab, 0 for one penalty."""
        return float(self.highest / self.penalty - 1)

    def slab(self, low: Fraction, high: Fraction) -> ReducedProblem:
        """The same data with every penalty from low to high."""
        return replace(self, penalty=low, upper=high)

    def at(self, penalty: Fraction) -> ReducedProblem:
        """The same data at one penalty."""
        return replace(self, penalty=penalty, upper=None)


def reduced_problem(spec: LandscapeSpec) -> ReducedProblem:
    """The reduced problem of a specification.

    Raises
    ------
    SpecError
        If the reduction theorem does not apply.
    """
    if len(spec.hidden) != 1 or spec.activation.replace(" ", "") not in ("tanh", "tanh(z)"):
        raise SpecError.at(
            "network",
            "complete enumeration is proved for one hidden layer of tanh nodes",
            'use hidden = [N] and activation = "tanh"',
        )
    if not spec.bias or spec.loss is not Loss.SOFTMAX or spec.n_outputs != 2:
        raise SpecError.at(
            "loss",
            f"{spec.loss.value} with {spec.n_outputs} outputs, bias {spec.bias}",
            "complete enumeration takes softmax with two classes and biases",
        )
    if spec.penalised is not Penalised.ALL or spec.penalty <= 0:
        raise SpecError.at(
            "loss.penalty",
            f"{spec.penalty} on {spec.penalised.value}",
            "complete enumeration takes a positive penalty on all parameters",
        )
    rows = tuple((*row, Fraction(1)) for row in spec.data.inputs)
    if any(Fraction(float(cell)) != cell for row in rows for cell in row):
        raise SpecError.at("data.inputs", "an input is not a dyadic number", "use inputs that doubles hold exactly")
    if any(abs(cell) > LARGEST_INPUT for row in rows for cell in row):
        raise SpecError.at(
            "data.inputs",
            f"an input is larger than {LARGEST_INPUT:.3g} in size",
            "scale the inputs: complete enumeration computes in doubles",
        )
    if len(rows[0]) > 4 or len(rows) > 8:
        raise SpecError.at(
            "data",
            f"{len(rows)} samples of {len(rows[0]) - 1} inputs",
            "complete enumeration takes at most 8 samples of 3 inputs",
        )
    labels = tuple(1 if label == 1 else -1 for label in spec.data.labels)
    design = tuple(tuple(float(cell) for cell in row) for row in rows)
    return ReducedProblem(
        design=design, labels=labels, penalty=spec.penalty, nodes=spec.hidden[0], group=_automorphisms(rows, labels)
    )


def _automorphisms(rows: tuple[tuple[Fraction, ...], ...], labels: tuple[int, ...]) -> tuple[Automorphism, ...]:
    if len(set(rows)) != len(rows):
        raise SpecError.at("data.inputs", "two samples have the same inputs", "merge them")
    n = len(rows[0]) - 1
    found = []
    for places in permutations(range(n)):
        for signs in product((1, -1), repeat=n):
            images = [(*(s * row[p] for p, s in zip(places, signs, strict=True)), Fraction(1)) for row in rows]
            if any(image not in rows for image in images):
                continue
            order = tuple(rows.index(image) for image in images)
            for sign in (1, -1):
                if all(labels[order[d]] == sign * labels[d] for d in range(len(rows))):
                    found.append(Automorphism(order=order, places=(*places, n), signs=(*signs, 1), sign=sign))
    return tuple(sorted(found, key=lambda g: (g.order != tuple(range(len(rows))), g.sign != 1, g.order)))


def fundamental_orders(group: tuple[Automorphism, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs (b, d): every orbit of residuals has a member with q_b >= q_d for all these pairs."""
    members = list(group)
    pairs = []
    for base in range(len(group[0].order)):
        pairs += [(base, d) for d in sorted({g.order[base] for g in members} - {base})]
        members = [g for g in members if g.order[base] == base]
    return tuple(pairs)


def outward(value: Fraction) -> tuple[float, float]:
    """Doubles around a rational."""
    middle = float(value)
    return math.nextafter(middle, -math.inf), math.nextafter(middle, math.inf)
