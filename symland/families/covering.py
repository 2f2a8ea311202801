"""The tubes of all curves of a diagram: shared out over workers, each kept as it is proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from typing import Any

from symland.errors import CertificateError
from symland.families.kept import chain_values, curve_key, read_chain
from symland.families.pieces import Chain, chain_of
from symland.families.trace import Curve
from symland.families.tubes import Tube, glue
from symland.spec import LandscapeSpec
from symland.symmetry import SymmetryGroup

__all__ = ["cover"]


def cover(
    spec: LandscapeSpec,
    group: SymmetryGroup,
    curves: Sequence[Curve],
    *,
    kept: Mapping[str, Any],
    keep: Callable[[str, dict[str, Any]], None],
    told: Callable[[int], None],
    executor: Executor | None = None,
) -> list[Tube]:
    """A tube of every curve.

    Parameters
    ----------
    kept : JSON values by curve, of an earlier, interrupted run.
    keep : takes those of one curve, as soon as it is covered.
    told : hears how many curves are covered.
    executor : where they are covered; this process by default.

    Raises
    ------
    CertificateError
        If a worker process died.
    """
    keys = [curve_key(curve) for curve in curves]
    chains = {n: read_chain(spec, kept[key]) for n, key in enumerate(keys) if key in kept}
    left = [n for n in range(len(curves)) if n not in chains]

    def take(n: int, chain: Chain) -> None:
        chains[n] = chain
        keep(keys[n], chain_values(chain))
        told(len(chains))

    if executor is None:
        for n in left:
            take(n, chain_of(spec, group, curves[n]))
    else:
        # The longest first, so that no worker waits for one that began late.
        order = sorted(left, key=lambda n: -len(curves[n].stations))
        out: dict[Future[Chain], int] = {executor.submit(chain_of, spec, group, curves[n]): n for n in order}
        try:
            for done in as_completed(out):
                take(out[done], done.result())
        except BrokenExecutor:
            raise CertificateError(
                "a worker process died; the tubes that were proved are kept, so run again, with fewer workers if "
                "memory ran out"
            ) from None
        finally:
            for future in out:
                future.cancel()
    return [glue(chains[n]) for n in range(len(curves))]
