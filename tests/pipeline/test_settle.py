"""Isolated points, families and ways to infinity are told apart, each against what is known by hand or by mpmath."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest

from symland.analysis import families as question
from symland.analysis.flat_directions import flat_directions
from symland.explore.identify import stationary_point
from symland.kernels import compile_kernel
from symland.landscape.account import Counts
from symland.landscape.database import Database
from symland.landscape.evidence import Families
from symland.pipeline import connect_into, explore_into, summary
from symland.pipeline.settle import settle
from symland.records import Outcome, StationaryPoint, Verdict
from symland.rigor.singular import Kind, read_point
from symland.spec import LandscapeSpec, Penalised, load_spec, parse_spec
from symland.symbolic.symmetry import find_symmetry
from tests.once import made_once

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "regression.toml"


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory):
    def make(folder: Path) -> None:
        with Database.create(folder / "r.sqlite", load_spec(EXAMPLE)) as database:
            explore_into(database)
            connect_into(database)

    with Database.open(made_once(tmp_path_factory, "regression", make) / "r.sqlite") as database:
        yield database


@pytest.fixture(scope="module")
def unpenalised(tmp_path_factory: pytest.TempPathFactory):
    def make(folder: Path) -> None:
        with Database.create(folder / "x.sqlite", load_spec("xor", penalty="0")) as database:
            explore_into(database, max_searches=1536)
            connect_into(database)

    with Database.open(made_once(tmp_path_factory, "unpenalised", make) / "x.sqlite") as database:
        yield database


def test_the_shipped_example_has_four_isolated_points_and_three_families(regression: Database) -> None:
    landscape = regression.landscape()
    assert [p.loss for p in landscape.points] == pytest.approx(
        [0.136900456138736, 0.32482459177627, 0.346398705780601, 0.346529190891674], abs=1e-13
    )
    assert all(p.nullity == 0 for p in landscape.points)
    others = landscape.evidence.families
    assert others is not None
    assert (others.runaways, others.open, others.gauge) == ((), 0, 0)
    assert [f.dimension for f in others.families] == [1, 2, 1]
    # What flattens them is that a node without weights has a free bias: T5-flat-bias, once for each such node.
    assert [[d.origin for d in f.directions] for f in others.families] == [["T5-flat-bias"] * n for n in (1, 2, 1)]


def test_the_loss_of_a_family_is_constant_along_it_by_mpmath(regression: Database) -> None:
    """Along the flat directions of each family the gradient of the loss, written out in mpmath, stays zero."""
    spec, others = regression.spec, regression.landscape().evidence.families
    assert others is not None

    def loss(theta: list) -> mpmath.mpf:
        w, v = [theta[0], theta[1]], [[theta[2], theta[3]], [theta[4], theta[5]]]
        b, c, total = theta[6:8], theta[8:10], mpmath.mpf(0)
        for (x,), target in zip(spec.data.inputs, spec.data.values, strict=True):
            h = [mpmath.erf(w[j] * mpmath.mpf(x.numerator) / x.denominator + b[j]) for j in range(2)]
            for k, y in enumerate(target):
                z = c[k] + sum(v[k][j] * h[j] for j in range(2))
                total += (z - mpmath.mpf(y.numerator) / y.denominator) ** 2
        return total / 5 + mpmath.mpf(1) / 50 * sum(t**2 for t in theta[:6])

    with mpmath.workdps(40):
        for family in others.families:
            for flat in family.directions:
                for far in (0.0, 0.7, -1.9):
                    theta = [
                        mpmath.mpf(t) + far * mpmath.mpf(d) for t, d in zip(family.theta, flat.direction, strict=True)
                    ]
                    assert abs(loss(theta) - family.loss) < 1e-14
                    slopes = [
                        mpmath.diff(lambda s, p=p, t=theta: loss([*t[:p], s, *t[p + 1 :]]), theta[p]) for p in range(10)
                    ]
                    assert max(map(abs, slopes)) < 1e-13


def test_nothing_but_points_is_counted_drawn_or_given_an_orbit(regression: Database, unpenalised: Database) -> None:
    for database, classes in ((regression, 4), (unpenalised, 0)):
        landscape, told = database.landscape(), summary(database)
        assert len(landscape.points) == len(told["classes"]) == sum(told["counts"]) == classes
        assert len(landscape.tree().leaves) == len(landscape.minima)
        assert landscape.account.counts.morse is Verdict.UNDECIDED
        assert landscape.account.counts.no_test is not None
        estimate = told["completeness"]["estimate"]
        assert estimate[1] == classes
        assert "orbit" not in str(told["families"])


def test_an_unpenalised_landscape_has_a_family_and_ways_to_infinity_and_no_class(unpenalised: Database) -> None:
    """XOR with two tanh nodes: the plateau ln 2, and infima 0, ln(2)/2, (3/4) H(1/3), ln 2 that no point takes."""
    others = unpenalised.landscape().evidence.families
    assert others is not None
    plateau = others.families[0]
    assert plateau.loss == pytest.approx(np.log(2), abs=1e-12)
    assert plateau.gauge == 3
    assert plateau.dimension >= 6
    assert not plateau.morse_bott
    third = 0.75 * (np.log(3) - 2 / 3 * np.log(2))
    known = (0.0, np.log(2) / 2, third, np.log(2))
    assert {round(r.limit, 6) for r in others.runaways} <= {round(k, 6) for k in known}
    lowest = others.runaways[0]
    assert lowest.limit < 1e-20
    assert lowest.monotone is Verdict.CERTIFIED
    assert lowest.radius is not None
    norms, losses, _ = zip(*lowest.ray, strict=True)
    assert all(a < b for a, b in pairwise(norms))
    assert all(a > b for a, b in pairwise(losses))
    assert question.QUESTION.verdict(others) is (Verdict.CERTIFIED if not others.open else Verdict.UNDECIDED)


def point(spec: LandscapeSpec, theta: np.ndarray) -> StationaryPoint:
    return stationary_point(compile_kernel(spec), find_symmetry(spec), theta)


def test_a_degenerate_point_that_no_manifold_goes_through_stays_a_class() -> None:
    """At 2 lambda = s the origin of one node is degenerate and alone: E is of fourth order along the null direction."""
    # One tanh node, squares, x = y = 1: s = |sigma'(0) C| with C = 2 (z - y) x = -2 without output bias.
    spec = LandscapeSpec.from_canonical(
        {
            **load_spec("xor", hidden=(1,)).canonical(),
            "loss": "squared",
            "bias": False,
            "outputs": 1,
            "penalty": "1",
            "inputs": [["1"]],
            "targets": [["1"]],
        }
    )
    origin = point(spec, np.zeros(2))
    assert (origin.nullity, origin.outcome) == (1, Outcome.DEGENERATE)
    apart = settle(spec, find_symmetry(spec), [origin], [5])
    assert [p.outcome for p in apart.points] == [Outcome.DEGENERATE]
    assert apart.others == Families()


def test_a_point_with_a_small_but_certain_curvature_is_isolated() -> None:
    spec = load_spec("xor", hidden=(1,), penalty="1e-9")
    assert read_point(spec, np.zeros(spec.n_parameters)).kind is Kind.ISOLATED


def test_equal_nodes_hand_over_their_outgoing_weights_without_a_penalty() -> None:
    """T6: at lambda = 0 the split of a node along (v, -v) changes nothing; the vector is found in a null space."""
    spec = load_spec("xor", penalty="0")
    group = find_symmetry(spec)
    theta = np.zeros(12)
    theta[:4], theta[4:8], theta[8:10] = (0.3, -0.7, 0.3, -0.7), (0.5, 0.2, -0.5, -0.2), 0.1
    along = np.zeros(12)
    along[4:8] = (1, -1, -1, 1)
    found = flat_directions(group, theta, (along / 2)[:, None])
    assert [d.origin for d in found] == ["T6-splitting"]
    assert abs(found[0].direction @ along) == pytest.approx(2.0)
    stranger = np.eye(12)[:, :1]
    assert [d.origin for d in flat_directions(group, theta, stranger)] == ["unexplained"]


def test_a_family_leaves_no_morse_test_and_a_list_without_one_has_it(regression: Database) -> None:
    others = regression.landscape().evidence.families
    points = regression.landscape().points
    assert Counts.of(points, others=Families()).no_test is None
    why = Counts.of(points, others=others).no_test
    assert why is not None
    assert "Euler" in why
    assert not load_spec("xor", penalty="1e-2").with_(penalised=Penalised.WEIGHTS).coercive


def test_circles_count_nothing_in_the_morse_sum_and_a_missing_point_is_seen(tmp_path: Path) -> None:
    """Two linear nodes rotate into one another: the origin, of index 4, and circles; the sum over the points is 1."""
    text = """
    [network]
    hidden = [2]
    activation = "z"
    bias = false
    [data]
    inputs = [["1", "0"], ["0", "1"], ["1", "1"], ["-1", "2"]]
    targets = [["1", "0"], ["0", "1"], ["1/2", "1/3"], ["0", "1"]]
    [loss]
    kind = "squared"
    penalty = "1e-2"
    """
    spec = parse_spec(text, "linear", lambda name: "")
    with Database.create(tmp_path / "linear.sqlite", spec) as database:
        explore_into(database, max_searches=400)
        landscape = database.landscape()
    others = landscape.evidence.families
    assert others is not None
    assert [(f.dimension, f.morse_bott) for f in others.families] == [(1, True)] * 3
    assert {d.origin for f in others.families for d in f.directions} == {"T6-linear-circle"}
    # On a circle |theta| does not change, and half a turn leads to the negative.
    family = others.families[0]
    assert abs(family.directions[0].direction @ family.theta) < 1e-12
    counts = landscape.account.counts
    assert (counts.no_test, counts.morse_sum, counts.morse) == (None, 1, Verdict.UNDECIDED)
    assert [p.index for p in landscape.points] == [4]
    minimum = replace(landscape.points[0], index=3)
    assert Counts.of([minimum], others=others).morse is Verdict.REFUTED
