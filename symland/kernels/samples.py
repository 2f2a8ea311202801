"""Lanes over samples: the loss and its derivatives at few points of a network with many samples.

The lanes of a kernel are points; at a single point seven of eight would do the same work again. Here the program of a
few samples without penalty, recorded by the same rules, has its lanes over groups of samples: theta is the same in all
lanes, inputs and targets are each lane's own, and what the strips give is added up in eight sums an output. Then

    E = (1/D) sum_d ell_d + lambda sum_p theta_p^2,

and so for the gradient and for Hessian-vector products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import numpy as np

from symland.kernels.engines import (
    ENTRY,
    ROOMS,
    Want,
    inline_code,
    kernel_ports,
    output_shapes,
    record_code,
    workspace,
)
from symland.kernels.lanes import LANES, Kind, LaneCode
from symland.machine.cache import entry_key, read_entry, source_digest, write_entry
from symland.machine.gate import Entry, Port
from symland.program.ir import Program
from symland.records import FloatArray
from symland.spec import LandscapeSpec, Penalised

__all__ = ["SUMMED", "SampleRows", "SampleSums", "few_points", "make_sums", "sample_code", "sample_rows"]

FEW_POINTS = 3
"""Points at most for which lanes over samples are quicker than lanes over points, ..."""

MANY_SAMPLES = 32
"""... for this many samples at least, ..."""

WORK = 12_000
"""... and this many products of samples and parameters for each point, which take as long as its call; a product, whose
sums and their derivatives are two, takes half as many."""

GROUPS = (5, 4, 6, 3)
"""Samples of a group: each number of theta is loaded once for all of them; what is left over is taken one by one."""

PAIRS = (2, 3)
"""The same for a product, whose sums and their derivatives along the direction are twice as many to hold."""

REST = 3
"""What the samples that are left over cost, in samples of a strip of groups."""

SUMMED = (("value",), ("gradient",), ("value", "gradient"), ("product",))
"""Outputs that are found so."""

CheckCode = Callable[[Program, LaneCode], None]


def few_points(spec: LandscapeSpec, want: Want) -> int:
    """Points up to which lanes over samples are the quicker ones for summed outputs: 0 where they never are."""
    if spec.n_samples < MANY_SAMPLES:
        return 0
    return min(FEW_POINTS, (1 + (want == ("product",))) * spec.n_samples * spec.n_parameters // WORK)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SampleRows:
    """The numbers of the samples, as the sums read them.

    Attributes
    ----------
    groups, left : tuple of arrays
        Of each array of numbers one row for each group, and one for each sample that is left over.
    penalty : float
        lambda.
    """

    groups: tuple[FloatArray, ...]
    left: tuple[FloatArray, ...]
    penalty: float


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SampleSums:
    """Sums over the samples as machine code.

    Attributes
    ----------
    groups, rest : Entry
        For groups of samples, and for what is left over; called as
        entry((groups,), (theta, [direction,] numbers of the samples..., sums of means over groups...)).
    group : int
        Samples of a group.
    own : tuple of str
        Names of the data arrays that hold the samples' own numbers.
    sizes : tuple of int
        Of each output.
    shapes : tuple of tuples
        Of each output of one point.
    ports : tuple of Port
        What is read and written at a batch of points.
    penalised : (P,) 0 or 1, or None
        The parameters that the penalty holds; None for all.
    """

    groups: Entry
    rest: Entry | None
    group: int
    own: tuple[str, ...]
    sizes: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    ports: tuple[Port, ...]
    penalised: FloatArray | None

    def __call__(
        self, samples: SampleRows, theta: FloatArray, direction: FloatArray | None, outputs: Sequence[FloatArray]
    ) -> None:
        """Write the outputs at points theta (n, P)."""
        whole, rows, penalty = samples.groups, samples.left, samples.penalty
        groups, left = len(whole[0]), len(rows[0])
        sums, more = [np.empty(size) for size in self.sizes], [np.empty(size) for size in self.sizes if left]
        for k in range(len(theta)):
            inputs = (theta[k],) if direction is None else (theta[k], direction[k])
            self.groups((groups,), (*inputs, *whole, *sums))
            if self.rest is not None:
                self.rest((left,), (*inputs, *rows, *more))
                for total, rest in zip(sums, more, strict=True):
                    total *= self.group
                    total += rest
            held = inputs[-1] if self.penalised is None else inputs[-1] * self.penalised
            for total, out in zip(sums, outputs, strict=True):
                total /= groups * self.group + left if left else groups
                if out.ndim == 1:
                    out[k] = total[0] + penalty * held.dot(held)
                else:
                    np.multiply(held, 2.0 * penalty, out=out[k])
                    out[k] += total


def _some_samples(spec: LandscapeSpec, count: int) -> LandscapeSpec:
    """The question with the first samples alone, and no penalty."""
    data = spec.data
    first = replace(data, inputs=data.inputs[:count], labels=data.labels[:count], values=data.values[:count])
    return spec.with_(data=first, penalty=Fraction(0))


def _own(program: Program) -> tuple[str, ...]:
    """Data arrays with an entry for each sample."""
    indexed = {
        ref.array
        for s in program.statements
        for ref in (s.factors if hasattr(s, "factors") else s.ins)
        if ref.index and ref.index[0] == "d"
    }
    return tuple(a.name for a in program.arrays.values() if a.role.value == "data" and a.name in indexed)


def sample_code(spec: LandscapeSpec, want: Want, count: int) -> tuple[Program, LaneCode, LaneCode]:
    """The program of a group of samples, its lane code as recorded, and the code whose lanes are groups."""
    program, code = record_code(_some_samples(spec, count), want, given=_own)
    own = _own(program)
    kinds = {Kind.INPUT: Kind.DATA, Kind.DATA: Kind.INPUT}
    turned = {name: replace(b, kind=kinds.get(b.kind, b.kind)) for name, b in code.buffers.items()}
    assert tuple(b.name for b in code.named(Kind.DATA)) == own
    return program, code, replace(code, buffers=turned)


def make_sums(spec: LandscapeSpec, want: Want, *, folder: Path | None, check: CheckCode | None) -> SampleSums:
    """Build the sums of a specification, or take them from the cache.

    Raises
    ------
    VerificationError
        If the recorded code is not its program.
    """
    group = _group(spec.n_samples, PAIRS if want == ("product",) else GROUPS)
    groups, own, sizes = _built(spec, want, group, folder, check)
    rest = _built(spec, want, 1, folder, check)[0] if spec.n_samples % group else None
    penalised = None
    if spec.penalised is Penalised.WEIGHTS:
        penalised = np.ones(spec.n_parameters)
        for block in spec.layout.blocks:
            penalised[block.slice] = float(block.kind == "W")
    return SampleSums(
        groups=groups,
        rest=rest,
        group=group,
        own=own,
        sizes=sizes,
        shapes=output_shapes(spec, want),
        ports=kernel_ports(spec, want),
        penalised=penalised,
    )


def _group(count: int, sizes: Sequence[int]) -> int:
    """Samples of a group: so many that few lanes of the last strip are idle, and little is left over."""

    def cost(group: int) -> int:
        groups, left = divmod(count, group)
        return -(-groups // LANES) * group + REST * bool(left)

    return min(sizes, key=cost)


def _built(
    spec: LandscapeSpec, want: Want, count: int, folder: Path | None, check: CheckCode | None
) -> tuple[Entry, tuple[str, ...], tuple[int, ...]]:
    from symland.kernels import llvm
    from symland.machine.llvm import LoadedObject, host, make_object

    facts: dict[str, Any] = {
        "engine": "samples",
        "printer": llvm.VERSION,
        "source": source_digest(*ROOMS),
        "spec": _some_samples(spec, count).digest,
        "want": list(want),
        "checked": check is not None,
        **host(),
    }
    key = entry_key(facts)
    found = read_entry(folder, key) if folder is not None else None
    if found is None:
        program, code, turned = sample_code(spec, want, count)
        if check is not None:
            check(program, code)
        inlined = inline_code(turned)
        machine_code = make_object(llvm.print_llvm(inlined, ENTRY, summed=True), waits_least=True)
        sizes = [b.size for b in inlined.named(Kind.OUTPUT)]
        own = [[b.name, b.size] for b in inlined.named(Kind.INPUT)]
        facts |= {"workspace": workspace(inlined) + LANES * sum(sizes), "own": own, "sizes": sizes}
        if folder is not None:
            write_entry(folder, key, facts, machine_code)
        found = (facts, machine_code)
    held, machine_code = found
    loaded = LoadedObject(machine_code)
    rows, sums = [(str(name), int(size)) for name, size in held["own"]], tuple(int(n) for n in held["sizes"])
    entry = Entry(
        address=loaded.address(ENTRY),
        n_sizes=1,
        ports=_ports(spec.n_parameters, want, rows, sums),
        owner=loaded,
        workspace=int(held["workspace"]),
    )
    return entry, tuple(name for name, _ in rows), sums


def _ports(parameters: int, want: Want, own: Sequence[tuple[str, int]], sizes: Sequence[int]) -> tuple[Port, ...]:
    def fixed(size: int) -> Callable[[int], tuple[int, ...]]:
        return lambda n: (size,)

    def rows(size: int) -> Callable[[int], tuple[int, ...]]:
        return lambda n: (n, size)

    names = ("theta", "direction")[: 1 + (want == ("product",))]
    sums = zip(want, sizes, strict=True)
    return (
        *(Port(name=name, shape=fixed(parameters)) for name in names),
        *(Port(name=f"samples {name}", shape=rows(size)) for name, size in own),
        *(Port(name=f"sum of the {name}", shape=fixed(size), written=True) for name, size in sums),
    )


def sample_rows(sums: SampleSums, spec: LandscapeSpec, data: Sequence[FloatArray] = ()) -> SampleRows:
    """The numbers of the samples: of the specification, or of given data arrays in its order."""
    from symland.program.derive import build_program

    arrays: list[Any] = [a for a in build_program(spec, ("value",)).arrays.values() if a.role.value == "data"]
    numbers = data or [np.array([float(v) for v in a.values or ()]) for a in arrays]
    named = {a.name: values for a, values in zip(arrays, numbers, strict=True)}
    groups, left = divmod(spec.n_samples, sums.group)
    whole = spec.n_samples - left
    each = [np.ascontiguousarray(named[name].reshape(spec.n_samples, -1)) for name in sums.own]
    return SampleRows(
        groups=tuple(a[:whole].reshape(groups, -1) for a in each),
        left=tuple(a[whole:] for a in each),
        penalty=float(spec.penalty),
    )
