"""What several tests of rigor share."""

from __future__ import annotations

import pytest

from symland.rigor.enumeration import choices


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that gives its tables back, and cuts them, after few choices."""
    monkeypatch.setattr(choices, "CHUNK", 32)
    monkeypatch.setattr(choices, "LIMIT", 64)
    monkeypatch.setattr(choices, "LONG", 64)
