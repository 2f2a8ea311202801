"""Derivatives with respect to the data: the inputs take part as one more layer below the first.

With s_0 = a_0 = x, so that p_0 = 1 and q_0 = 0, the recursions of `symland.program.derive` go on down to m = 0:

    G_{1,0} = W_1,   G_{n,0} = W_n A_{n-1,0},   A_{n,0} = p_n G_{n,0},   B_{0,n} = G_{n,0}^T B_{n,n}

by_input          dE/dx = W_1^T delta_1, for each sample                                        (D, n_0)
by_input_twice    d^2E/dx dx = B_{0,1} W_1; between different samples it is zero                (D, n_0, n_0)
mixed             d^2E/dx[k] dW_n[i,K] = a_{n-1}[K] B_{0,n}[k,i] + delta_n[i] A_{n-1,0}[K,k]    (D, n_0, P)
margins           m = S u - t, for each sample                                                  (D, q)
margins_by_input  S G_{L+1,0}                                                                   (D, q, n_0)
margins_by_theta  a_{n-1}[K] (S G_{L+1,n})[., i] for W_n[i,K]                                   (D, q, P)

A bias takes 1 for its a and has no second term. Where n = 1, A_{0,0} is the identity. The last layer's derivatives are
found for the contrasts V and carried over to W_{L+1} by B.
"""

from __future__ import annotations

from symland.layout import Block
from symland.program.builder import Builder, Term
from symland.program.ir import Ref, Role

__all__ = ["add_data_outputs"]

MARGIN = "margin"
"""The letter over the margins of an output; those of the recursion name a layer."""


def add_data_outputs(builder: Builder) -> None:
    """Statements for those outputs of this page that the builder was asked for."""
    _ByData(builder).write()


class _ByData:
    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.top = builder.top
        self.k = builder.letter("i", 0)

    def write(self) -> None:
        b, wanted = self.b, set(self.b.wanted)
        if "margins" in wanted:
            m = b.letter("i", self.top)
            b.add(Ref("margins", ("d", m)), Ref("m", ("d", m)))
        if "by_input" in wanted:
            i = b.letter("i", 1)
            b.add(Ref("by_input", ("d", self.k)), Ref("W1", (i, self.k)), Ref("delta1", ("d", i)))
        if wanted & {"mixed", "by_input_twice", "margins_by_input"}:
            self._jacobians()
        if wanted & {"mixed", "by_input_twice"}:
            self._curvature()
        if "margins_by_input" in wanted:
            b.sizes[MARGIN] = b.margins
            j = b.letter("j", self.top)
            g = Ref(f"G{self.top},0", ("d", j, self.k))
            if b.oriented:
                b.add(Ref("margins_by_input", ("d", MARGIN, self.k)), Ref("S", ("d", MARGIN, j)), g)
            else:
                b.add(Ref("margins_by_input", ("d", j, self.k)), g)
        if "margins_by_theta" in wanted:
            b.sizes[MARGIN] = b.margins
            b.jacobians()
            for block in b.spec.layout.blocks:
                self._margin_block(block)

    def _jacobians(self) -> None:
        """A_{n,0} and G_{n,0} for n > 1; G_{1,0} is W_1."""
        b, k = self.b, self.k
        for n in range(1, self.top + 1):
            j = b.letter("j", n)
            g = Ref("W1", (j, k))
            if n > 1:
                below = b.letter("k", n - 1)
                g = Ref(b.sample(f"G{n},0", n, 0), ("d", j, k))
                b.add(g, b.weight(n, j, below), Ref(f"A{n - 1},0", ("d", below, k)))
            if n < self.top:
                b.add(Ref(b.sample(f"A{n},0", n, 0), ("d", j, k)), Ref(f"p{n}", ("d", j)), g)

    def _jacobian(self, n: int, row: str, column: str) -> Ref:
        return Ref("W1", (row, column)) if n == 1 else Ref(f"G{n},0", ("d", row, column))

    def _curvature(self) -> None:
        b, k = self.b, self.k
        for n in range(1, self.top + 1):
            i, j = b.letter("i", n), b.letter("j", n)
            out = Ref(b.sample(f"B0,{n}", 0, n), ("d", k, j))
            b.add(out, self._jacobian(n, i, k), Ref(f"B{n},{n}", ("d", i, j)))
        if "by_input_twice" in b.wanted:
            j, other = b.letter("j", 1), b.letter("j", 0)
            b.add(Ref("by_input_twice", ("d", k, other)), Ref("B0,1", ("d", k, j)), Ref("W1", (j, other)))
        if "mixed" in b.wanted:
            for block in b.spec.layout.blocks:
                self._mixed_block(block)

    def _view(self, name: str, block: Block, rows: int) -> str:
        """A view of (samples, rows, block) into an output of shape (samples, rows, P)."""
        b, size = self.b, self.b.spec.n_parameters
        steps = (block.shape[1], 1) if block.kind == "W" else (1,)
        full = f"{name}:{block.kind}{block.layer}"
        shape, strides = (b.spec.n_samples, rows, *block.shape), (rows * size, size, *steps)
        b.view(full, name, shape, block.offset, strides, Role.OUTPUT)
        return full

    def _mixed_block(self, block: Block) -> None:
        b, k, n = self.b, self.k, block.layer
        group = b.group(block, "J", "K")
        name = self._view("mixed", block, b.spec.n_inputs)
        row = group.letters[0]
        index = ("d", k, *group.letters)
        terms: list[Term] = [(index, (Ref(f"B0,{n}", ("d", k, row)), *group.inputs))]
        if block.kind == "W":
            delta = Ref(f"delta{n}", ("d", row))
            if n == 1:
                # A_{0,0} is the identity: only K = k remains.
                terms.append((("d", k, row, k), (delta,)))
            else:
                terms.append((index, (delta, Ref(f"A{n - 1},0", ("d", group.letters[1], k)))))
        b.sum(Ref(name, index), terms)

    def _margin_block(self, block: Block) -> None:
        b, n = self.b, block.layer
        group = b.group(block, "J", "K")
        name = self._view("margins_by_theta", block, b.margins)
        row = group.letters[0]
        slope = Ref("S", ("d", MARGIN, row))
        if n < self.top:
            slope = Ref(f"S{n}", ("d", MARGIN, row))
            if slope.array not in b.arrays:
                b.array(slope.array, (b.spec.n_samples, b.margins, b.nodes[n]))
                i = b.letter("i", self.top)
                b.add(slope, Ref("S", ("d", MARGIN, i)), Ref(f"G{self.top},{n}", ("d", i, row)))
        index = ("d", MARGIN, *group.letters)
        b.sum(Ref(name, index), [(index, (slope, *group.inputs))])
