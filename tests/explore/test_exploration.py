"""Lists found, against known lists; and that they depend on nothing but the seed."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from math import comb

import numpy as np
import pytest

import symland
from symland.errors import ExplorationError
from symland.explore import Address, BatchResult, Campaign, Plan, connect, explore, run_batch, zero_extension
from symland.layout import Layout
from symland.records import Outcome
from tests.explore.landscapes import Wells, explored, no_symmetry, wells3, xor


def content(points):
    return [(p.index, p.orbit_size, p.loss, p.theta.tobytes()) for p in points]


def test_all_points_of_wells_are_found_at_their_index():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    wells = Wells(4, rotation=rotation)
    found = explore(wells, no_symmetry(4), until="morse, repeat 3, quiet 0.5")
    # Each coordinate is at one of two minima or at the maximum between them.
    assert found.completeness.counts.classes == tuple(comb(4, k) * 2 ** (4 - k) for k in range(5))
    assert found.completeness.counts.morse_sum == 1
    for point in found.points:
        y = wells.rotation @ point.theta
        np.testing.assert_allclose(np.abs(y), np.round(np.abs(y)), atol=1e-9)
        assert point.index == np.sum(np.abs(y) < 0.5)
        assert point.gradient_norm <= 1e-12
        assert point.outcome is Outcome.CONVERGED


XOR_TABLE = [
    ((1,), "1e-1", (1,), (1,)),
    ((1,), "1e-2", (4, 3), (9, 8)),
    ((1,), "1e-3", (4, 3), (9, 8)),
    ((2,), "1e-1", (1,), (1,)),
    ((2,), "1e-2", (4, 10, 6), (33, 88, 56)),
    ((2,), "1e-3", (5, 12, 7), (49, 108, 60)),
    ((2,), "1e-4", (5, 12, 7), (49, 108, 60)),
    ((3,), "1e-3", (5, 15, 26, 13), (217, 714, 908, 410)),
]


@pytest.mark.parametrize(("hidden", "penalty", "classes", "copies"), XOR_TABLE)
def test_the_xor_landscapes_of_the_reference_table_are_complete(hidden, penalty, classes, copies):
    kernel, _ = xor(hidden, penalty)
    found = explored(hidden, penalty)
    assert found.satisfied
    assert found.completeness.counts.classes == classes
    assert found.completeness.counts.copies == copies
    for point in found.points:
        spectrum = np.linalg.eigvalsh(kernel.hessian(point.theta[None])[0])
        assert point.index == np.sum(spectrum < 0)
        assert np.abs(kernel.gradient(point.theta[None])).max() <= 1e-12


def test_an_exploration_goes_on_where_lapack_gives_up_on_every_eigenvalue(monkeypatch):
    """On some finite matrices it does; nothing that explores or connects may ask it other than in the one place."""
    kernel, group = xor((1,), "1e-2")
    asked = []

    def give_up(*_, **__):
        asked.append(1)
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    with monkeypatch.context() as patched:
        patched.setattr(np.linalg, "eigh", give_up)
        patched.setattr(np.linalg, "eigvalsh", give_up)
        found = explore(kernel, group)
        connections = connect(kernel, group, found.points)
    assert asked
    assert found.completeness.counts.classes == (4, 3)
    assert found.completeness.counts.copies == (9, 8)
    assert len(connections.pathways) == 3


def test_losses_of_the_minima_are_those_of_the_reference():
    kernel, group = xor((2,), "1e-3")
    found = explore(kernel, group, seed=7)
    losses = [point.loss for point in found.points if point.index == 0]
    np.testing.assert_allclose(losses, [0.08355759, 0.09267319, 0.39909089, 0.41871217, 0.69314718], atol=6e-9)


def test_equal_losses_of_different_minima_do_not_make_one_class():
    """A permuted pair of wells: the minima (1, -1) and (-1, 1) have one loss and no symmetry joins them."""
    found = explore(Wells(2, tilt=0.1), no_symmetry(2), until="morse, repeat 3, quiet 0.5")
    losses = [round(point.loss, 9) for point in found.points if point.index == 0]
    assert len(losses) == 4
    assert len(set(losses)) == 3


def test_the_list_does_not_depend_on_workers_or_on_who_ends_first():
    plan = Plan(seed=3, searches=48, batches=3)
    rules = {"plan": plan, "until": "morse, repeat 3, quiet 0.5"}
    alone = explore(wells3(), no_symmetry(3), **rules)
    with ThreadPoolExecutor(3) as threads:
        threaded = explore(wells3(), no_symmetry(3), executor=threads, factory=wells3, **rules)
    with ProcessPoolExecutor(2) as processes:
        spread = explore(wells3(), no_symmetry(3), executor=processes, factory=wells3, **rules)
    assert content(alone.points) == content(threaded.points) == content(spread.points)
    assert alone.completeness == threaded.completeness == spread.completeness


def test_results_may_be_absorbed_in_any_order_within_a_round():
    plan, kernel, group = Plan(seed=1, searches=32, batches=4), wells3(), no_symmetry(3)
    forward, backward = (Campaign(kernel=kernel, group=group, plan=plan) for _ in range(2))
    for _ in range(3):
        for batch in forward.pending():
            forward.absorb(run_batch(kernel, group, batch))
        for batch in reversed(backward.pending()):
            backward.absorb(run_batch(kernel, group, batch))
    assert content(forward.points) == content(backward.points)
    assert forward.completeness() == backward.completeness()


def test_rounds_grow_with_what_came_before_and_every_batch_has_one_place():
    """4 + 4 + 4 + 4 + 4 + 5 + 6 + ...: a quarter of all before, and never fewer than asked for."""
    plan = Plan(batches=4)
    assert [plan.batches_in(r) for r in range(9)] == [4, 4, 4, 4, 4, 5, 6, 7, 9]
    addresses = [Address(round=r, number=n) for r in range(12) for n in range(plan.batches_in(r))]
    assert [plan.place(a) for a in addresses] == list(range(len(addresses)))


@pytest.mark.parametrize("stop_after", [1, 4, 7])
def test_a_run_that_was_cut_off_goes_on_to_the_same_end(stop_after):
    """Results pass through their stored form; the run is cut off in the middle of a round."""
    group, rules = no_symmetry(3), {"plan": Plan(seed=5, searches=12, batches=3), "max_searches": 125}
    whole: list[dict] = []
    unbroken = explore(wells3(), group, until="quiet 1e9", keep=lambda r: whole.append(r.payload()), **rules)
    stored: list[dict] = []

    class Killed(Exception):
        pass

    def keep(result: BatchResult) -> None:
        if len(stored) == stop_after:
            raise Killed
        stored.append(result.payload())

    with pytest.raises(Killed):
        explore(wells3(), group, until="quiet 1e9", keep=keep, **rules)
    resumed = explore(
        wells3(),
        group,
        until="quiet 1e9",
        stored=[BatchResult.from_payload(p) for p in stored],
        keep=lambda r: stored.append(r.payload()),
        **rules,
    )
    assert stored == whole
    assert content(resumed.points) == content(unbroken.points)
    assert resumed.completeness == unbroken.completeness


def test_zero_extended_points_are_found_again_as_they_are_given():
    small, _ = xor((1,), "1e-2")
    kernel, group = xor((2,), "1e-2")
    points = explored((1,), "1e-2").points
    given = zero_extension(Layout(widths=(2, 1, 2), bias=True), group.layout, np.array([p.theta for p in points]))
    np.testing.assert_allclose(kernel.value(given), [p.loss for p in points], rtol=1e-14)
    assert small.n_parameters == 7
    found = explore(kernel, group, given=given, plan=Plan(given=given, searches=1, batches=1), max_searches=1)
    known = {round(p.loss, 9) for p in found.points}
    assert {round(p.loss, 9) for p in points} <= known


def test_a_degenerate_valley_is_one_degenerate_class_and_no_index_is_claimed():
    """E = (|y|^2 - 1)^2 / 4: the circle of minima is one family."""

    class Circle(Wells):
        def value_gradient_hessian(self, theta):
            square = (theta**2).sum(1)
            outer = theta[:, :, None] * theta[:, None, :]
            hessian = 2.0 * outer + (square - 1.0)[:, None, None] * np.eye(theta.shape[1])
            return (square - 1.0) ** 2 / 4.0, (square - 1.0)[:, None] * theta, hessian

    found = explore(Circle(2), no_symmetry(2), until="quiet 1e9", max_searches=500)
    outcomes = [(p.outcome, p.index, p.nullity) for p in found.points]
    assert sorted(outcomes, key=str) == sorted([(Outcome.DEGENERATE, 0, 1), (Outcome.CONVERGED, 2, 0)], key=str)
    assert found.completeness.counts.degenerate == 1
    assert not found.satisfied


def test_the_verb_of_the_package_explores_whatever_was_imported_before():
    """`symland.explore` names a function and a package; it can be called either way."""
    for _ in range(2):
        found = symland.explore(wells3(), no_symmetry(3), plan=Plan(searches=4, batches=1), max_searches=1)
        assert found.points


def test_what_cannot_be_carried_out_is_refused():
    kernel, group = wells3(), no_symmetry(3)
    with pytest.raises(ExplorationError, match="clock"):
        explore(kernel, group, budget=1.0)
    with pytest.raises(ExplorationError, match="factory"), ThreadPoolExecutor(1) as threads:
        explore(kernel, group, executor=threads)
    with pytest.raises(ExplorationError, match="one specification"):
        explore(kernel, no_symmetry(4))
    with pytest.raises(ExplorationError, match="seed"):
        Plan(seed=-1)
    with pytest.raises(ExplorationError, match="max_index"):
        Plan(max_index=-1)


def test_a_budget_ends_a_run_by_the_clock_it_is_given():
    ticks = iter(range(1000))
    found = explore(
        wells3(),
        no_symmetry(3),
        until="quiet 1e9",
        budget=10.0,
        clock=lambda: float(next(ticks)),
        plan=Plan(searches=8, batches=2),
    )
    assert not found.satisfied
    assert 8 < found.completeness.searches < 100
