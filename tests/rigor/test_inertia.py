"""Index and eigenvalues of matrices whose spectra are prescribed; Krawczyk's bounds on matrices known by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.errors import CertificateError
from symland.program.balls import working_precision
from symland.rigor.decimals import (
    decimal_places,
    exact_decimal,
    fixed_text,
    nearest_text,
    outward_texts,
    parse_decimal,
    short_above,
)
from symland.rigor.inertia import (
    characteristic_index,
    congruence_index,
    eigenvalue_index,
    eigenvalues,
    eigenvectors,
    inertia,
    pivot_index,
)
from symland.rigor.krawczyk import (
    Midpoint,
    contraction,
    contracts,
    cube,
    hessian_over,
    newton_polish,
    preconditioned_midpoint,
    widest,
)
from symland.rigor.matrices import approximate_inverse, approximate_solution, largest, one_norm, row_norm
from symland.spec import LandscapeSpec
from tests.rigor.points import xor, xor_points

SPECTRA = (
    [1],
    [-1],
    [2, -3],
    [-5, -2, -1, 1, 4],
    [3, 3, 3, -7, -7],
    [1, 1, 1, 1],
    [-1, -2, -4, -8],
    [fmpq(1, 10**9), -fmpq(1, 10**9), 5, -5],
)


def with_spectrum(spectrum: list[int | fmpq], seed: int) -> arb_mat:
    """U^T D U for a product U of exact reflections I - 2 v v^T / |v|^2."""
    size, rng = len(spectrum), np.random.default_rng(seed)
    turn = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    for _ in range(3):
        v = [int(k) for k in rng.integers(-5, 6, size)]
        if not any(v):
            continue
        norm = sum(k * k for k in v)
        entries = [arb(fmpq(int(i == j) * norm - 2 * v[i] * v[j], norm)) for i in range(size) for j in range(size)]
        turn = turn * arb_mat(size, size, entries)
    middle = arb_mat(size, size, [arb(spectrum[i]) if i == j else arb(0) for i in range(size) for j in range(size)])
    return turn.transpose() * middle * turn


def widened(matrix: arb_mat, radius: float) -> arb_mat:
    size = matrix.nrows()
    return arb_mat(size, size, [x + arb(0, radius) for x in matrix.entries()])


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_every_method_finds_the_prescribed_index(spectrum: list[int | fmpq]) -> None:
    with working_precision(256):
        for seed in range(6):
            matrix = with_spectrum(spectrum, seed)
            index = sum(value < 0 for value in spectrum)
            assert congruence_index(matrix, eigenvectors(matrix, 3)) == index
            assert pivot_index(matrix) == index
            assert characteristic_index(matrix) == index
            assert eigenvalue_index(matrix) in (index, None)
            found = eigenvalues(matrix, eigenvectors(matrix, 3))
            assert found is not None
            for ball, value in zip(found, sorted(spectrum), strict=True):
                assert ball.contains(arb(value)) or abs(ball - arb(value)) < 1e-60
                assert ball.rad() < 1e-40


def test_eigenvectors_have_no_more_digits_than_they_are_good_for() -> None:
    # Eigenvectors of a nearly diagonal matrix have entries of all sizes.
    size = 12
    entries = [[arb(i) if i == j else arb(10) ** (-3 * abs(i - j)) / 3 for j in range(size)] for i in range(size)]
    with working_precision(300):
        matrix, one = arb_mat(entries), arb_mat(size, size, 1)
        for steps, bits, good in ((0, 53, 1e-14), (1, 159, 1e-27), (2, 318, 1e-40)):
            vectors = eigenvectors(matrix, steps)
            assert all(int(x.man_exp()[1]) >= -bits for x in vectors.entries() if not x.is_zero())
            defect = vectors.transpose() * vectors - one
            assert all(abs(x) < good for x in defect.entries())
        # Beyond what float64 can count the numbers stay as they are.
        assert all(x.is_finite() for x in eigenvectors(matrix, 30).entries())


@pytest.mark.parametrize("spectrum", [[3, 1, -2], [-4, 1, 2, 5]])
def test_enclosures_hold_every_matrix_and_no_method_decides_over_a_singular_one(spectrum: list[int]) -> None:
    with working_precision(128):
        for seed in range(5):
            matrix = widened(with_spectrum(spectrum, seed), 0.02)
            vectors = eigenvectors(matrix, 1)
            assert congruence_index(matrix, vectors) == sum(v < 0 for v in spectrum)
            found = eigenvalues(matrix, vectors)
            assert found is not None
            rng = np.random.default_rng(seed)
            middle = np.array([float(x.mid()) for x in matrix.entries()]).reshape(len(spectrum), -1)
            for _ in range(20):
                noise = rng.choice((-0.02, 0.02), size=middle.shape)
                values = np.linalg.eigvalsh(middle + np.triu(noise) + np.triu(noise, 1).T)
                assert all(ball.contains(float(v)) for ball, v in zip(found, values, strict=True))
            # A box that holds a singular matrix has no index.
            wide = widened(with_spectrum([*spectrum[:-1], 0], seed), 1e-6)
            for decide in (pivot_index, characteristic_index, eigenvalue_index):
                assert decide(wide) is None
            assert congruence_index(wide, eigenvectors(wide, 1)) is None
        # Nor has a singular matrix of exact numbers.
        flat = arb_mat([[3, 0], [0, 0]])
        for decide in (pivot_index, eigenvalue_index, characteristic_index):
            assert decide(flat) is None
            assert decide(-flat) is None
            assert decide(arb_mat([[0]])) is None
        assert congruence_index(arb_mat([[0]]), arb_mat([[1]])) is None


def test_eigenvalues_that_are_equal_are_counted_with_their_multiplicity() -> None:
    with working_precision(128):
        for spectrum in ([1, 1, 1], [-1, -1, -1], [3, 3, 3, -7, -7]):
            matrix = with_spectrum(spectrum, 0)
            assert eigenvalue_index(matrix) == sum(value < 0 for value in spectrum)
            assert characteristic_index(matrix) == sum(value < 0 for value in spectrum)
        # Exact zeros among the coefficients, between two of opposite signs.
        assert characteristic_index(arb_mat([[0, 1], [1, 0]])) == 1
        assert characteristic_index(arb_mat([[0, 0, 1, 0], [0, 0, 0, 2], [1, 0, 0, 0], [0, 2, 0, 0]])) == 2


def test_pivots_of_size_two_count_once() -> None:
    with working_precision(64):
        assert pivot_index(arb_mat([[0, 1], [1, 0]])) == 1
        assert pivot_index(arb_mat([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 2, 0]])) == 2
        # Of the pairs, only (0, 2) and (1, 3) can be pivots.
        assert pivot_index(arb_mat([[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]])) == 2
        for flat in ([[0]], [[0, 0], [0, 0]], [[1, 0], [0, 0]], [[0, 0], [0, -1]]):
            assert pivot_index(arb_mat(flat)) is None
        # The determinant lies in [-2.44, 0.44]: it may be positive.
        assert pivot_index(arb_mat([[arb(0, 1.2), 1], [1, arb(0, 1.2)]])) is None
        assert pivot_index(arb_mat([[arb(0, 0.9), 1], [1, arb(0, 0.9)]])) == 1


def test_pivots_are_eliminated_exactly() -> None:
    # Bordered matrices whose Schur complement after a pivot of size 2, or of size 1, decides the index.
    with working_precision(128):
        for last, index in ((arb(2.01), 1), (arb(1.99), 2)):
            assert pivot_index(arb_mat([[0, 1, 1], [1, 0, 1], [1, 1, last]])) == index
        for last, index in ((arb(4.01), 0), (arb(3.99), 1)):
            assert pivot_index(arb_mat([[25, 10], [10, last]])) == index
            assert pivot_index(arb_mat([[-25, 10], [10, -last]])) == 2 - index


def test_eigenvalues_allow_for_vectors_that_are_not_orthonormal() -> None:
    with working_precision(64):
        for stretch in (0.9, 1.1):
            vectors = arb_mat([[stretch, 0.01], [0, stretch]])
            found = eigenvalues(arb_mat([[2, 0], [0, -3]]), vectors)
            assert found is not None
            assert found[0].contains(-3)
            assert found[1].contains(2)
        for stretch in (1.5, 2):
            assert eigenvalues(arb_mat([[2, 0], [0, 3]]), arb_mat([[stretch, 0], [0, stretch]])) is None


def test_every_row_must_dominate() -> None:
    # Eigenvalues 2 +- sqrt 5: the first row dominates, the second does not.
    with working_precision(64):
        straight = arb_mat([[1, 0], [0, 1]])
        assert congruence_index(arb_mat([[3, 2], [2, 1]]), straight) is None
        assert congruence_index(arb_mat([[1, 2], [2, 3]]), straight) is None
        assert congruence_index(arb_mat([[3, 2], [2, -3]]), straight) == 1


def test_the_slope_is_the_largest_row_sum_and_the_test_is_strict() -> None:
    with working_precision(64):
        inverse, hessian = arb_mat([[1, 0], [0, 2]]), arb_mat([[arb(1, 0.25), 0.5], [0, 0.5]])
        # I - Y H = [[+-0.25, -0.5], [0, 0]].
        slope = contraction(inverse, hessian)
        assert 0.75 <= slope < 0.7501
        assert contracts(arb(1), arb(0.5), arb(2.5))
        assert not contracts(arb(1), arb(0.5), arb(2))
        assert not contracts(arb(1), arb(0), arb(1))
        assert not contracts(arb(0), arb(1), arb(1))
        assert not contracts(arb("nan"), arb(0), arb(1))
        assert not contraction(inverse, arb_mat([[arb("nan"), 0], [0, 1]])) < 1e300


@pytest.mark.parametrize("bits", [6, 9, 14])
def test_bounds_hold_at_any_precision(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for _ in range(60):
        exact = [fmpq(int(n), int(d)) for n, d in zip(rng.integers(-9, 10, 9), rng.integers(1, 12, 9), strict=True)]
        even = [exact[3 * min(i, j) + max(i, j)] for i in range(3) for j in range(3)]
        rows = [sum(abs((i == j) - exact[3 * i + j]) for j in range(3)) for i in range(3)]
        with working_precision(bits):
            slope = contraction(arb_mat(3, 3, [int(i == j) for i in range(3) for j in range(3)]), arb_mat(3, 3, exact))
            found = eigenvalues(arb_mat(3, 3, even), arb_mat(3, 3, [int(i == j) for i in range(3) for j in range(3)]))
        assert found is not None
        with working_precision(200):
            assert slope >= arb(max(rows))
            assert slope < arb(max(rows)) * (1 + arb(2) ** (3 - bits)) + arb(2) ** (3 - bits)
            for ball, value in zip(
                found,
                np.linalg.eigvalsh([[float(x.p) / float(x.q) for x in even[k : k + 3]] for k in (0, 3, 6)]),
                strict=True,
            ):
                assert ball.lower() - 1e-12 <= float(value) <= ball.upper() + 1e-12


def test_the_largest_of_numbers_one_of_which_is_none_is_none() -> None:
    for place in range(3):
        numbers = [arb(3), arb(1), arb(2)]
        assert largest(numbers) == 3
        numbers[place] = arb("nan")
        assert largest(numbers).is_nan()
        assert row_norm(arb_mat([[x, 0] for x in numbers])).is_nan()


def test_norms_are_upper_bounds() -> None:
    with working_precision(64):
        assert one_norm([]) == 0
        norm = one_norm([arb(1, 0.5), arb(-2), arb(0, 0.25)])
        assert norm.is_exact()
        assert 3.75 <= norm < 3.7500001
        assert 5 <= row_norm(arb_mat([[1, arb(-3, 1)], [2, 2]])) < 5.0000001


def test_matrices_beyond_float64_are_decided_or_left_open() -> None:
    with working_precision(128):
        huge = arb(10) ** 400
        diagonal = arb_mat([[huge, 0], [0, -huge]])
        assert congruence_index(diagonal, eigenvectors(diagonal, 1)) == 1
        turned = arb_mat([[0, huge], [huge, 0]])
        assert congruence_index(turned, eigenvectors(turned, 1)) is None
        assert pivot_index(turned) == 1


def test_an_inverse_is_given_only_where_there_is_one() -> None:
    with working_precision(64):
        assert approximate_inverse(arb_mat([[1, 1], [1, 1]])) is None
        inverse = approximate_inverse(arb_mat([[2, 0], [0, 4]]))
        assert inverse is not None
        assert [float(x) for x in inverse.entries()] == [0.5, 0, 0, 0.25]
        assert approximate_inverse(arb_mat([[arb("nan"), 0], [0, 1]])) is None
    with working_precision(30):
        # Too near to singular for an enclosure; some solution of the midpoint is given all the same.
        hilbert = arb_mat([[arb(1) / (i + j + 1) for j in range(12)] for i in range(12)])
        column = arb_mat(12, 1, [arb(1, 0.5)] * 12)
        found = approximate_solution(hilbert, column)
        assert found is not None
        assert all(x.is_exact() for x in found.entries())


def test_newton_ends_when_its_steps_stop_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(spec: LandscapeSpec, balls: list[arb], bits: int) -> Midpoint | None:
        calls.append(bits)
        return preconditioned_midpoint(spec, balls, bits)

    monkeypatch.setattr("symland.rigor.krawczyk.preconditioned_midpoint", counted)
    spec, theta = xor(1, "1e-2"), xor_points(1, "1e-2")[0]
    with working_precision(300):
        start = [arb(t) + arb("1e-3") for t in theta]
        found = newton_polish(spec, start, 40)
        assert found is not None
        point = preconditioned_midpoint(spec, found, 300)
        assert point is not None
        assert point.shift < arb(2) ** -280
        # 1e-3 squared six times is below 2^-300; then one or two steps that no longer shrink.
        assert 6 <= len(calls) <= 10
        assert set(calls) == {300}
        for most in (1, 2, 3):
            few = newton_polish(spec, start, most)
            assert few is not None
            assert max(abs(float(a - b)) for a, b in zip(few, found, strict=True)) < 1e-4 ** (2 ** (most - 1))


def test_the_widest_cube_passes_the_test_and_ten_times_it_does_not() -> None:
    spec = xor(2, "1e-3")
    with working_precision(128):
        for theta in xor_points(2, "1e-3")[:4]:
            point = preconditioned_midpoint(spec, [arb(t) for t in theta], 128)
            assert point is not None
            best = widest(spec, point, arb(1e-12))
            assert best is not None
            radius, slope = best
            assert slope <= 0.5
            again = contraction(point.inverse, hessian_over(spec, cube(point.balls, radius)))
            assert contracts(point.shift, again, radius)
            far = contraction(point.inverse, hessian_over(spec, cube(point.balls, 10 * radius)))
            assert not contracts(point.shift, far, 10 * radius)


@pytest.mark.parametrize("steep", [1e-3, 0.1, 40.0, 3e3, 1e5])
def test_the_widest_cube_is_nearly_that_of_the_slope_aimed_at(steep: float, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    def slope(inverse: arb_mat, radius: arb) -> arb:
        tried.append(float(radius))
        return arb("nan") if steep == 40.0 and radius > 1e-2 else steep * radius

    with working_precision(128):
        spec, theta = xor(1, "1e-2"), [arb(t) for t in xor_points(1, "1e-2")[0]]
        point = preconditioned_midpoint(spec, theta, 128)
        assert point is not None
        monkeypatch.setattr("symland.rigor.krawczyk.hessian_over", lambda spec, box: arb(box[0].rad()))
        monkeypatch.setattr("symland.rigor.krawczyk.contraction", slope)
        best = widest(spec, point, arb(1e-12))
        assert best is not None
        radius, found = float(best[0]), float(best[1])
        size = 1 + max(abs(float(t)) for t in theta)
        assert tried[0] == pytest.approx(1e-3 * size, rel=1e-6)
        assert any(radius == pytest.approx(r, rel=1e-6) for r in tried)
        assert len(tried) <= 6
        assert found == pytest.approx(steep * radius, rel=1e-6)
        # Beyond 0.01 there is no slope at 40: a quarter of the first radius beyond is taken.
        assert (0.1 if steep == 40.0 else 0.45) < found <= 0.5
        # A wide inclusion cube is where the search begins, and where the test never holds nothing is found.
        tried.clear()
        widest(spec, point, arb(0.5))
        assert tried[0] == pytest.approx(0.5, rel=1e-6)
        assert widest(spec, replace(point, shift=arb(1e9)), arb(1e-12)) is None


def test_the_slope_of_a_recorded_cube_shrinks_with_the_square_of_the_layers() -> None:
    for hidden, most in (((2,), 0.5), ((2, 2), 0.125), ((2, 1, 2), 0.5 / 9)):
        spec = xor(1, "1e-1").with_(hidden=hidden)
        with working_precision(128):
            point = preconditioned_midpoint(spec, [arb(0)] * spec.n_parameters, 128)
            assert point is not None
            best = widest(spec, point, arb(1e-12))
            assert best is not None
            assert 0.6 * most < best[1] <= most


def test_decimal_texts_are_exact_and_round_outward() -> None:
    rng = np.random.default_rng(0)
    with working_precision(100):
        for x in [*rng.normal(size=50), *(10.0 ** rng.uniform(-30, 30, 50)), 0.0, -0.1, 5e-324, 3.0]:
            assert parse_decimal(exact_decimal(float(x))) == fmpq(*map(int, float(x).as_integer_ratio()))
            ball = arb(float(x), abs(float(x)) * 1e-9)
            low, high = map(parse_decimal, outward_texts(ball, 40))
            assert arb(low) <= ball.lower()
            assert arb(high) >= ball.upper()
            if abs(x) > 1e-20:
                assert arb(high) - arb(low) < 2.2 * ball.rad()
            if x > 0:
                above = arb(parse_decimal(short_above(arb(float(x)))))
                assert arb(float(x)) <= above * (1 + arb(2) ** -90)
                assert above < arb(float(x)) * 1.0101
        assert outward_texts(arb(1) / 3, 5) == ("0.33333", "0.33334")
        assert outward_texts(-arb(1) / 3, 5) == ("-0.33334", "-0.33333")
        assert nearest_text(arb(-1) / 3, 4) == "-0.3333"
        assert nearest_text(arb(2) / 3, 4) == "0.6667"
        assert nearest_text(arb(1) / 3, 4) == "0.3333"
        # The last digit weighs between a thousandth and a hundredth of the radius.
        assert outward_texts(arb(0.5, 0.0078125), 30) == ("0.49218", "0.50782")
        assert outward_texts(arb(0.5, 0.25), 30) == ("0.249", "0.751")
        assert outward_texts(arb(0.5), 30)[0] == "0.5" + 29 * "0"
        assert fixed_text(-5, 3) == "-0.005"
        assert fixed_text(12, -2) == "1200"
        assert fixed_text(0, 2) == "0.00"
        assert [short_above(arb(n)) for n in (100, 999, 1000, 1001)] == ["1.00e2", "9.99e2", "1.00e3", "1.01e3"]
        assert [exact_decimal(Fraction(n, d)) for n, d in ((3, 40), (7, 125), (-12, 1), (1, 2**12))] == [
            "0.075",
            "0.056",
            "-12",
            "0.000244140625",
        ]
        for wrong in (Fraction(1, 3), Fraction(1, 75), float("nan"), "1..2", "00.5", "+1", "1e+5", ""):
            with pytest.raises(CertificateError):
                exact_decimal(wrong)
        assert [decimal_places(t) for t in ("12", "0.25", "1.5e-30", "1e3", "2.50e1")] == [0, 2, 31, -3, 1]
        assert outward_texts(arb(1234567), -3) == ("1234000", "1235000")
        assert short_above(arb(0)) == "0"
        assert short_above(arb(1, 0.5)) in ("1.50e0", "1.51e0")
        for wrong in (arb(-1), arb("nan"), arb("inf")):
            with pytest.raises(CertificateError):
                short_above(wrong)
        assert parse_decimal("-1.5e-3") == fmpq(-3, 2000)
        assert parse_decimal("2.5e3") == 2500


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_inertia_counts_the_signs_of_prescribed_spectra(size, seed):
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(size, size)))
    values = rng.choice((-1.0, 1.0), size=size) * rng.uniform(0.1, 3.0, size=size)
    matrix = basis @ np.diag(values) @ basis.T
    found = inertia([[arb(x, 1e-12) for x in row] for row in (matrix + matrix.T) / 2])
    assert found.decided
    assert (found.negative, found.positive) == ((values < 0).sum(), (values > 0).sum())


def test_inertia_decides_what_has_no_diagonal_and_leaves_a_zero_open():
    swap = [[arb(0), arb(1)], [arb(1), arb(0)]]
    assert (inertia(swap).negative, inertia(swap).positive) == (1, 1)
    assert inertia([[arb(0, 1e-20)]]).open == 1
