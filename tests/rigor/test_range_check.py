"""The independent checker of ranges accepts a true certificate and refuses every lie that was thought of."""

from __future__ import annotations

import ast
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

import symland.rigor
import symland.rigor.range_check
from symland.errors import CertificateError
from symland.records import Verdict
from symland.rigor.enumeration.kept import Slab
from symland.rigor.enumeration.problem import reduced_problem
from symland.rigor.enumeration.range_writing import range_text
from symland.rigor.enumeration.ranges import RangeResult
from symland.rigor.enumeration.regions import find_fold, fold_region, polish, tube_region
from symland.rigor.enumeration_check.fields import Fields
from symland.rigor.enumeration_check.question import ball, read_question
from symland.rigor.range_check import check_range, search, verify
from symland.rigor.range_check.folds import Tract, find_bend, find_run, find_turn
from symland.rigor.range_check.homes import Part
from symland.rigor.range_check.verify import _exact, _point
from symland.spec import builtin
from tests.rigor.ranges_by_hand import PAIR, proved_range, sealed

FOLD = "0.0376801934832725"
"""Of one node and inputs -1 and 1, from another program."""
STAR = Fraction(FOLD)
ENDS = tuple(STAR * (1 + Fraction(x, 10000)) for x in (-10, -3, 3, 10))
SPEC = builtin("xor-pm").with_(hidden=(1,), penalty=f"{ENDS[0].numerator}/{ENDS[0].denominator}")


@cache
def result() -> RangeResult:
    """Three slabs about the fold, made without the search: the checker must not rest on it."""
    problem = reduced_problem(SPEC)
    rng, fold = np.random.default_rng(0), None
    while fold is None or abs(float(fold.penalty) / float(FOLD) - 1) > 1e-9:
        near = polish(problem.at(Fraction("0.0375")), rng.normal(size=5).tolist())
        fold = None if near is None else find_fold(problem.at(Fraction("0.0375")), near.tolist())
    low, middle, high = (problem.slab(a, b) for a, b in pairwise(ENDS))

    def tubes(slab: Any, *starts: Any) -> tuple[Any, ...]:
        points = [polish(slab, list(z)) for z in starts]
        found = tuple(tube_region(slab, z) for z in points if z is not None)
        assert len(found) == len(starts)
        assert all(found)
        return found

    bent, nothing = fold_region(middle, fold), [0.0] * 5
    assert bent is not None
    sides = [fold.z + s * 0.05 * fold.null for s in (1, -1)]
    regions = (tubes(low, nothing, *sides), (*tubes(middle, nothing), bent), tubes(high, nothing))
    slabs = tuple(
        Slab(low=s.penalty, high=s.highest, regions=r, fold=fold if bent in r else None, boxes=1)
        for s, r in zip((low, middle, high), regions, strict=True)
    )[::-1]
    return proved_range(slabs)


def certificate() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(range_text(SPEC, result()))
    return values


def test_the_file_has_the_names_of_its_schema() -> None:
    schema = json.loads((Path(symland.rigor.__file__).parent / "range.schema.json").read_text(encoding="utf-8"))
    values = json.loads(range_text(SPEC, result()))
    assert set(values) == set(schema["required"]) == set(schema["properties"])
    slab, fold = (schema["$defs"][name] for name in ("slab", "fold"))
    assert all(set(row) == set(slab["required"]) for row in values["slabs"])
    (bent,) = (row["fold"] for row in values["slabs"] if row["fold"] is not None)
    assert set(bent) == set(fold["required"])


def test_the_checker_imports_nothing_of_the_search() -> None:
    folder = Path(symland.rigor.range_check.__file__).parent
    allowed = (
        "symland.records",
        "symland.rigor.strict",
        "symland.rigor.enumeration_check",
        "symland.rigor.range_check",
    )
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symland"):
                assert any(node.module == a or (node.module or "").startswith(f"{a}.") for a in allowed), file.name
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("symland") for name in node.names), file.name


def test_a_true_certificate_holds_and_a_share_of_it_is_no_proof() -> None:
    found = check_range(sealed(certificate()), SPEC.canonical(), share=0.3, seed="0")
    assert (found.verdict, found.checked, found.proved, found.slabs) == (Verdict.UNDECIDED, 1, 1, 3)
    assert found.seed == "0"


def _lacks_a_class(values: dict[str, Any]) -> None:
    del values["slabs"][2]["points"][1]


def _lacks_both(values: dict[str, Any]) -> None:
    del values["slabs"][2]["points"][1:]


def _twice(values: dict[str, Any]) -> None:
    values["slabs"][2]["points"].append(values["slabs"][2]["points"][1])


def _shifted_fold(values: dict[str, Any]) -> None:
    values["slabs"][1]["fold"]["value"] = values["slabs"][1]["fold"]["value"][:12] + "7"


