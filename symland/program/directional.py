"""Further outputs of a derivation program: the Hessian times a vector, and the gradient of every sample.

With R f = d/dt f(theta + t v) at t = 0 (Pearlmutter 1994), and W' , b' the parts of the direction v:

forward     R s_l = W_l R a_{l-1} + W'_l a_{l-1} + b'_l,   R a_l = p_l R s_l,   R m = S R u
backward    R delta_{L+1} = (1/D) S^T head''(m) R m,   R e_l = W_{l+1}^T R delta_{l+1} + W'_{l+1}^T delta_{l+1},
            R delta_l = p_l R e_l + q_l R s_l e_l
product     H v = sum_d R delta_l a_{l-1}^T + delta_l R a_{l-1}^T for W_l,   sum_d R delta_l for b_l,
            and 2 lambda v for every penalised parameter

It costs about as much as a gradient. The gradient of the loss ell of a sample d is D delta_l a_{l-1}^T, without the
penalty.
"""

from __future__ import annotations

from math import prod

from symland.layout import Block
from symland.program.builder import Builder, Term
from symland.program.ir import Ref, Role

__all__ = ["add_per_sample", "add_product"]


def _steps(block: Block) -> tuple[int, ...]:
    return (block.shape[1], 1) if block.kind == "W" else (1,)


def add_per_sample(builder: Builder) -> None:
    """Statements for the output "per_sample", of shape (D, P)."""
    samples, size = builder.spec.n_samples, builder.spec.n_parameters
    for block in builder.spec.layout.blocks:
        group = builder.group(block, "j", "k")
        name = f"per_sample:{block.kind}{block.layer}"
        builder.view(name, "per_sample", (samples, *block.shape), block.offset, (size, *_steps(block)), Role.OUTPUT)
        delta = Ref(f"delta{block.layer}", ("d", group.letters[0]))
        index = ("d", *group.letters)
        builder.sum(Ref(name, index), [(index, (delta, *group.inputs))], coefficient=samples)


def add_product(builder: Builder) -> None:
    """Statements for the output "product" = H v, of shape (P,), with the input "direction" v."""
    _Product(builder).write()


class _Product:
    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.top = builder.top

    def write(self) -> None:
        b = self.b
        for block in b.spec.layout.blocks:
            b.view(f"{block.kind}{block.layer}'", "direction", block.shape, block.offset, _steps(block), Role.INPUT)
        if b.contrast:
            self._contrast()
        self._forward()
        self._backward()
        for block in b.spec.layout.blocks:
            self._block(block)
        for number, (start, stop) in enumerate(b.penalised()):
            p = f"h{number}"
            b.sizes[p] = stop - start
            b.view(f"penalised{number}:direction", "direction", (stop - start,), start, (1,), Role.INPUT)
            b.view(f"penalised{number}:product", "product", (stop - start,), start, (1,), Role.OUTPUT)
            v = Ref(f"penalised{number}:direction", (p,))
            b.add(Ref(f"penalised{number}:product", (p,)), Ref("penalty"), v, coefficient=2)

    def _weight(self, layer: int, row: str, column: str) -> Ref:
        return Ref("V'" if layer == self.top and self.b.contrast else f"W{layer}'", (row, column))

    def _contrast(self) -> None:
        b, top = self.b, self.top
        m, j = b.letter("i", top), b.letter("j", top - 1)
        b.array("V'", (b.margins, b.nodes[top - 1]))
        b.add(Ref("V'", (m, j)), Ref("B", (m, "o")), Ref(f"W{top}'", ("o", j)))
        if b.spec.bias:
            b.array("v'", (b.margins,))
            b.add(Ref("v'", (m,)), Ref("B", (m, "o")), Ref(f"b{top}'", ("o",)))

    def _forward(self) -> None:
        b, top = self.b, self.top
        for layer in range(1, top + 1):
            i, j = b.letter("i", layer), b.letter("j", layer - 1)
            s = Ref(b.sample("Ru" if layer == top else f"Rs{layer}", layer), ("d", i))
            b.add(s, self._weight(layer, i, j), b.signal(layer - 1, j))
            if layer > 1:
                b.add(s, b.weight(layer, i, j), Ref(f"Ra{layer - 1}", ("d", j)))
            if b.spec.bias:
                b.add(s, Ref("v'" if layer == top and b.contrast else f"b{layer}'", (i,)))
            if layer < top:
                b.add(Ref(b.sample(f"Ra{layer}", layer), ("d", i)), Ref(f"p{layer}", ("d", i)), s)

    def _backward(self) -> None:
        b, top = self.b, self.top
        m, n = b.letter("i", top), b.letter("j", top)
        moved = Ref("Ru", ("d", n))
        if b.oriented:
            moved = Ref(b.sample("Rm", top), ("d", n))
            b.add(Ref("Rm", ("d", m)), Ref("S", ("d", m, n)), Ref("Ru", ("d", n)))
        turned = Ref(b.sample("Rr", top), ("d", m))
        b.add(turned, Ref("c", ("d", m, n)), moved)
        delta = b.sample(f"Rdelta{top}", top)
        if b.oriented:
            b.add(Ref(delta, ("d", n)), Ref("S", ("d", m, n)), turned, coefficient=b.mean)
        else:
            b.add(Ref(delta, ("d", m)), turned, coefficient=b.mean)
        for layer in range(top - 1, 0, -1):
            i, j = b.letter("i", layer + 1), b.letter("j", layer)
            e = Ref(b.sample(f"Re{layer}", layer), ("d", j))
            b.add(e, b.weight(layer + 1, i, j), Ref(f"Rdelta{layer + 1}", ("d", i)))
            b.add(e, self._weight(layer + 1, i, j), Ref(f"delta{layer + 1}", ("d", i)))
            out = Ref(b.sample(f"Rdelta{layer}", layer), ("d", j))
            b.add(out, Ref(f"p{layer}", ("d", j)), e)
            b.add(out, Ref(f"q{layer}", ("d", j)), Ref(f"Rs{layer}", ("d", j)), Ref(f"e{layer}", ("d", j)))

    def _block(self, block: Block) -> None:
        b = self.b
        group = b.group(block, "j", "k")
        name = f"product:{block.kind}{block.layer}"
        b.view(name, "product", block.shape, block.offset, _steps(block), Role.OUTPUT)
        row = ("d", group.letters[0])
        terms: list[Term] = [(group.letters, (Ref(f"Rdelta{block.layer}", row), *group.inputs))]
        if block.kind == "W" and block.layer > 1:
            below = Ref(f"Ra{block.layer - 1}", ("d", group.letters[1]))
            terms.append((group.letters, (Ref(f"delta{block.layer}", row), below)))
        assert prod(block.shape) == block.size
        b.sum(Ref(name, group.letters), terms)
