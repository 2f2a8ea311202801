"""A bundle: landscapes with all that a stranger needs to check them, in one zip file (an RO-Crate).

landscapes/NAME/landscape.sqlite       the database
landscapes/NAME/certificates/*.json    a certificate for each certified class
landscapes/NAME/enumeration.json       the proof that the list is complete, where there is one
proofs/*.json                          the theorems that the databases rest on
checker/symland/...                    the source of the program that wrote and checked it
manifest-sha256.txt                    the digest of every other file
ro-crate-metadata.json                 what the files are (RO-Crate 1.1)
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from symland.analysis import enumeration
from symland.analysis.answers import read_answer
from symland.analysis.question import Setting
from symland.errors import ReportError
from symland.landscape.database import Database
from symland.layout import widths_text
from symland.listener import SILENCE, Listener
from symland.pipeline.opened import MANIFEST
from symland.records import Verdict
from symland.rigor.enumeration import certificate_text
from symland.theorems import prove_all, save_proof

__all__ = ["write_bundle"]

EPOCH = (2026, 1, 1, 0, 0, 0)
"""The time of every file in a bundle: when it was packed says nothing."""

GUIDE = """\
This bundle holds loss landscapes of neural networks, with certificates and proofs.

Check all of it, with the version of the program that is in it or with any other:

    symland check {name}
    PYTHONPATH=checker python -m symland check {name}     (in the unpacked folder; Python 3.11 and its libraries)

It compares every file with manifest-sha256.txt, and decides every certificate and every proof again with code that
shares nothing with the code that made them. Look at a landscape with

    symland show --db landscapes/NAME/landscape.sqlite
"""


def write_bundle(databases: Sequence[Database], output: str | Path, listener: Listener = SILENCE) -> Path:
    """Write the bundle of some databases.

    Raises
    ------
    DatabaseError
        If a database holds no classes.
    ReportError
        If no database is given, or the file cannot be written.
    """
    if not databases:
        raise ReportError("a bundle of no database; give at least one with --db")
    path = Path(output)
    members: dict[str, bytes] = {}
    for name, database in _named(databases):
        members |= {f"landscapes/{name}/{part}": content for part, content in _landscape(database)}
        listener.advance("landscapes", len([m for m in members if m.endswith("landscape.sqlite")]), len(databases))
    wanted = sorted({str(proof["identifier"]) for database in databases for proof in database.proofs()})
    for result in prove_all(wanted) if wanted else ():
        members[f"proofs/{result.identifier}.json"] = save_proof(result).encode()
    members |= dict(_source(files("symland"), "checker/symland"))
    members["README.txt"] = GUIDE.format(name=path.name).encode()
    members["ro-crate-metadata.json"] = _metadata(members, databases).encode()
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(members.items())]
    members[MANIFEST] = "".join(lines).encode()
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, content in sorted(members.items()):
                bundle.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise ReportError.unwritable(path, error) from None
    return path


def _named(databases: Sequence[Database]) -> Iterator[tuple[str, Database]]:
    taken: dict[str, int] = {}
    for database in databases:
        spec = database.spec
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in spec.name)
        name = f"{plain}-{widths_text(spec.hidden)}-{float(spec.penalty):g}"
        taken[name] = taken.get(name, 0) + 1
        yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), database


def _landscape(database: Database) -> Iterator[tuple[str, bytes]]:
    landscape = database.landscape().explored()
    yield "landscape.sqlite", database.path.read_bytes()
    for number, certificate in sorted(landscape.certificates.items()):
        if certificate.verdict is Verdict.CERTIFIED:
            yield f"certificates/class-{number}.json", certificate.to_json().encode()
    answer = read_answer(database, enumeration.QUESTION)
    if answer is not None and answer.verdict is Verdict.CERTIFIED and answer.by == "boxes":
        kept = Setting(state=database.state(enumeration.QUESTION.name))
        result = enumeration.prove_complete(landscape, enumeration.EnumerationOptions(by="boxes"), kept)
        if result.verdict is Verdict.CERTIFIED:
            yield "enumeration.json", certificate_text(database.spec, result).encode()


def _source(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for part in folder.iterdir():
        if part.is_dir():
            if part.name != "__pycache__":
                yield from _source(part, f"{name}/{part.name}")
        elif not part.name.endswith((".pyc", ".pyo")):
            yield f"{name}/{part.name}", part.read_bytes()


def _metadata(members: Mapping[str, bytes], databases: Sequence[Database]) -> str:
    from symland import __version__

    kinds = {".json": "application/json", ".sqlite": "application/vnd.sqlite3", ".txt": "text/plain"}
    parts: list[dict[str, Any]] = [
        {
            "@id": name,
            "@type": "File",
            "encodingFormat": kinds.get(Path(name).suffix, "text/plain"),
            "contentSize": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in sorted(members.items())
        if not name.startswith("checker/")
    ]
    parts.append({"@id": "checker/", "@type": "Dataset", "name": "Source of the program that checks this bundle"})
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    names = ", ".join(dict.fromkeys(database.spec.name for database in databases))
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Loss landscapes: {names}",
        "description": "Stationary points of neural losses with certificates, proofs and a program that checks them.",
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "mentions": {"@id": "#symland"},
    }
    program = {"@id": "#symland", "@type": "SoftwareApplication", "name": "symland", "version": __version__}
    graph = [about, root, program, *parts]
    return json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}, indent=1) + "\n"
