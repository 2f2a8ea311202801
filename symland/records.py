"""The records that travel between rooms: verdicts, outcomes, stationary points and pathways.

Numbers here are float64; exact and enclosed quantities have records of their own in `symland.rigor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Descent", "FloatArray", "Outcome", "Pathway", "StationaryPoint", "Verdict", "read_only"]

FloatArray = NDArray[np.float64]


class Verdict(Enum):
    """The three answers to a question of proof. It refuses `bool()`: compare with `is`."""

    CERTIFIED = "certified"
    REFUTED = "refuted"
    UNDECIDED = "undecided"

    def __bool__(self) -> NoReturn:
        raise TypeError("a Verdict has three values: compare it with `is Verdict.CERTIFIED`")

    @staticmethod
    def all(*verdicts: Verdict) -> Verdict:
        """Conjunction in Kleene's three-valued logic."""
        if any(v is Verdict.REFUTED for v in verdicts):
            return Verdict.REFUTED
        if all(v is Verdict.CERTIFIED for v in verdicts):
            return Verdict.CERTIFIED
        return Verdict.UNDECIDED


class Outcome(Enum):
    """How a search ended; the value tells what to do next."""

    CONVERGED = "the gradient vanishes to the tolerance: refine and certify the point"
    DEGENERATE = "the Hessian is singular to the tolerance: its index is undecided, look at the null directions"
    STALLED = "the gradient stopped falling above the tolerance: start elsewhere or refine with more digits"
    DIVERGED = "the parameters left every bounded region: use a positive penalty"
    BUDGET = "the iterations ran out: allow more of them"


def read_only(values: ArrayLike, ndim: int) -> FloatArray:
    """A read-only float64 copy of `values`, which must have `ndim` axes.

    Raises
    ------
    ValueError
        If the number of axes differs or an entry is not finite.
    """
    array = np.array(values, dtype=np.float64, order="C")
    if array.ndim != ndim:
        raise ValueError(f"expected {ndim} axes, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("expected finite numbers, got an infinity or NaN")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class StationaryPoint:
    """A point where the gradient of the loss vanishes to rounding.

    Attributes
    ----------
    theta : (P,) float64
        Parameters in the layout of the specification.
    loss : float
    gradient_norm : float
        Largest absolute component of the gradient.
    spectrum : (P,) float64
        Hessian eigenvalues, ascending.
    index : int
        Number of negative eigenvalues: 0 a minimum, 1 a transition state, k an index-k saddle.
    nullity : int
        Number of eigenvalues that are zero to the tolerance; a positive nullity leaves the index open.
    orbit_size : int
        Number of distinct labelled copies under the symmetry group.
    outcome : Outcome
    """

    theta: FloatArray
    loss: float
    gradient_norm: float
    spectrum: FloatArray
    index: int
    nullity: int
    orbit_size: int
    outcome: Outcome

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", read_only(self.theta, 1))
        object.__setattr__(self, "spectrum", read_only(self.spectrum, 1))
        if self.spectrum.shape != self.theta.shape:
            raise ValueError(f"spectrum has shape {self.spectrum.shape}, theta {self.theta.shape}")
        if not 0 <= self.index <= self.theta.size - self.nullity:
            raise ValueError(f"index {self.index} with nullity {self.nullity} in dimension {self.theta.size}")
        if self.orbit_size < 1:
            raise ValueError(f"orbit_size must be positive, got {self.orbit_size}")


@dataclass(frozen=True, kw_only=True)
class Pathway:
    """A transition state and the two stationary points that its downhill branches reach.

    Attributes
    ----------
    transition_state, minus, plus : int
        Class numbers; `minus` and `plus` are reached along the two signs of the unstable direction.
    minus_element, plus_element : object or None
        The element g of the symmetry group with (end of the branch) = g (representative of its class).
    """

    transition_state: int
    minus: int
    plus: int
    minus_element: Any = None
    plus_element: Any = None


@dataclass(frozen=True, kw_only=True)
class Descent:
    """A saddle of index 2 or more on which a branch ended, and a stationary point downhill of it.

    Attributes
    ----------
    saddle, end : int
        Class numbers.
    element : object or None
        The element g of the symmetry group with (where the descent ended) = g (representative of its class).
    """

    saddle: int
    end: int
    element: Any = None
