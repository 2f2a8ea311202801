"""A grid of landscapes in one folder: a database for each cell, an index, and the tables and figures of the whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from symland.analysis import completeness
from symland.analysis.answer_types.classify import ClassifyOptions
from symland.analysis.answers import read_answer
from symland.analysis.pruning import label_classes
from symland.analysis.response.decisions import need_labels
from symland.analysis.response.held_out import parse_test_set
from symland.analysis.response.scoring import score_classes
from symland.errors import DatabaseError, ReportError
from symland.explore import DEFAULT_RULES
from symland.explore.donors import Donor
from symland.explore.exploration import MOST_SEARCHES
from symland.families.study import Cell, Grid, Place, Study, plain_text, study_table
from symland.figures import save_figure
from symland.figures.study import Measured, study_figure
from symland.landscape.database import Database
from symland.landscape.evidence import Completeness
from symland.landscape.landscape import Landscape
from symland.listener import SILENCE, Listener
from symland.pipeline.deadline import Deadline
from symland.pipeline.holdings import spaced
from symland.pipeline.steps import explore_into
from symland.spec import read_text
from symland.tables import longtable

__all__ = ["INDEX", "Scorer", "auc_scorer", "study_into", "write_study"]

INDEX = "index.json"
"""The file of a study's folder that names its cells."""

DONE = "study"
"""The note in a cell's database that its search has ended."""

Scorer = Callable[[Landscape], float | None]
"""Gives the test AUC of a landscape's minima."""


@dataclass(kw_only=True)
class _Cells:
    """Hears of the steps of one cell and says how far the grid is."""

    listener: Listener
    name: str
    done: int
    total: int

    def begin(self, step: str) -> None:
        self.advance(step)

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        self.listener.advance(f"cells; {self.name}: {note}", self.done, self.total)

    def end(self, result: str) -> None:
        self.advance(result)


def study_into(
    grid: Grid,
    folder: str | Path,
    *,
    until: str = DEFAULT_RULES,
    budget: float | None = None,
    clock: Callable[[], float],
    max_searches: int = MOST_SEARCHES,
    max_index: int | None = None,
    executor: Executor | None = None,
    scorer: Scorer | None = None,
    listener: Listener = SILENCE,
) -> Study:
    """Explore every cell of a grid; go on where an earlier run of the same grid was cut off.

    Parameters
    ----------
    folder : path
        Takes a database for each cell, and `index.json`.
    budget : float, optional
        Seconds by the clock. Cells whose neighbours are done share what is left of it equally, so that one that is
        never done does not keep the others from their turn. A cell that it cuts off is in `unfinished`.
    max_index : int, optional
        Highest index to search for, as for `explore_into`. The list then lacks higher saddles: its Morse sum says
        nothing, and the coverage is that of the indices searched for.
    scorer : callable, optional

    Raises
    ------
    DatabaseError
        If the folder holds the study of another grid.
    """
    path = Path(folder)
    settings = {**grid.document(), "until": until, "searches": max_searches}
    if max_index is not None:
        settings["max_index"] = max_index
    _begin(path, settings)
    deadline = Deadline.of(clock, budget)
    places = grid.places()
    done: dict[Place, _Held] = {}
    cut: dict[Place, _Held] = {}
    tries = dict.fromkeys(places, 0)

    def file(place: Place) -> Path:
        return path / f"{grid.name(place)}.sqlite"

    def tell(place: Place) -> None:
        counts = (done.get(place) or cut[place]).cell.counts
        listener.advance(f"cells; {grid.name(place)}: classes by index {spaced(counts)}", len(done), len(places))
        _write_index(path, settings, [done[p].cell for p in places if p in done])

    for place in places:
        if not file(place).exists():
            continue
        with Database.open_or_create(file(place), grid.spec(place)) as database:
            if DONE in database.meta():
                done[place] = _held(grid, place, database, database.meta()[DONE], max_index, scorer)
                tell(place)
    while not deadline.late():
        ready = [p for p in places if p not in done and all(other in done for other in grid.neighbours(p))]
        if not ready:
            break
        fewest = min(tries[p] for p in ready)
        turn = [p for p in ready if tries[p] == fewest]
        place = turn[0]
        tries[place] += 1
        share = Deadline.of(clock, None if (left := deadline.left()) is None else left / len(turn))
        with Database.open_or_create(file(place), grid.spec(place)) as database:
            found = explore_into(
                database,
                seed=grid.seed,
                until=until,
                budget=share.left(),
                clock=clock,
                max_searches=max_searches,
                max_index=max_index,
                donors=[done[other].donor for other in grid.neighbours(place) if len(done[other].donor.theta)],
                executor=executor,
                listener=_Cells(listener=listener, name=grid.name(place), done=len(done), total=len(places)),
                late=share.late,
            )
            state = {"satisfied": found.satisfied, "searches": found.completeness.searches}
            ended = found.satisfied or not share.late()
            if ended:
                database.put_meta(DONE, state)
                cut.pop(place, None)
            (done if ended else cut)[place] = _held(grid, place, database, state, max_index, scorer)
        tell(place)
    moved = grid.positions
    return Study(
        cells=tuple(done[p].cell for p in places if p in done),
        total=len(places),
        unfinished=tuple(cut[p].cell for p in places if p in cut),
        moved=None if moved is None else (moved.row, moved.column),
    )


