"""The cache of machine code on disk.

A cached object, of a kernel or an interval program, is one file: a line of JSON (format, key, SHA-256 and size of the
object, facts about its making) and the object. The key holds everything that the machine code depends on; a file whose
key or checksum does not fit is made again. Files appear by an atomic rename, so processes may race: each finds a whole
file or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["cache_folder", "entry_key", "read_entry", "source_digest", "write_entry"]

FORMAT = 1
"""Of the files in the cache."""


@cache
def source_digest(*places: str) -> str:
    """SHA-256 of the source of files and rooms of the package: what decides what a piece of code is."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for place in places:
        found = root / place
        for file in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where objects are kept: SYMLAND_CACHE, or the platform's folder for caches."""
    given = os.environ.get("SYMLAND_CACHE")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("symland")) / "code"


def entry_key(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the facts that an object depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_entry(folder: Path, key: str) -> tuple[dict[str, Any], bytes] | None:
    """The facts and the object under a key; None if there is none or it is damaged."""
    try:
        content = (folder / f"{key}.o").read_bytes()
        line, _, machine_code = content.partition(b"\n")
        head = json.loads(line)
        whole = (
            head["format"] == FORMAT
            and head["key"] == key
            and head["size"] == len(machine_code)
            and head["sha256"] == hashlib.sha256(machine_code).hexdigest()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (head["facts"], machine_code) if whole else None


def write_entry(folder: Path, key: str, facts: Mapping[str, Any], machine_code: bytes) -> bool:
    """Keep an object under a key; False where the folder cannot be written."""
    head = {
        "format": FORMAT,
        "key": key,
        "size": len(machine_code),
        "sha256": hashlib.sha256(machine_code).hexdigest(),
        "facts": dict(facts),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="new-")
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + machine_code)
        Path(name).replace(folder / f"{key}.o")
    except OSError:
        Path(name).unlink(missing_ok=True)
        return False
    return True
