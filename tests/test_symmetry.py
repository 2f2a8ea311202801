"""The numeric group action, held against matrices and against plain enumeration."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from symland.layout import Layout
from symland.symmetry import DataAutomorphism, GroupElement, Parity, SymmetryGroup


def square_group(hidden: tuple[int, ...], parity: Parity = Parity.ODD, bias: bool = True) -> SymmetryGroup:
    """Two inputs that may be exchanged and reflected; a single reflection exchanges the two outputs."""
    automorphisms = [
        DataAutomorphism(
            inputs=places, input_signs=signs, outputs=(0, 1) if signs[0] == signs[1] else (1, 0), output_signs=(1, 1)
        )
        for places in ((0, 1), (1, 0))
        for signs in ((1, 1), (-1, -1), (1, -1), (-1, 1))
    ]
    layout = Layout(widths=(2, *hidden, 2), bias=bias)
    return SymmetryGroup(layout=layout, parity=parity, data_automorphisms=tuple(automorphisms), shift_invariant=True)


def every_element(group: SymmetryGroup) -> list[GroupElement]:
    signs = (1,) if group.parity is Parity.NONE else (1, -1)
    places = [list(permutations(range(n))) for n in group.hidden]
    flips = [list(product(signs, repeat=n)) for n in group.hidden]
    return [
        GroupElement(data=data, places=p, signs=s)
        for data in range(len(group.data_automorphisms))
        for p in product(*places)
        for s in product(*flips)
    ]


def matrix(places: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    out = np.zeros((len(places), len(places)))
    for i, (place, sign) in enumerate(zip(places, signs, strict=True)):
        out[place, i] = sign
    return out


def network_output(layout: Layout, theta: np.ndarray, x: np.ndarray, sigma) -> np.ndarray:
    signal = x
    for layer in range(1, layout.n_layers + 1):
        block, bias = layout.weight(layer), layout.biases(layer)
        signal = theta[block.slice].reshape(block.shape) @ signal + (theta[bias.slice] if bias else 0.0)
        if layer < layout.n_layers:
            signal = sigma(signal)
    return signal


PARITIES = {Parity.ODD: np.tanh, Parity.EVEN: lambda z: z * np.tanh(z), Parity.NONE: lambda z: np.log1p(np.exp(z))}


@pytest.mark.parametrize("parity", PARITIES)
@pytest.mark.parametrize("hidden", [(1,), (3,), (2, 3), (2, 1, 2)])
def test_the_network_is_equivariant(hidden, parity):
    """z(g theta, A x) = B z(theta, x) with A and B written as matrices."""
    group, rng = square_group(hidden, parity), np.random.default_rng(1)
    for _ in range(10):
        element = group.random_element(rng)
        data = group.data_automorphisms[element.data]
        theta, x = rng.normal(size=group.layout.size), rng.normal(size=2)
        before = network_output(group.layout, theta, x, PARITIES[parity])
        image = matrix(data.inputs, data.input_signs) @ x
        after = network_output(group.layout, group.apply(element, theta), image, PARITIES[parity])
        np.testing.assert_allclose(after, matrix(data.outputs, data.output_signs) @ before, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(2,), (3,), (2, 2)])
def test_composition_and_inverse_are_those_of_the_action(hidden):
    group, rng = square_group(hidden), np.random.default_rng(2)
    for _ in range(20):
        g, h = group.random_element(rng), group.random_element(rng)
        theta = rng.normal(size=group.layout.size)
        np.testing.assert_array_equal(group.apply(group.compose(g, h), theta), group.apply(g, group.apply(h, theta)))
        np.testing.assert_array_equal(group.apply(group.inverse(g), group.apply(g, theta)), theta)


def special_points(group: SymmetryGroup, rng: np.random.Generator) -> list[np.ndarray]:
    """Generic points, and points that one or two random elements fix: zero, equal and opposite nodes among them."""
    out = [rng.normal(size=group.layout.size), np.zeros(group.layout.size)]
    for _ in range(12):
        basis = group.fixed_space([group.random_element(rng) for _ in range(1 + int(rng.integers(2)))])
        out.append(basis @ rng.normal(size=basis.shape[1]))
    return out


@pytest.mark.parametrize(
    ("hidden", "parity", "bias"),
    [
        ((1,), Parity.ODD, True),
        ((2,), Parity.ODD, True),
        ((2,), Parity.ODD, False),
        ((2,), Parity.EVEN, True),
        ((3,), Parity.NONE, True),
        ((2, 2), Parity.ODD, True),
        ((1, 2), Parity.EVEN, True),
    ],
)
def test_orbit_sizes_count_the_distinct_copies(hidden, parity, bias):
    group, rng = square_group(hidden, parity, bias), np.random.default_rng(3)
    elements = every_element(group)
    assert len(elements) == group.formal_order
    for theta in special_points(group, rng):
        copies = {tuple((np.round(group.apply(g, theta), 9) + 0.0).tolist()) for g in elements}
        assert group.orbit_size(theta) == len(copies)
        order, generators = group.stabiliser(theta)
        fixing = [g for g in elements if np.allclose(group.apply(g, theta), theta, atol=1e-9)]
        assert order == len(fixing)
        # The generators fix no more vectors than the whole stabiliser does.
        assert group.fixed_space(generators).shape == group.fixed_space(fixing).shape
    assert group.order == max(
        len({tuple(group.apply(g, theta).tolist()) for g in elements}) for theta in special_points(group, rng)[:1]
    )


@pytest.mark.parametrize("hidden", [(2,), (4,), (2, 3), (2, 2, 2)])
@pytest.mark.parametrize("parity", Parity)
def test_match_finds_an_element_between_copies_and_canonical_agrees(hidden, parity):
    group, rng = square_group(hidden, parity), np.random.default_rng(4)
    for theta in special_points(group, rng):
        image = group.apply(group.random_element(rng), theta)
        element = group.match(theta, image)
        assert element is not None
        np.testing.assert_allclose(group.apply(element, theta), image, atol=1e-9)
        assert group.match(theta, group.canonical(image)) is not None
    generic = rng.normal(size=group.layout.size)
    image = group.apply(group.random_element(rng), generic)
    np.testing.assert_allclose(group.canonical(image), group.canonical(generic), atol=1e-12)


def test_points_with_equal_invariants_need_not_match():
    """Exchanging the outgoing weights of two nodes keeps every block's norms and entries, and is no symmetry."""
    group = square_group((2,))
    theta = np.random.default_rng(5).normal(size=group.layout.size)
    other = theta.copy()
    block = group.layout.weight(2)
    other[block.slice] = theta[block.slice].reshape(2, 2)[:, ::-1].ravel()
    np.testing.assert_allclose(group.fingerprint(theta), group.fingerprint(other))
    assert group.match(theta, other) is None
    assert all(not np.allclose(group.apply(g, theta), other) for g in every_element(group))


