"""From each transition state down both sides: which stationary points it connects, and by which group elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symland.explore.flow import gradient_flow
from symland.explore.identify import Catalogue
from symland.explore.newton import newton
from symland.explore.protocol import Kernel
from symland.explore.starts import free_space
from symland.explore.tolerances import DESCENT_STEPS, FLOW_STEPS, PUSHOFF
from symland.machine.spectra import ordered_spectra
from symland.records import Descent, FloatArray, Outcome, Pathway, StationaryPoint
from symland.symmetry import GroupElement, SymmetryGroup

__all__ = ["Connections", "LostBranch", "connect", "pathways", "unstable_direction"]


STATES_AT_ONCE = 32
"""Transition states that are followed in lock step; after so many the pathways are handed to be kept."""

FIRST_STEPS = 400
"""Steps of the flow after which a slow branch waits for the others; then it goes on with twice as many, and so on."""


@dataclass(frozen=True, kw_only=True)
class LostBranch:
    """A branch that did not reach a stationary point."""

    transition_state: int
    sign: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class Connections:
    """The pathways of a list of classes.

    Attributes
    ----------
    points : tuple of StationaryPoint
        The classes given, then classes that only the pathways found; there should be none.
    pathways : tuple of Pathway
        One for each transition state both of whose branches arrived; several may join the same two ends, and both
        ends may be of one class. An end may be a saddle, where the whole branch lies in a symmetric subspace.
    lost : tuple of LostBranch
    descents : tuple of Descent
        Where a branch ended on a saddle of index 2 or more, what lies downhill of it along its unstable directions.
        Below the transition state's loss the saddle belongs to the basins of these ends.
    """

    points: tuple[StationaryPoint, ...]
    pathways: tuple[Pathway, ...]
    lost: tuple[LostBranch, ...]
    descents: tuple[Descent, ...] = ()

    def ends_on_saddle(self, pathway: Pathway) -> bool:
        """Whether a branch ends at a point that is not a minimum."""
        return self.points[pathway.minus].index > 0 or self.points[pathway.plus].index > 0


def unstable_direction(kernel: Kernel, point: StationaryPoint) -> FloatArray:
    """Unit eigenvector (P,) of the lowest eigenvalue, its (first) component of largest size positive."""
    vector = ordered_spectra(kernel.hessian(point.theta[None]))[1][0, :, 0]
    size = np.abs(vector)
    leading = np.flatnonzero(size >= (1.0 - 1e-6) * size.max())[0]
    return vector * np.sign(vector[leading])


def connect(
    kernel: Kernel,
    group: SymmetryGroup,
    points: Sequence[StationaryPoint],
    *,
    known: Sequence[Pathway] = (),
    lost: Sequence[LostBranch] = (),
    keep: Callable[[Sequence[Pathway], Sequence[LostBranch]], None] = lambda pathways, lost: None,
    progress: Callable[[str, int, int], None] = lambda note, done, total: None,
) -> Connections:
    """Follow the gradient flow from both sides of every transition state among `points`.

    A branch starts at theta + s v, with v the unstable direction, in the subspace that the common symmetries of theta
    and v fix; the flow never leaves it, and neither may rounding errors. Its end is polished by Newton's method and
    identified up to symmetry.

    Parameters
    ----------
    known, lost : sequences of Pathway and LostBranch
        What was found before: the transition states of pathways that carry group elements, and those of lost branches,
        are not followed again.
    keep : callable
        Takes all pathways and lost branches so far, after every `STATES_AT_ONCE` transition states.
    progress : callable
        Is told before these how many of how many transition states are done.
    """
    catalogue = Catalogue(kernel, group, points)
    states = [
        number for number, point in enumerate(points) if point.index == 1 and point.outcome is not Outcome.DEGENERATE
    ]
    there = set(states)
    found = {path.transition_state: path for path in known if path.transition_state in there and _carried(path)}
    gone: dict[int, list[LostBranch]] = {}
    for branch in lost:
        if branch.transition_state in there:
            gone.setdefault(branch.transition_state, []).append(branch)
    waiting = [
        _branches(kernel, group, number, points[number])
        for number in states
        if number not in found and number not in gone
    ]
    steps, used = min(FIRST_STEPS, FLOW_STEPS), 0
    while waiting:
        slow: list[tuple[_Branch, _Branch]] = []
        for start in range(0, len(waiting), STATES_AT_ONCE):
            progress("transition states", len(found.keys() | gone.keys()), len(states))
            part = _advanced(kernel, waiting[start : start + STATES_AT_ONCE], steps)
            last = used + steps == FLOW_STEPS
            ended = [pair for pair in part if last or all(branch.outcome is not Outcome.BUDGET for branch in pair)]
            slow += [pair for pair in part if pair not in ended]
            for outcome in _filed(kernel, group, catalogue, ended):
                if isinstance(outcome, Pathway):
                    found[outcome.transition_state] = outcome
                else:
                    gone.setdefault(outcome.transition_state, []).append(outcome)
            keep(_in_order(found), _joined(gone))
        waiting, used = slow, used + steps
        steps = min(2 * steps, FLOW_STEPS - used)
    pathways = _in_order(found)
    descents = _descents(kernel, group, catalogue, {k for path in pathways for k in (path.minus, path.plus)})
    return Connections(
        points=catalogue.points,
        pathways=pathways,
        lost=_joined(gone),
        descents=descents,
    )


def _in_order(found: dict[int, Pathway]) -> tuple[Pathway, ...]:
    return tuple(found[number] for number in sorted(found))


def _joined(gone: dict[int, list[LostBranch]]) -> tuple[LostBranch, ...]:
    return tuple(branch for number in sorted(gone) for branch in gone[number])


def _carried(path: Pathway) -> bool:
    """Whether both ends are known with the group elements that lead to them."""
    return path.minus_element is not None and path.plus_element is not None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Branch:
    """One side of a transition state: where the flow has come to, and the subspace that it does not leave."""

    state: int
    sign: int
    theta: FloatArray
    projector: FloatArray
    outcome: Outcome = Outcome.BUDGET


def _branches(kernel: Kernel, group: SymmetryGroup, number: int, point: StationaryPoint) -> tuple[_Branch, _Branch]:
    """Both sides of a transition state, pushed off."""
    direction = unstable_direction(kernel, point)
    pair = []
    for sign in (-1, 1):
        # The pushed point has the symmetries of both; a large push tells them apart from rounding.
        _, symmetries = group.stabiliser(point.theta + sign * direction)
        basis = group.fixed_space(symmetries)
        theta = point.theta + sign * PUSHOFF * direction
        pair.append(_Branch(state=number, sign=sign, theta=theta, projector=basis @ basis.T))
    return pair[0], pair[1]


def _advanced(kernel: Kernel, pairs: Sequence[tuple[_Branch, _Branch]], steps: int) -> list[tuple[_Branch, _Branch]]:
    """The branches after so many steps more; one that has ended stays where it is."""
    going = [branch for pair in pairs for branch in pair if branch.outcome is Outcome.BUDGET]
    starts, projectors = (np.array([getattr(b, name) for b in going]) for name in ("theta", "projector"))
    flow = gradient_flow(kernel, starts, projectors, steps=steps)
    moved = {
        (b.state, b.sign): replace(b, theta=theta, outcome=outcome)
        for b, theta, outcome in zip(going, flow.theta, flow.outcomes, strict=True)
    }
    return [(moved.get((a.state, a.sign), a), moved.get((b.state, b.sign), b)) for a, b in pairs]


def _filed(
    kernel: Kernel, group: SymmetryGroup, catalogue: Catalogue, pairs: Sequence[tuple[_Branch, _Branch]]
) -> list[Pathway | LostBranch]:
    """The pathway of each transition state, or its branches that did not arrive."""
    if not pairs:
        return []
    space = free_space(kernel, group)
    ends, converged = newton(space, space.lower(np.array([branch.theta for pair in pairs for branch in pair])))
    ends = space.lift(ends)
    found: list[Pathway | LostBranch] = []
    for k, pair in enumerate(pairs):
        sides: list[tuple[int, GroupElement | None]] = []
        for lane, branch in zip((2 * k, 2 * k + 1), pair, strict=True):
            outcome = branch.outcome
            if outcome is Outcome.CONVERGED and not converged[lane]:
                outcome = Outcome.STALLED
            if outcome is Outcome.CONVERGED:
                filed = int(catalogue.add(ends[lane][None])[0])
                # A degenerate end is filed with its family, whose kept member no group element need carry to it.
                sides.append(catalogue.find(ends[lane]) or (filed, None))
            else:
                found.append(LostBranch(transition_state=branch.state, sign=branch.sign, outcome=outcome))
        if len(sides) == 2:
            (minus, minus_element), (plus, plus_element) = sides
            found.append(
                Pathway(
                    transition_state=pair[0].state,
                    minus=minus,
                    plus=plus,
                    minus_element=minus_element,
                    plus_element=plus_element,
                )
            )
    return found


def _descents(kernel: Kernel, group: SymmetryGroup, catalogue: Catalogue, ends: set[int]) -> tuple[Descent, ...]:
    """One for each class downhill of every saddle of index 2 or more among the ends, and among the ends of those."""
    space = free_space(kernel, group)
    links: dict[tuple[int, int], Descent] = {}
    waiting, seen = sorted(ends), set(ends)
    while waiting:
        saddle = waiting.pop()
        point = catalogue.points[saddle]
        if point.index < 2:
            continue
        modes = ordered_spectra(kernel.hessian(point.theta[None]))[1][0, :, : point.index].T
        # The modes' sum leaves every subspace that some symmetry of the saddle fixes.
        pushes = np.vstack((modes, -modes, modes.sum(axis=0) / np.sqrt(len(modes))))
        flow = gradient_flow(kernel, point.theta + PUSHOFF * pushes, steps=DESCENT_STEPS)
        reached, converged = newton(space, space.lower(flow.theta))
        bottoms = space.lift(reached[converged])
        for end, theta in zip(catalogue.add(bottoms).tolist(), bottoms, strict=True):
            place = catalogue.find(theta)
            if (saddle, end) not in links:
                links[saddle, end] = Descent(saddle=saddle, end=end, element=None if place is None else place[1])
            if end not in seen:
                seen.add(end)
                waiting.append(end)
    return tuple(links[key] for key in sorted(links))


def pathways(kernel: Kernel, group: SymmetryGroup, points: Sequence[StationaryPoint]) -> list[Pathway]:
    """The pathways of `connect` alone; numbers beyond `points` are of classes that only `connect` returns."""
    return list(connect(kernel, group, points).pathways)
