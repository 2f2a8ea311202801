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

__all__ = ["load_theorems", "prove_all", "select_theorems", "theorem_files"]


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


def select_theorems(names: Iterable[str | Path] = ()) -> tuple[Theorem, ...]:
    """Theorems by file, or by the identifier of one that comes with the package; all of these where none is named.

    Raises
    ------
    ProofError
        If a name is neither, a file holds no theorem, or two theorems have one identifier.
    """
    chosen: list[Theorem] = []
    shipped: dict[str, Theorem] | None = None
    for name in names or theorem_files():
        if Path(name).is_file() or Path(name).suffix:
            found = load_theorems(Path(name))
        else:
            shipped = shipped or {
                theorem.identifier: theorem for path in theorem_files() for theorem in load_theorems(path)
            }
            if str(name) not in shipped:
                raise ProofError(f"{name}: no file and no theorem: give a file, or one of {', '.join(shipped)}")
            found = (shipped[str(name)],)
        for theorem in found:
            if any(theorem.identifier == other.identifier for other in chosen):
                raise ProofError(f"{name}: a second theorem {theorem.identifier!r}: rename one")
            chosen.append(theorem)
    return tuple(chosen)


def prove_all(
    names: Iterable[str | Path] = (),
    progress: Callable[[ProofResult], None] | None = None,
) -> list[ProofResult]:
    """Prove some theorems, by default all that come with the package.

    Parameters
    ----------
    names : paths or identifiers, as for `select_theorems`
    progress : callable
        Called with each result as it comes.

    Raises
    ------
    ProofError
        As `select_theorems`.
    """
    results = []
    for theorem in select_theorems(tuple(names)):
        result = prove(theorem)
        results.append(result)
        if progress:
            progress(result)
    return results
