"""Writing a report: figures, one fragment for each table and theorem, the document that holds them, and its PDF."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from symland.analysis import QUESTIONS, Question, enumeration
from symland.errors import ReportError
from symland.figures import (
    disconnectivity_figure,
    level_figure,
    network_figure,
    save_figure,
    slice_figure,
    spectrum_figure,
    take_slice,
)
from symland.landscape.database import Database
from symland.landscape.exchange import write_csv
from symland.layout import widths_text
from symland.report.data import ReportData, collect
from symland.report.folder import make_folder, write_texts
from symland.report.formulas import Formulas, build_formulas, build_gradient, parameter_names
from symland.report.latex import environment
from symland.report.standalone import cited_works, theorem_fragment
from symland.report.tables import (
    MOST_AUTOMORPHISMS,
    PARAMETER_PLACES,
    automorphism_tex,
    class_rows,
    data_rows,
    hidden_group_tex,
    origin_number,
    parameter_table,
    pathway_rows,
    radius_rows,
    theorem_rows,
)
from symland.rigor.gauge import gauge_sets
from symland.spec import Penalised
from symland.symbolic.losses import LOSSES
from symland.tex import text_tex

__all__ = ["write_report"]

NETWORKS_DRAWN = 2
"""Lowest minima that are drawn as networks."""

FRAGMENTS = (
    "summary",
    "statement",
    "question",
    "formulas",
    "symmetry",
    "counts",
    "classes",
    "pathways",
    "proofs",
    "radii",
    "versions",
)
"""Fragments of every report; gradient, parameters, theorems and the sections of questions come where there is something
to say."""


def write_report(
    database: Database,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("pdf",),
    pdf: bool = True,
    note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write the report of a database into a folder.

    report.tex holds fragments that a paper can \\input by themselves, each naming the packages that it needs;
    figures/ holds each figure, certificates/ and data/ what is too long to print, references.bib the works cited.
    Where latexmk, pdflatex or tectonic is present, report.pdf is made.

    Parameters
    ----------
    database : Database
    folder : path
        Made where it is missing; files of an earlier report are replaced.
    formats : sequence of "pdf", "png", "svg"
        Of the figures; none are drawn where it is empty.
    pdf : bool
        Whether to make the PDF.
    note : callable, optional
        Takes one line that says what became of the PDF.

    Returns
    -------
    list of Path
        The PDF if it was made, then report.tex, fragments and figures.

    Raises
    ------
    ReportError
        If a file cannot be written.
    DatabaseError
        If the database cannot be read.
    """
    folder = make_folder(folder)
    data = collect(database)
    figures, written = _figures(data, folder / "figures", formats)
    written += _files(data, folder)
    return [*write_texts(folder, _texts(data, figures), pdf, note), *written]


def _files(data: ReportData, folder: Path) -> list[Path]:
    """What the report speaks of and does not print: every certificate, every point, the works that are cited."""
    written = write_csv(folder / "data", data.landscape)
    (folder / "certificates").mkdir(exist_ok=True)
    for number, certificate in sorted(data.landscape.certificates.items()):
        path = folder / "certificates" / f"class-{number}.json"
        path.write_text(certificate.to_json(), encoding="utf-8")
        written.append(path)
    works = cited_works([str(proof.get("source", "")) for proof in data.theorems])
    if works:
        path = folder / "references.bib"
        path.write_text("\n".join(work.bibtex for work in works), encoding="utf-8")
        written.append(path)
    return written


