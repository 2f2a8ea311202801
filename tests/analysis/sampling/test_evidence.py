"""Evidence against integrals on a grid, predictions against the networks that make them, and both commands."""

from __future__ import annotations

import json
from fractions import Fraction
from math import log, pi

import numpy as np
import pytest

from symland.analysis.sampling.evidence import Effort, EvidenceRow, Number, evidence_of, penalty_of_sd, select
from symland.analysis.sampling.posterior import outputs_of, posterior, split
from symland.errors import SpecError
from symland.figures.networks import network_outputs
from symland.spec import builtin
from tests.analysis.temperature.landscapes import two_weights, two_weights_loss
from tests.test_cli import call

QUICK = Effort(samples=512, runs=6, ladders=24, sweeps=160)


def test_both_estimates_of_a_network_of_two_weights_are_the_integral_on_a_grid():
    spec, t = two_weights().spec, 0.1
    found = evidence_of(spec, 1, t, QUICK, two_weights())
    grid = np.linspace(-12, 12, 2001)
    loss = two_weights_loss(*np.meshgrid(grid, grid, indexing="ij"))
    exact = log(np.exp(-loss / t).sum() * 0.012**2) - log(pi * t / 0.05)
    for number in (found.log_evidence, found.integrated):
        assert number.error < 0.03
        assert abs(number.value - exact) < 4 * number.error
    assert found.agree
    assert found.sd == pytest.approx(1.0)
    assert found.laplace == pytest.approx(exact, abs=0.3)


def test_no_hidden_nodes_are_the_integral_over_two_biases():
    spec, t = builtin("xor").with_(hidden=(1,), penalty="1e-2"), 0.25
    found = evidence_of(spec, 0, t, QUICK)
    c1, c2 = np.meshgrid(*2 * [np.linspace(-40, 40, 2001)], indexing="ij")
    loss = np.logaddexp(c1, c2) - (c1 + c2) / 2 + 0.01 * (c1**2 + c2**2)
    exact = log(np.exp(-loss / t).sum() * 0.04**2) - log(pi * t / 0.01)
    assert found.parameters == 2
    for number in (found.log_evidence, found.integrated):
        assert abs(number.value - exact) < 4 * number.error < 0.15
    # One well: 2 lambda twice, and 1/2 along (1, -1) / sqrt 2.
    harmonic = -log(2) / t + log(2 * pi * t) - 0.5 * log(0.02 * 0.52) - log(pi * t / 0.01)
    assert found.laplace == pytest.approx(harmonic)


def row(hidden: int, value: float, error: float, agree: bool = True) -> EvidenceRow:
    number = Number(value=value, error=error, lower=value - 2 * error, upper=value + 2 * error)
    return EvidenceRow(
        hidden=hidden,
        penalty="1/100",
        parameters=2,
        temperature=0.1,
        sd=1.0,
        log_evidence=number,
        integrated=number,
        laplace=None,
        agree=agree,
        round_trips=1,
        exchange=0.5,
        acceptance=0.8,
        ess=100.0,
    )


def test_a_lead_within_its_error_decides_nothing():
    assert select("x", 4, [row(0, -3.0, 0.1), row(1, -1.0, 0.1)]).decided
    assert select("x", 4, [row(0, -3.0, 0.1), row(1, -1.0, 0.1)]).best == 1
    assert not select("x", 4, [row(0, -1.1, 0.1), row(1, -1.0, 0.1)]).decided
    assert not select("x", 4, [row(0, -3.0, 0.1, agree=False), row(1, -1.0, 0.1)]).decided


def test_the_prior_has_the_standard_deviation_that_was_asked_for():
    # exp(-lambda x^2 / T) = exp(-x^2 / (2 sd^2)).
    assert penalty_of_sd(Fraction(3), Fraction(1, 40)) / Fraction(1, 40) == Fraction(1, 18)


def test_outputs_of_many_networks_are_those_of_each():
    spec = builtin("iris").with_(hidden=(3, 2))
    theta = np.random.default_rng(0).normal(size=(4, spec.n_parameters))
    inputs = np.random.default_rng(1).normal(size=(5, 4))
    each = np.stack([network_outputs(spec, one, inputs) for one in theta])
    assert outputs_of(spec, theta, inputs) == pytest.approx(each, abs=1e-12)


def test_a_split_keeps_the_shares_of_labels_and_loses_no_sample():
    spec = builtin("iris")
    fitted, test = split(spec, Fraction(1, 5), seed=3)
    assert (fitted.n_samples, test.n_samples) == (120, 30)
    assert [test.labels.count(k) for k in range(3)] == [10, 10, 10]
    assert sorted([*fitted.data.inputs, *test.inputs]) == sorted(spec.data.inputs)
    with pytest.raises(SpecError, match="--holdout"):
        split(builtin("xor"), Fraction(1, 100), seed=0)


def test_a_hot_network_guesses_and_a_cold_one_fits():
    spec, test = split(builtin("iris").with_(hidden=(1,), penalty="1e-3"), Fraction(4, 5), seed=0)
    found = posterior(spec, test, [1e-3, 5.0], Effort(samples=64, runs=3))
    cold, hot = found.rows
    assert cold.gibbs.value < 0.3
    assert hot.gibbs.value > 0.4
    assert cold.train_loss.value < hot.train_loss.value
    # Equipartition: the penalty alone holds P T / 2 of the loss when hot.
    assert hot.train_loss.value > 0.4 * spec.n_parameters * 5.0
    assert found.decided


def test_the_commands_give_their_documents_and_refuse_bad_input_in_one_line(capsys):
    quick = ("--samples", "64", "--runs", "3", "--ladders", "8", "--sweeps", "40")
    status = call("evidence", "xor", "--hidden", "0..1", "--sd", "3", *quick, "--json")
    document = json.loads(capsys.readouterr().out)
    assert status == (0 if document["decided"] else 1)
    assert [row["hidden"] for row in document["rows"]] == [0, 1]
    assert document["rows"][0]["sd"] == pytest.approx(3)
    for bad in (
        ("evidence", "xor", "--hidden", "3..1"),
        ("evidence", "xor", "--hidden", "-1"),
        ("evidence", "xor", "--sd", "0"),
        ("evidence", "xor", "--sd", "1", "--penalty", "1"),
        ("evidence", "xor", "--penalty", "0"),
        ("evidence", "xor", "--samples", "2"),
        ("evidence", "xor", "--temperature", "1e-3..1"),
        ("posterior", "xor", "--holdout", "2"),
        ("posterior", "xor", "--temperature", "hot"),
    ):
        assert call(*bad) == 2, bad
        message = capsys.readouterr().err.strip().splitlines()
        assert message[-1].startswith("symland:"), bad
