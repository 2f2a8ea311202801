"""Layers behind the first: signals by mpmath, energies by direct means, networks with residual connections."""

from __future__ import annotations

import json
import math

import mpmath
import numpy as np
import pytest

from symland.analysis.condensation.answer import Given, condense, energy_of, sentence, with_training
from symland.analysis.condensation.layers import hidden_signals
from symland.analysis.condensation.measure import incoming
from symland.analysis.condensation.residual import ResidualNetwork
from symland.analysis.condensation.training import Method, Training, start
from symland.cli import main
from symland.datasets import make_data
from symland.errors import SpecError
from symland.kernels.kernel import compile_kernel
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, load_spec


def random_spec(seed, loss, hidden=(3, 3), activation="tanh", bias=True):
    draw = np.random.default_rng(seed)
    x = [[f"{v}/7" for v in row] for row in draw.integers(-9, 9, (6, 2))]
    outputs = 1 if loss is Loss.LOGISTIC else 2
    targets = (
        [[f"{v}/5" for v in row] for row in draw.integers(-9, 9, (6, outputs))]
        if loss is Loss.SQUARED
        else [0, 1, 1, 0, 1, 0]
    )
    data = make_data("random", x, targets, classify=loss is not Loss.SQUARED)
    return LandscapeSpec(name="random", hidden=hidden, data=data, activation=activation, loss=loss, bias=bias)


def weights(spec, seed=0, scale=0.3):
    return np.random.default_rng(seed).normal(scale=scale, size=spec.n_parameters)


