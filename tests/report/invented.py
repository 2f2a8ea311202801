"""Databases with invented records in the form that the other rooms store: what a report must be able to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symland.analysis import completeness, connections, embedding, program
from symland.analysis.answers import put_answer
from symland.landscape.database import Database
from symland.landscape.evidence import Completeness
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Outcome, Pathway, StationaryPoint, Verdict
from symland.rigor.certificate import Certificate, Claims
from symland.rigor.refine import RefinedPoint
from symland.spec import LandscapeSpec
from symland.symbolic.symmetry import find_symmetry

__all__ = ["fill", "make_database", "proof_record"]


def make_database(path: Path, spec: LandscapeSpec, indices: tuple[int, ...] = (0, 0, 1, 1, 2)) -> Database:
    """Points with true losses and invented indices; transition states above every minimum."""
    rng, group = np.random.default_rng(0), find_symmetry(spec, verify=False)
    theta = 0.2 * rng.normal(size=(len(indices), spec.n_parameters)) * (1 + np.array(indices))[:, None]
    losses = evaluate(build_program(spec, ("value",)), theta)[0]
    points = []
    for n, (t, k) in enumerate(zip(theta, indices, strict=True)):
        size = np.sort(rng.uniform(1e-3, 1, spec.n_parameters))
        points.append(
            StationaryPoint(
                theta=t,
                loss=float(losses[n]) + k,
                gradient_norm=1e-14,
                spectrum=np.sort(np.where(np.arange(size.size) < k, -size, size)),
                index=k,
                nullity=0,
                orbit_size=group.orbit_size(t),
                outcome=Outcome.CONVERGED,
            )
        )
    database = Database.create(path, spec)
    database.put_points(points)
    minima = [n for n, k in enumerate(indices) if k == 0]
    if minima:
        ends = [(minima[0], minima[-1]), (minima[0], minima[0])]
        states = [n for n, k in enumerate(indices) if k == 1]
        still = group.identity
        database.put_pathways(
            [
                Pathway(transition_state=s, minus=a, plus=b, minus_element=still, plus_element=still)
                for s, (a, b) in zip(states, ends, strict=False)
            ]
        )
    return database


def proof_record(identifier: str = "T5-test") -> dict[str, Any]:
    return {
        "identifier": identifier,
        "title": "Zero extension, if sigma(0) = 0",
        "statement": r"If $\sigma(0) = 0$ then $\nabla E = 0$.",
        "variables": [["$u_a$", "weights"], [r"\xi", r"outputs, $\xi_0 = 1$"]],
        "hypotheses": [{"name": "sigma(0) = 0", "statement": r"$\sigma(0) = 0$"}],
        "source": "A & B, 100% of _it_",
        "rests_on": ["chain rule", r"$\sinh z \ge z$"],
        "verdict": "certified",
        "seconds": 0.5,
        "steps": [
            {
                "name": "same loss",
                "claim": r"$E(\theta, u, 0) = E(\theta)$.",
                "methods": ["exact identity"],
                "verdict": "certified",
                "seconds": 0.5,
                "detail": "",
            }
        ],
    }


def fill(database: Database) -> None:
    """Certificates, refined points, embedding, proofs and the run's facts; the last class stays undecided."""
    points, spec = database.points(), database.spec
    for n, point in enumerate(points):
        middle = tuple(f"{t:.40f}" for t in point.theta)
        if n == len(points) - 1:
            database.put_certificate(n, _certificate(spec, middle, point, Verdict.UNDECIDED))
            continue
        database.put_refined(
            n,
            RefinedPoint(
                theta=middle,
                digits=30,
                asked=30,
                verdict=Verdict.CERTIFIED,
                loss=f"{point.loss:.20f}",
                residual="2.0e-33",
                steps=(),
            ),
        )
        database.put_certificate(n, _certificate(spec, middle, point, Verdict.CERTIFIED))
    put_answer(database, embedding.QUESTION, _embedding(database))
    database.put_proofs([proof_record()])
    statements = tuple(
        program.ProgramStatement(name=n, verdict=Verdict.CERTIFIED, detail="")
        for n in ("structure", "activation", "identity")
    )
    put_answer(database, program.QUESTION, program.ProgramProof(digest="ab" * 32, statements=statements))
    put_answer(
        database,
        completeness.QUESTION,
        Completeness(
            searches=100,
            converged=90,
            last_new=40,
            rules="morse",
            satisfied=True,
            morse_sum=1,
            degenerate=0,
            inequalities=(),
            coverage=0.9,
            estimate=(4.0, 5.0, None),
            by_index=(),
            curve=tuple((n, (1, n // 30)) for n in (20, 40, 60, 80, 100)),
        ),
    )
    lost = connections.LostBranch(number=3, sign=1, outcome="...")
    put_answer(database, connections.QUESTION, connections.Connections(pathways=2, lost=(lost,)))
    database.put_meta("versions", {"symland": "0.1.0", "python": "3.12"})
    database.put_meta("seconds", {"explore": 1.25})
    database.put_meta("plan", {"seed": 0, "max_index": None})


def _certificate(spec: LandscapeSpec, middle: tuple[str, ...], point: StationaryPoint, verdict: Verdict) -> Certificate:
    held = verdict is Verdict.CERTIFIED
    return Certificate(
        spec=spec,
        midpoint=middle,
        inclusion_radius="1e-30" if held else None,
        uniqueness_radius="1e-3" if held else None,
        claims=Claims(
            existence=verdict,
            uniqueness=verdict,
            index_verdict=verdict,
            index=point.index if held else None,
            loss=(f"{point.loss:.20f}", f"{point.loss + 1e-14:.20f}") if held else None,
            eigenvalues=tuple((f"{w:.20f}", f"{w + 1e-15:.20f}") for w in point.spectrum) if held else (),
        ),
        precision=128 if held else 4096,
        reason="" if held else "singular",
    )


def _embedding(database: Database) -> embedding.Embedding:
    hidden = database.spec.hidden
    values = np.array([-0.008, 0.002, 0.012])
    points = []
    for n, point in enumerate(database.points()):
        nowhere = np.zeros(3)
        escape = embedding.Escape(
            direction=nowhere,
            curvature=-0.008,
            theta=nowhere,
            loss=point.loss / 2,
            gradient_norm=0.0,
            index=0,
            wide_class=None,
        )
        points.append(
            embedding.EmbeddedPoint(
                number=n,
                loss=point.loss,
                index_before=point.index,
                index_after=point.index + 1,
                predicted_index=point.index + 1,
                singular_values=np.array([0.01, 0.0]),
                threshold=0.002,
                predicted_eigenvalues=values,
                new_eigenvalues=values,
                eigenvalue_error=1e-18 if n else None,
                gradient_bound=1e-30,
                exact_zeros=3,
                stationary=Verdict.CERTIFIED,
                index_holds=Verdict.CERTIFIED if n else Verdict.UNDECIDED,
                escape=escape if point.index == 0 else None,
            )
        )
    return embedding.Embedding(
        narrow="0" * 64,
        wide="1" * 64,
        hidden=hidden,
        hidden_wide=(hidden[0] + 1, *hidden[1:]),
        layer=1,
        nodes=1,
        verdict=Verdict.UNDECIDED,
        proof=proof_record("own"),
        points=tuple(points),
    )
