"""Signs of the eigenvalues of a symmetric matrix of balls, by LDL^T with diagonal pivoting (Sylvester)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

__all__ = ["Inertia", "inertia"]


@dataclass(frozen=True, kw_only=True)
class Inertia:
    """How many eigenvalues are proved negative and positive; `open` ones were left undecided."""

    negative: int
    positive: int
    open: int

    @property
    def decided(self) -> bool:
        return self.open == 0


def inertia(matrix: Sequence[Sequence[arb]]) -> Inertia:
    """Inertia of every symmetric matrix within the balls.

    Each elimination A -> D + (Schur complement) is a congruence. A diagonal pivot whose sign is decided counts for one
    eigenvalue; where none is, a pair of rows whose 2 x 2 determinant is proved negative counts for one of each sign.
    """
    a = [list(row) for row in matrix]
    negative = positive = 0
    while a:
        n = len(a)
        # The pivot of largest lower bound keeps the balls of the Schur complement small.
        k = max(range(n), key=lambda i: float(abs(a[i][i]).lower()))
        if float(abs(a[k][k]).lower()) > 0:
            positive += a[k][k] > 0
            negative += a[k][k] < 0
            rest = [i for i in range(n) if i != k]
            a = [[a[i][j] - a[i][k] * a[k][j] / a[k][k] for j in rest] for i in rest]
            continue
        pairs = [(i, j) for i in range(n) for j in range(i)]
        pair = max(pairs, key=lambda p: float(abs(a[p[0]][p[1]]).lower()), default=None)
        if pair is None:
            break
        p, q = pair
        det = a[p][p] * a[q][q] - a[p][q] * a[q][p]
        if not det < 0:
            break
        positive, negative = positive + 1, negative + 1
        rest = [i for i in range(n) if i not in pair]
        a = [
            [
                a[i][j]
                - (
                    a[i][p] * (a[q][q] * a[p][j] - a[p][q] * a[q][j])
                    + a[i][q] * (a[p][p] * a[q][j] - a[q][p] * a[p][j])
                )
                / det
                for j in rest
            ]
            for i in rest
        ]
    return Inertia(negative=negative, positive=positive, open=len(a))
