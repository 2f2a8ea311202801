"""Random architectures, data, losses and penalties for the property tests."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from symland.datasets import Dataset
from symland.spec import LandscapeSpec, Loss, Penalised

ACTIVATIONS = (
    "tanh",
    "sigmoid",
    "softplus",
    "sin",
    "erf",
    "z*tanh(z)",
    "z/(1+exp(-z))",
    "z/sqrt(1+z**2)",
    "z + z**3/10",
)

rationals = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 7))
penalties = st.builds(Fraction, st.integers(0, 20), st.sampled_from((1, 10, 100, 1000)))


@st.composite
def datasets(draw: st.DrawFn, loss: Loss, outputs: int) -> Dataset:
    n_inputs, n_samples = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    row = st.lists(rationals, min_size=n_inputs, max_size=n_inputs).map(tuple)
    inputs = tuple(draw(st.lists(row, min_size=n_samples, max_size=n_samples)))
    if loss is Loss.SQUARED:
        target = st.lists(rationals, min_size=outputs, max_size=outputs).map(tuple)
        return Dataset(
            name="random", inputs=inputs, values=tuple(draw(st.lists(target, min_size=n_samples, max_size=n_samples)))
        )
    top = 1 if loss is Loss.LOGISTIC else outputs - 1
    labels = draw(st.lists(st.integers(0, top), min_size=n_samples, max_size=n_samples))
    return Dataset(name="random", inputs=inputs, labels=tuple(labels))


@st.composite
def specs(draw: st.DrawFn, deepest: int = 3, widest: int = 3) -> LandscapeSpec:
    loss = draw(st.sampled_from(Loss))
    outputs = {Loss.SOFTMAX: draw(st.integers(2, 4)), Loss.LOGISTIC: 1, Loss.SQUARED: draw(st.integers(1, 2))}[loss]
    return LandscapeSpec(
        name="random",
        hidden=tuple(draw(st.lists(st.integers(1, widest), min_size=1, max_size=deepest))),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        bias=draw(st.booleans()),
        loss=loss,
        penalty=draw(penalties),
        penalised=draw(st.sampled_from(Penalised)),
        data=draw(datasets(loss, outputs)),
        outputs=outputs,
    )
