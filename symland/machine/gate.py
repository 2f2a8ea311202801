"""The gate: how arrays enter machine code.

Machine code takes an address and believes it. An array in another order, of another type or size is no error there but
a wrong number, and in a proof a false proof. So an array becomes an address in `Entry` alone. A function declares its
arrays as ports; what comes for a port is fit if it has the port's shape and type, in the machine's order of bytes,
row-major, without gaps, and aligned.

- What is read and not fit is copied; if it is no rectangle of real numbers, or of another shape, it is refused.
- What is written and not fit, or read-only, is refused: a copy would leave the caller's array as it was.
- What is read and shares memory with what is written is copied; what is written twice is refused.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symland.errors import KernelError

__all__ = ["FLOAT", "INTEGER", "Array", "Entry", "Port", "admit", "aligned", "fit", "fresh"]

Array = NDArray[Any]
Shape = tuple[int, ...]
Sizes = tuple[int, ...]

FLOAT = np.dtype(np.float64)
INTEGER = np.dtype(np.int64)

NUMBERS = "biuf"
"""Kinds of NumPy's types that are numbers on the line: a complex number, a text and an object are none."""

CACHE_LINE = 64
"""Bytes to whose multiples scratch space and long results are aligned: vectors that cross a cache line cost twice."""

ALIGNED_ENTRIES = 256
"""Entries of the shortest result that is aligned so."""

ALIGNED_BITS = 7
"""Bits that are 0 in the address of an array of 8-byte numbers."""

_address = ctypes.addressof
_first_byte = ctypes.c_char.from_buffer


@final
@dataclass(frozen=True, kw_only=True)
class Port:
    """An array that a function takes.

    Attributes
    ----------
    name : what an error calls it
    shape : its shape, from the sizes that the function is called with
    dtype : type of its entries
    written : whether the function writes it
    """

    name: str
    shape: Callable[..., Shape]
    dtype: np.dtype[Any] = FLOAT
    written: bool = False


def _is_fit(array: Array, dtype: np.dtype[Any]) -> bool:
    flags = array.flags
    return bool(array.dtype == dtype and flags.c_contiguous and flags.aligned)


