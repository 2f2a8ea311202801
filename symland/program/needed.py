"""A program without what none of its outputs needs, such as the head of the loss where margins alone are asked for."""

from __future__ import annotations

from dataclasses import replace

from symland.program.ir import Apply, Program, Statement

__all__ = ["needed"]


def needed(program: Program) -> Program:
    """The same outputs from the statements that lead to them; statements stand in the order of their evaluation."""
    wanted = set(program.outputs)
    kept: list[Statement] = []
    for statement in reversed(program.statements):
        outs = statement.outs if isinstance(statement, Apply) else (statement.out,)
        if not wanted & {program.arrays[out.array].base for out in outs}:
            continue
        kept.append(statement)
        used = statement.ins if isinstance(statement, Apply) else statement.factors
        wanted |= {program.arrays[ref.array].base for ref in used}
    return replace(program, statements=tuple(reversed(kept)))
