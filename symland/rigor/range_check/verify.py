"""Verify the certificate of a range of penalties from the question inside it alone."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import ctx

from symland.records import Verdict
from symland.rigor.enumeration_check.points import find_unlisted, prove_points
from symland.rigor.enumeration_check.question import PRECISION, Point, Question, ball, read_question
from symland.rigor.enumeration_check.tree import read_double
from symland.rigor.range_check.folds import Tract, Turn, find_bend, find_turn
from symland.rigor.range_check.forks import Fork, find_fork, find_forked
from symland.rigor.range_check.homes import Part
from symland.rigor.range_check.middles import Counted, count_points
from symland.rigor.range_check.search import Span, exhausted, find_home
from symland.rigor.strict import Refusal, digest, need, need_keys, read_sealed, whole_number

__all__ = ["FORMAT", "CheckedRange", "check_range"]

FORMAT = "symland-range/1"
LONGEST_FILE = 200_000_000
"""Characters of a certificate."""
MOST_SLABS = 100_000
SHARE_SLABS = 3
"""Slabs that are searched again where no share is given."""
LOOKS = 30
"""Newton searches in the middle of a slab for a point that is not listed."""
DEPTH = 8
"""How often a slab is halved before it is left open."""
NAMED = 5
"""Slabs that were left open which the reason names."""
UNBOUNDED = "inf"

_EXACT = re.compile(r"(0|[1-9][0-9]*)(/[1-9][0-9]*)?", re.ASCII)
_DECIMAL = re.compile(r"0\.[0-9]{1,60}|[1-9][0-9]{0,9}(\.[0-9]{1,60})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class CheckedRange:
    """What was proved of a certificate.

    Attributes
    ----------
    verdict : CERTIFIED when all is proved again, every slab searched. REFUTED when the file is malformed, a claim of it
        is false, or a proved point is not in a list. UNDECIDED else.
    reason : one line.
    slabs, checked, proved : slabs of the file (and the part above them), those searched again, and those that held.
    seed : what picked them, with the file's digest; empty if all were.
    """

    verdict: Verdict
    reason: str
    slabs: int = 0
    checked: int = 0
    proved: int = 0
    seed: str = ""


@dataclass(frozen=True, kw_only=True)
class _Fold:
    """A fold, or a pitchfork with the index of its pair, as it is claimed."""

    z: Point
    value: Fraction
    slack: Fraction
    index: int
    below: bool
    pair: int | None

    @property
    def name(self) -> str:
        """What it is, and where."""
        return f"{'fold' if self.pair is None else 'pitchfork'} at {float(self.value):.10g}"


@dataclass(frozen=True, kw_only=True)
class _Slab:
    low: Fraction
    high: Fraction
    points: tuple[Point, ...]
    fold: _Fold | None


def check_range(
    source: str | bytes,
    spec: Mapping[str, Any] | None = None,
    *,
    seed: str | None = None,
    share: float | None = None,
) -> CheckedRange:
    """Prove a range again.

    Parameters
    ----------
    source : text of the certificate.
    spec : canonical values of the question that it must be about.
    seed : picks slabs, with the digest of the file; from the system where it is None.
    share : share of the slabs to search again; 1 for all, None for SHARE_SLABS of them.
    """
    before = ctx.prec
    try:
        ctx.prec = PRECISION
        need(len(source) <= LONGEST_FILE, f"the file is longer than {LONGEST_FILE} characters")
        values = read_sealed(source)
        need_keys(values, "format high intervals low slabs spec spec_digest theorem_from", "a range")
        need(values["format"] == FORMAT, "unknown format")
        need(values["spec_digest"] == digest(values["spec"]), "the digest does not fit the specification")
        need(spec is None or values["spec"] == spec, "it is about another specification")
        return _verify(values, seed, share)
    except Refusal as refusal:
        return CheckedRange(verdict=refusal.verdict, reason=refusal.reason)
    finally:
        ctx.prec = before


def _exact(text: Any) -> Fraction:
    need(isinstance(text, str) and len(text) <= 200 and bool(_EXACT.fullmatch(text)), "a penalty is not exact text")
    value = Fraction(text)
    need(value > 0 and str(value) == text, "a penalty is not positive and in lowest terms")
    return value


def _point(row: Any, size: int) -> Point:
    need(isinstance(row, list) and len(row) == size, "a point has another number of coordinates")
    return tuple(read_double(x) for x in row)


def _fold(values: Any, size: int) -> _Fold | None:
    if values is None:
        return None
    forks = isinstance(values, dict) and "pair" in values
    need_keys(values, "below index pair value z" if forks else "below index value z", "a fold or a pitchfork")
    text = values["value"]
    need(isinstance(text, str) and bool(_DECIMAL.fullmatch(text)), "the penalty of a fold is not a decimal")
    need(whole_number(values["index"], 0, 1000) and isinstance(values["below"], bool), "a fold is malformed")
    pair = values["pair"] if forks else None
    need(not forks or (whole_number(pair, 0, 1000) and 0 <= pair - values["index"] <= 1), "a pitchfork is malformed")
    places = len(text.partition(".")[2])
    return _Fold(
        z=_point(values["z"], size),
        value=Fraction(text),
        slack=Fraction(1, 10**places),
        index=values["index"],
        below=values["below"],
        pair=pair,
    )


def _read_slabs(rows: Any, size: int) -> tuple[_Slab, ...]:
    need(isinstance(rows, list) and len(rows) <= MOST_SLABS, "the slabs are no list, or too many")
    found = []
    for row in rows:
        need_keys(row, "fold high low points", "a slab")
        need(isinstance(row["points"], list) and len(row["points"]) <= 10_000, "the points of a slab are no list")
        found.append(
            _Slab(
                low=_exact(row["low"]),
                high=_exact(row["high"]),
                points=tuple(_point(p, size) for p in row["points"]),
                fold=_fold(row["fold"], size),
            )
        )
    return tuple(found)


def _need_tiling(slabs: Sequence[_Slab], low: Fraction, top: Fraction) -> None:
    """From above: closed intervals that join to [low, top], none of a fold at an end or beside another."""
    need(all(s.low < s.high for s in slabs), "a slab is empty")
    if not slabs:
        need(low == top, "there is no slab")
        return
    need(slabs[0].high == top, "the slabs do not reach to the upper end")
    need(slabs[-1].low == low, "the slabs do not reach to the lower end")
    for a, b in pairwise(slabs):
        need(a.low == b.high, f"there is a gap between slabs at {float(a.low):.10g}")
        need(a.fold is None or b.fold is None, "two slabs of folds lie side by side")
    need(slabs[0].fold is None and slabs[-1].fold is None, "a slab of a fold lies at an end")


def _need_counts(slabs: Sequence[_Slab], counted: Sequence[Counted], claimed: Any, theorem: bool) -> None:
    """Equal counts without a fold between, two points more or less across it, and those that are claimed."""
    intervals = [Counted((1,), (1,))] if theorem else []
    crossed: _Fold | None = None
    fresh = not theorem
    for slab, found in zip(slabs, counted, strict=True):
        if slab.fold is not None:
            need(bool(intervals), "a slab of a fold lies at an end")
            crossed = slab.fold
            continue
        if fresh:
            intervals.append(found)
        elif crossed is not None:
            _need_event(crossed, intervals[-1], found)
            intervals.append(found)
        else:
            need(intervals[-1] == found, f"the counts change at {float(slab.high):.10g}, where no fold is")
        fresh, crossed = False, None
    for one in intervals:
        total = sum((-1) ** k * n for k, n in enumerate(one.copies))
        need(total == 1, f"the Morse sum of {one.copies} is {total}, not 1: a class is missing")
    rows = [[list(i.counts), list(i.copies)] for i in intervals]
    need(claimed == rows, "the counts that are claimed are not those of the slabs")


def _need_event(event: _Fold, above: Counted, below: Counted) -> None:
    """Two classes more or less across a fold; at a pitchfork the branch takes the other index, and the pair its own.

    The pair has twice as many copies as the branch: as many more of each of the two indices.
    """
    size = max(len(above.counts), len(below.counts), event.index + 2)
    fewer, more = (above, below) if event.below else (below, above)
    classes, copies = (
        [_at(b, k) - _at(a, k) for k in range(size)]
        for a, b in ((fewer.counts, more.counts), (fewer.copies, more.copies))
    )
    both = (event.index, event.index + 1)
    gained = both if event.pair is None else [k for k in both if k != event.pair]
    told = classes == [int(k in gained) for k in range(size)]
    if event.pair is not None:
        born = copies[event.index]
        told = told and born > 0 and copies == [born if k in both else 0 for k in range(size)]
    need(told, f"the counts beside the {event.name} do not differ by its two points")


def _at(row: tuple[int, ...], k: int) -> int:
    return row[k] if k < len(row) else 0


def _turn(question: Question, slab: _Slab) -> Turn | Fork | None:
    """The event of a slab, proved to be where it is claimed."""
    if slab.fold is None:
        return None
    value = slab.fold.name
    find = find_turn if slab.fold.pair is None else find_fork
    turn: Turn | Fork | None = find(question, slab.fold.z, slab.fold.value)
    need(turn is not None, f"no {value} is proved", Verdict.UNDECIDED)
    assert turn is not None
    penalty = 1 / (turn.kappa * question.samples)
    near = abs(penalty - ball(slab.fold.value)) < ball(slab.fold.slack)
    need(bool(near), f"the {value} lies elsewhere")
    need(bool(penalty > ball(slab.low)) and bool(penalty < ball(slab.high)), f"the {value} is not in its slab")
    return turn


def _verify(values: dict[str, Any], seed: str | None, share: float | None) -> CheckedRange:
    question = read_question(values["spec"])
    size = question.nodes * (question.width + 1) + 1
    slabs = _read_slabs(values["slabs"], size)
    low = _exact(values["low"])
    theorem = values["theorem_from"] != ""
    need(theorem or values["high"] != UNBOUNDED, "nothing speaks of the penalties above the slabs")
    top = _exact(values["theorem_from"] if theorem else values["high"])
    if theorem and values["high"] != UNBOUNDED:
        need(_exact(values["high"]) > top, "the range ends below the place from which a theorem speaks")
    _need_tiling(slabs, low, top)
    counted, turns = [], []
    rng = np.random.default_rng(0)
    for number, slab in enumerate(slabs):
        middle = replace(question, penalty=(slab.low + slab.high) / 2)
        counted.append(count_points(middle, slab.points))
        turns.append(_turn(question, slab))
        if slab.fold is None:
            proved = prove_points(middle, slab.points)
            for nodes in range(1, question.nodes + 1):
                found = find_unlisted(middle, proved, nodes, _starts(middle, nodes, rng))
                where = f"slab {number} at {float(middle.penalty):.10g}"
                need(found is None, f"a proved stationary point is not in the list of {where}")
    _need_counts(slabs, counted, values["intervals"], theorem)
    return _searched(question, slabs, counted, turns, top if theorem else None, digest(values), seed, share)


def _starts(question: Question, nodes: int, rng: np.random.Generator) -> Any:
    reach = float(question.energy().sqrt())
    z = rng.normal(size=(LOOKS, nodes * (question.width + 1) + 1)) * rng.choice([0.3, 1.0, 3.0], size=(LOOKS, 1))
    z[:, question.width :: question.width + 1] = rng.uniform(0.0, reach, size=(LOOKS, nodes))
    z[:, -1] = rng.uniform(-1.0, 1.0, size=LOOKS) * reach / 2
    return z


def _searched(
    question: Question,
    slabs: Sequence[_Slab],
    counted: Sequence[Counted],
    turns: Sequence[Turn | Fork | None],
    theorem: Fraction | None,
    seal: str,
    seed: str | None,
    share: float | None,
) -> CheckedRange:
    total = len(slabs) + (theorem is not None)
    wanted = min(total, SHARE_SLABS) if share is None else max(1, round(share * total))
    whole = wanted >= total
    seed = "" if whole else secrets.token_hex(8) if seed is None else seed
    order = sorted(range(total), key=lambda n: hashlib.sha256(f"{seed} {seal} {n}".encode()).digest())
    chosen, open_ = sorted(order[:wanted]), list[str]()
    for number in chosen:
        if number == len(slabs):
            assert theorem is not None
            origin = (0.0,) * (question.nodes * (question.width + 1) + 1)
            if not _holds(question, [_Claim(Fraction(0), 1 / (theorem * question.samples), (origin,), (0,))]):
                open_.append(f"the part above {float(theorem):.10g}")
            continue
        slab = slabs[number]
        if not _slab_holds(question, slabs, number, turns[number], counted):
            event = f", with the {slab.fold.name}" if slab.fold is not None else ""
            open_.append(f"slab {number} from {float(slab.low):.10g} to {float(slab.high):.10g}{event}")
    held = len(chosen) - len(open_)
    done = whole and not open_
    some = f"{held} of {len(chosen)} slabs searched again, of {total}; all points and folds are proved"
    left = f"; left open: {'; '.join(open_[:NAMED])}" + (" and more" if len(open_) > NAMED else "") if open_ else ""
    return CheckedRange(
        verdict=Verdict.CERTIFIED if done else Verdict.UNDECIDED,
        reason=f"every slab is proved again: {total}" if done else some + left,
        slabs=total,
        checked=len(chosen),
        proved=held,
        seed=seed,
    )


@dataclass(frozen=True)
class _Claim:
    """That for every kappa between two ends there are so many points of these indices, those in a bend, and no others.

    Newton's method starts from the points, which are those in the middle of a slab.
    """

    low: Fraction
    high: Fraction
    points: tuple[Point, ...]
    indices: tuple[int, ...]
    bend: Tract | None = None


def _slab_holds(
    question: Question,
    slabs: Sequence[_Slab],
    number: int,
    turn: Turn | Fork | None,
    counted: Sequence[Counted],
) -> bool:
    """Whether for every penalty of a slab there are the points of its list, those of its event, and no others."""
    slab, indices = slabs[number], counted[number].indices
    low, high = 1 / (slab.high * question.samples), 1 / (slab.low * question.samples)
    if turn is None:
        return _holds(question, [_Claim(low, high, slab.points, indices)])
    assert slab.fold is not None
    found = _find_event(question, turn, low, high)
    if found is None:
        return False
    bend, begin, end = found
    need(bend.below == slab.fold.below, f"the {slab.fold.name} opens the other way")
    # Beside the region there are the points of the slab above, and of the one below: neither has an event.
    claims = (
        _Claim(low, begin, slabs[number - 1].points, counted[number - 1].indices),
        _Claim(begin, end, slab.points, indices, bend),
        _Claim(end, high, slabs[number + 1].points, counted[number + 1].indices),
    )
    return _holds(question, [claim for claim in claims if claim.low < claim.high])


def _find_event(
    question: Question, turn: Turn | Fork, low: Fraction, high: Fraction
) -> tuple[Tract, Fraction, Fraction] | None:
    """The region of an event, and its interval of kappa: [low, high], or else a narrower one about the event."""
    for _ in range(DEPTH):
        if not (bool(turn.kappa > ball(low)) and bool(turn.kappa < ball(high))):
            return None
        ends = ball(low), ball(high)
        bend = find_bend(question, turn, *ends) if isinstance(turn, Turn) else find_forked(question, turn, *ends)
        if bend is not None:
            return bend, low, high
        middle = Fraction(float(turn.kappa.mid()))
        low, high = (low + middle) / 2, (high + middle) / 2
    return None


def _holds(question: Question, claims: Sequence[_Claim]) -> bool:
    """Whether claims hold whose intervals join."""
    parts = list[Part]()
    for claim in claims:
        more = _parts(question, claim)
        if more is None:
            return False
        parts += more
    return exhausted(question, claims[0].low, claims[-1].high, parts)


def _parts(question: Question, claim: _Claim, depth: int = 0) -> list[Part] | None:
    """Parts of an interval of kappa with regions of the points of a claim; None where these are not proved.

    Each part shares its ends with the next, where both know all points, so that they speak of the same branches.
    """
    low, high = claim.low, claim.high
    middle, span = (low + high) / 2, Span.of(question, low, high)
    homes = [find_home(span, low, high, point) for point in claim.points]
    found = [home for home in homes if home is not None]
    if len(found) == len(homes) and _counts_at(question, middle, [z for z, _ in found]) == claim.indices:
        tracts = tuple(home for _, home in found)
        return [Part(low, high, tracts if claim.bend is None else (*tracts, claim.bend))]
    if depth == DEPTH:
        return None
    parts = list[Part]()
    for half in (replace(claim, high=middle), replace(claim, low=middle)):
        more = _parts(question, half, depth + 1)
        if more is None:
            return None
        parts += more
    return parts


def _counts_at(question: Question, kappa: Fraction, points: Sequence[Point]) -> tuple[int, ...] | None:
    """The indices of different points at one kappa, in order; None where that is not proved.

    Branches that differ at one kappa of a slab, each alone in its region, differ at all of it.
    """
    try:
        return count_points(replace(question, penalty=1 / (kappa * question.samples)), points).indices
    except Refusal:
        return None