def admit(values: Any, name: str, dtype: np.dtype[Any] = FLOAT) -> Array:
    """What is read: `values` itself where its type, order and alignment are fit, else a copy.

    Raises
    ------
    KernelError
        If the values are no rectangle of real numbers.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise KernelError(f"{name} is no array of numbers; give rows of one length") from None
    if array.dtype.kind not in NUMBERS:
        raise KernelError(f"{name} has type {array.dtype}; give real numbers")
    return array if _is_fit(array, dtype) else np.array(array, dtype=dtype, order="C")


def _target(array: Any, port: Port, shape: Shape) -> Array:
    """What is written: the array itself, or an error."""
    if not isinstance(array, np.ndarray) or array.shape != shape or not _is_fit(array, port.dtype):
        came = f"shape {array.shape} and type {array.dtype}" if isinstance(array, np.ndarray) else str(type(array))
        raise KernelError(f"{port.name} has {came}; give an aligned, C-contiguous {port.dtype} array of shape {shape}")
    if not array.flags.writeable:
        raise KernelError(f"{port.name} is read-only; give a writeable array")
    return array


def fit(ports: Sequence[Port], sizes: Sizes, arrays: Sequence[Any]) -> list[Array]:
    """The arrays as the ports take them.

    Raises
    ------
    KernelError
        If one is refused.
    """
    if len(arrays) != len(ports):
        raise KernelError(f"{len(arrays)} arrays came; give {', '.join(port.name for port in ports)}")
    made = []
    for array, port in zip(arrays, ports, strict=True):
        shape = port.shape(*sizes)
        if port.written:
            made.append(_target(array, port, shape))
            continue
        made.append(admit(array, port.name, port.dtype))
        if made[-1].shape != shape:
            raise KernelError(f"{port.name} has shape {made[-1].shape}; give shape {shape}")
    # Fit arrays have no gaps, so they share memory where their bounds overlap.
    for k, port in enumerate(ports):
        for j in range(len(ports)):
            if not port.written or j == k or not np.may_share_memory(made[k], made[j]):
                continue
            if ports[j].written:
                raise KernelError(f"{port.name} shares memory with {ports[j].name}; give arrays that do not overlap")
            made[j] = made[j].copy()
    return made


def fresh(shape: Shape) -> Array:
    """A new array for a result."""
    size = math.prod(shape)
    return np.empty(shape) if size < ALIGNED_ENTRIES else _at_cache_line(size)[0].reshape(shape)


def aligned(shape: Shape) -> Array:
    """A new array of doubles that starts at a multiple of a cache line, as vectors in memory must."""
    return _at_cache_line(math.prod(shape))[0].reshape(shape)


def _at_cache_line(size: int) -> tuple[Array, int]:
    """Doubles that start at a multiple of a cache line, and where."""
    room = np.empty(size + CACHE_LINE // FLOAT.itemsize)
    start = _address(_first_byte(room))
    skipped = -start % CACHE_LINE
    first = skipped // FLOAT.itemsize
    return room[first : first + size], start + skipped


_Known = tuple[Sizes, list[tuple[Shape, np.dtype[Any]]], list[int]]
"""The sizes of the last call, the shape and type that each array must have then, and its bytes."""


@final
class Entry:
    """A function in machine code, called as `entry(sizes, arrays)`: the only place where an array becomes an address.

    Its signature is (i64 size..., [ptr scratch,] ptr array...); it returns an i64 if it `counts`. The first size counts
    the turns of its outermost loop: where it is 0 the arrays are looked at, and no code runs.

    Parameters
    ----------
    address : where it starts
    n_sizes : how many sizes it takes
    ports : its arrays
    owner : what holds the code in memory
    workspace : doubles of scratch space, of which each thread keeps its own; None if it takes none
    counts : whether it returns a number
    """

    __slots__ = ("_function", "_known", "_pairs", "_scratch", "_workspace", "owner", "ports")

    def __init__(
        self,
        *,
        address: int,
        n_sizes: int,
        ports: Sequence[Port],
        owner: object,
        workspace: int | None = None,
        counts: bool = False,
    ) -> None:
        pointers = len(ports) + (workspace is not None)
        result = ctypes.c_int64 if counts else None
        prototype = ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * n_sizes, *[ctypes.c_void_p] * pointers)
        self._function = prototype(address)
        self._workspace = workspace
        self._scratch = threading.local()
        written = [k for k, port in enumerate(ports) if port.written]
        self._pairs = [(k, j) for k in written for j in range(len(ports)) if j not in written or j < k]
        self._known = self._expect(ports, (0,) * n_sizes)
        self.ports, self.owner = tuple(ports), owner

    def __call__(self, sizes: Sizes, arrays: Sequence[Array]) -> int:
        """Run it.

        Raises
        ------
        KernelError
            If an array is refused.
        """
        known = self._known
        if known[0] != sizes:
            self._known = known = self._expect(self.ports, sizes)
        _, expected, lengths = known
        try:
            # Three times as fast as asking NumPy, and an error for what is not row-major, or read-only, or empty.
            starts = [_address(_first_byte(array)) for array in arrays]
            ready = [(array.shape, array.dtype) for array in arrays] == expected
        except (TypeError, ValueError, AttributeError):
            ready, starts = False, []
        for start in starts:
            if start & ALIGNED_BITS:
                ready = False
        if ready:
            for k, j in self._pairs:
                if starts[k] < starts[j] + lengths[j] and starts[j] < starts[k] + lengths[k]:
                    ready = False
        if not ready:
            arrays = fit(self.ports, sizes, arrays)
            if not sizes[0]:
                return 0
            starts = [array.__array_interface__["data"][0] for array in arrays]
        if self._workspace is None:
            return self._function(*sizes, *starts)
        try:
            room = self._scratch.start
        except AttributeError:
            self._scratch.work, room = _at_cache_line(self._workspace)
            self._scratch.start = room
        return self._function(*sizes, room, *starts)

    def fixed(self, sizes: Sizes, arrays: Sequence[Array]) -> Callable[[], int]:
        """A call on these very arrays, looked at once: for code that calls again and again, writing into them between.

        The arrays stay alive with the call, and it has scratch space of its own: one thread at a time may use it.

        Raises
        ------
        KernelError
            If an array is not fit as it stands, two of them share memory, or there is nothing to run over.
        """
        if not sizes[0]:
            raise KernelError("a fixed call over no points; give one at least")
        ready = fit(self.ports, sizes, arrays)
        for port, given, taken in zip(self.ports, arrays, ready, strict=True):
            if taken is not given:
                raise KernelError(f"{port.name} would be copied; give an aligned, C-contiguous {port.dtype} array")
        starts = [ctypes.c_void_p(array.__array_interface__["data"][0]) for array in ready]
        room: list[Any] = []
        if self._workspace is not None:
            work, start = _at_cache_line(self._workspace)
            room, ready = [ctypes.c_void_p(start)], [*ready, work]
        call: Any = partial(self._function, *map(ctypes.c_int64, sizes), *room, *starts)
        call.arrays = ready
        return call

    @staticmethod
    def _expect(ports: Sequence[Port], sizes: Sizes) -> _Known:
        expected = [(port.shape(*sizes), port.dtype) for port in ports]
        return sizes, expected, [math.prod(shape) * dtype.itemsize for shape, dtype in expected]
