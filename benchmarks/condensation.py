"""Condensation as far as two cores go: the settings of arXiv:2105.11686, predicted and trained.

Run `python -m benchmarks.condensation [--seeds 6] [-o FOLDER]`: one row of a Markdown table for each setting and
method, and pictures. The paper's MNIST is replaced by scikit-learn's digits, 0 against 1; its six layers have residual
connections, which a specification cannot say: here they have none.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from symland.analysis.condensation.answer import condense, energy_of, with_training
from symland.analysis.condensation.pictures import pictures
from symland.analysis.condensation.training import Method, Training
from symland.datasets import make_data
from symland.figures.style import save_figure
from symland.spec import LandscapeSpec, Loss, load_spec

POINTS = 40
"""Samples of the setting in one dimension."""

DIGITS = 80
"""Images of the digits 0 and 1."""

NORMALISED = Training()
ADAM = Training(method=Method.ADAM, std=0.005, steps=300, loss_ratio=1e-6, alignment=None)
DESCENT = Training(method=Method.DESCENT, std=0.05, rate=0.05, steps=3000)


def sines(activation: str, hidden: tuple[int, ...] = (100,)) -> LandscapeSpec:
    """Target sin 3x + sin 6x / 2 on [-1, 1.5]."""
    x = [-1 + 2.5 * i / (POINTS - 1) for i in range(POINTS)]
    targets = [f"{math.sin(3 * v) + math.sin(6 * v) / 2:.6f}" for v in x]
    data = make_data("sines", [[f"{v:.6f}"] for v in x], targets, classify=False)
    return LandscapeSpec(name="sines", hidden=hidden, data=data, activation=activation, loss=Loss.SQUARED)


def digits(activation: str) -> LandscapeSpec | None:
    """Digits 0 and 1 of scikit-learn with 64 inputs between 0 and 1, or None where scikit-learn is not there."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return None
    images, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(labels < 2)[:DIGITS]
    inputs = [[f"{int(v)}/16" for v in images[i]] for i in chosen]
    data = make_data("digits", inputs, [int(labels[i]) for i in chosen], classify=True)
    return LandscapeSpec(name="digits", hidden=(30,), data=data, activation=activation, loss=Loss.LOGISTIC)


def settings() -> Iterator[tuple[str, LandscapeSpec, Training]]:
    """Every setting with its name."""
    for activation in ("tanh", "z*tanh(z)", "z**2*tanh(z)"):
        for training in (NORMALISED, ADAM, DESCENT):
            yield "1-d", sines(activation), training
    for activation in ("z*tanh(z)", "tanh"):
        for training in (NORMALISED, ADAM):
            yield "XOR", load_spec("xor", activation=activation, hidden=(20,)), training
    for activation in ("tanh", "z*tanh(z)"):
        training = Training(method=Method.ADAM, std=0.1, rate=1e-3, steps=2000, loss_ratio=0.9)
        yield "1-d, five hidden layers", sines(activation, (18,) * 5), training
    for activation in ("tanh", "sigmoid"):
        spec = digits(activation)
        if spec is not None:
            yield "digits 0, 1", spec, NORMALISED


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    heads = "setting", "activation", "method", "predicted", "lines by layer", "aligned", "condensed", "CPU s"
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, spec, training in settings():
        begin = time.process_time()
        answer, run = with_training(condense(spec), spec, seeds=options.seeds, training=training)
        layers = zip(*(r.lines_by_layer for r in answer.trained), strict=True)
        seen = "; ".join(" ".join(map(str, sorted(layer))) for layer in layers)
        aligned = np.mean([r.aligned_share for r in answer.trained])
        condensed = sum(r.condensed for r in answer.trained)
        spent = time.process_time() - begin
        print(
            f"| {name} | `{spec.activation}` | {training.method.value} | {answer.lines} | {seen} | {aligned:.0%} | "
            f"{condensed} of {options.seeds} | {spent:.1f} |",
            flush=True,
        )
        if options.output is not None:
            folder = options.output / f"{name}-{spec.activation}-{training.method.value}".replace("*", "x")
            folder.mkdir(parents=True, exist_ok=True)
            for picture_name, picture in pictures(spec, energy_of(spec)[1], answer, run).items():
                save_figure(picture.figure, folder, picture_name)


if __name__ == "__main__":
    main()
