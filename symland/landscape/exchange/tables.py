"""Tables and graphs for other programs: CSV, Parquet, GraphML."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from symland.errors import DatabaseError
from symland.landscape.exchange.files import write_bytes
from symland.landscape.landscape import Landscape
from symland.landscape.network import log_det

__all__ = ["class_columns", "write_csv", "write_graphml", "write_parquet"]


def class_columns(landscape: Landscape) -> dict[str, list[Any]]:
    """The columns of the class table, a value for each class."""
    header, rows = _class_table(landscape)
    return {key: [row[k] for row in rows] for k, key in enumerate(header)}


def _class_table(landscape: Landscape) -> tuple[list[str], list[list[Any]]]:
    header = ["class", "index", "nullity", "copies", "loss", "gradient_norm", "log_det", "norm", "softest", "outcome"]
    names = list(landscape.spec.layout.names())
    header += names + [f"eigenvalue_{n}" for n in range(len(names))]
    rows: list[list[Any]] = [
        [
            n,
            p.index,
            p.nullity,
            p.orbit_size,
            p.loss,
            p.gradient_norm,
            log_det(p),
            float(np.linalg.norm(p.theta)),
            float(np.abs(p.spectrum).min()),
            p.outcome.name,
            *p.theta.tolist(),
            *p.spectrum.tolist(),
        ]
        for n, p in enumerate(landscape.points)
    ]
    return header, rows


def _pathway_table(landscape: Landscape) -> tuple[list[str], list[list[Any]]]:
    header = ["transition_state", "loss", "minus", "plus", "barrier_minus", "barrier_plus"]
    points, rows = landscape.points, list[list[Any]]()
    for path in landscape.pathways:
        loss = points[path.transition_state].loss
        barriers = [loss - points[end].loss for end in (path.minus, path.plus)]
        rows.append([path.transition_state, loss, path.minus, path.plus, *barriers])
    return header, rows


def write_csv(folder: str | Path, landscape: Landscape) -> list[Path]:
    """Write classes.csv (with theta and spectrum) and pathways.csv; floats to the last bit.

    Raises
    ------
    DatabaseError
        If a file cannot be written.
    """
    out = []
    for name, (header, rows) in (
        ("classes", _class_table(landscape)),
        ("pathways", _pathway_table(landscape)),
    ):
        path = write_bytes(Path(folder, f"{name}.csv"), b"")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        out.append(path)
    return out


def write_parquet(folder: str | Path, landscape: Landscape) -> list[Path]:
    """Write classes.parquet and pathways.parquet, with the columns of `write_csv`.

    Raises
    ------
    DatabaseError
        If pyarrow is not installed or a file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        what = 'Parquet needs the package pyarrow; run `pip install "symland[parquet]"`, or write CSV'
        raise DatabaseError(what) from None
    out = []
    for name, (header, rows) in (
        ("classes", _class_table(landscape)),
        ("pathways", _pathway_table(landscape)),
    ):
        path = write_bytes(Path(folder, f"{name}.parquet"), b"")
        columns = {key: [row[k] for row in rows] for k, key in enumerate(header)}
        parquet.write_table(pyarrow.table(columns), path)
        out.append(path)
    return out


def write_graphml(path: str | Path, landscape: Landscape) -> Path:
    """Write the transition network as GraphML; several edges between two minima and self-edges are kept.

    Raises
    ------
    DatabaseError
        If the file cannot be written.
    """
    import networkx as nx

    network = landscape.network()
    text = "\n".join(nx.generate_graphml(network, named_key_ids=True, prettyprint=True))
    return write_bytes(Path(path), (text + "\n").encode())
