"""The statements of a derivation program, layer by layer; see `symland.program.derive` for what they compute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from symland.layout import Block
from symland.program.ir import Apply, Array, Contract, Formula, Program, Ref, Role, Statement
from symland.program.lower import lower
from symland.spec import LandscapeSpec, Penalised
from symland.symbolic.activation import Z, derive_activation
from symland.symbolic.head import Head, contrast, derive_head, orientation, shift

__all__ = ["ORDERS", "Builder", "Term", "output_shape"]

ORDERS = {
    "value": 0,
    "gradient": 1,
    "hessian": 2,
    "product": 2,
    "per_sample": 1,
    "by_input": 1,
    "by_input_twice": 2,
    "mixed": 2,
    "margins": 0,
    "margins_by_input": 1,
    "margins_by_theta": 1,
}
"""What a program can be asked for, and the derivatives of the activation and the head that it needs."""


@dataclass(frozen=True)
class _Group:
    """A parameter block, the letters of its axes, and the activation that multiplies it (none for a bias)."""

    block: Block
    letters: tuple[str, ...]
    inputs: tuple[Ref, ...]


Term = tuple[tuple[str | int, ...], tuple[Ref, ...]]
"""Indices of the output, and the factors whose product is added there."""


class Builder:
    """Writes the statements of one program; `a[l]`, `delta[l]`, ... name the arrays of layer l."""

    def __init__(self, spec: LandscapeSpec, wanted: tuple[str, ...]) -> None:
        self.spec = spec
        self.wanted = wanted
        self.order = max(ORDERS[w] for w in wanted)
        self.top = spec.layout.n_layers
        self.sizes: dict[str, int] = {"d": spec.n_samples}
        self.arrays: dict[str, Array] = {}
        self.formulas: dict[str, Formula] = {}
        self.statements: list[Statement] = []
        self.mean = Fraction(1, spec.n_samples)
        self.contrast = contrast(spec)
        self.margins = len(self.contrast) if self.contrast else spec.n_outputs
        # Nodes of each layer as the program sees them: at the top, margins in place of outputs.
        self.nodes = (*spec.widths[:-1], self.margins)
        self.oriented = orientation(spec) is not None
        self._inputs()

    # -- arrays ---------------------------------------------------------------------------------------------------

    def _inputs(self) -> None:
        spec, size = self.spec, self.spec.n_parameters
        self.array("theta", (size,), Role.INPUT)
        for block in spec.layout.blocks:
            self.view(f"{block.kind}{block.layer}", "theta", block.shape, block.offset, _steps(block, 1), Role.INPUT)
        self.data("x", (spec.n_samples, spec.n_inputs), (v for row in spec.data.inputs for v in row))
        if self.contrast:
            self.data("B", (self.margins, spec.n_outputs), (v for row in self.contrast for v in row))
        if (turns := orientation(spec)) is not None:
            shape = (spec.n_samples, self.margins, self.margins)
            self.data("S", shape, (v for turn in turns for row in turn for v in row))
        if (shifts := shift(spec)) is not None:
            self.data("t", (spec.n_samples, self.margins), (v for row in shifts for v in row))
        self.data("penalty", (), (spec.penalty,))
        if "product" in self.wanted:
            self.array("direction", (size,), Role.INPUT)
        for name in self.wanted:
            self.array(name, output_shape(spec, name, self.margins), Role.OUTPUT)

    def array(self, name: str, shape: tuple[int, ...], role: Role = Role.LOCAL) -> str:
        self.arrays[name] = Array(name=name, shape=shape, role=role)
        return name

    def view(
        self, name: str, base: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...], role: Role
    ) -> None:
        self.arrays[name] = Array(name=name, shape=shape, role=role, base=base, offset=offset, strides=strides)

    def data(self, name: str, shape: tuple[int, ...], values: Iterable[Fraction]) -> None:
        self.arrays[name] = Array(name=name, shape=shape, role=Role.DATA, values=tuple(values))

    def letter(self, name: str, layer: int) -> str:
        """A letter over the nodes of a layer."""
        letter = f"{name}{layer}"
        self.sizes[letter] = self.nodes[layer]
        return letter

    def sample(self, name: str, *layers: int) -> str:
        """A local array with an entry for each sample and each node of the layers."""
        return self.array(name, (self.spec.n_samples, *(self.nodes[layer] for layer in layers)))

    def add(self, out: Ref, *factors: Ref, coefficient: Fraction | int = 1, triangle: bool = False) -> None:
        self.statements.append(Contract(out=out, factors=factors, coefficient=Fraction(coefficient), triangle=triangle))

    # -- the parts of the network ---------------------------------------------------------------------------------

    def signal(self, layer: int, letter: str) -> Ref:
        """a_layer."""
        return Ref("x" if layer == 0 else f"a{layer}", ("d", letter))

    def weight(self, layer: int, row: str, column: str) -> Ref:
        """W_layer, or V = B W_{L+1} at the top of a loss with contrasts."""
        return Ref("V" if layer == self.top and self.contrast else f"W{layer}", (row, column))

    def forward(self) -> None:
        spec, top = self.spec, self.top
        activation = derive_activation(spec.activation)
        jet = activation.jet[: self.order + 1]
        self.formulas["activation"] = lower("activation", [Z], jet)
        if self.contrast:
            self.array("V", (self.margins, self.nodes[top - 1]))
            m, k, j = self.letter("i", top), "o", self.letter("j", top - 1)
            self.sizes[k] = spec.n_outputs
            self.add(Ref("V", (m, j)), Ref("B", (m, k)), Ref(f"W{top}", (k, j)))
            if spec.bias:
                self.array("v", (self.margins,))
                self.add(Ref("v", (m,)), Ref("B", (m, k)), Ref(f"b{top}", (k,)))
        for layer in range(1, top + 1):
            i, j = self.letter("i", layer), self.letter("j", layer - 1)
            s = self.sample("u" if layer == top else f"s{layer}", layer)
            self.add(Ref(s, ("d", i)), self.weight(layer, i, j), self.signal(layer - 1, j))
            if spec.bias:
                bias = "v" if layer == top and self.contrast else f"b{layer}"
                self.add(Ref(s, ("d", i)), Ref(bias, (i,)))
            if layer < top:
                names = [self.sample(f"{letter}{layer}", layer) for letter in "apq"[: len(jet)]]
                outs = tuple(Ref(name, ("d", i)) for name in names)
                self.statements.append(Apply(formula="activation", outs=outs, ins=(Ref(s, ("d", i)),)))
        self._margins()
        self._head(derive_head(spec.loss, self.margins))
        if "value" in self.wanted:
            self.add(Ref("value"), Ref("ell", ("d",)), coefficient=self.mean)

    def _margins(self) -> None:
        m, n = self.letter("i", self.top), self.letter("j", self.top)
        out = Ref(self.sample("m", self.top), ("d", m))
        if self.oriented:
            self.add(out, Ref("S", ("d", m, n)), Ref("u", ("d", n)))
        else:
            self.add(out, Ref("u", ("d", m)))
        if "t" in self.arrays:
            self.add(out, Ref("t", ("d", m)), coefficient=-1)

    def _head(self, head: Head) -> None:
        q = range(self.margins)
        outs = [Ref(self.array("ell", (self.spec.n_samples,)), ("d",))]
        expressions = [head.value]
        if self.order >= 1:
            self.sample("r", self.top)
            outs += [Ref("r", ("d", i)) for i in q]
            expressions += head.residual
        if self.order >= 2:
            self.sample("c", self.top, self.top)
            outs += [Ref("c", ("d", i, j)) for i in q for j in q]
            expressions += [head.curvature[i][j] for i in q for j in q]
        self.formulas["head"] = lower("head", head.margins, expressions)
        ins = tuple(Ref("m", ("d", i)) for i in q)
        self.statements.append(Apply(formula="head", outs=tuple(outs), ins=ins))

    def backward(self) -> None:
        m, n = self.letter("i", self.top), self.letter("j", self.top)
        delta = Ref(self.sample(f"delta{self.top}", self.top), ("d", n))
        if self.oriented:
            self.add(delta, Ref("S", ("d", m, n)), Ref("r", ("d", m)), coefficient=self.mean)
        else:
            self.add(delta, Ref("r", ("d", n)), coefficient=self.mean)
        for layer in range(self.top - 1, 0, -1):
            i, j = self.letter("i", layer + 1), self.letter("j", layer)
            e = Ref(self.sample(f"e{layer}", layer), ("d", j))
            self.add(e, self.weight(layer + 1, i, j), Ref(f"delta{layer + 1}", ("d", i)))
            out = Ref(self.sample(f"delta{layer}", layer), ("d", j))
            self.add(out, Ref(f"p{layer}", ("d", j)), e)

    def group(self, block: Block, node: str, below: str) -> _Group:
        """A parameter block with a letter for its nodes and, for weights, one for the nodes of the layer before."""
        rows = self.letter(node, block.layer)
        if block.kind == "b":
            return _Group(block, (rows,), ())
        columns = self.letter(below, block.layer - 1)
        return _Group(block, (rows, columns), (self.signal(block.layer - 1, columns),))

    def gradient(self) -> None:
        for block in self.spec.layout.blocks:
            group = self.group(block, "j", "k")
            name = f"gradient:{block.kind}{block.layer}"
            self.view(name, "gradient", block.shape, block.offset, _steps(block, 1), Role.OUTPUT)
            delta = Ref(f"delta{block.layer}", ("d", group.letters[0]))
            self.sum(Ref(name, group.letters), [(group.letters, (delta, *group.inputs))])

    def sum(self, out: Ref, terms: list[Term], triangle: bool = False, coefficient: int = 1) -> None:
        """out += coefficient * sum of the terms' products over the letters that are not in `out`.

        Where letters of `out` count margins of a loss with contrasts, the sum is found in a local array first, and B
        carries those axes over to the outputs.
        """
        turned = [axis for axis, i in enumerate(out.index) if self.contrast and self._at_top(i)]
        if not turned:
            for index, factors in terms:
                self.add(Ref(out.array, index), *factors, triangle=triangle, coefficient=coefficient)
            return
        local = self.array(f"sum:{out.array}", tuple(self.sizes[str(i)] for i in out.index))
        for index, factors in terms:
            self.add(Ref(local, index), *factors)
        target = list(out.index)
        for axis in turned:
            target[axis] = f"o{axis}"
            self.sizes[f"o{axis}"] = self.spec.n_outputs
        turns = (Ref("B", (out.index[axis], f"o{axis}")) for axis in turned)
        self.add(
            Ref(out.array, tuple(target)), *turns, Ref(local, out.index), triangle=triangle, coefficient=coefficient
        )

    def _at_top(self, index: str | int) -> bool:
        return isinstance(index, str) and index[1:] == str(self.top)

    def second_order(self) -> None:
        """B_{m,n} for 1 <= m <= n, and the entries of the Hessian where they are wanted."""
        self.jacobians()
        self._curvature()
        for n in range(self.top, 0, -1):
            if n < self.top:
                self._diagonal_block(n)
            for m in range(n - 1, 0, -1):
                i, j, k = self.letter("i", m), self.letter("j", n), self.letter("k", n)
                # B_{m,n} = G_{n,m}^T B_{n,n}
                out = Ref(self.sample(f"B{m},{n}", m, n), ("d", i, j))
                self.add(out, Ref(f"G{n},{m}", ("d", k, i)), Ref(f"B{n},{n}", ("d", k, j)))
            if "hessian" in self.wanted:
                for m in range(n, 0, -1):
                    self._entries(m, n)

    def jacobians(self) -> None:
        """G_{m+1,m} = W_{m+1} diag(p_m), G_{n,m} = W_n A_{n-1,m}, A_{n,m} = diag(p_n) G_{n,m}; written once."""
        if f"G{self.top},{self.top - 1}" in self.arrays:
            return
        for m in range(1, self.top):
            i = self.letter("i", m)
            for n in range(m + 1, self.top + 1):
                j, k = self.letter("j", n), self.letter("k", n - 1)
                g = Ref(self.sample(f"G{n},{m}", n, m), ("d", j, i))
                if n == m + 1:
                    self.add(g, self.weight(n, j, i), Ref(f"p{m}", ("d", i)))
                else:
                    self.add(g, self.weight(n, j, k), Ref(f"A{n - 1},{m}", ("d", k, i)))
                if n < self.top:
                    self.add(Ref(self.sample(f"A{n},{m}", n, m), ("d", j, i)), Ref(f"p{n}", ("d", j)), g)

    def _curvature(self) -> None:
        """B_{L+1,L+1} = (1/D) S^T head'' S."""
        top = self.top
        i, j, k, n = (self.letter(x, top) for x in "ijkl")
        out = Ref(self.sample(f"B{top},{top}", top, top), ("d", i, j))
        if not self.oriented:
            self.add(out, Ref("c", ("d", i, j)), coefficient=self.mean)
            return
        half = self.sample("cS", top, top)
        self.add(Ref(half, ("d", k, j)), Ref("c", ("d", k, n)), Ref("S", ("d", n, j)))
        self.add(out, Ref("S", ("d", k, i)), Ref(half, ("d", k, j)), coefficient=self.mean)

    def _diagonal_block(self, n: int) -> None:
        """B_{n,n} = B_{n,n+1} G_{n+1,n} + diag(e_n q_n)."""
        i, j, k = self.letter("i", n), self.letter("j", n), self.letter("k", n + 1)
        name = self.sample(f"B{n},{n}", n, n)
        self.add(Ref(name, ("d", i, j)), Ref(f"B{n},{n + 1}", ("d", i, k)), Ref(f"G{n + 1},{n}", ("d", k, j)))
        self.add(Ref(name, ("d", i, i)), Ref(f"e{n}", ("d", i)), Ref(f"q{n}", ("d", i)))

    def _entries(self, m: int, n: int) -> None:
        """The entries of the Hessian between the parameters of layers m <= n."""
        layout = self.spec.layout
        for first in (b for b in layout.blocks if b.layer == m):
            for second in (b for b in layout.blocks if b.layer == n):
                if m == n and first.offset > second.offset:
                    continue
                row, column = self.group(first, "j", "k"), self.group(second, "J", "K")
                j, J = row.letters[0], column.letters[0]
                block = Ref(f"B{m},{n}", ("d", j, J))
                terms: list[Term] = [(row.letters + column.letters, (block, *row.inputs, *column.inputs))]
                if m < n and second.kind == "W":
                    delta = Ref(f"delta{n}", ("d", J))
                    if m == n - 1:
                        # A_{m,m} = diag(p_m): only K = j remains.
                        index, slope = (*row.letters, J, j), Ref(f"p{m}", ("d", j))
                    else:
                        index = row.letters + column.letters
                        slope = Ref(f"A{n - 1},{m}", ("d", column.letters[1], j))
                    terms.append((index, (delta, slope, *row.inputs)))
                self._block(row, column, terms)

    def _block(self, row: _Group, column: _Group, terms: list[Term]) -> None:
        """One block of the Hessian, turned so that its rows come before its columns in theta."""
        split = len(row.letters)
        if row.block.offset > column.block.offset:
            row, column = column, row
            terms = [(index[split:] + index[:split], factors) for index, factors in terms]
        size = self.spec.n_parameters
        name = f"hessian:{row.block.kind}{row.block.layer},{column.block.kind}{column.block.layer}"
        offset = row.block.offset * size + column.block.offset
        strides = _steps(row.block, size) + _steps(column.block, 1)
        self.view(name, "hessian", row.block.shape + column.block.shape, offset, strides, Role.OUTPUT)
        self.sum(Ref(name, row.letters + column.letters), terms, triangle=row.block == column.block)

    def penalty(self) -> None:
        """lambda sum theta_p^2 and its derivatives, block by block of penalised parameters."""
        size, weight = self.spec.n_parameters, Ref("penalty")
        for number, (start, stop) in enumerate(self.penalised()):
            name, p = f"penalised{number}", f"p{number}"
            self.sizes[p] = stop - start
            self.view(f"{name}:theta", "theta", (stop - start,), start, (1,), Role.INPUT)
            theta = Ref(f"{name}:theta", (p,))
            if "value" in self.wanted:
                self.add(Ref("value"), weight, theta, theta)
            if "gradient" in self.wanted:
                self.view(f"{name}:gradient", "gradient", (stop - start,), start, (1,), Role.OUTPUT)
                self.add(Ref(f"{name}:gradient", (p,)), weight, theta, coefficient=2)
            if "hessian" in self.wanted:
                offset = start * (size + 1)
                self.view(f"{name}:hessian", "hessian", (stop - start,), offset, (size + 1,), Role.OUTPUT)
                self.add(Ref(f"{name}:hessian", (p,)), weight, coefficient=2)

    def penalised(self) -> list[tuple[int, int]]:
        """Ranges of theta that are penalised."""
        if self.spec.penalised is Penalised.ALL:
            return [(0, self.spec.n_parameters)]
        return [(0, sum(b.size for b in self.spec.layout.blocks if b.kind == "W"))]

    def program(self) -> Program:
        return Program(sizes=self.sizes, arrays=self.arrays, formulas=self.formulas, statements=tuple(self.statements))


def output_shape(spec: LandscapeSpec, name: str, margins: int) -> tuple[int, ...]:
    """The shape of a program's output, for a loss with so many margins."""
    size, samples, inputs = spec.n_parameters, spec.n_samples, spec.n_inputs
    return {
        "value": (),
        "gradient": (size,),
        "hessian": (size, size),
        "product": (size,),
        "per_sample": (samples, size),
        "by_input": (samples, inputs),
        "by_input_twice": (samples, inputs, inputs),
        "mixed": (samples, inputs, size),
        "margins": (samples, margins),
        "margins_by_input": (samples, margins, inputs),
        "margins_by_theta": (samples, margins, size),
    }[name]


def _steps(block: Block, step: int) -> tuple[int, ...]:
    """Strides of a block's axes where neighbours in theta stand `step` apart."""
    return (block.shape[1] * step, step) if block.kind == "W" else (step,)
