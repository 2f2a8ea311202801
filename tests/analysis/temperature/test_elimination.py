"""Passage times and committors against rational solutions, other arithmetic and brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from symland.analysis.temperature.elimination import log_passage_times, log_solve, passage_times, solve

F = Fraction
THREE = [[F(0), F(2), F(1)], [F(3), F(0), F(5)], [F(1, 7), F(4), F(0)]]


def test_three_states_have_the_passage_times_of_their_two_linear_equations():
    # To state 2: 3 t0 = 1 + 2 t1 and 8 t1 = 1 + 3 t0, so t1 = 1/3 and t0 = 5/9.
    times = passage_times(THREE)
    assert [row[2] for row in times] == [F(5, 9), F(1, 3), 0]
    # To state 0: 8 t1 = 1 + 5 t2 and (29/7) t2 = 1 + 4 t1.
    assert times[1][0] == F(1 + 5 * times[2][0]) / 8
    assert F(29, 7) * times[2][0] == 1 + 4 * times[1][0]


def test_the_committor_of_the_middle_state_is_its_branching_ratio():
    committor = solve(THREE, F(0), {0: F(0), 2: F(1)})
    assert committor == [0, F(5, 8), 1]


@given(st.integers(0, 10_000), st.integers(3, 7))
def test_logarithms_and_rationals_agree_on_random_networks(seed, m):
    rng = np.random.default_rng(seed)
    exponents = rng.integers(-60, 60, size=(m, m))
    present = rng.random((m, m)) < 0.6
    rates = [
        [F(2) ** int(e) if p and a != b else F(0) for b, (e, p) in enumerate(zip(*row, strict=True))]
        for a, row in enumerate(zip(exponents, present, strict=True))
    ]
    logs = np.where(present, exponents * np.log(2.0), -np.inf)
    exact, found = passage_times(rates), log_passage_times(logs)
    for a in range(m):
        for b in range(m):
            if exact[a][b] is None:
                assert found[a, b] == np.inf
            elif a != b:
                assert found[a, b] == pytest.approx(
                    float(mp.log(mpf(exact[a][b].numerator)) - mp.log(exact[a][b].denominator)), abs=1e-11
                )


def test_a_stiff_chain_keeps_its_digits_where_a_linear_solver_loses_them():
    # 0 <-> 1 fast, 1 -> 2 slower by e^-60: the escape from 1 is lost beside its rate to 0 in float64.
    logs = np.full((3, 3), -np.inf)
    logs[0, 1], logs[1, 0], logs[1, 2], logs[2, 1] = 0.0, 10.0, -60.0, -5.0
    with mp.workdps(80):
        k01, k10, k12 = mpf(1), mp.exp(10), mp.exp(-60)
        exact = float(mp.log((1 + (k10 + k12) / k01) / k12))
    assert log_passage_times(logs)[0, 2] == pytest.approx(exact, rel=1e-15)
    k = np.exp(logs)
    generator = np.diag(k.sum(axis=1)) - k
    with np.errstate(all="ignore"):
        naive = np.linalg.lstsq(generator[:2, :2], np.ones(2), rcond=None)[0][0]
    assert not abs(np.log(abs(naive)) - exact) < 1e-3


def test_what_never_arrives_has_no_time():
    rates = [[0, F(1), 0], [F(1), 0, 0], [0, 0, 0]]
    assert passage_times(rates)[0] == [0, 1, None]
    with np.errstate(divide="ignore"):
        logs = np.log([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert log_passage_times(logs)[0].tolist() == [-np.inf, 0.0, np.inf]
    # A trap on the way makes the mean infinite, though the target may be reached.
    with np.errstate(divide="ignore"):
        trap = np.log([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert log_solve(trap, 0.0, {1: -np.inf}).tolist() == [np.inf, -np.inf, np.inf]
