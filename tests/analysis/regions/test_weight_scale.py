"""The law of weight scale on data: sums, densities and best factors are those of mpmath, of draws and of a unit kx."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest

from symland.analysis.answers import read_answer
from symland.analysis.regions.data_scale import SCATTER, OutputScale
from symland.analysis.regions.network import Network
from symland.analysis.weight_scale import QUESTION, WeightScaleOptions, measure
from symland.cli import _status
from symland.datasets import make_data
from symland.expression import parse_activation
from symland.landscape.database import Database
from symland.records import Outcome, StationaryPoint, Verdict
from symland.spec import LandscapeSpec, Loss, builtin


def small(labels, seed=0, samples=30):
    """A random network of tanh nodes, and points of the plane that it labels; one in ten is labelled wrongly."""
    rng = np.random.default_rng(seed)
    x, outputs = rng.integers(-99, 100, (samples, 2)), 1 if labels == 2 else labels
    w, v, b, c = (rng.normal(size=size) * 2 for size in ((3, 2), (outputs, 3), 3, outputs))
    z = np.tanh(x / 50 @ w.T + b) @ v.T + c
    y = (z[:, 0] > 0).astype(int) if labels == 2 else z.argmax(axis=1)
    y[::10] = (y[::10] + 1) % labels
    y[1 : 1 + labels] = range(labels)
    data = make_data("angles", [[f"{t}/50" for t in row] for row in x.tolist()], y.tolist(), True)
    loss = Loss.LOGISTIC if labels == 2 else Loss.SOFTMAX
    spec = LandscapeSpec(name="angles", hidden=(3,), data=data, loss=loss, penalty=Fraction(1, 100))
    return spec, np.concatenate([w.ravel(), v.ravel(), b, c])


def by_hand(spec, theta, k):
    """(L'(k), rho(k), w) in 30 digits, from a network written out here."""
    n, outputs = spec.hidden[0], spec.n_outputs
    w = [mpmath.mpf(float(t)) for t in theta]
    logits = []
    for row in spec.data.inputs:
        x = [mpmath.mpf(c.numerator) / c.denominator for c in row]
        start = 2 * n + outputs * n
        h = [mpmath.tanh(w[2 * i] * x[0] + w[2 * i + 1] * x[1] + w[start + i]) for i in range(n)]
        z = [sum(w[2 * n + o * n + i] * h[i] for i in range(n)) + w[start + n + o] for o in range(outputs)]
        logits.append([mpmath.mpf(0), z[0]] if outputs == 1 else z)

    def loss(s):
        total = sum(
            mpmath.log(sum(mpmath.exp(s * v) for v in z)) - s * z[y]
            for z, y in zip(logits, spec.data.labels, strict=True)
        )
        return total / len(logits)

    nearest = [z[y] - max(v for j, v in enumerate(z) if j != y) for z, y in zip(logits, spec.data.labels, strict=True)]
    # sigma' is the derivative of the logistic function.
    bells = [mpmath.diff(lambda t: 1 / (1 + mpmath.exp(-t)), k * m) for m in nearest]
    return mpmath.diff(loss, k), k * sum(bells) / len(bells), sum(max(0, -m) for m in nearest) / len(nearest)


@pytest.mark.parametrize("labels", [2, 3])
def test_slopes_and_densities_are_the_sums_over_the_samples(labels):
    spec, theta = small(labels)
    found = measure(spec, theta, WeightScaleOptions())
    with mpmath.workdps(30):
        for row in found.rows[::5]:
            slope, density, wrong = by_hand(spec, theta, mpmath.mpf(row.factor))
            assert mpmath.mpf(row.slope.lower) <= slope <= mpmath.mpf(row.slope.upper)
            assert row.density == pytest.approx(float(density), rel=1e-12)
            unit = by_hand(spec, theta, 1)[1] * mpmath.pi**2 / (6 * row.factor**2)
            assert found.wrong_by == pytest.approx(float(wrong), rel=1e-12)
            assert row.law == pytest.approx(float(wrong - unit))
            assert row.ratio == pytest.approx(float((wrong - slope) / unit))
    assert [a.factor < b.factor for a, b in pairwise(found.rows)] == [True] * 18


def test_the_best_factor_is_where_the_penalised_loss_is_least():
    spec, theta = small(3)
    found = measure(spec, theta, WeightScaleOptions(penalty="1/100,1e-3"))
    # Six weights of 3 nodes, 3 outputs with a bias each: the last layer is 9 weights and 3 biases.
    output = [*theta[6:15], *theta[18:]]
    with mpmath.workdps(30):
        for best in found.best:
            lam = mpmath.mpf(Fraction(best.penalty).numerator) / Fraction(best.penalty).denominator
            size = lam * sum(mpmath.mpf(float(t)) ** 2 for t in output)

            def force(k, size=size):
                return by_hand(spec, theta, k)[0] + 2 * size * k

            assert best.verdict is Verdict.CERTIFIED
            assert force(mpmath.mpf(best.k_star.lower)) < 0 < force(mpmath.mpf(best.k_star.upper))
            assert float(best.k_star.upper) - float(best.k_star.lower) < 1e-12
    assert found.output_norm == pytest.approx(np.linalg.norm(output))


def test_a_unit_on_equal_distances_keeps_the_law_until_its_spacing():
    """The network is kx, nearly: FACTS' four scales, whose penalty is that of the weight itself."""
    samples = 2000
    spec = LandscapeSpec(
        name="line", hidden=(1,), bias=False, activation="z", loss=Loss.LOGISTIC, penalty=Fraction(1, 1000),
        data=make_data("line", [[f"{2 * i + 1 - samples}/{samples}"] for i in range(samples)],
                       [int(2 * i >= samples) for i in range(samples)], True),
    )  # fmt: skip
    found = measure(spec, [1.0, 8.0], WeightScaleOptions(penalty="1e-3,1e-4,1e-5,1e-6"))
    assert found.wrong == 0
    # delta is 0.11 at k = 4 and 0.02 at k = 6, in units of length.
    assert found.holds == (0.75, 64)
    # Uniform over [-1, 1]: 1/2 for each unit of length, and 8 units of margin are one of length.
    assert found.density_length == pytest.approx(0.5, rel=2e-3)
    assert found.slope_across == pytest.approx(8, rel=1e-9)
    assert float(found.density.lower) == pytest.approx(1 / 16, rel=2e-3)
    for best, scale in zip(found.best, (7.436, 16.02, 34.52, 74.36), strict=True):
        assert best.k_law * 8 == pytest.approx(scale, rel=1e-3)
        assert float(best.k_star.lower) * 8 == pytest.approx(scale, rel=3e-3)
    for row in found.rows:
        # Euler and Maclaurin: the midpoint rule adds (k s)^2 / (4 pi^2) in units of the law.
        if row.factor >= 3 and row.crowding < 1:
            true = row.ratio * float(found.density.lower) * 16
            assert true == pytest.approx(1 + row.crowding**2 / (4 * np.pi**2), abs=2e-5)


def test_wrong_samples_stop_the_growth_of_the_weights_where_the_law_says():
    """kx on equal distances over [-1, 1]; those within 1/20 of the boundary on one side have the other label."""
    samples = 2000
    spots = [Fraction(2 * i + 1 - samples, samples) for i in range(samples)]
    data = make_data("line", [[str(t)] for t in spots], [int(t > 0 or t > Fraction(-1, 20)) for t in spots], True)
    spec = LandscapeSpec(
        name="line", hidden=(1,), bias=False, activation="z", loss=Loss.LOGISTIC, penalty=Fraction(1, 1000), data=data
    )
    found = measure(spec, [1.0, 20.0], WeightScaleOptions(penalty="0,1e-4,1e-6"))
    # 50 of 2000 samples are wrong, by 20 / 40 on average.
    assert found.wrong == 50
    assert found.wrong_by == pytest.approx(50 / 2000 * 0.5)
    rho = 1 / 40
    for row in found.rows[6:]:
        assert row.law == pytest.approx(found.wrong_by - rho * np.pi**2 / (6 * row.factor**2), rel=1e-6, abs=1e-6)
        if row.crowding < 1:
            assert row.ratio == pytest.approx(1 + row.crowding**2 / (4 * np.pi**2), abs=2e-4)
    for best in found.best:
        weight = 400 * float(Fraction(best.penalty))
        roots = np.roots([2 * weight, found.wrong_by, 0, -rho * np.pi**2 / 6])
        root = next(r.real for r in roots if abs(r.imag) < 1e-12 and r.real > 0)
        assert best.k_law == pytest.approx(root, rel=1e-6)
        assert float(best.k_star.lower) == pytest.approx(root, rel=2e-3)
    # Without a penalty: (rho pi^2 / 6 w)^(1/2).
    assert found.best[0].k_law == pytest.approx(np.sqrt(rho * np.pi**2 / 6 / found.wrong_by), rel=1e-6)


def test_random_samples_scatter_as_much_as_is_said():
    exact = mpmath.quad(lambda u: (u / (1 + mpmath.exp(u))) ** 2, [0, 4, 60])
    assert pytest.approx(float(12 / mpmath.pi**2 * mpmath.sqrt(exact / 2)), rel=1e-10) == SCATTER
    rng, k, samples = np.random.default_rng(1), 20.0, 400
    ratios = []
    for number in rng.poisson(samples, 4000):
        t = np.abs(rng.uniform(-1, 1, number))
        ratios.append((t / (1 + np.exp(k * t))).sum() / samples / (0.5 * np.pi**2 / (6 * k**2)))
    # Spacing 1 / (400 / 2); a standard deviation of 4000 draws is known within 1.1 %.
    assert np.std(ratios) == pytest.approx(SCATTER * np.sqrt(k / 200), rel=0.06)


def unit(margins):
    """A network whose signed margin is its input, on samples of label 1."""
    one = ((Fraction(1),),)
    network = Network(
        weights=(one, ((Fraction(0),), (Fraction(1),))),
        biases=((Fraction(0),), (Fraction(0), Fraction(0))),
        activation=parse_activation("z"),
    )
    return OutputScale(network, [(Fraction(m),) for m in margins], [1] * len(margins))


@pytest.mark.parametrize(
    ("margins", "penalty", "verdict"),
    [
        ((1, 2), "0", Verdict.REFUTED),
        ((1, -2), "1/10", Verdict.REFUTED),
        ((1, 2, "-1/2"), "0", Verdict.CERTIFIED),
        ((1, 2), "1/10", Verdict.CERTIFIED),
    ],
    ids=["separable without a penalty", "mostly wrong", "one wrong without a penalty", "separable with a penalty"],
)
def test_where_a_best_factor_exists(margins, penalty, verdict):
    found = unit(margins).best(Fraction(penalty))
    assert found.verdict is verdict
    if verdict is Verdict.CERTIFIED:
        ends = [
            2 * float(Fraction(penalty)) * k
            - np.mean([m / (1 + np.exp(k * m)) for m in map(float, map(Fraction, margins))])
            for k in (float(found.low) * (1 - 1e-9), float(found.high) * (1 + 1e-9))
        ]
        assert ends[0] < 0 < ends[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A database with one stationary point of XOR, found by Newton's method on its gradient."""
    from scipy.optimize import minimize

    from symland.program.derive import build_program
    from symland.program.floats import evaluate

    spec = builtin("xor").with_(hidden=(2,), penalty="1e-3")
    program = build_program(spec, ("value", "gradient"))

    def loss(t):
        value, gradient, _ = evaluate(program, t[None])
        return float(value[0]), np.asarray(gradient[0])

    starts = np.random.default_rng(2).normal(size=(6, spec.n_parameters))
    found = [minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-11}) for start in starts]
    theta = min(found, key=lambda one: one.fun).x
    path = tmp_path_factory.mktemp("scale") / "xor.sqlite"
    with Database.create(path, spec) as database:
        database.put_points(
            [
                StationaryPoint(
                    theta=theta, loss=loss(theta)[0], gradient_norm=1e-12, spectrum=np.ones(theta.size), index=0,
                    nullity=0, orbit_size=8, outcome=Outcome.CONVERGED,
                )
            ]
        )  # fmt: skip
    return path, spec, theta


