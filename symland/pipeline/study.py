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

from symland.analysis.answer_types.classify import ClassifyOptions
from symland.analysis.pruning import label_classes
from symland.analysis.response.decisions import need_labels
from symland.analysis.response.scoring import read_test_data, score_classes
from symland.errors import DatabaseError, ReportError
from symland.explore import DEFAULT_RULES
from symland.explore.donors import Donor
from symland.explore.exploration import MOST_SEARCHES
from symland.families.study import Cell, Grid, Place, Study, plain_text, study_table
from symland.figures import save_figure
from symland.figures.study import Measured, study_figure
from symland.landscape.database import Database
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
        Seconds, by the clock, after which no further cell begins. A cell that it cuts off is not in the result.
    scorer : callable, optional

    Raises
    ------
    DatabaseError
        If the folder holds the study of another grid.
    """
    path = Path(folder)
    settings = {**grid.document(), "until": until, "searches": max_searches}
    _begin(path, settings)
    deadline = Deadline.of(clock, budget)
    donors: dict[Place, Donor] = {}
    cells: list[Cell] = []
    places = grid.places()
    for number, place in enumerate(places):
        name, spec = grid.name(place), grid.spec(place)
        with Database.open_or_create(path / f"{name}.sqlite", spec) as database:
            if DONE not in database.meta():
                if deadline.late():
                    break
                found = explore_into(
                    database,
                    seed=grid.seed,
                    until=until,
                    budget=deadline.left(),
                    clock=clock,
                    max_searches=max_searches,
                    donors=[donors[other] for other in grid.neighbours(place) if len(donors[other].theta)],
                    executor=executor,
                    listener=_Cells(listener=listener, name=name, done=number, total=len(places)),
                )
                if not found.satisfied and deadline.late():
                    break
                done = {"satisfied": found.satisfied, "searches": found.completeness.searches}
                database.put_meta(DONE, done)
            landscape = database.landscape()
            done = database.meta()[DONE]
            cells.append(_cell(grid, place, landscape, done, None if scorer is None else scorer(landscape)))
            theta = np.array([point.theta for point in landscape.points]).reshape(-1, spec.n_parameters)
            donors[place] = Donor(layout=spec.layout, theta=theta)
        counts = spaced(cells[-1].counts)
        listener.advance(f"cells; {name}: classes by index {counts}", number + 1, len(places))
        _write_index(path, settings, cells)
    return Study(cells=tuple(cells), total=len(places))


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
        read_test_data(text, str(test), grid.spec(place))

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


def _cell(grid: Grid, place: Place, landscape: Landscape, done: dict[str, Any], auc: float | None) -> Cell:
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
        morse=counts.morse_sum == 1 if counts.no_test is None else None,
        satisfied=bool(done["satisfied"]),
        irreducible=sum(label.irreducible for label in label_classes(landscape)),
        lowest=landscape.points[minima[0]].loss if minima else None,
        auc=auc,
        searches=int(done["searches"]),
        file=f"{grid.name(place)}.sqlite",
    )


def write_study(study: Study, folder: str | Path) -> list[Path]:
    """Write study.csv, study.json, study.tex and figures against width and penalty; return the files.

    Raises
    ------
    ReportError
        If no cell is done, or a file cannot be written.
    """
    if not study.cells:
        raise ReportError("no cell is done; give a larger --budget")
    path = Path(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Cell.__struct_fields__)
    for cell in study.cells:
        values = msgspec.to_builtins(cell)
        writer.writerow([spaced(v) if isinstance(v, list | tuple) else v for v in values.values()])
    document = {"schema": "symland-study/1", **msgspec.to_builtins(study)}
    texts = {
        "study.csv": text.getvalue(),
        "study.json": json.dumps(document, indent=1) + "\n",
        "study.tex": longtable(study_table(study)) + "\n",
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
        )
        groups.setdefault((cell.data, cell.flip), []).append(measured)
    for number, cells in enumerate(groups.values()):
        end = f"-{number}" if len(groups) > 1 else ""
        for against in ("hidden", "penalty"):
            written += save_figure(study_figure(cells, against=against), path, f"study-{against}{end}")
    return written
