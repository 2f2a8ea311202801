"""Questions asked of a landscape, one module each; whoever stores, prints or draws answers loops over `QUESTIONS`.

The order is that of the report.
"""

from typing import Any

from symland.analysis import (
    classify,
    completeness,
    connections,
    dead_nodes,
    distinctness,
    embedding,
    enumeration,
    families,
    flatness,
    follow,
    geometry,
    labels,
    learning,
    map,
    penalties,
    program,
    rates,
    sensitivity,
    thermo,
    weight_scale,
)
from symland.analysis.question import Question

__all__ = ["QUESTIONS", "Question", "find_question"]

QUESTIONS: tuple[Question[Any, Any], ...] = (
    program.QUESTION,
    completeness.QUESTION,
    families.QUESTION,
    distinctness.QUESTION,
    enumeration.QUESTION,
    connections.QUESTION,
    labels.QUESTION,
    embedding.QUESTION,
    dead_nodes.QUESTION,
    map.QUESTION,
    follow.QUESTION,
    penalties.QUESTION,
    geometry.QUESTION,
    weight_scale.QUESTION,
    flatness.QUESTION,
    thermo.QUESTION,
    rates.QUESTION,
    learning.QUESTION,
    sensitivity.QUESTION,
    classify.QUESTION,
)


def find_question(name: str) -> Question[Any, Any] | None:
    """The question of a name, or None."""
    return next((question for question in QUESTIONS if question.name == name), None)
