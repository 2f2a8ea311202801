"""What topology says of a list of counts."""

from __future__ import annotations

import pytest

from symland.landscape.account import Counts


def counted(*copies: int, degenerate: int = 0, families: int = 0) -> Counts:
    return Counts(
        classes=tuple(1 for _ in copies), copies=copies, degenerate=degenerate, coercive=True, families=families
    )


@pytest.mark.parametrize(
    ("copies", "holes"),
    [
        ((9, 8), ()),
        ((9, 6), ("at least 2 missing copies of odd index (the Morse sum is 3 and must be 1)",)),
        (
            (7, 8),
            ("at least 2 missing copies of even index (the Morse sum is -1 and must be 1)",),
        ),
        # Two minima without the pass between them, a sum of 1 by chance: the inequality for index 1 is short of 1.
        ((4, 2, 0, 1), ("at least 1 missing copy of index 1 (a Morse inequality fails)",)),
    ],
)
def test_a_list_with_holes_says_how_many_copies_of_which_index_are_missing_at_least(copies, holes):
    assert counted(*copies).holes == holes


def test_where_the_sum_is_no_test_no_hole_is_claimed():
    assert counted(9, 6, degenerate=1).holes == ()
    assert counted(0, 0, families=1).holes == (
        "at least 1 missing copy of even index (the Morse sum is 0 and must be 1)",
    )
