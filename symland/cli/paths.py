"""Verbs for what connects minima: double-ended searches, paths and their barriers, pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from symland.cli.account import say_unfinished, show_account
from symland.cli.app import app
from symland.cli.display import Progress, print_files, print_json, print_table, say
from symland.cli.options import DatabaseFile, Json
from symland.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symland.landscape.database import Database

__all__ = ["connect", "draw", "path"]


@app.command
def connect(
    *between: Annotated[int, Parameter(help="Two classes of minima, or none.")],
    db: DatabaseFile,
    attempts: Annotated[int, Parameter(help="Double-ended searches between minima that stay apart, at most.")] = 20,
    budget: Annotated[str | None, Parameter(help="Time, such as 90s or 2h; the same command goes on later.")] = None,
    json: Json = False,
) -> int:
    """Follow every transition state down both sides, and search from both ends between minima that stay apart.

    With two classes of minima, a double-ended search between these two, whatever joins them already. Pathways are kept
    as they are found; transition states whose pathway is known are not followed again.

    Example: `symland connect 0 4 --db xor.sqlite`
    """
    from symland import pipeline
    from symland.explore import parse_duration
    from symland.landscape.database import Database

    if len(between) not in (0, 2):
        raise ReportError(f"{len(between)} classes to connect; write two, or none for all that stay apart")
    progress = Progress()
    with Database.open(db) as database:
        before = len(database.points())
        progress.begin("connect")
        pair = (between[0], between[1]) if between else None
        deadline = pipeline.Deadline.of(time.monotonic, None if budget is None else parse_duration(budget))
        unfinished = []
        try:
            with deadline.limit():
                found = pipeline.connect_into(database, between=pair, attempts=attempts, listener=progress)
                result = f"{len(found.pathways)} pathways, {len(found.points) - before} new classes"
        except pipeline.BudgetSpent:
            unfinished, result = ["connect"], f"NOT finished: {len(database.pathways())} pathways are kept"
        progress.end(result)
        return max(show_account(database, json, ("connections",)), say_unfinished(unfinished))


@app.command
def path(
    start: Annotated[int, Parameter(help="Class of the minimum, or transition state, to begin at.")],
    end: Annotated[int, Parameter(help="Class to end at.")],
    /,
    *,
    db: DatabaseFile,
    temperature: Annotated[
        float, Parameter(help="For the fastest path, in units of the loss; low, and barriers alone decide.")
    ] = 0.01,
    json: Json = False,
) -> None:
    """Show the lowest and the fastest path between two minima, and their barriers.

    Example: `symland path 0 4 --db xor.sqlite --temperature 0.05`
    """
    from symland.landscape.database import Database
    from symland.landscape.network import add_transition_state, fastest_path, lowest_path

    with Database.open(db) as database:
        landscape = database.landscape().explored()
    points, network = landscape.points, landscape.network()
    for number in (start, end):
        add_transition_state(network, points, landscape.pathways, number)
    found = {
        "lowest": lowest_path(network, start, end),
        "fastest": fastest_path(network, start, end, temperature),
    }
    out: dict[str, Any] = {}
    for name, way in found.items():
        out[name] = {
            "places": list(way.minima),
            "transition_states": list(way.transition_states),
            "highest": way.highest,
            "barrier": way.barrier,
            "barrier_back": way.highest - points[end].loss,
        }
    if json:
        print_json(out)
        return
    for name, way in found.items():
        stations = [("at", way.minima[0])]
        for state, place in zip(way.transition_states, way.minima[1:], strict=True):
            stations += [("over", state), ("at", place)]
        rows = [
            [word, str(n), str(points[n].index), f"{points[n].loss:.12g}", f"{points[n].loss - points[start].loss:.6g}"]
            for word, n in stations
        ]
        heading = "lowest path" if name == "lowest" else f"fastest path, temperature {temperature:g}"
        print_table(heading, ["", "class", "index", "loss", "above the start"], rows)
        say(f"{name} path: barrier {way.barrier:.12g} there, {out[name]['barrier_back']:.12g} back")


@app.command
def draw(
    kind: Annotated[str, Parameter(help="tree, levels, spectra, slice, network, or a picture of a stored answer.")],
    /,
    *,
    db: DatabaseFile,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="File to write; its end says pdf, png or svg.")],
    of: Annotated[str | None, Parameter(help="Classes: one for a network, three for a slice: 0,5,1.")] = None,
    unfold: Annotated[bool, Parameter(negative="", help="Tree: a leaf for every labelled copy.")] = False,
    colour: Annotated[str | None, Parameter(help="Tree: a column of the class table, such as copies or norm.")] = None,
    log: Annotated[bool, Parameter(negative="", help="Tree: logarithmic axis of the loss.")] = False,
    levels: Annotated[int | None, Parameter(help="Tree: superbasins at so many losses, not at each join.")] = None,
    below: Annotated[float | None, Parameter(help="Tree: draw no more than lies below this loss.")] = None,
    labels: Annotated[bool, Parameter(help="Tree: write the numbers of the minima.")] = True,
    slanted: Annotated[bool, Parameter(negative="", help="Tree: branches slant towards their joins.")] = False,
    linear: Annotated[bool, Parameter(negative="", help="Tree: do not stretch the axis between near levels.")] = False,
    json: Json = False,
) -> None:
    """Draw the disconnectivity graph, losses, spectra, a plane through three points, one network, or an answer.

    Example: `symland draw tree --db xor.sqlite -o tree.pdf --colour norm --log`
    """
    from symland.landscape.database import Database
    from symland.report import drawing

    with Database.open(db) as database:
        landscape = database.landscape()
        match kind:
            case "tree":
                if not landscape.pathways and len(landscape.minima) > 1:
                    say("no pathways are stored, so nothing is joined; `symland connect` follows them")
                figure = drawing.draw_tree(
                    landscape,
                    unfolded=unfold,
                    colour=colour,
                    log_loss=log,
                    levels=levels,
                    below=below,
                    labels=labels,
                    slanted=slanted,
                    linear=linear,
                )
            case "levels":
                figure = drawing.draw_levels(landscape)
            case "spectra":
                figure = drawing.draw_spectra(landscape)
            case "network":
                (number,) = _numbers(of or "0", 1)
                figure = drawing.draw_network(landscape, number)
            case "slice":
                figure = drawing.draw_slice(landscape, _numbers(of or "", 3))
            case _:
                figure = _answer_figure(database, kind)
    print_files([drawing.save_drawing(figure, output)], json)


def _answer_figure(database: Database, name: str) -> Figure:
    """A picture of a stored answer."""
    from symland.analysis import QUESTIONS
    from symland.analysis.answers import read_answers

    answers, landscape = read_answers(database), database.landscape()
    pictures = {
        key: picture.figure
        for question in QUESTIONS
        if question.name in answers
        for key, picture in question.figures(answers[question.name], landscape).items()
    }
    if name not in pictures:
        known = ", ".join(["tree", "levels", "spectra", "slice", "network", *pictures])
        raise ReportError(f"there is no picture {name!r} here; write one of {known}, or ask its question first")
    return pictures[name]


def _numbers(text: str, count: int) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count or not all(part.isdecimal() for part in parts):
        raise ReportError(f"--of: {text!r} does not name {count} class{'es' if count > 1 else ''}; write such as 0,5,1")
    return [int(part) for part in parts]
