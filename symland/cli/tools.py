"""Verbs that need no database: derivations, kernels, certificates as files, theorems."""

from __future__ import annotations

import re
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from symland.cli.app import app
from symland.cli.display import Progress, print_files, print_json, print_table, say
from symland.cli.options import Json, OptionalFolder, Overrides, Spec, read_spec
from symland.errors import CertificateError, KernelError, ProofError, ReportError

if TYPE_CHECKING:
    from symland.spec import LandscapeSpec

__all__ = ["bundle", "check", "derive", "kernel", "prove"]

SAVED_PROOF = re.compile(rb'"format"\s*:\s*"symland proof')
"""What tells a saved proof from a certificate, ..."""

SAVED_PERSISTENCE = re.compile(rb'"format"\s*:\s*"symland-persistence')
"""..., that of a ball of data ..."""

SAVED_ENUMERATION = re.compile(rb'"format"\s*:\s*"symland-enumeration')
"""... and the certificate of an enumeration from that of a point."""

SAVED_RANGE = re.compile(rb'"format"\s*:\s*"symland-range')
"""What tells the certificate of a range of penalties."""

SAVED_FOLLOW = re.compile(rb'"schema"\s*:\s*"symland-follow/')
"""What tells the answer of `symland follow`, with the certificates of its events."""


@app.command
def derive(
    spec: Spec,
    /,
    *,
    overrides: Overrides = Overrides(),
    form: Annotated[
        Literal["matrix", "latex", "python", "program"],
        Parameter(
            name="--format",
            help="Matrix form, every entry as LaTeX to read or Python to run, or the derivation program's statements.",
        ),
    ] = "matrix",
    only: Annotated[Literal["loss", "gradient", "hessian"] | None, Parameter(help="Print one of these alone.")] = None,
    json: Json = False,
) -> None:
    """Print the loss, gradient and Hessian that SymPy derives, in matrix form or entry by entry.

    Example: `symland derive xor --hidden 1 --format python --only gradient`
    """
    text = _derived(read_spec(spec, overrides), form, only)
    if json:
        print_json({"schema": "symland-derive/1", "format": form, "only": only, "text": text})
    else:
        print(text, end="" if text.endswith("\n") else "\n")


def _derived(question: LandscapeSpec, form: str, only: str | None) -> str:
    if form == "program":
        from symland.program.derive import build_program

        wanted = ("value" if only == "loss" else only,) if only else ("value", "gradient", "hessian")
        return build_program(question, wanted).text()
    if form == "matrix":
        from symland.report.formulas import matrix_text

        return matrix_text(question, only)
    from symland.symbolic.loss import build_loss, differentiate
    from symland.symbolic.printing import latex_text, python_text

    derivatives = differentiate(build_loss(question), second=only in (None, "hessian"))
    return latex_text(derivatives, only) if form == "latex" else python_text(derivatives, only)


@app.command
def kernel(
    spec: Spec,
    /,
    *,
    target: Annotated[
        Literal["c", "llvm", "numpy"], Parameter(help="C99 source and header, LLVM IR, or a NumPy module.")
    ] = "c",
    output: OptionalFolder = None,
    overrides: Overrides = Overrides(),
    verify: Annotated[
        bool, Parameter(negative="", help="Print the verification record; write nothing without -o.")
    ] = False,
    runtime_data: Annotated[
        bool, Parameter(negative="", help="Samples and penalty are arguments of the functions.")
    ] = False,
    json: Json = False,
) -> int:
    """Write a verified kernel for loss, gradient and Hessian, to build into your own code.

    A kernel that fails a check is not written. Exit status 1 when `--verify` finds a fault.

    Example: `symland kernel xor --hidden 8 --target c -o kernel`
    """
    from symland.kernels.export import export_kernel
    from symland.kernels.kernel import compile_kernel
    from symland.kernels.verify import verify_kernel

    question = read_spec(spec, overrides)
    if not verify and output is None:
        raise KernelError("nothing to do: give --output to write the kernel, or --verify to check it")
    if output is not None:
        written = export_kernel(question, target, output, runtime_data=runtime_data)
        print_files(written, json and not verify)
        if not verify:
            return 0
        # What was written was verified: the last file says how.
        record = loads(written[-1].read_text(encoding="utf-8"))
        del record["files"]
    else:
        record = verify_kernel(compile_kernel(question, engine=target, runtime_data=runtime_data)).to_dict()
    if json:
        print_json(record)
    else:
        rows = [
            [c["kind"], c["name"], c["verdict"], _eps(c["measured"]), _eps(c["budget"]), c["detail"]]
            for c in record["checks"]
        ]
        columns = ["kind", "check", "verdict", "error/eps", "budget/eps", "detail"]
        print_table(f"Verification of the {target} kernel", columns, rows)
    return 1 if record["verdict"] == "refuted" else 0


