"""Newton trajectories: where they lead, and that parity alternates along them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from symland.explore import Address, Batch, Plan, campaign, explore, run_batch
from symland.explore.identify import Catalogue
from symland.explore.newton import newton
from symland.explore.searches import search
from symland.explore.starts import Method, StartKind, along, along_symmetric, between
from symland.explore.trajectories import follow_trajectories
from tests.explore.landscapes import Wells, no_symmetry, xor


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@cache
def some_points():
    """A short list of XOR with two nodes."""
    kernel, group = xor((2,), "1e-2")
    return kernel, group, explore(kernel, group, until="repeat 1", max_searches=400).points


def test_of_two_batches_one_follows_the_trajectories_of_both(monkeypatch):
    """And what is left alone, in a round of three batches, does all of its own work."""
    made = []

    def record(wave):
        made[-1] += [wave.method is Method.TRAJECTORY] * len(wave.start)
        return search(wave)

    kernel, group = xor((1,), "1e-2")
    plan = Plan(searches=60, batches=3)
    known = explore(kernel, group).points
    monkeypatch.setattr(campaign, "search", record)
    for number in range(3):
        made.append([])
        run_batch(
            kernel,
            group,
            Batch(address=Address(round=1, number=number), plan=plan, known=known, tallies=(1,) * len(known)),
        )
    assert [(sum(part), len(part)) for part in made] == [(24, 24), (0, 96), (12, 60)]


def test_crossings_are_near_stationary_points_and_their_indices_alternate_in_parity(rng):
    """In three wells the stationary points are {-1, 0, 1}^3 and the index is the number of zeros."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    start = np.tile(rotation.T @ np.array([1.0, 0.0, -1.0]), (40, 1))
    crossings = follow_trajectories(Wells(3, rotation=rotation), start, rng.normal(size=(40, 3)), length=0.1)
    ends = crossings.theta @ rotation.T
    corners = np.round(ends)
    assert np.abs(ends - corners).max() < 0.05
    assert set(np.unique(corners)) == {-1.0, 0.0, 1.0}
    index = (corners == 0.0).sum(axis=1)
    longest = 0
    for lane in range(40):
        parity = np.concatenate(([1], index[crossings.lane == lane])) % 2
        assert np.all(np.diff(parity) != 0)
        longest = max(longest, len(parity) - 1)
    assert longest >= 4


def test_the_gradient_keeps_its_direction_up_to_every_crossing(rng):
    """On either side of a crossing the curve runs along H^{-1} r; the crossing lies on it."""
    kernel, group, known = some_points()
    wave = along(kernel, group, rng, 30, known, [0] * len(known))
    crossings = follow_trajectories(wave.space, wave.start, wave.direction, length=0.02)
    gradient = wave.space.gradient(crossings.theta)
    direction = wave.direction[crossings.lane]
    across = gradient - (gradient * direction).sum(1, keepdims=True) / (direction**2).sum(1, keepdims=True) * direction
    assert len(gradient) > 10
    # A chord of length h errs by h^2 / 8 times the curvature, which the Hessian carries to the gradient.
    assert np.abs(across).max() < 1e-3 * np.abs(wave.space.hessian(crossings.theta)).max()


def test_trajectories_reach_every_class_of_xor_from_the_origin_alone(rng):
    kernel, group = xor((2,), "1e-2")
    catalogue = Catalogue(kernel, group)
    catalogue.add(np.zeros((1, kernel.n_parameters)))
    for _ in range(12):
        known = catalogue.points
        wave = along(kernel, group, rng, 32, known, [0] * len(known))
        catalogue.add(wave.space.lift(search(wave)[0]))
    by_index = np.bincount([point.index for point in catalogue.points])
    assert by_index.tolist() == [4, 10, 6]


def test_a_bowl_is_left_without_a_crossing():
    class Bowl(Wells):
        def value_gradient_hessian(self, theta):
            self.points_evaluated += len(theta)
            return (theta**2).sum(1) / 2.0, theta, np.broadcast_to(np.eye(2), (len(theta), 2, 2))

    bowl = Bowl(2)
    assert not len(follow_trajectories(bowl, np.zeros((1, 2)), np.ones((1, 2))).lane)
    assert bowl.points_evaluated < 100


def test_a_singular_hessian_ends_its_own_trajectory_and_no_other():
    """E is flat in y at the first start: nothing is followed there, and the second start still crosses its points."""

    class Half(Wells):
        def value_gradient_hessian(self, theta):
            value, gradient, hessian = super().value_gradient_hessian(theta)
            flat = theta[:, 0] < -50.0
            gradient[flat], hessian[flat] = 0.0, 0.0
            return value, gradient, hessian

    start = np.array([[-100.0, 0.0], [1.0, 1.0]])
    lanes = follow_trajectories(Half(2), start, np.array([[1.0, 0.3], [-1.0, -0.3]])).lane
    assert set(lanes.tolist()) == {1}


def test_a_trajectory_is_as_many_searches_as_it_crosses_points(rng):
    kernel, group, known = some_points()
    wave = along(kernel, group, rng, 20, known, [0] * len(known))
    ends, lanes, failed = search(wave)
    assert wave.method is Method.TRAJECTORY
    assert len(ends) == len(lanes)
    assert len(ends) + failed >= 20
    assert np.abs(wave.space.gradient(ends)).max() <= 1e-12


def test_starts_between_lie_on_lines_through_copies_of_two_known_points(rng):
    wells, group = Wells(3, tilt=0.1), no_symmetry(3)
    known = explore(wells, group, until="repeat 1", max_searches=400).points
    wave = between(wells, group, rng, 50, 3, known, [0] * len(known))
    assert wave.kind is StartKind.BETWEEN
    for start, (one, other), index in zip(wave.start, wave.source, wave.index, strict=True):
        a, b = known[one].theta, known[other].theta
        offset, line = start - a, b - a
        share = offset @ line / max(line @ line, 1e-300)
        assert -0.5 <= share <= 1.5
        np.testing.assert_allclose(offset, share * line, atol=1e-12)
        assert 0 <= index <= 3
    _, converged = newton(wave.space, wave.start)
    assert converged.any()


def test_trajectories_within_a_symmetric_subspace_end_at_symmetric_points_of_the_whole_landscape(rng):
    """Followed in coordinates of the whole space, for long, and yet no curve leaves what its symmetries fix."""
    kernel, group, known = some_points()
    wave = along_symmetric(kernel, group, rng, 24, known, [0] * len(known), spaces=3)
    assert len(wave.start) == 24
    assert wave.space.n_parameters == along(kernel, group, rng, 1, known, [0] * len(known)).space.n_parameters
    ends, lanes, _ = search(wave)
    theta = wave.space.lift(ends)
    assert len(theta) > 5
    assert np.abs(kernel.gradient(theta)).max() < 1e-11
    for point, lane in zip(theta, lanes, strict=True):
        start, r = (wave.space.lift(y[lane][None])[0] for y in (wave.start, wave.direction))
        fixing = [
            g for g in group.stabiliser(start)[1] if np.abs(group.apply(g, r) - r).max() < 1e-12 * np.abs(r).max()
        ]
        assert fixing
        assert max(np.abs(group.apply(g, point) - point).max() for g in fixing) < 1e-10
