"""Files of other programs: PATHSAMPLE's, CSV, Parquet and GraphML."""

from symland.landscape.exchange.pathsample import (
    PathsampleFiles,
    PathsampleMinimum,
    PathsampleState,
    export_pathsample,
    import_pathsample,
    read_pathsample,
    write_pathsample,
)
from symland.landscape.exchange.tables import class_columns, write_csv, write_graphml, write_parquet

__all__ = [
    "PathsampleFiles",
    "PathsampleMinimum",
    "PathsampleState",
    "class_columns",
    "export_pathsample",
    "import_pathsample",
    "read_pathsample",
    "write_csv",
    "write_graphml",
    "write_parquet",
    "write_pathsample",
]