def _eps(number: float | None) -> str:
    return "-" if number is None else f"{number:.3g}"


@app.command
def check(
    *files: Annotated[Path, Parameter(help="Certificates, proofs and bundles; one or more.")],
    seed: Annotated[
        str | None, Parameter(help="Picks the leaves of an enumeration, with the file's digest; random by default.")
    ] = None,
    share: Annotated[
        float | None, Parameter(help="Share of an enumeration's leaves to prove again, such as 0.1; 1 is all.")
    ] = None,
    tex: Annotated[
        Path | None, Parameter(help="Write the one certificate or proof here, as LaTeX that compiles by itself.")
    ] = None,
    json: Json = False,
) -> int:
    """Check saved certificates, each from the specification inside it alone, and saved proofs, from their expressions.

    A certificate of a point, of a complete enumeration, of a range of penalties, the events of `symland follow --json`,
    a proof, or a bundle: the file says what it is. Of an enumeration with one node, or with few leaves, all is proved
    again; of others a random share of the leaves, and the chance that a file with false leaves passes is printed. Of a
    range all points and folds are proved again, and a few slabs are searched again, or all with `--share 1`. Exit
    status 1 if one does not hold or is open.

    Example: `symland check certificates/*.json proofs/*.json`
    """
    if not files:
        raise CertificateError("no files: give the certificates or proofs to check")
    if share is not None and not 0 < share <= 1:
        raise CertificateError(f"--share: {share}; write a fraction above 0 and at most 1")
    if tex is not None and len(files) != 1:
        raise CertificateError(f"--tex writes one document: give one file, not {len(files)}")
    given = [entry for path in files for entry in _entries(path)]
    progress, results = Progress(), []
    progress.begin("check")
    for number, (name, text) in enumerate(given):
        progress.advance(name, number, len(given))
        results.append((name, *_check(name, text, seed, share)))
    progress.end(f"{sum(verdict == 'certified' for _, verdict, _ in results)} of {len(results)} hold")
    if tex is not None:
        _write(tex, _document(files[0]))
    if json:
        print_json([{"file": name, "verdict": verdict, "reason": reason} for name, verdict, reason in results])
    else:
        print_table("Checked", ["file", "verdict", "reason"], [list(row) for row in results])
    return 0 if all(verdict == "certified" for _, verdict, _ in results) else 1


def _entries(path: Path) -> list[tuple[str, bytes]]:
    """Name and text of a file, or of each certificate and proof in a bundle."""
    from symland.pipeline.opened import read_bundle, read_saved

    if path.suffix == ".zip":
        return list(read_bundle(path).items())
    return [(str(path), read_saved(path))]


def _check(name: str, text: bytes, seed: str | None, share: float | None) -> tuple[str, str]:
    """Verdict and reason for one file."""
    from symland.records import Verdict

    if SAVED_PROOF.search(text):
        from symland.theorems import check_proof

        verdicts = check_proof(text.decode("utf-8", "replace"))
        held = sum(verdict is Verdict.CERTIFIED for verdict in verdicts.values())
        whole = Verdict.all(*verdicts.values()) if verdicts else Verdict.UNDECIDED
        return whole.value, f"{held} of {len(verdicts)} steps hold"
    if SAVED_ENUMERATION.search(text):
        from symland.rigor.enumeration_check import check_enumeration

        checked = check_enumeration(text, seed=seed, share=share)
        for false in _false_leaves(checked.leaves) if checked.seed else ():
            say(f"{name}: with {false} false leaves it would pass with probability {checked.passes(false):.3g}")
        return checked.verdict.value, checked.reason + (f", seed {checked.seed}" if checked.seed else "")
    if SAVED_RANGE.search(text):
        from symland.rigor.range_check import check_range

        ranged = check_range(text, seed=seed, share=share)
        return ranged.verdict.value, ranged.reason + (f", seed {ranged.seed}" if ranged.seed else "")
    if SAVED_FOLLOW.search(text):
        from symland.rigor.check_tube import check_diagram

        result = check_diagram(text)
        return result.verdict.value, result.reason
    if SAVED_PERSISTENCE.search(text):
        from symland.rigor.check_persistence import check_persistence

        found = check_persistence(text)
        return found.verdict.value, found.reason
    from symland.rigor.check import check_certificate

    result = check_certificate(text)
    return result.verdict.value, result.reason


