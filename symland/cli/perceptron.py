"""`symland perceptron`: all solutions of perceptrons with weights +1 and -1, and what learning rules find."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import Json, OptionalFolder
from symland.errors import SpecError

__all__ = ["perceptron"]


@app.command
def perceptron(
    *,
    size: Annotated[
        int, Parameter(help="Weights N, odd: to 31, beyond with --solver focusing-bp; 3 k for a committee.")
    ] = 21,
    patterns: Annotated[int, Parameter(help="Random patterns.")] = 11,
    instances: Annotated[int, Parameter(help="Random instances.")] = 20,
    units: Annotated[int, Parameter(help="1 for a perceptron, 3 for a tree committee.")] = 1,
    solver: Annotated[
        list[str] | None,
        Parameter(negative="", help="A rule to try, repeated for more; all by default."),
    ] = None,
    seed: Annotated[int, Parameter(help="Makes it repeatable.")] = 0,
    output: OptionalFolder = None,
    json: Json = False,
) -> int:
    """Count all solutions of binary perceptrons exactly, and place what learning rules find among them.

    With `-o` a picture of the local entropy against distance is written into a directory.

    Example: `symland perceptron --size 21 --patterns 11 --instances 20`
    """
    from symland.codec import plain
    from symland.perceptron.counting import LARGEST_SIZE
    from symland.perceptron.study import NEAR, SOLVERS, study

    if size > LARGEST_SIZE and units == 1 and solver == ["focusing-bp"]:
        if output is not None:
            raise SpecError.at("--output", "a picture of exact counts", f"leave it out above {LARGEST_SIZE} weights")
        return _large(size, patterns, instances, seed, json)
    progress = Progress()
    progress.begin("perceptron")
    chosen = tuple(SOLVERS) if solver is None else tuple(solver)
    found = study(
        size,
        patterns,
        instances,
        units=units,
        solvers=chosen,
        seed=seed,
        progress=lambda done, total: progress.advance("instances", done, total),
    )
    solvable = sum(i.solutions > 0 for i in found.instances)
    progress.end(f"{solvable} of {len(found.instances)} instances have solutions")
    if output is not None:
        from symland.figures.perceptron import distance_figure
        from symland.figures.style import save_figure

        output.mkdir(parents=True, exist_ok=True)
        save_figure(distance_figure(found), output, "local-entropy")
    if json:
        print_json({"schema": "symland-perceptron/1", **plain(found)})
        return 0
    rows = [
        [
            str(i.seed),
            str(i.solutions),
            str(i.isolated),
            str(i.clusters),
            "-" if i.typical_near is None else f"{i.typical_near:.1f}",
            *("-" if f.near is None else str(f.near) for f in i.found),
        ]
        for i in found.instances
    ]
    names = [f.solver for f in next((i.found for i in found.instances if i.found), ())]
    rows = [row + ["-"] * (5 + len(names) - len(row)) for row in rows]
    heads = ["instance", "solutions", "isolated", "clusters", f"within {NEAR} of a typical one", *names]
    print_table(f"N = {found.size}, P = {found.patterns}", heads, rows)
    say(f"share of solvable instances {found.p_solvable:.3g} +- {found.p_error:.2g}")
    say(f"mean number of solutions {found.annealed:.6g} over all sets")
    for name, share in found.solved.items():
        ratios = [
            f.near / i.typical_near
            for i in found.instances
            for f in i.found
            if f.solver == name and f.near is not None and i.typical_near
        ]
        mean = sum(ratios) / len(ratios) if ratios else 0.0
        ended = f"; ends among {mean:.2f} times as many solutions as a typical one has" if ratios else ""
        say(f"{name}: solves {share:.1%} of the solvable{ended}")
    return 0


def _large(size: int, patterns: int, instances: int, seed: int, json: bool) -> int:
    """Focusing alone, where solutions cannot be counted; exit status 1 where it leaves an instance open."""
    from symland.codec import plain
    from symland.perceptron.local import large_study

    progress = Progress()
    progress.begin("perceptron")
    found = large_study(
        size,
        patterns,
        instances,
        seed=seed,
        progress=lambda done, total: progress.advance("instances", done, total),
    )
    progress.end(f"focusing solved {round(found.solved * instances)} of {instances} instances")
    status = 0 if found.solved == 1 else 1
    if json:
        print_json({"schema": "symland-perceptron-large/1", **plain(found)})
        return status
    rows = [
        [str(i.seed), f"{e.overlap:.4f}", f"{e.distance:.1f}", "-" if e.entropy is None else f"{e.entropy:.4f}"]
        for i in found.instances
        for e in i.local_entropy
    ]
    heads = ["instance", "overlap", "distance", "ln(solutions) / N, estimated"]
    print_table(f"N = {size}, P = {patterns}: around the solutions of focusing", heads, rows)
    return status
