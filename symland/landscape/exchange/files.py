"""Writing a file with one clear line where that fails."""

from __future__ import annotations

from pathlib import Path

from symland.errors import DatabaseError

__all__ = ["write_bytes"]


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file, making its folder.

    Raises
    ------
    DatabaseError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be written ({error.strerror}); make room or choose a folder") from None
    return path
