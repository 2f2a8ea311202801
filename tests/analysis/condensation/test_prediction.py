"""Multiplicity, energy and critical orientations: direct means, SS-HOPM of NumPy, the Euler characteristic."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symland.analysis.condensation import balls
from symland.analysis.condensation.answer import condense, energy_of, predicted_lines, sentence
from symland.analysis.condensation.forms import moment_form
from symland.analysis.condensation.multiplicity import find_multiplicity
from symland.cli import main
from symland.datasets import make_data
from symland.errors import SpecError
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, load_spec

small = st.fractions(-3, 3, max_denominator=7)


def random_spec(seed, *, inputs, activation, bias=True, loss=Loss.LOGISTIC, samples=10, outputs=1):
    draw = np.random.default_rng(seed)
    x = [[f"{v}/10" for v in row] for row in draw.integers(-20, 20, (samples, inputs))]
    if loss is Loss.SQUARED:
        targets = [[f"{v}/7" for v in row] for row in draw.integers(-9, 9, (samples, outputs))]
    else:
        targets = [int(v) for v in draw.permutation(np.arange(samples) % max(outputs, 2))]
    data = make_data("random", x, targets, classify=loss is not Loss.SQUARED)
    return LandscapeSpec(name="random", hidden=(3,), data=data, activation=activation, bias=bias, loss=loss)


def direct(spec, k):
    """(D, n) inputs with a bias, and (D, K) weights -e_d / D, from the definition of the loss, in floats."""
    x = np.array([[float(v) for v in row] for row in spec.data.inputs])
    x = np.hstack([x, np.ones((len(x), 1))]) if spec.bias else x
    if spec.loss is Loss.SQUARED:
        e = -2 * np.array([[float(v) for v in row] for row in spec.data.values])
    elif spec.loss is Loss.LOGISTIC:
        e = 0.5 - np.array(spec.data.labels)[:, None]
    else:
        e = 1 / spec.n_outputs - np.eye(spec.n_outputs)[list(spec.data.labels)]
    return x, -e / len(x)


def hopm(x, m, k, count, seed):
    """SS-HOPM of NumPy for the single form sum_d m_d (w . x_d)^k, to maxima and minima; those that converged."""
    draw = np.random.default_rng(seed)
    shift = (k - 1) * math.sqrt(max(0.0, m @ (x @ x.T) ** k @ m))
    ends = []
    for sign in (1, -1):
        w = draw.normal(size=(count, x.shape[1]))
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        for _ in range(600):
            new = sign * ((w @ x.T) ** (k - 1) * m) @ x + shift * w
            new /= np.linalg.norm(new, axis=1, keepdims=True)
            moved, w = np.abs(new - w).max(axis=1), new
        ends.append(w[moved < 1e-10])
    return np.concatenate(ends)


@pytest.mark.parametrize(
    ("text", "order"),
    [("tanh", 1), ("sigmoid", 1), ("softplus", 1), ("sin", 1), ("z*(1+erf(z))/2", 1), ("z*sigmoid(z)", 1),
     ("z*tanh(z)", 2), ("1 - cos(z)", 2), ("z**2*tanh(z)", 3), ("z**3", 3), ("tanh(z) - z", 3), ("z**3*sin(z)", 4)],
)  # fmt: skip
def test_the_multiplicity_is_the_order_of_the_first_derivative_that_differs_from_0(text, order):
    found = find_multiplicity(text)
    assert found.order == order
    z = sympy.Symbol("z")
    functions = {"sigmoid": lambda u: 1 / (1 + sympy.exp(-u)), "softplus": lambda u: sympy.log(1 + sympy.exp(u))}
    whole = sympy.sympify(text if "z" in text else f"{text}(z)", locals={"z": z, **functions})
    series = sympy.series(whole, z, 0, order + 1).removeO()
    assert sympy.simplify(series.coeff(z, order) * sympy.factorial(order) - found.derivative) == 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_energy_is_the_direct_mean_in_exact_rationals(data):
    n, k = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    samples = data.draw(st.integers(1, 3))
    vectors = [tuple(data.draw(small) for _ in range(n)) for _ in range(samples)]
    moments = [data.draw(small) for _ in range(samples)]
    w = [data.draw(small) for _ in range(n)]
    form = moment_form(vectors, moments, k)
    value = sum((c * math.prod(v**e for v, e in zip(w, key, strict=True)) for key, c in form.items()), Fraction(0))
    assert value == sum(
        m * sum(a * b for a, b in zip(w, x, strict=True)) ** k for x, m in zip(vectors, moments, strict=True)
    )


@pytest.mark.parametrize("loss", list(Loss))
def test_the_energy_is_the_slope_of_the_loss_of_a_small_node(loss):
    """d loss / d a at a = 0 is -sigma^(k)(0) / k! F_k(w) to leading order in w."""
    spec = random_spec(3, inputs=2, activation="z*tanh(z)", loss=loss, outputs=1 if loss is Loss.SQUARED else 2)
    _, energy, _ = energy_of(spec)
    x, moments = direct(spec, 2)
    w = np.array([0.3, -0.2, 0.4]) * 1e-4
    slope = (moments[:, -1] * (x @ w) * np.tanh(x @ w)).sum()
    got = sum(float(c) * math.prod(w ** np.array(key)) for key, c in energy.form.items())
    assert got == pytest.approx(slope, rel=1e-6)


def test_tanh_on_xor_has_effective_multiplicity_3_and_four_lines():
    answer = condense(load_spec("xor"))
    assert (answer.multiplicity, answer.effective_multiplicity, answer.lines, answer.bound) == (1, 3, 4, 2)
    assert answer.complete is Verdict.CERTIFIED
    assert "MORE than" in sentence(answer)
    assert sympy.factor(sympy.sympify(answer.energy)) == sympy.sympify("-3*u1*u2*(2*b+u1+u2)/8")
    lines = [np.array(o.w) for o in answer.critical if o.attractor]
    for want in ([2 / 3, 2 / 3, 1 / 3], np.array([1, 1, -2]) / 6**0.5, [0.720707, -0.462509, 0.516398],
                 [-0.462509, 0.720707, 0.516398]):  # fmt: skip
        assert any(abs(abs(line @ want) - 1) < 1e-5 for line in lines)
    assert {"(2, 2, 1)/3", "(1, 1, -2)/sqrt(6)"} <= {o.exact for o in answer.critical}
    assert sorted((o.value > 0, o.index) for o in answer.critical if o.attractor) == [
        (False, 0), (False, 0), (True, 2), (True, 2)]  # fmt: skip


def test_z_tanh_z_on_xor_has_the_lines_of_the_two_diagonals():
    answer = condense(load_spec("xor", activation="z*tanh(z)"))
    assert (answer.effective_multiplicity, answer.lines, answer.complete) == (2, 2, Verdict.CERTIFIED)
    assert {o.exact: o.attracts for o in answer.critical} == {
        "(1, 1, 0)/sqrt(2)": ("-",),
        "(1, -1, 0)/sqrt(2)": ("+",),
        "(0, 0, 1)": (),
    }


@pytest.mark.parametrize(
    ("inputs", "k", "bias"),
    [(1, 3, True), (1, 4, True), (2, 3, True), (2, 4, True), (3, 3, False), (3, 3, True), (4, 3, True), (5, 2, True)],
)
def test_no_start_of_ss_hopm_finds_what_a_certified_list_lacks(inputs, k, bias):
    activation = {2: "z*tanh(z)", 3: "z**3", 4: "z**3*tanh(z)"}[k]
    spec = random_spec(10 * inputs + k, inputs=inputs, activation=activation, bias=bias)
    answer = condense(spec)
    assert answer.complete is Verdict.CERTIFIED
    x, moments = direct(spec, k)
    ends = hopm(x, moments[:, 0], k, 400, 1)
    assert len(ends) > 400
    lines = np.array([o.w for o in answer.critical])
    assert (np.abs(ends @ lines.T).max(axis=1) > 1 - 1e-9).all()
    for o in answer.critical:
        value = ((x @ o.w) ** k * moments[:, 0]).sum()
        assert value == pytest.approx(o.value, abs=1e-10)
        assert float(Fraction(o.enclosure[0])) <= o.value <= float(Fraction(o.enclosure[1])) + 1e-300


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k", "activation"), [(3, "z**3"), (4, "z**3*tanh(z)")])
def test_indices_of_a_certified_list_add_up_to_the_euler_characteristic(seed, k, activation):
    """sum (-1)^index is 2 on the sphere; a line is two points, of the same index or, for odd k, of i and 2 - i."""
    answer = condense(random_spec(seed, inputs=2, activation=activation))
    assert answer.complete is Verdict.CERTIFIED
    assert 2 * sum((-1) ** o.index for o in answer.critical) == 2


def test_three_classes_and_three_weights_give_the_maxima_of_the_length_of_f():
    spec = random_spec(7, inputs=2, activation="z*tanh(z)", loss=Loss.SOFTMAX, outputs=3, samples=12)
    answer = condense(spec)
    assert answer.complete is Verdict.CERTIFIED
    x, moments = direct(spec, 2)
    grid = np.random.default_rng(0).normal(size=(200_000, 3))
    grid /= np.linalg.norm(grid, axis=1, keepdims=True)
    lengths = np.linalg.norm((grid @ x.T) ** 2 @ moments, axis=1)
    best = max(o.value for o in answer.critical)
    assert lengths.max() <= best + 1e-12
    assert lengths.max() == pytest.approx(best, rel=1e-3)


def test_zeros_of_f_on_the_sphere_of_four_weights_are_no_obstacle_where_there_are_three_classes():
    spec = random_spec(2, inputs=3, activation="z*tanh(z)", loss=Loss.SOFTMAX, outputs=3, samples=12)
    answer = condense(spec)
    assert answer.complete is Verdict.CERTIFIED
    assert "not listed" in answer.families[0]
    assert all(o.value > 0 for o in answer.critical)
    x, moments = direct(spec, 2)
    shift = 3 * sum(m @ (x @ x.T) ** 2 @ m for m in moments.T)
    w = np.random.default_rng(0).normal(size=(300, 4))
    for _ in range(4000):
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        s = w @ x.T
        w = ((s**2 @ moments) @ moments.T * s) @ x + 0.2 * shift * w
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    lines = np.array([o.w for o in answer.critical if o.attractor])
    assert (np.abs(w @ lines.T).max(axis=1) > 1 - 1e-5).mean() > 0.95
    assert answer.lines == len({int(i) for i in np.abs(w @ lines.T).argmax(axis=1)})


def test_more_weights_than_can_be_searched_are_said_to_be_not_proved():
    answer = condense(random_spec(5, inputs=5, activation="z**3", samples=7))
    assert answer.complete is Verdict.UNDECIDED
    assert "not proved complete" in answer.how
    assert "not proved complete" in sentence(answer)
    assert answer.lines >= 1


def test_a_form_that_is_the_same_in_all_directions_is_a_sphere_of_orientations():
    x = [["1", "0"], ["-1", "0"], ["0", "1"], ["0", "-1"], ["0", "0"]]
    data = make_data("square", x, ["1", "1", "1", "1", "-4"], classify=False)
    spec = LandscapeSpec(name="square", hidden=(2,), data=data, activation="z**2", bias=False, loss=Loss.SQUARED)
    answer = condense(spec)
    assert (answer.lines, len(answer.critical)) == (0, 0)
    assert "circle" in answer.families[0]
    assert "attracts as a whole" in sentence(answer)


def test_a_rotation_that_leaves_the_form_as_it_is_gives_circles():
    # Two orthogonal designs at heights +-1: sum_d w_d (u . x_d + b)^3 depends on |u| and b alone.
    ring = [(1, 0), (0, 1), (-1, 0), (0, -1)]
    x = [[str(a), str(b)] for a, b in ring] + [["0", "0"]]
    data = make_data("ring", x, ["1", "1", "1", "1", "-3"], classify=False)
    spec = LandscapeSpec(name="ring", hidden=(2,), data=data, activation="z**3", loss=Loss.SQUARED)
    answer = condense(spec)
    assert answer.complete is Verdict.CERTIFIED
    assert any("circle" in family and "about the axis" in family for family in answer.families)
    assert "attracts as a whole" in sentence(answer)
    vectors, moments = direct(spec, 3)
    ends = hopm(vectors, moments[:, 0], 3, 200, 0)
    # F = c (6 b - 5 b^3) with |u|^2 = 1 - b^2 has its extrema at b^2 = 2/5 and on the axis.
    assert np.isclose(ends[:, 2] ** 2, 0.4).any()
    assert (np.isclose(ends[:, 2] ** 2, 0.4) | np.isclose(ends[:, 2] ** 2, 1)).all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["xor", "--layer", "2"], "count them from 1"),
        (["xor", "--activation", "relu"], "smooth"),
        (["xor", "--activation", "z**20"], "vanish"),
        (["parity3", "--activation", "z**2"], "uncorrelated"),
    ],
)
def test_bad_input_is_one_line_with_advice(arguments, word, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["condense", *arguments])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert word in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_the_json_document_has_the_names_that_scripts_read(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["condense", "xor", "--activation", "z*tanh(z)", "--json"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["multiplicity"] == document["effective_multiplicity"] == 2
    assert document["lines"] == 2
    assert document["bound"] == 4
    assert document["complete"] == "certified"
    assert set(document["critical"][0]) >= {"w", "value", "index", "attractor", "exact"}
    with pytest.raises(SpecError):
        condense(load_spec("xor"), layer=0)


def test_a_line_whose_index_is_open_leaves_the_count_open(monkeypatch):
    spec = load_spec("xor")
    assert condense(spec).complete is Verdict.CERTIFIED
    monkeypatch.setattr(balls, "signature", lambda rows: None)
    answer = condense(spec)
    assert (answer.lines, answer.complete) == (0, Verdict.UNDECIDED)
    assert "is open" in sentence(answer)


def test_data_whose_inputs_differ_by_many_orders_have_all_their_lines():
    rows = [(1, 2, 3), (2, -1, 1), (-3, 1, 2), (1, 1, -1), (2, 3, -2), (0, 1, 1)]
    y = [1, 2, -1, 3, 0, 1]
    data = make_data("scales", [[f"{a}e-9", f"{b}e-18", f"{c}"] for a, b, c in rows], list(map(str, y)), classify=False)
    spec = LandscapeSpec(name="scales", hidden=(2,), data=data, activation="z*tanh(z)", loss=Loss.SQUARED)
    answer = condense(spec)
    # One eigenvalue above 0 with the largest value and the only one below 0 attract.
    with mpmath.workdps(80):
        x = [[mpmath.mpf(a) / 10**9, mpmath.mpf(b) / 10**18, mpmath.mpf(c), mpmath.mpf(1)] for a, b, c in rows]
        matrix = mpmath.matrix(4, 4)
        for v, t in zip(x, y, strict=True):
            for i in range(4):
                for j in range(4):
                    matrix[i, j] += 2 * t * v[i] * v[j] / 6
        values, vectors = mpmath.eigsy(matrix)
        values = [float(v) for v in values]
    assert values[0] < 0 < values[1]
    assert answer.complete is Verdict.CERTIFIED
    assert answer.lines == 2
    lines = predicted_lines(answer)
    for number in (0, 3):
        vector = np.array([float(vectors[i, number]) for i in range(4)])
        assert np.abs(lines @ vector).max() == pytest.approx(1, abs=1e-12)
