"""Databases with invented records in the form that the other rooms store: what a report must be able to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symland.landscape.database import Database
from symland.program.derive import build_program
from symland.program.floats import evaluate
from symland.records import Outcome, Pathway, StationaryPoint
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
    points = database.points()
    for n, point in enumerate(points[:-1]):
        loss = f"{point.loss:.20f}"
        database.put_refined(
            n,
            {
                "theta": [f"{t:.40f}" for t in point.theta],
                "digits": 30,
                "asked": 30,
                "verdict": "certified",
                "loss": loss,
                "residual": "2.0e-33",
                "steps": [],
            },
        )
        eigenvalues = [[f"{w:.20f}", f"{w + 1e-15:.20f}"] for w in point.spectrum]
        claims = {
            "existence": "certified",
            "uniqueness": "certified",
            "index": {"verdict": "certified", "value": point.index},
            "loss": [loss, f"{point.loss + 1e-14:.20f}"],
            "eigenvalues": eigenvalues,
        }
        database.put_certificate(n, {"claims": claims, "precision_bits": 128, "reason": ""})
    undecided = {"existence": "undecided", "uniqueness": "undecided", "index": {"verdict": "undecided", "value": None}}
    database.put_certificate(
        len(points) - 1,
        {"claims": {**undecided, "loss": None, "eigenvalues": []}, "precision_bits": 4096, "reason": "singular"},
    )
    hidden = list(database.spec.hidden)
    wide = [hidden[0] + 1, *hidden[1:]]
    database.put_analysis(
        "embedding",
        {
            "hidden": hidden,
            "hidden_wide": wide,
            "layer": 1,
            "nodes": 1,
            "verdict": "certified",
            "proof": proof_record("own"),
        },
    )
    rows = []
    for n, point in enumerate(points):
        escape = {"loss": point.loss / 2, "index": 0} if point.index == 0 else None
        rows.append(
            {
                "number": n,
                "loss": point.loss,
                "index_before": point.index,
                "index_after": point.index + 1,
                "predicted_index": point.index + 1,
                "singular_values": [0.01, 0.0],
                "threshold": 0.002,
                "predicted_eigenvalues": [-0.008, 0.002, 0.012],
                "new_eigenvalues": [-0.008, 0.002, 0.012],
                "eigenvalue_error": 1e-18 if n else None,
                "gradient_bound": 1e-30,
                "exact_zeros": 3,
                "stationary": "certified",
                "index_holds": "certified" if n else "undecided",
                "wide_class": None,
                "escape": escape,
            }
        )
    database.put_embedding(rows)
    database.put_proofs([proof_record()])
    statements = [{"name": n, "verdict": "certified", "detail": ""} for n in ("structure", "activation", "identity")]
    database.put_analysis("program", {"digest": "ab" * 32, "statements": statements})
    curve = [[n, [1, n // 30]] for n in (20, 40, 60, 80, 100)]
    account = {"searches": 100, "last_new": 40, "estimate": [4.0, 5.0, 9.5], "curve": curve}
    database.put_analysis("completeness", account)
    database.put_analysis("connections", {"pathways": 2, "lost": [{"class": 3, "sign": 1, "outcome": "..."}]})
    database.put_meta("versions", {"symland": "0.1.0", "python": "3.12"})
    database.put_meta("seconds", {"explore": 1.25})
    database.put_meta("plan", {"seed": 0, "max_index": None})
