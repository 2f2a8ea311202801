"""The superposition against closed forms, quadrature and derivatives found without the package."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, pi

import mpmath
import numpy as np
import pytest
from mpmath import mp

from symland.analysis.temperature.grid import parse_temperatures
from symland.analysis.temperature.superposition import Basins, anharmonic, basins_of, crossovers, superpose
from symland.errors import DatabaseError, SpecError
from symland.landscape.landscape import Landscape
from symland.program.taylor import hessian_series
from symland.spec import Loss, builtin
from tests.analysis.temperature.landscapes import explored, two_weights, two_weights_loss, xor_landscape

TWO = Basins(
    classes=(0, 5), losses=np.array([0.1, 0.3]), log_dets=np.array([4.0, 1.0]), copies=np.array([2.0, 6.0]), size=3
)


def brute(basins: Basins, t: mpmath.mpf) -> mpmath.mpf:
    terms = zip(basins.copies, basins.losses, basins.log_dets, strict=True)
    return mp.fsum(n * mp.exp(-e / t) * (2 * mp.pi * t) ** mp.mpf(1.5) * mp.exp(-d / 2) for n, e, d in terms)


@pytest.mark.parametrize("t", [1e-6, 1e-3, 0.05, 1.0, 30.0])
def test_ln_z_and_its_derivatives_are_those_of_the_sum_in_fifty_digits(t):
    with mp.workdps(50):
        found = superpose(TWO, t)
        log_z = lambda s: mp.log(brute(TWO, s))  # noqa: E731
        at = mp.mpf(t)
        energy = at**2 * mp.diff(log_z, at, h=at * mp.mpf("1e-12"))
        heat = mp.diff(lambda s: s**2 * mp.diff(log_z, s, h=s * mp.mpf("1e-12")), at, h=at * mp.mpf("1e-10"))
        assert found.log_z == pytest.approx(float(log_z(at)), rel=1e-13)
        assert found.energy == pytest.approx(float(energy), rel=1e-9)
        assert found.heat_capacity == pytest.approx(float(heat), rel=1e-7)
        assert found.entropy == pytest.approx(float(log_z(at) + energy / at), rel=1e-7)
    assert found.occupations.sum() == pytest.approx(1.0)


def test_one_quadratic_well_has_the_closed_form():
    well = Basins(classes=(0,), losses=np.zeros(1), log_dets=np.array([log(2.0 * 8.0)]), copies=np.ones(1), size=2)
    found = superpose(well, 0.25)
    assert found.log_z == pytest.approx(log(2 * pi * 0.25 / 4.0))
    assert (found.energy, found.heat_capacity) == pytest.approx((0.25, 1.0))


def test_classes_are_equally_occupied_at_their_crossover():
    ((a, b, t),) = crossovers(TWO)
    assert (a, b) == (0, 5)
    left, right = superpose(TWO, t).occupations
    assert left == pytest.approx(right, rel=1e-12)


def test_ln_z_of_a_network_of_two_weights_is_the_harmonic_form_and_its_next_term():
    found = two_weights()
    basins = basins_of(found)
    assert basins.copies.sum() == 2
    (c,) = anharmonic(found, basins.classes)
    # The error after the next term falls like T^2: quadrature on a grid that the density has left behind.
    w, v = np.meshgrid(np.linspace(-4, 4, 1601), np.linspace(-4, 4, 1601), indexing="ij")
    loss, cell = two_weights_loss(w, v), (8 / 1600) ** 2
    errors = []
    for t in (4e-3, 2e-3, 1e-3):
        exact = log(np.exp(-(loss - loss.min()) / t).sum() * cell) - loss.min() / t
        harmonic = superpose(basins, t).log_z
        errors.append(exact - harmonic - c * t)
        assert abs(exact - harmonic) > 5 * abs(errors[-1])
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def xor_loss(theta: list[mpmath.mpf], penalty: mpmath.mpf) -> mpmath.mpf:
    w, v, b, c = theta[:2], theta[2:4], theta[4], theta[5:]
    total = mp.mpf(0)
    for x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        h = mp.tanh(b + w[0] * x[0] + w[1] * x[1])
        z = [c[k] + v[k] * h for k in range(2)]
        total += mp.log(mp.exp(z[0]) + mp.exp(z[1])) - z[x[0] ^ x[1]]
    return total / 4 + penalty * mp.fsum(t * t for t in theta)


def test_third_and_fourth_derivatives_are_those_of_the_loss_in_fifty_digits():
    spec = builtin("xor").with_(hidden=(1,), penalty="1e-2")
    rng = np.random.default_rng(3)
    theta, w, u = rng.normal(size=(3, 7))
    third, fourth = hessian_series(spec, theta[None], w[None])
    with mp.workdps(50):

        def line(s: mpmath.mpf, t: mpmath.mpf) -> mpmath.mpf:
            moved = [mp.mpf(a) + s * b + t * c for a, b, c in zip(theta, w, u, strict=True)]
            return xor_loss(moved, mp.mpf(1) / 100)

        cubic, quartic = (float(mp.diff(line, (0, 0), (order, 2))) for order in (1, 2))
    assert u @ third[0] @ u == pytest.approx(cubic, rel=1e-12)
    assert u @ fourth[0] @ u == pytest.approx(quartic, rel=1e-12)


def test_occupations_of_xor_count_the_copies_of_a_class():
    found = xor_landscape(2, "1e-2")
    assert [found.points[n].orbit_size for n in found.minima] == [8, 8, 16, 1]
    # From the table of losses and copies, and determinants of Hessians from finite differences of nothing but spectra.
    logs = []
    for n, loss in zip(found.minima, (0.42653889, 0.46921456, 0.59290379, 0.69314718), strict=True):
        spectrum = found.points[n].spectrum
        logs.append(log(found.points[n].orbit_size) - loss / 0.02 - 0.5 * float(np.log(spectrum).sum()))
    weights = np.exp(np.array(logs) - max(logs))
    assert superpose(basins_of(found), 0.02).occupations == pytest.approx(weights / weights.sum(), rel=1e-5)


def test_the_origin_alone_is_a_well_with_the_known_spectrum():
    # E = ln 2; eigenvalues 2 lambda, 11 times, and 2 lambda + 1/2.
    found = xor_landscape(2, "1e-2")
    origin = found.minima[-1]
    only = Basins(
        classes=(origin,),
        losses=np.array([found.points[origin].loss]),
        log_dets=np.array([float(np.log(found.points[origin].spectrum).sum())]),
        copies=np.ones(1),
        size=12,
    )
    t = 1e-6
    exact = -log(2) / t + 6 * log(2 * pi * t) - (11 * log(0.02) + log(0.52)) / 2
    assert superpose(only, t).log_z == pytest.approx(exact, rel=1e-12)


def test_a_list_without_penalty_has_no_partition_function():
    spec = builtin("xor").with_(hidden=(1,), penalty="0")
    with pytest.raises(DatabaseError, match="use a positive penalty"):
        basins_of(Landscape(spec=spec, points=xor_landscape(1, "1e-2").points))


def test_temperatures_are_read_exactly_and_in_round_steps():
    assert parse_temperatures("1e-2,1e-3") == (Fraction(1, 1000), Fraction(1, 100))
    assert [float(t) for t in parse_temperatures("3e-4..2e-3")] == [3e-4, 5e-4, 1e-3, 2e-3]
    assert len(parse_temperatures("1e-4..1")) == 13


@pytest.mark.parametrize(
    "text", ["", "-1", "0", "1e-3..", "2..1", "1..2..3", "nan", "inf", "warm", "1e-99", "__import__('os')"]
)
def test_other_temperatures_are_refused_in_one_line(text):
    with pytest.raises(SpecError, match="--temperature"):
        parse_temperatures(text)


def test_nothing_overflows_at_a_millionth():
    found = superpose(TWO, 1e-6)
    assert found.log_z == pytest.approx(log(2) - 0.1 / 1e-6 + 1.5 * log(2 * pi * 1e-6) - 2.0)
    assert exp(-0.2 / 1e-6) == 0.0
    assert found.occupations.tolist() == [1.0, 0.0]


def test_the_network_with_one_logit_has_the_partition_function_that_other_code_found():
    # 2-2-1 net of XOR, lambda = 1e-2: found once with separate code, to the digits given.
    spec = builtin("xor").with_(hidden=(2,), penalty="1e-2", loss=Loss.LOGISTIC, outputs=1)
    basins = basins_of(explored(spec))
    for t, log_z in ((0.01, -52.86), (0.02, -23.67), (0.05, -2.32)):
        assert superpose(basins, t).log_z == pytest.approx(log_z, abs=0.006)
    assert superpose(basins, 0.002).log_z == pytest.approx(-267.7, abs=0.06)
