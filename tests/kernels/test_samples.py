"""The loss at every number of samples and points, whatever is left over in the last lanes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from symland.datasets import Dataset
from symland.kernels import compile_kernel
from symland.kernels.lanes import LANES
from symland.spec import LandscapeSpec, Loss, load_spec

NODES, INPUTS = 2, 2
MOST = 2 * LANES + 1


def question(loss: Loss, samples: int) -> LandscapeSpec:
    draw = np.random.default_rng(samples)
    inputs = tuple(tuple(Fraction(int(x), 8) for x in row) for row in draw.integers(-16, 17, size=(samples, INPUTS)))
    outputs = {Loss.SOFTMAX: 3, Loss.LOGISTIC: 1, Loss.SQUARED: 2}[loss]
    if loss is Loss.SQUARED:
        values = tuple(tuple(Fraction(int(x), 4) for x in row) for row in draw.integers(-8, 9, size=(samples, outputs)))
        data = Dataset(name="drawn", inputs=inputs, values=values)
    else:
        labels = tuple(int(c) for c in draw.integers(0, max(outputs, 2), size=samples))
        data = Dataset(name="drawn", inputs=inputs, labels=labels)
    return load_spec("xor", hidden=(NODES,), penalty="1/50").with_(loss=loss, outputs=outputs, data=data)


def plain_loss(spec: LandscapeSpec, theta: np.ndarray) -> np.ndarray:
    """E by its definition, sample by sample: W1, W2, b, c; the mean over the samples, and the penalty."""
    outputs, found = spec.outputs, []
    for point in theta:
        parts = np.split(point, np.cumsum([NODES * INPUTS, outputs * NODES, NODES]))
        first, second = parts[0].reshape(NODES, INPUTS), parts[1].reshape(outputs, NODES)
        total = 0.0
        for d, row in enumerate(spec.data.inputs):
            z = second @ np.tanh(first @ np.array([float(x) for x in row]) + parts[2]) + parts[3]
            if spec.loss is Loss.SQUARED:
                total += sum((a - float(y)) ** 2 for a, y in zip(z, spec.data.values[d], strict=True))
            elif spec.loss is Loss.LOGISTIC:
                total += np.log1p(np.exp(-z[0] if spec.data.labels[d] else z[0]))
            else:
                total += np.log(np.exp(z).sum()) - z[spec.data.labels[d]]
        found.append(total / len(spec.data.inputs) + float(spec.penalty) * (point**2).sum())
    return np.array(found)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("samples", range(1, MOST + 1))
def test_the_loss_is_right_at_every_number_of_samples_and_points(loss: Loss, samples: int) -> None:
    spec = question(loss, samples)
    theta = np.random.default_rng(samples).normal(size=(MOST, spec.n_parameters))
    wanted = plain_loss(spec, theta)
    made = compile_kernel(spec, cache=False, verify=False)
    for n in range(1, MOST + 1):
        assert made.value(theta[:n]) == pytest.approx(wanted[:n], rel=1e-13)
    assert made.value_gradient(theta)[0] == pytest.approx(wanted, rel=1e-13)
