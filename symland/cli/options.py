"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from symland.errors import DatabaseError, ExplorationError, SpecError

if TYPE_CHECKING:
    from symland.landscape.database import Database
    from symland.spec import LandscapeSpec

__all__ = [
    "DatabaseFile",
    "Databases",
    "Folder",
    "Json",
    "OptionalFolder",
    "Overrides",
    "Search",
    "Spec",
    "executor",
    "open_databases",
    "read_spec",
]

SCHEDULER_SECONDS = 10
"""How long a Dask scheduler may take to answer, in seconds."""

DatabaseFile = Annotated[Path, Parameter(name="--db", help="The landscape's database.")]
Folder = Annotated[Path, Parameter(name=["--output", "-o"], help="Directory to write into.")]
OptionalFolder = Annotated[Path | None, Parameter(name=["--output", "-o"], help="Directory to write into.")]
Spec = Annotated[str, Parameter(help="A TOML file or a built-in name: xor, xor-pm, parity3, iris.")]
Databases = Annotated[
    list[Path],
    Parameter(
        name="--db",
        consume_multiple=True,
        negative="",
        help="Databases, or folders of them, which are sorted; one or more.",
    ),
]
Json = Annotated[
    bool,
    Parameter(name="--json", negative="", show_default=False, help="Print one JSON document on standard output."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Overrides:
    """What a command changes in a specification."""

    hidden: Annotated[str | None, Parameter(help="Widths of the hidden layers, such as 3 or 4,4.")] = None
    penalty: Annotated[str | None, Parameter(allow_leading_hyphen=True, help="lambda as exact text, such as 1e-3.")] = (
        None
    )
    activation: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help='tanh, sigmoid, ... or an expression such as "z*tanh(z)".'),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Search:
    """How long and where to search."""

    seed: Annotated[int, Parameter(help="Makes a run repeatable.")] = 0
    until: Annotated[
        str | None,
        Parameter(help='When to stop: some of "morse, coverage 0.998, repeat 3, quiet 0.5", which is the default.'),
    ] = None
    budget: Annotated[str | None, Parameter(help="Longest time for the whole command, such as 60s or 5m.")] = None
    searches: Annotated[int | None, Parameter(help="Most searches, whatever the rules say; 500000 by default.")] = None
    donors: Annotated[
        list[Path] | None,
        Parameter(
            name="--from",
            negative="",
            help="Databases whose points are tried first: of narrower networks, or at another penalty.",
        ),
    ] = None
    narrower: Annotated[
        bool | None,
        Parameter(
            help="Explore networks with fewer hidden nodes first and start from their points; by default from four "
            "nodes of one layer on, where no --from is given."
        ),
    ] = None
    workers: Annotated[int, Parameter(help="Processes to search with; the list found does not depend on it.")] = 1
    scheduler: Annotated[str | None, Parameter(help="Address of a Dask scheduler whose workers search instead.")] = None


def read_spec(source: str, overrides: Overrides) -> LandscapeSpec:
    """The specification that a command line names."""
    from symland.spec import load_spec

    hidden = None if overrides.hidden is None else read_widths(overrides.hidden)
    return load_spec(source, hidden=hidden, penalty=overrides.penalty, activation=overrides.activation)


def read_widths(text: str) -> tuple[int, ...]:
    """Widths from "3" or "4,4"."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise SpecError.at("--hidden", f"{text!r} is not a list of widths", "write integers, such as 3 or 4,4")
    return tuple(int(part) for part in parts)


@contextmanager
def executor(search: Search) -> Iterator[Executor | None]:
    """Dask's workers, worker processes, or None for one worker: this process.

    Raises
    ------
    ExplorationError
        If there are no workers, or the scheduler cannot be reached.
    """
    if search.workers < 1:
        raise ExplorationError(f"--workers: {search.workers}; write 1 or more")
    if search.scheduler is not None:
        with _dask(search.scheduler) as pool:
            yield pool
    elif search.workers == 1:
        yield None
    else:
        from symland.pipeline.workers import worker_processes

        with worker_processes(search.workers) as pool:
            yield pool


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ExplorationError('--scheduler: Dask is not installed; run `pip install "symland[distributed]"`') from None
    try:
        client = Client(address, timeout=SCHEDULER_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise ExplorationError(f"--scheduler: {address!r} does not answer ({error}); give host:port") from None
    try:
        with client:
            yield client.get_executor()
    except KilledWorker:
        raise ExplorationError(
            "--scheduler: a batch ended every worker that took it; finished batches are kept, so give the workers more "
            "memory and run again"
        ) from None
    except CancelledError:
        raise ExplorationError(
            f"--scheduler: {address!r} is gone; finished batches are kept, so start it and run again"
        ) from None


@contextmanager
def open_databases(given: list[Path]) -> Iterator[list[Database]]:
    """The databases that are named, and those in folders; where there is a folder, by name, width and falling penalty.

    Raises
    ------
    DatabaseError
        If a folder holds none, or one cannot be opened.
    """
    from symland.landscape.database import Database

    with ExitStack() as stack:
        databases = [stack.enter_context(Database.open(path)) for each in given for path in _files(each)]
        if any(each.is_dir() for each in given):
            databases.sort(key=lambda each: (each.spec.name, each.spec.hidden, -each.spec.penalty))
        yield databases


def _files(given: Path) -> list[Path]:
    """The databases of a folder, or the file itself."""
    if not given.is_dir():
        return [given]
    found = sorted(given.rglob("*.sqlite"))
    if not found:
        raise DatabaseError(f"{given}: a folder without a database; give files, or a folder with .sqlite files")
    return found
