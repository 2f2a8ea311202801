"""Pruning undoes what extensions and splits do, and keeps what a penalty forbids to merge."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symland.analysis.extension import extend
from symland.analysis.map import embedding_map
from symland.analysis.pruning import Reason, label_classes, prune
from symland.errors import SpecError
from symland.landscape.landscape import Landscape
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Verdict
from symland.spec import builtin
from tests.explore.landscapes import explored
from tests.strategies import specs


def irreducible_theta(spec, seed):
    """Weights bounded away from zero and from one another."""
    rng = np.random.default_rng(seed)
    values = np.linspace(0.3, 1.7, spec.n_parameters)
    return rng.permutation(values) * rng.choice((-1.0, 1.0), size=spec.n_parameters)


@settings(max_examples=25)
@given(specs(deepest=3, widest=3), st.integers(0, 10**6), st.data())
def test_pruning_undoes_a_zero_extension(spec, seed, data):
    extension = extend(spec, data.draw(st.integers(1, len(spec.hidden))), data.draw(st.integers(1, 3)))
    theta = irreducible_theta(spec, seed)
    # With one input and no bias two incoming weights may agree up to sign.
    assume(prune(spec, theta).irreducible)
    wide = np.array(extension.embed(list(theta), 0.0))
    pruned = prune(extension.wide, wide)
    assert pruned.width == spec.hidden
    assert np.array_equal(pruned.theta, theta)
    assert {node.reason for node in pruned.removed} == {Reason.DEAD}


def split_first_node(spec, theta, share, sign):
    """One node becomes two with weights (w, share v) and (sign w, sign (1 - share) v)."""
    wide = spec.with_(hidden=(spec.hidden[0] + 1,))
    extension = extend(spec)
    out = np.array(extension.embed(list(theta), 0.0))
    first = [wide.layout.weight(1).offset + j for j in range(spec.n_inputs)]
    if wide.bias:
        first.append(wide.layout.biases(1).offset)
    out[list(extension.incoming[0])] = sign * out[first]
    weight = wide.layout.weight(2)
    heads = [weight.offset + i * weight.shape[1] for i in range(weight.shape[0])]
    out[list(extension.outgoing[0])] = sign * (1 - share) * out[heads]
    out[heads] *= share
    return wide, out


@pytest.mark.parametrize(("sign", "reason"), [(1, Reason.DUPLICATE), (-1, Reason.OPPOSITE)])
@pytest.mark.parametrize("share", [0.25, 0.5, -1.0])
def test_pruning_undoes_a_split_without_penalty(sign, reason, share):
    spec = builtin("xor").with_(penalty="0")
    theta = irreducible_theta(spec, 4)
    wide, split = split_first_node(spec, theta, share, sign)
    pruned = prune(wide, split)
    assert [node.reason for node in pruned.removed] == [reason]
    assert np.abs(pruned.theta - theta).max() < 1e-15
    assert pruned.loss_change < 1e-12


def test_twins_are_kept_under_a_penalty():
    spec = builtin("xor").with_(penalty="1e-2")
    wide, split = split_first_node(spec, irreducible_theta(spec, 4), 0.5, 1)
    pruned = prune(wide, split)
    assert pruned.irreducible
    assert [node.reason for node in pruned.twins] == [Reason.DUPLICATE]


def test_a_constant_node_goes_into_the_bias_without_penalty():
    spec = builtin("xor").with_(penalty="0", activation="sigmoid")
    theta = irreducible_theta(spec, 1)
    extension = extend(spec)
    wide = np.array(extension.embed(list(theta), 0.0))
    wide[extension.incoming[0][-1]] = 0.7
    wide[list(extension.outgoing[0])] = (0.9, -0.4)
    pruned = prune(extension.wide, wide)
    assert [node.reason for node in pruned.removed] == [Reason.CONSTANT]
    before = evaluate(build_program(extension.wide, ["value"]), wide[None])[0][0]
    after = evaluate(build_program(spec, ["value"]), pruned.theta[None])[0][0]
    assert abs(before - after) < 1e-14


def test_the_origin_is_irreducible_at_width_zero():
    pruned = prune(builtin("xor"), np.zeros(12))
    assert pruned.width == (0,)
    assert pruned.spec is None


def test_a_bad_theta_is_refused():
    with pytest.raises(ValueError, match="parameters"):
        prune(builtin("xor"), np.zeros(3))
    with pytest.raises(ValueError, match="tolerance"):
        prune(builtin("xor"), np.zeros(12), tolerance=0.0)


@cache
def landscape(name, width, penalty):
    spec = builtin(name).with_(hidden=(width,), penalty=penalty)
    return Landscape(spec=spec, points=explored((width,), penalty, name).points)


@pytest.mark.parametrize(("name", "widths"), [("xor", (1, 2)), ("xor-pm", (1, 2, 3))])
def test_the_narrow_landscapes_lie_inside_the_wide_ones_and_their_morse_sums_balance(name, widths):
    found = embedding_map([landscape(name, width, "1e-2") for width in widths], escapes=False)
    assert found.complete
    assert {link.verdict for link in found.links} == {Verdict.CERTIFIED}
    for link in found.links:
        start, end = found.column(link.width)[link.start], found.column(link.width + 1)[link.end]
        assert end.index == start.index + link.rise
        assert abs(end.loss - start.loss) < 1e-9
        assert not end.irreducible
    for balance in found.morse:
        assert balance.own == balance.predicted == 1
    # T7-Morse: the irreducible points of width 2, counted with signs, are four times those of width 1 that gain.
    one, two = found.morse[:2]
    assert one.keeping + one.gaining == 0
    assert two.keeping + two.gaining == 4 * one.gaining


def test_every_class_is_labelled():
    one, two = landscape("xor", 1, "1e-2"), landscape("xor", 2, "1e-2")
    labels = label_classes(two, one)
    extended = [label for label in labels if label.narrow_class is not None]
    assert sorted(label.narrow_class for label in extended) == [k for k, p in enumerate(one.points) if np.any(p.theta)]
    assert not any(label.missing for label in labels)
    assert {label.label for label in labels} >= {"irreducible at width 2", "extension of width 0"}


def test_a_missing_class_is_noticed():
    one, two = landscape("xor", 1, "1e-2"), landscape("xor", 2, "1e-2")
    labels = label_classes(two, Landscape(spec=one.spec, points=one.points[1:]))
    assert sum(label.missing for label in labels) == 1


def test_widths_must_follow_one_another():
    with pytest.raises(SpecError):
        embedding_map([landscape("xor", 2, "1e-2"), landscape("xor", 1, "1e-2")])
