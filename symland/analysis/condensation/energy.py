"""The leading-order energy of a hidden node at small weights, exact.

At zero weights the outputs vanish and the residual of sample d is e_d = dell/dz (0, y_d), a rational vector. A node
with incoming weights w (its bias last) and outgoing weights a changes the loss, to leading order, by

    -(sigma^(k)(0) / k!) a . F_k(w),     F_k(w) = mean_d(-e_d (w . (x_d, 1))^k).

Where all outputs have the same F_k up to a factor, that one form decides. Otherwise a turns to F_k(w), and the form is
|F_k(w)|^2, of degree 2k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from symland.analysis.condensation.forms import (
    Form,
    decimal_text,
    form_text,
    kernel_of,
    moment_form,
    null_space,
    plus,
    times,
)
from symland.analysis.condensation.multiplicity import HIGHEST_ORDER, Multiplicity
from symland.errors import SpecError
from symland.spec import LandscapeSpec
from symland.symbolic.losses import LOSSES

__all__ = ["Energy", "Vectors", "independent", "leading_energy", "residuals_at_zero", "weight_names"]

Vectors = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Energy:
    """F_k of a layer.

    Attributes
    ----------
    order : int
        k.
    vectors : D vectors (x_d, 1), or x_d without biases
    moments : q tuples of D rationals
        m_d = -e_d / D for each independent output.
    outgoing : K tuples of q rationals
        F of output i is sum_q outgoing[i][q] F_q.
    """

    order: int
    vectors: Vectors
    moments: Vectors
    outgoing: Vectors
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """n, the number of input weights of a node, its bias included."""
        return len(self.vectors[0])

    @property
    def single(self) -> bool:
        """Whether one form decides."""
        return len(self.moments) == 1

    @property
    def degree(self) -> int:
        """Of the form that decides: k, or 2k for several independent outputs."""
        return self.order if self.single else 2 * self.order

    @cached_property
    def parts(self) -> tuple[Form, ...]:
        """F_k of each independent output."""
        return tuple(moment_form(self.vectors, m, self.order) for m in self.moments)

    @cached_property
    def gram(self) -> Vectors:
        """The matrix S with |F|^2 = sum S_qr F_q F_r over all outputs."""
        q = range(len(self.moments))
        return tuple(tuple(sum((row[a] * row[b] for row in self.outgoing), Fraction(0)) for b in q) for a in q)

    @cached_property
    def form(self) -> Form:
        """The form that decides: F_k, or |F_k|^2."""
        if self.single:
            return self.parts[0]
        terms = []
        for a, left in enumerate(self.parts):
            for b, right in enumerate(self.parts):
                terms.append({key: self.gram[a][b] * value for key, value in times(left, right).items()})
        return plus(*terms)

    @cached_property
    def kernel(self) -> list[tuple[Fraction, ...]]:
        """Directions along which F_k does not change."""
        return kernel_of(self.parts, self.size)

    def text(self, *, near: bool = False) -> str:
        """F_k as text in the weights u1, u2, ... and the bias b; `near` with few digits, as for given weights."""
        write = decimal_text if near else form_text
        whole = [write(part, self.names) for part in self.parts]
        return whole[0] if self.single else "|F|^2, F spanned by (" + "; ".join(whole) + ")"

    def projected(self, basis: list[tuple[Fraction, ...]]) -> Energy:
        """F_k(B y) as a form in y, with the vectors of `basis` as the columns of B."""
        vectors = tuple(
            tuple(sum((a * b for a, b in zip(x, column, strict=True)), Fraction(0)) for column in basis)
            for x in self.vectors
        )
        names = tuple(f"y{j + 1}" for j in range(len(basis)))
        return Energy(order=self.order, vectors=vectors, moments=self.moments, outgoing=self.outgoing, names=names)


def weight_names(n_inputs: int, bias: bool) -> tuple[str, ...]:
    """u1, u2, ... and b."""
    return (*(f"u{j + 1}" for j in range(n_inputs)), *(("b",) if bias else ()))


def residuals_at_zero(spec: LandscapeSpec) -> Vectors:
    """e_d = dell/dz at z = 0, D vectors of K rationals: softmax 1/K - [c = y], logistic 1/2 - y, squared -2 y."""
    loss = LOSSES[spec.loss]
    return tuple(loss.residual_at_zero(target, spec.n_outputs) for target in spec.data.targets)


def independent(residuals: Sequence[Sequence[Fraction]], order: int, vectors: Vectors) -> tuple[Vectors, Vectors]:
    """Moments whose forms are independent, and every output's form as a combination of them; the last output first."""
    size, k = len(residuals), len(residuals[0])
    moments = [tuple(-e[i] / size for e in residuals) for i in range(k)]
    forms = [moment_form(vectors, m, order) for m in moments]
    kept: list[int] = []
    combinations: dict[int, tuple[Fraction, ...]] = {}
    for i in reversed(range(k)):
        chosen = [*kept, i]
        keys = sorted(set().union(*(forms[j] for j in chosen)))
        null = null_space([[forms[j].get(e, Fraction(0)) for j in chosen] for e in keys], len(chosen))
        if null:
            combinations[i] = tuple(-v / null[0][-1] for v in null[0][:-1])
        else:
            combinations[i] = (*(Fraction(0) for _ in kept), Fraction(1))
            kept.append(i)
    outgoing = tuple((*combinations[i], *[Fraction(0)] * (len(kept) - len(combinations[i]))) for i in range(k))
    return tuple(moments[i] for i in kept), outgoing


def leading_energy(
    spec: LandscapeSpec, multiplicity: Multiplicity, signals: Vectors | None = None
) -> tuple[Energy, str]:
    """The energy at the effective multiplicity, and why it differs from p, or an empty text.

    Parameters
    ----------
    signals : D vectors of rationals, or None
        What the layer sees of each sample; None for the inputs.

    Raises
    ------
    SpecError
        If F_k vanishes at every order up to the highest that is looked at.
    """
    seen = spec.data.inputs if signals is None else signals
    vectors = tuple((*x, Fraction(1)) if spec.bias else tuple(x) for x in seen)
    names = weight_names(len(seen[0]), spec.bias)
    skipped = []
    for k in range(multiplicity.order, HIGHEST_ORDER + 1):
        if multiplicity.derivative_at(k) == 0:
            skipped.append(f"sigma^({k})(0) = 0")
            continue
        moments, outgoing = independent(residuals_at_zero(spec), k, vectors)
        if moments:
            energy = Energy(order=k, vectors=vectors, moments=moments, outgoing=outgoing, names=names)
            return energy, " and ".join(skipped)
        skipped.append(f"T_{k} = 0")
    raise SpecError.at(
        "data",
        "the residuals at zero weights are uncorrelated with all powers of the inputs, up to "
        f"{HIGHEST_ORDER}, that the Taylor series of {spec.activation!r} holds",
        "give targets that depend on the inputs, or an activation with other powers",
    )
