"""The entropy of solutions around given weights against sums over all solutions, written out."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from symland.cli import main
from symland.figures.perceptron import distance_figure
from symland.perceptron.local import bethe_entropy
from symland.perceptron.study import study


def draw(count: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), size=(count, size))


def exact(patterns: np.ndarray, weights: np.ndarray, field: float) -> tuple[float, float]:
    """Mean overlap, and (ln Z(h) - h N q) / N, by going through all weights."""
    every = np.array(list(product((-1, 1), repeat=len(weights))))
    held = every[(every @ patterns.T.astype(int) > 0).all(axis=1)]
    sums = held @ weights.astype(int)
    tilted = np.exp(field * sums)
    overlap = float((tilted @ sums) / tilted.sum()) / len(weights)
    return overlap, float(np.log(tilted.sum())) / len(weights) - field * overlap


@pytest.mark.parametrize("field", [0.0, 0.4, 1.5])
def test_it_is_exact_for_one_pattern(field: float) -> None:
    patterns, weights = draw(1, 11, 3), draw(1, 11, 4)[0]
    overlap, entropy = exact(patterns, weights, field)
    found = bethe_entropy(patterns, weights, field)
    assert found.entropy == pytest.approx(entropy, abs=1e-6)
    assert found.overlap == pytest.approx(overlap, abs=1e-6)
    assert found.distance == pytest.approx(11 * (1 - overlap) / 2, abs=1e-5)


@pytest.mark.parametrize("exactly", [True, False])
@pytest.mark.parametrize("field", [0.0, 0.5])
def test_it_is_near_the_sum_for_several_patterns(field: float, exactly: bool) -> None:
    patterns, weights = draw(4, 15, 5), draw(1, 15, 6)[0]
    overlap, entropy = exact(patterns, weights, field)
    found = bethe_entropy(patterns, weights, field, exact=exactly)
    assert found.entropy == pytest.approx(entropy, abs=0.03)
    assert found.overlap == pytest.approx(overlap, abs=0.05)


def test_the_command_reports_the_entropy_around_the_solution(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["perceptron", "--size", "101", "--patterns", "40", "--instances", "1", "--solver", "focusing-bp"]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--json"])
    assert ended.value.code == 0
    (instance,) = json.loads(capsys.readouterr().out)["instances"]
    assert instance["solved"]
    distances = [e["distance"] for e in instance["local_entropy"]]
    entropies = [e["entropy"] for e in instance["local_entropy"]]
    assert distances == sorted(distances)
    assert entropies == sorted(entropies)
    # Fewer than all weights at that overlap.
    for e in instance["local_entropy"]:
        p = (1 + e["overlap"]) / 2
        assert e["entropy"] < -p * np.log(p) - (1 - p) * np.log(1 - p)
    with pytest.raises(SystemExit) as ended:
        main([*command, "-o", "pictures"])
    assert ended.value.code == 2
    assert "--output" in capsys.readouterr().err
    command[command.index("40")] = "102"
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "--patterns: 102; write 1 to 101" in capsys.readouterr().err


def test_the_picture_shows_the_exact_curves(tmp_path: Path) -> None:
    found = study(9, 4, 2, solvers=("sbpi",))
    (axes,) = distance_figure(found).axes
    drawn = {str(line.get_label()): line.get_xydata() for line in axes.lines}
    assert set(drawn) == set(found.local_entropy)
    for name, curve in found.local_entropy.items():
        assert [y for y in curve if y is not None] == pytest.approx([y for _, y in np.asarray(drawn[name])])
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "perceptron",
                "--size",
                "9",
                "--patterns",
                "4",
                "--instances",
                "2",
                "--solver",
                "sbpi",
                "-o",
                str(tmp_path / "new"),
            ]
        )
    assert ended.value.code == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"local-entropy.pdf", "local-entropy.png"}
