"""Rates to many digits, committors, relaxation and groups, against dense linear algebra and longer arithmetic."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from math import log, pi
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from symland.analysis import rates
from symland.analysis.temperature.exact import exact_network
from symland.analysis.temperature.kinetics import crossings_of, log_rates
from symland.analysis.temperature.spectrum import committors, groups_below, relaxation
from symland.analysis.temperature.superposition import basins_of
from symland.errors import SpecError
from symland.landscape.exchange import export_pathsample, write_pathsample
from symland.records import Verdict
from tests.analysis.temperature.landscapes import stored, xor_landscape
from tests.test_cli import call


def network(t: float) -> tuple[np.ndarray, np.ndarray]:
    found = xor_landscape(2, "1e-2")
    return log_rates(found, crossings_of(found), t), basins_of(found).log_terms(t)


def generator(log_k: np.ndarray) -> np.ndarray:
    k = np.exp(log_k)
    np.fill_diagonal(k, 0.0)
    return k - np.diag(k.sum(axis=1))


def test_twenty_digits_are_those_of_thirty_and_of_float64():
    found = xor_landscape(2, "1e-2")
    crossings, t = crossings_of(found), Fraction(1, 500)
    short, long = (exact_network(found, crossings, digits, t) for digits in (20, 30))
    log_k = log_rates(found, crossings, float(t))
    pairs = 0
    for a, (left, right) in enumerate(zip(short.passage_times(t), long.passage_times(t), strict=True)):
        for b, (x, y) in enumerate(zip(left, right, strict=True)):
            if x is None or a == b:
                continue
            with mp.workdps(60):
                assert abs(mpf(short.text(x)) / y - 1) < mpf(10) ** -19
            pairs += 1
    assert pairs == 12
    with mp.workdps(30):
        for a, row in enumerate(short.rates(t)):
            for b, k in enumerate(row):
                if k:
                    # A loss of size 0.6 in float64 divided by T.
                    assert float(mp.log(k)) == pytest.approx(log_k[a, b], abs=1e-10)


@pytest.mark.parametrize("t", [0.05, 0.5])
def test_relaxation_rates_are_eigenvalues_of_the_generator(t):
    log_k, weights = network(t)
    spectrum = np.sort(-np.linalg.eigvals(generator(log_k)).real)
    assert np.exp(relaxation(log_k, weights)) == pytest.approx(spectrum[1:], rel=1e-9)


def test_a_stiff_spectrum_is_that_of_two_far_apart_times():
    # Fast 0 <-> 1, slow 1 <-> 2: the slow rate is k12 p1/(p0+p1) + k21 to first order in their ratio.
    log_k = np.full((3, 3), -np.inf)
    log_k[0, 1], log_k[1, 0], log_k[1, 2], log_k[2, 1] = 2.0, 2.0, -400.0, -400.0
    slow, fast = relaxation(log_k, np.zeros(3))
    assert slow == pytest.approx(-400 + log(1.5))
    assert fast == pytest.approx(2 + log(2))


@pytest.mark.parametrize("t", [0.05, 0.5])
def test_committors_solve_their_linear_equations(t):
    log_k, _ = network(t)
    q = generator(log_k)
    exact = np.linalg.solve(q[np.ix_([1, 2], [1, 2])], -q[[1, 2], 3])
    found = committors(log_k, [0], [3])
    assert (found[0], found[3]) == (0.0, 1.0)
    assert found[1:3] == pytest.approx(exact, rel=1e-9)


def test_groups_join_where_both_barriers_are_low():
    # k = (T / 2 pi) exp(-barrier / T): 0 and 1 are 0.1 apart on both sides; 2 falls easily and is hard to reach.
    t = 0.05
    barrier = np.full((3, 3), np.inf)
    barrier[0, 1] = barrier[1, 0] = 0.1
    barrier[1, 2], barrier[2, 1] = 0.5, 0.05
    log_k = log(t / (2 * pi)) - barrier / t
    weights = np.array([0.0, 0.0, -0.45 / t])
    assert groups_below(log_k, weights, t, 0.09) == ((0,), (1,), (2,))
    assert groups_below(log_k, weights, t, 0.2) == ((0, 1), (2,))
    assert groups_below(log_k, weights, t, 0.6) == ((0, 1, 2),)


def test_the_command_gives_every_pair_and_says_how_well_balance_holds(tmp_path, capsys):
    path = stored(tmp_path)
    assert call("rates", "--db", path, "--temperature", "1e-2", "--digits", "30", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    log_k = {(r["class"], r["to"]): r["log_rate"] for r in document["rates"]}
    for exact in document["exact"]:
        if exact["rate"] is not None:
            assert log(float(exact["rate"])) == pytest.approx(log_k[exact["class"], exact["to"]], abs=1e-9)
            assert len(exact["rate"].partition("e")[0].replace(".", "").lstrip("0")) == 30
    assert document["networks"][0]["balance"] < 1e-11
    for bad in (("--a", "9"), ("--b", "x"), ("--a", "0", "--b", "0"), ("--digits", "-1")):
        assert call("rates", "--db", path, *bad) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_pictures_and_tables_come_with_the_answer():
    found = xor_landscape(2, "1e-2")
    answer = rates.QUESTION.ask(found, options=rates.RatesOptions(temperature="5e-3", threshold=0.05))
    assert rates.QUESTION.verdict(answer) is Verdict.CERTIFIED
    assert {t.name for t in rates.QUESTION.tables(answer)} == {"rates", "committors", "fastest", "groups"}
    assert "free-energy" in rates.QUESTION.figures(answer, found)
    assert answer.fastest[0].minima[-1] == found.minima[0]
    with pytest.raises(SpecError, match="--a"):
        rates.QUESTION.ask(found, options=rates.RatesOptions(a="99"))


# MFPT(A<-B) and MFPT(B<-A) that PATHSAMPLE (keyword NGT 0 T) printed for the files of `symland export --format
# pathsample` of the XOR network with two nodes, lambda = 1e-2, at T = 0.01, with A the lowest minimum and B the origin.
PATHSAMPLE_TIMES = (4918902.504, 0.3270911980e11)
PATHDATA = """EXEC /bin/true
CPUS 1
NATOMS 4
SEED 1
SYSTEM AX
DIRECTION AB
CONNECTIONS 1
TEMPERATURE 0.01
PLANCK 1.0
NGT 0 T
ETOL 1D-12
GEOMDIFFTOL 0.001D0
"""


def passage_pair() -> tuple[float, float]:
    found = xor_landscape(2, "1e-2")
    answer = rates.QUESTION.ask(found, options=rates.RatesOptions(temperature="1e-2"))
    times = {(p.start, p.to): p.log_time for p in answer.passage_times}
    low, high = found.minima[0], found.minima[-1]
    return float(np.exp(times[high, low])), float(np.exp(times[low, high]))


def test_passage_times_are_those_that_pathsample_prints():
    assert passage_pair() == pytest.approx(PATHSAMPLE_TIMES, rel=2e-10)


def test_passage_times_are_those_of_pathsample_where_it_is_installed(tmp_path):
    home = Path(pytest.importorskip("pylfl").__file__).parent / "bin" / "linux" / "PATHSAMPLE"
    found = xor_landscape(2, "1e-2")
    files = export_pathsample(found)
    write_pathsample(tmp_path, replace(files, a=(1,), b=(4,)))
    (tmp_path / "pathdata").write_text(PATHDATA)
    printed = subprocess.run([home], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60).stdout
    times = [float(re.search(rf"MFPT\({way}\)=\s*(\S+)", printed)[1]) for way in ("A<-B", "B<-A")]
    assert passage_pair() == pytest.approx(times, rel=2e-9)
