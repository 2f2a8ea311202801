"""Faults planted in the call layer, which machine code that is right does not show: verification sees each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symland.kernels import CompiledKernel, compile_kernel, inertia, kernel, verify_kernel
from symland.kernels.calls import check_calls, check_small_pivots, other_numbers, small_pivots
from symland.kernels.checks import Check
from symland.machine import gate
from symland.machine.gate import Entry
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Verdict
from symland.spec import LandscapeSpec, load_spec

SPEC = load_spec("xor", hidden=(1,))

Patch = pytest.MonkeyPatch


def refuted(checks: list[Check]) -> set[str]:
    """What failed, without the details."""
    return {c.name.split(",")[0] for c in checks if c.verdict is Verdict.REFUTED}


def checks_of(made: CompiledKernel) -> list[Check]:
    return [check_small_pivots(made), *check_calls(made)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("code")


def compiled(folder: Path, spec: LandscapeSpec = SPEC) -> CompiledKernel:
    return compile_kernel(spec, cache=folder, verify=False, runtime_data=True)


# -- the faults -----------------------------------------------------------------------------------------------------


def shared_out(change: Callable[[slice], tuple[slice, slice]]) -> Callable[[Patch], None]:
    """Threads that read and write other rows than their own; what none writes is 0, not whatever memory held."""

    def share(self: CompiledKernel, function: Any, n: int, parts: int, arrays: Any) -> None:
        step = -(-n // (8 * parts)) * 8
        data, rest = arrays[: len(self._data)], arrays[len(self._data) :]
        count = len(rest) - len(function.want)
        for written in rest[count:]:
            written[...] = 0
        with ThreadPoolExecutor(2) as pool:
            for start in range(0, n, step):
                read, wrote = change(slice(start, min(start + step, n)))
                rows = [a[read] for a in rest[:count]] + [o[wrote] for o in rest[count:]]
                pool.submit(function.call, (wrote.stop - wrote.start,), (*data, *rows)).result()

    return lambda patch: patch.setattr(CompiledKernel, "_share", share)


def counted(change: Callable[[int], int]) -> Callable[[Patch], None]:
    """Machine code that is told another number of points; what it does not write is 0, not whatever memory held."""
    sound = Entry.__call__

    def call(self: Entry, sizes: tuple[int, ...], arrays: Any) -> int:
        for array, port in zip(arrays, self.ports, strict=True):
            if port.written:
                array[...] = 0
        told = (change(sizes[0]), *sizes[1:])
        return sound(self, told, [a[: told[0]] if len(a) == sizes[0] else a for a in arrays])

    return lambda patch: patch.setattr(Entry, "__call__", call)


def one_scratch_for_all(patch: Patch) -> None:
    patch.setattr(gate.threading, "local", SimpleNamespace)


def first_numbers_kept(patch: Patch) -> None:
    sound = kernel.data_of
    patch.setattr(kernel, "data_of", lambda spec: sound(SPEC))


def first_penalty_kept(patch: Patch) -> None:
    sound = kernel.data_of
    patch.setattr(kernel, "data_of", lambda spec: sound(spec.with_(penalty=SPEC.penalty)))


def first_labels_kept(patch: Patch) -> None:
    sound = kernel.data_of

    def data_of(spec: LandscapeSpec) -> Any:
        return sound(spec.with_(data=SPEC.data.__class__(name="", inputs=spec.data.inputs, labels=SPEC.data.labels)))

    patch.setattr(kernel, "data_of", data_of)


def first_kernel_changed(patch: Patch) -> None:
    sound = CompiledKernel.bind

    def bind(self: CompiledKernel, spec: LandscapeSpec) -> CompiledKernel:
        made = sound(self, spec)
        self._data = made._data
        return made

    patch.setattr(CompiledKernel, "bind", bind)


def columns_read_as_rows(patch: Patch) -> None:
    patch.setattr(gate, "fit", lambda ports, sizes, arrays: arrays)


def copies_in_the_order_of_memory(patch: Patch) -> None:
    def admit(values: Any, name: str, dtype: Any = gate.FLOAT) -> Any:
        array = np.asarray(values, dtype=dtype)
        return np.ascontiguousarray(array.ravel(order="K").reshape(array.shape))

    patch.setattr(gate, "admit", admit)


def inputs_written_over(patch: Patch) -> None:
    patch.setattr(np, "may_share_memory", lambda a, b: False)


def results_left_in_a_copy(patch: Patch) -> None:
    patch.setattr(kernel, "fresh", gate.fresh)
    sound = CompiledKernel._run

    def run(self: CompiledKernel, want: Any, theta: Any, out: Any, direction: Any = None) -> Any:
        return sound(self, want, theta, [None if o is None else o.copy() for o in out], direction)

    patch.setattr(CompiledKernel, "_run", run)


def small_pivots_trusted(patch: Patch) -> None:
    patch.setattr(inertia, "PIVOT_GUARD", 0.0)


def fallback_to_the_wrong_points(patch: Patch) -> None:
    sound = np.linalg.eigvalsh
    patch.setattr(np.linalg, "eigvalsh", lambda matrices: sound(matrices)[::-1])


def small_eigenvalues_counted_as_zero(patch: Patch) -> None:
    patch.setattr(kernel, "ZERO_EIGENVALUE", 1.0)


CALL_FAULTS: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "the first rows for every thread": (
        "calls: two threads",
        shared_out(lambda r: (slice(0, r.stop - r.start), r)),
    ),
    "the last row of a thread left out": (
        "calls: two threads",
        shared_out(lambda r: (slice(r.start, max(r.stop - 1, r.start + 1)),) * 2),
    ),
    "one scratch space for all threads": ("calls: two threads", one_scratch_for_all),
    "one point too few at n = 13": ("calls: any number of points", counted(lambda n: n - (n == 13))),
    "whole strips only": ("calls: any number of points", counted(lambda n: n - n % 8 if n > 8 else n)),
    "bound to the first numbers": ("calls: bound", first_numbers_kept),
    "bound to the first penalty": ("calls: bound", first_penalty_kept),
    "bound to the first labels": ("calls: bound", first_labels_kept),
    "the first kernel bound too": ("calls: unchanged", first_kernel_changed),
    "columns read as rows": ("calls: layouts", columns_read_as_rows),
    "copies in the order of memory": ("calls: layouts", copies_in_the_order_of_memory),
    "results left in a copy": ("calls: layouts", results_left_in_a_copy),
    "inputs written over": ("calls: shared memory", inputs_written_over),
    "small pivots trusted": ("index", small_pivots_trusted),
    "fallback to the wrong points": ("index", fallback_to_the_wrong_points),
    "small eigenvalues counted as zero": ("index", small_eigenvalues_counted_as_zero),
}


def test_a_sound_call_layer_passes(folder: Path) -> None:
    assert not refuted(checks_of(compiled(folder)))


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_a_fault_in_the_call_layer_is_seen(monkeypatch: Patch, folder: Path, fault: str) -> None:
    name, plant = CALL_FAULTS[fault]
    # The code of wide networks takes scratch space.
    spec = load_spec("xor", hidden=(6,)) if "scratch" in fault else SPEC
    compiled(folder, spec)
    plant(monkeypatch)
    assert name in refuted(checks_of(compiled(folder, spec)))


def test_the_points_with_a_small_pivot_have_one() -> None:
    made = compile_kernel(SPEC, verify=False)
    points = small_pivots(made)
    assert len(points) == 8
    hessians = evaluate(build_program(SPEC), points)[2]
    minors = [abs(np.linalg.det(hessians[:, :k, :k])) for k in range(1, SPEC.n_parameters)]
    assert (np.min(minors, axis=0) < 1e-14).all()
    assert (np.abs(np.linalg.eigvalsh(hessians)).min(axis=1) > 1e-9).all()
    negative, smallest, _ = made.evaluator(inertia.OUTPUTS)(points)
    wrong = negative != (np.linalg.eigvalsh(hessians) < 0).sum(axis=1)
    assert (wrong & (smallest > 0)).any()


def test_the_other_numbers_differ_in_every_sample_and_are_of_one_shape() -> None:
    for spec in (SPEC, load_spec("iris", hidden=(2,)), SPEC.with_(penalty=Fraction(0))):
        other = other_numbers(spec)
        assert other.penalty != spec.penalty
        assert all(a != b for a, b in zip(other.data.inputs, spec.data.inputs, strict=True))
        assert other.data.labels != spec.data.labels
        made = compile_kernel(spec, engine="numpy", runtime_data=True)
        assert made.bind(other).spec is other


def test_the_record_holds_the_checks_of_the_call_layer() -> None:
    record = verify_kernel(compile_kernel(SPEC))
    names = {c.name.split(",")[0] for c in record.checks if c.name.startswith("calls")}
    assert names == {
        f"calls: {kind}"
        for kind in (
            "any number of points",
            "two threads",
            "past the cache",
            "layouts",
            "shared memory",
            "bound",
            "unchanged",
        )
    }
    assert any(c.name == "index, small pivots" for c in record.checks)
    assert record.verdict is Verdict.CERTIFIED
