"""The browser of the atlas, started once for a file of tests; tests that need it are skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.atlas.browser import Visit, Visits


@pytest.fixture(scope="module")
def visit() -> Iterator[Visits]:
    """Opens a file as a visitor who was never here before."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    automation = pytest.importorskip("playwright.sync_api")
    with automation.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])

        @contextmanager
        def opened(path: Path) -> Iterator[Visit]:
            context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
            seen = Visit(context.new_page())
            seen.page.goto(path.as_uri())
            yield seen
            context.close()

        yield opened
        browser.close()
