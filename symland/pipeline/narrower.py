"""Starts from narrower networks, which are explored first, by themselves.

A stationary point of a network stays stationary in a wider one with nodes of zero weights (theorem T5, where
sigma(0) = 0), and lies near one where a node is split in two. Lists of narrower networks are short and cheap; from
their points most classes of the wide network are reached at once, and searches are left for those that are new there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from itertools import product

import numpy as np

from symland.explore import explore
from symland.explore.donors import Donor, starts_from
from symland.kernels import compile_kernel
from symland.kernels.remote import kernel_of
from symland.layout import widths_text
from symland.listener import SILENCE, Listener
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry

__all__ = ["FEWEST_NODES", "MOST_PARAMETERS", "narrower_donors", "narrower_widths", "pays"]

FEWEST_NODES = 4
"""Hidden nodes of one layer from which on narrower networks save more searches than they take."""

MOST_PARAMETERS = 64
"""Parameters up to which a list can be hoped to be complete; beyond, narrower networks are explored when asked for."""

MOST_SEARCHES = 40_000
"""Searches in one narrower network, at most: a list with holes still gives starts."""

RULES = "morse, coverage 0.99, repeat 2, quiet 0.3"
"""When a narrower network has been explored enough. Its list gives starts and no answer: looser than the default."""

SHARE = 0.5
"""The part of a budget that narrower networks may take."""


def pays(spec: LandscapeSpec) -> bool:
    """Whether narrower networks are explored first where nothing was said."""
    return len(spec.hidden) == 1 and spec.hidden[0] >= FEWEST_NODES and spec.n_parameters <= MOST_PARAMETERS


def narrower_widths(hidden: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Widths of all networks with narrower hidden layers, each after those that are narrower than itself."""
    every = product(*(range(1, width + 1) for width in hidden))
    return sorted((widths for widths in every if widths != hidden), key=lambda widths: (sum(widths), widths))


def narrower_donors(
    spec: LandscapeSpec,
    *,
    seed: int = 0,
    max_index: int | None = None,
    budget: float | None = None,
    clock: Callable[[], float] | None = None,
    max_searches: int = MOST_SEARCHES,
    executor: Executor | None = None,
    listener: Listener = SILENCE,
) -> list[Donor]:
    """The points of the networks with one node less in one hidden layer, each explored from those below it.

    Parameters
    ----------
    budget, clock : float and callable, optional
        Seconds for the whole exploration, of which `SHARE` is for the narrower networks.
    max_searches : int
        In each network, and never more than `MOST_SEARCHES`.

    Returns
    -------
    list of Donor
        None for a network with one node in each layer.
    """
    end = None if budget is None or clock is None else clock() + SHARE * budget
    donors: dict[tuple[int, ...], Donor] = {}
    for widths in narrower_widths(spec.hidden):
        left = None if end is None or clock is None else end - clock()
        if left is not None and left <= 0.0:
            break
        small = spec.with_(hidden=widths)
        below = _below(widths, donors)
        found = explore(
            compile_kernel(small),
            find_symmetry(small),
            seed=seed,
            max_index=max_index,
            until=RULES if max_index is None else RULES.removeprefix("morse, "),
            budget=left,
            clock=clock,
            max_searches=min(max_searches, MOST_SEARCHES),
            given=starts_from(small.layout, below, seed) if below else None,
            executor=executor,
            factory=partial(kernel_of, small.canonical()) if executor else None,
        )
        listener.advance(f"width {widths_text(widths)} first: {len(found.points)} classes")
        if found.points:
            theta = np.array([point.theta for point in found.points])
            donors[widths] = Donor(layout=small.layout, theta=theta)
    return _below(spec.hidden, donors)


def _below(widths: tuple[int, ...], donors: dict[tuple[int, ...], Donor]) -> list[Donor]:
    """What is known of the networks with one node less in one layer."""
    smaller = (tuple(w - (k == layer) for k, w in enumerate(widths)) for layer in range(len(widths)))
    return [donors[s] for s in smaller if s in donors]
