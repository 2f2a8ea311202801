"""The question: a network, its data, its loss and its penalty; exact, validated, with a canonical digest.

The loss is

    E(theta) = (1/D) sum_d ell(z(x_d), y_d) + lambda sum_p theta_p^2,

with z the network's outputs, the mean taken over the D samples, and lambda (not lambda/2) on every parameter or on
the weights alone. This is the reading of Mehta, Zhao, Bernal and Wales, Phys. Rev. E 97, 052307 (2018).
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from symland.datasets import BUILTIN_DATA, Dataset, builtin_data, make_data, parse_csv
from symland.errors import SpecError
from symland.exact import exact_text, need_float64, parse_exact
from symland.expression import parse_activation, standard_text
from symland.layout import Layout

__all__ = ["BUILTIN_SPECS", "LandscapeSpec", "Loss", "Penalised", "builtin", "load_spec", "parse_spec", "read_text"]

WIDEST_LAYER = 4096
"""Nodes in one layer."""

LONGEST_NAME = 100
"""Characters of a name."""

DEEPEST_NETWORK = 32
"""Hidden layers."""


class Loss(Enum):
    """The loss of one sample, as a function of the outputs z and the target y."""

    SOFTMAX = "softmax"
    """-ln softmax(z)_y, y a class."""
    LOGISTIC = "logistic"
    """ln(1 + exp(-(2y - 1) z)), one output, y in {0, 1}."""
    SQUARED = "squared"
    """``|z - y|^2``, summed over the outputs."""


class Penalised(Enum):
    """Which parameters the penalty lambda theta_p^2 holds."""

    ALL = "all"
    WEIGHTS = "weights"


@dataclass(frozen=True, kw_only=True)
class LandscapeSpec:
    """A network, its data, loss and penalty.

    Attributes
    ----------
    name : str
    hidden : tuple of int
        Widths of the hidden layers.
    activation : str
        A named activation or an expression in z.
    bias : bool
    loss : Loss
    penalty : Fraction
        lambda >= 0.
    penalised : Penalised
    data : Dataset
    outputs : int
        Outputs K of the network: classes (softmax), 1 (logistic), or the length of a target (squared).
        Zero takes it from the data.

    Raises
    ------
    SpecError
        If the parts do not fit; the message names the key path.
    """

    name: str
    hidden: tuple[int, ...]
    data: Dataset
    activation: str = "tanh"
    bias: bool = True
    loss: Loss = Loss.SOFTMAX
    penalty: Fraction = Fraction(0)
    penalised: Penalised = Penalised.ALL
    outputs: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.hidden) <= DEEPEST_NETWORK:
            raise SpecError.at(
                "network.hidden", f"{len(self.hidden)} hidden layers", f"give 1 to {DEEPEST_NETWORK}, such as [2]"
            )
        for number, width in enumerate(self.hidden):
            if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= WIDEST_LAYER:
                raise SpecError.at(
                    f"network.hidden[{number}]", f"{width!r} nodes", f"give an integer from 1 to {WIDEST_LAYER}"
                )
        object.__setattr__(self, "activation", standard_text(self.activation))
        parse_activation(self.activation)
        if not isinstance(self.penalty, Fraction):
            raise SpecError.at(
                "loss.penalty", f"{self.penalty!r} is not exact", 'write text such as "1e-3", or a Fraction'
            )
        if self.penalty < 0:
            raise SpecError.at(
                "loss.penalty", f"{self.penalty} is negative", "write 0 or more: the loss has no minimum"
            )
        need_float64(self.penalty, "loss.penalty")
        if not self.name.isprintable() or not 0 < len(self.name) <= LONGEST_NAME:
            raise SpecError.at("name", f"{self.name[:40]!r}", f"write one line of 1 to {LONGEST_NAME} characters")
        object.__setattr__(self, "outputs", self._checked_outputs())

    def _checked_outputs(self) -> int:
        path, data, given = "network.outputs", self.data, self.outputs
        if (self.loss is Loss.SQUARED) == bool(data.labels):
            need = "numbers" if self.loss is Loss.SQUARED else "labels"
            raise SpecError.at("data.targets", f"the loss {self.loss.value} needs {need}", f"give {need} as targets")
        if self.loss is Loss.SQUARED:
            if given not in (0, len(data.values[0])):
                raise SpecError.at(
                    path, f"{given} outputs for targets of length {len(data.values[0])}", "make them equal"
                )
            return len(data.values[0])
        top = max(data.labels)
        if self.loss is Loss.LOGISTIC:
            if given not in (0, 1):
                raise SpecError.at(path, f"{given} outputs", "the loss logistic takes 1")
            if top > 1:
                raise SpecError.at(
                    f"data.targets[{data.labels.index(top)}]", f"label {top} is out of range", "write 0 or 1"
                )
            return 1
        outputs = given or max(top + 1, 2)
        if not given and outputs > 2 and (missing := set(range(top)) - set(data.labels)):
            raise SpecError.at(
                f"data.targets[{data.labels.index(top)}]",
                f"label {top} makes {outputs} classes, but none is {min(missing)}",
                f"number the classes 0, 1, 2, ... without a gap, or write network.outputs = {outputs}",
            )
        if outputs < 2:
            raise SpecError.at(path, f"{outputs} outputs", "the loss softmax takes at least 2")
        if top >= outputs:
            where = f"data.targets[{data.labels.index(top)}]"
            raise SpecError.at(
                where, f"label {top} is out of range", f"write 0 to {outputs - 1}, or raise network.outputs"
            )
        if outputs > WIDEST_LAYER:
            raise SpecError.at(path, f"{outputs} outputs", f"give at most {WIDEST_LAYER}")
        return outputs

    @property
    def n_inputs(self) -> int:
        return len(self.data.inputs[0])

    @property
    def n_outputs(self) -> int:
        return self.outputs

    @property
    def n_samples(self) -> int:
        return self.data.n_samples

    @property
    def widths(self) -> tuple[int, ...]:
        """(n_0, n_1, ..., n_L, K)."""
        return (self.n_inputs, *self.hidden, self.n_outputs)

    @cached_property
    def layout(self) -> Layout:
        return Layout(widths=self.widths, bias=self.bias)

    @property
    def n_parameters(self) -> int:
        """P; 5 N_h + 2 for the XOR network with N_h hidden nodes."""
        return self.layout.size

    @property
    def coercive(self) -> bool:
        """Whether the penalty makes the loss grow to infinity with theta, so that the Morse sum of all points is 1."""
        return self.penalty > 0 and (self.penalised is Penalised.ALL or not self.bias)

    def with_(self, **changes: Any) -> LandscapeSpec:
        """The same question with some fields replaced; `penalty` may be text, `hidden` any sequence."""
        if isinstance(changes.get("penalty"), str | int):
            changes["penalty"] = parse_exact(changes["penalty"], "loss.penalty")
        if "hidden" in changes:
            changes["hidden"] = tuple(changes["hidden"])
        return replace(self, **changes)

    def canonical(self) -> dict[str, Any]:
        """The question as JSON values; equal questions give equal values whatever their text or name."""
        data = self.data
        return {
            "hidden": list(self.hidden),
            "activation": self.activation,
            "bias": self.bias,
            "outputs": self.outputs,
            "loss": self.loss.value,
            "penalty": exact_text(self.penalty),
            "penalised": self.penalised.value,
            "inputs": [[exact_text(cell) for cell in row] for row in data.inputs],
            "targets": list(data.labels) or [[exact_text(cell) for cell in row] for row in data.values],
        }

    @classmethod
    def from_canonical(cls, values: Mapping[str, Any], name: str = "spec") -> LandscapeSpec:
        """The question that `canonical` wrote."""
        raw = _convert(dict(values), _Canonical)
        loss = _choice(Loss, raw.loss, "loss")
        return cls(
            name=name,
            hidden=tuple(raw.hidden),
            activation=raw.activation,
            bias=raw.bias,
            outputs=raw.outputs,
            loss=loss,
            penalty=parse_exact(raw.penalty, "penalty"),
            penalised=_choice(Penalised, raw.penalised, "penalised"),
            data=make_data(name, raw.inputs, raw.targets, classify=loss is not Loss.SQUARED),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON text, in hexadecimal."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


_T = TypeVar("_T")


class _Network(msgspec.Struct, forbid_unknown_fields=True):
    hidden: list[int]
    activation: str = "tanh"
    bias: bool = True
    outputs: int = 0


class _Data(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    csv: str | None = None
    inputs: list[list[str | int]] | None = None
    targets: list[int | str | list[str | int]] | None = None


class _Loss(msgspec.Struct, forbid_unknown_fields=True):
    kind: str = "softmax"
    penalty: str | int = "0"
    penalised: str = "all"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    network: _Network
    data: _Data
    name: str | None = None
    loss: _Loss = msgspec.field(default_factory=_Loss)


class _Canonical(msgspec.Struct, forbid_unknown_fields=True):
    hidden: list[int]
    activation: str
    bias: bool
    outputs: int
    loss: str
    penalty: str
    penalised: str
    inputs: list[list[str | int]]
    targets: list[int | str | list[str | int]]


def _convert(values: Any, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        path = where.strip("`").removeprefix("$").removeprefix(".") or "spec"
        advice = "see the README for the keys of a specification"
        if "expected `int`," in what.lower():
            advice = "write an integer"
        elif "`float`" in what:
            advice = 'floats are not exact: write the number as text, such as "0.1"'
        elif "unknown field" in what:
            advice = "remove it or mend its spelling"
        raise SpecError.at(path, what[:1].lower() + what[1:], advice) from None


def _choice(kind: type[Loss] | type[Penalised], text: str, path: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        names = ", ".join(str(member.value) for member in kind)
        raise SpecError.at(path, f"{text!r} is not known", f"write one of {names}") from None


def parse_spec(text: str, name: str, read: Callable[[str], str]) -> LandscapeSpec:
    """The question that a TOML text asks.

    Parameters
    ----------
    text : str
        TOML with the tables [network] (hidden, activation, bias, outputs), [data] (name; or csv; or inputs and
        targets) and [loss] (kind, penalty, penalised).
    name : str
        Its name where the text gives none.
    read : callable
        Gives the text of the CSV file that `data.csv` names.

    Raises
    ------
    SpecError
        One line with the key path, what came and what to write instead.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError.at(name, f"not TOML ({error})", "mend the syntax") from None
    raw = _convert(values, _File)
    loss = _choice(Loss, raw.loss.kind, "loss.kind")
    return LandscapeSpec(
        name=raw.name or name,
        hidden=tuple(raw.network.hidden),
        activation=raw.network.activation,
        bias=raw.network.bias,
        outputs=_count(raw.network.outputs),
        loss=loss,
        penalty=parse_exact(raw.loss.penalty, "loss.penalty"),
        penalised=_choice(Penalised, raw.loss.penalised, "loss.penalised"),
        data=_data(raw.data, name, loss is not Loss.SQUARED, read),
    )


