"""Condensation as far as two cores go: the settings of arXiv:2105.11686, predicted and trained.

Run `python -m benchmarks.condensation [--seeds 6] [-o FOLDER]`: one row of a Markdown table for each setting and
method, and pictures. The paper's MNIST is replaced by scikit-learn's digits. Networks with several hidden layers are
trained with residual connections, as the paper's are, and without; each of their layers is held against the prediction
from its own earlier layers at the end.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from symland.analysis.condensation.answer import Given, condense, energy_of, with_training
from symland.analysis.condensation.pictures import pictures
from symland.analysis.condensation.training import Method, Training, start
from symland.datasets import make_data
from symland.figures.style import save_figure
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, load_spec

POINTS = 40
"""Samples of the setting in one dimension."""

DIGITS = 80
"""Images of the digits 0 and 1."""

NORMALISED = Training()
ADAM = Training(method=Method.ADAM, std=0.005, steps=300, loss_ratio=1e-6, alignment=None)
EARLY = Training(loss_ratio=0.9999)
"""Later layers are looked at before weights stop being small."""

PAPER = Training(method=Method.ADAM, std=0.01, rate=1e-3, steps=400, loss_ratio=0.8)
FOLLOWING = Training(method=Method.FOLLOWING)
DESCENT = Training(method=Method.DESCENT, std=0.05, rate=0.05, steps=3000)


def sines(activation: str, hidden: tuple[int, ...] = (100,)) -> LandscapeSpec:
    """Target sin 3x + sin 6x / 2 on [-1, 1.5]."""
    x = [-1 + 2.5 * i / (POINTS - 1) for i in range(POINTS)]
    targets = [f"{math.sin(3 * v) + math.sin(6 * v) / 2:.6f}" for v in x]
    data = make_data("sines", [[f"{v:.6f}"] for v in x], targets, classify=False)
    return LandscapeSpec(name="sines", hidden=hidden, data=data, activation=activation, loss=Loss.SQUARED)


def digits(activation: str, classes: int = 2, hidden: tuple[int, ...] = (30,)) -> LandscapeSpec | None:
    """The first digits of scikit-learn with 64 inputs between 0 and 1, or None where scikit-learn is not there."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return None
    images, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(labels < classes)[:DIGITS]
    inputs = [[f"{int(v)}/16" for v in images[i]] for i in chosen]
    data = make_data("digits", inputs, [int(labels[i]) for i in chosen], classify=True)
    loss = Loss.LOGISTIC if classes == 2 else Loss.SOFTMAX
    return LandscapeSpec(name="digits", hidden=hidden, data=data, activation=activation, loss=loss)


def settings() -> Iterator[tuple[str, LandscapeSpec, Training, int]]:
    """Every setting with its name, and the layer that is asked for."""
    for activation in ("tanh", "z*tanh(z)", "z**2*tanh(z)"):
        for training in (NORMALISED, ADAM, DESCENT):
            yield "1-d", sines(activation), training, 1
    for activation in ("z*tanh(z)", "tanh"):
        for training in (NORMALISED, ADAM):
            yield "XOR", load_spec("xor", activation=activation, hidden=(20,)), training, 1
    yield "XOR", load_spec("xor", activation="tanh", hidden=(20,)), FOLLOWING, 1
    for activation in ("tanh", "z*tanh(z)"):
        for residual in (False, True):
            for layer in (1, 2):
                spec = load_spec("xor", activation=activation, hidden=(12, 12))
                yield "XOR, two hidden layers", spec, replace(EARLY, residual=residual), layer
    for residual in (False, True):
        for layer in range(1, 6):
            yield "1-d, five hidden layers", sines("tanh", (18,) * 5), replace(EARLY, residual=residual), layer
    for activation in ("tanh", "z*tanh(z)"):
        for layer in (1, 5):
            yield "1-d, five hidden layers", sines(activation, (18,) * 5), replace(PAPER, residual=True), layer
    for activation in ("tanh", "sigmoid"):
        if (spec := digits(activation)) is not None:
            yield "digits 0, 1", spec, NORMALISED, 1
    for training in (EARLY, PAPER):
        if (spec := digits("tanh", 10, (30,) * 5)) is not None:
            yield "ten digits, five hidden layers", spec, replace(training, residual=True), 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    heads = "setting", "activation", "method", "layer", "predicted", "lines by layer", "aligned", "condensed", "CPU s"
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, spec, training, layer in settings():
        begin = time.process_time()
        given = None if layer == 1 else Given(theta=start(spec, 1, training.std)[0], name="the start of seed 0")
        answer = condense(spec, layer=layer, given=given, residual=training.residual)
        answer, run = with_training(answer, spec, seeds=options.seeds, training=training)
        layers = zip(*(r.lines_by_layer for r in answer.trained), strict=True)
        seen = "; ".join(" ".join(map(str, sorted(layer))) for layer in layers)
        aligned = np.mean([r.aligned_share for r in answer.trained])
        condensed = sum(r.condensed for r in answer.trained)
        spent = time.process_time() - begin
        how = training.method.value + (", residual" if training.residual else "")
        predicted = f"{answer.lines}{'' if answer.complete is Verdict.CERTIFIED else ' or more'}"
        print(
            f"| {name} | `{spec.activation}` | {how} | {layer} | {predicted} | {seen} | {aligned:.0%} | "
            f"{condensed} of {options.seeds} | {spent:.1f} |",
            flush=True,
        )
        if options.output is not None:
            folder = options.output / f"{name}-{spec.activation}-{how}-{layer}".replace("*", "x")
            folder.mkdir(parents=True, exist_ok=True)
            seen = None if layer == 1 else Given(theta=run.theta[0], name=answer.given)
            energy = energy_of(spec, layer=layer, given=seen, residual=training.residual)[1]
            for picture_name, picture in pictures(spec, energy, answer, run).items():
                save_figure(picture.figure, folder, picture_name)


if __name__ == "__main__":
    main()
