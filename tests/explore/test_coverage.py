"""Estimates of what is unseen, by hand and by simulation; stop rules as text."""

from __future__ import annotations

import numpy as np
import pytest

from symland.errors import ExplorationError
from symland.explore import parse_duration, parse_rules, richness
from symland.explore.coverage import completeness
from symland.explore.stopping import Condition


def test_chao1_and_coverage_by_hand():
    """f_1 = 4, f_2 = 2, n = 4 + 4 + 12 = 20, S = 8: S + (19/20) 4*3 / (2*3) = 9.9; coverage 1 - 4/20."""
    account = richness([1, 1, 1, 1, 2, 2, 5, 7])
    assert (account.observed, account.draws, account.once, account.twice) == (8, 20, 4, 2)
    assert account.estimate == pytest.approx(9.9)
    assert account.coverage == pytest.approx(0.8)
    assert 8 < account.low < account.estimate < account.high
    assert account.coverage_low < account.coverage


def test_without_singletons_nothing_is_estimated_to_be_missing():
    account = richness([10, 20, 30])
    assert account.estimate == 3.0
    assert account.high == pytest.approx(3.0, abs=0.05)
    assert account.coverage == 1.0
    # Sixty draws without a new class leave a probability of 3/60 at 95 %.
    assert account.coverage_low == pytest.approx(0.95)


def test_no_draws_say_nothing():
    account = richness([])
    assert (account.observed, account.coverage, account.high) == (0, 0.0, float("inf"))


def test_the_interval_holds_the_number_of_classes_about_as_often_as_it_says():
    """Draws from 40 equally likely classes, where Chao's lower bound is the number itself."""
    rng, held, covered = np.random.default_rng(0), 0, 0
    for _ in range(400):
        tallies = np.bincount(rng.integers(40, size=60), minlength=40)
        account = richness([int(t) for t in tallies if t])
        held += account.low <= 40 <= account.high
        covered += account.coverage_low <= (tallies > 0).mean()
    assert 0.88 <= held / 400 <= 1.0
    assert covered / 400 >= 0.9


def test_classes_that_were_given_are_not_counted_among_those_drawn_once():
    """f_1 = 2, f_2 = 1 of those not given, n = 20: 8 + (19/20) 2*1 / (2*2) = 8.475; coverage 1 - 2/20."""
    tallies, given = [1, 1, 1, 1, 2, 2, 5, 7], [True, True, False, False, True, False, False, True]
    account = richness(tallies, given)
    assert (account.observed, account.draws, account.once, account.twice) == (8, 20, 2, 1)
    assert account.estimate == pytest.approx(8.475)
    assert account.coverage == pytest.approx(0.9)
    # One that was given and never drawn leaves the rest as it is, and is no longer waited for.
    assert richness([*tallies, 0], [*given, True]).coverage == account.coverage
    (rule,) = parse_rules("repeat 3")
    state = completeness((), (), 20, 20, 0, ())
    assert not rule.holds(state, [0, 3], [False, True])
    assert rule.holds(state, [0, 3], [True, False])


def test_coverage_of_what_was_not_given_is_the_probability_of_what_is_known():
    """Draws from 60 classes of unlike probabilities, of which 30 are given: the mean of 1 - f_1 / n is the mean
    probability of a class that is given or was drawn, and the lower limit lies below it about as often as it says."""
    rng, limits, estimates, truths = np.random.default_rng(1), 0, [], []
    share = 1.0 / np.arange(1.0, 61.0)
    share /= share.sum()
    for _ in range(400):
        given = rng.permutation(60) < 30
        tallies = rng.multinomial(150, share)
        seen = given | (tallies > 0)
        account = richness(tallies[seen].tolist(), given[seen].tolist())
        truths.append(share[seen].sum())
        estimates.append(account.coverage)
        limits += account.coverage_low <= truths[-1]
    assert np.mean(estimates) == pytest.approx(np.mean(truths), abs=0.003)
    assert np.mean(truths) < 0.98
    assert limits / 400 >= 0.9


def test_rules_are_read_and_joined():
    rules = parse_rules("morse, coverage 0.999 and quiet 2000,repeat 3")
    assert [(r.condition, r.amount) for r in rules] == [
        (Condition.MORSE, 0.0),
        (Condition.COVERAGE, 0.999),
        (Condition.QUIET, 2000.0),
        (Condition.REPEAT, 3.0),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "mors", "morse 2", "coverage", "coverage 1.5", "coverage x", "quiet 0", "quiet -3", "morse,,", "repeat nan"],
)
def test_rules_that_say_nothing_are_refused_in_one_line(text):
    with pytest.raises(ExplorationError, match=r"^until: [^\n]*$"):
        parse_rules(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("90", 90), ("10 min", 600), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1e2s", 100)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "0", "5 parsecs", "nan", "inf s"])
def test_durations_that_are_none_are_refused_in_one_line(text):
    with pytest.raises(ExplorationError, match=r"^budget: [^\n]*$"):
        parse_duration(text)
