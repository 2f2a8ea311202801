"""What runs over a range of theta, taken block by block: the penalty of the weights of one layer, then of the next.

    gradient[p] += 2 lambda theta[p]   becomes   gradient[W1[j,k]] += 2 lambda W1[j,k],   gradient[b1[j]] += ...

so that these loops are loops over nodes, like those that make the gradient, and can be one with them.
"""

from __future__ import annotations

from dataclasses import replace

from symland.program.ir import Array, Contract, Program, Ref, Statement

__all__ = ["by_blocks"]


def by_blocks(program: Program) -> Program:
    """The program with each sum over a range of parameters written block by block, in the order of theta."""
    blocks = [a for a in program.arrays.values() if a.base == "theta" != a.name and a.strides == _row_major(a)]
    sizes, arrays = dict(program.sizes), dict(program.arrays)
    statements: list[Statement] = []
    for statement in program.statements:
        start, inside = _blocks_of(program, statement, blocks)
        if not isinstance(statement, Contract) or not inside:
            statements.append(statement)
            continue
        for block in inside:
            letters = tuple(f"{statement.letters[0]} of {block.name} {k}" for k in range(len(block.shape)))
            sizes.update(zip(letters, block.shape, strict=True))
            refs = [_part(program.arrays[ref.array], block, start) for ref in _ranged(statement)]
            arrays.update((a.name, a) for a in refs)
            parts = {ref: Ref(a.name, letters) for ref, a in zip(_ranged(statement), refs, strict=True)}
            factors = tuple(parts.get(ref, ref) for ref in statement.factors)
            statements.append(replace(statement, out=parts.get(statement.out, statement.out), factors=factors))
    return replace(program, sizes=sizes, arrays=arrays, statements=tuple(statements))


def _row_major(array: Array) -> tuple[int, ...]:
    return Array(name=array.name, shape=array.shape, role=array.role, values=array.values).strides


def _ranged(statement: Contract) -> list[Ref]:
    """The references that run over something."""
    return [ref for ref in (statement.out, *statement.factors) if ref.index]


def _part(array: Array, block: Array, start: int) -> Array:
    """The entries of an array over the parameters from `start` on that belong to a block."""
    return replace(
        array,
        name=f"{array.name} of {block.name}",
        shape=block.shape,
        offset=array.offset + block.offset - start,
        strides=block.strides,
    )


def _blocks_of(program: Program, statement: Statement, blocks: list[Array]) -> tuple[int, list[Array]]:
    """Where the range of a statement starts in theta, and the blocks that make it up; none where it is another one."""
    if not isinstance(statement, Contract) or len(statement.letters) != 1:
        return 0, []
    over = [program.arrays[ref.array] for ref in _ranged(statement)]
    theta = [a for a in over if a.base in ("theta", "direction")]
    if not theta or any(len(a.shape) != 1 or a.strides != (1,) or a.shape != theta[0].shape for a in over):
        return 0, []
    start, stop = theta[0].offset, theta[0].offset + theta[0].size
    inside = [a for a in blocks if start <= a.offset and a.offset + a.size <= stop and a.size < stop - start]
    inside.sort(key=lambda a: a.offset)
    ends = [start, *(a.offset + a.size for a in inside)]
    tight = ends[-1] == stop and all(a.offset == end for a, end in zip(inside, ends, strict=False))
    return start, inside if tight and len(inside) > 1 else []
