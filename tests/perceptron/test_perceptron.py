"""Exact counts against loops over all weights, messages against exact marginals, and honest rules."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from symland.cli import main
from symland.errors import SpecError
from symland.perceptron import (
    anneal,
    committee_solutions,
    focusing,
    marginals,
    perceptron_solutions,
    reinforced,
    replicated,
    sbpi,
    signs,
    study,
)


def draw(count: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), size=(count, size))


def every(size: int) -> np.ndarray:
    return np.array(list(itertools.product((-1, 1), repeat=size)), dtype=np.int64)


@pytest.mark.parametrize(("size", "count"), [(3, 0), (5, 0), (3, 2), (7, 3), (9, 9), (11, 5), (9, 0), (13, 10)])
def test_every_solution_is_counted_once(size: int, count: int) -> None:
    for seed in range(4):
        patterns = draw(count, size, seed)
        found = perceptron_solutions(patterns)
        wanted = {tuple(w) for w in every(size) if (patterns.astype(int) @ w > 0).all()}
        assert found.count == len(wanted)
        assert {tuple(w) for w in signs(found.codes, size).tolist()} == wanted
        if found.count:
            here = signs(found.codes, size).astype(int)
            away = (size - here @ here[0]) // 2
            assert found.profile(int(found.codes[0])).tolist() == np.bincount(away, minlength=size + 1).tolist()
            distance = (size - here @ here.T) // 2
            assert found.isolated == int(((distance == 1).sum(axis=1) == 0).sum())
            seen, parts = set[int](), 0
            for start in range(found.count):
                if start in seen:
                    continue
                parts, stack = parts + 1, [start]
                while stack:
                    at = stack.pop()
                    if at not in seen:
                        seen.add(at)
                        stack += np.flatnonzero(distance[at] == 1).tolist()
            assert found.clusters == parts


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_every_solution_of_a_committee_is_counted_once(count: int) -> None:
    for seed in range(3):
        patterns = draw(count, 9, seed)
        units = [np.sign(every(9)[:, k : k + 3] @ patterns[:, k : k + 3].T.astype(int)) for k in (0, 3, 6)]
        right = (sum(units) > 0).all(axis=1)
        found = committee_solutions(patterns)
        assert found.count == right.sum()
        assert {tuple(w) for w in signs(found.codes, 9).tolist()} == {tuple(w) for w in every(9)[right]}


def test_the_mean_number_of_solutions_is_the_annealed_one() -> None:
    counts = [perceptron_solutions(draw(6, 11, seed)).count for seed in range(400)]
    assert abs(np.mean(counts) - 2.0**5) < 4 * np.std(counts) / 20


def test_25_weights_are_enumerated_in_a_moment() -> None:
    found = perceptron_solutions(draw(20, 25, 1))
    assert (signs(found.codes, 25).astype(int) @ draw(20, 25, 1).T.astype(int) > 0).all()


@pytest.mark.parametrize("size", [3, 7, 11])
def test_messages_on_a_tree_are_exact_marginals(size: int) -> None:
    """One pattern is a tree."""
    patterns = draw(1, size, size)
    found = perceptron_solutions(patterns)
    assert np.abs(marginals(patterns) - signs(found.codes, size).mean(axis=0)).max() < 1e-9


def test_gaussian_messages_come_near_the_exact_ones() -> None:
    patterns = draw(3, 41, 0)
    assert np.abs(marginals(patterns, exact=False) - marginals(patterns, exact=True)).max() < 0.02


@pytest.mark.parametrize("share", [1, 3, 5])
def test_messages_of_a_committee_on_a_tree_are_exact_marginals(share: int) -> None:
    patterns = draw(1, 3 * share, share)
    found = committee_solutions(patterns)
    assert np.abs(marginals(patterns, units=3) - signs(found.codes, 3 * share).mean(axis=0)).max() < 1e-9


def test_gaussian_messages_of_a_committee_come_near_the_exact_ones() -> None:
    patterns = draw(3, 45, 0)
    exact, gaussian = (marginals(patterns, exact=plain, units=3) for plain in (True, False))
    assert np.abs(exact - gaussian).max() < 0.05


@pytest.mark.parametrize("rule", [anneal, sbpi, replicated, reinforced, focusing])
def test_a_rule_solves_a_committee_by_its_majority(rule) -> None:  # type: ignore[no-untyped-def]
    solved = 0
    for seed in range(5):
        patterns = draw(9, 21, seed)
        weights = rule(patterns, np.random.default_rng(seed), units=3)
        if weights is not None:
            solved += 1
            votes = [np.sign(patterns[:, k : k + 7].astype(int) @ weights[k : k + 7]) for k in (0, 7, 14)]
            assert (sum(votes) > 0).all()
    assert solved >= 3


@pytest.mark.parametrize("rule", [anneal, sbpi, replicated, reinforced, focusing])
def test_a_rule_finds_solutions_and_claims_no_others(rule) -> None:  # type: ignore[no-untyped-def]
    solved = 0
    for seed in range(6):
        patterns = draw(8, 21, seed)
        weights = rule(patterns, np.random.default_rng(seed))
        if weights is not None:
            solved += 1
            assert (patterns.astype(int) @ weights > 0).all()
            assert set(np.abs(weights).tolist()) == {1}
    assert solved >= 4
    # No weights solve a pattern and its opposite.
    hopeless = np.concatenate([draw(1, 21, 0), -draw(1, 21, 0)])
    assert rule(hopeless, np.random.default_rng(0)) is None


def test_focusing_solves_a_thousand_weights_scaled_down() -> None:
    patterns = draw(120, 301, 3)
    weights = focusing(patterns, np.random.default_rng(0), steps=200)
    assert weights is not None
    assert (patterns.astype(int) @ weights > 0).all()


def test_entropic_rules_end_in_wider_places_than_a_typical_solution() -> None:
    found = study(21, 11, 12, solvers=("sbpi", "focusing-bp"), seed=1)
    for name in ("sbpi", "focusing-bp"):
        ratios = [
            end.near / i.typical_near for i in found.instances for end in i.found
            if end.solver == name and end.near is not None and i.typical_near
        ]  # fmt: skip
        assert np.mean(ratios) > 1.3
    curve = found.local_entropy["typical"]
    assert len(curve) == 22
    assert curve[0] == 0.0


def test_the_command_prints_its_document_and_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["perceptron", "--size", "9", "--patterns", "4", "--instances", "2", "--solver", "sbpi", "--json"])
    assert ended.value.code == 0
    values = json.loads(capsys.readouterr().out)
    assert {"instances", "p_solvable", "local_entropy"} <= set(values)
    assert len(values["instances"]) == 2
    assert set(values["local_entropy"]) <= {"typical", "sbpi"}
    for bad in (
        ["--size", "20"], ["--size", "33"], ["--size", "1"], ["--patterns", "-1"], ["--instances", "0"],
        ["--solver", "magic"], ["--units", "2"], ["--units", "3", "--size", "12"], ["--size", "25", "--patterns", "0"],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(["perceptron", *bad])
        assert ended.value.code == 2
        assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("symland: ")]) == 1


def test_an_even_number_of_weights_is_refused() -> None:
    with pytest.raises(SpecError, match="odd"):
        perceptron_solutions(draw(2, 4, 0))
