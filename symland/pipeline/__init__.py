"""The whole chain from a question to a report, and its steps over a database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symland.pipeline.chain import run
    from symland.pipeline.deadline import BudgetSpent, Deadline
    from symland.pipeline.holdings import summary
    from symland.pipeline.saved import embed_saved, read_certificates
    from symland.pipeline.steps import certify_into, connect_into, explore_into, prove_into, refine_into

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

_HOMES = {
    "BudgetSpent": "deadline",
    "Deadline": "deadline",
    "embed_saved": "saved",
    "read_certificates": "saved",
    "run": "chain",
    "certify_into": "steps",
    "connect_into": "steps",
    "explore_into": "steps",
    "prove_into": "steps",
    "refine_into": "steps",
    "summary": "holdings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"symland.pipeline.{_HOMES[name]}"), name)
