"""Compiled kernels: the loss, its gradient and its Hessian at many points at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError, VerificationError
from symland.kernels import inertia
from symland.kernels.engines import (
    ENGINES,
    Engine,
    Function,
    Want,
    kernel_ports,
    make_function,
    numpy_call,
    output_shapes,
)
from symland.kernels.samples import SUMMED, few_points, make_sums, sample_rows
from symland.machine.gate import Array, Entry, admit, fit, fresh
from symland.records import FloatArray, Verdict
from symland.spec import LandscapeSpec

if TYPE_CHECKING:
    from symland.kernels.lanes import LaneCode
    from symland.kernels.samples import SampleRows, SampleSums
    from symland.program.ir import Program

__all__ = ["CompiledKernel", "FixedCall", "compile_kernel"]

OUTPUTS = ("value", "gradient", "hessian", "packed", "product", "per_sample")
"""What a kernel computes at a point."""

REPORT = "use engine='numpy' and report the specification"

CHECKED_OPERATIONS = 20_000
"""Operations of the longest lane code that is checked over the finite field on building; `verify_kernel` checks any."""

THREAD_POINTS = 2048
"""Points that a thread takes at least."""

ZERO_EIGENVALUE = 1e-14
"""An eigenvalue this many times smaller than the largest counts as zero."""

IntArray = NDArray[np.int64]

SANE_ERROR = 1e-11
"""Largest difference between an engine and NumPy at the points of the check on building, relative to the largest entry
of the output."""


@final
class FixedCall:
    """Arrays that machine code reads and writes where they are: write `theta`, call, read the outputs.

    Attributes
    ----------
    theta : (n, P)
    direction : (n, P)
        For the output "product".
    value, gradient, hessian, packed, product, per_sample : arrays (n, ...)
        Those that were asked for.

    run : callable
        The call itself.

    One thread at a time may use it.
    """

    def __init__(self, run: Callable[[], Any], arrays: dict[str, FloatArray]) -> None:
        self.run = run
        self.__dict__.update(arrays)

    def __call__(self) -> None:
        self.run()

    def __getattr__(self, name: str) -> FloatArray:
        raise AttributeError(f"this call has no {name}; ask for it in CompiledKernel.fixed")


@final
class CompiledKernel:
    """Value, gradient and Hessian of a landscape at theta of shape (n, P), float64, row-major.

    Functions are built when they are first called. Points may come in any layout. With an `out` of the right shape,
    aligned, C-contiguous and float64, nothing is allocated for the result; it may be an input's own memory, which is
    copied first.

    Attributes
    ----------
    spec : LandscapeSpec
    engine : Engine
    n_parameters : int
        P.
    threads, thread_points : int
        Threads at most, and points that a thread takes at least; a batch is shared out when there are enough for two.
    """

    __slots__ = (
        "_code_spec",
        "_data",
        "_few",
        "_folder",
        "_functions",
        "_samples",
        "_sums",
        "_verify",
        "engine",
        "n_parameters",
        "runtime_data",
        "spec",
        "thread_points",
        "threads",
    )

    def __init__(
        self,
        *,
        spec: LandscapeSpec,
        engine: Engine,
        threads: int = 1,
        thread_points: int = THREAD_POINTS,
        verify: bool = True,
        runtime_data: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.spec = spec
        self.engine = engine
        self.threads = threads
        self.thread_points = thread_points
        self._verify = verify
        self.runtime_data = runtime_data
        self._folder = folder
        self._functions: dict[Want, Function] = {}
        self._sums: dict[Want, SampleSums] = {}
        self._samples: dict[tuple[int, tuple[str, ...]], SampleRows] = {}
        self._few: dict[Want, int] = {}
        if engine is Engine.LLVM:
            self._few = {want: few_points(spec, want) for want in SUMMED}
        self._code_spec = spec
        self._data: tuple[FloatArray, ...] = data_of(spec) if runtime_data else ()
        self.n_parameters = spec.n_parameters

    def __repr__(self) -> str:
        return f"CompiledKernel({self.spec.name!r}, P={self.n_parameters}, engine={self.engine.value!r})"

    # -- evaluation -----------------------------------------------------------------------------------------------

    def value(self, theta: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E, shape (n,)."""
        return self._run(("value",), theta, (out,))[0]

    def gradient(self, theta: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """The gradient, shape (n, P)."""
        return self._run(("gradient",), theta, (out,))[0]

    def value_gradient(
        self, theta: FloatArray, out: tuple[FloatArray, FloatArray] | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """E and the gradient, shapes (n,) and (n, P)."""
        value, gradient = self._run(("value", "gradient"), theta, out or (None, None))
        return value, gradient

    def hessian(self, theta: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """The Hessian, shape (n, P, P), both triangles."""
        return self._run(("hessian",), theta, (out,))[0]

    def value_gradient_hessian(
        self, theta: FloatArray, out: tuple[FloatArray, FloatArray, FloatArray] | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E, the gradient and the Hessian."""
        value, gradient, hessian = self._run(("value", "gradient", "hessian"), theta, out or (None, None, None))
        return value, gradient, hessian

    def packed_hessian(self, theta: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """The entries of the Hessian with row <= column, row by row, shape (n, P (P + 1) / 2)."""
        return self._run(("packed",), theta, (out,))[0]

    def hessian_product(self, theta: FloatArray, direction: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """The Hessian times a direction for each point, both of shape (n, P), at about the cost of a gradient."""
        vectors = self._points(direction, "direction")
        return self._run(("product",), theta, (out,), vectors)[0]

    def per_sample_gradient(self, theta: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """The gradient of the loss of each sample, without the penalty, shape (n, D, P)."""
        return self._run(("per_sample",), theta, (out,))[0]

    def index(self, theta: FloatArray) -> IntArray:
        """The number of negative eigenvalues of the Hessian, shape (n,).

        Found from the signs of pivots; where a pivot is too small to trust its sign, from the eigenvalues, of which
        those within `ZERO_EIGENVALUE` times the largest of zero do not count.

        Raises
        ------
        KernelError
            If the Hessian of a point is not finite.
        """
        negative, smallest, largest = self._run(inertia.OUTPUTS, theta, (None, None, None))
        index = np.zeros(len(negative), dtype=np.int64)
        with np.errstate(invalid="ignore"):
            trusted = smallest > inertia.PIVOT_GUARD * largest
        index[trusted] = negative[trusted]
        if not trusted.all():
            hessians = self.hessian(np.asarray(theta)[~trusted])
            finite = np.isfinite(hessians).all(axis=(1, 2))
            if not finite.all():
                first = np.flatnonzero(~trusted)[~finite][0]
                raise KernelError(
                    f"the Hessian of point {first} is not finite, so it has no index; leave the point out"
                )
            spectrum = np.linalg.eigvalsh(hessians)
            zero = ZERO_EIGENVALUE * np.abs(spectrum).max(axis=1, keepdims=True)
            index[~trusted] = (spectrum < -zero).sum(axis=1)
        return index

    def bind(self, spec: LandscapeSpec) -> CompiledKernel:
        """The kernel of a specification that differs only in the numbers of its samples and its penalty.

        Raises
        ------
        KernelError
            If this kernel was not compiled with `runtime_data`, or the specification differs in more.
        """
        if not self.runtime_data:
            raise KernelError("the samples are baked into this kernel; compile it with runtime_data=True")
        if _shape_of(spec) != _shape_of(self.spec):
            raise KernelError("the specification differs in more than the numbers of its samples and its penalty")
        return self.like(spec=spec)

    def like(
        self,
        *,
        spec: LandscapeSpec | None = None,
        threads: int | None = None,
        thread_points: int | None = None,
        runtime_data: bool | None = None,
    ) -> CompiledKernel:
        """This kernel, called in another way."""
        made = CompiledKernel(
            spec=spec or self.spec,
            engine=self.engine,
            threads=threads or self.threads,
            thread_points=thread_points or self.thread_points,
            verify=self._verify,
            runtime_data=self.runtime_data if runtime_data is None else runtime_data,
            folder=self._folder,
        )
        if made.runtime_data == self.runtime_data:
            # The machine code is one and the same: what this kernel has built serves the other too.
            made._functions = self._functions
            made._sums = self._sums
            made._code_spec = self._code_spec
        return made

    # -- machinery ------------------------------------------------------------------------------------------------

    def function(self, want: Want) -> Function:
        """The function with these outputs, built if it has not been called before.

        Raises
        ------
        VerificationError
            If it does not compute what its program says; it is not kept then.
        """
        found = self._functions.get(want)
        if found is None:
            found = self._functions[want] = make_function(
                self._code_spec,
                want,
                self.engine,
                runtime_data=self.runtime_data,
                folder=self._folder,
                check=self._check if self._verify else None,
            )
        return found

    def evaluator(self, want: Want) -> Callable[[FloatArray], list[FloatArray]]:
        """The function of theta (n, P) with these outputs."""
        return lambda theta: self._run(want, theta, [None] * len(want))

    def fixed(self, *want: str, points: int = 1) -> FixedCall:
        """A call on arrays of its own, which stay where they are: the quickest way to evaluate few points often.

        Parameters
        ----------
        want : some of `OUTPUTS`
        points : int
            n.

        Raises
        ------
        KernelError
            For an output that is not known, or less than one point.
        """
        if not want or points < 1:
            raise KernelError(f"a fixed call of {points} points and the outputs {want}; give one of each at least")
        if strange := set(want) - set(OUTPUTS):
            raise KernelError(f"output {min(strange)!r} is not known; write some of {', '.join(OUTPUTS)}")
        want = tuple(name for name in OUTPUTS if name in want)
        names = ("theta", "direction")[: 1 + ("product" in want)]
        inputs = {name: np.zeros((points, self.n_parameters)) for name in names}
        shapes = output_shapes(self.spec, want)
        outputs = {name: fresh((points, *shape)) for name, shape in zip(want, shapes, strict=True)}
        if self.over_samples(want, points):
            sums, samples = self._summed(want)
            theta, direction = inputs["theta"], inputs.get("direction")
            return FixedCall(partial(sums, samples, theta, direction, tuple(outputs.values())), {**inputs, **outputs})
        function = self.function(want)
        arrays = (*self._data, *inputs.values(), *outputs.values())
        call = function.call
        run = call.fixed((points,), arrays) if isinstance(call, Entry) else partial(call, (points,), arrays)
        return FixedCall(run, {**inputs, **outputs})

    def _points(self, theta: Any, name: str = "theta") -> Array:
        points = theta if type(theta) is np.ndarray else admit(theta, name)
        shape = points.shape
        if len(shape) != 2 or shape[1] != self.n_parameters:
            raise KernelError(f"{name} has shape {shape}; give one row of {self.n_parameters} numbers for each point")
        return points

    def _run(
        self, want: Want, theta: FloatArray, out: Sequence[FloatArray | None], direction: FloatArray | None = None
    ) -> list[FloatArray]:
        inputs: tuple[Array, ...] = (self._points(theta),)
        n = len(inputs[0])
        if direction is not None:
            if len(direction) != n:
                raise KernelError(f"{len(direction)} directions came for {n} points; give one for each")
            inputs = (*inputs, direction)
        if self.over_samples(want, n):
            return self._sum(want, inputs, out)
        function = self.function(want)
        outputs = [
            fresh((n, *shape)) if given is None else given for shape, given in zip(function.shapes, out, strict=True)
        ]
        arrays = (*self._data, *inputs, *outputs)
        parts = min(self.threads, n // self.thread_points)
        if parts < 2 and self.engine is not Engine.NUMPY:
            function.call((n,), arrays)
            return outputs
        # What the threads share out, and what NumPy reads, is looked at as a whole.
        arrays = tuple(fit(kernel_ports(self.spec, want, [len(d) for d in self._data]), (n,), arrays))
        if parts > 1:
            self._share(function, n, parts, arrays)
        elif n:
            function.call((n,), arrays)
        return outputs

    def over_samples(self, want: Want, n: int) -> bool:
        """Whether n points are summed with lanes over samples, see `symland.kernels.samples`."""
        return 0 < n <= self._few.get(want, 0)

    def _sum(self, want: Want, inputs: Sequence[Array], out: Sequence[FloatArray | None]) -> list[FloatArray]:
        """Few points of many samples: see `symland.kernels.samples`."""
        sums, samples = self._summed(want)
        n = len(inputs[0])
        shapes = [(n, *shape) for shape in sums.shapes]
        outputs = [fresh(shape) if given is None else given for shape, given in zip(shapes, out, strict=True)]
        *points, _ = fit(sums.ports, (n,), [*inputs, *outputs])[: len(inputs) + 1]
        direction = points[1] if len(points) > 1 else None
        sums(samples, points[0], direction, outputs)
        return outputs

    def _summed(self, want: Want) -> tuple[SampleSums, SampleRows]:
        """The sums with these outputs, built if they have not been called before, and the numbers of the samples."""
        sums = self._sums.get(want)
        if sums is None:
            check = self._check_recording if self._verify else None
            sums = self._sums[want] = make_sums(self._code_spec, want, folder=self._folder, check=check)
        layout = sums.group, sums.own
        samples = self._samples.get(layout)
        if samples is None:
            samples = self._samples[layout] = sample_rows(sums, self.spec, self._data)
        return sums, samples

    def _share(self, function: Function, n: int, parts: int, arrays: Sequence[FloatArray]) -> None:
        """Share the points out among threads: whole strips for every thread but the last."""
        step = -(-n // (8 * parts)) * 8
        ranges = [slice(start, min(start + step, n)) for start in range(0, n, step)]
        data, rest = arrays[: len(self._data)], arrays[len(self._data) :]
        with ThreadPoolExecutor(len(ranges)) as pool:
            jobs = [pool.submit(function.call, (r.stop - r.start,), (*data, *(a[r] for a in rest))) for r in ranges]
            for job in jobs:
                job.result()

    @staticmethod
    def _check_recording(program: Program, code: LaneCode) -> None:
        from symland.kernels.checks import check_recording

        if sum(code.counts.values()) > CHECKED_OPERATIONS:
            return
        recording = check_recording(program, code)
        if recording.verdict is not Verdict.CERTIFIED:
            raise VerificationError(f"the recorded kernel is not its program: {recording.detail}; {REPORT}")

    def _check(self, program: Program, code: LaneCode, function: Function) -> None:
        """The checks on building: the recording over GF(2^61 - 1), and the machine code against NumPy."""
        pivots = function.want == inertia.OUTPUTS
        if not pivots:
            self._check_recording(program, code)
        draw = np.random.default_rng(0)
        p = self.n_parameters
        scales = np.repeat([0.1, 1.0, 4.0], 3)[:, np.newaxis]
        points = np.concatenate([np.zeros((1, p)), scales * draw.normal(size=(9, p))])
        inputs = [points, draw.normal(size=points.shape)][: 1 + (function.want == ("product",))]
        outputs = [np.empty((len(points), *shape)) for shape in function.shapes]
        references = [np.empty_like(out) for out in outputs]
        function.call((len(points),), (*self._data, *inputs, *outputs))
        numpy_call(program, function.want)((len(points),), (*self._data, *inputs, *references))
        if pivots:
            trusted = outputs[1] > inertia.PIVOT_GUARD * outputs[2]
            outputs, references = [outputs[0][trusted]], [references[0][trusted]]
        for name, got, want in zip(function.want, outputs, references, strict=False):
            error = np.max(np.abs(got - want), initial=0.0) / (np.max(np.abs(want), initial=0.0) or 1.0)
            if not error <= SANE_ERROR:
                raise VerificationError(
                    f"the {name} of the {self.engine.value} engine is off by {error:.1e} of its size; {REPORT}"
                )


def data_of(spec: LandscapeSpec) -> tuple[FloatArray, ...]:
    """The data arrays of a specification, in the order in which machine code takes them."""
    from symland.program.derive import build_program
    from symland.program.ir import Role

    arrays = build_program(spec, ("value",)).arrays.values()
    return tuple(np.array([float(v) for v in a.values or ()]) for a in arrays if a.role is Role.DATA)


def _shape_of(spec: LandscapeSpec) -> tuple[object, ...]:
    """All of a specification but its numbers."""
    return spec.widths, spec.activation, spec.bias, spec.loss, spec.penalised, spec.n_samples


def compile_kernel(
    spec: LandscapeSpec,
    *,
    engine: str = "llvm",
    verify: bool = True,
    cache: bool | Path = True,
    threads: int = 1,
    runtime_data: bool = False,
) -> CompiledKernel:
    """A kernel for a specification.

    Parameters
    ----------
    spec : LandscapeSpec
    engine : "llvm", "c" or "numpy"
    verify : bool
        Whether each function is checked against NumPy when it is first built.
    cache : bool or Path
        Whether machine code is kept on disk, or the folder to keep it in.
    threads : int
    runtime_data : bool
        Whether samples and penalty stay variable.

    Raises
    ------
    KernelError
        If the engine is not known.
    """
    if engine not in ENGINES:
        raise KernelError(f"engine {engine!r} is not known; write one of {', '.join(ENGINES)}")
    folder: Path | None = None
    if isinstance(cache, Path):
        folder = cache
    elif cache:
        from symland.machine.cache import cache_folder

        folder = cache_folder()
    return CompiledKernel(
        spec=spec, engine=Engine(engine), threads=threads, verify=verify, runtime_data=runtime_data, folder=folder
    )
