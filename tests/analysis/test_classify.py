"""Scores on test data: against pairs counted one by one, scikit-learn, and exact values."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from symland.analysis.answers import ask_into
from symland.analysis.classify import QUESTION, ClassifyOptions
from symland.analysis.response.scoring import area_under_roc, rank_area, roc_curve
from symland.landscape.database import Database

CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=float)
LABELS = np.array([0, 1, 1, 0])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landscape of XOR with one hidden node."""
    path = tmp_path_factory.mktemp("classify") / "xor.sqlite"
    shutil.copy(Path(__file__).parents[1] / "landscape" / "data" / "layout-1.sqlite", path)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from symland.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_the_area_is_the_share_of_pairs_in_order_and_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(5)
    for scores in (draw.normal(size=60), draw.integers(0, 4, size=60) / 4, np.zeros(60)):
        positive = draw.random(60) < 0.4
        pairs = [(a > b) + (a == b) / 2 for a, b in product(scores[positive], scores[~positive])]
        assert rank_area(scores, positive) == pytest.approx(np.mean(pairs), abs=1e-14)
        assert rank_area(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-14)
        curve = np.array(roc_curve(scores, positive))
        area = np.sum(np.diff(curve[:, 0]) * (curve[1:, 1] + curve[:-1, 1]) / 2)
        assert area == pytest.approx(np.mean(pairs), abs=1e-14)
    labels = draw.integers(0, 3, size=90)
    three = draw.random((90, 3))
    three = three / three.sum(axis=1, keepdims=True)
    assert area_under_roc(three, labels) == pytest.approx(roc_auc_score(labels, three, multi_class="ovr"), abs=1e-14)
    assert area_under_roc(three, np.zeros(90, dtype=np.int64)) is None


def test_scores_are_those_of_the_network_written_out(database: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    inputs, labels = draw.uniform(-0.5, 1.5, size=(50, 2)).round(3), draw.integers(0, 2, size=50)
    text = "x1,x2,label\n" + "".join(f"{a},{b},{c}\n" for (a, b), c in zip(inputs, labels, strict=True))
    (tmp_path / "test.csv").write_text(text)
    done = run("classify", "--db", str(database), "--test", str(tmp_path / "test.csv"), "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["classes"]
    with Database.open(database) as held:
        points = held.landscape().points
    for row, point in zip(rows, points, strict=True):
        t = point.theta
        if np.abs(t).max() < 1e-6:
            continue
        h = np.tanh(inputs @ t[:2] + t[4])
        m = (t[3] - t[2]) * h + t[6] - t[5]
        assert row["accuracy"] == pytest.approx(np.mean((m > 0) == labels), abs=1e-12)
        assert row["cross_entropy"] == pytest.approx(np.mean(np.log1p(np.exp(np.where(labels, -m, m)))), abs=1e-9)
        pairs = [a > b for a, b in product(m[labels == 1], m[labels == 0])]
        assert row["auc"] == pytest.approx(np.mean(pairs), abs=1e-9)


def test_one_node_cannot_order_the_corners(database: Path) -> None:
    with Database.open(database) as held:
        answer = ask_into(held, QUESTION, options=ClassifyOptions(noise=0.0, copies=3))
    assert all(row.train.auc == 0.5 and row.auc == 0.5 for row in answer.classes)
    assert all(row.accuracy == row.train.accuracy for row in answer.classes)


def test_noise_is_repeatable(database: Path) -> None:
    with Database.open(database) as held:
        first = ask_into(held, QUESTION, options=ClassifyOptions(seed=3))
        second = ask_into(held, QUESTION, options=ClassifyOptions(seed=3))
        third = ask_into(held, QUESTION, options=ClassifyOptions(seed=4))
    assert first == second != third


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x1,label\n0,1\n", "give 2, as the training data have"),
        ("x1,x2,label\n0,1,2\n", "label 2 is unknown; write 0 to 1"),
        ("x1,x2,class\n0,1,1\n", "one column named label"),
        ("x1,x2,label\n0,one,1\n", "line 2 column x2"),
        (None, "cannot be read"),
    ],
)
def test_bad_test_data_get_one_line(database: Path, tmp_path: Path, text: str | None, words: str) -> None:
    from symland.errors import SpecError

    path = tmp_path / "test.csv"
    if text is not None:
        path.write_text(text)
    with Database.open(database) as held, pytest.raises(SpecError) as caught:
        ask_into(held, QUESTION, options=ClassifyOptions(test=str(path)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
