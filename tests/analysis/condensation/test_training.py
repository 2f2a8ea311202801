"""Training from small weights: nodes arrive on the predicted lines, or it is said that they do not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from symland.analysis.condensation.answer import condense, energy_of, sentence, with_training
from symland.analysis.condensation.measure import aligned, cluster_lines, lines_needed, order_by_cluster, similarity
from symland.analysis.condensation.pictures import pictures
from symland.analysis.condensation.training import Method, Training, start, train
from symland.cli import main
from symland.datasets import make_data
from symland.spec import LandscapeSpec, Loss, load_spec


def one_dimension(activation, nodes=30):
    x = [-1 + 2.5 * i / 39 for i in range(40)]
    data = make_data(
        "sines", [[f"{v:.6f}"] for v in x], [f"{math.sin(3 * v) + math.sin(6 * v) / 2:.6f}" for v in x], classify=False
    )
    return LandscapeSpec(name="sines", hidden=(nodes,), data=data, activation=activation, loss=Loss.SQUARED)


@pytest.mark.parametrize(("activation", "lines"), [("tanh", 1), ("z*tanh(z)", 2), ("z**2*tanh(z)", 3)])
def test_nodes_of_the_sines_condense_on_as_many_lines_as_the_multiplicity(activation, lines):
    spec = one_dimension(activation)
    answer = condense(spec)
    assert (answer.lines, answer.complete.value) == (lines, "certified")
    answer, run = with_training(answer, spec, seeds=3, training=Training())
    for trained, theta in zip(answer.trained, run.theta, strict=True):
        assert (trained.lines, trained.aligned_share, trained.condensed) == (lines, 1.0, True)
        w = np.stack([theta[:30], theta[60:90]], axis=1)
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        predicted = np.array([o.w for o in answer.critical if o.attractor])
        assert (np.abs(w @ predicted.T).max(axis=1) > 0.99).all()
        assert trained.loss_ratio < 1


def test_every_node_of_xor_with_z_tanh_z_is_on_a_diagonal_in_ten_seeds(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["condense", "xor", "--activation", "z*tanh(z)", "--hidden", "12", "--train", "--json"])
    assert ended.value.code == 0
    trained = json.loads(capsys.readouterr().out)["trained"]
    assert [run["seed"] for run in trained] == list(range(10))
    assert sum(run["aligned_share"] == 1 and run["condensed"] for run in trained) >= 9


def test_plain_gradient_descent_is_said_not_to_condense():
    spec = load_spec("xor", activation="z*tanh(z)", hidden=(20,))
    training = Training(method=Method.DESCENT, std=0.05, rate=0.5, steps=4000)
    answer, run = with_training(condense(spec), spec, seeds=2, training=training)
    assert not any(trained.condensed for trained in answer.trained)
    assert "Not condensed" in sentence(answer)
    # One node has run away: it is longer than most of the others together.
    w = run.theta[0, :40].reshape(20, 2)
    lengths = np.sort(np.linalg.norm(w, axis=1))
    assert lengths[-1] > 3 * np.median(lengths)


def test_the_gradient_flow_keeps_the_square_of_w_less_p_times_that_of_a():
    spec = load_spec("xor", activation="z**2", hidden=(3,))
    run = train(
        spec, np.zeros((0, 3)), 2, seeds=2,
        training=Training(method=Method.FLOW, std=1e-2, steps=400, alignment=None),
    )  # fmt: skip

    def kept(theta):
        w = np.concatenate([theta[:, :6].reshape(-1, 3, 2), theta[:, 12:15, None]], axis=2)
        return (w**2).sum(axis=2) - 2 * (theta[:, 6:12].reshape(-1, 2, 3) ** 2).sum(axis=1)

    assert run.ratio.max() < 0.995
    assert np.abs(kept(run.theta) - kept(start(spec, 2, 1e-2))).max() < 1e-4


def test_seeds_do_not_depend_on_one_another():
    spec = load_spec("xor", activation="z*tanh(z)", hidden=(4,))
    lines = np.array([[1, 1, 0], [1, -1, 0]]) / 2**0.5
    three = train(spec, lines, 2, seeds=3, training=Training()).theta
    one = train(spec, lines, 2, seeds=1, training=Training()).theta
    assert np.allclose(three[:1], one, rtol=1e-9)


def test_adam_turns_the_nodes_of_every_layer_of_a_deep_network():
    spec = load_spec("xor", activation="z*tanh(z)", hidden=(8, 8))
    training = Training(method=Method.ADAM, std=0.05, rate=1e-3, steps=300)
    answer, _ = with_training(condense(spec), spec, seeds=2, training=training)
    assert all(len(run.lines_by_layer) == 2 for run in answer.trained)


def test_clusters_and_effective_width_of_a_made_up_layer():
    draw = np.random.default_rng(0)
    lines = np.eye(3)[[0] * 12 + [1] * 6 + [2] * 2]
    signs = draw.choice([-1, 1], 20)[:, None]
    w = signs * lines * draw.uniform(0.5, 2, (20, 1)) + 0.01 * draw.normal(size=(20, 3))
    clusters = cluster_lines(w)
    assert len(set(clusters)) == 3
    assert lines_needed(clusters) == 2
    assert aligned(w, np.eye(3)[:2]).sum() == 18
    cosines = similarity(w)
    assert np.allclose(cosines, [[u @ v / np.linalg.norm(u) / np.linalg.norm(v) for v in w] for u in w])
    ordered = clusters[order_by_cluster(w)]
    assert (np.diff(ordered) != 0).sum() == 2


@pytest.mark.parametrize(
    ("word", "value"),
    [("--seeds", "0"), ("--std", "0"), ("--rate", "-1"), ("--steps", "0"), ("--loss-ratio", "2")],
)
def test_training_that_cannot_be_done_is_one_line_with_advice(word, value, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["condense", "xor", "--train", word, value])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert word in printed
    assert printed.count("\n") == 1


def test_pictures_are_written_for_two_and_three_input_weights(tmp_path, capsys):
    common = {"similarity", "orientations", "lines", "width"}
    spec = one_dimension("z*tanh(z)", nodes=6)
    answer, run = with_training(condense(spec), spec, seeds=1, training=Training())
    assert set(pictures(spec, energy_of(spec)[1], answer, run)) == common | {"directions"}
    with pytest.raises(SystemExit) as ended:
        main(["condense", "xor", "--activation", "z*tanh(z)", "--train", "--seeds", "1", "-o", str(tmp_path / "new")])
    assert ended.value.code == 0
    assert {path.stem for path in (tmp_path / "new").iterdir()} == common | {"sphere"}
    capsys.readouterr()
