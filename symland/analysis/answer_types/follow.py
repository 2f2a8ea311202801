"""Options and answer: branches and their events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from symland.records import Verdict

__all__ = ["Branch", "Follow", "FollowOptions", "FollowedEvent", "Interval", "Maxwell", "Meeting", "Proved"]


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """One of the sheets that meet at an event: its branch, its index there, and its labelled copies."""

    branch: int
    index: int
    copies: int


class FollowedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter at which the Hessian of a class is singular.

    Attributes
    ----------
    kind : str
        "fold", "pitchfork", "transcritical" or "unknown".
    value : str
        The parameter, of which `digits` significant digits are proved.
    certified : bool
        Whether the event is proved to exist, to be the only one in a box around it, and not to be degenerate.
    loss : str
    index : int
        Negative eigenvalues at the event; the vanishing ones are not counted.
    classes : tuple of Meeting
    dead_nodes : int
        Hidden nodes without weight at the event that live on the new branch: a node is born or dies there.
    broken : str
        The symmetry that the new branch lacks; empty at a fold.
    degree, transversal : tuple of two texts or None
        Enclosures of the numbers that say that the event is not degenerate: D^3E[v, v, v] and v . dgrad/dlambda at a
        fold; the reduced fourth derivative and the slope of the critical eigenvalue at a pitchfork. |v| = 1.
    theta : tuple of text
        The parameters of the network there.
    certificate : JSON values or None
        In the format symland-event/1, which `symland check` proves again.
    """

    kind: str
    value: str
    digits: int
    certified: bool
    loss: str
    index: int
    classes: tuple[Meeting, ...]
    dead_nodes: int
    broken: str
    degree: tuple[str, str] | None
    transversal: tuple[str, str] | None
    theta: tuple[str, ...]
    certificate: dict[str, Any] | None


class Maxwell(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter at which two minima have one loss; `lowest` where no minimum is lower."""

    value: str
    digits: int
    certified: bool
    loss: str
    classes: tuple[Meeting, ...]
    lowest: bool


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Between two events: classes and labelled copies by index. `high` is "inf" above the last event.

    Attributes
    ----------
    proved : bool
        Whether the counts are proved to be exact in all of the interval.
    at_least, copies_at_least : tuple of int
        Classes and copies by index that tubes prove to exist, and to differ, for every parameter of `certified`.
    certified : (low, high) or None
    """

    low: str
    high: str
    counts: tuple[int, ...]
    copies: tuple[int, ...]
    morse_sum: int
    proved: bool
    at_least: tuple[int, ...] = ()
    copies_at_least: tuple[int, ...] = ()
    certified: tuple[str, str] | None = None


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """For every parameter from low to high exactly one stationary point lies in the tube, with this index."""

    low: str
    high: str
    index: int


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One branch, in the order in which it was followed.

    Attributes
    ----------
    isotropy : int
        Elements of the symmetry group that fix its points.
    copies : int
    classes : tuple of int
        The classes of the landscape that lie on it.
    start, end : str
        How its two ends came about.
    parameter, loss, norm : tuple of float
        At its stations: the parameter, the loss and |theta|_2.
    index : tuple of int
    lowest : tuple of tuples of float
        The lowest eigenvalues of the Hessian at each station, ascending.
    pieces : int
        Of its tube; 0 where no tube was asked for.
    proved : tuple of Proved
    gaps : tuple of str
        Where and why the tube breaks off.
    certified : tuple of bool
        Of each station: whether a proved range holds it.
    tube : JSON values or None
        In the format symland-tube/1, which `symland check` proves again.
    """

    isotropy: int
    copies: int
    classes: tuple[int, ...]
    start: str
    end: str
    parameter: tuple[float, ...]
    loss: tuple[float, ...]
    norm: tuple[float, ...]
    index: tuple[int, ...]
    lowest: tuple[tuple[float, ...], ...]
    pieces: int = 0
    proved: tuple[Proved, ...] = ()
    gaps: tuple[str, ...] = ()
    certified: tuple[bool, ...] = ()
    tube: dict[str, Any] | None = None


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """The bifurcation diagram over a range of a parameter."""

    parameter: str
    low: str
    high: str
    events: tuple[FollowedEvent, ...]
    maxwell: tuple[Maxwell, ...]
    intervals: tuple[Interval, ...]
    branches: tuple[Branch, ...]
    found_anew: int
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class FollowOptions:
    """In which parameter, over which range, and how exactly."""

    from_: Annotated[str, "One end of the range of the penalty (1e-6 if not given), or of t with --move (0)."] = ""
    to: Annotated[str, "The other end (1, or ten times the penalty of the landscape; 1 for t)."] = ""
    move: Annotated[
        list[str] | None, "ROW,COLUMN=NUMBER: follow an input to another value, t from 0 to 1; may be repeated."
    ] = None
    digits: Annotated[int, "Significant digits of the events."] = 20
    searches: Annotated[int, "Searches in each interval between events for families that are not joined to others."] = 1
    tubes: Annotated[bool, "Prove the branches too, for every penalty of the range, by tubes around them."] = False
