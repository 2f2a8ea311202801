"""The symmetry group of a question, found from its exact data and verified symbolically.

A symmetry is orthogonal on theta, so that it keeps the penalty, and keeps the loss of the data. Found are

- permutations of the nodes of a hidden layer;
- flips of a node: (W_in, b, W_out) -> -(W_in, b, W_out) for odd sigma, (W_in, b) -> -(W_in, b) for even sigma;
- automorphisms of the data: a signed permutation A of the inputs with one, B, of the outputs, such that the multiset
  of samples is its own image and the loss its own: B permutes classes (softmax), or is a sign that exchanges the
  labels (logistic), or is a signed permutation of the targets' components (squared error). On theta it acts by
  W_1 -> W_1 A^T, W_{L+1} -> B W_{L+1}, b_{L+1} -> B b_{L+1}.

That the samples map to one another is decided in exact rationals. That z(g theta, A x) = B z(theta, x) for all theta
and x is decided by SymPy with the parity of sigma as the only property used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from math import factorial, lcm, prod
from typing import TypeVar

import sympy
from sympy import Expr, Symbol

from symland.errors import SpecError
from symland.records import Verdict
from symland.spec import LandscapeSpec
from symland.symbolic.activation import derive_activation
from symland.symbolic.loss import outputs, parameter_symbols
from symland.symbolic.losses import LOSSES, OutputAction
from symland.symmetry import DataAutomorphism, GroupElement, Parity, SymmetryGroup

__all__ = ["MOST_AUTOMORPHISMS", "data_automorphisms", "find_symmetry", "verify_element"]

MOST_AUTOMORPHISMS = 10_000
"""Data automorphisms beyond which a data set is refused; they are listed one by one."""

_Image = tuple[int, int]
_Column = Sequence[Fraction]
_N = TypeVar("_N", int, Fraction)


def find_symmetry(spec: LandscapeSpec, *, verify: bool = True) -> SymmetryGroup:
    """All symmetries of the kinds above.

    Parameters
    ----------
    spec : LandscapeSpec
    verify : bool
        Whether to verify generators of the hidden part and every data automorphism symbolically.

    Raises
    ------
    SpecError
        If the data have too many automorphisms to list.
    AssertionError
        If a symmetry that was found does not verify: an error of this module.
    """
    activation = derive_activation(spec.activation)
    parity = Parity.ODD if activation.is_odd else Parity.EVEN if activation.is_even else Parity.NONE
    identity = DataAutomorphism.identity(spec.n_inputs, spec.n_outputs)
    found = data_automorphisms(spec)
    group = SymmetryGroup(
        layout=spec.layout,
        parity=parity,
        data_automorphisms=(identity, *(a for a in found if a != identity)),
        shift_invariant=LOSSES[spec.loss].shift_invariant,
    )
    if verify:
        for element in group.generators():
            if verify_element(spec, group, element) is not Verdict.CERTIFIED:
                raise AssertionError(f"{spec.name}: {element} is not a symmetry")
    return group


def verify_element(spec: LandscapeSpec, group: SymmetryGroup, element: GroupElement) -> Verdict:
    """Whether the loss is invariant: z(g theta, A x) = B z(theta, x) symbolically, and the samples are kept exactly."""
    automorphism = group.data_automorphisms[element.data]
    if _image_of_samples(spec, automorphism) != Counter(_samples(spec)):
        return Verdict.REFUTED
    sigma = {Parity.ODD: _Odd, Parity.EVEN: _Even, Parity.NONE: sympy.Function("sigma")}[group.parity]
    theta = parameter_symbols(spec.layout)
    x = [Symbol(f"x_{k + 1}", real=True) for k in range(spec.n_inputs)]
    index, sign = group.signed_permutation(element)
    moved: list[Expr] = [sympy.Integer(0)] * len(theta)
    for p, symbol in enumerate(theta):
        moved[int(index[p])] = int(sign[p]) * symbol
    image: list[Expr] = [sympy.Integer(0)] * len(x)
    for k, (place, s) in enumerate(zip(automorphism.inputs, automorphism.input_signs, strict=True)):
        image[place] = s * x[k]
    before, after = outputs(spec, theta, x, sigma), outputs(spec, moved, image, sigma)
    for i, (place, s) in enumerate(zip(automorphism.outputs, automorphism.output_signs, strict=True)):
        difference = after[place] - s * before[i]
        if difference != 0 and sympy.expand(difference) != 0:
            return Verdict.UNDECIDED
    return Verdict.CERTIFIED


class _Odd(sympy.Function):
    """A function of which nothing is known but sigma(-z) = -sigma(z)."""

    @classmethod
    def eval(cls, argument: Expr) -> Expr | None:
        return -cls(-argument) if argument.could_extract_minus_sign() else None


class _Even(sympy.Function):
    """A function of which nothing is known but sigma(-z) = sigma(z)."""

    @classmethod
    def eval(cls, argument: Expr) -> Expr | None:
        return cls(-argument) if argument.could_extract_minus_sign() else None


def _samples(spec: LandscapeSpec) -> list[tuple[tuple[Fraction, ...], object]]:
    return list(zip(spec.data.inputs, spec.data.targets, strict=True))


def _image_of_samples(spec: LandscapeSpec, automorphism: DataAutomorphism) -> Counter[tuple[object, object]]:
    """The multiset of (A x, B y)."""
    counts: Counter[tuple[object, object]] = Counter()
    for n, x in enumerate(spec.data.inputs):
        image: object
        match LOSSES[spec.loss].action:
            case OutputAction.PERMUTE_CLASSES:
                image = automorphism.outputs[spec.data.labels[n]]
            case OutputAction.EXCHANGE_LABELS:
                image = spec.data.labels[n] if automorphism.output_signs[0] == 1 else 1 - spec.data.labels[n]
            case OutputAction.MOVE_TARGETS:
                image = _move(spec.data.values[n], automorphism.outputs, automorphism.output_signs)
        counts[_move(x, automorphism.inputs, automorphism.input_signs), image] += 1
    return counts


def _move(x: Sequence[_N], places: Sequence[int], signs: Sequence[int]) -> tuple[_N, ...]:
    image = list(x)
    for value, place, sign in zip(x, places, signs, strict=True):
        image[place] = sign * value
    return tuple(image)


def data_automorphisms(spec: LandscapeSpec) -> tuple[DataAutomorphism, ...]:
    """Every automorphism of the data, by backtracking over columns.

    A column may go where its multiset of entries agrees, up to sign, and where the rows cut to the columns placed so
    far remain one multiset.

    Raises
    ------
    SpecError
        If there are more than MOST_AUTOMORPHISMS.
    """
    found: list[DataAutomorphism] = []
    inputs = list(zip(*spec.data.inputs, strict=True))
    targets = list(zip(*spec.data.values, strict=True))
    if _fewest(inputs) > MOST_AUTOMORPHISMS:
        raise _too_many()
    for images in _column_images(inputs, targets):
        for out in _output_images(spec, images):
            found.append(
                DataAutomorphism(
                    inputs=tuple(j for j, _ in images[: len(inputs)]),
                    input_signs=tuple(s for _, s in images[: len(inputs)]),
                    outputs=tuple(j for j, _ in out),
                    output_signs=tuple(s for _, s in out),
                )
            )
            if len(found) > MOST_AUTOMORPHISMS:
                raise _too_many()
    return tuple(found)


def _fewest(inputs: Sequence[_Column]) -> int:
    """How many automorphisms there are at least: m equal columns change places, and a column of zeros its sign."""
    groups = Counter(max(tuple(column), tuple(-v for v in column)) for column in inputs)
    return prod(factorial(m) * (1 if any(column) else 2**m) for column, m in groups.items())


def _too_many() -> SpecError:
    return SpecError.at(
        "data.inputs",
        f"the data have more than {MOST_AUTOMORPHISMS} symmetries",
        "drop input columns that are equal, constant zero, or never used together with a label",
    )


def _column_images(inputs: Sequence[_Column], targets: Sequence[_Column]) -> Iterator[list[_Image]]:
    """Images of the input columns, then of the target columns (numbered from 0 each)."""
    columns = _whole([*inputs, *targets])
    signed = {sign: [[sign * v for v in column] for column in columns] for sign in (1, -1)}
    shapes = {sign: [sorted(column) for column in signed[sign]] for sign in signed}
    start = [0] * len(columns[0])

    def extend(images: list[_Image], here: list[int], there: list[int]) -> Iterator[list[_Image]]:
        """Rows of one number agree in all columns so far: in the images of columns, and in what these are laid on."""
        k = len(images)
        if k == len(columns):
            yield images
            return
        first, last = (0, len(inputs)) if k < len(inputs) else (len(inputs), len(columns))
        used = {j for j, _ in images[first:]}
        for j, sign in product(range(last - first), (1, -1)):
            if j in used or shapes[1][first + j] != shapes[sign][k]:
                continue
            numbers: dict[tuple[int, int], int] = {}
            ours = [numbers.setdefault(pair, len(numbers)) for pair in zip(here, signed[sign][k], strict=True)]
            theirs = [numbers.setdefault(pair, len(numbers)) for pair in zip(there, columns[first + j], strict=True)]
            if Counter(ours) == Counter(theirs):
                yield from extend([*images, (j, sign)], ours, theirs)

    yield from extend([], start, start)


def _whole(columns: Sequence[_Column]) -> list[list[int]]:
    """Rationals over one common denominator: whole numbers, which compare and hash at once."""
    common = lcm(*(v.denominator for column in columns for v in column))
    return [[v.numerator * (common // v.denominator) for v in column] for column in columns]


def _output_images(spec: LandscapeSpec, images: list[_Image]) -> Iterator[list[_Image]]:
    """Images of the outputs that go with images of the columns."""
    n, action = spec.n_inputs, LOSSES[spec.loss].action
    if action is OutputAction.MOVE_TARGETS:
        yield images[n:]
        return
    places, signs = [j for j, _ in images], [s for _, s in images]
    here: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(max(2, spec.n_outputs))]
    there: list[Counter[tuple[int, ...]]] = [Counter() for _ in here]
    for row, label in zip(_whole(spec.data.inputs), spec.data.labels, strict=True):
        here[label][_move(row, places, signs)] += 1
        there[label][tuple(row)] += 1
    if action is OutputAction.EXCHANGE_LABELS:
        if here == there:
            yield [(0, 1)]
        if here == there[::-1]:
            yield [(0, -1)]
        return
    yield from _matchings(here, there)


def _matchings(here: list[Counter[tuple[int, ...]]], there: list[Counter[tuple[int, ...]]]) -> Iterator[list[_Image]]:
    """All permutations that carry the multisets `here` to `there`: products over classes of equal multisets."""
    kinds: dict[frozenset[tuple[tuple[int, ...], int]], tuple[list[int], list[int]]] = {}
    for side, multisets in enumerate((here, there)):
        for label, multiset in enumerate(multisets):
            kinds.setdefault(frozenset(multiset.items()), ([], []))[side].append(label)
    if any(len(sources) != len(ends) for sources, ends in kinds.values()):
        return
    for choice in product(*(permutations(ends) for _, ends in kinds.values())):
        images: list[_Image] = [(0, 1)] * len(here)
        for (sources, _), ends in zip(kinds.values(), choice, strict=True):
            for source, end in zip(sources, ends, strict=True):
                images[source] = (end, 1)
        yield images