def _other_index(values: dict[str, Any]) -> None:
    values["slabs"][1]["fold"]["index"] = 1


def _other_way(values: dict[str, Any]) -> None:
    values["slabs"][1]["fold"]["below"] = False


def _no_slab(values: dict[str, Any]) -> None:
    del values["slabs"][1]


def _gap(values: dict[str, Any]) -> None:
    values["slabs"][2]["high"] = str(Fraction(values["slabs"][2]["high"]) - Fraction(1, 10**12))


def _short(values: dict[str, Any]) -> None:
    values["low"] = str(Fraction(values["low"]) - Fraction(1, 10**12))


def _no_fold(values: dict[str, Any]) -> None:
    values["slabs"][1]["fold"] = None


def _other_counts(values: dict[str, Any]) -> None:
    values["intervals"][1][1] = [5, 4]


def _beyond(values: dict[str, Any]) -> None:
    values["high"] = "inf"


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (_lacks_a_class, "not in the list"),
        (_lacks_both, "not in the list|differ by its two points"),
        (_twice, "are one point"),
        (_shifted_fold, "lies elsewhere"),
        (_other_index, "differ by its two points"),
        (_other_way, "differ by its two points"),
        (_no_slab, "gap between slabs"),
        (_gap, "gap between slabs"),
        (_short, "do not reach to the lower end"),
        (_no_fold, "where no fold is"),
        (_other_counts, "not those of the slabs"),
        (_beyond, "nothing speaks"),
    ],
)
def test_a_lie_is_refused(lie: Callable[[dict[str, Any]], None], says: str) -> None:
    values = deepcopy(certificate())
    lie(values)
    found = check_range(sealed(values), share=0.01, seed="0")
    assert found.verdict is Verdict.REFUTED
    assert any(part in found.reason for part in says.split("|")), found.reason


def test_a_broken_seal_another_question_and_an_open_range_are_refused() -> None:
    values = certificate()
    assert "seal" in check_range(json.dumps({**values, "low": "1/100"})).reason
    other = SPEC.with_(hidden=(2,))
    assert "another specification" in check_range(sealed(values), other.canonical()).reason
    with pytest.raises(CertificateError, match="not proved"):
        range_text(SPEC, replace(result(), verdict=Verdict.UNDECIDED))


def test_the_curve_about_a_fold_turns_once_and_beside_it_runs() -> None:
    values = certificate()
    question = read_question(values["spec"])
    row = values["slabs"][1]
    turn = find_turn(question, _point(row["fold"]["z"], 5), Fraction(row["fold"]["value"]))
    assert turn is not None
    assert abs(float((1 / (4 * turn.kappa)).mid()) / float(FOLD) - 1) < 1e-14
    ends = [1 / (4 * _exact(row[k])) for k in ("high", "low")]
    bend = find_bend(question, turn, ball(ends[0]), ball(ends[1]))
    assert bend is not None
    assert bend.below
    # No run goes through the fold; beside it there is one on either side.
    z = [float(x.mid()) for x in turn.z]
    assert find_run(question, z, *ends) is None
    below = values["slabs"][2]
    ends = [1 / (4 * _exact(below[k])) for k in ("high", "low")]
    runs = [find_run(question, _point(point, 5), *ends) for point in below["points"]]
    # The origin does not move.
    assert [run is None for run in runs] == [True, False, False]


def test_a_search_without_one_of_the_points_does_not_end() -> None:
    values = certificate()
    question, row = read_question(values["spec"]), values["slabs"][2]
    ends = 1 / (4 * _exact(row["high"])), 1 / (4 * _exact(row["low"]))
    span = search.Span.of(question, *ends)
    homes = [search.find_home(span, *ends, _point(point, 5)) for point in row["points"]]
    tracts = tuple(home[1] for home in homes if home is not None)
    assert len(tracts) == 3
    assert search.exhausted(question, *ends, [Part(*ends, tracts)])
    assert not search.exhausted(question, *ends, [Part(*ends, tracts[:2])])


TWO = PAIR.with_(hidden=(2,), penalty="31/100")
"""Two nodes below the place where the origin loses its stability: the origin, one node, two nodes."""


@cache
def two_nodes() -> dict[str, Any]:
    """One slab, made without the search."""
    problem = reduced_problem(TWO).slab(Fraction("0.31"), Fraction("0.3105"))
    rng, tubes = np.random.default_rng(0), [tube_region(problem, np.zeros(7))]
    while len(tubes) < 3:
        # One node, then two: the first is a point of the second with a zero node.
        z = np.zeros(7)
        z[: 3 * len(tubes)] = rng.normal(size=3 * len(tubes))
        point = polish(problem, z.tolist())
        rest = None if point is None else point[2:6:3]
        if rest is not None and (np.abs(rest) > 0.1).sum() == len(tubes):
            tubes.append(tube_region(problem, point))
    regions = tuple(tube for tube in tubes if tube is not None)
    assert len(regions) == 3
    slab = Slab(low=problem.penalty, high=problem.highest, regions=regions, fold=None, boxes=1)
    values: dict[str, Any] = json.loads(range_text(TWO, proved_range((slab,))))
    return values


