"""The reduced problem: what it takes, its symmetries, and its known points."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from symland.datasets import make_data
from symland.errors import CertificateError, SpecError
from symland.rigor.enumeration import known as known_module
from symland.rigor.enumeration.known import (
    EXISTENCE_RADIUS,
    LARGEST_RADIUS,
    KnownClass,
    KnownPoints,
    _same,
    certify_known,
    image,
    known_copies,
    krawczyk,
    prove_known,
    reduce_theta,
    residuals,
    system,
)
from symland.rigor.enumeration.problem import (
    ReducedProblem,
    fundamental_orders,
    outward,
    reduced_problem,
)
from symland.spec import LandscapeSpec, Penalised, builtin
from tests.rigor.reduced import XOR, hundredth, pulls


def _spec(rows: list[list[Any]], labels: list[int]) -> LandscapeSpec:
    data = make_data("own", [[str(cell) for cell in row] for row in rows], labels, classify=True)
    return builtin("xor").with_(data=data, hidden=(2,), penalty="1e-2")


def _problem(name: str = "xor", nodes: int = 2, penalty: str = "1e-2") -> ReducedProblem:
    return reduced_problem(builtin(name).with_(hidden=(nodes,), penalty=penalty))


def test_the_reduced_problem_has_the_data_and_the_scale() -> None:
    problem = _problem("xor-pm", 3, "3/100")
    assert problem.design == ((-1.0, -1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 1.0))
    assert problem.labels == (-1, 1, 1, -1)
    assert (problem.samples, problem.inputs, problem.nodes) == (4, 3, 3)
    assert problem.scale == Fraction(25, 3)
    assert reduced_problem(builtin("xor").with_(penalty="1e-2", activation=" tanh(z)")).inputs == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hidden": (2, 2)}, "network"),
        ({"activation": "sin"}, "network"),
        ({"penalty": "0"}, "loss.penalty"),
        ({"penalised": Penalised.WEIGHTS}, "loss.penalty"),
        ({"bias": False}, "loss"),
        ({"outputs": 3}, "loss"),
        ({"data": builtin("iris").data, "outputs": 3}, "loss"),
    ],
)
def test_questions_outside_the_theorems_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError, match=f"^{field}:"):
        reduced_problem(builtin("xor").with_(penalty="1e-2").with_(**change))


def test_data_outside_the_theorems_are_refused() -> None:
    for rows, labels, field in (
        ([["1/3", 0], [0, 1], [1, 0]], [0, 1, 1], "data.inputs"),
        ([[0, 0], [0, 1], [0, 0]], [0, 1, 1], "data.inputs"),
        ([[0, 0, 0, 1], [0, 1, 1, 0]], [0, 1], "data"),
        ([[k, 0] for k in range(9)], [0, 1] * 4 + [0], "data"),
    ):
        with pytest.raises(SpecError, match=f"^{field}:"):
            reduced_problem(_spec(rows, labels))
    assert reduced_problem(_spec([[k, 0] for k in range(8)], [0, 1] * 4)).samples == 8
    assert reduced_problem(_spec([[0, 0, 1], [0, 1, 1]], [0, 1])).inputs == 4


@pytest.mark.parametrize("name", ["xor", "xor-pm", "parity3"])
def test_the_symmetries_map_the_data_to_themselves_and_are_all(name: str) -> None:
    problem = _problem(name)
    rows, labels = np.array(problem.design), np.array(problem.labels)
    for g in problem.group:
        assert np.array_equal(rows[list(g.order)], rows[:, list(g.places)] * g.signs)
        assert np.array_equal(labels[list(g.order)], g.sign * labels)
        assert (g.places[-1], g.signs[-1]) == (rows.shape[1] - 1, 1)
    first = problem.group[0]
    assert first.order == tuple(range(len(rows)))
    assert (first.places, first.signs, first.sign) == (tuple(range(rows.shape[1])), (1,) * rows.shape[1], 1)
    assert len({(g.order, g.sign) for g in problem.group}) == len(problem.group)
    # Without a sign among inputs 0 and 1 only the inputs' order is free.
    assert len(problem.group) == {"xor": 2, "xor-pm": 8, "parity3": 6}[name]


def test_a_symmetry_may_exchange_the_labels() -> None:
    problem = reduced_problem(_spec([[-1, 0], [1, 0], [0, 2]], [0, 1, 1]))
    assert [(g.order, g.sign) for g in problem.group] == [((0, 1, 2), 1)]
    flipped = reduced_problem(_spec([[-1, 0], [1, 0]], [0, 1]))
    assert {(g.order, g.sign) for g in flipped.group} == {((0, 1), 1), ((1, 0), -1)}


@pytest.mark.parametrize("name", ["xor", "xor-pm", "parity3"])
def test_every_orbit_of_residuals_has_a_member_in_the_fundamental_domain(name: str) -> None:
    problem = _problem(name)
    pairs = fundamental_orders(problem.group)
    rng = np.random.default_rng(0)
    for _ in range(100):
        q = rng.random(problem.samples)
        images = []
        for g in problem.group:
            moved = np.empty_like(q)
            moved[list(g.order)] = q
            images.append(moved)
        fits = [all(moved[b] >= moved[d] for b, d in pairs) for moved in images]
        # The labels of a sample may be told apart, so one image of generic residuals is left.
        assert sum(fits) == len({tuple(m) for m, fit in zip(images, fits, strict=True) if fit})
        assert len({tuple(m) for m, fit in zip(images, fits, strict=True) if fit}) == 1
    expected = {"xor": ((1, 2),), "xor-pm": ((0, 1), (0, 2), (0, 3), (1, 2))}
    assert name not in expected or pairs == expected[name]


def test_rationals_are_held_by_doubles_around_them() -> None:
    low, high = outward(Fraction(1, 3))
    assert low < 1 / 3 < high
    assert Fraction(low) < Fraction(1, 3) < Fraction(high)
    assert high - low <= 2.0**-53


# Known points -------------------------------------------------------------------------------------------------------


def test_parameters_are_reduced_to_differences_with_outputs_that_are_not_negative() -> None:
    problem = _problem(nodes=2)
    theta = np.arange(1.0, 13.0)
    theta[4:8] = [5, 8, 9, 7]
    states, bias = reduce_theta(problem, theta)
    # v = W2[1] - W2[0] = (9 - 5, 7 - 8); the second node is turned.
    assert states.tolist() == [[1, 2, 9, 4], [-3, -4, -10, 1]]
    assert bias == 1.0
    with pytest.raises(CertificateError, match="shape \\(11,\\), this network has 12"):
        reduce_theta(problem, theta[:-1])


def _plain_system(z: list[Any], nodes: int, penalty: Any, rows: np.ndarray, labels: Any) -> tuple[list[Any], list[Any]]:
    """F of the docstring and P, in mpmath."""
    m = rows.shape[1]
    kappa = 1 / (penalty * len(rows))
    u = [z[j * (m + 1) : j * (m + 1) + m] for j in range(nodes)]
    v = [z[j * (m + 1) + m] for j in range(nodes)]
    a = [[sum(c * w for c, w in zip(row, uj, strict=True)) for row in rows.tolist()] for uj in u]
    pulls = []
    for d, sign in enumerate(labels):
        logit = sum((v[j] * mpmath.tanh(a[j][d]) for j in range(nodes)), z[-1])
        pulls.append(sign * kappa / (1 + mpmath.exp(sign * logit)))
    value = []
    for j in range(nodes):
        for k in range(m):
            value.append(
                2 * u[j][k] - v[j] * sum(pulls[d] * mpmath.sech(a[j][d]) ** 2 * rows[d, k] for d in range(len(rows)))
            )
        value.append(v[j] - sum(pulls[d] * mpmath.tanh(a[j][d]) for d in range(len(rows))))
    return [*value, z[-1] - sum(pulls)], pulls


@pytest.mark.parametrize(("name", "nodes"), [("xor", 1), ("xor-pm", 2), ("parity3", 2)])
def test_the_system_and_its_jacobian_are_those_of_the_theorem(name: str, nodes: int) -> None:
    problem = _problem(name, nodes, "3e-2")
    rng = np.random.default_rng(1)
    size = nodes * (problem.inputs + 1) + 1
    z = rng.normal(size=size)
    ctx.prec = 200
    value, slopes = system(problem, [arb(float(x)) for x in z])
    found = residuals(problem, [arb(float(x)) for x in z])
    with mpmath.workdps(40):
        rows, penalty = np.array(problem.design), mpmath.mpf(3) / 100
        exact = [mpmath.mpf(float(x)) for x in z]
        wanted, pulls = _plain_system(exact, nodes, penalty, rows, problem.labels)
        assert len(value) == len(wanted) == size
        for a, b in zip([*value, *found], [*wanted, *pulls], strict=True):
            assert abs(float(a) - float(b)) < 1e-13
        step = mpmath.mpf(10) ** -15
        for i in range(size):
            ahead = [x + step * (i == k) for k, x in enumerate(exact)]
            behind = [x - step * (i == k) for k, x in enumerate(exact)]
            up, _ = _plain_system(ahead, nodes, penalty, rows, problem.labels)
            down, _ = _plain_system(behind, nodes, penalty, rows, problem.labels)
            for k in range(size):
                assert abs(float(slopes[k][i]) - float((up[k] - down[k]) / (2 * step))) < 1e-11


def test_images_under_the_symmetries_are_solutions_again() -> None:
    problem = _problem("xor-pm", 1)
    rng = np.random.default_rng(2)
    states, bias = np.abs(rng.normal(size=(1, 4))), 0.7
    ctx.prec = 100
    value = [float(x) for x in system(problem, [arb(float(x)) for x in [*states.ravel(), bias]])[0]]
    pulls = [float(x) for x in residuals(problem, [arb(float(x)) for x in [*states.ravel(), bias]])]
    for g in problem.group:
        moved, gamma = image(g, states, bias)
        assert (moved[:, -1] >= 0).all()
        z = [arb(float(x)) for x in [*moved.ravel(), gamma]]
        assert np.abs([float(x) for x in system(problem, z)[0]]) == pytest.approx(
            np.abs(np.array(value))[[*(g.places), 3, 4]]
        )
        found = [float(x) for x in residuals(problem, z)]
        assert [found[k] for k in g.order] == pytest.approx([g.sign * p for p in pulls])


def test_a_cube_is_proved_up_to_the_next_solution_and_no_further() -> None:
    problem = _problem("xor", 1)
    point = max(hundredth(1), key=lambda x: np.abs(x).max())
    states, bias = reduce_theta(problem, point)
    found = certify_known(problem, states, bias, 4)
    assert found is not None
    assert found.number == 4
    assert np.abs(found.centre - states).max() < 1e-9
    assert abs(found.bias - bias) < 1e-9
    centre = [*found.centre.ravel(), found.bias]
    assert krawczyk(problem, centre, found.radius)
    assert found.radius == LARGEST_RADIUS or not krawczyk(problem, centre, 2 * found.radius)
    assert math.log2(found.radius).is_integer()
    assert found.radius >= 2.0**-10
    assert not krawczyk(problem, [math.nan] * 5, found.radius)
    # An image that touches the cube's edge does not lie in its interior: the origin in a cube of edge 0.
    assert not krawczyk(_problem("xor", 1, "1e-1"), [0.0] * 5, 0.0)
    # A cube beside the solution has none, and one that ends at it is not mapped inside.
    for move in (3 * found.radius, found.radius * 1.01):
        assert not krawczyk(problem, [centre[0] + move, *centre[1:]], found.radius)
    assert certify_known(problem, states, bias, 4, 1e-18) is None
    assert certify_known(problem, states + 0.003, bias, 4) is not None
    assert certify_known(problem, states + 0.2, bias, 4) is None
    assert certify_known(problem, states, bias + 0.5, 4) is None
    assert certify_known(problem, np.full((1, 4), np.nan), bias, 4) is None


def test_krawczyk_takes_the_sum_of_absolute_values() -> None:
    """It passes while |I - C J| (r, ..., r) + |C F| < r row by row, J over the cube and C the inverse at its centre."""
    problem = _problem("xor", 1)
    ctx.prec = 128
    for point in hundredth(1):
        states, bias = reduce_theta(problem, point)
        centre = [*states.ravel(), bias]
        value, at = system(problem, [arb(float(c)) for c in centre])
        inverse = np.linalg.inv([[float(x) for x in row] for row in at])
        step = np.abs(inverse @ [float(v) for v in value])

        def passes(radius: float, centre: list[float] = centre, inverse: Any = inverse, step: Any = step) -> bool:
            _, cube = system(problem, [arb(float(c), radius) for c in centre])
            low = np.array([[float(x.lower()) for x in row] for row in cube])
            high = np.array([[float(x.upper()) for x in row] for row in cube])
            rest = np.abs(np.eye(5) - inverse @ ((low + high) / 2)) + np.abs(inverse) @ ((high - low) / 2)
            return bool((rest.sum(axis=1) * radius + step < radius).all())

        low, high = 2.0**-20, 1.0
        while high > low * (1 + 1e-7):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if passes(middle) else (low, middle)
        assert krawczyk(problem, centre, low * (1 - 1e-6))
        assert not krawczyk(problem, centre, high * (1 + 1e-6))


def test_uniqueness_radii_have_limits() -> None:
    for radius in (0.0, -1.0, 2 * LARGEST_RADIUS, math.nan):
        with pytest.raises(CertificateError, match="uniqueness radius"):
            KnownClass(centre=np.zeros((1, 4)), bias=0.0, radius=radius, number=0)
    kept = KnownClass(centre=np.zeros((1, 4)), bias=0.0, radius=LARGEST_RADIUS, number=0)
    with pytest.raises(ValueError, match="read-only"):
        kept.centre[0, 0] = 1


def _class(centre: Any, bias: float, radius: float, number: int = 0) -> KnownClass:
    return KnownClass(centre=np.array(centre, dtype=float), bias=bias, radius=radius, number=number)


def classes(pool: KnownPoints, *boxes: np.ndarray) -> list[int]:
    """The classes of the copies that hold boxes, -1 where none does."""
    copies = pool.holders(*boxes)
    return [int(pool.numbers[copy]) if copy >= 0 else -1 for copy in copies]


def test_a_box_is_held_by_the_copy_that_it_lies_in_whatever_the_order_of_nodes() -> None:
    problem = _problem("xor", 2)
    near = _class([[1, 2, 3, 4], [5, 6, 7, 8]], 0.5, 0.125, 3)
    far = _class([[-1, -2, -3, 9], [5, 6, 7, 8]], -0.5, 0.0625, 8)
    pool = known_copies(problem, (near, far))
    assert len(pool.centres) == 4
    assert pool.numbers.tolist() == [3, 3, 8, 8]
    assert pool.radii.tolist() == [0.125, 0.125, 0.0625, 0.0625]
    assert pool.classes == (near, far)
    # The swap of the inputs exchanges the first two weights of every node.
    assert sorted(map(tuple, pool.centres[:2].reshape(2, -1).tolist())) == [
        (1, 2, 3, 4, 5, 6, 7, 8), (2, 1, 3, 4, 6, 5, 7, 8)]  # fmt: skip

    def held(states: Any, bias: float, reach: float, slab: float) -> int:
        low, high = np.array(states, dtype=float)[:, :, None] - reach, np.array(states, dtype=float)[:, :, None] + reach
        return classes(pool, low, high, np.array([bias - slab]), np.array([bias + slab]))[0]

    assert held(near.centre, 0.5, 0.1, 0.1) == 3
    assert held(near.centre[::-1], 0.5, 0.1, 0.1) == 3
    assert held(near.centre[:, [1, 0, 2, 3]], 0.5, 0.1, 0.1) == 3
    assert held(far.centre, -0.5, 0.06, 0.06) == 8
    twin = known_copies(problem, (near, _class(far.centre, 0.5, 0.0625, 8)))
    low, high = far.centre[:, :, None] - 0.03, far.centre[:, :, None] + 0.03
    assert classes(twin, low, high, np.array([0.49]), np.array([0.51])) == [8]
    assert held(far.centre, -0.5, 0.1, 0.06) == -1
    assert held(far.centre, -0.5, 0.06, 0.1) == -1
    # Each end counts, of each coordinate and of the bias.
    for reach, slab, inside in ((0.12, 0.12, 3), (0.125, 0.12, -1), (0.12, 0.125, -1)):
        assert held(near.centre, 0.5, reach, slab) == inside
    for row, column in np.ndindex(2, 4):
        for move in (0.03, -0.03):
            moved = near.centre.copy()
            moved[row, column] += move
            assert held(moved, 0.5, 0.09, 0.1) == 3
            assert held(moved, 0.5, 0.1, 0.1) == -1
    for move in (0.03, -0.03):
        assert held(near.centre, 0.5 + move, 0.1, 0.09) == 3
        assert held(near.centre, 0.5 + move, 0.1, 0.1) == -1
    # A box that ends where the proved cube ends is not inside it, whatever the rounding.
    inner = np.stack([near.centre - 0.1, near.centre + 0.1])
    slab = np.array([0.4, 0.6])
    for side, step in ((0, -0.125), (1, 0.125)):
        for row, column in np.ndindex(2, 4):
            box = inner.copy()
            box[side, row, column] = near.centre[row, column] + step
            assert pool.holders(box[0][..., None], box[1][..., None], slab[:1], slab[1:]).tolist() == [-1]
        edge = slab.copy()
        edge[side] = 0.5 + step
        assert pool.holders(inner[0][..., None], inner[1][..., None], edge[:1], edge[1:]).tolist() == [-1]
    # One node of each copy does not do.
    assert held([near.centre[0], [6, 5, 7, 8]], 0.5, 0.1, 0.1) == -1
    assert held([near.centre[0], near.centre[0]], 0.5, 0.1, 0.1) == -1
    boxes, biases = np.stack([near.centre, far.centre, near.centre + 1], axis=2), np.array([0.5, -0.5, 0.5])
    assert classes(pool, boxes, boxes, biases, biases) == [3, 8, -1]
    assert known_copies(problem, ()).centres.shape == (0, 2, 4)
    assert known_copies(problem, ()).holders(boxes, boxes, biases, biases).tolist() == [-1, -1, -1]


def test_distances_are_to_the_nearest_copy_whatever_the_order_of_nodes() -> None:
    problem = _problem("xor", 2)
    a = _class([[1, 2, 3, 4], [5, 6, 7, 8]], 0.5, 0.1, 0)
    b = _class([[-9, 0, 3, 1], [0, 0, 0, 1]], 0.0, 0.1, 1)
    pool = known_copies(problem, (b, a))
    for order in permutations(range(2)):
        for columns in ([0, 1, 2, 3], [1, 0, 2, 3]):
            moved = a.centre[list(order)][:, columns]
            assert pool.distance(_class(moved, 0.5, 0.1)) == 0
            away = np.array([[0.25, 0, 0, 0], [0, 0, -0.5, 0]])
            assert pool.distance(_class(moved + away, 0.5, 0.1)) == 0.5
            assert pool.distance(_class(moved, 0.75, 0.1)) == 0.25
    assert known_copies(problem, ()).distance(a) == math.inf


def test_points_of_one_class_are_one_and_points_of_two_are_two() -> None:
    problem = _problem("xor", 2)
    a = _class([[1, 2, 3, 4], [5, 6, 7, 8]], 0.5, 2.0**-5, 0)
    turned = _class([[6, 5, 7, 8], [2, 1, 3, 4]], 0.5, 2.0**-5, 1)
    assert _same(problem, a, a)
    assert _same(problem, a, turned)
    step = 2.0**-5
    for beside in (0.9 * step, -0.9 * step):
        assert _same(problem, a, _class(a.centre + beside, 0.5 + beside, step))
    for beside in (1.1 * step, -1.1 * step):
        assert not _same(problem, a, _class(a.centre + beside, 0.5, step))
        assert not _same(problem, a, _class(a.centre, 0.5 + beside, step))
    # The tiny box about the second point must lie inside, too.
    away = np.zeros((2, 4))
    away[0, 0] = step - EXISTENCE_RADIUS / 2
    for side in (1, -1):
        assert not _same(problem, a, _class(a.centre + side * away, 0.5, step))
    edge = _class(a.centre, 0.5 + step - EXISTENCE_RADIUS / 2, step)
    assert not _same(problem, a, edge)
    edge = _class(a.centre, 0.5 - step + EXISTENCE_RADIUS / 2, step)
    assert not _same(problem, a, edge)


def test_a_list_is_proved_one_of_each_class_and_the_rest_named() -> None:
    problem = _problem("xor", 1)
    points = hundredth(1)
    swapped = [p[[1, 0, 2, 3, 4, 5, 6]] for p in points]
    given = [points[0], np.full(7, 0.3), *swapped, *points[1:]]
    known, failed = prove_known(problem, given)
    assert failed == (1,)
    assert len(known.classes) == 7
    assert [c.number for c in known.classes] == [0, *range(3, 9)]
    assert len(known.centres) == 14
    for c in known.classes:
        states, _ = reduce_theta(problem, given[c.number])
        assert np.abs(c.centre - states).max() < 1e-9
        h = np.tanh(XOR @ c.centre[0, :3])
        pull = pulls(c.centre, c.bias)
        assert c.centre[0, 3] == pytest.approx(pull @ h, abs=1e-12)
        assert c.centre[0, :3] * 2 == pytest.approx(c.centre[0, 3] * XOR.T @ (pull * (1 - h**2)), abs=1e-12)
        assert c.bias == pytest.approx(pull.sum(), abs=1e-11)


def test_a_node_at_zero_is_put_there_and_proved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _problem("xor", 2, "1e-1")
    (origin,) = prove_known(problem, [np.full(12, 1e-9)])[0].classes
    assert not origin.centre.any()
    one = max(hundredth(1), key=lambda x: np.abs(x).max())
    states, bias = reduce_theta(_problem("xor", 1), one)
    # A class of one node in the wider network, its second node zero up to rounding, below the axis.
    wide = np.vstack([states, [[1e-14, -2e-14, 1e-15, 1e-15]]])
    monkeypatch.setattr(known_module, "NEWTON_STEPS", 0)
    found = certify_known(_problem("xor", 2), wide, bias, 0)
    assert found is not None
    assert not found.centre[1].any()
    assert np.abs(found.centre[0] - states[0]).max() < 1e-9
    assert krawczyk(_problem("xor", 2), [*found.centre.ravel(), found.bias], found.radius)
    # Where the moved cube is not proved, nothing is.
    calls: list[Any] = []
    for passes in (2, 3):
        calls.clear()

        def some(*args: Any, passes: int = passes) -> bool:
            calls.append(args)
            return len(calls) <= passes

        monkeypatch.setattr(known_module, "krawczyk", some)
        assert certify_known(_problem("xor", 2), wide, bias, 0) is None
        assert len(calls) == passes + 1
    assert [radius for _, _, radius in calls] == [
        LARGEST_RADIUS,
        EXISTENCE_RADIUS,
        LARGEST_RADIUS / 2,
        EXISTENCE_RADIUS,
    ]
    assert calls[2][1][4:8] == [0.0] * 4
