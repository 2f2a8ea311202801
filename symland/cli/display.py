"""What the command line shows: progress on standard error, tables and JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

__all__ = ["Progress", "print_files", "print_json", "print_table", "say"]

LOG_SECONDS = (2.0, 8.0, 20.0, 30.0, 60.0)
"""Before the first lines of progress in a log, and between all that follow."""

PIPE_WIDTH = 10_000
"""Columns of a table in a pipe: as many as it needs."""

TEXT_WIDTH = 40
"""Columns of text in a table on a terminal, beyond which it is folded."""

HEADING_WIDTH = 12
"""Columns of a heading, beyond which it is folded between words where a table does not fit."""

FRAME = 3
"""Columns around the text of a cell on a terminal."""

_errors = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """A message for the person at the terminal."""
    _errors.print(message, markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


def print_files(paths: Iterable[Path], json: bool) -> None:
    """Files that were written: one JSON document on standard output, or a message for each."""
    if json:
        print_json({"schema": "symland-files/1", "files": [str(path) for path in paths]})
        return
    for path in paths:
        say(str(path))


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table on standard output; on a terminal with rules and in parts that fit, in a pipe one line for each row."""
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else PIPE_WIDTH)
    # A title of the table itself would be folded to the width of its columns.
    console.print(title, style="table.title", markup=False, soft_wrap=True)
    numbers = [all(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    cells = [max((len(row[place]) for row in rows), default=0) for place in range(len(columns))]
    whole = [max(len(name), width) for name, width in zip(columns, cells, strict=True)]
    fits = not terminal or _width(whole) <= console.width
    widths = [
        # Digits stay together; words of a heading do, and text is folded where it is long.
        max(width if number else min(width, TEXT_WIDTH), min(len(name), HEADING_WIDTH), *map(len, name.split()))
        for name, number, width in zip(columns, numbers, cells, strict=True)
    ]
    for part in [range(len(columns))] if fits else _parts(widths, console.width):
        table = Table(box=_box() if terminal else None)
        for place in part:
            table.add_column(
                columns[place],
                justify="right" if numbers[place] else "left",
                overflow="fold",
                width=None if fits else widths[place],
            )
        for row in rows:
            table.add_row(*(row[place] for place in part))
        console.print(table)


def _width(widths: Iterable[int]) -> int:
    """Of columns on a terminal, with what stands around them."""
    return 1 + sum(width + FRAME for width in widths)


def _parts(widths: Sequence[int], most: int) -> list[list[int]]:
    """The columns of each part of a table that is too wide; the first column, which names the row, stands in all."""
    parts = [[0]] if widths else []
    for place in range(1, len(widths)):
        if _width(widths[k] for k in (*parts[-1], place)) > most and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(place)
    return parts


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


def _box() -> Any:
    from rich import box

    return box.SIMPLE_HEAD


class Progress:
    """A line for each step: a spinner while it runs on a terminal, its result when it has ended.

    Where standard error is a file, a step that takes long says after LOG_SECONDS how far it is, from a thread of its
    own: also where it is long at one thing.
    """

    _running: ClassVar[set[Progress]] = set()

    def __init__(self) -> None:
        self._status: Any = None
        self._step = ""
        self._note = ""
        self._ended = Event()

    def begin(self, step: str) -> None:
        self._step, self._note = step, ""
        self._running.add(self)
        if _errors.is_terminal:
            self._status = _errors.status(f"{step} ...")
            self._status.start()
            return
        self._ended.set()
        self._ended = Event()
        Thread(target=self._beat, args=(self._ended, monotonic()), daemon=True).start()

    def _beat(self, ended: Event, began: float) -> None:
        waits = chain(LOG_SECONDS, repeat(LOG_SECONDS[-1]))
        while not ended.wait(next(waits)):
            say(f"{self._step:<8}{self._note or ' at work'} ({monotonic() - began:.0f} s)")

    def advance(self, note: str, done: int = 0, total: int = 0) -> None:
        count = f" {done} of {total}" if total else ""
        self._note = f"{count} {note}"
        if self._status is not None:
            self._status.update(f"{self._step}{count}: {note}")

    def end(self, result: str) -> None:
        self._stop()
        say(f"{self._step:<8} {result}")

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        self._ended.set()
        self._running.discard(self)

    @classmethod
    def stop_all(cls) -> None:
        """Say nothing more of steps that an error has ended, and give the terminal back as it was."""
        for progress in tuple(cls._running):
            progress._stop()
