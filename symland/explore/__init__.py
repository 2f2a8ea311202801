"""Searches for all stationary points of a landscape, over nothing but a batched kernel and a symmetry group."""

from __future__ import annotations

import sys
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from symland.explore.bands import bridge, components, transition_states_between
from symland.explore.campaign import (
    Address,
    Batch,
    BatchResult,
    Campaign,
    KernelFactory,
    Plan,
    run_batch,
    run_batch_from,
)
from symland.explore.coverage import Completeness, Richness, richness
from symland.explore.donors import Donor, starts_from
from symland.explore.exploration import Exploration, explore
from symland.explore.identify import Catalogue, stationary_point
from symland.explore.pathways import Connections, connect, pathways
from symland.explore.protocol import Kernel, Restriction
from symland.explore.starts import split_nodes, zero_extension
from symland.explore.stopping import DEFAULT_RULES, Rule, parse_duration, parse_rules

__all__ = [
    "DEFAULT_RULES",
    "Address",
    "Batch",
    "BatchResult",
    "Campaign",
    "Catalogue",
    "Completeness",
    "Connections",
    "Donor",
    "Exploration",
    "Kernel",
    "KernelFactory",
    "Plan",
    "Restriction",
    "Richness",
    "Rule",
    "bridge",
    "components",
    "connect",
    "explore",
    "parse_duration",
    "parse_rules",
    "pathways",
    "richness",
    "run_batch",
    "run_batch_from",
    "split_nodes",
    "starts_from",
    "stationary_point",
    "transition_states_between",
    "zero_extension",
]


class _CallablePackage(ModuleType):
    """`symland.explore` is this package and, as a verb, its function of the same name: calling one calls the other."""

    if TYPE_CHECKING:
        __call__ = staticmethod(explore)
    else:

        def __call__(self, *args: Any, **options: Any) -> Exploration:
            return explore(*args, **options)

        __signature__ = signature(explore)


sys.modules[__name__].__class__ = _CallablePackage