def _false_leaves(leaves: int) -> list[int]:
    """Numbers of false leaves whose chance to pass is printed: 1, 10 and one in a hundred."""
    return sorted({1, min(10, leaves), max(1, leaves // 100)})


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError.unwritable(path, error) from None


def _document(path: Path) -> str:
    """A checked file as LaTeX; of a proof, with the checker's verdicts."""
    from symland.records import Verdict
    from symland.report.standalone import certificate_document, theorem_document

    text = path.read_bytes()
    if not SAVED_PROOF.search(text):
        return certificate_document(text, path.name)
    from symland.theorems import check_proof

    verdicts = check_proof(text.decode("utf-8", "replace"))
    record = loads(text)
    for step in record["steps"]:
        step["verdict"] = verdicts[step["name"]].value
    return theorem_document({**record, "verdict": Verdict.all(*verdicts.values()).value})


@app.command
def bundle(
    *,
    db: Annotated[
        list[Path], Parameter(name="--db", consume_multiple=True, negative="", help="Databases; one or more.")
    ],
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The zip file.")] = Path("bundle.zip"),
    json: Json = False,
) -> None:
    """Pack landscapes with their certificates, proofs and the program that checks them, fit to be deposited.

    Example: `symland bundle --db xor-1.sqlite xor-2.sqlite -o xor.zip`, then `symland check xor.zip`
    """
    from contextlib import ExitStack

    from symland.landscape.database import Database
    from symland.pipeline.bundle import write_bundle

    progress = Progress()
    progress.begin("bundle")
    with ExitStack() as stack:
        databases = [stack.enter_context(Database.open(path)) for path in db]
        path = write_bundle(databases, output, progress)
    progress.end(f"{len(databases)} landscapes, {path.stat().st_size / 1000:.0f} kB")
    print_files([path], json)


@app.command
def prove(
    *theorems: Annotated[
        Path, Parameter(help="Identifiers such as T5-flat-bias, or files; all of proofs/ by default.")
    ],
    db: Annotated[Path | None, Parameter(name="--db", help="Store the proofs here, for the report.")] = None,
    output: OptionalFolder = None,
    tex: Annotated[
        Path | None, Parameter(help="Write the one theorem and its proof here, as LaTeX that compiles by itself.")
    ] = None,
    json: Json = False,
) -> int:
    """Prove the theorems of `proofs/`, or those named by identifier or file; exit status 1 if a step is not certified.

    A proof file is Python that you choose to run. With `-o` each proof is also saved, for `symland check`.

    Example: `symland prove T5-flat-bias --tex flat-bias.tex`
    """
    from symland.landscape.database import Database
    from symland.theorems import prove_all, save_proof, select_theorems

    if tex is not None and (chosen := len(select_theorems(theorems))) != 1:
        raise ProofError(f"--tex writes one theorem: name one by its identifier, not {chosen}")

    progress = Progress()
    progress.begin("prove")
    results = prove_all(theorems, lambda result: progress.advance(result.theorem.title))
    certified = sum(r.verdict.value == "certified" for r in results)
    progress.end(f"{certified} of {len(results)} theorems certified")
    if db is not None:
        with Database.open(db) as database:
            database.put_proofs([r.to_dict() for r in results])
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for result in results:
            (output / f"{result.identifier}.json").write_text(save_proof(result), encoding="utf-8")
    if tex is not None:
        from symland.report.standalone import theorem_document

        _write(tex, theorem_document(results[0].to_dict()))
    if json:
        print_json([r.to_dict() for r in results])
    else:
        rows = [
            [r.identifier, r.theorem.title, str(len(r.steps)), f"{r.seconds:.2f}", r.verdict.value] for r in results
        ]
        print_table("Theorems", ["theorem", "title", "steps", "seconds", "verdict"], rows)
        for result in results:
            for step in result.steps:
                if step.verdict.value != "certified":
                    say(f"{result.identifier}: {step.name}: {step.verdict.value}: {step.detail}")
    return 0 if certified == len(results) else 1
