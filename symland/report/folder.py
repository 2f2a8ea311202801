"""The folder of a report: its LaTeX files, and the PDF where there is a program that makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from symland.errors import ReportError
from symland.report.latex import Compilation, compile_pdf

__all__ = ["make_folder", "write_texts"]


def make_folder(folder: str | Path) -> Path:
    """The folder, with one for figures in it.

    Raises
    ------
    ReportError
        If it cannot be made.
    """
    path = Path(folder)
    try:
        (path / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"{path}: cannot be made ({error.strerror}); give a folder that can be written") from None
    return path


def write_texts(
    folder: Path, texts: Mapping[str, str], pdf: bool, note: Callable[[str], None] | None = None
) -> list[Path]:
    """Write NAME.tex for each text, one of which is the report, and make report.pdf if `pdf`.

    `note` takes one line that says what became of the PDF.

    Returns
    -------
    list of Path
        The PDF if it was made, report.tex, the others.

    Raises
    ------
    ReportError
        If a file cannot be written.
    """
    written = []
    for name, text in texts.items():
        path = folder / f"{name}.tex"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ReportError.unwritable(path, error) from None
        written.append(path)
    source = folder / "report.tex"
    written.sort(key=lambda path: path != source)
    if pdf:
        outcome = compile_pdf(source)
        if outcome is Compilation.DONE:
            written.insert(0, source.with_suffix(".pdf"))
        if note is not None:
            note(outcome.value)
    return written