def test_a_class_stands_at_its_own_best_factor(trained, capsys):
    """It is stationary, so no factor of its output layer is better than 1 at the landscape's own penalty."""
    path, _, _ = trained
    assert _status(["geometry", "--scale-law", "--db", str(path), "--class", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["class"], found["samples"]) == ("symland-weight-scale/2", 0, 4)
    assert [b["penalty"] for b in found["best"]] == ["1/1000", "1/10000", "1/100000", "1/1000000"]
    star = found["best"][0]["k_star"]
    assert float(star["lower"]) == pytest.approx(1, abs=1e-7)
    # Four samples far from the boundary are no density: the law does not hold where its samples end.
    assert found["rows"][-1]["ratio"] < 0.01
    assert found["holds"] is None
    assert _status(["ask", "weight-scale", "--db", str(path), "--penalty", "1e-3"]) == 0
    assert "Best factor" in capsys.readouterr().out


def test_the_picture_shows_the_rows(trained):
    path, _, _ = trained
    assert _status(["geometry", "--scale-law", "--db", str(path)]) == 0
    with Database.open(path) as database:
        answer = read_answer(database, QUESTION)
        figure = QUESTION.figures(answer, database.landscape())["weight-scale"].figure
    law, *slopes = figure.axes[0].lines
    assert np.interp(np.log(answer.rows[6].factor), np.log(law.get_xdata()), law.get_ydata()) == pytest.approx(
        -answer.rows[6].law, rel=1e-3
    )
    assert sum(len(line.get_xdata()) for line in slopes[:1]) == sum(float(r.slope.upper) < 0 for r in answer.rows)
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx([r.gradient for r in answer.rows])


def test_bad_input_is_one_line(trained, tmp_path, capsys):
    path, spec, theta = trained
    point, flat = tmp_path / "point.json", tmp_path / "flat.json"
    point.write_text(json.dumps({"spec": spec.canonical(), "theta": theta.tolist()}))
    flat.write_text(json.dumps({"spec": spec.canonical(), "theta": [0.0] * theta.size}))
    for arguments, word in [
        (["--scale-law", "--db", str(path), "--penalty", "-1"], "negative"),
        (["--scale-law", "--db", str(path), "--penalty", "1e-3,x"], "finite number"),
        (["--scale-law", "--db", str(path), "--density", "1"], "leave it out"),
        (["--db", str(path), "--penalty", "1e-3"], "--scale-law"),
        (["--scale-law", str(flat)], "all outputs are equal"),
        (["--scale-law", str(point), "--class", "0"], "no classes"),
        (["--scale-law", "--db", str(path), "--class", "7"], "7"),
    ]:
        assert _status(["geometry", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert word in error
        assert error.count("\n") == 1
    assert _status(["geometry", "--scale-law", str(point), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["class"] is None
