"""The group of a question, held against plain enumeration and against changes that are no symmetries."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.datasets import Dataset
from symland.errors import SpecError
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, builtin
from symland.symbolic.symmetry import data_automorphisms, find_symmetry, verify_element
from symland.symmetry import DataAutomorphism, Parity, SymmetryGroup


@pytest.mark.parametrize(
    ("name", "automorphisms", "order"), [("xor", 2, 16), ("xor-pm", 8, 64), ("parity3", 6, 288), ("iris", 1, 48)]
)
def test_orders_of_the_built_in_questions(name, automorphisms, order):
    group = find_symmetry(builtin(name))
    assert (len(group.data_automorphisms), group.order, group.parity) == (automorphisms, order, Parity.ODD)


@pytest.mark.parametrize(
    ("activation", "parity"),
    [
        ("tanh", Parity.ODD),
        ("z/sqrt(1+z**2)", Parity.ODD),
        ("z*tanh(z)", Parity.EVEN),
        ("cos(z)", Parity.EVEN),
        ("sigmoid", Parity.NONE),
        ("softplus", Parity.NONE),
    ],
)
def test_the_parity_of_the_activation_decides_the_flips(activation, parity):
    group = find_symmetry(builtin("xor").with_(activation=activation))
    assert group.parity is parity
    assert group.order == (4 if parity is Parity.NONE else 16)


def test_elements_of_a_deep_network_verify():
    spec = builtin("xor-pm").with_(hidden=(2, 3))
    group = find_symmetry(spec, verify=False)
    elements = list(group.generators())
    assert len(elements) == (1 + 1) + (2 + 1) + 7
    assert all(verify_element(spec, group, e) is Verdict.CERTIFIED for e in elements)


def test_what_is_no_symmetry_does_not_verify():
    spec = builtin("xor")
    complement = DataAutomorphism(inputs=(0, 1), input_signs=(-1, -1), outputs=(0, 1), output_signs=(1, 1))
    swap_labels = DataAutomorphism(inputs=(0, 1), input_signs=(1, 1), outputs=(1, 0), output_signs=(1, 1))
    identity = DataAutomorphism.identity(2, 2)
    for false in (complement, swap_labels):
        group = SymmetryGroup(layout=spec.layout, parity=Parity.ODD, data_automorphisms=(identity, false))
        *_, element = group.generators()
        assert verify_element(spec, group, element) is Verdict.REFUTED
    odd = SymmetryGroup(layout=spec.layout, parity=Parity.ODD, data_automorphisms=(identity,))
    flip = next(e for e in odd.generators() if min(e.signs[0]) < 0)
    none = SymmetryGroup(layout=spec.layout, parity=Parity.NONE, data_automorphisms=(identity,))
    assert verify_element(spec, odd, flip) is Verdict.CERTIFIED
    assert verify_element(spec, none, flip) is Verdict.UNDECIDED


def by_enumeration(spec: LandscapeSpec) -> set[DataAutomorphism]:
    """Every signed permutation of inputs and outputs, tried on the samples as sorted lists of numbers."""
    n, k = spec.n_inputs, spec.n_outputs
    signs = [(1,) * k] if spec.loss is Loss.SOFTMAX else list(product((1, -1), repeat=k))
    out_choices = list(product(permutations(range(k)), signs))
    found = set()

    def targets(places, out_signs):
        if spec.loss is Loss.SOFTMAX:
            return [(Fraction(places[y]),) for y in spec.data.labels]
        if spec.loss is Loss.LOGISTIC:
            return [(Fraction(y if out_signs[0] == 1 else 1 - y),) for y in spec.data.labels]
        rows = []
        for y in spec.data.values:
            row = [Fraction(0)] * k
            for i in range(k):
                row[places[i]] = out_signs[i] * y[i]
            rows.append(tuple(row))
        return rows

    plain = sorted(x + y for x, y in zip(spec.data.inputs, targets(range(k), (1,) * k), strict=True))
    for places in permutations(range(n)):
        for in_signs in product((1, -1), repeat=n):
            rows = []
            for x in spec.data.inputs:
                row = [Fraction(0)] * n
                for i in range(n):
                    row[places[i]] = in_signs[i] * x[i]
                rows.append(tuple(row))
            for out_places, out_signs in out_choices:
                image = sorted(x + y for x, y in zip(rows, targets(out_places, out_signs), strict=True))
                if image == plain:
                    found.add(
                        DataAutomorphism(
                            inputs=places,
                            input_signs=in_signs,
                            outputs=tuple(out_places),
                            output_signs=tuple(out_signs),
                        )
                    )
    return found


@st.composite
def symmetric_questions(draw: st.DrawFn) -> LandscapeSpec:
    """Data on a coarse grid, so that automorphisms are common."""
    loss = draw(st.sampled_from(Loss))
    n, samples = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    grid = st.sampled_from((Fraction(-1), Fraction(0), Fraction(1)))
    inputs = tuple(tuple(draw(grid) for _ in range(n)) for _ in range(samples))
    outputs = {Loss.SOFTMAX: 3, Loss.LOGISTIC: 1, Loss.SQUARED: draw(st.integers(1, 2))}[loss]
    if loss is Loss.SQUARED:
        values = tuple(tuple(draw(grid) for _ in range(outputs)) for _ in range(samples))
        data = Dataset(name="grid", inputs=inputs, values=values)
    else:
        top = 2 if loss is Loss.SOFTMAX else 1
        data = Dataset(name="grid", inputs=inputs, labels=tuple(draw(st.integers(0, top)) for _ in range(samples)))
    return LandscapeSpec(name="grid", hidden=(2,), data=data, loss=loss, outputs=outputs, penalty=Fraction(1, 100))


@given(symmetric_questions())
@settings(max_examples=60)
def test_all_data_automorphisms_are_found_and_no_others(spec):
    found = data_automorphisms(spec)
    assert len(found) == len(set(found))
    assert set(found) == by_enumeration(spec)


def test_sixty_inputs_and_hundreds_of_samples_take_no_time():
    rng = random.Random(3)
    rows = [[Fraction(rng.randrange(5), 16) for _ in range(60)] for _ in range(300)]
    for row in rows:
        row[40] = row[7]
    data = Dataset(name="many", inputs=tuple(map(tuple, rows)), labels=tuple(rng.randrange(4) for _ in rows))
    found = data_automorphisms(LandscapeSpec(name="many", hidden=(1,), data=data))
    assert {tuple(k for k, place in enumerate(each.inputs) if place != k) for each in found} == {(), (7, 40)}


def test_data_with_too_many_symmetries_are_refused_in_one_line():
    inputs = (tuple(Fraction(0) for _ in range(12)),)
    spec = LandscapeSpec(name="zeros", hidden=(1,), data=Dataset(name="zeros", inputs=inputs, labels=(0,)))
    with pytest.raises(SpecError, match=r"^data\.inputs: .*symmetries"):
        data_automorphisms(spec)


def test_the_loss_of_the_kernel_free_definition_is_invariant():
    """E(g theta) = E(theta) in plain NumPy, for random elements of a question with squared error."""
    data = Dataset(
        name="odd",
        inputs=tuple((Fraction(a), Fraction(b)) for a, b in product((-1, 1), repeat=2)),
        values=tuple((Fraction(a), Fraction(b)) for a, b in product((-1, 1), repeat=2)),
    )
    spec = LandscapeSpec(name="odd", hidden=(3,), data=data, loss=Loss.SQUARED, penalty=Fraction(1, 10))
    group = find_symmetry(spec)
    assert len(group.data_automorphisms) == 8
    rng = np.random.default_rng(0)

    def loss(theta: np.ndarray) -> float:
        w1, w2, b, c = np.split(theta, np.cumsum([6, 6, 3]))
        x = np.array(data.inputs, dtype=float)
        h = np.tanh(x @ w1.reshape(3, 2).T + b)
        z = h @ w2.reshape(2, 3).T + c
        return float(((z - np.array(data.values, dtype=float)) ** 2).sum(1).mean() + 0.1 * (theta**2).sum())

    for _ in range(20):
        theta = rng.normal(size=spec.n_parameters)
        assert loss(group.apply(group.random_element(rng), theta)) == pytest.approx(loss(theta), rel=1e-13)