def _figures(data: ReportData, folder: Path, formats: Sequence[str]) -> tuple[dict[str, Any], list[Path]]:
    """Draw what there is to draw: names for the template, and the files."""
    written: list[Path] = []
    names: dict[str, Any] = dict.fromkeys(("levels", "spectra", "disconnectivity", "unfolded", "slice"), False)
    names |= {"networks": [], "slice_classes": (), "asked": {}, "stretched": set()}

    if not formats:
        return names, written

    def save(name: str, figure: Figure) -> None:
        written.extend(save_figure(figure, folder, name, formats))
        names[name] = True
        if any(axes.get_yscale() == "function" for axes in figure.axes):
            names["stretched"].add(name)

    if data.points:
        save("levels", level_figure(data.points))
        save("spectra", spectrum_figure(data.points, mark=2 * float(data.spec.penalty)))
    if data.tree is not None:
        save("disconnectivity", disconnectivity_figure(data.tree, height=2.3))
    if data.copies_tree is not None and data.tree is not None and len(data.copies_tree.leaves) > len(data.tree.leaves):
        save("unfolded", disconnectivity_figure(data.copies_tree, height=2.7))
    taken = _slice(data)
    if taken is not None:
        numbers, figure = taken
        save("slice", figure)
        names["slice_classes"] = numbers
    minima = sorted((row for row in data.classes if row.index == 0), key=lambda row: row.loss)
    for row in minima[:NETWORKS_DRAWN]:
        name = f"network-{row.number}"
        title = f"minimum {row.number}:  $E = {row.loss:.6f}$"
        written.extend(
            save_figure(network_figure(data.spec, data.points[row.number].theta, title=title), folder, name, formats)
        )
        names["networks"].append(name)
    for question in _answered(data):
        pictures = question.figures(data.answers[question.name], data.landscape)
        names["asked"][question.name] = {name: picture.caption for name, picture in pictures.items()}
        for name, picture in pictures.items():
            save(name, picture.figure)
    return names, written


def _answered(data: ReportData) -> list[Question[Any, Any]]:
    """The questions that were asked, in the order of the report."""
    return [question for question in QUESTIONS if question.name in data.answers]


def _slice(data: ReportData) -> tuple[tuple[int, int, int], Figure] | None:
    """The plane through a transition state and its two minima, of different classes where there are such.

    The ends are moved by the group elements that the pathway carries, so that they are those that it joins.
    """
    order = sorted(data.pathways, key=lambda p: (p.minus == p.plus, data.points[p.transition_state].loss))
    for path in order:
        ends = (path.minus, path.plus)
        if any(data.points[n].index for n in ends) or path.minus_element is None or path.plus_element is None:
            continue
        moved = [
            data.group.apply(element, data.points[n].theta)
            for n, element in zip(ends, (path.minus_element, path.plus_element), strict=True)
        ]
        try:
            taken = take_slice(data.spec, (moved[0], data.points[path.transition_state].theta, moved[1]))
        except ReportError:
            # The three lie on a line, as where a symmetry exchanges the ends.
            continue
        numbers = (path.minus, path.transition_state, path.plus)
        return numbers, slice_figure(taken, [str(n) for n in numbers], (0, 1, 0))
    return None


