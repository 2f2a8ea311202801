"""Products of slices are exact, and what float64 makes of them has errors within the bounds that are said.

The oracle is arithmetic of fractions, and matrices made from prescribed eigenvalues.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq
from numpy.typing import NDArray

from symland.program.balls import working_precision
from symland.records import Verdict
from symland.rigor import check_matrices, check_slices
from symland.rigor.certify import certify
from symland.rigor.check import check_certificate
from symland.rigor.check_matrices import eigenvalue_discs
from symland.rigor.check_slices import (
    _carried,
    _change,
    _error,
    _float,
    _narrowed,
    _product,
    _similar,
    _slices,
    _turned,
    _width,
    sliced_discs,
)
from symland.rigor.refine import refine
from tests.rigor.points import xor, xor_points

Array = NDArray[np.float64]
Rows = list[list[Fraction]]


def rows(matrix: Array) -> Rows:
    return [[Fraction(x) for x in row] for row in matrix.tolist()]


def told(slices: Sequence[Array], width: int) -> Rows:
    """What slices say."""
    p, q = slices[0].shape
    parts = [[Fraction(int(x)) for x in part.ravel().tolist()] for part in slices]
    values = [sum(d / 2 ** (width * (k + 1)) for k, d in enumerate(column)) for column in zip(*parts, strict=True)]
    return [[Fraction(values[i * q + j]) for j in range(q)] for i in range(p)]


def times(left: Rows, right: Rows) -> Rows:
    columns = list(zip(*right, strict=True))
    return [[sum((a * b for a, b in zip(row, c, strict=True)), Fraction(0)) for c in columns] for row in left]


def plus(left: Rows, right: Rows, sign: int = 1) -> Rows:
    return [[a + sign * b for a, b in zip(*pair, strict=True)] for pair in zip(left, right, strict=True)]


def diagonal(numbers: Sequence[Any]) -> Rows:
    return [[Fraction(x) if i == j else Fraction(0) for j in range(len(numbers))] for i, x in enumerate(numbers)]


def norm(matrix: Rows) -> Fraction:
    return max(sum((abs(x) for x in row), Fraction(0)) for row in matrix)


def solved(matrix: Rows, right: Rows) -> Rows:
    """A^-1 B by elimination."""
    p = len(matrix)
    both = [[*row, *other] for row, other in zip(matrix, right, strict=True)]
    for k in range(p):
        pivot = next(i for i in range(k, p) if both[i][k])
        both[k], both[pivot] = both[pivot], both[k]
        both[k] = [x / both[k][k] for x in both[k]]
        for i in range(p):
            if i != k and both[i][k]:
                both[i] = [x - both[i][k] * y for x, y in zip(both[i], both[k], strict=True)]
    return [row[p:] for row in both]


@pytest.mark.parametrize("p", [1, 7, 170, 1365])
def test_products_of_the_largest_digits_are_exact_but_for_what_is_left_out(p: int) -> None:
    # All digits have the largest size and one sign, and the last bit is set: any rounding shows.
    width, last = _width(p), 5
    digits = 2.0 ** (width - 1) - np.random.default_rng(p).choice([1.0, 3.0, 5.0], size=(14, 2, p))
    left, right = list(digits[:7]), [part.T for part in digits[7:]]
    exact = times(told(left, width), told(right, width))
    whole, cut = (_product(left, right, n, width) for n in (13, last))
    assert told(whole, width) == exact
    missing = norm(plus(exact, told(cut, width), -1))
    # Two entries in a row.
    assert missing / 2 <= Fraction(2 * p, 2 ** (width * last)) < 2 * missing


def test_slices_say_a_sum_of_floats_up_to_their_bound() -> None:
    draw, width = np.random.default_rng(0), 22
    first = draw.uniform(-0.5, 0.5, (6, 6)) * 10.0 ** draw.integers(-20, 1, (6, 6))
    first[0, :3] = 0.5, -0.5, 0.0
    pieces = [first, first[::-1] * 2.0**-53, first.T * 2.0**-106]
    exact = plus(plus(*map(rows, pieces[:2])), rows(pieces[2]))
    for count in (3, 6, 8):
        slices, cut = _slices(pieces, count, width)
        assert all(np.abs(part).max() <= 2.0 ** (width - 1) and (part == np.rint(part)).all() for part in slices)
        missing = max(abs(x) for row in plus(exact, told(slices, width), -1) for x in row)
        assert missing <= cut
        assert missing > cut / 2**10 or count == 8


def test_slices_in_float64_are_wrong_by_no_more_than_their_sizes_allow() -> None:
    draw, width, worst = np.random.default_rng(1), 22, 0.0
    for leading in range(4):
        digits = [np.rint(draw.uniform(-1, 1, (30, 30)) * 2.0 ** (width - 1)) for _ in range(7)]
        for part in digits[:leading]:
            part[:] = 0
        # The first digits that are not 0 are small, and the next ones nearly undo them.
        digits[leading][:15] = np.sign(digits[leading][:15])
        digits[leading + 1][:15] = -(2.0 ** (width - 1)) * digits[leading][:15]
        digits = _carried(digits, width)
        found, sizes = _float(digits, width)
        each = sum(4 * np.abs(part) * 2.0 ** (-width * (k + 1)) for k, part in enumerate(digits))
        assert sizes >= each.sum(axis=1).max()
        exact = told(digits, width)
        for i in range(30):
            for j in range(30):
                error = abs(4 * exact[i][j] - Fraction(found[i, j]))
                assert error <= Fraction(each[i, j]) / 2**52
                worst = max(worst, float(error / Fraction(each[i, j])) * 2.0**52 if each[i, j] else 0.0)
    assert worst > 0.4


def test_the_defect_of_the_eigenvectors_is_divided_out() -> None:
    draw = np.random.default_rng(2)
    one, unit = diagonal([1] * 4), Fraction(1, 2**52)
    for f, o, given in (
        (0.02, 0.1, 0.0),
        (0.02, 0.1, 1e-5),
        (1e-15, 1e-16, 0.0),
        (1e-15, 1e-16, 1e-22),
        (1e-8, 1e-3, 0.0),
        (1e-15, 1e-19, 0.0),
        (1e-15, None, 0.0),
    ):
        high, less = draw.uniform(0.5, 0.9, 4), f * draw.uniform(-1, 1, (4, 4))
        # Without a size, G is far smaller than its parts.
        rest = less * high * (1 + 1e-13) if o is None else o * draw.uniform(-1, 1, (4, 4))
        sizes, f_size = (float(np.abs(x).sum(axis=1).max()) * (1 + 1e-12) for x in (rest, less))
        found, error = _similar((rest, sizes), (less, f_size), high, given)
        # As wrong as they may be: D by 2^-53, O and F by 2^-52, and O by `given` in each row sum besides.
        true_d = diagonal([Fraction(h) * (1 + unit / 2) for h in high.tolist()])
        true_f = [[-x * (1 + unit) for x in row] for row in rows(less)]
        true_o = [[x * (1 - unit) - Fraction(given) / 4 for x in row] for row in rows(rest)]
        exact = plus(solved(plus(one, true_f, -1), plus(true_d, true_o)), true_d, -1)
        missing = norm(plus(exact, rows(found), -1))
        assert missing <= Fraction(error) <= 8 * missing, (f, o, given, float(missing), error)
    assert _similar((rest, sizes), (less, 0.5), high, 0.0)[1] == np.inf


def test_what_an_x_does_not_take_away_is_within_its_bound() -> None:
    # Two that differ beyond float64 alone, or hardly at all; one that is close to them; what undoes their differences.
    draw, high = np.random.default_rng(3), np.array([0.3, 0.3, 0.3 + 2.0**-40, -0.4])
    for scale, gift, second, apart in (
        (1e-9, 0.0, -0.9, 6),
        (1e-16, 1e-16, -0.9, 10),
        (1e-22, 0.1, -0.9, 12),
        (1e-37, 0.0, 0.9 * (1 + 2.0**-52), 12),
        (1e-22, None, -0.9, 6),
    ):
        low, closest = np.array([0.9, second, 0.3, 0.1]) * 2.0**-55, Fraction(0)
        for _ in range(40):
            rest = scale * draw.uniform(-1, 1, (4, 4))
            np.fill_diagonal(rest, 0.0)
            shift = 1e-9 * draw.uniform(-1, 1, 4) - high if gift is None else gift * draw.uniform(0.5, 1, 4)
            shift[1] = shift[0] if gift == 0.1 else shift[1]
            change, missed = _change(rest, high, low, shift)
            assert (change != 0).sum() >= apart
            beyond = [Fraction(x) / 2**53 * s for x, s in zip(low.tolist(), (1, -1, 1, -1), strict=True)]
            d = diagonal([sum(map(Fraction, parts), b) for *parts, b in zip(high, low, shift, beyond, strict=True)])
            x = rows(change)
            left = plus(plus(rows(rest), times(d, x)), times(x, d), -1)
            missing = norm(plus(left, rows(np.where(change == 0, rest, 0.0)), -1))
            assert missing <= Fraction(missed)
            closest = max(closest, missing / Fraction(missed))
        assert closest > 0.02, (scale, gift, float(closest))


def test_a_turn_by_x_is_within_its_bound() -> None:
    draw, one = np.random.default_rng(4), diagonal([1] * 5)
    for x_size, scale, missed, given in (
        (0.09, 1e-3, 0.0, 0.0),
        (1e-9, 1e-16, 0.0, 0.0),
        (0.05, 1e-9, 0.0, 1e-7),
        (0.05, 1e-9, 1e-7, 0.0),
    ):
        rest, change = scale * draw.uniform(-1, 1, (5, 5)), x_size * draw.uniform(0.5, 1, (5, 5))
        change[rest < -0.7 * scale] = 0.0
        found, error = _turned(rest, change, missed, given)
        x, none = rows(change), diagonal([0] * 5)
        # All of what may be missing, in one column.
        first, second = ([[Fraction(e) * (j == 0) for j in range(5)] for _ in range(5)] for e in (missed, given))
        s = plus(plus(rows(np.where(change == 0, rest, 0.0)), times(rows(rest), x)), first)
        exact = solved(plus(one, x), plus(s, times(second, plus(one, x))))
        missing = norm(plus(exact, rows(found), -1))
        assert none != x
        assert missing <= Fraction(error)
        assert x_size < 1e-6 or Fraction(error) <= 30 * missing
    assert _turned(rest, change + 0.2, 0.0, 0.0)[1] == np.inf


def test_what_the_diagonal_is_given_is_no_longer_in_the_rest() -> None:
    for own in (1e-15, 1e-3):
        rest = np.array([[own, 1e-16], [2e-16, -own]])
        found, shift, error = _narrowed(rest, np.array([0.1, 0.2]), np.zeros(2), 0.0, 0.0)
        assert (found.diagonal() == 0).all()
        with working_precision(300):
            a, d = arb(0.1) + arb(own), arb(0.2) - arb(own)
            root = ((a - d) ** 2 / 4 + arb(1e-16) * arb(2e-16)).sqrt()
            for sign, start, gift, size in zip(
                (-1, 1), (0.1, 0.2), shift.tolist(), np.abs(found).sum(axis=1), strict=True
            ):
                assert abs((a + d) / 2 + sign * root - arb(start) - arb(gift)) <= arb(size + error)
        assert error < 2.0**-50 * own


def reflected(spectrum: Sequence[Fraction], v: Sequence[int]) -> Rows:
    """A matrix of rationals with these eigenvalues: R diag R with R = I - 2 v v^T / |v|^2."""
    p, size = range(len(v)), sum(x * x for x in v)
    turn = [[(i == j) - Fraction(2 * v[i] * v[j], size) for j in p] for i in p]
    return times(times(turn, diagonal(spectrum)), turn)


def balls(matrix: Rows, radius: Rows | None = None) -> arb_mat:
    entries = [arb(fmpq(x.numerator, x.denominator)) for row in matrix for x in row]
    if radius is not None:
        spread = [arb(fmpq(x.numerator, x.denominator)).upper() for row in radius for x in row]
        entries = [x + arb(0, r) for x, r in zip(entries, spread, strict=True)]
    return arb_mat(len(matrix), len(matrix), entries)


def holds(ball: arb, value: Fraction) -> bool:
    return bool(ball.contains(arb(fmpq(value.numerator, value.denominator))))


SPECTRUM = [
    Fraction(-3),
    Fraction(-1, 7),
    Fraction(1, 10**6),
    Fraction(2),
    Fraction(2),
    Fraction(9, 2),
    Fraction(10**3),
]
TURN = [2, 3, 5, -7, 11, 13, -1]


@pytest.mark.parametrize("power", [0, 40, -40])
def test_prescribed_eigenvalues_are_held_to_more_than_twice_the_precision_of_float64(power: int) -> None:
    spectrum = [x * Fraction(10) ** power for x in SPECTRUM]
    with working_precision(300):
        # The norm is 10^(power + 3). A second pass is made where the first does not suffice.
        for enough, most in ((-26, -26), (-60, -33)):
            found = sliced_discs(balls(reflected(spectrum, TURN)), arb(10) ** (power + enough))
            assert found is not None
            for ball, value in zip(sorted(found, key=float), spectrum, strict=True):
                assert holds(ball, value)
                assert ball.rad() < arb(10) ** (power + most)


@pytest.mark.parametrize("slices", [3, 4])
def test_what_few_slices_leave_out_is_allowed_for(slices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_slices, "SLICES", slices)
    draw = np.random.default_rng(slices)
    with working_precision(300):
        for _ in range(20):
            spectrum = [Fraction(int(n), 997) for n in np.sort(draw.choice(1000, size=7, replace=False))]
            found = sliced_discs(balls(reflected(spectrum, draw.integers(1, 100, 7).tolist())), arb(0))
            assert found is not None
            for ball, value in zip(sorted(found, key=float), spectrum, strict=True):
                assert holds(ball, value)
                assert ball.rad() < 2.0 ** (10 - 22 * slices)


def test_every_symmetric_matrix_within_the_balls_has_its_eigenvalues_in_the_discs() -> None:
    # One eigenvalue moves by as much as the balls let it: t v v^T is added, and the radii are its entries.
    v = [1, -2, 3, 1, -1, 2, 4]
    size = sum(x * x for x in v)
    for t in (Fraction(1, 10**4), Fraction(1, 10**20), Fraction(1, 10**27)):
        # R e_1 = e_1 - 2 v_1 v / |v|^2 is the eigenvector of the first.
        vector = [Fraction(int(k == 0)) - Fraction(2 * v[0] * x, size) for k, x in enumerate(v)]
        radius = [[abs(t * a * b) for b in vector] for a in vector]
        spectrum = [Fraction(k * k - 3) for k in range(7)]
        with working_precision(300):
            found = sliced_discs(balls(reflected(spectrum, v), radius), arb(0))
            assert found is not None
            first = min(found, key=float)
            assert holds(first, spectrum[0] + t)
            assert holds(first, spectrum[0] - t)
            assert first.rad() < 10 * arb(fmpq(t.numerator, t.denominator)) + arb(10) ** -26


def test_equal_eigenvalues_stay_together_and_those_that_are_nearly_so_are_not_told_apart() -> None:
    spectrum = [Fraction(1, 100)] * 5 + [Fraction(3), Fraction(7, 3)]
    with working_precision(300):
        found = eigenvalue_discs(balls(reflected(spectrum, TURN)), arb("1e-25"))
        assert all(holds(ball, Fraction(1, 100)) and ball.rad() < 1e-26 for ball in found[:5])
        spectrum[1:5] = [spectrum[0] + Fraction(k, 10**18) for k in (1, 2, 3, 4)]
        found = sliced_discs(balls(reflected(spectrum, TURN)), arb(1e-15))
        assert found is not None
        # Of discs that meet, each may hold the eigenvalue of another.
        close = sorted(found, key=float)[:5]
        union = close[0].union(close[1]).union(close[2]).union(close[3]).union(close[4])
        assert all(holds(union, x) for x in spectrum[:5])
        assert 1e-18 < union.rad() < 1e-15


def test_what_float64_and_slices_do_not_hold_of_a_matrix_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_slices, "SLICES", 3)
    seen: list[Any] = []

    def watched(name: str) -> None:
        function = getattr(check_slices, name)

        def call(*arguments: Any) -> Any:
            found = function(*arguments)
            seen.append((name, arguments, found))
            return found

        monkeypatch.setattr(check_slices, name, call)

    for name in ("_pieces", "_slices", "_error"):
        watched(name)
    exact = [[Fraction(1, 3 + i + j) for j in range(6)] for i in range(6)]
    for radius in (Fraction(0), Fraction(1, 10**30)):
        seen.clear()
        with working_precision(300):
            assert sliced_discs(balls(exact, [[radius] * 6] * 6), arb(1)) is not None
        (_, _, (pieces, lost)), (_, _, (digits, _)), _, (_, (unknown, _, width), _) = seen[:4]
        told_by_pieces = plus(plus(rows(pieces[0]), rows(pieces[1])), rows(pieces[2]))
        scaled = told(digits, width)
        power = Fraction(2) ** round(float(np.log2(float(exact[0][0] / scaled[0][0]))))
        for i in range(6):
            for j in range(6):
                missing = abs(exact[i][j] - told_by_pieces[i][j]) + radius
                assert missing <= Fraction(lost[i, j]) <= missing * (1 + Fraction(1, 2**25)) + Fraction(1, 10**80)
                assert abs(exact[i][j] / power - scaled[i][j]) + radius / power <= Fraction(unknown[i, j])


@pytest.mark.parametrize("slices", [3, 5])
def test_the_products_of_a_turned_matrix_lack_no_more_than_is_said(
    slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_slices, "SLICES", slices)
    p, draw = 24, np.random.default_rng(slices)
    width = _width(p)
    # The first slices are small, so that the product stays below 1/2; the others are as large as may be.
    a, q = ([2.0 ** (width - 1) - draw.choice([1.0, 3.0], size=(p, p)) for _ in range(slices)] for _ in range(2))
    a[0], q[0] = a[0] // p, q[0] // 2
    vectors = np.abs(_float(q, width)[0]) / 4 + 2.0**-50
    for unknown in (0.0, 1e-9):
        left = [part.T for part in q]
        found = told(_product(left, _product(a, q, slices, width), slices, width), width)
        more = [[x + Fraction(unknown) for x in row] for row in told(a, width)]
        exact = times(times(told(left, width), more), told(q, width))
        missing = 4 * norm(plus(exact, found, -1))
        error = Fraction(_error(np.full((p, p), unknown), vectors, width))
        assert missing <= error <= 40 * missing


def test_digits_that_are_too_large_are_not_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(*arguments: Any) -> list[Array]:
        calls.append(1)
        return _product(*arguments)

    monkeypatch.setattr(check_slices, "_product", counted)
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (None, 3 * np.eye(len(matrix))))
    with working_precision(300):
        assert sliced_discs(arb_mat([[1, 0], [0, 2]]), arb(1)) is None
    assert len(calls) == 1


@pytest.mark.parametrize("entry", ["nan", "inf", "1e400", "1e-400", "0"])
def test_what_float64_cannot_hold_is_left_to_balls(entry: str) -> None:
    with working_precision(300):
        assert sliced_discs(arb_mat([[arb(entry), 0], [0, arb(entry)]]), arb(1)) is None


def test_a_certificate_of_fifty_digits_needs_no_products_of_long_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = xor(8, "1e-2")
    made = certify(spec, refine(spec, xor_points(8, "1e-2", 6)[0], 50)).to_json()

    def never(*arguments: Any) -> list[arb]:
        raise AssertionError

    monkeypatch.setattr(check_matrices, "_discs", never)
    assert check_certificate(made).verdict is Verdict.CERTIFIED
