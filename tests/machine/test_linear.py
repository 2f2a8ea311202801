"""Systems that are solved eight at a time have small residuals, whatever their number, order and pivots."""

from __future__ import annotations

import numpy as np
import pytest

from symland.errors import KernelError
from symland.machine.linear import LARGEST_ORDER, solutions


@pytest.mark.parametrize("order", [1, 2, 7, 18, LARGEST_ORDER, LARGEST_ORDER + 1])
@pytest.mark.parametrize(("count", "columns"), [(0, 1), (2, 1), (8, 2), (21, 3)])
def test_what_is_multiplied_is_found_again(order: int, count: int, columns: int) -> None:
    """Orthogonal factors and condition 1e6; every other matrix has zeros for its first pivots."""
    rng = np.random.default_rng(order)
    turns = np.linalg.qr(rng.normal(size=(2, count, order, order)))[0]
    matrices = turns[0] * np.geomspace(1.0, 1e-6, order) @ turns[1]
    matrices[::2, : order // 2, : order // 2] = 0.0
    chosen = np.linalg.cond(matrices) < 1e8 if count else np.empty(0, dtype=bool)
    matrices[~chosen] = np.eye(order)
    exact = rng.normal(size=(count, order, columns))
    given = np.concatenate((matrices, matrices @ exact), axis=2)
    kept = given.copy()
    found = solutions(given)
    assert (given == kept).all()
    assert found.shape == exact.shape
    assert np.abs(matrices @ (found - exact)).max(initial=0.0) < 1e-13
    assert np.abs(found - exact).max(initial=0.0) < 1e-6


def test_a_singular_matrix_and_one_with_a_nan_leave_their_neighbours_alone() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9, 4, 5))
    exact = np.linalg.solve(rows[:, :, :4], rows[:, :, 4:])
    rows[2, :, 1], rows[5, 1, 2] = 0.0, np.nan
    found = solutions(rows)
    others = [k for k in range(9) if k not in (2, 5)]
    assert not np.isfinite(found[[2, 5]]).all(axis=(1, 2)).any()
    np.testing.assert_allclose(found[others], exact[others], rtol=1e-10)


def test_rows_that_hold_no_right_hand_side_are_refused() -> None:
    with pytest.raises(KernelError, match="give"):
        solutions(np.zeros((9, 4, 4)))
