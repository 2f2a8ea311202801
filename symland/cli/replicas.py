"""`symland replicas`: searches that look for width, against plain descent."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import Json, OptionalFolder, Overrides, Spec, read_spec

__all__ = ["replicas"]


@app.command(name="replicas")
def replicas(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    count: Annotated[int, Parameter(name="--replicas", help="Replicas that are drawn together.")] = 5,
    runs: Annotated[int, Parameter(help="Runs of each search.")] = 100,
    scale: Annotated[float, Parameter(help="Standard deviation of the starts, in units of theta.")] = 0.5,
    seed: Annotated[int, Parameter(help="Makes it repeatable.")] = 0,
    output: OptionalFolder = None,
    json: Json = False,
) -> int:
    """See where replicated descent, entropy-SGD and a growing norm end, against plain descent and the best of several.

    With `-o` a picture of the ends is written into a directory.

    Example: `symland replicas xor --hidden 2 --penalty 1e-3 --replicas 5 --runs 100`
    """
    from symland.analysis.replicas import run_replicas
    from symland.codec import plain

    progress = Progress()
    progress.begin("replicas")
    found = run_replicas(
        read_spec(spec, overrides), replicas=count, runs=runs, scale=scale, seed=seed, progress=progress.advance
    )
    progress.end(f"{found.runs} runs of {found.replicas} replicas")
    if output is not None:
        from symland.figures import save_figure
        from symland.figures.flatness import ends_figure

        output.mkdir(parents=True, exist_ok=True)
        save_figure(ends_figure(found), output, "ends")
    if json:
        print_json({"schema": "symland-replicas/1", **plain(found)})
        return 0
    names = list(found.ends[0].shares)
    rows = [
        [f"{e.loss:.8f}", f"{e.trace:.5g}", f"{e.log_det:.5g}", *(f"{e.shares[n]:.3f}" for n in names)]
        for e in found.ends
    ]
    print_table("Where runs end", ["loss", "trace", "ln det", *names], rows)
    say(
        f"bad ends: replicated {found.bad_share:.3f} +- {found.bad_error:.3f}, single "
        f"{found.single_bad_share:.3f} +- {found.single_bad_error:.3f}, best of {found.replicas} single runs "
        f"{found.best_of_bad_share:.3f} (expected {found.expected_best_of:.3f})"
    )
    if found.unsettled:
        say(f"{found.unsettled} runs had not settled and count as bad")
    return 0
