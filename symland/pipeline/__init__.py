"""The whole chain from a question to a report, and its steps over a database."""

from __future__ import annotations

from symland.pipeline.chain import run
from symland.pipeline.deadline import BudgetSpent, Deadline
from symland.pipeline.saved import embed_saved, read_certificates
from symland.pipeline.steps import certify_into, connect_into, explore_into, prove_into, refine_into
from symland.pipeline.summary import summary

__all__ = [
    "BudgetSpent",
    "Deadline",
    "certify_into",
    "connect_into",
    "embed_saved",
    "explore_into",
    "prove_into",
    "read_certificates",
    "refine_into",
    "run",
    "summary",
]
