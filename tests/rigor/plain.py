"""The XOR loss from its definition, in mpmath: no derivatives, no program, no shared code."""

from __future__ import annotations

from collections.abc import Sequence

from mpmath import mp, mpf

SAMPLES = (((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0))


def loss(theta: Sequence[mpf], hidden: int, penalty: mpf) -> mpf:
    """E of the network with inputs {0, 1}^2: mean of -ln softmax(z)_c plus penalty times the sum of squares."""
    w1 = [theta[2 * j : 2 * j + 2] for j in range(hidden)]
    w2 = [theta[2 * hidden + i * hidden : 2 * hidden + (i + 1) * hidden] for i in range(2)]
    b, c = theta[4 * hidden : 5 * hidden], theta[5 * hidden :]
    total = mpf(0)
    for x, label in SAMPLES:
        h = [mp.tanh(b[j] + w1[j][0] * x[0] + w1[j][1] * x[1]) for j in range(hidden)]
        z = [c[i] + mp.fsum(w * a for w, a in zip(w2[i], h, strict=True)) for i in range(2)]
        total += mp.log(mp.exp(z[0]) + mp.exp(z[1])) - z[label]
    return total / 4 + penalty * mp.fsum(t * t for t in theta)


def gradient(theta: Sequence[mpf], hidden: int, penalty: mpf) -> list[mpf]:
    """By central differences with a third of the working digits as step: two thirds of them are right."""
    step = mpf(10) ** (-mp.dps // 3)
    out = []
    for k in range(len(theta)):
        ends = [[t + s * step * (n == k) for n, t in enumerate(theta)] for s in (1, -1)]
        out.append((loss(ends[0], hidden, penalty) - loss(ends[1], hidden, penalty)) / (2 * step))
    return out


def hessian(theta: Sequence[mpf], hidden: int, penalty: mpf) -> mp.matrix:
    """By central differences of `loss`, with a fourth of the working digits as step."""
    step, size = mpf(10) ** (-mp.dps // 4), len(theta)
    out = mp.matrix(size, size)

    def at(i: int, a: int, j: int, b: int) -> mpf:
        moved = list(theta)
        moved[i] += a * step
        moved[j] += b * step
        return loss(moved, hidden, penalty)

    for i in range(size):
        for j in range(i, size):
            second = at(i, 1, j, 1) - at(i, 1, j, -1) - at(i, -1, j, 1) + at(i, -1, j, -1)
            out[i, j] = out[j, i] = second / (4 * step * step)
    return out
