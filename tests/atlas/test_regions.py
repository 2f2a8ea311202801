"""The map of regions is that of the exact arrangement and of the network, and works by mouse and by keys."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symland.analysis.regions.arrangement import Hyperplane, arrange
from symland.atlas import write_atlas
from symland.datasets import make_data
from symland.figures.networks import network_outputs
from symland.landscape.database import Database
from symland.spec import Loss, builtin
from tests.atlas.browser import Visit, Visits
from tests.report.invented import make_database

XOR = builtin("xor").with_(hidden=(4,), penalty="1e-2")
LOGISTIC = XOR.with_(loss=Loss.LOGISTIC, hidden=(3, 2), outputs=1, bias=False, activation="z + erf(z)")
CUBE = builtin("parity3").with_(hidden=(2,))
LINE = XOR.with_(data=make_data("line", [["0"], ["1"]], [["0"], ["1"]], classify=False), loss=Loss.SQUARED, outputs=0)
SPECS = (XOR, LOGISTIC, CUBE, LINE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regions")
    databases = [
        make_database(folder / f"{k}.sqlite", spec, (0,) * 3 + (9,) + (2,) * 26) for k, spec in enumerate(SPECS)
    ]
    path = write_atlas(databases, folder / "atlas.html")
    for database in databases:
        database.close()
    return path


def settled(seen: Visit) -> None:
    seen.page.evaluate("new Promise((r) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(r)), 0))")


def go(seen: Visit, place: str) -> None:
    seen.page.evaluate(f"location.hash = '{place}'")
    settled(seen)


def exact_cells(lines: list[list[float]]) -> list[str]:
    planes = [Hyperplane(normal=(Fraction(a), Fraction(b)), offset=Fraction(c)) for a, b, c in lines]
    return ["".join("-0+"[s + 1] for s in signs) for signs in arrange(planes, 2).signs]


DEGENERATE = [
    [[1.0, 2, k] for k in range(5)],
    [[1.0, k, 0] for k in range(5)],
    [[1.0, 0, 0], [1, 0, -1], [1, 0, -2], [0, 1, 0], [0, -3, -1]],
    [[-1.0, 1, 1], [2, -2, -2], [0, 0, 3], [0, 0, 0], [0, 0, -1]],
]
"""Parallel, concurrent, a grid, and lines that are equal, nowhere and everywhere."""


def test_cells_are_those_of_the_exact_arrangement_in_its_order(page: Path, visit: Visits) -> None:
    rng = np.random.default_rng(0)
    cases = [rng.normal(size=(m, 3)).tolist() for m in range(1, 9)] + DEGENERATE
    with visit(page) as seen:
        for lines in cases:
            shown = seen.page.evaluate(f"planeCells({json.dumps(lines)}).cells.map((c) => c.signs)")
            assert shown == exact_cells(lines)
        # Lines that differ in the last digit only count as one.
        twins = [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3 * (1 + 3e-16)]]
        assert seen.page.evaluate(f"planeCells({json.dumps(twins)}).cells.length") == 2
        for land, spec in enumerate(SPECS[:2]):
            with Database.open(page.parent / f"{land}.sqlite") as database:
                theta = database.points()[1].theta
            n = spec.hidden[0]
            bias = theta[spec.layout.biases(1).slice] if spec.bias else np.zeros(n)
            wanted = np.column_stack([theta[: 2 * n].reshape(n, 2), bias])
            lines = seen.page.evaluate(f"hiddenLines(LANDS[{land}], LANDS[{land}].classes[1].theta)")
            assert lines == wanted.tolist()


def shares_by_hand(page: Path, land: int, percent: int) -> list[float]:
    """Shares of a grid, in percent: without confidence, and with it by label; class 3 has large weights."""
    spec = SPECS[land]
    with Database.open(page.parent / f"{land}.sqlite") as database:
        theta = database.points()[3].theta
    side = (np.arange(100) + 0.5) / 100 * 2 - 0.5
    grid = np.stack([g.ravel() for g in np.meshgrid(side, side)], axis=1)
    z = network_outputs(spec, theta, grid)
    z = np.column_stack([np.zeros(len(z)), z]) if spec.n_outputs == 1 else z
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    unsure = p.max(axis=1) <= 1 - percent / 100
    return [100 * float(np.mean(w)) for w in (unsure, *((~unsure) & (p.argmax(axis=1) == k) for k in range(2)))]


def test_the_slider_shades_where_the_network_is_not_sure(page: Path, visit: Visits) -> None:
    with visit(page) as seen:
        for land in (0, 1):
            go(seen, f"#/{land}/regions/3")
            bands = []
            for percent in (5, 20, 40):
                before = seen.page.evaluate("$('regions').toDataURL()")
                seen.page.evaluate(f"$('level').value = {percent}; $('level').dispatchEvent(new Event('input'))")
                said = seen.page.inner_text("#sure")
                shares = [float(v) for v in re.findall(r"([\d.e-]+) %(?: of the box|,|$)", said.split(": ", 1)[1])]
                assert shares == pytest.approx(shares_by_hand(page, land, percent), abs=0.06), said
                assert seen.page.evaluate("$('regions').toDataURL()") != before
                bands.append(shares[0])
            assert 100 > bands[0] > bands[1] > bands[2] > 0
        assert not seen.said


def test_classes_are_picked_and_the_cross_is_moved_by_mouse_and_by_keys(page: Path, visit: Visits) -> None:
    with Database.open(page.parent / "0.sqlite") as database, visit(page) as seen:
        points = database.points()
        go(seen, "#/0/regions/0")
        seen.page.click("#view .thumbs button[data-class='2']")
        settled(seen)
        assert seen.page.evaluate("location.hash") == "#/0/regions/2"
        assert seen.page.get_attribute(".thumbs [data-class='2']", "aria-pressed") == "true"
        assert seen.page.evaluate("document.activeElement.dataset.class") == "2"
        # From one thumbnail to the next and to a press by keys alone.
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        settled(seen)
        assert seen.page.evaluate("state.pick") == 3
        assert seen.page.evaluate("document.activeElement.dataset.class") == "3"
        # The last classes are within reach, though only some are shown.
        assert len(seen.page.query_selector_all(".thumbs button")) == 24
        go(seen, "#/0/regions/29")
        assert seen.page.query_selector(".thumbs button[data-class='29']") is not None

        go(seen, "#/0/regions/1")
        box = seen.page.query_selector("#regions").bounding_box()
        seen.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
        x = seen.page.evaluate("state.probe")
        assert x == pytest.approx([0, 1], abs=0.02)
        seen.page.focus("#regions")
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            seen.page.keyboard.press(key)
        moved = seen.page.evaluate("state.probe")
        assert moved == pytest.approx([x[0] + 0.1, x[1] - 0.05])
        assert seen.page.evaluate("state.pick") == 1
        z = network_outputs(XOR, points[1].theta, np.array([moved]))[0]
        said = seen.page.inner_text("#regions-said")
        found = re.search(r"label (\d) with probability ([\d.]+)", said)
        assert found
        assert int(found[1]) == z.argmax()
        assert float(found[2]) == pytest.approx(np.exp(z.max()) / np.exp(z).sum(), rel=1e-4)
        # A cell of the table takes the cross into it.
        for button in seen.page.query_selector_all("#view [data-cell]"):
            button.click()
            assert f"cell {button.inner_text()}, " in seen.page.inner_text("#regions-said")
        assert seen.page.evaluate("document.querySelectorAll('#view tbody tr').length") == 11
        assert not seen.said


def test_numbers_keep_their_zeros_and_where_there_is_no_map_the_view_says_why(page: Path, visit: Visits) -> None:
    with visit(page) as seen:
        values = [100, 1000, 1.5, 120, 0.1, 1e-7, 1.2e25, 0, -30]
        texts = seen.page.evaluate(f"{values}.map((v) => short(v, 3))")
        assert [float(t) for t in texts] == values
        assert texts[:5] == ["100", "1e+3", "1.5", "120", "0.1"]
        for place, word in (("#/2/regions/1", "has 3 inputs"), ("#/3/regions/1", "regression")):
            go(seen, place)
            assert word in seen.page.inner_text("#view")
            assert seen.page.query_selector("#regions") is None
            assert "regions" not in [a.inner_text() for a in seen.page.query_selector_all("#card a")]
        assert not seen.said