def _count(outputs: int) -> int:
    if outputs < 0:
        raise SpecError.at("network.outputs", f"{outputs} outputs", "give a positive integer, or leave it out")
    return outputs


def _data(raw: _Data, name: str, classify: bool, read: Callable[[str], str]) -> Dataset:
    inline = raw.inputs is not None or raw.targets is not None
    if sum((raw.name is not None, raw.csv is not None, inline)) != 1:
        raise SpecError.at(
            "data", "the samples are given in no way or in several", "give one of name, csv, or inputs with targets"
        )
    if raw.name is not None:
        return builtin_data(raw.name, classify)
    if raw.csv is not None:
        return parse_csv(read(raw.csv), name, classify, raw.csv)
    if raw.inputs is None or raw.targets is None:
        raise SpecError.at("data", "inputs and targets come together", "give both")
    return make_data(name, raw.inputs, raw.targets, classify)


BUILTIN_SPECS = BUILTIN_DATA


def builtin(name: str) -> LandscapeSpec:
    """A built-in question: xor, xor-pm, parity3 (2 or 3 tanh nodes, lambda = 1e-3) or iris (3 nodes, lambda = 1e-3)."""
    hidden = (2,) if name.startswith("xor") else (3,)
    data = builtin_data(name, classify=True)
    return LandscapeSpec(name=name, hidden=hidden, data=data, penalty=Fraction(1, 1000))


def load_spec(source: str | Path, **overrides: Any) -> LandscapeSpec:
    """The question that a TOML file or a built-in name asks, with some fields replaced.

    Parameters
    ----------
    source : str or Path
        A built-in name (xor, xor-pm, parity3, iris) or the path of a TOML file; a CSV file that it names is looked
        up beside it.
    **overrides
        Fields as for `LandscapeSpec.with_`; None leaves a field as it is.

    Raises
    ------
    SpecError
    """
    if str(source) in BUILTIN_SPECS:
        spec = builtin(str(source))
    else:
        path = Path(source)
        if path.suffix != ".toml":
            raise SpecError.at(
                "SPEC",
                f"{str(source)!r} is neither built in nor a .toml file",
                f"write one of {', '.join(BUILTIN_SPECS)} or a path",
            )
        spec = parse_spec(read_text(path), path.stem, lambda file: read_text(path.parent / file))
    given = {key: value for key, value in overrides.items() if value is not None}
    return spec.with_(**given) if given else spec


def read_text(path: str | Path) -> str:
    """The text of a file that a user names.

    Raises
    ------
    SpecError
        If it cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SpecError.at(str(path), f"cannot be read ({reason})", "give the path of a readable text file") from None