def test_a_wide_layer_is_matched_without_enumeration():
    """40 nodes have about 10^60 hidden symmetries."""
    layout, rng = Layout(widths=(2, 40, 2), bias=True), np.random.default_rng(6)
    group = SymmetryGroup.hidden_only(layout, Parity.ODD)
    basis = group.fixed_space([group.random_element(rng)])
    theta = basis @ rng.normal(size=basis.shape[1])
    image = group.apply(group.random_element(rng), theta)
    element = group.match(theta, image)
    assert element is not None
    np.testing.assert_allclose(group.apply(element, theta), image, atol=1e-12)


def test_fixed_space_has_the_dimension_that_characters_give():
    """dim Fix(g) is the mean of the trace over the powers of g."""
    group, rng = square_group((3,)), np.random.default_rng(7)
    for _ in range(20):
        element = group.random_element(rng)
        traces, power = [], element
        while True:
            index, sign = group.signed_permutation(power)
            traces.append(sign[index == np.arange(index.size)].sum())
            if power == group.identity:
                break
            power = group.compose(element, power)
        basis = group.fixed_space([element])
        assert basis.shape[1] == round(np.mean(traces))
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)


def test_gauge_directions_shift_all_outputs_alike():
    group, rng = square_group((3,)), np.random.default_rng(8)
    assert group.gauge.shape == (group.layout.size, 4)
    np.testing.assert_allclose(group.gauge.T @ group.gauge, np.eye(4), atol=1e-12)
    theta, x = rng.normal(size=group.layout.size), rng.normal(size=2)
    moved = theta + group.gauge @ rng.normal(size=4)
    change = network_output(group.layout, moved, x, np.tanh) - network_output(group.layout, theta, x, np.tanh)
    assert change[0] == pytest.approx(change[1])
    assert abs(change[0]) > 1e-3
