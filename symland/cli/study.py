"""`symland study`: a grid of landscapes over widths, penalties, data sets, wrong labels, and positions of an input."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from symland.cli.account import OPEN
from symland.cli.app import app
from symland.cli.display import Progress, print_json, print_table, say
from symland.cli.options import Folder, Json, Search, Spec, executor
from symland.errors import ExplorationError

__all__ = ["study"]


@app.command
def study(
    spec: Spec,
    /,
    *,
    output: Folder,
    hidden: Annotated[str | None, Parameter(help="Widths of the hidden layer, such as 1..4 or 1,2,4.")] = None,
    penalty: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Penalties as exact text, such as 1e-1,1e-2,1e-3.")
    ] = None,
    inputs: Annotated[str | None, Parameter(help="Built-in data sets instead of the specification's.")] = None,
    flip: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Shares of wrong labels, such as 0,0.1,1.")
    ] = None,
    move: Annotated[
        str | None,
        Parameter(help="Positions of one input, ROW,COLUMN=FIRST..LAST:COUNT such as 3,0=0..1:11, counted from 0."),
    ] = None,
    seed: Annotated[int, Parameter(help="Makes searches and wrong labels repeatable.")] = 0,
    test: Annotated[
        Path | None, Parameter(help="A CSV file of test data, for the AUC of the minima; the training data's columns.")
    ] = None,
    until: Annotated[str | None, Parameter(help="When a search stops, as for `explore`.")] = None,
    max_index: Annotated[
        int | None, Parameter(help="Highest index to search for, such as 1; by default one beyond the highest found.")
    ] = None,
    budget: Annotated[str | None, Parameter(help="Longest time, such as 10m; the same command goes on.")] = None,
    searches: Annotated[int | None, Parameter(help="Most searches in a cell.")] = None,
    workers: Annotated[int, Parameter(help="Processes to search with; the lists do not depend on it.")] = 1,
    scheduler: Annotated[
        str | None, Parameter(help="Address of a Dask scheduler whose workers search instead.")
    ] = None,
    json: Json = False,
) -> int:
    """Explore a grid of landscapes, and tabulate and draw how the stationary points grow.

    A run that was cut off says what each cell has so far, and goes on where it was. Exit status 1 when a Morse sum is
    not 1, a search ended before its rules were met, or cells are not done.

    Example: `symland study xor --hidden 1..3 --penalty 1e-1,1e-2,1e-3 -o grid`, and
    `symland study xor --hidden 1 --move 3,0=0..1:11 -o moved`
    """
    from symland.codec import plain
    from symland.explore import DEFAULT_RULES, parse_duration, parse_rules
    from symland.explore.exploration import MOST_SEARCHES
    from symland.families.study import Grid, study_table
    from symland.pipeline.study import auc_scorer, study_into, write_study
    from symland.spec import load_spec

    if searches is not None and searches < 1:
        raise ExplorationError(f"--searches: {searches}; write 1 or more")
    if max_index is not None and max_index < 0:
        raise ExplorationError(f"--max-index: {max_index}; write 0 for minima, 1 for transition states too, or more")
    rules = DEFAULT_RULES if until is None else until
    parse_rules(rules)
    grid = Grid.of(load_spec(spec), hidden=hidden, penalty=penalty, inputs=inputs, flip=flip, move=move, seed=seed)
    seconds = None if budget is None else parse_duration(budget)
    scorer = None if test is None else auc_scorer(grid, test)
    progress = Progress()
    progress.begin("study")
    with executor(Search(workers=workers, scheduler=scheduler)) as pool:
        found = study_into(
            grid,
            output,
            until=rules,
            budget=seconds,
            clock=time.monotonic,
            max_searches=MOST_SEARCHES if searches is None else searches,
            max_index=max_index,
            executor=pool,
            scorer=scorer,
            listener=progress,
        )
    progress.end(f"{len(found.cells)} of {found.total} cells")
    files = write_study(found, output)
    if json:
        print_json({"schema": "symland-study/1", **plain(found)})
    else:
        for table in (
            *([study_table(found)] if found.cells else []),
            *([study_table(found, found.unfinished)] if found.unfinished else []),
        ):
            print_table(table.title, table.heads, table.texts())
        for path in files:
            say(str(path))
    faults = [
        f"{cell.file}: Morse sum {cell.morse_sum}, points are missing" for cell in found.cells if cell.morse is False
    ]
    faults += [f"{cell.file}: the rules for stopping are not met" for cell in found.cells if not cell.satisfied]
    if len(found.cells) < found.total:
        faults.append(
            f"{found.total - len(found.cells)} of {found.total} cells are not done. What was found is kept: the same "
            "command goes on, or another folder with rules that are met sooner, such as --until 'coverage 0.9'"
        )
    for fault in faults:
        say(fault)
    return OPEN if faults else 0