def auc_scorer(grid: Grid, test: str | Path) -> Scorer:
    """The scorer of a CSV file of test data: the mean AUC of the minima, as the question `classify` gives it.

    Raises
    ------
    SpecError
        If the loss takes no labels, or the file does not fit the inputs and labels of every data set of the grid.
    """
    need_labels(grid.base)
    text = read_text(test)
    for place in grid.places():
        parse_test_set(text, str(test), grid.spec(place))

    def auc(landscape: Landscape) -> float | None:
        minima = score_classes(landscape, ClassifyOptions(test=str(test))).minima
        return None if minima is None else minima.auc

    return auc


def _begin(path: Path, settings: dict[str, Any]) -> None:
    index = path / INDEX
    try:
        path.mkdir(parents=True, exist_ok=True)
        before = json.loads(index.read_text(encoding="utf-8")) if index.exists() else None
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror or error}; give a folder that can be written") from None
    except (ValueError, RecursionError):
        raise DatabaseError(f"{index}: no index of a study; give another folder") from None
    if before is None:
        _write_index(path, settings, [])
    elif not isinstance(before, dict) or before.get("grid") != settings:
        raise DatabaseError(f"{path}: holds the study of another grid; repeat that command, or give another folder")


def _write_index(path: Path, settings: dict[str, Any], cells: list[Cell]) -> None:
    document = {"schema": "symland-study/1", "grid": settings, "cells": msgspec.to_builtins(cells)}
    part = path / f"{INDEX}.part"
    part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    part.replace(path / INDEX)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Held:
    """A cell and its points, which its neighbours try first."""

    cell: Cell
    donor: Donor


def _held(
    grid: Grid,
    place: Place,
    database: Database,
    state: dict[str, Any],
    max_index: int | None,
    scorer: Scorer | None,
) -> _Held:
    landscape = database.landscape()
    spec = grid.spec(place)
    theta = np.array([point.theta for point in landscape.points]).reshape(-1, spec.n_parameters)
    known = read_answer(database, completeness.QUESTION)
    coverage = None if known is None else _coverage(known, max_index)
    auc = None if scorer is None else scorer(landscape)
    cell = _cell(grid, place, landscape, state, max_index, coverage=coverage, auc=auc)
    return _Held(cell=cell, donor=Donor(layout=spec.layout, theta=theta))


def _coverage(known: Completeness, max_index: int | None) -> float | None:
    """Good and Turing's 1 - f_1 / n, over the indices that were searched for."""
    if max_index is None:
        return known.coverage
    found = known.by_index[: max_index + 1]
    draws = sum(k.draws for k in found)
    return sum(k.draws * k.coverage for k in found) / draws if draws else None


def _cell(
    grid: Grid,
    place: Place,
    landscape: Landscape,
    done: dict[str, Any],
    max_index: int | None,
    *,
    coverage: float | None,
    auc: float | None,
) -> Cell:
    counts = landscape.account.counts
    minima = landscape.minima
    states = len(landscape.transition_states)
    return Cell(
        hidden=place.hidden,
        penalty=plain_text(place.penalty),
        data=grid.inputs[place.data].name,
        flip=float(place.flip),
        counts=counts.classes,
        copies=counts.copies,
        ratio=states / len(minima) if minima else None,
        morse_sum=counts.morse_sum,
        morse=counts.morse_sum == 1 if counts.no_test is None and max_index is None else None,
        satisfied=bool(done["satisfied"]),
        irreducible=sum(label.irreducible for label in label_classes(landscape)),
        lowest=landscape.points[minima[0]].loss if minima else None,
        auc=auc,
        coverage=coverage,
        searches=int(done["searches"]),
        file=f"{grid.name(place)}.sqlite",
        position=None if grid.positions is None else plain_text(grid.positions.values[place.position]),
    )


def write_study(study: Study, folder: str | Path) -> list[Path]:
    """Write study.csv, study.json, study.tex and, of the cells that are done, figures; return the files.

    The figures are against width and penalty, or against the position of the input that moves.

    Raises
    ------
    ReportError
        If a file cannot be written.
    """
    path = Path(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Cell.__struct_fields__)
    for cell in (*study.cells, *study.unfinished):
        values = msgspec.to_builtins(cell)
        writer.writerow([spaced(v) if isinstance(v, list | tuple) else v for v in values.values()])
    document = {"schema": "symland-study/1", **msgspec.to_builtins(study)}
    texts = {
        "study.csv": text.getvalue(),
        "study.json": json.dumps(document, indent=1) + "\n",
        "study.tex": longtable(study_table(study)) + "\n" if study.cells else "",
    }
    written = []
    for name, content in texts.items():
        try:
            (path / name).write_text(content, encoding="utf-8")
        except OSError as error:
            raise ReportError.unwritable(path / name, error) from None
        written.append(path / name)
    groups: dict[tuple[str, float], list[Measured]] = {}
    for cell in study.cells:
        measured = Measured(
            hidden=cell.hidden,
            penalty=Fraction(cell.penalty),
            counts=cell.counts,
            copies=cell.copies,
            lowest=cell.lowest,
            position=None if cell.position is None else Fraction(cell.position),
        )
        groups.setdefault((cell.data, cell.flip), []).append(measured)
    for number, cells in enumerate(groups.values()):
        end = f"-{number}" if len(groups) > 1 else ""
        for against in ("position",) if study.moved else ("hidden", "penalty"):
            written += save_figure(study_figure(cells, against=against), path, f"study-{against}{end}")
    return written
