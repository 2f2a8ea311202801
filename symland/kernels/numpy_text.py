"""Lane code as a NumPy module that needs nothing else but scipy.special for erf.

The parts of such a module that are the same for every network stand in `_FUNCTIONS` and `_LAST`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from symland.kernels.lanes import Address, Item, Kind, LaneCode, Let, Load, Loop, Store

__all__ = ["print_numpy"]

_FUNCTIONS = """\
import numpy as np


def _rows(name, array, width, like=None):
    array = np.asarray(array, dtype=float)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} has shape {array.shape}; give one row of {width} numbers for each point")
    if like is not None and len(array) != like.shape[1]:
        raise ValueError(f"{name} has {len(array)} rows for {like.shape[1]} points; give one for each")
    return array.T


def _numbers(name, array, size):
    array = np.ravel(np.asarray(array, dtype=float))
    if len(array) != size:
        raise ValueError(f"{name} holds {len(array)} numbers; give {size}")
    return array


def _sech2(x):
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2


def _logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _gauss(x):
    return 2 / np.sqrt(np.pi) * np.exp(-x * x)


def _erf(x):
    from scipy.special import erf

    return erf(x)


def _parts(m):
    top = np.maximum(np.max(m, axis=0), 0)
    return top, [np.exp(-top), *(np.exp(k - top) for k in m)]


def _lse0(*m):
    top, parts = _parts(m)
    return top + np.log1p(np.expm1(-top) + sum(parts[1:]))


def _softmax0(k, *m):
    _, parts = _parts(m)
    return parts[k] / sum(parts)
"""

_LAST = """\
def packed_hessian({arguments}):
    h = hessian({arguments})
    rows, columns = np.triu_indices(h.shape[1])
    return h[:, rows, columns]


def index({arguments}):
    return (np.linalg.eigvalsh(hessian({arguments})) < 0).sum(axis=1)
"""

_OWN = ("sech2", "logistic", "softplus", "gauss", "erf", "lse0", "softmax0")


def print_numpy(codes: Mapping[str, LaneCode], about: Sequence[str]) -> str:
    """A module with a function for each code, of which one is "hessian".

    Data that are given with every call come first; theta has shape (n, P), an output a row for each point.
    """
    doc = "\n".join(about)
    parts = [f'"""{doc}\n"""\n', _FUNCTIONS]
    for name, code in codes.items():
        parts.append("\n" + "\n".join(_Printer(code).text(name)) + "\n")
    arguments = ", ".join(b.name for kind in (Kind.DATA, Kind.INPUT) for b in codes["hessian"].named(kind))
    return "\n".join([*parts, "\n" + _LAST.format(arguments=arguments)])


class _Printer:
    def __init__(self, code: LaneCode) -> None:
        self.code = code
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.buffers = {b.name: f"a{k}" for k, b in enumerate(code.buffers.values())}

    def text(self, name: str) -> list[str]:
        data, inputs, outputs = (self.code.named(kind) for kind in (Kind.DATA, Kind.INPUT, Kind.OUTPUT))
        head = [f"def {name}({', '.join(b.name for b in (*data, *inputs))}):"]
        for b in self.code.buffers.values():
            array = self.buffers[b.name]
            if b.kind is Kind.INPUT:
                like = "" if b is inputs[0] else f", like={self.buffers[inputs[0].name]}"
                head.append(f'    {array} = _rows("{b.name}", {b.name}, {b.size}{like})')
            elif b.kind is Kind.DATA:
                head.append(f'    {array} = _numbers("{b.name}", {b.name}, {b.size})')
            elif b.kind is Kind.BAKED:
                head.append(f"    {array} = np.array([{', '.join(repr(float(v)) for v in b.values)}])")
            else:
                head.append(f"    {array} = np.zeros(({b.size}, {self.buffers[inputs[0].name]}.shape[1]))")
        self._items(self.code.items, "    ")
        results = [self._result(b.name, b.size) for b in outputs]
        return [*head, *self.lines, f"    return {', '.join(results)}"]

    def _result(self, name: str, size: int) -> str:
        array = self.buffers[name]
        if size == 1 and name == "value":
            return f"{array}[0]"
        if name == "per_sample":
            p = next(b.size for b in self.code.named(Kind.INPUT))
            return f"{array}.T.reshape(-1, {size // p}, {p})"
        if name != "hessian":
            return f"{array}.T"
        p = round(size**0.5)
        self.lines += [
            f"    h = {array}.reshape({p}, {p}, -1)",
            "    upper = np.triu_indices(len(h), 1)",
            "    h[upper[1], upper[0]] = h[upper]",
        ]
        return "h.transpose(2, 0, 1)"

    def _place(self, buffer: str, address: Address) -> str:
        parts = [str(address.constant), *(f"{step} * v{v}" for v, step in address.steps)]
        return f"{self.buffers[buffer]}[{' + '.join(parts)}]"

    def _items(self, items: Sequence[Item], indent: str) -> None:
        for item in items:
            if isinstance(item, Let):
                self._let(item, indent)
            elif isinstance(item, Load):
                self.names[item.number] = f"t{item.number}"
                self.lines.append(f"{indent}t{item.number} = {self._place(item.buffer, item.address)}")
            elif isinstance(item, Store):
                place = self._place(item.buffer, item.address)
                self.lines.append(f"{indent}{place} = {self.names[item.argument]}")
            else:
                self._loop(item, indent)

    def _loop(self, loop: Loop, indent: str) -> None:
        for c in loop.carried:
            self.lines.append(f"{indent}c{c.inner} = {self.names[c.initial]}")
            self.names[c.inner] = self.names[c.result] = f"c{c.inner}"
        start = "0" if loop.from_ is None else f"v{loop.from_}"
        self.lines.append(f"{indent}for v{loop.variable} in range({start}, {loop.stop}):")
        self._items(loop.body, indent + "    ")
        for c in loop.carried:
            self.lines.append(f"{indent}    c{c.inner} = {self.names[c.following]}")

    def _let(self, item: Let, indent: str) -> None:
        if item.op == "constant":
            self.names[item.number] = f"({float(item.value or Fraction(0))!r})"
            return
        args = [self.names[a] for a in item.args]
        name = self.names[item.number] = f"t{item.number}"
        infix = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
        if item.op in infix:
            text = f"{args[0]} {infix[item.op]} {args[1]}"
        elif item.op == "neg":
            text = f"-{args[0]}"
        elif item.op == "power":
            text = f"{args[0]} ** {int(item.value or 0)}"
        elif item.op == "softmax0":
            text = f"_softmax0({int(item.value or 0)}, {', '.join(args)})"
        else:
            text = f"{'_' if item.op in _OWN else 'np.'}{item.op}({', '.join(args)})"
        self.lines.append(f"{indent}{name} = {text}")
