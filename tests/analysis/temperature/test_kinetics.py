"""Rates of classes against the unfolded network, detailed balance, and the documents of the command."""

from __future__ import annotations

import json
from math import log, pi

import numpy as np
import pytest

from symland.analysis import thermo
from symland.analysis.temperature.elimination import log_solve
from symland.analysis.temperature.kinetics import crossings_of, log_rates
from symland.analysis.temperature.superposition import basins_of
from symland.landscape.landscape import Landscape
from symland.landscape.network import log_det
from symland.records import Verdict
from tests.analysis.temperature.landscapes import stored, xor_landscape
from tests.test_cli import call


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stored(tmp_path_factory.mktemp("thermo"))


@pytest.mark.parametrize("t", [1e-3, 2e-2, 1.0])
def test_detailed_balance_holds_to_rounding(t):
    found = xor_landscape(2, "1e-2")
    log_k = log_rates(found, crossings_of(found), t)
    flow = basins_of(found).log_terms(t)[:, None] + log_k
    linked = np.isfinite(flow)
    assert linked.sum() > 4
    assert (linked == linked.T).all()
    size = np.abs(flow[linked]).max()
    assert np.abs(flow[linked] - flow.T[linked]).max() <= 8 * np.finfo(float).eps * size


@pytest.mark.parametrize(("penalty", "t"), [("1e-2", 5e-3), ("1e-2", 0.3), ("1e-3", 1e-2)])
def test_passage_times_between_classes_are_those_of_the_network_of_all_copies(penalty, t):
    found = xor_landscape(2, penalty)
    unfolded = found.unfolded()
    points = found.points
    # One state for every copy of a minimum, one that is left at once for every saddle on which a branch ends.
    below = {}
    for state, minus, plus in unfolded.edges:
        below.setdefault(state, (minus, plus))

    def ends(copy):
        if points[copy.number].index == 0:
            return {copy: 1.0}
        out = {}
        for end in below[copy]:
            for minimum, share in ends(end).items():
                out[minimum] = out.get(minimum, 0.0) + share / 2
        return out

    copies = [(n, k) for n in found.minima for k in range(points[n].orbit_size)]
    place = {copy: i for i, copy in enumerate(copies)}
    log_k = np.full((len(copies), len(copies)), -np.inf)
    for state, minus, plus in unfolded.edges:
        top = points[state.number]
        for left, right in ((minus, plus), (plus, minus)):
            for a, p in ends(left).items():
                for b, q in ends(right).items():
                    well = points[a.number]
                    term = log(p * q / (2 * pi)) + (log_det(well) - log_det(top)) / 2 - (top.loss - well.loss) / t
                    i, j = place[tuple(a)], place[tuple(b)]
                    log_k[i, j] = np.logaddexp(log_k[i, j], term)
    minima = found.minima
    classes = log_rates(found, crossings_of(found), t)
    for column, target in enumerate(minima):
        all_copies = log_solve(log_k, 0.0, {i: -np.inf for i, c in enumerate(copies) if c[0] == target})
        by_class = log_solve(classes, 0.0, {column: -np.inf})
        for row, start in enumerate(minima):
            if start != target:
                assert all_copies[place[start, 0]] == pytest.approx(by_class[row], abs=1e-9)


def test_a_rate_is_the_formula_of_transition_state_theory_for_one_pathway():
    found = xor_landscape(1, "1e-2")
    minima, t = list(found.minima), 0.01
    log_k = log_rates(found, crossings_of(found), t)
    joined = next(p for p in found.pathways if p.minus != p.plus)
    a, b = minima.index(joined.minus), minima.index(joined.plus)
    own = [p for p in found.pathways if {p.minus, p.plus} == {minima[a], minima[b]}]
    total = 0.0
    for path in own:
        top, well = found.points[path.transition_state], found.points[minima[a]]
        ratio = np.sqrt(np.prod(well.spectrum) / np.prod(top.spectrum[1:])) / (2 * pi)
        total += top.orbit_size / well.orbit_size * ratio * np.exp(-(top.loss - well.loss) / t)
    assert log_k[a, b] == pytest.approx(log(total))


def test_the_document_has_the_keys_that_scripts_read(database, capsys):
    assert call("thermo", "--db", database, "--temperature", "1e-3,1e-2", "--samples", "64", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["temperature"] for row in document["temperatures"]] == [1e-3, 1e-2]
    for row in document["temperatures"]:
        assert {"log_z", "energy", "heat_capacity", "occupations", "trusted", "sampled"} <= set(row)
        assert sum(row["occupations"]) == pytest.approx(1.0)
    assert {"class", "to", "log_rate"} <= set(document["rates"][0])
    assert {"class", "to", "log_time"} <= set(document["passage_times"][0])


def test_a_bad_temperature_is_one_line_and_status_two(database, capsys):
    assert call("thermo", "--db", database, "--temperature", "2..1") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_where_the_next_term_is_not_small_the_harmonic_form_is_not_trusted():
    found = xor_landscape(2, "1e-2")
    answer = thermo.QUESTION.ask(found, options=thermo.ThermoOptions(temperature="1e-3,1", samples=0))
    cold, hot = answer.temperatures
    assert cold.trusted
    assert not hot.trusted
    assert "next term" in hot.reason


def test_the_sampler_and_the_superposition_agree_within_three_errors_where_both_hold():
    found = xor_landscape(2, "1e-2")
    options = thermo.ThermoOptions(temperature="1e-3,5e-3", samples=256, runs=8)
    answer = thermo.QUESTION.ask(found, options=options)
    for row in answer.temperatures:
        assert row.trusted
        assert row.sampled.holds
        assert abs(row.log_z + row.next_term - row.sampled.log_z) < 3 * row.sampled.error < 0.75


def test_where_neither_holds_the_answer_is_open_and_says_so():
    found = xor_landscape(1, "1e-2")
    options = thermo.ThermoOptions(temperature="1", samples=32, runs=3, decide=1e-6)
    answer = thermo.QUESTION.ask(found, options=options)
    assert thermo.QUESTION.verdict(answer) is Verdict.UNDECIDED
    assert "asked to decide" in thermo.QUESTION.sentence(answer)


def test_a_list_that_lacks_its_lowest_minimum_is_refuted_by_the_sampler():
    found = xor_landscape(1, "1e-2")
    lost = Landscape(spec=found.spec, points=found.points[1:])
    answer = thermo.QUESTION.ask(lost, options=thermo.ThermoOptions(temperature="1e-3", samples=256, runs=6))
    assert thermo.QUESTION.verdict(answer) is Verdict.REFUTED
    assert "a minimum is missing" in thermo.QUESTION.sentence(answer)
