"""The checker of ranges proves a pitchfork with equations of its own, and refuses a file that lies about one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

import symland.rigor
from symland.records import Verdict
from symland.rigor.enumeration.kept import Slab
from symland.rigor.enumeration.pitchfork_region import Pitchfork, find_pitchforks, pitchfork_region
from symland.rigor.enumeration.problem import reduced_problem
from symland.rigor.enumeration.range_writing import range_text
from symland.rigor.enumeration.ranges import RangeResult
from symland.rigor.enumeration.regions import polish, tube_region
from symland.rigor.enumeration_check.question import PRECISION, ball, read_question
from symland.rigor.range_check import check_range, verify
from symland.rigor.range_check.forks import Fork, _Divided, find_fork, find_forked
from symland.rigor.range_check.jets import directional
from symland.rigor.range_check.middles import AtKappa
from tests.rigor.ranges_by_hand import PAIR, proved_range, sealed

STAR = 2**-1.5
"""Of two samples, -1 and 1, of two classes: where the origin loses its stability, by hand."""


def ends_of(wide: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(STAR * (1 + wide * x / 10000)).limit_denominator(10**9) for x in (-50, -25, 25, 50))


ENDS = ends_of(1)


@cache
def result(wide: int = 1) -> RangeResult:
    """Three slabs about the pitchfork, made without the search: the checker must not rest on it."""
    problem = reduced_problem(PAIR)
    event = next(find_pitchforks(problem.at(Fraction("0.3535")), np.zeros(4)))
    low, middle, high = (problem.slab(a, b) for a, b in pairwise(ends_of(wide)))
    beside = polish(low, list(event.z + 0.2 * event.null))
    assert beside is not None
    forked = pitchfork_region(middle, event)
    assert forked is not None
    tubes = [tube_region(low, np.zeros(4)), tube_region(low, beside), tube_region(high, np.zeros(4))]
    regions = [tube for tube in tubes if tube is not None]
    assert len(regions) == 3
    slabs = tuple(
        Slab(low=s.penalty, high=s.highest, regions=r, fold=event if forked in r else None, boxes=1)
        for s, r in zip((high, middle, low), ((regions[2],), (forked,), tuple(regions[:2])), strict=True)
    )
    return proved_range(slabs)


@cache
def certificate() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(range_text(PAIR, result()))
    return values


def fork() -> Fork:
    question = read_question(PAIR.canonical())
    found = find_fork(question, (0.0, 0.0, 0.0, 0.0), Fraction(STAR).limit_denominator(10**6))
    assert found is not None
    return found


def test_the_names_of_a_pitchfork_are_those_of_the_schema() -> None:
    schema = json.loads((Path(symland.rigor.__file__).parent / "range.schema.json").read_text(encoding="utf-8"))
    (event,) = (row["fold"] for row in certificate()["slabs"] if row["fold"] is not None)
    assert set(event) == set(schema["$defs"]["pitchfork"]["required"])
    assert set(event) == set(schema["$defs"]["pitchfork"]["properties"])


def test_the_pitchfork_of_the_checker_has_its_closed_form() -> None:
    before, ctx.prec = ctx.prec, 256
    try:
        penalty = 1 / (fork().kappa * 2)
        assert abs(penalty - 1 / arb(8).sqrt()) < arb("1e-28")
    finally:
        ctx.prec = before


def test_derivatives_along_a_line_are_those_of_differences() -> None:
    question = read_question(PAIR.canonical())
    z, way = [0.3, -0.2, 0.7, 0.1], [0.5, 1.0, -0.4, 0.3]
    x, s, kappa = np.array(question.design, dtype=float), np.array(question.signs), 1.7

    def field(t: float) -> np.ndarray:
        a, b, v, g = np.array(z) + t * np.array(way)
        h = np.tanh(x @ [a, b])
        p = s * kappa / (1 + np.exp(s * (v * h + g)))
        return np.array([*(2 * np.array([a, b]) - v * (p * (1 - h**2)) @ x), v - p @ h, g - p.sum()])

    at = AtKappa.of(question, arb(kappa))
    for order, row, step in ((2, (0, 1, -2, 1, 0), 1e-3), (3, (-0.5, 1, 0, -1, 0.5), 1e-3)):
        found = directional(at, [arb(a) for a in z], [arb(b) for b in way], order)
        told = sum(w * field((k - 2) * step) for k, w in enumerate(row)) / step**order
        assert np.abs(np.array([float(f) for f in found]) - told).max() < 1e-4


def test_the_divided_equations_have_the_slopes_of_their_differences() -> None:
    question, found = read_question(PAIR.canonical()), fork()
    system = _Divided(question, found.z, found.frame, found.odd)
    u = [arb(0.01), arb(0.05), arb(-0.03), found.kappa.mid() + arb(0.02)]
    before, ctx.prec = ctx.prec, PRECISION
    try:
        for x in (arb(0), arb(0.2)):
            # Over a ball the slopes are means along the way, so at one x they hold those of the differences.
            slopes = system.slopes(x, u).tolist()
            for k in range(4):
                step = [c + arb(1e-9) * (i == k) for i, c in enumerate(u)]
                for i, (a, b) in enumerate(zip(system.value(x, step), system.value(x, u), strict=True)):
                    difference, slope = float((a - b) / 1e-9), slopes[i][k]
                    assert float(slope.lower()) - 1e-6 < difference < float(slope.upper()) + 1e-6
        drift = system.drift(arb(0.2), u)
        ahead, behind = system.value(arb(0.2) + 1e-9, u), system.value(arb(0.2) - 1e-9, u)
        for a, b, d in zip(ahead, behind, drift, strict=True):
            assert float(d.lower()) - 1e-5 < float((a - b) / 2e-9) / 0.2 < float(d.upper()) + 1e-5
    finally:
        ctx.prec = before


def test_the_region_of_the_checker_holds_the_pair_below_and_not_above() -> None:
    question = read_question(PAIR.canonical())
    ends = [ball(1 / (p * 2)) for p in (ENDS[2], ENDS[1])]
    tract = find_forked(question, fork(), *ends)
    assert tract is not None
    assert tract.below
    # A slab that is too wide for the region, and one that does not hold the pitchfork.
    assert find_forked(question, fork(), ball(Fraction(1)), ball(Fraction(9))) is None
    moved = replace(fork(), z=fork().z + 0.05)
    assert find_forked(question, moved, *ends) is None


def test_a_true_certificate_with_a_pitchfork_holds_slab_by_slab() -> None:
    chosen = set()
    for seed in "0123456789":
        found = check_range(sealed(certificate()), PAIR.canonical(), share=0.3, seed=seed)
        assert (found.verdict, found.checked, found.proved, found.slabs) == (Verdict.UNDECIDED, 1, 1, 3)
        order = sorted(range(3), key=lambda n, s=seed: hashlib.sha256(f"{s} {_digest()} {n}".encode()).digest())
        chosen.add(order[0])
        if 1 in chosen:
            break
    assert 1 in chosen


def test_a_slab_that_is_too_wide_for_the_region_of_its_pitchfork_is_searched_in_three_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = json.loads(range_text(PAIR, result(2)))
    slab = values["slabs"][1]
    kappas = [ball(1 / (Fraction(slab[end]) * 2)) for end in ("high", "low")]
    assert find_forked(read_question(PAIR.canonical()), fork(), *kappas) is None
    found = check_range(sealed(values), PAIR.canonical(), share=1.0)
    assert (found.verdict, found.proved) == (Verdict.CERTIFIED, 3)
    # Beside the region the points are those of the neighbours: without the pair below it both slabs stay open.
    monkeypatch.setattr(verify, "find_unlisted", lambda *_: None)
    monkeypatch.setattr(verify, "_need_counts", lambda *_: None)
    below = values["slabs"][2]["points"]
    assert len(below) == 2
    below.remove(max(below, key=lambda point: abs(float.fromhex(point[0]))))
    found = check_range(sealed(values), PAIR.canonical(), share=1.0)
    assert (found.verdict, found.proved) == (Verdict.UNDECIDED, 1)
    assert "slab 1 from" in found.reason
    assert "slab 2 from" in found.reason


def _digest() -> str:
    body = {k: v for k, v in certificate().items() if k != "seal"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _event(values: dict[str, Any]) -> dict[str, Any]:
    (found,) = (row["fold"] for row in values["slabs"] if row["fold"] is not None)
    return dict(found)


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def lie(values: dict[str, Any]) -> None:
        values["slabs"][1]["fold"][name] = value

    return lie


def _as_fold(values: dict[str, Any]) -> None:
    del values["slabs"][1]["fold"]["pair"]


def _lacks_the_pair(values: dict[str, Any]) -> None:
    values["slabs"][2]["points"] = [p for p in values["slabs"][2]["points"] if float.fromhex(p[0]) == 0.0]


def _other_copies(values: dict[str, Any]) -> None:
    values["intervals"][1][1] = [4, 3]


@pytest.mark.parametrize(
    ("lie", "verdict", "says"),
    [
        (_set("value", "0.35355339059327371"), Verdict.REFUTED, "lies elsewhere"),
        (_set("index", 1), Verdict.REFUTED, "malformed"),
        (_set("pair", 1), Verdict.REFUTED, "do not differ"),
        (_set("pair", 2), Verdict.REFUTED, "malformed"),
        (_set("below", False), Verdict.REFUTED, "do not differ"),
        (_set("z", [(0.5).hex()] * 4), Verdict.UNDECIDED, "no pitchfork"),
        (_as_fold, Verdict.UNDECIDED, "no fold"),
        (_lacks_the_pair, Verdict.REFUTED, "not in the list"),
        (_other_copies, Verdict.REFUTED, "not those of the slabs"),
    ],
)
def test_a_lie_about_a_pitchfork_is_refused(lie: Callable[[dict[str, Any]], None], verdict: Verdict, says: str) -> None:
    values = deepcopy(certificate())
    lie(values)
    found = check_range(sealed(values), share=0.01, seed="0")
    assert (found.verdict, says in found.reason) == (verdict, True), found.reason


def test_the_written_event_is_the_pitchfork_that_was_proved() -> None:
    event = _event(certificate())
    slab = next(s for s in result().slabs if s.fold is not None)
    assert isinstance(slab.fold, Pitchfork)
    assert event["value"].startswith("0.35355339059327376220042218105")
    assert (event["index"], event["pair"], event["below"]) == (0, 0, True)
