"""One theorem, or one certificate, as a LaTeX document that compiles by itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from symland.errors import CertificateError
from symland.report.formulas import build_formulas, parameter_names
from symland.report.latex import environment
from symland.report.tables import data_rows
from symland.rigor.certificate import Certificate
from symland.rigor.check import check_certificate
from symland.tex import enclosure_tex
from symland.theorems import Reference, cited, references

__all__ = ["certificate_document", "cited_works", "theorem_document", "theorem_fragment"]

MOST_EIGENVALUES = 40
"""Eigenvalues that a certificate's document lists."""

_BLANK: dict[str, Any] = {
    "title": "",
    "setting": "",
    "hypotheses": (),
    "notation": (),
    "facts": (),
    "variables": (),
    "rests_on": (),
    "remarks": (),
    "source": "",
}


def theorem_fragment(proof: Mapping[str, Any]) -> str:
    """Statement and proof of one theorem, to be put into a document.

    Parameters
    ----------
    proof : mapping
        The record of a proof, as `ProofResult.to_dict` gives it and a database or a saved proof holds it.
    """
    # Proofs stored before statements had parts held the whole of it under one key.
    whole = {**_BLANK, "conclusion": proof.get("statement", ""), **proof}
    whole["variables"] = [(str(letter).strip("$ "), meaning) for letter, meaning in whole["variables"]]
    return environment().get_template("theorem.tex.j2").render(proof=whole)


def cited_works(texts: Sequence[str]) -> tuple[Reference, ...]:
    """The works of the bibliography that texts cite."""
    known = references()
    return tuple(known[key] for key in cited(texts) if key in known)


def _document(body: str) -> str:
    return environment().get_template("standalone.tex.j2").render(body=body, works=cited_works([body]))


def theorem_document(proof: Mapping[str, Any]) -> str:
    """A theorem by itself: setting, hypotheses, conclusion, proof, bibliography."""
    return _document(theorem_fragment(proof))


def certificate_document(text: bytes, name: str) -> str:
    """A certificate by itself: the question, what is claimed, both radii, digests, the point, and how to check it.

    Parameters
    ----------
    text : bytes
        The file.
    name : str
        Its name, as a reader is told it.

    Raises
    ------
    CertificateError
        If it is no certificate. A claim that the checker does not accept is named as not accepted, and not printed.
    """
    try:
        certificate = Certificate.from_dict(json.loads(text))
    except ValueError as error:
        raise CertificateError(f"{name}: not a certificate ({error}); give a file that symland certify wrote") from None
    found = check_certificate(text)
    accepted = found.verdict.value == "certified"
    spec = certificate.spec
    body = (
        environment()
        .get_template("certificate.tex.j2")
        .render(
            verdict=found.verdict.value,
            spec=spec,
            gauge=certificate.gauge,
            formulas=build_formulas(spec),
            samples=data_rows(spec),
            claims=_claims(certificate) if accepted else (),
            reason=found.reason if not accepted else certificate.reason,
            precision=certificate.precision,
            name=name,
            digest=hashlib.sha256(text).hexdigest(),
            checked=f"{found.verdict.value}: {found.reason}" if found.reason else found.verdict.value,
            parameters=list(zip(parameter_names(spec), certificate.midpoint, strict=True)),
        )
    )
    return _document(body)


def _radius(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _claims(certificate: Certificate) -> list[str]:
    claims, where, zeros = [], "", ""
    if certificate.gauge:
        names = parameter_names(certificate.spec)
        sums = [" + ".join(names[p] for p in places) + " = 0" for places in certificate.gauge]
        where = rf" and ${', '.join(sums)}$"
        zeros = f" but the {len(sums)} of the shift{'s' if len(sums) > 1 else ''}"
        claims.append(
            rf"One number added to all terms of each sum in ${', '.join(sums)}$ changes neither the data's loss nor "
            rf"the "
            r"penalty: every stationary point lies on a flat of them, which has exactly one point where these hold."
        )
    if certificate.inclusion_radius is not None:
        claims.append(
            rf"There is a point $\theta^*$ with $\nabla E(\theta^*) = 0${where} and $|\theta^* - \bar\theta|_\infty "
            rf"\le "
            rf"{_radius(certificate.inclusion_radius)}$ (inclusion radius)."
        )
    if certificate.uniqueness_radius is not None:
        claims.append(
            rf"It is the only stationary point with $|\theta - \bar\theta|_\infty \le "
            rf"{_radius(certificate.uniqueness_radius)}${where} (uniqueness radius)."
        )
    if certificate.loss is not None:
        claims.append(rf"Its loss is $E(\theta^*) = {enclosure_tex(*certificate.loss)}$, in the notation below.")
    if certificate.index is not None:
        kind = {0: "a minimum", 1: "a transition state"}.get(certificate.index, "a saddle")
        claims.append(
            rf"Its Hessian has exactly {certificate.index} negative eigenvalues and none that vanishes{zeros}: it is "
            rf"{kind} "
            rf"of index {certificate.index}."
        )
    if 0 < len(certificate.eigenvalues) <= MOST_EIGENVALUES:
        values = ",\\; ".join(enclosure_tex(*pair, places=8) for pair in certificate.eigenvalues)
        claims.append(rf"The eigenvalues are ${values}$.")
    if certificate.loss is not None:
        claims.append(
            r"$x_{a}^{b}$ is a number between those that end in $a$ and in $b$; $x(k)$ is $x$ within $k$ units of "
            r"its last digit."
        )
    return claims
