r"""The works that theorems cite: LaTeX \cite keys, and the entries behind them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import final

from symland.errors import ProofError
from symland.theorems.library import theorem_files

__all__ = ["Reference", "cited", "references"]


@final
@dataclass(frozen=True, kw_only=True)
class Reference:
    """One work; all texts are LaTeX.

    Attributes
    ----------
    key, authors, title : str
    where : str
        Journal or publisher, volume and pages.
    year : int
    doi : str
        Empty where there is none.
    """

    key: str
    authors: str
    title: str
    where: str
    year: int
    doi: str = ""

    @property
    def latex(self) -> str:
        """The entry of a bibliography."""
        doi = rf", doi:\,\texttt{{{self.doi}}}" if self.doi else ""
        return rf"{self.authors}. \emph{{{self.title}}}. {self.where} ({self.year}){doi}."

    @property
    def bibtex(self) -> str:
        """The entry of a .bib file."""
        doi = f",\n  doi = {{{self.doi}}}" if self.doi else ""
        return (
            f"@misc{{{self.key},\n  author = {{{{{self.authors}}}}},\n  title = {{{{{self.title}}}}},\n"
            f"  howpublished = {{{self.where}}},\n  year = {{{self.year}}}{doi}\n}}\n"
        )


@cache
def references() -> dict[str, Reference]:
    """The bibliography that comes with the package, by key.

    Raises
    ------
    ProofError
        If it is missing.
    """
    path = theorem_files()[0].parent / "references.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ProofError(f"{path}: the bibliography is missing; install symland again") from None
    return {key: Reference(key=key, **entry) for key, entry in entries.items()}


def cited(texts: Iterable[str]) -> tuple[str, ...]:
    """The keys that LaTeX texts cite, each once, in order."""
    groups = [keys for text in texts for keys in re.findall(r"\\cite(?:\[[^]]*\])?\{([^}]*)\}", text)]
    return tuple(dict.fromkeys(key.strip() for keys in groups for key in keys.split(",")))
