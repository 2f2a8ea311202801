"""Every enclosed float64 operation holds the true values over its interval, and is not much wider than they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp, mpf

from benchmarks.enclosed import Enclosed, EnclosedAlgebra
from symland.errors import CertificateError

ALGEBRA = EnclosedAlgebra()

# Name, value, function in mpmath, its derivative, and where it is taken.
ONE = (
    ("exp", None, mp.exp, mp.exp, (-30.0, 30.0)),
    ("tanh", None, mp.tanh, lambda x: mp.sech(x) ** 2, (-9.0, 9.0)),
    ("sech2", None, lambda x: mp.sech(x) ** 2, lambda x: 2 * mp.sech(x) ** 2 * mp.tanh(x), (-9.0, 9.0)),
    ("logistic", None, lambda x: 1 / (1 + mp.exp(-x)), lambda x: 1 / (2 + mp.exp(x) + mp.exp(-x)), (-30.0, 30.0)),
    ("softplus", None, lambda x: mp.log1p(mp.exp(x)), lambda x: 1 / (1 + mp.exp(-x)), (-30.0, 30.0)),
    ("log", None, mp.log, lambda x: 1 / x, (0.05, 90.0)),
    ("sqrt", None, mp.sqrt, lambda x: 0.5 / mp.sqrt(x), (0.05, 90.0)),
    ("power", Fraction(0), lambda x: mpf(1), lambda x: mpf(0), (-3.0, 3.0)),
    ("power", Fraction(1), lambda x: x, lambda x: mpf(1), (-3.0, 3.0)),
    ("power", Fraction(2), lambda x: x**2, lambda x: 2 * x, (-3.0, 3.0)),
    ("power", Fraction(5), lambda x: x**5, lambda x: 5 * x**4, (-3.0, 3.0)),
    ("power", Fraction(-1), lambda x: 1 / x, lambda x: 1 / x**2, (0.05, 9.0)),
    ("power", Fraction(-3), lambda x: x**-3, lambda x: 3 / x**4, (-9.0, -0.05)),
)


def shape(x: list[float], r: float) -> Enclosed:
    return Enclosed(np.array(x), np.full(len(x), r))


@pytest.mark.parametrize(("op", "value", "f", "slope", "domain"), ONE)
@pytest.mark.parametrize("radius", [0.0, 1e-13, 1e-6, 1e-2])
def test_functions_of_one_interval_are_enclosed_and_not_widely(
    op: str, value: Fraction | None, f: object, slope: object, domain: tuple[float, float], radius: float
) -> None:
    assert callable(f)
    assert callable(slope)
    rng, floor = np.random.default_rng(0), 1e-14 * (op == "softplus")
    points = [*rng.uniform(*domain, 40).tolist(), *domain]
    with np.errstate(all="ignore"):
        out = ALGEBRA.primitive(op, [shape(points, radius)], value)
    with mp.workdps(40):
        for x, mid, rad in zip(points, out.mid.tolist(), out.rad.tolist(), strict=True):
            steep = mpf(0)
            for at in np.linspace(-1.0, 1.0, 9).tolist():
                y = mpf(x) + mpf(at) * mpf(radius)
                assert abs(f(y) - mpf(mid)) <= mpf(rad)
                steep = max(steep, abs(slope(y)))
            # Second derivatives widen the bound by about radius^2; an interval that reaches zero has no inverse.
            if radius <= 1e-6:
                assert rad <= 1.001 * steep * radius + 3e3 * radius**2 + 1e-14 * (abs(mid) + steep) + floor
            else:
                assert rad < 0.5 + 60 * steep * radius


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_functions_of_two_intervals_are_enclosed_and_not_widely(op: str) -> None:
    rng = np.random.default_rng(1)
    for radius in (0.0, 1e-13, 1e-5, 0.1):
        a, b = rng.normal(size=60) * 3, rng.uniform(0.4, 3.0, 60) * rng.choice((-1, 1), 60)
        x, y = shape(a.tolist(), radius), shape(b.tolist(), radius / 2)
        out = {"add": x + y, "sub": x - y, "mul": x * y, "div": ALGEBRA.primitive("div", [x, y], None)}[op]
        for k in range(60):
            ends = []
            for s in (-1, 1):
                for t in (-1, 1):
                    p = Fraction(float(a[k])) + s * Fraction(radius)
                    q = Fraction(float(b[k])) + t * Fraction(radius) / 2
                    ends.append({"add": p + q, "sub": p - q, "mul": p * q, "div": p / q}[op])
            far = max(abs(e - Fraction(float(out.mid[k]))) for e in ends)
            assert far <= Fraction(float(out.rad[k]))
            assert float(out.rad[k]) <= 1.5 * float(far) + 1e-14 * (1 + abs(float(out.mid[k])))


def test_the_rounding_of_one_operation_is_covered_to_the_last_bit() -> None:
    # Errors of (1 - 2^-52) u and of u, next to 1.
    exact = [shape([x], 0.0) for x in (1 + 2.0**-52, 1 - 2.0**-53, 1.0, 2.0**-53, -(2.0**-53))]
    product, total, difference = exact[0] * exact[1], exact[2] + exact[3], exact[2] - exact[4]
    for out, true in (
        (product, (1 + Fraction(1, 2**52)) * (1 - Fraction(1, 2**53))),
        (total, 1 + Fraction(1, 2**53)),
        (difference, 1 + Fraction(1, 2**53)),
    ):
        far = abs(Fraction(float(out.mid[0])) - true)
        assert far > Fraction(9, 10) * Fraction(1, 2**53)
        assert far <= Fraction(float(out.rad[0]))


def test_tiny_and_huge_numbers_stay_enclosed() -> None:
    tiny, huge = shape([1e-200, -3e-160], 1e-201), shape([1e200], 1e180)
    with np.errstate(all="ignore"):
        product, grown = tiny * tiny, huge * huge
    for k, x in enumerate((Fraction(1e-200), Fraction(-3e-160))):
        for s in (-1, 1):
            true = (x + s * Fraction(1e-201)) ** 2
            assert abs(true - Fraction(float(product.mid[k]))) <= Fraction(float(product.rad[k]))
    assert not np.isfinite(grown.rad).any()


def test_what_reaches_a_singularity_is_unbounded() -> None:
    with np.errstate(all="ignore"):
        for op, value in (("log", None), ("sqrt", None), ("power", Fraction(-1)), ("power", Fraction(-2))):
            for middle in (0.0, 0.25, 0.5):
                assert np.isinf(ALGEBRA.primitive(op, [shape([middle], 0.5)], value).rad).all(), (op, middle)
        assert np.isinf(ALGEBRA.primitive("log", [shape([-1.0], 0.5)], None).rad).all()
        assert np.isinf(ALGEBRA.primitive("sqrt", [shape([-1.0], 0.5)], None).rad).all()
        assert np.isinf(ALGEBRA.primitive("exp", [shape([0.0], 1.5)], None).rad).all()


def test_functions_of_wide_intervals_are_bounded() -> None:
    wide = shape([0.3, -2.0, 8.0], 1.5)
    with mp.workdps(30):
        for op, value, f, _, _ in ONE[1:5]:
            out = ALGEBRA.primitive(op, [wide], value)
            for k in range(3):
                for at in np.linspace(-1.5, 1.5, 13).tolist():
                    assert abs(f(mpf(float(wide.mid[k])) + at) - mpf(float(out.mid[k]))) <= mpf(float(out.rad[k]))
            # |f'| is at most 1, 0.77, 1/4 and 1.
            most = {"tanh": 1.0, "sech2": 0.77, "logistic": 0.25, "softplus": 1.0}[op]
            assert (out.rad <= 1.5 * most + 1e-13).all()


def test_logarithms_of_wide_intervals_and_tanh_of_large_numbers_are_enclosed() -> None:
    with np.errstate(all="ignore"), mp.workdps(30):
        for radius in np.linspace(0.3, 0.99, 24).tolist():
            out = ALGEBRA.primitive("log", [shape([1.0], radius)], None)
            for end in (1 - mpf(radius), 1 + mpf(radius)):
                assert abs(mp.log(end) - mpf(float(out.mid[0]))) <= mpf(float(out.rad[0]))
        out = ALGEBRA.primitive("tanh", [shape([400.0, -400.0], 0.0)], None)
        assert (np.abs(out.mid - np.array([1.0, -1.0])) <= out.rad).all()
        assert (out.rad < 1e-12).all()


def test_the_logarithm_of_the_library_need_not_be_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    log = np.log
    monkeypatch.setattr(np, "log", lambda x: log(x) + 0.01)
    points = [0.3, 1.0, 7.5]
    out = ALGEBRA.primitive("log", [shape(points, 1e-6)], None)
    with mp.workdps(30):
        for x, mid, rad in zip(points, out.mid.tolist(), out.rad.tolist(), strict=True):
            assert abs(mp.log(x) - mpf(mid)) + mpf(1e-6) / x <= mpf(rad) < 2e-4


def test_softmax_and_its_logarithm_are_enclosed() -> None:
    rng = np.random.default_rng(2)
    for radius in (0.0, 1e-9, 0.05):
        m = rng.normal(size=(2, 20)) * 4
        margins = [Enclosed(row, np.full(20, radius)) for row in m]
        log = ALGEBRA.primitive("lse0", margins, None)
        soft = [ALGEBRA.primitive("softmax0", margins, Fraction(i)) for i in range(3)]
        for k in range(20):
            with mp.workdps(30):
                for s in (-1, 1):
                    for t in (-1, 1):
                        u = [mpf(0), mpf(float(m[0, k])) + s * mpf(radius), mpf(float(m[1, k])) + t * mpf(radius)]
                        total = mp.fsum(mp.exp(v) for v in u)
                        assert abs(mp.log(total) - mpf(float(log.mid[k]))) <= mpf(float(log.rad[k]))
                        for i in range(3):
                            assert abs(mp.exp(u[i]) / total - mpf(float(soft[i].mid[k]))) <= mpf(float(soft[i].rad[k]))
            assert log.rad[k] < 2.1 + radius
            assert log.mid[k] == max(0.0, *m[:, k])
        for p in soft:
            assert (p.rad <= 6 * radius * p.mid + 1e-14).all() or radius > 1e-3


def test_constants_hold_their_fractions() -> None:
    for value in (Fraction(1, 3), Fraction(-7, 10), Fraction(3, 4), Fraction(0), Fraction(10**30 + 1)):
        held = ALGEBRA.constant(value)
        assert abs(Fraction(float(held.mid)) - value) <= Fraction(float(held.rad))
        assert (held.rad == 0) == (Fraction(float(held.mid)) == value)
        assert held.rad <= 1e-15 * abs(held.mid)
    tiny = ALGEBRA.constant(Fraction(1, 3 * 10**320))
    assert abs(Fraction(float(tiny.mid)) - Fraction(1, 3 * 10**320)) <= Fraction(float(tiny.rad)) < Fraction(1, 10**290)


def test_what_has_no_enclosure_is_refused() -> None:
    for op in ("sin", "erf"):
        with pytest.raises(CertificateError, match=op):
            ALGEBRA.primitive(op, [shape([0.0], 0.0)], None)


CURVED = (("tanh", 0.77), ("sech2", 2.0), ("logistic", 0.0963), ("softplus", 0.25))


@pytest.mark.parametrize(("op", "bend"), CURVED)
def test_the_radius_grows_by_the_slope_at_the_middle_and_the_curvature(op: str, bend: float) -> None:
    f = next(f for name, _, f, _, _ in ONE if name == op)
    points, radius = [-1.7, -0.4, 0.0, 0.3, 1.1], 0.03
    rad = ALGEBRA.primitive(op, [shape(points, radius)], None).rad.tolist()
    with mp.workdps(30):
        for x, r in zip(points, rad, strict=True):
            assert r <= radius * (abs(mp.diff(f, x)) + 1.0001 * bend * radius) + 1e-14


def test_the_rounding_of_an_exact_number_is_one_unit() -> None:
    unit = 2.0**-53
    third, root = ALGEBRA.constant(Fraction(1, 3)), ALGEBRA.primitive("sqrt", [shape([3.0], 0.0)], None)
    for out in (third, root, shape([3.0], 0.0).inverse()):
        assert 0 < out.rad < 1.01 * unit * out.mid
    zero = shape([0.0], 0.0)
    for out in (zero + zero, zero * zero):
        assert 0.0 <= out.rad[0] < 1e-290


def test_exponentials_at_the_ends_of_their_range() -> None:
    low, high = [-1e300, -2000.0, -745.2, -740.0], [709.0, 709.7, 800.0, 1e300, np.inf]
    with np.errstate(all="ignore"), mp.workdps(30):
        out = ALGEBRA.primitive("exp", [shape([*low, *high], 0.0)], None)
        for x, mid, rad in zip(low, out.mid.tolist(), out.rad.tolist(), strict=False):
            assert abs(mp.exp(mpf(x)) - mpf(mid)) <= mpf(rad) < 1e-290
        assert np.isfinite(out.rad[4])
        assert not np.isfinite(out.rad[5:]).any()
        wide = ALGEBRA.primitive("exp", [Enclosed(np.zeros(2), np.array([1.0, 1.001]))], None).rad
    assert np.e - 1 < wide[0] < 2.001
    assert np.isinf(wide[1])


def test_an_interval_over_zero_has_no_inverse_and_no_root_whatever_its_middle() -> None:
    with np.errstate(all="ignore"):
        for middle in (-0.3, 0.0, 0.3):
            assert np.isinf(shape([middle], 0.4).inverse().rad[0])
            assert np.isinf(ALGEBRA.primitive("sqrt", [shape([middle], 0.4)], None).rad[0])
            assert np.isinf(ALGEBRA.primitive("log", [shape([middle], 0.4)], None).rad[0])
    near = shape([0.3], 0.3 - 2.0**-50)
    out, farthest = near.inverse(), 1 / (Fraction(0.3) - Fraction(float(near.rad[0])))
    assert farthest - Fraction(float(out.mid[0])) <= Fraction(float(out.rad[0]))
