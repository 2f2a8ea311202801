"""Descents end where they say: at minima, also from starts in a symmetric subspace that holds none."""

from __future__ import annotations

import numpy as np

from symland.explore.descent import descend


class TwoWells:
    """x^4 / 4 - x^2 / 2 + y^2 / 2 + z^2 y^2 / 2: minima at x = -1 and 1, y = 0, with z left free."""

    def value_gradient_hessian(self, theta):
        x, y, z = theta.T
        zero = np.zeros_like(x)
        value = x**4 / 4 - x**2 / 2 + y**2 / 2 + z**2 * y**2 / 2
        gradient = np.stack((x**3 - x, y + z**2 * y, z * y**2), axis=1)
        rows = ((3 * x**2 - 1, zero, zero), (zero, 1 + z**2, 2 * z * y), (zero, 2 * z * y, y**2))
        return value, gradient, np.moveaxis(np.array(rows), 2, 0)


def test_descents_leave_the_saddle_of_a_symmetric_subspace_and_end_at_minima():
    starts = np.array([[0.0, 2.0, 0.5], [0.0, 0.0, 0.0], [1e-12, -1.0, 0.2], [-3.0, 1.0, 0.0]])
    ends = descend(TwoWells(), starts, first=0.02, longest=0.1)
    assert np.allclose(np.abs(ends[:, 0]), 1.0, atol=1e-12)
    assert np.allclose(ends[:, 1], 0.0, atol=1e-9)
    assert ends[3, 0] < 0
