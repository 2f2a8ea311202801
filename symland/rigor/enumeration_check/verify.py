"""Verify the certificate of a complete enumeration from the question inside it alone."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import ctx

from symland.records import Verdict
from symland.rigor.enumeration_check.balls import Doubles
from symland.rigor.enumeration_check.fields import Fields
from symland.rigor.enumeration_check.follow import follow
from symland.rigor.enumeration_check.points import (
    Proved,
    copies,
    find_unlisted,
    listed,
    prove_points,
    residuals_of,
)
from symland.rigor.enumeration_check.question import PRECISION, Question, read_question
from symland.rigor.enumeration_check.tree import SEVERAL, Tree, read_box, read_double, read_tree
from symland.rigor.strict import Refusal, digest, need, need_keys, read_sealed

__all__ = ["FORMAT", "CheckedEnumeration", "check_enumeration"]

FORMAT = "symland-enumeration/1"
LONGEST_FILE = 200_000_000
"""Characters of a certificate."""
WHOLE_LEAVES = 12_000
"""Leaves of a tree up to which the whole of it is proved again, with more than one node, ..."""
SHARE_LEAVES = 50
"""... and how many are otherwise."""
WHOLE_LIMIT = 200_000_000
"""Boxes for the whole before it is undecided."""
LEAF_LIMIT = 5_000_000
"""The same for one leaf."""
LOOKS, WHOLE_LOOKS = 500, 50
"""Starts of searches for a point that is not in the list, for each of its nodes; and if the whole is proved again."""


@dataclass(frozen=True, kw_only=True)
class CheckedEnumeration:
    """What was proved of a certificate.

    Attributes
    ----------
    verdict : CERTIFIED when the list is proved complete here, from the question alone.  REFUTED when the file is
        malformed, a claim of it is false, or a proved point is not in the list.  UNDECIDED else: a share of the leaves
        was looked at, or something was left open.
    reason : one line.
    leaves, checked, proved : leaves of the tree, those looked at, and those proved again.
    open : numbers of leaves that were looked at and not proved.
    seed : what picked the leaves, with the file's digest; empty if all were looked at.
    unlisted : z of a proved point that is not in the list.
    """

    verdict: Verdict
    reason: str
    leaves: int = 0
    checked: int = 0
    proved: int = 0
    open: tuple[int, ...] = ()
    seed: str = ""
    unlisted: tuple[float, ...] | None = None

    def passes(self, false_leaves: int) -> float:
        """Chance that as many leaves as were checked, picked at random, hold none of so many false ones."""
        n, k, s = self.leaves, false_leaves, self.checked
        return 0.0 if k > n - s else float(Fraction(math.comb(n - k, s), math.comb(n, s)))


_KEYS = "box by format points spec spec_digest tree"


def check_enumeration(
    source: str | bytes,
    spec: Mapping[str, Any] | None = None,
    *,
    seed: str | None = None,
    share: float | None = None,
) -> CheckedEnumeration:
    """Prove a complete enumeration again.

    Parameters
    ----------
    source : text of the certificate.
    spec : canonical values of the question that it must be about.
    seed : picks leaves, with the digest of the file; from the system where it is None.
    share : share of the leaves to prove again; 1 for all, None for all of a small tree and SHARE_LEAVES of another.
    """
    before = ctx.prec
    try:
        ctx.prec = PRECISION
        need(len(source) <= LONGEST_FILE, f"the file is longer than {LONGEST_FILE} characters")
        values = read_sealed(source)
        need_keys(values, _KEYS, "an enumeration")
        need(values["format"] == FORMAT, "unknown format")
        need(values["spec_digest"] == digest(values["spec"]), "the digest does not fit the specification")
        need(spec is None or values["spec"] == spec, "it is about another specification")
        need(isinstance(values["by"], str) and 0 < len(values["by"]) <= 100, "it does not say by what it was made")
        return _verify(values, seed, share)
    except Refusal as refusal:
        return CheckedEnumeration(verdict=refusal.verdict, reason=refusal.reason)
    finally:
        ctx.prec = before


def _verify(values: dict[str, Any], seed: str | None, share: float | None) -> CheckedEnumeration:
    question = read_question(values["spec"])
    rows, size = values["points"], question.nodes * (question.width + 1) + 1
    need(isinstance(rows, list) and len(rows) <= 10_000, "the points are no list, or too many")
    need(all(isinstance(row, list) and len(row) == size for row in rows), "a point has another number of coordinates")
    box = read_box(values["box"], question.samples + 1)
    tree = read_tree(box, values["tree"], len(rows))
    need(
        all(bool(low <= a) and bool(b <= high) for (low, high), (a, b) in zip(box, question.needed_box(), strict=True)),
        "the first box does not hold all residuals that stationary points may have",
    )
    proved = prove_points(question, [tuple(read_double(x) for x in row) for row in rows])
    _need_met(question, proved, tree)
    return _searched(question, proved, tree, _sample(tree, question, digest(values), seed, share))


def _need_met(question: Question, proved: Sequence[Proved], tree: Tree) -> None:
    """A leaf in which a point of the list lies says that it met it."""
    for one in proved:
        for image in copies(question, one.point):
            where = residuals_of(question, image, one.radius)
            size = [s * p for s, p in zip(question.signs, where, strict=False)]
            if any(bool(size[i] < size[k]) for i, k in question.orders):
                continue
            found = [(n, tree.leaves[n]) for n in tree.leaves_that_may_hold(where)]
            need(
                any(leaf.met in (one.number, SEVERAL) or leaf.reason == "theorem" for _, leaf in found),
                f"point {one.number} lies in leaf {found[0][0]}, which closed without having met it",
            )


@dataclass(frozen=True)
class _Sample:
    """Numbers of the leaves to look at, all of them where ``seed`` is empty."""

    leaves: tuple[int, ...]
    seed: str


def _sample(tree: Tree, question: Question, seal: str, seed: str | None, share: float | None) -> _Sample:
    """Those with the smallest digests of seed, file and number: nobody who makes the file can know which."""
    count = len(tree.leaves)
    whole = question.nodes == 1 or count <= WHOLE_LEAVES if share is None else share >= 1.0
    if whole:
        return _Sample(tuple(range(count)), "")
    wanted = SHARE_LEAVES if share is None else max(1, round(share * count))
    seed = secrets.token_hex(8) if seed is None else seed
    order = sorted(range(count), key=lambda n: hashlib.sha256(f"{seed} {seal} {n}".encode()).digest())
    return _Sample(tuple(sorted(order[:wanted])), seed)


def _doubles(box: Sequence[tuple[float, float]]) -> Doubles:
    return np.array(box).T


def _starts(question: Question, nodes: int, count: int) -> Doubles:
    """Random z from which a point that is not listed is looked for."""
    rng, reach = np.random.default_rng(0), float(question.energy().sqrt())
    z = rng.normal(size=(count, nodes * (question.width + 1) + 1)) * rng.choice([0.3, 1.0, 3.0], size=(count, 1))
    z[:, question.width :: question.width + 1] = rng.uniform(0.0, reach, size=(count, nodes))
    z[:, -1] = rng.uniform(-1.0, 1.0, size=count) * reach / 2
    return z


def _searched(question: Question, proved: Sequence[Proved], tree: Tree, sample: _Sample) -> CheckedEnumeration:
    count = len(tree.leaves)
    cells = [_doubles(tree.leaves[n].cell) for n in sample.leaves]
    whole = not sample.seed
    if whole:
        # All leaves at once: their union is searched with cuts of the checker's own.
        cells = [np.stack([np.min([c[0] for c in cells], axis=0), np.max([c[1] for c in cells], axis=0)])]
    failed = np.zeros(len(cells), dtype=bool)
    found, looks = None, WHOLE_LOOKS if whole else LOOKS
    for nodes in range(1, question.nodes + 1):
        found = found or find_unlisted(question, proved, nodes, _starts(question, nodes, looks * nodes))
    if found is None:
        points = listed(question, proved, question.nodes)
        limit = WHOLE_LIMIT if whole else LEAF_LIMIT
        followed = follow(Fields(question, question.nodes), points, np.stack(cells, axis=1), limit)
        failed = followed.failed
        found = find_unlisted(question, proved, question.nodes, followed.left)
    if found is not None:
        return _refuted(question, found, tree, sample)
    open_ = (
        tuple(range(count))
        if whole and failed.any()
        else tuple(n for n, f in zip(sample.leaves, failed, strict=False) if f)
    )
    done = len(sample.leaves) - len(open_)
    if whole and not open_:
        reason = f"no other stationary points than the {len(proved)} of the list, proved again as a whole"
        verdict = Verdict.CERTIFIED
    else:
        reason = f"{done} of {count} leaves proved again" + (f", {len(open_)} left open" if open_ else "")
        verdict = Verdict.UNDECIDED
    return CheckedEnumeration(
        verdict=verdict,
        reason=reason,
        leaves=count,
        checked=len(sample.leaves),
        proved=done,
        open=open_,
        seed=sample.seed,
    )


def _refuted(question: Question, found: Proved, tree: Tree, sample: _Sample) -> CheckedEnumeration:
    places: set[int] = set()
    for image in copies(question, found.point):
        places |= set(tree.leaves_that_may_hold(residuals_of(question, image, found.radius)))
    where = ", ".join(map(str, sorted(places)[:4]))
    return CheckedEnumeration(
        verdict=Verdict.REFUTED,
        reason=(
            f"a proved stationary point with {found.nodes(question.width)} nodes, in leaf {where}, is not in the list"
        ),
        leaves=len(tree.leaves),
        checked=len(sample.leaves),
        seed=sample.seed,
        unlisted=found.point,
    )
