"""Steps over the databases of several widths: which class is the extension of which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symland.analysis.embedding_map import EmbeddingMap, Landscape, embedding_map
from symland.analysis.pruning import ClassLabel, label_classes
from symland.errors import DatabaseError
from symland.landscape.database import Database
from symland.pipeline.listener import SILENCE, Listener
from symland.pipeline.summary import classes
from symland.records import StationaryPoint
from symland.symbolic.symmetry import find_symmetry
from symland.symmetry import SymmetryGroup

__all__ = ["label_into", "map_into"]


def label_into(database: Database, narrower: Sequence[Database] = ()) -> tuple[ClassLabel, ...]:
    """Label every class: irreducible, or the extension of a class of a narrower network; store the labels."""
    known: Mapping[tuple[int, ...], tuple[Sequence[StationaryPoint], SymmetryGroup]] = {
        other.spec.hidden: (classes(other), find_symmetry(other.spec)) for other in narrower
    }
    labels = label_classes(database.spec, classes(database), known)
    database.put_analysis("labels", [label.to_dict() for label in labels])
    return labels


def map_into(databases: Sequence[Database], *, listener: Listener = SILENCE) -> EmbeddingMap:
    """Embed each landscape into the next wider one; every database keeps the map, for its report.

    Raises
    ------
    DatabaseError
        If fewer than two databases are given.
    SpecError
        If their networks are not of one hidden layer and widths n, n + 1, ...
    """
    if len(databases) < 2:
        raise DatabaseError(f"{len(databases)} databases; give at least 2, by width")
    landscapes = [
        Landscape(spec=database.spec, points=tuple(classes(database)), group=find_symmetry(database.spec))
        for database in databases
    ]
    found = embedding_map(landscapes, progress=lambda done, total: listener.advance("classes", done, total))
    for database in databases:
        database.put_analysis("map", found.to_dict())
    return found