def _texts(data: ReportData, figures: dict[str, Any]) -> dict[str, str]:
    spec, theorems = data.spec, data.theorems
    names = parameter_names(spec)
    formulas = build_formulas(spec)
    automorphisms = data.group.data_automorphisms
    values: dict[str, Any] = {
        "data": data,
        "formulas": formulas,
        "summary": _summary(data, formulas),
        "figures": figures,
        "slice": figures["slice_classes"],
        "widths": _widths,
        "samples": data_rows(spec),
        "hidden_group": hidden_group_tex(data.group),
        "automorphisms": [automorphism_tex(a) for a in automorphisms]
        if len(automorphisms) <= MOST_AUTOMORPHISMS
        else [],
        "class_rows": class_rows(data),
        "pathway_rows": pathway_rows(data),
        "radius_rows": radius_rows(data),
        "sections": [
            {"title": q.section, "name": q.name, "figures": figures["asked"].get(q.name, {})}
            for q in _answered(data)
            if q.section
        ],
        "paragraphs": {
            fragment: [
                {
                    "text": q.latex(data.answers[q.name], data.landscape),
                    "figures": figures["asked"].get(q.name, {}),
                }
                for q in _answered(data)
                if q.paragraph == fragment
            ]
            for fragment in FRAGMENTS
        },
        "theorem_rows": theorem_rows(data),
        "gauge_sets": len(gauge_sets(spec)),
        "free_biases": spec.bias and (spec.penalised is Penalised.WEIGHTS or not spec.penalty),
        "gradient": build_gradient(spec),
        "parameters": parameter_table(data, names),
        "origin": origin_number(data),
        "places": PARAMETER_PLACES,
        "digits": max((row.digits or 0 for row in data.classes), default=0),
        "works": cited_works([str(proof.get("source", "")) for proof in theorems]),
        "theorem_files": [f"theorem-{re.sub('[^A-Za-z0-9]+', '-', str(proof['identifier']))}" for proof in theorems],
    }
    wanted = [*FRAGMENTS, "report"]
    wanted += [
        name
        for name, there in (
            ("gradient", values["gradient"]),
            ("parameters", values["parameters"]),
        )
        if there
    ]
    templates = environment()
    try:
        texts = {name: templates.get_template(f"{name}.tex.j2").render(values) for name in wanted}
        for question in _answered(data):
            if question.section:
                texts[question.name] = (
                    "% Needs amsmath, amssymb, booktabs, longtable.\n"
                    + question.latex(data.answers[question.name], data.landscape)
                    + "\n"
                )
        texts |= {name: theorem_fragment(p) for name, p in zip(values["theorem_files"], theorems, strict=True)}
        if values["works"]:
            texts["references"] = templates.get_template("references.tex.j2").render(works=values["works"])
    except jinja2.UndefinedError as error:
        message = f"a record of the database lacks what the report prints ({error}); run its step again"
        raise ReportError(message) from None
    return texts


def _summary(data: ReportData, formulas: Formulas) -> dict[str, Any]:
    spec, counts = data.spec, data.account.counts
    letters = [
        rf"$W_{{{block.layer}}}$" if block.kind == "W" else f"$b_{{{block.layer}}}$" for block in spec.layout.blocks
    ]
    nodes = [f"{n} hidden node{'s' if n > 1 else ''}" for n in spec.hidden]
    names = {0: ("minimum", "minima"), 1: ("transition state", "transition states")}
    parts = []
    for index, classes in enumerate(counts.classes):
        one, several = names.get(index, (f"of index~{index}",) * 2)
        parts.append(f"{classes}~{one if classes == 1 else several}")
    return {
        "network": rf"a {widths_text(spec.widths)} network with $\sigma(z) = {formulas.jet[0]}$, "
        rf"{LOSSES[spec.loss].title} on the data \texttt{{{text_tex(spec.data.name)}}}",
        "hidden": nodes[0] if len(nodes) == 1 else f"hidden layers of {', '.join(map(str, spec.hidden))} nodes",
        "order": ", ".join(letters),
        "loss_name": "the " + LOSSES[spec.loss].title,
        "by_index": ", ".join(parts),
        "copies": counts.copies[0] if counts.copies else 0,
        "copies_all": sum(counts.copies),
        "copies_by_index": ", ".join(f"{n}~of index~{index}" for index, n in enumerate(counts.copies)),
        "certified": sum(data.account.certified),
        "claims": [claim for q in _answered(data) if (claim := q.claim(data.answers[q.name]))],
        "completeness": _completeness(data),
        "sentences": [text_tex(q.sentence(data.answers[q.name])) for q in _answered(data) if q.section],
    }


def _completeness(data: ReportData) -> str:
    """How it was proved that there are no others."""
    proof = data.answers.get(enumeration.QUESTION.name)
    return "" if proof is None else text_tex(enumeration.QUESTION.sentence(proof))


def _widths(hidden: Any) -> str:
    return r",\, ".join(map(str, hidden))
