"""The whole chain from a question to a report, and its steps over a database."""

from __future__ import annotations

from symland.pipeline.chain import run
from symland.pipeline.listener import Listener
from symland.pipeline.relations import embed_into, embed_saved, label_into, map_into, read_certificates
from symland.pipeline.steps import (
    certify_into,
    connect_into,
    enumerate_into,
    explore_into,
    prove_into,
    refine_into,
    verify_program,
)
from symland.pipeline.summary import certificates, classes, is_certified, summary

__all__ = [
    "Listener",
    "certificates",
    "certify_into",
    "classes",
    "connect_into",
    "embed_into",
    "embed_saved",
    "enumerate_into",
    "explore_into",
    "is_certified",
    "label_into",
    "map_into",
    "prove_into",
    "read_certificates",
    "refine_into",
    "run",
    "summary",
    "verify_program",
]
