"""The zero extension at points and for architectures: prediction against computation, and what must be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symland.analysis import embedding
from symland.analysis.extended_points import check_embedding
from symland.analysis.extension import extend
from symland.analysis.extension_proof import prove_extension
from symland.analysis.residuals import layer_residuals
from symland.codec import encode
from symland.errors import SpecError
from symland.explore import explore
from symland.kernels import compile_kernel
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Verdict
from symland.spec import Penalised, builtin
from symland.symbolic.symmetry import find_symmetry
from symland.theorems import check_proof, save_proof
from tests.explore.landscapes import explored
from tests.rigor.points import newton_points, xor, xor_points
from tests.strategies import specs

VANISHING = ("tanh", "sin", "erf", "z*tanh(z)", "z/sqrt(1+z**2)", "z + z**3/10")


@cache
def report(name, hidden, penalty):
    spec = builtin(name).with_(hidden=(hidden,), penalty=penalty)
    return check_embedding(spec, explored((hidden,), penalty, name).points, escapes=hidden == 1)


@pytest.mark.parametrize(
    ("name", "hidden", "penalty"),
    [
        ("xor", 1, "1e-2"),
        ("xor", 1, "1e-3"),
        ("xor-pm", 1, "1e-4"),
        ("xor", 2, "1e-2"),
        ("xor-pm", 2, "1e-4"),
    ],
)
def test_the_predicted_index_is_the_computed_one_at_every_point(name, hidden, penalty):
    found = report(name, hidden, penalty)
    assert len(found.points) >= 3
    assert found.verdict is Verdict.CERTIFIED
    for point in found.points:
        assert point.index_after == point.predicted_index
        assert point.exact_zeros == 5
        assert point.eigenvalue_error < 1e-12
        assert point.index_after - point.index_before in (0, 1)


@pytest.mark.parametrize("penalty", ["1e-2", "1e-3"])
def test_all_but_the_origin_among_the_minima_of_one_node_gain_an_index(penalty):
    minima = [p for p in report("xor", 1, penalty).points if p.index_before == 0]
    rises = {round(p.loss, 6): p.index_after for p in minima}
    assert rises.pop(0.693147) == 0
    assert len(rises) == 3
    assert set(rises.values()) == {1}


def test_escapes_go_down_to_minima_of_the_wider_network():
    for point in report("xor", 1, "1e-2").points:
        assert (point.escape is None) == (point.rise == 0)
        if point.escape:
            assert point.escape.loss < point.loss - 1e-4
            assert point.escape.index == 0
            assert point.escape.gradient_norm < 1e-8
            assert point.escape.curvature < 0
            assert point.escape.theta.shape == (12,)


def test_the_curvature_along_the_escape_direction_is_the_predicted_eigenvalue():
    spec = xor(1, "1e-2")
    wide = build_program(spec.with_(hidden=(2,)))
    points = [np.array(p) for p in xor_points(1, "1e-2")]
    for theta, point in zip(points, check_embedding(spec, points).points, strict=True):
        if point.escape:
            at = np.array(extend(spec).embed(list(theta), 0.0))
            h = evaluate(wide, at[None])[2][0]
            assert abs(point.escape.direction @ h @ point.escape.direction - point.escape.curvature) < 1e-12


def test_a_point_that_is_not_stationary_is_not_certified():
    spec = xor(1, "1e-2")
    theta = np.full(spec.n_parameters, 0.37)
    box = [arb(t) for t in theta]
    (point,) = check_embedding(spec, [theta], boxes=[box], escapes=False).points
    assert point.stationary is Verdict.REFUTED


def test_sigmoid_with_penalised_biases_does_not_extend_and_says_so():
    spec = builtin("xor").with_(activation="softplus", penalty="1e-2")
    rng = np.random.default_rng(2)
    points = newton_points(spec, rng.normal(size=(60, spec.n_parameters)))
    origin = np.zeros(spec.n_parameters)
    found = check_embedding(spec, [origin, *points[np.abs(points).max(axis=1) > 1e-3]])
    assert (found.proof["verdict"], found.selective) == ("certified", True)
    assert set(check_proof(save_proof(prove_extension(spec))).values()) == {Verdict.CERTIFIED}
    assert found.verdict is Verdict.REFUTED
    # The origin has no next bias, and the residuals of these labels are balanced.
    assert found.of(Verdict.CERTIFIED) == (0,)
    assert found.of(Verdict.REFUTED) == tuple(range(1, len(found.points)))
    wide = build_program(spec.with_(hidden=(3,)))
    for theta, point in zip(points[np.abs(points).max(axis=1) > 1e-3], found.points[1:], strict=True):
        # -2 lambda ln(2) b by theorem T5-nonvanishing, against the wide network's gradient in float64.
        said = -2e-2 * np.log(2) * theta[-2:]
        gradient = evaluate(wide, np.array(extend(spec).embed(list(theta), 0.0))[None])[1][0]
        np.testing.assert_allclose(gradient[list(extend(spec).outgoing[0])], said, atol=1e-13)
        assert abs(point.slope) == pytest.approx(np.abs(said).max(), abs=1e-13)
        assert point.predicted_slope == pytest.approx(point.slope, abs=1e-13)
        if point.successor:
            assert np.abs(evaluate(wide, point.successor.theta[None])[1][0]).max() < 1e-11
    assert sum(p.successor is not None for p in found.points) > 1
    assert "1 extend all the same (class 0)" in embedding.QUESTION.sentence(found)


@pytest.mark.parametrize(("activation", "bias"), [("sigmoid", False), ("exp(z)", True), ("z+cos(z)", True)])
def test_which_points_extend_is_proved_for_each_activation_that_does_not_vanish_at_zero(activation, bias):
    proof = prove_extension(builtin("xor").with_(activation=activation, bias=bias), 1, 2)
    assert proof.verdict is Verdict.CERTIFIED
    assert set(check_proof(save_proof(proof)).values()) == {Verdict.CERTIFIED}


def test_any_activation_extends_where_the_penalty_leaves_biases_alone():
    spec = builtin("xor").with_(activation="sigmoid", penalised=Penalised.WEIGHTS, penalty="1e-3")
    proof = prove_extension(spec)
    assert proof.identifier.startswith("shifted")
    assert proof.verdict is Verdict.CERTIFIED
    assert set(check_proof(save_proof(proof)).values()) == {Verdict.CERTIFIED}


@cache
def free_biases(activation):
    """A kernel of one node whose biases are not penalised, and its stationary points."""
    spec = builtin("xor").with_(hidden=(1,), activation=activation, penalised=Penalised.WEIGHTS, penalty="1e-3")
    kernel = compile_kernel(spec)
    return kernel, explore(kernel, find_symmetry(spec), seed=1, max_searches=1)


@pytest.mark.parametrize(("activation", "nodes"), [("tanh", 1), ("tanh", 2), ("sigmoid", 1), ("softplus", 2)])
def test_the_spectrum_under_a_penalty_on_weights_is_that_of_t5_in_sheared_variables(activation, nodes):
    kernel, found = free_biases(activation)
    spec = kernel.spec
    answer = check_embedding(spec, found.points, nodes=nodes, escapes=nodes == 1)
    assert any(p.rise for p in answer.points)
    for point in answer.points:
        assert point.stationary is Verdict.CERTIFIED
        assert point.eigenvalue_error < 1e-9
        # Not one negative eigenvalue more or less; the balls leave the flat directions open, and the gauge, which is
        # null by the shift of both output biases. A class that is itself an extension has a flat direction besides.
        assert point.index_after == point.predicted_index
        flat = np.linalg.eigvalsh(kernel.hessian(found.points[point.number].theta[None])[0])
        isolated = (np.abs(flat) < 1e-9).sum() == 1
        assert point.index_holds is (Verdict.CERTIFIED if isolated else Verdict.UNDECIDED)
        if point.escape:
            wide = build_program(extend(spec, 1, nodes).wide)
            at = np.array(extend(spec, 1, nodes).embed(list(found.points[point.number].theta), 0.0))
            h = evaluate(wide, at[None])[2][0]
            assert point.escape.curvature < 0
            assert abs(point.escape.direction @ h @ point.escape.direction - point.escape.curvature) < 1e-6


def test_no_index_is_predicted_where_sigma_of_zero_is_not_zero_and_next_biases_are_penalised():
    # At the origin the residuals of these labels are balanced, so the extension is stationary although sigma(0) = 1/2.
    # |sigma'(0)| tau = 0.1768 > 2 lambda = 0.156, and yet the index does not rise: v shares the curvature of the bias.
    spec = builtin("xor-pm").with_(hidden=(1,), activation="sigmoid", penalty="0.078")
    first = replace(spec.data, labels=tuple(int(x[0] > 0) for x in spec.data.inputs))
    spec = spec.with_(data=first)
    (point,) = check_embedding(spec, [np.zeros(spec.n_parameters)], escapes=False).points
    assert point.singular_values.max() > point.threshold
    assert (point.index_before, point.index_after) == (1, 1)
    assert point.index_holds is Verdict.UNDECIDED
    assert point.eigenvalue_error is None


@pytest.mark.parametrize(("hidden", "layer", "nodes"), [((2,), 1, 3), ((2, 2), 1, 1), ((2, 2), 2, 1)])
def test_t5_extension_is_proved_in_every_layer_by_both_readers(hidden, layer, nodes):
    proof = prove_extension(builtin("xor").with_(hidden=hidden), layer, nodes)
    assert proof.verdict is Verdict.CERTIFIED
    assert set(check_proof(save_proof(proof)).values()) == {Verdict.CERTIFIED}


@settings(max_examples=3)
@given(specs(deepest=1, widest=2), st.data())
def test_t5_extension_is_proved_for_random_architectures_with_sigma_of_zero_zero(spec, data):
    spec = spec.with_(activation=data.draw(st.sampled_from(VANISHING)))
    proof = prove_extension(spec)
    assert proof.verdict is Verdict.CERTIFIED
    assert set(check_proof(save_proof(proof)).values()) == {Verdict.CERTIFIED}


@settings(max_examples=25)
@given(specs(deepest=2, widest=3), st.data())
def test_t5_extension_blocks_hold_at_random_points_of_random_networks(spec, data):
    layer = data.draw(st.integers(1, len(spec.hidden)))
    extension = extend(spec, layer, data.draw(st.integers(1, 2)))
    theta = np.array(data.draw(st.lists(st.floats(-2, 2), min_size=spec.n_parameters, max_size=spec.n_parameters)))
    wide = np.array(extension.embed(list(theta), 0.0))
    e0, g0, h0 = (a[0] for a in evaluate(build_program(spec), theta[None]))
    e1, g1, h1 = (a[0] for a in evaluate(build_program(extension.wide), wide[None]))
    assume(np.isfinite(h1).all())
    residuals = layer_residuals(spec, [arb(t) for t in theta], layer)
    old, new = list(extension.old_places), list(extension.new_places)
    scale = 1 + np.abs(h1).max()
    assert abs(e1 - e0) <= 1e-12 * (1 + abs(e0))
    assert np.abs(g1[old] - g0).max() <= 1e-11 * scale
    assert np.abs(h1[np.ix_(old, old)] - h0).max() <= 1e-10 * scale
    c = np.array([[float(entry.mid()) for entry in row] for row in residuals.matrix])
    slope = float(residuals.slope.mid())
    for a in range(extension.nodes):
        for b in range(extension.nodes):
            block = h1[np.ix_(extension.outgoing[a], extension.incoming[b])]
            assert np.abs(block - (slope * c if a == b else 0 * c)).max() <= 1e-11 * scale
    if residuals.sigma == 0:
        assert np.abs(g1[new]).max() == 0
        assert np.abs(h1[np.ix_(old, new)]).max() == 0


def test_a_layer_that_is_not_there_is_refused():
    for layer, nodes in ((0, 1), (2, 1), (1, 0)):
        with pytest.raises(SpecError):
            extend(builtin("xor"), layer, nodes)


def test_the_report_is_plain_json():
    record = json.loads(encode(report("xor", 1, "1e-2")))
    assert record["verdict"] == "certified"
    assert record["hidden_wide"] == [2]
