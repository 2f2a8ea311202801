"""Finding theorems: those that come with the package, and those in a user's own files.

A theorem file is Python that the user chooses to run; it exposes `THEOREM`, or `THEOREMS`, a sequence.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from symland.errors import ProofError
from symland.theorems.prove import prove
from symland.theorems.record import ProofResult, Theorem

__all__ = ["load_theorems", "prove_all", "theorem_files"]


def theorem_files() -> tuple[Path, ...]:
    """The files that come with the package, T1 first: beside it in a checkout, inside it once installed.

    Raises
    ------
    ProofError
        If there are none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_proofs", package.parent / "proofs"):
        if files := sorted(folder.glob("t*.py"), key=_number):
            return tuple(files)
    raise ProofError(f"no theorem files beside or in {package}: install symland again")


def _number(path: Path) -> tuple[int, str]:
    """t10_... after t9_..."""
    found = re.match(r"t(\d+)", path.name)
    return (int(found[1]) if found else 0, path.name)


def load_theorems(path: Path) -> tuple[Theorem, ...]:
    """Run a theorem file and take its theorems.

    Raises
    ------
    ProofError
        If it cannot be run, or exposes no theorem.
    """
    spec = importlib.util.spec_from_file_location(f"symland_theorems_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ProofError(f"{path}: not a Python file that can be read: give the path of a theorem file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ProofError(f"{path}: does not run ({type(error).__name__}: {error}): mend the file") from None
    found = getattr(module, "THEOREMS", None)
    if found is None:
        found = (module.THEOREM,) if hasattr(module, "THEOREM") else ()
    if not isinstance(found, Sequence) or not found or not all(isinstance(t, Theorem) for t in found):
        raise ProofError(f"{path}: exposes no theorem: set THEOREM, or THEOREMS = (...), to symland's Theorem records")
    return tuple(found)


def prove_all(
    files: Iterable[str | Path] | None = None,
    progress: Callable[[ProofResult], None] | None = None,
) -> list[ProofResult]:
    """Prove the theorems of some files, by default of all that come with the package.

    Parameters
    ----------
    files : paths
    progress : callable
        Called with each result as it comes.

    Raises
    ------
    ProofError
        If a file holds no theorem, or two theorems have one identifier.
    """
    theorems: dict[str, Theorem] = {}
    for path in theorem_files() if files is None else map(Path, files):
        for theorem in load_theorems(path):
            if theorem.identifier in theorems:
                raise ProofError(f"{path}: a second theorem {theorem.identifier!r}: rename one")
            theorems[theorem.identifier] = theorem
    results = []
    for theorem in theorems.values():
        result = prove(theorem)
        results.append(result)
        if progress:
            progress(result)
    return results
