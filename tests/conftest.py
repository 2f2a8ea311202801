"""Settings for all tests: property tests are repeatable and have no deadline, since machines are shared."""

import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "symland", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("symland")


LONGEST = "test_the_tutorial_runs_as_it_stands"
"""One test of a minute or more: it comes first, so that no worker waits for it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.name != LONGEST)


def pytest_sessionstart() -> None:
    """Start cold: under mutation tests the parent process holds programs that were compiled without the mutant."""
    rooms = [module for name, module in sys.modules.items() if name.startswith("symland.rigor.enumeration.")]
    for room in rooms:
        for value in vars(room).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
