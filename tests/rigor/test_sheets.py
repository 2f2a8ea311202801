"""Sheets enclose y and g, and around the events of two nodes there are as many points as the regions say."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy.optimize import root

from symland.rigor.enumeration import sheets
from symland.rigor.enumeration.models import Models, degrees
from symland.rigor.enumeration.pitchfork_region import Event, event_region, find_event
from symland.rigor.enumeration.problem import ReducedProblem, reduced_problem
from symland.rigor.enumeration.regions import (
    Kind,
    Region,
    beside,
    framed,
    polish,
    softest,
    straightened,
    strayed,
    tube_region,
)
from symland.rigor.enumeration.sheets import Frame, Sheet, sheet_at
from symland.spec import builtin
from tests.rigor.reduced import SIGN, XOR

PITCHFORK = 0.023606977940166595
FOLD = 0.023525048050022868
"""Of two nodes, inputs 0 and 1."""
NEAR = {
    PITCHFORK: (Kind.PITCHFORK, [-0.633, 0.521, -0.381, 0.775, 0.521, -0.633, -0.381, 0.775, 0.513]),
    FOLD: (Kind.FOLD, [-0.133, -0.133, -0.033, 0.308, 0.824, 0.824, 0.044, 0.953, -0.473]),
}


@cache
def problem() -> ReducedProblem:
    return reduced_problem(builtin("xor").with_(hidden=(2,), penalty="0.023"))


def slab(star: float, low: float, high: float) -> ReducedProblem:
    return problem().slab(Fraction(star * (1 + low)), Fraction(star * (1 + high)))


@cache
def event(star: float) -> Event:
    kind, z = NEAR[star]
    found = find_event(problem().at(Fraction(star)), z, kind)
    assert found is not None
    assert abs(float(found.penalty) / star - 1) < 1e-12
    return found


@cache
def region(star: float) -> Region:
    found = event_region(slab(star, -0.001, 0.001), event(star))
    assert found is not None
    return found


def equations(z: np.ndarray, kappa: float) -> np.ndarray:
    """The equations of two nodes, written out."""
    nodes = z[:8].reshape(2, 4)
    h = np.tanh(XOR @ nodes[:, :3].T)
    pull = kappa * SIGN / (1 + np.exp(SIGN * (h @ nodes[:, 3] + z[8])))
    rows = [
        [*(2 * n[:3] - n[3] * (pull * (1 - t * t)) @ XOR), n[3] - pull @ t] for n, t in zip(nodes, h.T, strict=True)
    ]
    return np.array([*np.ravel(rows), z[8] - pull.sum()])


@cache
def frame() -> Frame:
    here = slab(PITCHFORK, 0.002, 0.004)
    z = polish(here, event(PITCHFORK).z.tolist())
    assert z is not None
    started = framed(here, z, beside(here, z, softest(here, z.tolist())))
    assert started is not None
    return started[0]


@cache
def sheet() -> Sheet:
    found = sheet_at(frame(), 0.02, 0.05, np.full(8, 0.005), np.zeros(8))
    assert found is not None
    return found


def solved(e1: float, e2: float) -> tuple[np.ndarray, float]:
    """y and g, by SciPy."""
    x, kappa = sheet().x + e1 * sheet().rho, frame().kappa[0] + e2 * sheet().wide
    y = beside_line(frame().centre + x * frame().normal, frame().across, kappa)
    return y, float(frame().normal @ equations(frame().centre + x * frame().normal + frame().across @ y, kappa))


def beside_line(start: np.ndarray, columns: np.ndarray, kappa: float) -> np.ndarray:
    """y with Q^T F = 0."""

    def across(y: np.ndarray) -> np.ndarray:
        return columns.T @ equations(start + columns @ y, kappa)

    y = root(across, np.zeros(8), options={"xtol": 1e-14}).x
    assert np.abs(across(y)).max() < 1e-12
    return np.asarray(y)


@pytest.mark.parametrize("order", [2, 5])
def test_tanh_of_a_polynomial_is_within_its_rest_for_complex_variables_and_needs_it(order: int) -> None:
    rng, among = np.random.default_rng(order), degrees(2, order)
    terms = rng.normal(size=(6, among.size))
    terms *= 0.5 / np.abs(terms).sum(axis=1)[:, None]
    rows = Models(among, rng.normal(size=6), terms, np.zeros(6))
    found, worst = rows.tanh(), 0.0
    for _ in range(60):
        e = np.exp(2j * np.pi * rng.uniform(size=2))
        powers = np.array([e[0] ** key.count(0) * e[1] ** key.count(1) for key in among.keys])
        off = np.abs(np.tanh(rows.value + terms @ powers) - found.value - found.terms @ powers)
        assert (off <= found.rest).all()
        worst = max(worst, float((off / found.rest).max()))
    assert worst > 0.02
    wide = Models(among, rows.value, 2 * terms, np.zeros(6))
    assert np.isinf(wide.tanh().rest).all()


def test_a_product_of_polynomials_is_within_its_rest_and_needs_it() -> None:
    rng, among = np.random.default_rng(0), degrees(3, 2)
    a, b = (Models(among, rng.normal(size=50), rng.normal(size=(50, among.size)), np.zeros(50)) for _ in range(2))
    found, worst = a * b, 0.0
    for _ in range(100):
        e = np.exp(2j * np.pi * rng.uniform(size=3))
        powers = np.array([np.prod([e[k] for k in key]) for key in among.keys])
        true = (a.value + a.terms @ powers) * (b.value + b.terms @ powers)
        off = np.abs(true - found.value - found.terms @ powers)
        assert (off <= found.rest).all()
        worst = max(worst, float((off / found.rest).max()))
    assert worst > 0.3


def test_the_models_of_the_equations_and_their_slopes_are_those_that_many_digits_give() -> None:
    rng, among = np.random.default_rng(1), degrees(2, 2)
    z, kappa = rng.normal(size=9), 10.6
    still = Models(among, z, np.zeros((9, among.size)), np.zeros(9))
    at = Models(among, np.array([kappa]), np.zeros((1, among.size)), np.zeros(1))
    value, slopes = sheets._field(problem(), still, at), sheets._slopes(problem(), still, at)
    assert np.abs(value.value - equations(z, kappa)).max() < 1e-12
    assert value.rest.max() < 1e-9
    with mpmath.workdps(40):

        def field(t: mpmath.mpf, along: int) -> list[mpmath.mpf]:
            u = [mpmath.mpf(float(a)) + (t if k == along else 0) for k, a in enumerate(z)]
            out = [(1 if k in (3, 7, 8) else 2) * a for k, a in enumerate(u)]
            for row, s in zip(XOR.tolist(), SIGN.tolist(), strict=True):
                h = [mpmath.tanh(sum(x * y for x, y in zip(row, u[b : b + 3], strict=True))) for b in (0, 4)]
                p = mpmath.mpf(kappa) * s / (1 + mpmath.exp(s * (u[3] * h[0] + u[7] * h[1] + u[8])))
                for b, q in zip((0, 4), h, strict=True):
                    for k in range(3):
                        out[b + k] -= u[b + 3] * p * (1 - q * q) * row[k]
                    out[b + 3] -= p * q
                out[8] -= p
            return out

        step = mpmath.mpf("1e-12")
        for k in range(9):
            told = [(a - b) / (2 * step) for a, b in zip(field(step, k), field(-step, k), strict=True)]
            assert np.abs(np.array([float(a) for a in told]) - slopes.value.reshape(9, 9)[:, k]).max() < 1e-11


def test_a_sheet_encloses_y_and_g_and_the_derivatives_of_g() -> None:
    rng = np.random.default_rng(0)
    for e1, e2 in rng.uniform(-0.5, 0.5, size=(12, 2)) * [1.5, 1.0]:
        y, g = solved(e1, e2)
        powers = np.multiply.outer(e1 ** np.arange(sheets.ORDER + 1), e2 ** np.arange(sheets.IN_KAPPA))
        assert np.abs(y - (sheet().table * powers).sum(axis=(1, 2))).max() < sheet().off + 1e-12
        low, high = sheet().box(frame(), e1 - 0.01, e1 + 0.02)
        z = frame().centre + frame().columns @ np.array([sheet().x + e1 * sheet().rho, *y])
        assert ((low < z) & (z < high)).all()
        more = np.multiply.outer(e1 ** np.arange(sheets.ORDER + 1), e2 ** np.arange(sheets.ORDER + 1))
        assert abs(g - (sheet().g * more).sum()) < sheet().rest + 1e-12
        step = 1e-3
        slope = (solved(e1 + step, e2)[1] - solved(e1 - step, e2)[1]) / (2 * step * sheet().rho)
        assert abs(slope - float(sheet().range(e1, e1, 1).mid())) < float(sheet().range(e1, e1, 1).rad()) + 1e-6
        tilt = (solved(e1, e2 + step)[1] - solved(e1, e2 - step)[1]) / (2 * step * sheet().wide)
        assert abs(tilt - float(sheet().range(e1, e1, 0, 1).mid())) < float(sheet().range(e1, e1, 0, 1).rad()) + 1e-6
    assert sheet().off < 1e-5
    assert sheet().rest < 1e-6


def test_a_polynomial_with_a_wrong_sign_is_not_taken_for_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = sheets._fitted

    def wrong(*parts: object) -> np.ndarray | None:
        table = fitted(*parts)  # type: ignore[arg-type]
        assert table is not None
        table[0, 2, 0] *= -1
        return table

    monkeypatch.setattr(sheets, "_fitted", wrong)
    moved = 2 * abs(sheet().table[0, 2, 0])
    found = sheet_at(frame(), 0.02, 0.05, np.full(8, 0.005), np.zeros(8))
    assert moved > 100 * sheet().off
    assert found is None or found.off > moved / 2
    # A polynomial that is a little off has a wider rest, of y and of g.
    monkeypatch.setattr(sheets, "_fitted", lambda *parts: fitted(*parts) + _lifted())
    off = sheet_at(frame(), 0.02, 0.05, np.full(8, 0.005), np.zeros(8))
    assert off is not None
    for e1 in (-0.7, 0.7):
        y, g = solved(e1, 0.0)
        assert 4e-4 < np.abs(y - off.at(e1)).max() < off.off
        assert abs(g - np.polynomial.polynomial.polyval(e1, off.g[:, 0])) < off.rest
        assert abs(g - np.polynomial.polynomial.polyval(e1, off.g[:, 0])) > 3 * sheet().rest
    # And where the polynomial leaves what is unique, nothing is proved.
    monkeypatch.setattr(sheets, "_fitted", lambda *parts: fitted(*parts) + 0.01)
    assert sheet_at(frame(), 0.02, 0.05, np.full(8, 0.005), np.zeros(8)) is None


def _lifted() -> np.ndarray:
    """A table of polynomials that are constant."""
    table = np.zeros((8, sheets.ORDER + 1, sheets.IN_KAPPA))
    table[:, 0, 0] = 5e-4
    return table


def test_no_sheet_is_thicker_than_its_slopes_allow() -> None:
    assert sheet_at(frame(), 0.0, 0.05, np.full(8, 0.05), np.zeros(8)) is None
    assert sheet_at(frame(), 0.0, 1.0, np.full(8, 0.005), np.zeros(8)) is None


def inside(where: Region, penalty: float) -> list[np.ndarray]:
    """Zeros in a region, by SciPy, from all over it."""
    found, rng = list[np.ndarray](), np.random.default_rng(0)
    for x in np.linspace(-1, 1, 25):
        u = np.array([x, *rng.uniform(-0.5, 0.5, size=8)]) * where.reach
        u[1:] += np.polynomial.polynomial.polyval(u[0], where.bend.T)
        answer = root(equations, where.centre + where.frame @ u, args=(1 / (4 * penalty),), options={"xtol": 1e-14})
        there = where.contains((answer.x, answer.x))
        if np.abs(equations(answer.x, 1 / (4 * penalty))).max() < 1e-11 and there:
            found += [answer.x] if all(np.abs(answer.x - z).max() > 1e-6 for z in found) else []
    return found


def index(z: np.ndarray, penalty: float) -> int:
    step = 1e-6 * np.eye(9)
    columns = [(equations(z + s, 1 / (4 * penalty)) - equations(z - s, 1 / (4 * penalty))) / 2e-6 for s in step]
    return int((np.linalg.eigvals(np.array(columns)).real < 0).sum())


@pytest.mark.parametrize(("star", "below", "above"), [(PITCHFORK, [1, 1, 2], [1]), (FOLD, [0, 1], [])])
def test_near_an_event_of_two_nodes_there_are_as_many_points_as_its_region_says(
    star: float, below: list[int], above: list[int]
) -> None:
    where = region(star)
    assert where.opens_down
    assert (where.index, where.pair) == ((1, 1) if star == PITCHFORK else (0, None))
    for share in np.random.default_rng(2).uniform(-0.001, 0.001, size=6):
        penalty = star * (1 + share)
        assert sorted(index(z, penalty) for z in inside(where, penalty)) == (below if share < 0 else above)


@pytest.mark.parametrize("star", [PITCHFORK, FOLD])
def test_a_region_follows_the_curve_along_which_all_equations_but_one_hold(star: float) -> None:
    where = region(star)
    assert where.reach[0] > 0.1
    for share, part in np.random.default_rng(5).uniform(-0.95, 0.95, size=(12, 2)):
        kappa, x = 1 / (4 * star * (1 + 0.001 * share)), part * where.reach[0]
        y = beside_line(where.centre + x * where.frame[:, 0], where.frame[:, 1:], kappa)
        # By more than one half the sheets are thinner than what they are unique in.
        assert np.abs(y - np.polynomial.polynomial.polyval(x, where.bend.T)).max() < 0.82 * where.reach[1]


@pytest.mark.parametrize(("low", "high", "number"), [(0.001, 0.0015, 1), (-0.0012, -0.001, 2)])
def test_a_tube_beside_the_pitchfork_holds_the_branch_alone(low: float, high: float, number: int) -> None:
    here = slab(PITCHFORK, low, high)
    z = polish(here, event(PITCHFORK).z.tolist())
    assert z is not None
    tube = tube_region(here, z)
    assert tube is not None
    assert tube.index == number
    for share in np.random.default_rng(3).uniform(low, high, size=3):
        assert len(inside(tube, PITCHFORK * (1 + share))) == 1


def test_boxes_in_a_bent_region_are_told_by_the_bound_of_what_its_polynomials_move() -> None:
    rng = np.random.default_rng(4)
    bends, places = rng.normal(size=(3, 8, 6)), rng.normal(size=(3, 9, 20)) * 0.4
    reach = rng.uniform(0, 0.1, size=places.shape)
    bound, there = strayed(bends, places, reach), straightened(bends, places)
    for _ in range(30):
        moved = places + reach * rng.uniform(-1, 1, size=places.shape)
        assert (np.abs(straightened(bends, moved) - there) <= reach + bound + 1e-12).all()
    # A point on the curve of the region is in it, one beside it by more than Y is not.
    where = region(PITCHFORK)
    x = 0.9 * where.reach[0]
    q = np.polynomial.polynomial.polyval(x, where.bend.T)
    z = where.centre + where.frame @ np.array([x, *q])
    assert where.contains((z, z))
    z = z + 1.01 * where.reach[1] * where.frame[:, 1]
    assert not where.contains((z, z))