def outputs_by_mpmath(spec, theta, x, residual):
    """Inputs of every layer for one sample, from the definition."""
    seen, signal = [], [mpmath.mpf(v.numerator) / v.denominator for v in x]
    for layer in range(1, len(spec.hidden) + 1):
        seen.append(signal)
        weight, bias = spec.layout.weight(layer).of(theta), spec.layout.biases(layer)
        inner = [
            sum((mpmath.mpf(float(w)) * s for w, s in zip(row, signal, strict=True)), mpmath.mpf(0)) for row in weight
        ]
        if bias is not None:
            inner = [v + mpmath.mpf(float(b)) for v, b in zip(inner, bias.of(theta), strict=True)]
        added = [mpmath.tanh(v) for v in inner]
        signal = [a + s for a, s in zip(added, signal, strict=True)] if residual and layer > 1 else added
    return [*seen, signal]


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_signals_of_hidden_layers_are_those_of_mpmath_to_forty_digits(residual, bias):
    spec = random_spec(1, Loss.SOFTMAX, hidden=(3, 3, 3), bias=bias)
    theta = weights(spec, scale=1e-3)
    for layer in (2, 3):
        found = hidden_signals(spec, theta, layer, residual=residual)
        with mpmath.workdps(80):
            for x, got in zip(spec.data.inputs, found, strict=True):
                want = outputs_by_mpmath(spec, theta, x, residual)[layer - 1]
                for g, w in zip(got, want, strict=True):
                    assert abs(mpmath.mpf(g.numerator) / g.denominator - w) <= abs(w) * mpmath.mpf(10) ** -40


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("residual", [False, True])
def test_the_energy_of_the_last_layer_is_the_slope_of_the_loss_by_an_output_weight(loss, residual):
    """At zero output weights d loss / d a_j = -sigma'(0) F_1(w_j), as tanh is linear to leading order."""
    spec = random_spec(2, loss)
    theta = weights(spec)
    node = np.array([0.4, -0.7, 0.2, 0.5]) * 1e-5
    layout = spec.layout
    second = layout.weight(2).of(theta).copy()
    second[1] = node[:3]
    theta[layout.weight(2).slice] = second.reshape(-1)
    bias = layout.biases(2)
    theta[bias.offset + 1] = node[3]
    theta[layout.weight(3).slice] = 0
    theta[layout.biases(3).slice] = 0
    _, energy, _ = energy_of(spec, layer=2, given=Given(theta=theta, name="a test"), residual=residual)
    forms = [sum(float(c) * math.prod(node ** np.array(key)) for key, c in part.items()) for part in energy.parts]
    f = np.array([[float(v) for v in row] for row in energy.outgoing]) @ forms
    # The output weight of node 1 sees sigma(w . h), to which a residual connection adds what came before.
    step, losses = 1e-3, []
    network = ResidualNetwork(spec, connected=residual)
    for output in range(spec.n_outputs):
        plus, minus = theta.copy(), theta.copy()
        place = layout.weight(3).offset + 3 * output + 1
        plus[place] += step
        minus[place] -= step
        losses.append((network.value(plus[None]) - network.value(minus[None]))[0] / (2 * step))
    slope = np.array(losses)
    if residual:
        still = theta.copy()
        still[layout.weight(2).slice] = np.where(np.arange(9) // 3 == 1, 0, theta[layout.weight(2).slice])
        still[bias.offset + 1] = 0
        for output in range(spec.n_outputs):
            plus, minus = still.copy(), still.copy()
            place = layout.weight(3).offset + 3 * output + 1
            plus[place] += step
            minus[place] -= step
            slope[output] -= (network.value(plus[None]) - network.value(minus[None]))[0] / (2 * step)
    assert slope == pytest.approx(-f, rel=2e-3, abs=1e-10)


@pytest.mark.parametrize("loss", list(Loss))
def test_a_network_without_its_connections_is_that_of_the_compiled_kernel(loss):
    spec = random_spec(3, loss, hidden=(4, 3), activation="z*tanh(z)")
    theta = np.random.default_rng(0).normal(scale=0.7, size=(5, spec.n_parameters))
    value, gradient = ResidualNetwork(spec, connected=False).value_gradient(theta)
    want, slope = compile_kernel(spec).value_gradient(theta)
    assert value == pytest.approx(want, rel=1e-12)
    assert np.allclose(gradient, slope, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("loss", list(Loss))
def test_losses_and_slopes_with_residual_connections_are_those_of_the_definition(loss):
    spec = random_spec(4, loss, hidden=(3, 3, 3))
    theta = weights(spec, scale=0.6)
    network = ResidualNetwork(spec)
    value, gradient = network.value_gradient(theta[None])
    last, bias = spec.layout.weight(4).of(theta), spec.layout.biases(4).of(theta)
    total = 0.0
    for d, x in enumerate(spec.data.inputs):
        h = np.array(list(map(float, outputs_by_mpmath(spec, theta, x, True)[-1])))
        z = last @ h + bias
        if loss is Loss.SQUARED:
            total += ((z - np.array(list(map(float, spec.data.values[d])))) ** 2).sum()
        elif loss is Loss.LOGISTIC:
            total += np.log1p(np.exp((1 - 2 * spec.data.labels[d]) * z[0]))
        else:
            total += np.log(np.exp(z).sum()) - z[spec.data.labels[d]]
    assert value[0] == pytest.approx(total / 6, rel=1e-12)
    steps = 1e-5 * np.eye(theta.size)
    slope = (network.value(theta + steps) - network.value(theta - steps)) / 2e-5
    assert np.allclose(gradient[0], slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("residual", [False, True])
def test_every_layer_of_a_deep_tanh_network_ends_on_its_own_line(residual):
    x = [f"{-1 + 2.5 * i / 19:.6f}" for i in range(20)]
    targets = [f"{math.sin(3 * float(v)) + math.sin(6 * float(v)) / 2:.6f}" for v in x]
    data = make_data("sines", [[v] for v in x], targets, classify=False)
    spec = LandscapeSpec(name="sines", hidden=(8, 8, 8), data=data, activation="tanh", loss=Loss.SQUARED)
    for layer in (2, 3):
        training = Training(residual=residual)
        given = Given(theta=start(spec, 1, training.std)[0], name="the start")
        answer = condense(spec, layer=layer, given=given, residual=residual)
        answer, run = with_training(answer, spec, seeds=2, training=training)
        assert (answer.lines, answer.complete) == (1, Verdict.CERTIFIED)
        assert all(t.aligned_share == 1 and t.lines_by_layer == (1, 1, 1) for t in answer.trained)
        # The line of the first seed is the mean of -e (h, 1), e = -2 y.
        signals = np.array(
            [[float(v) for v in h] for h in hidden_signals(spec, run.theta[0], layer, residual=residual)]
        )
        y = np.array([float(v) for v in targets])
        mean = np.append(signals, np.ones((20, 1)), axis=1).T @ y
        w = incoming(spec.layout, run.theta[0], layer)
        cosines = w @ mean / np.linalg.norm(w, axis=1) / np.linalg.norm(mean)
        assert (np.abs(cosines) > 0.99).all()


def test_small_output_weights_show_the_four_lines_of_tanh_on_xor_and_equal_ones_do_not():
    spec = load_spec("xor", hidden=(20,))
    answer = condense(spec)
    following, _ = with_training(answer, spec, seeds=4, training=Training(method=Method.FOLLOWING))
    assert all(t.aligned_share == 1 and t.loss_ratio == pytest.approx(1) for t in following.trained)
    plain, _ = with_training(answer, spec, seeds=4, training=Training())
    assert any(t.aligned_share < 0.9 for t in plain.trained)
    assert "--method following" in sentence(answer)


def test_a_sum_that_cannot_be_told_from_0_is_refused():
    """softplus(s) - softplus(-s) = s, so that 2 h(1) - 2 h(-1) - h(2) + h(-2) = 0: rounding must not become a line."""
    data = make_data("odd", [["1"], ["-1"], ["2"], ["-2"]], ["2", "-2", "-1", "1"], classify=False)
    spec = LandscapeSpec(name="odd", hidden=(1, 1), data=data, activation="softplus", loss=Loss.SQUARED, bias=False)
    with pytest.raises(SpecError, match="told from 0"):
        condense(spec, layer=2, given=Given(theta=np.array([0.3, 0.1, 0.1]), name="a test"))


def test_a_saved_point_gives_the_weights_before_a_layer(tmp_path, capsys):
    spec = load_spec("xor", hidden=(4, 4))
    theta = weights(spec)
    file = tmp_path / "point.json"
    file.write_text(json.dumps({"spec": spec.canonical(), "theta": theta.tolist()}))
    with pytest.raises(SystemExit) as ended:
        main(["condense", "xor", "--hidden", "4,4", "--layer", "2", "--at", str(file), "--json"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["layer"], document["given"]) == (2, "the point of point.json")
    w = np.array(document["critical"][0]["w"])
    h = np.tanh(np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]) @ theta[:8].reshape(4, 2).T + theta[32:36])
    mean = np.append(h, np.ones((4, 1)), axis=1).T @ (np.array([0, 1, 1, 0]) - 0.5)
    assert abs(w @ mean) / np.linalg.norm(mean) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["xor", "--hidden", "4,3", "--residual"], "one width"),
        (["xor", "--hidden", "4", "--residual"], "two or more"),
        (["xor", "--hidden", "4,4", "--layer", "3"], "count them from 1"),
        (["xor", "--hidden", "4,4", "--layer", "2", "--at", "no such file"], "cannot be read"),
        (["xor", "--at", "no such file"], "needs no weights"),
        (["xor", "--hidden", "4,4", "--residual", "--train", "--method", "flow"], "write normalised"),
        (["xor", "--hidden", "4,4", "--train", "--method", "following"], "one hidden layer"),
    ],
)
def test_what_cannot_be_asked_of_layers_is_one_line_with_advice(arguments, word, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["condense", *arguments])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert word in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
