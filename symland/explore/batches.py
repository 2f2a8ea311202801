"""What a campaign is cut into: batches that are addressed by seed, round and number, and what each of them found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symland.errors import ExplorationError
from symland.explore.shares import EVEN, KINDS
from symland.records import FloatArray, Outcome, StationaryPoint, read_only

__all__ = ["Address", "Batch", "BatchResult", "Plan"]

GROWTH = 4
"""A round has at least one in so many of the batches that came before it, so that a long run keeps many workers busy
and seldom runs more than a quarter beyond the search that met its rules."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What every batch of a campaign shares.

    Attributes
    ----------
    seed : int
    max_index : int or None
        Highest index to search for; None searches one beyond the highest found. What is found beyond it on the way is
        filed too, but searches that lead to any index are left out, and the rules for stopping look no higher.
    searches : int
        Searches in a batch whose work is shared out evenly; another has as many as take the same work.
    batches : int
        Batches in a round, at least; later rounds have more.
    given : (n, P)
        Starts to be tried first, such as extensions of smaller networks' points; the first round's batches share them.
    coercive : bool
        Whether the loss grows to infinity with theta, so that the Morse sum of all points is 1.
    """

    seed: int = 0
    max_index: int | None = None
    searches: int = 640
    batches: int = 4
    given: FloatArray | None = None
    coercive: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ExplorationError(f"seed: {self.seed} is negative; give 0 or more")
        if self.max_index is not None and self.max_index < 0:
            raise ExplorationError(f"max_index: {self.max_index} is negative; give 0 or more")
        if self.searches < 1 or self.batches < 1:
            raise ExplorationError("searches and batches must be positive; give 1 or more of each")
        if self.given is not None:
            object.__setattr__(self, "given", read_only(self.given, 2))

    def batches_before(self, round: int) -> int:
        """Batches of all rounds before this one."""
        total = 0
        for _ in range(round):
            total += max(self.batches, total // GROWTH)
        return total

    def batches_in(self, round: int) -> int:
        """Batches of a round: a function of its number alone, whoever runs them."""
        return max(self.batches, self.batches_before(round) // GROWTH)

    def place(self, address: Address) -> int:
        """Where a batch stands among all batches, from 0."""
        return self.batches_before(address.round) + address.number


@dataclass(frozen=True, kw_only=True, order=True)
class Address:
    """Where a batch stands in its campaign."""

    round: int
    number: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """A batch to run: its address, the plan, the classes known and how often found when its round began, and the share
    of each kind of search in its work."""

    address: Address
    plan: Plan
    known: tuple[StationaryPoint, ...]
    tallies: tuple[int, ...]
    shares: tuple[float, ...] = EVEN

    def __post_init__(self) -> None:
        if len(self.shares) != len(KINDS):
            raise ValueError(f"{len(self.shares)} shares of {len(KINDS)} kinds")
        if len(self.known) != len(self.tallies):
            raise ValueError(f"{len(self.known)} known classes and {len(self.tallies)} tallies")


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchResult:
    """What a batch found.

    Attributes
    ----------
    new : tuple of StationaryPoint
        One for each class that was not known to the batch.
    draws : (kinds, classes) int
        Searches of each kind that ended in each known class, then in each new one, without those that began from the
        same class and those from starts that were given: neither is a draw that the class had to win.
    begun : tuple of int
        Searches of each kind.
    searches, converged : int
    given : tuple of int
        Numbers, among the known classes and then the new ones, of those that starts of the plan reached.
    """

    address: Address
    new: tuple[StationaryPoint, ...]
    draws: NDArray[np.intp]
    begun: tuple[int, ...]
    searches: int
    converged: int
    given: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.draws.ndim != 2 or len(self.draws) != len(KINDS) or len(self.begun) != len(KINDS):
            raise ValueError(f"draws of shape {self.draws.shape} and {len(self.begun)} numbers of {len(KINDS)} kinds")
        if len(self.new) > self.classes:
            raise ValueError(f"{len(self.new)} new classes among {self.classes}")
        if self.given and not 0 <= min(self.given) <= max(self.given) < self.classes:
            raise ValueError(f"classes {self.given} of {self.classes}")

    @property
    def classes(self) -> int:
        """Classes known to the batch, and new ones."""
        return self.draws.shape[1]

    def payload(self) -> dict[str, Any]:
        """JSON values and arrays, for a database."""
        return {
            "round": self.address.round,
            "number": self.address.number,
            "draws": self.draws.tolist(),
            "begun": list(self.begun),
            "searches": self.searches,
            "converged": self.converged,
            "given": list(self.given),
            "new": [
                {
                    "theta": point.theta.tolist(),
                    "loss": point.loss,
                    "gradient_norm": point.gradient_norm,
                    "spectrum": point.spectrum.tolist(),
                    "index": point.index,
                    "nullity": point.nullity,
                    "orbit_size": str(point.orbit_size),
                    "outcome": point.outcome.name,
                }
                for point in self.new
            ],
        }

    @classmethod
    def from_payload(cls, values: Mapping[str, Any]) -> BatchResult:
        """The result that `payload` wrote."""
        # Batches that were stored before kinds were told apart count as random ones, and name no given classes.
        old = [[0] * len(values["tallies"])] * len(KINDS) if "tallies" in values else []
        draws = [values["tallies"], *old[1:]] if old else values["draws"]
        return cls(
            address=Address(round=values["round"], number=values["number"]),
            draws=np.array(draws, dtype=np.intp).reshape(len(KINDS), -1),
            begun=tuple(values.get("begun", (values["searches"],) + (0,) * (len(KINDS) - 1))),
            searches=values["searches"],
            converged=values["converged"],
            given=tuple(values.get("given", ())),
            new=tuple(
                StationaryPoint(
                    theta=np.array(point["theta"]),
                    loss=point["loss"],
                    gradient_norm=point["gradient_norm"],
                    spectrum=np.array(point["spectrum"]),
                    index=point["index"],
                    nullity=point["nullity"],
                    orbit_size=int(point["orbit_size"]),
                    outcome=Outcome[point["outcome"]],
                )
                for point in values["new"]
            ),
        )