@pytest.mark.parametrize(("made", "number", "kinds"), [(certificate, 2, {False, True}), (two_nodes, 0, {True})])
def test_a_core_lies_in_its_region_and_holds_the_point_at_both_ends(
    made: Callable[[], dict[str, Any]], number: int, kinds: set[bool]
) -> None:
    question, row = read_question(made()["spec"]), made()["slabs"][number]
    ends = [1 / (question.samples * _exact(row[k])) for k in ("high", "low")]
    # Over the middle quarter every point has a home.
    low, high = ((5 * a + 3 * b) / 8 for a, b in (ends, ends[::-1]))
    span, cubes, moved = search.Span.of(question, low, high), set(), set()
    for start in row["points"]:
        home = search.find_home(span, low, high, _point(start, len(start)))
        assert home is not None
        point, tract = home
        assert tract.core is not None
        cubes.add(bool((tract.frame == np.eye(len(point))).all()))
        for kappa in (low, high):
            narrow = (kappa * (1 - Fraction(1, 10**12)), kappa * (1 + Fraction(1, 10**12)))
            found = search.find_home(search.Span.of(question, *narrow), *narrow, point)
            assert found is not None
            assert ((tract.core[0] <= found[0]) & (found[0] <= tract.core[1])).all()
            place = np.linalg.solve(tract.frame, np.array(found[0]) - tract.centre)
            assert (np.abs(place) < tract.reach).all()
            moved.add(float(np.abs(np.array(found[0]) - np.array(point)).max()) > 1e-4)
    assert cubes == kinds
    assert moved == {False, True}


def test_two_nodes_are_searched_together() -> None:
    values = two_nodes()
    assert values["intervals"] == [[[1, 1, 1], [4, 4, 1]]]
    found = check_range(sealed(values), TWO.canonical(), share=1.0)
    assert (found.verdict, found.checked, found.proved) == (Verdict.CERTIFIED, 1, 1)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_slab_of_two_nodes_stays_open_where_a_branch_is_missing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "find_unlisted", lambda *_: None)
    monkeypatch.setattr(verify, "_need_counts", lambda *_: None)
    values = deepcopy(two_nodes())
    del values["slabs"][0]["points"][number]
    found = check_range(sealed(values), share=1.0)
    assert (found.verdict, found.checked, found.proved) == (Verdict.UNDECIDED, 1, 0)
    assert "left open: slab 0 from 0.31 to 0.3105" in found.reason


def test_a_home_holds_boxes_within_it_for_each_part_that_they_meet() -> None:
    question = read_question(TWO.canonical())
    frame = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0]
    reach = np.array([0.3, *[0.1] * 6])
    centre = np.array([0.5, 0.1, 0.9, 0.4, -0.2, 0.6, 0.1])
    wide, narrow = (Tract(centre, frame, r, None) for r in (reach, 0.5 * reach))
    middle = Fraction(8, 5)
    parts = [Part(Fraction(1), middle, (wide,)), Part(middle, Fraction(2), (narrow,))]
    homes = search.Homes(question, Fields(question, 2), parts)
    for share, kappa, told in (
        (0.4, (1.0, 1.5), True),
        (0.4, (1.7, 2.0), True),
        (0.8, (1.0, 1.5), True),
        (0.8, (1.7, 2.0), False),
        (0.8, (1.5, 1.7), False),
        (1.2, (1.0, 1.5), False),
    ):
        for axis in range(7):
            for sign in (1, -1):
                z = centre + sign * share * frame[:, axis] * reach[axis]
                for at in (z, np.array([z[3], -z[4], z[5], z[0], -z[1], z[2], -z[6]])):
                    box = np.stack(
                        [np.array([1.0, 1.0, k, *at]) + e for k, e in zip(kappa, (-1e-4, 1e-4), strict=True)]
                    )
                    held = homes.holds(Fields(question, 2), box[:, None])
                    assert held.tolist() == [told]


@pytest.mark.parametrize("low", [Fraction(0), Fraction(1, 3), Fraction(9, 10)])
def test_slices_of_kappa_join(low: Fraction) -> None:
    slices = list(search._slices(low, Fraction(1)))
    assert slices[0][1] == 1
    assert slices[-1][0] == low
    assert all(a == d for (a, _), (_, d) in pairwise(slices))
    assert all(a < b for a, b in slices)
